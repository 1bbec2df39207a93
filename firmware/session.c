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

struct verdict session_open(const struct session_block *block, uint32_t queue, uint32_t *number)
{
    if (chip.sessions_open >= chip.session_limit)
        return (struct verdict){STATUS_NO_CAPACITY, 0};
    if (block->reserve_kilosamples > chip.encode_rate_left)
        return (struct verdict){STATUS_NO_CAPACITY, 1};
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
    rate_configure(&session->rate, block, true);
    chip.encode_rate_left -= block->reserve_kilosamples;
    chip.sessions_open++;
    mmio_write(REG(sessions), chip.session_limit << TASIC__SESSIONS__MOST_bp | chip.sessions_open);
    *number = session->number;
    log_write(LOG_SESSION_OPENED, session->number, queue, block->kind, (uint32_t)block->width << 16 | block->height);
    return (struct verdict){STATUS_OK, 0};
}

void session_reconfigure(struct session *session, const struct session_block *block)
{
    rate_configure(&session->rate, block, false);
}

void session_close(uint32_t slot)
{
    struct session *session = &sessions[slot];
    log_write(LOG_SESSION_CLOSED, session->number, session->accepted_sequence, 0, 0);
    chip.encode_rate_left += session->reserve_kilosamples;
    chip.sessions_open--;
    session->number = 0;
    mmio_write(REG(sessions), chip.session_limit << TASIC__SESSIONS__MOST_bp | chip.sessions_open);
}
