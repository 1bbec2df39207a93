// Scheduling: which command of which session goes to which core, and when.
//
// A session's commands run one at a time, in order: only its first one can be ready. Ready sessions stand in one set
// for each kind of core and queue. An idle core takes the next session round robin, over queues first, then over the
// sessions of the queue: no queue and no session waits while another one is served twice, and no core idles while a
// session of its kind is ready.

#include "firmware.h"

static struct set ready[KINDS][QUEUES]; // sessions whose first command may start
static struct set blocked;              // sessions whose first command waits for a fence
static uint32_t ready_total[KINDS];
static uint32_t next_queue[KINDS];
static uint32_t next_session[KINDS][QUEUES];
static uint32_t idle_cores[KINDS];      // bit n: core n
static uint32_t core_kind[CORES];
static uint16_t core_job[CORES];
static bool fences_moved;

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
            chip.cores[core_kind[core]]++;
        }
    }
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

// Tell the cores of the kind that the job's block is final, so that they may fetch it ahead; false: it is not yet.
// Under rate control the QP is final once at most one earlier picture is still under way.
static bool announce(uint32_t slot)
{
    struct job *job = &jobs[slot];
    struct session *session = &sessions[job->session];
    if (!fence_announced(job))
        return false;
    if (job->type == COMMAND_ENCODE && session->rate.picture_bits) {
        bool near = session->first == slot || jobs[session->first].next == slot;
        if (!near)
            return false;
        job->qp = (uint8_t)rate_choose(&session->rate, job->intra, &job->planned_bits);
        uint64_t place = block_copy_address(slot) + offsetof(struct encode_block, qp) / 4 * 4;
        uint8_t word[4];
        device_read(word, place, sizeof word);
        word[offsetof(struct encode_block, qp) % 4] = job->qp;
        device_write(place, word, sizeof word);
    }
    job->announced = true;
    uint64_t block = block_copy_address(slot);
    mmio_write(REG(prefetch_low), (uint32_t)block);
    mmio_write(REG(prefetch_high), (uint32_t)(block >> 32) | (uint32_t)session->kind << TASIC__PREFETCH_HIGH__KIND_bp);
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
            struct set *set = &ready[session->kind][session->queue];
            if (!set_has(set, s)) {
                set_add(set, s);
                ready_total[session->kind]++;
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
    jobs[slot].core = (uint8_t)core;
    idle_cores[session->kind] &= ~(1u << core);
    mmio_write(CORE_REG(core, job_low), (uint32_t)block);
    mmio_write(CORE_REG(core, job_high), (uint32_t)(block >> 32));
    mmio_write(CORE_REG(core, start), TASIC__CORESX__START__START_bm);
}

// Give idle cores to ready sessions.
void schedule_dispatch(void)
{
    for (uint32_t kind = KIND_ENCODE; kind < KINDS; kind++) {
        while (idle_cores[kind] && ready_total[kind]) {
            uint32_t q = next_queue[kind];
            while (ready[kind][q].count == 0)
                q = (q + 1) % QUEUES;
            next_queue[kind] = (q + 1) % QUEUES;
            uint32_t s = set_next(&ready[kind][q], next_session[kind][q]);
            next_session[kind][q] = (s + 1) % SESSIONS;
            set_remove(&ready[kind][q], s);
            ready_total[kind]--;
            start(lowest_bit(idle_cores[kind]), s);
        }
    }
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
    // Concealed damage is the input's: the picture is there.
    if (job->status == STATUS_OK || job->status == STATUS_CORRUPT_INPUT) {
        mmio_write(REG(jobs_finished), ++chip.finished);
    } else {
        mmio_write(REG(jobs_failed), ++chip.failed);
        log_write(LOG_JOB_FAILED, session->number, job->sequence, job->status, job->detail);
    }
    if (job->type == COMMAND_ENCODE && session->rate.picture_bits) {
        // A stream that did not fit says nothing but that it was too large.
        uint32_t bits = job->status == STATUS_OK ? job->output_bytes * 8 : job->planned_bits * 2;
        rate_update(&session->rate, job->intra, job->qp, job->planned_bits, bits);
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
        if (set_has(&ready[session->kind][queue], s)) {
            set_remove(&ready[session->kind][queue], s);
            ready_total[session->kind]--;
        }
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
