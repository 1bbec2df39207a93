// Bring the chip up, then turn the loop: doorbells, cores that finished, commands, dispatch.

#include "firmware.h"

struct chip chip;
struct queue queues[QUEUES];
struct function functions[FUNCTIONS];
struct session sessions[SESSIONS];
struct job jobs[JOBS];

static uint32_t heartbeat;
static uint32_t heartbeat_ticks;

#define FEATURES                                                                                    \
    (TASIC__FIRMWARE_FEATURES__PRIORITY_bm | TASIC__FIRMWARE_FEATURES__DEADLINE_bm |                 \
     TASIC__FIRMWARE_FEATURES__WATCHDOG_bm | TASIC__FIRMWARE_FEATURES__TRANSLATION_bm |              \
     TASIC__FIRMWARE_FEATURES__CORE_SELECT_bm)

void firmware_boot(void)
{
    mmio_write(REG(firmware_status), FIRMWARE_STATE_BOOT);
    chip.memory_bytes = (uint64_t)mmio_read(REG(memory_size)) << 20;
    chip.area_bytes = mmio_read(REG(firmware_area));
    chip.session_limit = mmio_read(REG(session_limit));
    if (chip.session_limit > SESSIONS)
        chip.session_limit = SESSIONS;
    uint32_t picture = mmio_read(REG(picture_limit));
    chip.picture_width = picture & TASIC__PICTURE_LIMIT__WIDTH_bm;
    chip.picture_height = picture >> TASIC__PICTURE_LIMIT__HEIGHT_bp;
    chip.encode_rate_left = mmio_read(REG(encode_rate_limit));
    functions[0] = (struct function){.session_limit = chip.session_limit, .encode_rate_left = chip.encode_rate_left};
    log_boot();
    schedule_boot();
    for (uint32_t q = 0; q < QUEUES; q++)
        queues[q].free = NO_JOB;
    uint32_t period_ps = mmio_read(REG(clock_period));
    chip.ticks_per_us = 1000000u / period_ps;
    heartbeat_ticks = (uint32_t)divide((uint64_t)HEARTBEAT_US * 1000000u, period_ps);
    mmio_write(REG(timer), heartbeat_ticks);
    mmio_write(REG(sessions), chip.session_limit << TASIC__SESSIONS__MOST_bp);
    mmio_write(REG(descriptor_versions), DESCRIPTOR_VERSION << TASIC__DESCRIPTOR_VERSIONS__NEWEST_bp |
                                             DESCRIPTOR_VERSION << TASIC__DESCRIPTOR_VERSIONS__OLDEST_bp);
    uint32_t version = FIRMWARE_MAJOR << TASIC__FIRMWARE_VERSION__MAJOR_bp |
                       FIRMWARE_MINOR << TASIC__FIRMWARE_VERSION__MINOR_bp | FIRMWARE_PATCH;
    mmio_write(REG(firmware_version), version);
    mmio_write(REG(firmware_features), FEATURES);
    mmio_write(REG(encode_rate_left), chip.encode_rate_left);
    log_write(LOG_BOOT, version, chip.cores[KIND_ENCODE], chip.cores[KIND_SCALE], chip.cores[KIND_DECODE]);
    mmio_write(REG(firmware_status), FIRMWARE_STATE_RUN);
    mmio_write(REG(event_set), TASIC__EVENT_SET__STATE_bm);
}

static void negotiate(void)
{
    uint32_t asked = mmio_read(REG(host_version)) & TASIC__HOST_VERSION__VERSION_bm;
    uint32_t answer = asked == DESCRIPTOR_VERSION ? NEGOTIATION_ACCEPTED : asked ? NEGOTIATION_REFUSED : NEGOTIATION_NONE;
    uint32_t missing = mmio_read(REG(host_features)) & ~FEATURES;
    if (answer == NEGOTIATION_ACCEPTED && missing)
        answer = NEGOTIATION_NO_FEATURE;
    chip.version = answer == NEGOTIATION_ACCEPTED ? asked : 0;
    mmio_write(REG(negotiation), answer << TASIC__NEGOTIATION__ANSWER_bp | asked);
    log_write(LOG_VERSION, asked, answer, missing, 0);
    mmio_write(REG(event_set), TASIC__EVENT_SET__STATE_bm);
}

// One turn. Waits for something to do unless the last turn left commands on a ring.
void firmware_turn(void)
{
    static bool more;
    uint32_t pending = mmio_read(more ? REG(pending) : REG(wait_pending));
    mmio_write(REG(firmware_heartbeat), ++heartbeat);
    // Clear first, look second: what comes in between is seen twice rather than never.
    mmio_write(REG(pending), pending);
    if (pending & TASIC__PENDING__TIMER_bm) {
        mmio_write(REG(timer), heartbeat_ticks);
        schedule_watch();
    }
    if (pending & TASIC__PENDING__HOST_VERSION_bm)
        negotiate();
    if (pending & TASIC__PENDING__CONTROL_bm) {
        ring_control();
        uint32_t reset = mmio_read(REG(core_reset));
        mmio_write(REG(core_reset), 0);
        schedule_cores(reset);
    }
    if (pending & TASIC__PENDING__DOORBELL_bm) {
        uint32_t rung = mmio_read(REG(doorbells));
        mmio_write(REG(doorbells), rung);
        for (uint32_t q = 0; rung; q++, rung >>= 1)
            if (rung & 1)
                ring_doorbell(q);
    }
    if (pending & TASIC__PENDING__CORE_bm)
        schedule_finished();
    schedule_dispatch();
    more = ring_turn();
    schedule_dispatch();
    ring_drain();
}

#ifndef HOST_TEST
int main(void)
{
    firmware_boot();
    for (;;)
        firmware_turn();
}
#endif
