// Sessions: a table with generations, so that a number that was closed is never mistaken for a new one.

#include "firmware.h"

#define GENERATION_SHIFT 16u

static uint16_t generations[SESSIONS];

struct session *session_find(uint32_t number, uint32_t queue)
{
    uint32_t slot = number & 0xFFFFu;
    if (number == 0 || slot >= SESSIONS)
        return NULL;
    struct session *session = &sessions[slot];
    return session->number == number && session->queue == queue ? session : NULL;
}

// Longest that a job may run when the host does not say: far beyond what any chip needs, even with all cores at the
// same memory, so that only a core that stands still is met.
#define WATCHDOG_US 20000u
#define WATCHDOG_US_PER_MACROBLOCK 100u

static void set_watchdog(struct session *session, const struct session_block *block)
{
    uint32_t macroblocks = (block->width + 15u) / 16u * ((block->height + 15u) / 16u);
    uint32_t us = block->watchdog_us ? block->watchdog_us : WATCHDOG_US + macroblocks * WATCHDOG_US_PER_MACROBLOCK;
    session->watchdog_beats = us / HEARTBEAT_US + 2; // the job starts and ends between beats
}

// Sessions and rate of chip and function change by so much, modulo 2^32.
static void count(uint32_t queue, uint32_t kilosamples, uint32_t opened)
{
    struct function *function = &functions[function_of(queue)];
    chip.encode_rate_left -= kilosamples;
    function->encode_rate_left -= kilosamples;
    chip.sessions_open += opened;
    function->sessions_open += opened;
    mmio_write(REG(sessions), chip.session_limit << TASIC__SESSIONS__MOST_bp | chip.sessions_open);
    mmio_write(REG(encode_rate_left), chip.encode_rate_left);
}

static void configure_rate(struct session *session, const struct session_block *block, bool fresh)
{
    if (session->kind != KIND_ENCODE)
        return;
    struct rate *rate = rate_load(session);
    rate_configure(rate, block, fresh);
    session->controlled = rate_active(rate);
    rate_store(session, rate);
}

struct verdict session_open(const struct session_block *block, uint32_t queue, uint32_t *number)
{
    struct function *function = &functions[function_of(queue)];
    if (chip.sessions_open >= chip.session_limit)
        return (struct verdict){STATUS_NO_CAPACITY, LIMIT_SESSIONS};
    if (function->sessions_open >= function->session_limit)
        return (struct verdict){STATUS_NO_CAPACITY, LIMIT_FUNCTION_SESSIONS};
    if (block->reserve_kilosamples > chip.encode_rate_left)
        return (struct verdict){STATUS_NO_CAPACITY, LIMIT_ENCODE_RATE};
    if (block->reserve_kilosamples > function->encode_rate_left)
        return (struct verdict){STATUS_NO_CAPACITY, LIMIT_FUNCTION_ENCODE_RATE};
    uint32_t slot = 0;
    while (sessions[slot].number)
        slot++;
    struct session *session = &sessions[slot];
    if (++generations[slot] == 0)
        generations[slot] = 1;
    *session = (struct session){
        .number = slot | (uint32_t)generations[slot] << GENERATION_SHIFT,
        .reserve_kilosamples = block->reserve_kilosamples,
        .width = block->width,
        .height = block->height,
        .first = NO_JOB,
        .ahead = NO_JOB,
        .last = NO_JOB,
        .kind = block->kind,
        .queue = (uint8_t)queue,
    };
    set_watchdog(session, block);
    configure_rate(session, block, true);
    count(queue, block->reserve_kilosamples, 1);
    *number = session->number;
    log_write(LOG_SESSION_OPENED, session->number, queue, block->kind, (uint32_t)block->width << 16 | block->height);
    return (struct verdict){STATUS_OK, 0};
}

void session_reconfigure(struct session *session, const struct session_block *block)
{
    set_watchdog(session, block);
    configure_rate(session, block, false);
}

void session_close(uint32_t slot)
{
    struct session *session = &sessions[slot];
    log_write(LOG_SESSION_CLOSED, session->number, session->accepted_sequence, 0, 0);
    session->number = 0;
    count(session->queue, 0u - session->reserve_kilosamples, 0u - 1u);
}
