// Command and completion rings: enabling, taking commands, putting completions.

#include "firmware.h"

#define WINDOW_SHIFT 16u    // windows are counted in units of 64 KiB
#define WINDOW_AREA 4096u   // the first page of a window cannot be named: address 0 means none

uint32_t rings_in_use;
static uint32_t attention; // bit n: there may be something on the ring of queue n
static uint32_t draining;  // bit n: queue n is being stopped

static void set_state(uint32_t q, uint32_t state)
{
    queues[q].state = (uint8_t)state;
    if (state == QUEUE_STATE_STOPPED || state == QUEUE_STATE_BAD_RING || state == QUEUE_STATE_BAD_VERSION)
        rings_in_use &= ~(1u << q);
    else
        rings_in_use |= 1u << q;
    mmio_write(QUEUE_REG(q, status), state);
    log_write(LOG_QUEUE_STATE, q, state, mmio_read(QUEUE_REG(q, tail)), queues[q].head);
}

static void raise(uint32_t q, uint32_t event)
{
    mmio_write(REG(event_set), event | function_of(q) << TASIC__EVENT_SET__FUNCTION_bp);
}

static void stop(uint32_t q, uint32_t state)
{
    set_state(q, state);
    raise(q, TASIC__EVENT_SET__QUEUE_bm);
}

// The part of device memory that a queue's addresses are in. A window that reaches beyond the memory holds nothing.
static void read_window(uint32_t q)
{
    struct queue *queue = &queues[q];
    uint32_t f = function_of(q);
    if (f == 0) {
        queue->window_base = 0;
        queue->window_bytes = chip.memory_bytes;
        queue->window_area = (uint32_t)chip.area_bytes;
        return;
    }
    uint64_t base = (uint64_t)mmio_read(FUNCTION_REG(f, window_base)) << WINDOW_SHIFT;
    uint64_t bytes = (uint64_t)mmio_read(FUNCTION_REG(f, window_size)) << WINDOW_SHIFT;
    bool fits = base >= chip.area_bytes && base <= chip.memory_bytes && bytes <= chip.memory_bytes - base;
    bool enabled = mmio_read(FUNCTION_REG(f, control)) & TASIC__FUNCTIONSX__CONTROL__ENABLE_bm;
    queue->window_base = base;
    queue->window_bytes = fits && enabled ? bytes : 0;
    queue->window_area = WINDOW_AREA;
    functions[f].session_limit = mmio_read(FUNCTION_REG(f, session_limit));
    functions[f].encode_rate_left = mmio_read(FUNCTION_REG(f, encode_rate_limit));
}

static bool ring_fits(const struct queue *queue, uint64_t base, uint32_t bytes)
{
    return base % RECORD_BYTES == 0 && base >= queue->window_area && base < queue->window_bytes &&
           bytes <= queue->window_bytes - base;
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
    queue->priority = control >> TASIC__QUEUESX__CONTROL__PRIORITY_bp & 3u;
    read_window(q);
    if (!chip.version) {
        stop(q, QUEUE_STATE_BAD_VERSION);
        return;
    }
    bool apart = queue->base + bytes <= queue->completion_base || queue->completion_base + bytes <= queue->base;
    if (size_log2 < 1 || size_log2 > 12 || !ring_fits(queue, queue->base, bytes) ||
        !ring_fits(queue, queue->completion_base, bytes) || !apart) {
        stop(q, QUEUE_STATE_BAD_RING);
        return;
    }
    queue->base += queue->window_base;
    queue->completion_base += queue->window_base;
    queue->deadlines = 0;
    queue->head = 0;
    queue->completion_tail = 0;
    queue->under_way = 0;
    attention |= 1u << q;
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
                draining |= 1u << q;
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
    attention |= 1u << q;
}

static struct verdict open_session(const struct command *command, uint32_t q, uint32_t *number)
{
    struct session_block block;
    if (!device_read(&block, queues[q].window_base + command->block_address, sizeof block))
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
    uint64_t place = queues[session->queue].window_base + command->block_address;
    if (!device_read(&block, place, sizeof block))
        return (struct verdict){STATUS_BAD_BLOCK, BLOCK_CAUSE_ADDRESS};
    struct verdict verdict = validate_block(command->type, &block, session);
    if (verdict.status)
        return verdict;
    if (command->type == COMMAND_ENCODE) {
        jobs[slot].qp = block.encode.qp;
        jobs[slot].mode = block.encode.mode;
        jobs[slot].has_plan = block.encode.plan_address != 0;
        jobs[slot].idr = block.encode.idr;
        jobs[slot].picture_class = block.encode.slice_type == 2   ? PICTURE_I
                                   : block.encode.slice_type == 0 ? PICTURE_P
                                   : block.encode.nal_ref_idc     ? PICTURE_B_REFERENCE
                                                                  : PICTURE_B;
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
        .attempts = job->attempts,
        .late = job->deadline && job->finished > job->deadline,
    };
    uint64_t place = queue->completion_base + (uint64_t)(queue->completion_tail & (queue->size - 1)) * RECORD_BYTES;
    device_write(place, &record, sizeof record);
    mmio_write(QUEUE_REG(q, completion_tail), ++queue->completion_tail);
    if (!(job->flags & FLAG_QUIET))
        raise(q, TASIC__EVENT_SET__COMPLETION_bm);
    if (job->deadline)
        queue->deadlines--;
    job->next = queue->free;
    queue->free = (uint16_t)slot;
    queue->under_way--;
    attention |= 1u << q; // a command may have waited for the slot
}

void ring_drain(void)
{
    for (uint32_t q = 0, left = draining; left; q++, left >>= 1)
        if (left & 1u && queues[q].under_way == 0) {
            draining &= ~(1u << q);
            drained(q);
        }
}

static void violation(uint32_t q, uint32_t sequence, uint32_t number)
{
    uint32_t f = function_of(q);
    mmio_write(REG(access_violations), ++chip.violations);
    if (f)
        mmio_write(FUNCTION_REG(f, violations), mmio_read(FUNCTION_REG(f, violations)) + 1);
    log_write(LOG_VIOLATION, q, sequence, number, 0);
}

// Take one command. True when another one may be waiting that could be taken now.
static bool ring_take(uint32_t q)
{
    struct queue *queue = &queues[q];
    if (queue->state != QUEUE_STATE_RUNNING) {
        attention &= ~(1u << q);
        return false;
    }
    uint32_t waiting = mmio_read(QUEUE_REG(q, tail)) - queue->head;
    uint32_t unread = queue->completion_tail - mmio_read(QUEUE_REG(q, completion_head));
    if (waiting > queue->size || unread > queue->size) {
        stop(q, QUEUE_STATE_BAD_INDEX);
        attention &= ~(1u << q);
        return false;
    }
    // Every command taken has a place on the completion ring: ring_complete never waits.
    if (waiting == 0 || queue->free == NO_JOB || unread + queue->under_way >= queue->size) {
        attention &= ~(1u << q);
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
        .pinned = command.core,
    };
    if (command.deadline_us) {
        job->deadline = job->submitted + (uint64_t)command.deadline_us * chip.ticks_per_us;
        queue->deadlines++;
    }
    struct verdict verdict = validate_command(&command, q);
    struct session *session = session_find(command.session, q);
    if (!verdict.status && command.type == COMMAND_OPEN_SESSION)
        verdict = open_session(&command, q, &job->session_number);
    if (!verdict.status && has_block(command.type))
        verdict = take_block(&command, session, slot);
    mmio_write(QUEUE_REG(q, head), ++queue->head);
    if (verdict.status) {
        mmio_write(REG(commands_rejected), ++chip.rejected);
        if (verdict.status == STATUS_ACCESS_VIOLATION)
            violation(q, command.sequence, verdict.detail);
        else
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

// Take one command of each queue that may have some, so that a full ring holds up neither the others nor the cores.
// True when more may be waiting.
bool ring_turn(void)
{
    bool more = false;
    for (uint32_t q = 0, left = attention; left; q++, left >>= 1)
        if (left & 1u)
            more |= ring_take(q);
    return more;
}
