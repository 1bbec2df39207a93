// The firmware on the host, under AddressSanitizer and UBSan, against a recording mock of the chip.
//
//     host_test validate < cases > verdicts      judge commands and blocks in a given context
//     host_test random SEED STEPS                a hostile host and a mock chip; checks what must always hold
//     host_test rate < session > qps             rate control against pictures that follow a given law
//
// tests/control/test_firmware.py builds and runs it.

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../firmware.h"

#define MEMORY_MIB 8u
#define MEMORY_BYTES (MEMORY_MIB << 20)
#define AREA 0x40000u
#define CHECK(condition)                                                              \
    do {                                                                              \
        if (!(condition)) {                                                           \
            fprintf(stderr, "%s:%d: %s, step %u\n", __FILE__, __LINE__, #condition, step); \
            exit(1);                                                                  \
        }                                                                             \
    } while (0)

// ------------------------------------------------------------------------------------------------------------ the mock

static uint32_t registers[sizeof(tasic_t) / 4];
static uint8_t memory[MEMORY_BYTES];
static uint8_t last_block[BLOCK_BYTES]; // as the firmware last read one from the host's memory
static const void *local_pointer;
static uint32_t step;
static uint32_t core_steps[CORES]; // until the core finishes; 0: idle
static uint32_t starts, moves, block_copies;
static bool hostile; // the mock changes what the firmware has just read
// Whether the firmware may still read or write the rings of a queue in this state.
static bool may_use_rings(uint32_t state)
{
    return state == QUEUE_STATE_RUNNING || state == QUEUE_STATE_BAD_INDEX || state == QUEUE_STATE_DRAINING;
}

static uint64_t random_state = 1;

static uint32_t random_word(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 16);
}

static uint32_t below(uint32_t limit)
{
    return random_word() % limit;
}

static uint32_t *reg(uint32_t offset)
{
    CHECK(offset % 4 == 0 && offset < sizeof(tasic_t));
    return &registers[offset / 4];
}

uint32_t local_address(const void *pointer)
{
    local_pointer = pointer;
    return (uint32_t)(uintptr_t)pointer & ~3u;
}

static bool in_a_completion_ring(uint64_t address, uint32_t bytes)
{
    for (uint32_t q = 0; q < QUEUES; q++)
        if (queues[q].state != QUEUE_STATE_STOPPED && queues[q].size && bytes == RECORD_BYTES &&
            address >= queues[q].completion_base &&
            address + bytes <= queues[q].completion_base + (uint64_t)queues[q].size * RECORD_BYTES)
            return true;
    return false;
}

static bool meets_a_completion_ring(uint64_t address, uint32_t bytes)
{
    for (uint32_t q = 0; q < QUEUES; q++)
        if (queues[q].size && address < queues[q].completion_base + (uint64_t)queues[q].size * RECORD_BYTES &&
            queues[q].completion_base < address + bytes)
            return true;
    return false;
}

static void move(uint32_t go)
{
    uint64_t device = *reg(REG(mover_device_low)) | (uint64_t)*reg(REG(mover_device_high)) << 32;
    uint32_t bytes = go & TASIC__MOVER_GO__BYTES_bm;
    bool write = go & TASIC__MOVER_GO__WRITE_bm;
    moves++;
    // The firmware checks addresses itself: the mover's own refusal must never be needed.
    CHECK(bytes % 4 == 0 && device <= MEMORY_BYTES && bytes <= MEMORY_BYTES - device);
    *reg(REG(mover_status)) = 0;
    if (write) {
        CHECK(device + bytes <= AREA_BYTES || in_a_completion_ring(device, bytes));
        if (device >= BLOCKS_ADDRESS && device < RATES_ADDRESS && bytes == BLOCK_BYTES) {
            // What is kept is what was read, whatever the host did to it since.
            CHECK(memcmp(local_pointer, last_block, BLOCK_BYTES) == 0);
            block_copies++;
        }
        memcpy(memory + device, local_pointer, bytes);
        return;
    }
    memcpy((void *)(uintptr_t)local_pointer, memory + device, bytes);
    if (device >= AREA) {
        if (bytes == BLOCK_BYTES)
            memcpy(last_block, memory + device, BLOCK_BYTES);
        // A host may name its own completion ring as a block; records that it spoils itself prove nothing.
        if (hostile && below(2) && !meets_a_completion_ring(device, bytes))
            for (uint32_t i = 0; i < bytes; i++)
                memory[device + i] ^= (uint8_t)random_word();
    }
}

uint32_t mmio_read(uint32_t offset)
{
    if (offset == REG(wait_pending))
        return *reg(REG(pending));
    if (offset == REG(time_low))
        return step;
    return *reg(offset);
}

#define STANDS_STILL 0xFFFFFFFFu
#define WINDOW_BASE(f) (0x200000u + ((f) - 1u) * WINDOW_BYTES)
#define WINDOW_BYTES 0x40000u

static void end_core(uint32_t core, uint32_t status)
{
    core_steps[core] = 0;
    *reg(CORE_REG(core, status)) = status << TASIC__CORESX__STATUS__RESULT_bp;
    *reg(CORE_REG(core, output_bytes)) = below(50000);
    *reg(REG(cores_done)) |= 1u << core;
    *reg(REG(pending)) |= TASIC__PENDING__CORE_bm;
}

static void start_core(uint32_t core)
{
    uint32_t kind = *reg(CORE_REG(core, kind));
    uint64_t job = *reg(CORE_REG(core, job_low)) | (uint64_t)*reg(CORE_REG(core, job_high)) << 32;
    CHECK(kind != KIND_NONE && core_steps[core] == 0);
    CHECK(job >= BLOCKS_ADDRESS && job + BLOCK_BYTES <= RATES_ADDRESS && job % BLOCK_BYTES == 0);
    const struct encode_block *block = (const struct encode_block *)(memory + job);
    CHECK(block->kind == kind && block->block_type == 1);
    // What a function's job writes is inside of its window.
    uint32_t function = *reg(CORE_REG(core, function));
    const struct scale_block *scale = (const struct scale_block *)block;
    uint64_t out = kind == KIND_ENCODE ? block->recon_address : kind == KIND_SCALE && scale->mode == 0 ? scale->out0_address : 0;
    CHECK(function < FUNCTIONS && (function == 0 || out + 64 * 16 <= WINDOW_BYTES));
    core_steps[core] = below(60) ? 1 + below(60) : STANDS_STILL;
    starts++;
}

void mmio_write(uint32_t offset, uint32_t value)
{
    if (offset == REG(pending) || offset == REG(cores_done) || offset == REG(event_status) ||
        offset == REG(doorbells)) {
        *reg(offset) &= ~value;
    } else if (offset == REG(event_set)) {
        *reg(REG(event_status)) |= value;
    } else {
        *reg(offset) = value;
        if (offset == REG(mover_go))
            move(value);
        for (uint32_t core = 0; core < CORES; core++)
            if (offset == CORE_REG(core, start))
                start_core(core);
            else if (offset == CORE_REG(core, reset) && core_steps[core])
                end_core(core, STATUS_CORE_RESET);
    }
}

static void power_on(void)
{
    *reg(REG(memory_size)) = MEMORY_MIB;
    *reg(REG(firmware_area)) = AREA;
    *reg(REG(session_limit)) = 24;
    *reg(REG(picture_limit)) = 512u | 512u << 16;
    *reg(REG(encode_rate_limit)) = 100000;
    *reg(REG(clock_period)) = 2500;
    for (uint32_t f = 1; f < FUNCTIONS; f++) {
        *reg(FUNCTION_REG(f, control)) = TASIC__FUNCTIONSX__CONTROL__ENABLE_bm;
        *reg(FUNCTION_REG(f, window_base)) = WINDOW_BASE(f) >> 16;
        *reg(FUNCTION_REG(f, window_size)) = WINDOW_BYTES >> 16;
        *reg(FUNCTION_REG(f, session_limit)) = 3;
        *reg(FUNCTION_REG(f, encode_rate_limit)) = 10000;
    }
    const uint32_t kinds[] = {KIND_ENCODE, KIND_ENCODE, KIND_SCALE, KIND_DECODE};
    for (uint32_t core = 0; core < 4; core++)
        *reg(CORE_REG(core, kind)) = kinds[core];
    firmware_boot();
}

// -------------------------------------------------------------------------------------------------- mode: validate

// The context and the cases, as Python packs them.
struct context_session {
    uint32_t slot, number, accepted_sequence;
    uint16_t width, height;
    uint8_t kind, queue, any_accepted, closing;
};

struct context {
    uint64_t memory_bytes, area_bytes;
    uint32_t cores[KINDS];
    uint32_t picture_width, picture_height;
    uint64_t base[QUEUES], completion_base[QUEUES];
    uint64_t window_base[QUEUES], window_bytes[QUEUES], window_area[QUEUES];
    uint32_t size[QUEUES];
    uint8_t state[QUEUES];
    uint32_t session_count;
};

struct test_case {
    struct command command;
    uint8_t block[BLOCK_BYTES];
    uint32_t queue;
};

static struct verdict judge(const struct test_case *given)
{
    struct verdict verdict = validate_command(&given->command, given->queue);
    if (verdict.status)
        return verdict;
    const struct session *session = session_find(given->command.session, given->queue);
    // Blocks as copies of the right type and alignment, as ring.c makes them.
    union {
        uint8_t bytes[BLOCK_BYTES];
        struct session_block session;
        struct encode_block encode;
        struct scale_block scale;
        struct decode_block decode;
    } block;
    memcpy(&block, given->block, sizeof block);
    switch (given->command.type) {
    case COMMAND_OPEN_SESSION:
        return validate_session_block(&block.session);
    case COMMAND_RECONFIGURE:
    case COMMAND_ENCODE:
    case COMMAND_SCALE:
    case COMMAND_DECODE:
        return validate_block(given->command.type, &block, session);
    default:
        return verdict;
    }
}

static int run_validate(void)
{
    struct context context;
    CHECK(fread(&context, sizeof context, 1, stdin) == 1);
    chip.memory_bytes = context.memory_bytes;
    chip.area_bytes = context.area_bytes;
    memcpy(chip.cores, context.cores, sizeof chip.cores);
    chip.picture_width = context.picture_width;
    chip.picture_height = context.picture_height;
    for (uint32_t q = 0; q < QUEUES; q++) {
        queues[q].base = context.base[q];
        queues[q].completion_base = context.completion_base[q];
        queues[q].size = context.size[q];
        queues[q].window_base = context.window_base[q];
        queues[q].window_bytes = context.window_bytes[q];
        queues[q].window_area = (uint32_t)context.window_area[q];
        queues[q].state = context.state[q];
        rings_in_use |= (uint32_t)may_use_rings(context.state[q]) << q;
    }
    for (uint32_t i = 0; i < context.session_count; i++) {
        struct context_session given;
        CHECK(fread(&given, sizeof given, 1, stdin) == 1);
        sessions[given.slot] = (struct session){
            .number = given.number, .accepted_sequence = given.accepted_sequence, .width = given.width,
            .height = given.height, .kind = given.kind, .queue = given.queue, .any_accepted = given.any_accepted,
            .closing = given.closing, .first = NO_JOB, .last = NO_JOB,
        };
    }
    // On the heap and of the exact size: reading beyond a case is an error that the sanitizer sees.
    struct test_case *given = malloc(sizeof *given);
    while (fread(given, sizeof *given, 1, stdin) == 1) {
        struct verdict verdict = judge(given);
        CHECK(fwrite(&verdict, sizeof verdict, 1, stdout) == 1);
    }
    free(given);
    return 0;
}

// ---------------------------------------------------------------------------------------------------- mode: random

#define HOST_RING_LOG2 3u
#define HOST_RING (1u << HOST_RING_LOG2)

static uint32_t tails[QUEUES], taken[QUEUES];
static uint32_t known[64], known_count; // session numbers that were given out
static uint32_t last_sequence, completions, statuses[256];

// Of the queue's rings and blocks, as its owner names it, and where that is.
static uint32_t ring_address(uint32_t q)
{
    return q < OWN_QUEUES ? AREA + q * 0x8000u : 0x1000u;
}

static uint32_t ring_place(uint32_t q)
{
    return ring_address(q) + (q < OWN_QUEUES ? 0 : WINDOW_BASE(function_of(q)));
}

static void knock(uint32_t q)
{
    *reg(REG(doorbells)) |= 1u << q;
    *reg(REG(pending)) |= TASIC__PENDING__DOORBELL_bm;
}

// A session number, mostly an open one that fits the queue and the command.
static uint32_t any_session(uint32_t q, uint32_t type)
{
    uint32_t from = below(SESSIONS);
    for (uint32_t i = 0; i < SESSIONS && below(200); i++) {
        const struct session *session = &sessions[(from + i) % SESSIONS];
        if (session->number && session->queue == q &&
            (type < COMMAND_ENCODE || session->kind == type - COMMAND_ENCODE + KIND_ENCODE))
            return session->number;
    }
    return known_count && below(8) ? known[below(known_count)] : below(5) ? 0 : random_word();
}

// Any address, mostly a legal one.
static uint64_t any_address(uint32_t q, uint32_t alignment)
{
    uint32_t from = q < OWN_QUEUES ? AREA + 0x40000u : 0x9000u;
    uint32_t to = q < OWN_QUEUES ? MEMORY_BYTES : WINDOW_BYTES;
    uint64_t address = (from + below(to - from)) / alignment * alignment;
    switch (below(24)) {
    case 0:
        return random_word();
    case 1:
        return (uint64_t)random_word() << 32 | random_word();
    case 2:
        return below(AREA);
    case 3:
        return address + 1;
    default:
        return address;
    }
}

static void make_block(uint32_t q, uint8_t *bytes, uint32_t type)
{
    memset(bytes, 0, BLOCK_BYTES);
    struct encode_block *header = (struct encode_block *)bytes;
    header->version = DESCRIPTOR_VERSION;
    header->size = BLOCK_BYTES;
    header->block_type = 1;
    if (type == COMMAND_OPEN_SESSION || type == COMMAND_RECONFIGURE) {
        struct session_block *block = (struct session_block *)bytes;
        block->block_type = 0;
        block->kind = (uint8_t)(1 + below(3));
        block->width = 64;
        block->height = 64;
        block->rate_numerator = below(3) * 30;
        block->rate_denominator = 1;
        block->bit_rate = block->kind == KIND_ENCODE && block->rate_numerator ? random_word() % 2000000000u : 0;
        block->buffer_bits = below(3) ? 0 : random_word() % 2000000000u;
        block->intra_period = below(4) * 10;
        block->quality_qp = block->kind == KIND_ENCODE && !block->bit_rate ? (uint8_t)below(206) : 0;
        block->qp_max = 51;
    } else if (type == COMMAND_ENCODE) {
        header->kind = KIND_ENCODE;
        header->width = header->height = 64;
        header->src_address = any_address(q, 4096);
        header->recon_address = any_address(q, 4096);
        header->out_address = any_address(q, 64);
        header->out_capacity = 4096;
        header->slice_type = below(2) ? 2 : 0;
        header->ref_count = header->slice_type ? 0 : 1;
        header->ref_address_0 = header->ref_count ? any_address(q, 4096) : 0;
        header->log2_max_frame_num = 4;
        header->qp = (uint8_t)below(52);
        header->slices = 1;
        // A plan is whatever stands there: the firmware must take all of it.
        header->plan_address = below(2) ? any_address(q, 64) : 0;
        header->plan_index = (uint8_t)below(4);
    } else if (type == COMMAND_SCALE) {
        struct scale_block *block = (struct scale_block *)bytes;
        block->kind = KIND_SCALE;
        block->width = block->height = 64;
        block->src_address = any_address(q, 4096);
        block->output_count = 1;
        block->out0_width = block->out0_height = 32;
        block->out0_address = any_address(q, 4096);
    } else {
        struct decode_block *block = (struct decode_block *)bytes;
        block->kind = KIND_DECODE;
        block->width = block->height = 64;
        block->out_address = any_address(q, 4096);
        block->parameters_address = any_address(q, 64);
        block->stream_address = any_address(q, 64);
        block->stream_bytes = 100;
        block->slice_count = block->matrix_count = 1;
        block->structure = 3;
        block->conceal_reference = -1;
    }
    if (below(10) == 0)
        bytes[below(BLOCK_BYTES)] ^= (uint8_t)(1u << below(8));
}

static void submit(uint32_t q)
{
    uint32_t slot = tails[q] % HOST_RING;
    struct command command = {.version = DESCRIPTOR_VERSION, .type = (uint8_t)below(8), .flags = below(4) == 0};
    command.sequence = below(20) ? ++last_sequence : random_word();
    if (command.type == COMMAND_CLOSE_SESSION && below(10))
        command.type = COMMAND_ENCODE;
    command.session = command.type == COMMAND_OPEN_SESSION ? 0 : any_session(q, command.type);
    if (below(6) == 0) {
        command.wait_session = any_session(q, COMMAND_NOP);
        command.wait_sequence = last_sequence - below(40);
    }
    command.user_data = random_word();
    uint32_t block = 0x4000u + slot * BLOCK_BYTES;
    if (below(4) == 0 && command.type >= COMMAND_ENCODE)
        command.deadline_us = below(100000);
    if (below(20) == 0)
        command.core = (uint8_t)below(6);
    if (command.type != COMMAND_NOP && command.type != COMMAND_CLOSE_SESSION) {
        command.block_address = below(30) ? ring_address(q) + block : any_address(q, 256);
        make_block(q, memory + ring_place(q) + block, command.type);
    }
    uint8_t *record = memory + ring_place(q) + slot * RECORD_BYTES;
    memcpy(record, &command, sizeof command);
    if (below(15) == 0)
        record[below(RECORD_BYTES)] ^= (uint8_t)(1u << below(8));
    tails[q]++;
}

static void collect(uint32_t q)
{
    uint32_t tail = *reg(QUEUE_REG(q, completion_tail));
    CHECK(tail - taken[q] <= HOST_RING);
    for (; taken[q] != tail; taken[q]++) {
        struct completion record;
        memcpy(&record, memory + ring_place(q) + 0x2000u + taken[q] % HOST_RING * RECORD_BYTES, sizeof record);
        CHECK(record.index == taken[q] + 1 && record.version == DESCRIPTOR_VERSION);
        if (record.type == COMMAND_OPEN_SESSION && record.status == STATUS_OK)
            known[known_count < 64 ? known_count++ : below(64)] = record.session;
        statuses[record.status]++;
        completions++;
    }
    *reg(QUEUE_REG(q, completion_head)) = taken[q];
    knock(q);
}

static void enable(uint32_t q, bool on)
{
    uint32_t control = HOST_RING_LOG2 << TASIC__QUEUESX__CONTROL__SIZE_LOG2_bp | on;
    control |= below(4) << TASIC__QUEUESX__CONTROL__PRIORITY_bp;
    if (on && *reg(QUEUE_REG(q, status)) == QUEUE_STATE_DRAINING)
        return; // the one thing that even a hostile host must not do to itself: its indices would not mean anything
    if (on && *reg(QUEUE_REG(q, status)) == QUEUE_STATE_STOPPED) {
        *reg(QUEUE_REG(q, base_low)) = ring_address(q);
        *reg(QUEUE_REG(q, completion_base_low)) = ring_address(q) + 0x2000u;
        *reg(QUEUE_REG(q, tail)) = *reg(QUEUE_REG(q, completion_head)) = 0;
        *reg(QUEUE_REG(q, head)) = *reg(QUEUE_REG(q, completion_tail)) = 0;
        tails[q] = taken[q] = 0;
    }
    *reg(QUEUE_REG(q, control)) = control;
    *reg(REG(pending)) |= TASIC__PENDING__CONTROL_bm;
}

// Bring an idle queue close to where its free-running indices wrap.
static void near_the_wrap(uint32_t q)
{
    uint32_t index = 0xFFFFFFF0u + below(16);
    queues[q].head = queues[q].completion_tail = tails[q] = taken[q] = index;
    *reg(QUEUE_REG(q, tail)) = *reg(QUEUE_REG(q, head)) = index;
    *reg(QUEUE_REG(q, completion_tail)) = *reg(QUEUE_REG(q, completion_head)) = index;
}

static void work_cores(void)
{
    for (uint32_t core = 0; core < CORES; core++)
        if (core_steps[core] && core_steps[core] != STANDS_STILL && --core_steps[core] == 0)
            end_core(core, below(8) ? STATUS_OK : STATUS_OUTPUT_FULL);
}

static void check_state(void)
{
    uint32_t under_way = 0, open = 0;
    for (uint32_t q = 0; q < QUEUES; q++) {
        under_way += queues[q].under_way;
        CHECK(queues[q].under_way <= QUEUE_JOBS);
        CHECK((rings_in_use >> q & 1u) == may_use_rings(queues[q].state));
        if (queues[q].state == QUEUE_STATE_RUNNING) {
            uint32_t free = 0;
            for (uint32_t slot = queues[q].free; slot != NO_JOB; slot = jobs[slot].next, free++)
                CHECK(slot / QUEUE_JOBS == q && free < QUEUE_JOBS);
            CHECK(free + queues[q].under_way == QUEUE_JOBS);
        }
    }
    for (uint32_t s = 0; s < SESSIONS; s++) {
        uint32_t length = 0;
        open += sessions[s].number != 0;
        if (!sessions[s].number)
            continue;
        for (uint32_t slot = sessions[s].first; slot != NO_JOB; slot = jobs[slot].next, length++)
            CHECK(jobs[slot].session == s && length < QUEUE_JOBS);
        CHECK(length == sessions[s].length);
        under_way -= length;
    }
    CHECK(open == chip.sessions_open && open <= chip.session_limit);
    for (uint32_t f = 0; f < FUNCTIONS; f++) {
        CHECK(functions[f].sessions_open <= functions[f].session_limit);
        open -= functions[f].sessions_open;
    }
    CHECK(open == 0);
    CHECK(under_way == 0);
}

static int run_random(uint64_t seed, uint32_t steps)
{
    random_state = seed * 2654435761u + 88172645463325252u;
    power_on();
    hostile = true;
    *reg(REG(host_version)) = DESCRIPTOR_VERSION;
    *reg(REG(pending)) |= TASIC__PENDING__HOST_VERSION_bm;
    for (uint32_t q = 0; q < QUEUES; q++)
        enable(q, true);
    firmware_turn();
    for (uint32_t q = 0; q < QUEUES; q += 2)
        near_the_wrap(q);
    for (step = 0; step < steps; step++) {
        uint32_t q = below(QUEUES);
        switch (below(12)) {
        case 0:
            collect(q);
            break;
        case 1:
            if (below(20) == 0)
                enable(q, below(3));
            if (below(200) == 0) // an index that lies
                *reg(QUEUE_REG(q, tail)) = random_word();
            break;
        case 2:
            *reg(REG(pending)) |= TASIC__PENDING__TIMER_bm;
            if (below(100) == 0) { // cores go out of service and come back, some are reset
                *reg(REG(cores_out)) = below(2) ? 0 : below(16);
                *reg(REG(core_reset)) = below(16);
                *reg(REG(pending)) |= TASIC__PENDING__CONTROL_bm;
            }
            break;
        default:
            if (tails[q] - *reg(QUEUE_REG(q, head)) < HOST_RING)
                submit(q);
            *reg(QUEUE_REG(q, tail)) = tails[q];
            knock(q);
        }
        work_cores();
        firmware_turn();
        check_state();
    }
    printf("%u completions, %u starts, %u moves, %u blocks kept; statuses", completions, starts, moves, block_copies);
    for (uint32_t s = 0; s < 256; s++)
        if (statuses[s])
            printf(" %u:%u", s, statuses[s]);
    printf("\n");
    return 0;
}

// ------------------------------------------------------------------------------------------------------ mode: rate

// Lines in: width height numerator denominator bit_rate max_rate buffer initial period b_frames qp_min qp_max law late, then
// one a picture: class, and bits at QP 0 (the mock's law: half at every `law` QP, and no more than the picture's limit);
// out: QP and bits. A picture comes back before the next one is chosen, or, of `late` in 100 at random, after that.
static int run_rate(void)
{
    struct session_block block = {0};
    unsigned width, height, b_frames, qp_min, qp_max, late, class;
    double at_zero, law;
    CHECK(scanf("%u %u %u %u %u %u %u %u %u %u %u %u %lf %u", &width, &height, &block.rate_numerator, &block.rate_denominator,
                &block.bit_rate, &block.max_rate, &block.buffer_bits, &block.initial_bits, &block.intra_period, &b_frames,
                &qp_min, &qp_max, &law, &late) == 14);
    block.width = (uint16_t)width, block.height = (uint16_t)height, block.b_frames = (uint8_t)b_frames;
    block.qp_min = (uint8_t)qp_min, block.qp_max = (uint8_t)qp_max;
    struct rate rate;
    rate_configure(&rate, &block, true);
    struct job job = {0}, last = {0};
    uint32_t last_bits = 0;
    bool back = true; // the picture before
    while (scanf("%u %lf", &class, &at_zero) == 2) {
        CHECK(class < PICTURE_CLASSES);
        if (!back && below(100) >= late) {
            rate_return(&rate, &last, last_bits);
            back = true;
        }
        uint32_t max_bits;
        rate_learn(&rate);
        job.picture_class = (uint8_t)class;
        job.qp = (uint8_t)rate_choose(&rate, class, class == PICTURE_I, 27, &job.planned_bits, &max_bits);
        if (!back)
            rate_return(&rate, &last, last_bits);
        double bits = at_zero * exp2(-(double)job.qp / law);
        last_bits = (uint32_t)(max_bits && bits > max_bits ? max_bits : bits);
        last = job;
        back = false;
        printf("%u %u\n", job.qp, last_bits);
    }
    return 0;
}

int main(int count, char **arguments)
{
    if (count == 2 && strcmp(arguments[1], "validate") == 0)
        return run_validate();
    if (count == 4 && strcmp(arguments[1], "random") == 0)
        return run_random(strtoull(arguments[2], NULL, 10), (uint32_t)strtoul(arguments[3], NULL, 10));
    if (count == 2 && strcmp(arguments[1], "rate") == 0)
        return run_rate();
    fprintf(stderr, "usage: host_test validate | random SEED STEPS | rate\n");
    return 2;
}
