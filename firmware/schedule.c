// Scheduling: which command of which session goes to which core, and when.
//
// A session's commands run one at a time, in order: only its first one can be ready. Ready sessions stand in one set
// for each kind of core and queue. An idle core takes the next session: of the queues with the highest priority, round
// robin over the queues, then over the sessions of the queue, those with deadlines first, the earliest before the others.
// No queue of equal priority waits while another one is served twice, and no core idles while a session of its kind is
// ready. Commands that name their core wait apart.

#include "firmware.h"

static struct set ready[KINDS][QUEUES]; // sessions whose first command may start
static struct set blocked;              // sessions whose first command waits for a fence
static uint32_t ready_total[KINDS];
static uint32_t ready_queues[KINDS][4]; // by priority; bit n: queue n has ready sessions
static uint32_t core_mask[KINDS];       // bit n: core n is of that kind
static uint32_t next_queue[KINDS];
static uint32_t next_session[KINDS][QUEUES];
static uint32_t idle_cores[KINDS];      // bit n: core n
static uint32_t core_kind[CORES];
static uint16_t core_job[CORES];
static bool fences_moved;
static uint32_t core_beats[CORES];      // heartbeats since its job started
static uint32_t hung_cores;             // being reset by the watchdog
static struct set pinned;               // ready sessions whose first command names its core

static void set_add(struct set *set, uint32_t slot)
{
    set->words[slot / 32] |= 1u << slot % 32;
    set->count++;
}

static void set_remove(struct set *set, uint32_t slot)
{
    set->words[slot / 32] &= ~(1u << slot % 32);
    set->count--;
}

static bool set_has(const struct set *set, uint32_t slot)
{
    return set->words[slot / 32] >> slot % 32 & 1u;
}

static uint32_t lowest_bit(uint32_t word)
{
    uint32_t bit = 0;
    if (!(word & 0xFFFFu))
        bit += 16, word >>= 16;
    if (!(word & 0xFFu))
        bit += 8, word >>= 8;
    while (!(word & 1u))
        bit++, word >>= 1;
    return bit;
}

// The member at or after `from`, going around; the set is not empty.
static uint32_t set_next(const struct set *set, uint32_t from)
{
    uint32_t word = set->words[from / 32] & ~0u << from % 32;
    for (uint32_t i = from / 32;;) {
        if (word)
            return i * 32 + lowest_bit(word);
        i = (i + 1) % (SESSIONS / 32);
        word = set->words[i];
    }
}

void schedule_boot(void)
{
    for (uint32_t core = 0; core < CORES; core++) {
        uint32_t kind = mmio_read(CORE_REG(core, kind));
        core_kind[core] = kind < KINDS ? kind : KIND_NONE;
        core_job[core] = NO_JOB;
        if (core_kind[core] != KIND_NONE) {
            idle_cores[core_kind[core]] |= 1u << core;
            core_mask[core_kind[core]] |= 1u << core;
            chip.cores[core_kind[core]]++;
        }
    }
}

static void ready_add(uint32_t kind, uint32_t q, uint32_t s)
{
    set_add(&ready[kind][q], s);
    ready_total[kind]++;
    ready_queues[kind][queues[q].priority] |= 1u << q;
}

static void ready_remove(uint32_t kind, uint32_t q, uint32_t s)
{
    set_remove(&ready[kind][q], s);
    ready_total[kind]--;
    if (ready[kind][q].count == 0)
        ready_queues[kind][queues[q].priority] &= ~(1u << q);
}

static bool fence_passed(const struct job *job)
{
    if (job->wait_session == 0)
        return true;
    const struct session *awaited = &sessions[job->wait_session % SESSIONS];
    // Another number stands there: the session was closed, and with that all its commands completed.
    if (awaited->number != job->wait_session)
        return true;
    return awaited->any_finished && (int32_t)(awaited->finished_sequence - job->wait_sequence) >= 0;
}

// Whether the command that the job waits for was announced (or is done): a job's pixels may be computed from its
// announcement on, and the order of announcements is all that says what they are computed after.
static bool fence_announced(const struct job *job)
{
    if (fence_passed(job))
        return true;
    for (uint32_t slot = sessions[job->wait_session % SESSIONS].first; slot != NO_JOB; slot = jobs[slot].next) {
        const struct job *awaited = &jobs[slot];
        if ((int32_t)(awaited->sequence - job->wait_sequence) > 0)
            break;
        if (awaited->type >= COMMAND_ENCODE && !awaited->announced)
            return false;
    }
    return true;
}

// Whether rate control chooses the job's QP.
static bool is_controlled(const struct job *job)
{
    return job->type == COMMAND_ENCODE && job->mode == MODE_ENCODE && sessions[job->session].controlled;
}

// The plan that a job's block names, from its own entry on; NULL: there is none in it.
static const struct plan *read_plan(uint32_t slot)
{
    static struct plan plan;
    struct encode_block block;
    device_read(&block, block_copy_address(slot), sizeof block);
    uint64_t address = queues[sessions[jobs[slot].session].queue].window_base + block.plan_address;
    return plan_read(&plan, address, block.plan_index) ? &plan : NULL;
}

// Tell the cores of the kind that the job's block is final, so that they may fetch it ahead; false: it is not yet.
// Under rate control the QP is final once at most one earlier picture is still under way, and the plan is there.
static bool announce(uint32_t slot)
{
    struct job *job = &jobs[slot];
    struct session *session = &sessions[job->session];
    if (!fence_announced(job))
        return false;
    if (is_controlled(job)) {
        bool near = session->first == slot || jobs[session->first].next == slot;
        if (!near || (job->has_plan && !fence_passed(job)))
            return false;
        uint32_t max_bits;
        const struct plan *plan = job->has_plan ? read_plan(slot) : NULL;
        struct rate *rate = rate_load(session);
        rate_learn(rate);
        job->by_plan = plan != NULL;
        if (plan)
            job->qp = (uint8_t)plan_choose(rate, plan, job, &max_bits);
        else
            job->qp = (uint8_t)rate_choose(rate, job->picture_class, job->idr, job->qp, &job->planned_bits, &max_bits);
        rate_store(session, rate);
        uint64_t place = block_copy_address(slot) + offsetof(struct encode_block, qp) / 4 * 4;
        uint8_t word[4];
        device_read(word, place, sizeof word);
        word[offsetof(struct encode_block, qp) % 4] = job->qp;
        device_write(place, word, sizeof word);
        if (max_bits)
            device_write(block_copy_address(slot) + offsetof(struct encode_block, max_bits), &max_bits, sizeof max_bits);
    }
    job->announced = true;
    uint64_t block = block_copy_address(slot);
    mmio_write(REG(prefetch_low), (uint32_t)block);
    mmio_write(REG(prefetch_high), (uint32_t)(block >> 32) | (uint32_t)session->kind << TASIC__PREFETCH_HIGH__KIND_bp |
                                       function_of(session->queue) << TASIC__PREFETCH_HIGH__FUNCTION_bp);
    return true;
}

// Announce the session's jobs, in order, as far as they are final.
static void announce_ahead(struct session *session)
{
    while (session->ahead != NO_JOB) {
        if (jobs[session->ahead].type >= COMMAND_ENCODE && !announce(session->ahead))
            return;
        session->ahead = jobs[session->ahead].next;
    }
}

// The session's first command is done: report it and step on.
static void finish_first(struct session *session)
{
    uint32_t slot = session->first;
    struct job *job = &jobs[slot];
    session->first = job->next;
    if (session->ahead == slot)
        session->ahead = job->next;
    if (session->first == NO_JOB)
        session->last = NO_JOB;
    session->length--;
    session->finished_sequence = job->sequence;
    session->any_finished = true;
    fences_moved = blocked.count != 0;
    if (job->type == COMMAND_CLOSE_SESSION)
        session_close(job->session);
    ring_complete(slot);
}

// Bring the session's first command as far as it can go: commands without a core are done here.
static void advance(uint32_t s)
{
    struct session *session = &sessions[s];
    while (session->number && session->first != NO_JOB && !session->running) {
        struct job *job = &jobs[session->first];
        if (!fence_passed(job)) {
            if (!set_has(&blocked, s))
                set_add(&blocked, s);
            return;
        }
        if (job->type >= COMMAND_ENCODE) {
            announce_ahead(session);
            if (job->pinned) {
                if (!set_has(&pinned, s))
                    set_add(&pinned, s);
            } else if (!set_has(&ready[session->kind][session->queue], s)) {
                ready_add(session->kind, session->queue, s);
            }
            return;
        }
        if (job->type == COMMAND_RECONFIGURE) {
            struct session_block block;
            device_read(&block, block_copy_address(session->first), sizeof block);
            session_reconfigure(session, &block);
        }
        finish_first(session);
    }
}

// Sessions that waited for fences look again, until no fence moved any more.
static void release_blocked(void)
{
    while (fences_moved) {
        fences_moved = false;
        uint32_t at = 0;
        for (uint32_t left = blocked.count; left && blocked.count; left--) {
            at = set_next(&blocked, at);
            if (fence_passed(&jobs[sessions[at].first])) {
                set_remove(&blocked, at);
                advance(at);
            }
            at = (at + 1) % SESSIONS;
        }
    }
}

// A command that passed validation takes its place in its session.
void schedule_add(uint32_t slot)
{
    uint32_t s = jobs[slot].session;
    struct session *session = &sessions[s];
    if (session->first == NO_JOB)
        session->first = (uint16_t)slot;
    else
        jobs[session->last].next = (uint16_t)slot;
    session->last = (uint16_t)slot;
    session->length++;
    if (session->ahead == NO_JOB)
        session->ahead = (uint16_t)slot;
    announce_ahead(session);
    if (session->first == slot) {
        advance(s);
        release_blocked();
    }
}

static void start(uint32_t core, uint32_t s)
{
    struct session *session = &sessions[s];
    uint32_t slot = session->first;
    uint64_t block = block_copy_address(slot);
    session->running = true;
    core_job[core] = (uint16_t)slot;
    core_beats[core] = 0;
    jobs[slot].core = (uint8_t)core;
    jobs[slot].attempts++;
    idle_cores[session->kind] &= ~(1u << core);
    mmio_write(CORE_REG(core, job_low), (uint32_t)block);
    mmio_write(CORE_REG(core, job_high), (uint32_t)(block >> 32));
    mmio_write(CORE_REG(core, function), function_of(session->queue));
    mmio_write(CORE_REG(core, start), TASIC__CORESX__START__START_bm);
}

// The ready session of the kind that is served next; it leaves its set.
static uint32_t take_next(uint32_t kind)
{
    uint32_t priority = 3;
    while (ready_queues[kind][priority] == 0)
        priority--;
    uint32_t mask = ready_queues[kind][priority];
    uint32_t from = mask & ~0u << next_queue[kind];
    uint32_t q = lowest_bit(from ? from : mask);
    next_queue[kind] = (q + 1) % QUEUES;
    const struct set *set = &ready[kind][q];
    uint32_t best = set_next(set, next_session[kind][q]);
    if (queues[q].deadlines) {
        uint32_t at = best;
        for (uint32_t left = set->count - 1; left; left--) {
            at = set_next(set, (at + 1) % SESSIONS);
            uint64_t deadline = jobs[sessions[at].first].deadline, soonest = jobs[sessions[best].first].deadline;
            if (deadline && (!soonest || deadline < soonest))
                best = at;
        }
    }
    next_session[kind][q] = (best + 1) % SESSIONS;
    ready_remove(kind, q, best);
    return best;
}

static void start_pinned(void)
{
    uint32_t at = 0;
    for (uint32_t left = pinned.count; left; left--) {
        at = set_next(&pinned, at);
        uint32_t core = jobs[sessions[at].first].pinned - 1u;
        if (idle_cores[core_kind[core]] >> core & 1u) {
            set_remove(&pinned, at);
            start(core, at);
        }
        at = (at + 1) % SESSIONS;
    }
}

// Give idle cores to ready sessions. A kind with no core left in service ends its jobs: they must not wait for ever.
void schedule_dispatch(void)
{
    start_pinned();
    for (uint32_t kind = KIND_ENCODE; kind < KINDS; kind++) {
        while (ready_total[kind]) {
            if (core_mask[kind] & ~chip.cores_out) {
                uint32_t idle = idle_cores[kind] & ~chip.cores_out;
                if (!idle)
                    break;
                start(lowest_bit(idle), take_next(kind));
            } else {
                uint32_t s = take_next(kind);
                jobs[sessions[s].first].status = STATUS_NO_CORE;
                jobs[sessions[s].first].detail = kind;
                finish_first(&sessions[s]);
                advance(s);
                release_blocked();
            }
        }
    }
}

// A core that stood still gets no more work while another one of its kind can do it.
static void take_out(uint32_t core)
{
    uint32_t out = mmio_read(REG(cores_out)) | 1u << core;
    if (core_mask[core_kind[core]] & ~out) {
        chip.cores_out = out;
        mmio_write(REG(cores_out), out);
        log_write(LOG_CORES_OUT, out, 1, 0, 0);
    }
}

// A heartbeat passed: reset cores whose job should have ended.
void schedule_watch(void)
{
    for (uint32_t core = 0; core < CORES; core++) {
        if (core_job[core] == NO_JOB || hung_cores >> core & 1u)
            continue;
        const struct job *job = &jobs[core_job[core]];
        const struct session *session = &sessions[job->session];
        if (++core_beats[core] > session->watchdog_beats) {
            log_write(LOG_WATCHDOG, core, session->number, job->sequence, job->attempts);
            hung_cores |= 1u << core;
            mmio_write(CORE_REG(core, reset), TASIC__CORESX__RESET__RESET_bm);
        }
    }
}

// The host said which cores are out of service, and which to reset.
void schedule_cores(uint32_t reset)
{
    uint32_t out = mmio_read(REG(cores_out));
    if (out != chip.cores_out) {
        chip.cores_out = out;
        log_write(LOG_CORES_OUT, out, 0, 0, 0);
    }
    for (; reset; reset &= reset - 1) {
        uint32_t core = lowest_bit(reset);
        if (core_job[core] != NO_JOB)
            mmio_write(CORE_REG(core, reset), TASIC__CORESX__RESET__RESET_bm);
    }
}

// A job was reset off its core: true when it will run again.
static bool try_again(struct job *job, uint32_t core)
{
    struct session *session = &sessions[job->session];
    if (hung_cores >> core & 1u)
        take_out(core);
    hung_cores &= ~(1u << core);
    if (queues[session->queue].state == QUEUE_STATE_DRAINING) {
        job->status = STATUS_ABORTED;
        return false;
    }
    if (job->attempts < ATTEMPTS) {
        job->status = STATUS_OK;
        session->running = false;
        mmio_write(REG(jobs_retried), ++chip.retried);
        return true;
    }
    job->status = STATUS_TIMED_OUT;
    job->detail = job->attempts;
    mmio_write(REG(jobs_timed_out), ++chip.timed_out);
    return false;
}

static void core_finished(uint32_t core)
{
    uint32_t slot = core_job[core];
    if (slot == NO_JOB) {
        log_write(LOG_STRAY_CORE, core, 0, 0, 0);
        return;
    }
    struct job *job = &jobs[slot];
    uint32_t s = job->session;
    struct session *session = &sessions[s];
    uint32_t status = mmio_read(CORE_REG(core, status));
    job->status = (uint8_t)(status >> TASIC__CORESX__STATUS__RESULT_bp);
    job->detail = mmio_read(CORE_REG(core, detail));
    job->output_bytes = mmio_read(CORE_REG(core, output_bytes));
    job->started = (uint64_t)mmio_read(CORE_REG(core, started_high)) << 32 | mmio_read(CORE_REG(core, started_low));
    job->finished = (uint64_t)mmio_read(CORE_REG(core, finished_high)) << 32 | mmio_read(CORE_REG(core, finished_low));
    core_job[core] = NO_JOB;
    idle_cores[core_kind[core]] |= 1u << core;
    if (job->status == STATUS_CORE_RESET && try_again(job, core)) {
        advance(s);
        return;
    }
    hung_cores &= ~(1u << core); // it ended while the reset was on its way
    if (job->deadline && job->finished > job->deadline) {
        mmio_write(REG(deadlines_missed), ++chip.late);
        log_write(LOG_DEADLINE_MISSED, session->number, job->sequence, (uint32_t)(job->finished - job->deadline), 0);
    }
    // Concealed damage is the input's: the picture is there.
    if (job->status == STATUS_OK || job->status == STATUS_CORRUPT_INPUT) {
        mmio_write(REG(jobs_finished), ++chip.finished);
    } else {
        mmio_write(REG(jobs_failed), ++chip.failed);
        log_write(LOG_JOB_FAILED, session->number, job->sequence, job->status, job->detail);
    }
    if (is_controlled(job)) {
        // A stream that did not fit says nothing but that it was too large.
        uint32_t bits = job->status == STATUS_OK ? job->output_bytes * 8 : job->planned_bits * 2;
        struct rate *rate = rate_load(session);
        rate_return(rate, job, bits);
        rate_store(session, rate);
    }
    session->running = false;
    finish_first(session);
    advance(s);
}

// Collect the cores that finished.
void schedule_finished(void)
{
    uint32_t done = mmio_read(REG(cores_done));
    mmio_write(REG(cores_done), done);
    for (; done; done &= done - 1)
        core_finished(lowest_bit(done));
    release_blocked();
}

// The queue was disabled: what is not on a core ends as ABORTED, in order.
void schedule_abort(uint32_t queue)
{
    for (uint32_t s = 0; s < SESSIONS; s++) {
        struct session *session = &sessions[s];
        if (!session->number || session->queue != queue)
            continue;
        if (set_has(&blocked, s))
            set_remove(&blocked, s);
        if (set_has(&pinned, s))
            set_remove(&pinned, s);
        if (set_has(&ready[session->kind][queue], s))
            ready_remove(session->kind, queue, s);
        uint32_t keep = session->running ? session->first : NO_JOB;
        uint32_t slot = session->running ? jobs[session->first].next : session->first;
        session->first = session->last = (uint16_t)keep;
        session->ahead = NO_JOB;
        session->length = keep != NO_JOB;
        if (keep != NO_JOB)
            jobs[keep].next = NO_JOB;
        while (slot != NO_JOB) {
            uint32_t next = jobs[slot].next;
            jobs[slot].status = STATUS_ABORTED;
            ring_complete(slot);
            slot = next;
        }
    }
}
