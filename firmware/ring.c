// Command and completion rings: enabling, taking commands, putting completions.

#include "firmware.h"

static void set_state(uint32_t q, uint32_t state)
{
    queues[q].state = (uint8_t)state;
    mmio_write(QUEUE_REG(q, status), state);
    log_write(LOG_QUEUE_STATE, q, state, mmio_read(QUEUE_REG(q, tail)), queues[q].head);
}

static void stop(uint32_t q, uint32_t state)
{
    set_state(q, state);
    mmio_write(REG(event_set), TASIC__EVENT_SET__QUEUE_bm);
}

static bool ring_fits(uint64_t base, uint32_t bytes)
{
    return base % RECORD_BYTES == 0 && base >= chip.area_bytes && base < chip.memory_bytes &&
           bytes <= chip.memory_bytes - base;
}

static void start(uint32_t q, uint32_t control)
{
    struct queue *queue = &queues[q];
    uint32_t size_log2 = (control & TASIC__QUEUESX__CONTROL__SIZE_LOG2_bm) >> TASIC__QUEUESX__CONTROL__SIZE_LOG2_bp;
    uint32_t bytes = RECORD_BYTES << size_log2;
    queue->base = (uint64_t)mmio_read(QUEUE_REG(q, base_high)) << 32 | mmio_read(QUEUE_REG(q, base_low));
    queue->completion_base =
        (uint64_t)mmio_read(QUEUE_REG(q, completion_base_high)) << 32 | mmio_read(QUEUE_REG(q, completion_base_low));
    queue->size = 1u << size_log2;
    if (!chip.version) {
        stop(q, QUEUE_STATE_BAD_VERSION);
        return;
    }
    bool apart = queue->base + bytes <= queue->completion_base || queue->completion_base + bytes <= queue->base;
    if (size_log2 < 1 || size_log2 > 12 || !ring_fits(queue->base, bytes) ||
        !ring_fits(queue->completion_base, bytes) || !apart) {
        stop(q, QUEUE_STATE_BAD_RING);
        return;
    }
    queue->head = 0;
    queue->completion_tail = 0;
    queue->under_way = 0;
    queue->attention = true;
    queue->free = (uint16_t)(q * QUEUE_JOBS);
    for (uint32_t slot = q * QUEUE_JOBS; slot < (q + 1) * QUEUE_JOBS; slot++)
        jobs[slot].next = slot + 1 < (q + 1) * QUEUE_JOBS ? (uint16_t)(slot + 1) : NO_JOB;
    mmio_write(QUEUE_REG(q, head), 0);
    mmio_write(QUEUE_REG(q, completion_tail), 0);
    set_state(q, QUEUE_STATE_RUNNING);
}

// A queue that was disabled and has nothing left on cores ends here; its sessions go with it.
static void drained(uint32_t q)
{
    for (uint32_t slot = 0; slot < SESSIONS; slot++)
        if (sessions[slot].number && sessions[slot].queue == q)
            session_close(slot);
    stop(q, QUEUE_STATE_STOPPED);
}

// A queue's control was written: start or stop what changed.
void ring_control(void)
{
    for (uint32_t q = 0; q < QUEUES; q++) {
        uint32_t control = mmio_read(QUEUE_REG(q, control));
        bool enable = control & TASIC__QUEUESX__CONTROL__ENABLE_bm;
        switch (queues[q].state) {
        case QUEUE_STATE_STOPPED:
            if (enable)
                start(q, control);
            break;
        case QUEUE_STATE_RUNNING:
        case QUEUE_STATE_BAD_INDEX:
            if (!enable) {
                set_state(q, QUEUE_STATE_DRAINING);
                schedule_abort(q);
            }
            break;
        case QUEUE_STATE_DRAINING: // the host must wait for STOPPED before it enables again
            break;
        default: // never ran: nothing to drain
            if (!enable)
                set_state(q, QUEUE_STATE_STOPPED);
            break;
        }
    }
}

void ring_doorbell(uint32_t q)
{
    queues[q].attention = true;
}

static struct verdict open_session(const struct command *command, uint32_t q, uint32_t *number)
{
    struct session_block block;
    if (!device_read(&block, command->block_address, sizeof block))
        return (struct verdict){STATUS_BAD_BLOCK, BLOCK_CAUSE_ADDRESS};
    struct verdict verdict = validate_session_block(&block);
    return verdict.status ? verdict : session_open(&block, q, number);
}

// Copy the block, judge the copy, and keep it where the host cannot change it any more.
static struct verdict take_block(const struct command *command, const struct session *session, uint32_t slot)
{
    union {
        struct session_block session;
        struct encode_block encode;
        struct scale_block scale;
        struct decode_block decode;
    } block;
    struct verdict verdict = {STATUS_BAD_TYPE, command->type};
    if (!device_read(&block, command->block_address, sizeof block))
        return (struct verdict){STATUS_BAD_BLOCK, BLOCK_CAUSE_ADDRESS};
    if (command->type == COMMAND_RECONFIGURE)
        verdict = validate_reconfigure(&block.session, session);
    else if (command->type == COMMAND_ENCODE)
        verdict = validate_encode(&block.encode, session);
    else if (command->type == COMMAND_SCALE)
        verdict = validate_scale(&block.scale, session);
    else if (command->type == COMMAND_DECODE)
        verdict = validate_decode(&block.decode, session);
    if (verdict.status)
        return verdict;
    if (command->type == COMMAND_ENCODE) {
        jobs[slot].qp = block.encode.qp;
        jobs[slot].intra = block.encode.slice_type == 2;
    }
    device_write(block_copy_address(slot), &block, sizeof block);
    return (struct verdict){STATUS_OK, 0};
}

static bool has_block(uint32_t type)
{
    return type == COMMAND_RECONFIGURE || type == COMMAND_ENCODE || type == COMMAND_SCALE || type == COMMAND_DECODE;
}

// Put the completion of a job slot on its queue's ring and free the slot.
void ring_complete(uint32_t slot)
{
    uint32_t q = slot / QUEUE_JOBS;
    struct queue *queue = &queues[q];
    struct job *job = &jobs[slot];
    struct completion record = {
        .version = DESCRIPTOR_VERSION,
        .type = job->type,
        .status = job->status,
        .sequence = job->sequence,
        .session = job->session_number,
        .detail = job->detail,
        .submitted = job->submitted,
        .started = job->started,
        .finished = job->finished ? job->finished : ticks_now(),
        .user_data = job->user_data,
        .output_bytes = job->output_bytes,
        .index = queue->completion_tail + 1,
        .core = job->core,
        .qp = job->qp,
    };
    uint64_t place = queue->completion_base + (uint64_t)(queue->completion_tail & (queue->size - 1)) * RECORD_BYTES;
    device_write(place, &record, sizeof record);
    mmio_write(QUEUE_REG(q, completion_tail), ++queue->completion_tail);
    if (!(job->flags & FLAG_QUIET))
        mmio_write(REG(event_set), TASIC__EVENT_SET__COMPLETION_bm);
    job->next = queue->free;
    queue->free = (uint16_t)slot;
    queue->under_way--;
    queue->attention = true; // a command may have waited for the slot
}

void ring_drain(void)
{
    for (uint32_t q = 0; q < QUEUES; q++)
        if (queues[q].state == QUEUE_STATE_DRAINING && queues[q].under_way == 0)
            drained(q);
}

// Take one command. True when another one may be waiting that could be taken now.
bool ring_take(uint32_t q)
{
    struct queue *queue = &queues[q];
    if (queue->state != QUEUE_STATE_RUNNING || !queue->attention)
        return false;
    uint32_t waiting = mmio_read(QUEUE_REG(q, tail)) - queue->head;
    uint32_t unread = queue->completion_tail - mmio_read(QUEUE_REG(q, completion_head));
    if (waiting > queue->size || unread > queue->size) {
        stop(q, QUEUE_STATE_BAD_INDEX);
        return false;
    }
    // Every command taken has a place on the completion ring: ring_complete never waits.
    if (waiting == 0 || queue->free == NO_JOB || unread + queue->under_way >= queue->size) {
        queue->attention = false;
        return false;
    }
    struct command command;
    uint64_t place = queue->base + (uint64_t)(queue->head & (queue->size - 1)) * RECORD_BYTES;
    device_read(&command, place, sizeof command);
    uint32_t slot = queue->free;
    struct job *job = &jobs[slot];
    queue->free = job->next;
    queue->under_way++;
    *job = (struct job){
        .user_data = command.user_data,
        .submitted = ticks_now(),
        .sequence = command.sequence,
        .session_number = command.session,
        .wait_session = command.wait_session,
        .wait_sequence = command.wait_sequence,
        .next = NO_JOB,
        .session = NO_JOB,
        .type = command.type,
        .flags = command.flags & FLAG_QUIET,
        .core = NO_CORE_NUMBER,
    };
    struct verdict verdict = validate_command(&command, q);
    struct session *session = session_find(command.session, q);
    if (!verdict.status && command.type == COMMAND_OPEN_SESSION)
        verdict = open_session(&command, q, &job->session_number);
    if (!verdict.status && has_block(command.type))
        verdict = take_block(&command, session, slot);
    mmio_write(QUEUE_REG(q, head), ++queue->head);
    if (verdict.status) {
        mmio_write(REG(commands_rejected), ++chip.rejected);
        log_write(LOG_REJECTED, q, command.sequence, verdict.status, verdict.detail);
        job->status = (uint8_t)verdict.status;
        job->detail = verdict.detail;
        ring_complete(slot);
        return true;
    }
    mmio_write(REG(commands_accepted), ++chip.accepted);
    if (session) {
        job->session = (uint16_t)(session - sessions);
        session->accepted_sequence = command.sequence;
        session->any_accepted = true;
        session->closing = command.type == COMMAND_CLOSE_SESSION;
        schedule_add(slot);
    } else {
        ring_complete(slot); // OPEN_SESSION, or NOP outside sessions
    }
    return true;
}
