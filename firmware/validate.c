// Validation: every field of every command and block, before anything is done with it. docs/control.md lists the rules
// in the order in which they are applied here; a twin in Python, written from that page, must agree on each verdict.
//
// All arguments are copies in the firmware's own memory: the host cannot change them between check and use.

#include "firmware.h"

static const struct field_rule session_rules[] = SESSION_BLOCK_RULE_TABLE;
static const struct field_rule encode_rules[] = ENCODE_BLOCK_RULE_TABLE;
static const struct field_rule scale_rules[] = SCALE_BLOCK_RULE_TABLE;
static const struct field_rule decode_rules[] = DECODE_BLOCK_RULE_TABLE;

static const struct verdict good = {STATUS_OK, 0};

static struct verdict bad(uint32_t status, uint32_t detail)
{
    return (struct verdict){status, detail};
}

static struct verdict bad_field(uint32_t number)
{
    return bad(STATUS_BAD_FIELD, number);
}

// Whether a byte of a record in [from, to) is not 0; records are aligned to 4, and `to` is a multiple of 4.
static bool any_set(const void *record, uint32_t from, uint32_t to)
{
    const uint8_t *bytes = record;
    uint32_t set = 0;
    for (; from % 4; from++)
        set |= bytes[from];
    for (const uint32_t *word = (const uint32_t *)(bytes + from); from < to; from += 4)
        set |= *word++;
    return set != 0;
}

// Memory that commands of the queue may name: inside of its window, not in the firmware's part of it.
static bool inside(const struct queue *queue, uint64_t address, uint64_t bytes)
{
    return address >= queue->window_area && address <= queue->window_bytes && bytes <= queue->window_bytes - address;
}

static bool left_window; // an address of the block that is being judged is not in its window

static bool later(uint32_t one, uint32_t other)
{
    return (int32_t)(one - other) > 0;
}

// ----------------------------------------------------------------------------------------------------------- commands

static bool is_job(uint32_t type)
{
    return type == COMMAND_ENCODE || type == COMMAND_SCALE || type == COMMAND_DECODE;
}

static uint32_t kind_of(uint32_t type)
{
    return type == COMMAND_ENCODE ? KIND_ENCODE : type == COMMAND_SCALE ? KIND_SCALE : KIND_DECODE;
}

struct verdict validate_command(const struct command *command, uint32_t queue)
{
    uint32_t type = command->type;
    bool opens = type == COMMAND_OPEN_SESSION;
    bool has_block = opens || type == COMMAND_RECONFIGURE || is_job(type);
    if (command->version != DESCRIPTOR_VERSION)
        return bad(STATUS_BAD_VERSION, command->version);
    if (type > COMMAND_DECODE)
        return bad(STATUS_BAD_TYPE, type);
    if (command->flags & ~FLAG_QUIET)
        return bad(STATUS_BAD_COMMAND, COMMAND_NUMBER_FLAGS);
    if (any_set(command, COMMAND_USED_BYTES, RECORD_BYTES))
        return bad(STATUS_BAD_COMMAND, 255);
    if (command->core && (queue >= OWN_QUEUES || !is_job(type) || command->core > CORES))
        return bad(STATUS_BAD_COMMAND, COMMAND_NUMBER_CORE);
    if (command->deadline_us && !is_job(type))
        return bad(STATUS_BAD_COMMAND, COMMAND_NUMBER_DEADLINE_US);
    if (has_block && command->block_address % BLOCK_ALIGNMENT_BYTES)
        return bad(STATUS_BAD_BLOCK, BLOCK_CAUSE_ADDRESS);
    if (has_block && !inside(&queues[queue], command->block_address, BLOCK_BYTES))
        return bad(STATUS_ACCESS_VIOLATION, COMMAND_NUMBER_BLOCK_ADDRESS);
    if (!has_block && command->block_address)
        return bad(STATUS_BAD_COMMAND, COMMAND_NUMBER_BLOCK_ADDRESS);
    if (is_job(type) && chip.cores[kind_of(type)] == 0)
        return bad(STATUS_NO_CORE, kind_of(type));
    if (command->core && mmio_read(CORE_REG(command->core - 1, kind)) != kind_of(type))
        return bad(STATUS_BAD_COMMAND, COMMAND_NUMBER_CORE);
    if (opens || (type == COMMAND_NOP && command->session == 0)) {
        if (command->session)
            return bad(STATUS_BAD_COMMAND, COMMAND_NUMBER_SESSION);
        if (command->wait_session)
            return bad(STATUS_BAD_COMMAND, COMMAND_NUMBER_WAIT_SESSION);
        if (command->wait_sequence)
            return bad(STATUS_BAD_COMMAND, COMMAND_NUMBER_WAIT_SEQUENCE);
        return good;
    }
    const struct session *session = session_find(command->session, queue);
    if (!session || session->closing || (is_job(type) && session->kind != kind_of(type)))
        return bad(STATUS_BAD_SESSION, command->session);
    if (session->any_accepted && !later(command->sequence, session->accepted_sequence))
        return bad(STATUS_BAD_SEQUENCE, session->accepted_sequence);
    if (command->wait_session == 0)
        return command->wait_sequence ? bad(STATUS_BAD_COMMAND, COMMAND_NUMBER_WAIT_SEQUENCE) : good;
    const struct session *awaited = session_find(command->wait_session, queue);
    if (!awaited || !awaited->any_accepted || later(command->wait_sequence, awaited->accepted_sequence))
        return bad(STATUS_BAD_FENCE, command->wait_sequence);
    return good;
}

// ------------------------------------------------------------------------------------------------------------- blocks

static struct verdict check_header(const void *block, uint32_t kind, uint32_t block_type, uint32_t used_bytes)
{
    const struct session_block *header = block; // all blocks begin alike
    if (header->version != DESCRIPTOR_VERSION)
        return bad(STATUS_BAD_VERSION, header->version);
    if (header->kind != kind)
        return bad(STATUS_BAD_BLOCK, BLOCK_CAUSE_KIND);
    if (header->block_type != block_type)
        return bad(STATUS_BAD_BLOCK, BLOCK_CAUSE_BLOCK_TYPE);
    if (header->size != BLOCK_BYTES)
        return bad(STATUS_BAD_BLOCK, BLOCK_CAUSE_SIZE);
    if (any_set(block, used_bytes, BLOCK_BYTES))
        return bad(STATUS_BAD_BLOCK, BLOCK_CAUSE_RESERVED_BYTES);
    return good;
}

// A field of up to 32 bits, sign-extended where it has one.
static uint32_t field_value(const void *block, const struct field_rule *rule)
{
    const void *field = (const uint8_t *)block + rule->offset;
    switch (rule->size) {
    case 1:
        return *(const uint8_t *)field;
    case 2:
        return *(const uint16_t *)field;
    case 0x81:
        return (uint32_t)*(const int8_t *)field;
    case 0x82:
        return (uint32_t)*(const int16_t *)field;
    default:
        return *(const uint32_t *)field;
    }
}

static struct verdict check_ranges(const void *block, const struct field_rule *rules, uint32_t count)
{
    for (uint32_t number = 0; number < count; number++) {
        const struct field_rule *rule = &rules[number];
        if (rule->size == 8)
            continue; // addresses have rules of their own
        // Modulo 2^32 the legal values stand in a row, signed or not: from `low` on, `high - low` more.
        uint32_t low = (uint32_t)rule->low;
        if (field_value(block, rule) - low > rule->high - low)
            return bad_field(number);
    }
    return good;
}

// A part of device memory that a job reads or writes; `number` is the field that named it.
struct region {
    uint64_t address;
    uint64_t end; // behind it
    uint32_t number;
    bool write;
};

struct regions {
    struct region all[16];
    uint32_t count;
    const struct queue *queue;
};

// None yet. What is not counted is not read, so it stays as it is.
static void begin(struct regions *regions, const struct session *session)
{
    regions->count = 0;
    regions->queue = &queues[session->queue];
}

static bool overlap(uint64_t a, uint64_t a_end, uint64_t b, uint64_t b_end)
{
    return a < b_end && b < a_end;
}

// Add a region after checking alignment and place. False: the address is not legal.
static bool add(struct regions *regions, uint64_t address, uint64_t bytes, uint32_t alignment, uint32_t number,
                bool write)
{
    if (address & (alignment - 1))
        return false;
    if (!inside(regions->queue, address, bytes)) {
        left_window = true;
        return false;
    }
    regions->all[regions->count++] = (struct region){address, address + bytes, number, write};
    return true;
}

// What is written must not touch anything else of the job, nor a ring of any queue that is not stopped.
static struct verdict check_overlaps(const struct regions *regions)
{
    for (uint32_t i = 0; i < regions->count; i++) {
        const struct region *out = &regions->all[i];
        if (!out->write)
            continue;
        for (uint32_t j = 0; j < regions->count; j++) {
            const struct region *other = &regions->all[j];
            // Of two outputs that overlap the later one is blamed.
            if (j != i && !(other->write && j > i) && overlap(out->address, out->end, other->address, other->end))
                return bad_field(out->number);
        }
        for (uint32_t q = 0, left = rings_in_use; left; q++, left >>= 1) {
            if (!(left & 1u))
                continue;
            uint64_t bytes = (uint64_t)queues[q].size * RECORD_BYTES;
            uint64_t place = regions->queue->window_base + out->address;
            uint64_t end = regions->queue->window_base + out->end;
            if (overlap(place, end, queues[q].base, queues[q].base + bytes) ||
                overlap(place, end, queues[q].completion_base, queues[q].completion_base + bytes))
                return bad_field(out->number);
        }
    }
    return good;
}

// Bytes of a picture in device memory, as asic_model/memory/surface.py lays it out.
uint32_t surface_bytes(uint32_t width, uint32_t height)
{
    uint32_t pitch = (width + PITCH_ALIGNMENT_BYTES - 1) / PITCH_ALIGNMENT_BYTES * PITCH_ALIGNMENT_BYTES;
    uint32_t chroma = ((width + 1) / 2 + PITCH_ALIGNMENT_BYTES - 1) / PITCH_ALIGNMENT_BYTES * PITCH_ALIGNMENT_BYTES;
    return pitch * height + 2 * chroma * ((height + 1) / 2);
}

// The part of a surface that is a job's source. The four fields stand in this order, the first one's number is `number`.
struct window {
    uint32_t width, height;                 // of the source
    uint32_t surface_width, surface_height; // of the surface that holds it; 0: the source alone
    uint32_t left, top;
};

static struct verdict check_window(const struct window *w, uint32_t number)
{
    bool whole = w->surface_width == 0;
    if (!whole && w->surface_width < w->width)
        return bad_field(number);
    if (whole ? w->surface_height != 0 : w->surface_height < w->height)
        return bad_field(number + 1);
    if (w->left % 2 || w->left > (whole ? 0 : w->surface_width - w->width))
        return bad_field(number + 2);
    if (w->top % 2 || w->top > (whole ? 0 : w->surface_height - w->height))
        return bad_field(number + 3);
    return good;
}

static uint32_t window_bytes(const struct window *w)
{
    return w->surface_width ? surface_bytes(w->surface_width, w->surface_height) : surface_bytes(w->width, w->height);
}

// ----------------------------------------------------------------------------------------------------------- sessions

struct verdict validate_session_block(const struct session_block *block)
{
    uint32_t kind = block->kind;
    // The kind is the block's own say; 0 or an unknown one is caught as a wrong one.
    struct verdict verdict =
        check_header(block, kind >= KIND_ENCODE && kind <= KIND_DECODE ? kind : KIND_ENCODE, 0, SESSION_BLOCK_USED_BYTES);
    if (verdict.status)
        return verdict;
    verdict = check_ranges(block, session_rules, SESSION_BLOCK_RULES);
    if (verdict.status)
        return verdict;
    if (chip.cores[kind] == 0)
        return bad(STATUS_NO_CORE, kind);
    if (block->width > chip.picture_width)
        return bad_field(SESSION_BLOCK_NUMBER_WIDTH);
    if (block->height > chip.picture_height)
        return bad_field(SESSION_BLOCK_NUMBER_HEIGHT);
    if (block->bit_rate && kind != KIND_ENCODE)
        return bad_field(SESSION_BLOCK_NUMBER_BIT_RATE);
    if (block->max_rate && (kind != KIND_ENCODE || block->max_rate < block->bit_rate))
        return bad_field(SESSION_BLOCK_NUMBER_MAX_RATE);
    if (block->quality_qp && (kind != KIND_ENCODE || block->bit_rate))
        return bad_field(SESSION_BLOCK_NUMBER_QUALITY_QP);
    if (block->max_rate && block->buffer_bits == 0)
        return bad_field(SESSION_BLOCK_NUMBER_BUFFER_BITS);
    if ((block->bit_rate || block->max_rate) && block->rate_numerator == 0)
        return bad_field(SESSION_BLOCK_NUMBER_RATE_NUMERATOR);
    if (block->initial_bits > block->buffer_bits)
        return bad_field(SESSION_BLOCK_NUMBER_INITIAL_BITS);
    if (block->reserve_kilosamples && kind != KIND_ENCODE)
        return bad_field(SESSION_BLOCK_NUMBER_RESERVE_KILOSAMPLES);
    if (block->qp_min > block->qp_max)
        return bad_field(SESSION_BLOCK_NUMBER_QP_MAX);
    return good;
}

static struct verdict validate_reconfigure(const struct session_block *block, const struct session *session)
{
    struct verdict verdict = validate_session_block(block);
    if (verdict.status)
        return verdict;
    if (block->kind != session->kind)
        return bad(STATUS_BAD_BLOCK, BLOCK_CAUSE_KIND);
    if (block->width != session->width)
        return bad_field(SESSION_BLOCK_NUMBER_WIDTH);
    if (block->height != session->height)
        return bad_field(SESSION_BLOCK_NUMBER_HEIGHT);
    if (block->reserve_kilosamples != session->reserve_kilosamples)
        return bad_field(SESSION_BLOCK_NUMBER_RESERVE_KILOSAMPLES);
    return good;
}

// --------------------------------------------------------------------------------------------------------------- jobs

static struct verdict check_encode_syntax(const struct encode_block *block, const struct session *session)
{
    if (block->width % 2 || block->width != session->width)
        return bad_field(ENCODE_BLOCK_NUMBER_WIDTH);
    if (block->height % 2 || block->height != session->height)
        return bad_field(ENCODE_BLOCK_NUMBER_HEIGHT);
    bool intra = block->slice_type == 2;
    if (intra ? block->ref_count != 0 : block->ref_count == 0)
        return bad_field(ENCODE_BLOCK_NUMBER_REF_COUNT);
    if ((block->slice_type == 1) != (block->ref_l1_count != 0))
        return bad_field(ENCODE_BLOCK_NUMBER_REF_L1_COUNT);
    if (block->idr && !intra)
        return bad_field(ENCODE_BLOCK_NUMBER_IDR);
    if (block->idr && block->nal_ref_idc == 0)
        return bad_field(ENCODE_BLOCK_NUMBER_NAL_REF_IDC);
    if (block->frame_num >> block->log2_max_frame_num || (block->idr && block->frame_num))
        return bad_field(ENCODE_BLOCK_NUMBER_FRAME_NUM);
    if (block->log2_max_poc_lsb > 0 && block->log2_max_poc_lsb < 4)
        return bad_field(ENCODE_BLOCK_NUMBER_LOG2_MAX_POC_LSB);
    if (block->poc_lsb >> block->log2_max_poc_lsb)
        return bad_field(ENCODE_BLOCK_NUMBER_POC_LSB);
    if (block->slices > (block->height + 15u) / 16u)
        return bad_field(ENCODE_BLOCK_NUMBER_SLICES);
    return good;
}

// Bytes of one picture's first-pass record and of its luma at half size (descriptors.first_pass_layout).
static void first_pass_bytes(uint32_t width, uint32_t height, uint32_t *slot, uint32_t *half)
{
    uint32_t columns = (width + 15) / 16, rows = (height + 15) / 16, macroblocks = columns * rows;
    uint32_t map = FIRST_PASS_SUMMARY_BYTES + macroblocks * (FIRST_PASS_RECORD_BYTES + FIRST_PASS_WORTH_BYTES + 1u);
    *slot = (((map + 63u) & ~63u) + macroblocks + 63u) & ~63u;
    uint32_t pitch = ((columns + 1) / 2 * 16 + PITCH_ALIGNMENT_BYTES - 1) & ~(PITCH_ALIGNMENT_BYTES - 1);
    *half = pitch * ((rows + 1) / 2 * 16);
}

// Sizes and addresses of an encode job that belongs to the first pass.
static struct verdict check_first_pass(const struct encode_block *block, const struct window *source,
                                       struct regions *regions)
{
    uint32_t slot, half;
    first_pass_bytes(block->width, block->height, &slot, &half);
    bool handing = block->mode == MODE_HAND_ON;
    if (block->ref_count > 1)
        return bad_field(ENCODE_BLOCK_NUMBER_REF_COUNT);
    if (block->ref_l1_count > 1)
        return bad_field(ENCODE_BLOCK_NUMBER_REF_L1_COUNT);
    if (block->out_capacity < (handing ? sizeof(struct plan_header) + block->plan_count * sizeof(struct plan_entry) : slot))
        return bad_field(ENCODE_BLOCK_NUMBER_OUT_CAPACITY);
    if (handing ? block->src_address != 0
                : !add(regions, block->src_address, block->mode == MODE_SHRINK ? window_bytes(source) : half,
                       SURFACE_ALIGNMENT_BYTES, ENCODE_BLOCK_NUMBER_SRC_ADDRESS, false))
        return bad_field(ENCODE_BLOCK_NUMBER_SRC_ADDRESS);
    uint64_t made = handing ? (uint64_t)block->slots * slot : half;
    if (block->mode == MODE_LOOK ? block->recon_address != 0
                                 : !add(regions, block->recon_address, made, SURFACE_ALIGNMENT_BYTES,
                                        ENCODE_BLOCK_NUMBER_RECON_ADDRESS, true))
        return bad_field(ENCODE_BLOCK_NUMBER_RECON_ADDRESS);
    if (!add(regions, block->out_address, block->out_capacity, STREAM_ALIGNMENT_BYTES, ENCODE_BLOCK_NUMBER_OUT_ADDRESS,
             true))
        return bad_field(ENCODE_BLOCK_NUMBER_OUT_ADDRESS);
    if (block->ref_count ? !add(regions, block->ref_address_0, half, SURFACE_ALIGNMENT_BYTES,
                                ENCODE_BLOCK_NUMBER_REF_ADDRESS_0, false)
                         : block->ref_address_0 != 0)
        return bad_field(ENCODE_BLOCK_NUMBER_REF_ADDRESS_0);
    if (block->ref_l1_count ? !add(regions, block->ref_l1_address_0, half, SURFACE_ALIGNMENT_BYTES,
                                   ENCODE_BLOCK_NUMBER_REF_L1_ADDRESS_0, false)
                            : block->ref_l1_address_0 != 0)
        return bad_field(ENCODE_BLOCK_NUMBER_REF_L1_ADDRESS_0);
    const uint64_t unused[] = {block->ref_address_1,     block->ref_address_2,  block->ref_address_3,
                               block->motion_in_address, block->motion_out_address, block->qp_map_address,
                               block->ref_l1_address_1,  block->plan_address,  block->vectors_address};
    static const uint8_t numbers[] = {ENCODE_BLOCK_NUMBER_REF_ADDRESS_1,     ENCODE_BLOCK_NUMBER_REF_ADDRESS_2,
                                      ENCODE_BLOCK_NUMBER_REF_ADDRESS_3,     ENCODE_BLOCK_NUMBER_MOTION_IN_ADDRESS,
                                      ENCODE_BLOCK_NUMBER_MOTION_OUT_ADDRESS, ENCODE_BLOCK_NUMBER_QP_MAP_ADDRESS,
                                      ENCODE_BLOCK_NUMBER_REF_L1_ADDRESS_1,  ENCODE_BLOCK_NUMBER_PLAN_ADDRESS,
                                      ENCODE_BLOCK_NUMBER_VECTORS_ADDRESS};
    for (uint32_t i = 0; i < sizeof numbers; i++)
        if (unused[i])
            return bad_field(numbers[i]);
    return check_overlaps(regions);
}

static struct verdict validate_encode(const struct encode_block *block, const struct session *session)
{
    struct verdict verdict = check_header(block, KIND_ENCODE, 1, ENCODE_BLOCK_USED_BYTES);
    if (!verdict.status)
        verdict = check_ranges(block, encode_rules, ENCODE_BLOCK_RULES);
    if (!verdict.status)
        verdict = check_encode_syntax(block, session);
    struct window source = {block->width,    block->height,  block->src_surface_width, block->src_surface_height,
                            block->src_left, block->src_top};
    if (!verdict.status)
        verdict = check_window(&source, ENCODE_BLOCK_NUMBER_SRC_SURFACE_WIDTH);
    if (verdict.status)
        return verdict;

    uint32_t macroblocks = (block->width + 15u) / 16u * ((block->height + 15u) / 16u);
    uint32_t coded = surface_bytes((block->width + 15u) & ~15u, (block->height + 15u) & ~15u);
    uint64_t references[4] = {block->ref_address_0, block->ref_address_1, block->ref_address_2, block->ref_address_3};
    struct regions regions;
    begin(&regions, session);
    if (block->mode)
        return check_first_pass(block, &source, &regions);
    if (!add(&regions, block->src_address, window_bytes(&source), SURFACE_ALIGNMENT_BYTES,
             ENCODE_BLOCK_NUMBER_SRC_ADDRESS, false))
        return bad_field(ENCODE_BLOCK_NUMBER_SRC_ADDRESS);
    if (!add(&regions, block->recon_address, coded, SURFACE_ALIGNMENT_BYTES, ENCODE_BLOCK_NUMBER_RECON_ADDRESS, true))
        return bad_field(ENCODE_BLOCK_NUMBER_RECON_ADDRESS);
    if (!add(&regions, block->out_address, block->out_capacity, STREAM_ALIGNMENT_BYTES,
             ENCODE_BLOCK_NUMBER_OUT_ADDRESS, true))
        return bad_field(ENCODE_BLOCK_NUMBER_OUT_ADDRESS);
    for (uint32_t i = 0; i < 4; i++) {
        uint32_t number = ENCODE_BLOCK_NUMBER_REF_ADDRESS_0 + i;
        if (i < block->ref_count ? !add(&regions, references[i], coded, SURFACE_ALIGNMENT_BYTES, number, false)
                                 : references[i] != 0)
            return bad_field(number);
    }
    uint64_t references_l1[2] = {block->ref_l1_address_0, block->ref_l1_address_1};
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t number = ENCODE_BLOCK_NUMBER_REF_L1_ADDRESS_0 + i;
        if (i < block->ref_l1_count ? !add(&regions, references_l1[i], coded, SURFACE_ALIGNMENT_BYTES, number, false)
                                    : references_l1[i] != 0)
            return bad_field(number);
    }
    if (block->motion_in_address && !add(&regions, block->motion_in_address, (uint64_t)macroblocks * MOTION_BYTES,
                                         STREAM_ALIGNMENT_BYTES, ENCODE_BLOCK_NUMBER_MOTION_IN_ADDRESS, false))
        return bad_field(ENCODE_BLOCK_NUMBER_MOTION_IN_ADDRESS);
    if (block->motion_out_address && !add(&regions, block->motion_out_address, (uint64_t)macroblocks * MOTION_BYTES,
                                          STREAM_ALIGNMENT_BYTES, ENCODE_BLOCK_NUMBER_MOTION_OUT_ADDRESS, true))
        return bad_field(ENCODE_BLOCK_NUMBER_MOTION_OUT_ADDRESS);
    if (block->qp_map_address && !add(&regions, block->qp_map_address, macroblocks, STREAM_ALIGNMENT_BYTES,
                                      ENCODE_BLOCK_NUMBER_QP_MAP_ADDRESS, false))
        return bad_field(ENCODE_BLOCK_NUMBER_QP_MAP_ADDRESS);
    if (block->plan_address && !add(&regions, block->plan_address, PLAN_BYTES, STREAM_ALIGNMENT_BYTES,
                                    ENCODE_BLOCK_NUMBER_PLAN_ADDRESS, false))
        return bad_field(ENCODE_BLOCK_NUMBER_PLAN_ADDRESS);
    if (block->vectors_address && !add(&regions, block->vectors_address, (uint64_t)macroblocks * FIRST_PASS_RECORD_BYTES,
                                       STREAM_ALIGNMENT_BYTES, ENCODE_BLOCK_NUMBER_VECTORS_ADDRESS, false))
        return bad_field(ENCODE_BLOCK_NUMBER_VECTORS_ADDRESS);
    return check_overlaps(&regions);
}

// One side of one output of the scaler: 1/8 to 4 times the source.
static bool ratio_is_legal(uint32_t in, uint32_t out)
{
    return out >= 2 && in <= out * 8 && out <= in * 4;
}

static struct verdict check_scale_outputs(const struct scale_block *block, struct regions *regions)
{
    uint32_t widths[4] = {block->out0_width, block->out1_width, block->out2_width, block->out3_width};
    uint32_t heights[4] = {block->out0_height, block->out1_height, block->out2_height, block->out3_height};
    uint64_t addresses[4] = {block->out0_address, block->out1_address, block->out2_address, block->out3_address};
    for (uint32_t i = 0; i < 4; i++) {
        uint32_t number = SCALE_BLOCK_NUMBER_OUT0_WIDTH + 3 * i;
        bool used = i < block->output_count;
        if (used ? !ratio_is_legal(block->width, widths[i]) : widths[i] != 0)
            return bad_field(number);
        if (used ? !ratio_is_legal(block->height, heights[i]) : heights[i] != 0)
            return bad_field(number + 1);
        if (used ? !add(regions, addresses[i], surface_bytes(widths[i], heights[i]), SURFACE_ALIGNMENT_BYTES,
                        number + 2, true)
                 : addresses[i] != 0)
            return bad_field(number + 2);
    }
    return good;
}

static struct verdict check_scale_reference(const struct scale_block *block, struct regions *regions)
{
    bool used = block->mode == 1;
    if (used ? block->ref_width < block->width : block->ref_width != 0)
        return bad_field(SCALE_BLOCK_NUMBER_REF_WIDTH);
    if (used ? block->ref_height < block->height : block->ref_height != 0)
        return bad_field(SCALE_BLOCK_NUMBER_REF_HEIGHT);
    if (used ? !add(regions, block->ref_address, surface_bytes(block->ref_width, block->ref_height),
                    SURFACE_ALIGNMENT_BYTES, SCALE_BLOCK_NUMBER_REF_ADDRESS, false)
             : block->ref_address != 0)
        return bad_field(SCALE_BLOCK_NUMBER_REF_ADDRESS);
    if (used ? !add(regions, block->result_address, QUALITY_RESULT_BYTES, STREAM_ALIGNMENT_BYTES,
                    SCALE_BLOCK_NUMBER_RESULT_ADDRESS, true)
             : block->result_address != 0)
        return bad_field(SCALE_BLOCK_NUMBER_RESULT_ADDRESS);
    return good;
}

static struct verdict validate_scale(const struct scale_block *block, const struct session *session)
{
    struct verdict verdict = check_header(block, KIND_SCALE, 1, SCALE_BLOCK_USED_BYTES);
    if (!verdict.status)
        verdict = check_ranges(block, scale_rules, SCALE_BLOCK_RULES);
    if (verdict.status)
        return verdict;
    if (block->width > session->width)
        return bad_field(SCALE_BLOCK_NUMBER_WIDTH);
    if (block->height > session->height)
        return bad_field(SCALE_BLOCK_NUMBER_HEIGHT);
    if (block->mode == 0 ? block->output_count == 0 : block->output_count != 0)
        return bad_field(SCALE_BLOCK_NUMBER_OUTPUT_COUNT);
    struct window source = {block->width,    block->height,  block->src_surface_width, block->src_surface_height,
                            block->src_left, block->src_top};
    verdict = check_window(&source, SCALE_BLOCK_NUMBER_SRC_SURFACE_WIDTH);
    if (verdict.status)
        return verdict;
    struct regions regions;
    begin(&regions, session);
    if (!add(&regions, block->src_address, window_bytes(&source), SURFACE_ALIGNMENT_BYTES,
             SCALE_BLOCK_NUMBER_SRC_ADDRESS, false))
        return bad_field(SCALE_BLOCK_NUMBER_SRC_ADDRESS);
    verdict = check_scale_outputs(block, &regions);
    if (!verdict.status)
        verdict = check_scale_reference(block, &regions);
    return verdict.status ? verdict : check_overlaps(&regions);
}

static struct verdict check_decode_syntax(const struct decode_block *block, const struct session *session)
{
    bool frame = block->structure == 3;
    uint32_t rows = !frame || block->mbaff ? 32 : 16;
    if (block->width % 16 || block->width > session->width)
        return bad_field(DECODE_BLOCK_NUMBER_WIDTH);
    if (block->height % rows || block->height > session->height)
        return bad_field(DECODE_BLOCK_NUMBER_HEIGHT);
    if (block->mbaff && !frame)
        return bad_field(DECODE_BLOCK_NUMBER_MBAFF);
    if (block->mbaff && !block->direct_8x8_inference)
        return bad_field(DECODE_BLOCK_NUMBER_DIRECT_8X8_INFERENCE);
    if (block->conceal_reference >= (int32_t)block->reference_count)
        return bad_field(DECODE_BLOCK_NUMBER_CONCEAL_REFERENCE);
    return good;
}

// The records of the parameter block are the core's to judge: it only reads through them, and writes nothing but what
// is named here.
static struct verdict validate_decode(const struct decode_block *block, const struct session *session)
{
    struct verdict verdict = check_header(block, KIND_DECODE, 1, DECODE_BLOCK_USED_BYTES);
    if (!verdict.status)
        verdict = check_ranges(block, decode_rules, DECODE_BLOCK_RULES);
    if (!verdict.status)
        verdict = check_decode_syntax(block, session);
    if (verdict.status)
        return verdict;
    uint64_t parameters = (uint64_t)block->slice_count * DECODE_SLICE_BYTES +
                          (uint64_t)block->matrix_count * DECODE_MATRICES_BYTES +
                          (uint64_t)block->reference_count * DECODE_REFERENCE_BYTES;
    uint64_t motion = (uint64_t)(block->width / 16u) * (block->height / 16u) * DECODE_MOTION_BYTES;
    struct regions regions;
    begin(&regions, session);
    if (!add(&regions, block->out_address, surface_bytes(block->width, block->height), SURFACE_ALIGNMENT_BYTES,
             DECODE_BLOCK_NUMBER_OUT_ADDRESS, true))
        return bad_field(DECODE_BLOCK_NUMBER_OUT_ADDRESS);
    if (!add(&regions, block->parameters_address, parameters, STREAM_ALIGNMENT_BYTES,
             DECODE_BLOCK_NUMBER_PARAMETERS_ADDRESS, false))
        return bad_field(DECODE_BLOCK_NUMBER_PARAMETERS_ADDRESS);
    if (!add(&regions, block->stream_address, block->stream_bytes, STREAM_ALIGNMENT_BYTES,
             DECODE_BLOCK_NUMBER_STREAM_ADDRESS, false))
        return bad_field(DECODE_BLOCK_NUMBER_STREAM_ADDRESS);
    if (block->motion_address && !add(&regions, block->motion_address, motion, STREAM_ALIGNMENT_BYTES,
                                      DECODE_BLOCK_NUMBER_MOTION_ADDRESS, true))
        return bad_field(DECODE_BLOCK_NUMBER_MOTION_ADDRESS);
    return check_overlaps(&regions);
}

// The block of a command that takes its place in a session: RECONFIGURE or a job.
struct verdict validate_block(uint32_t type, const void *block, const struct session *session)
{
    struct verdict verdict = bad(STATUS_BAD_TYPE, type);
    left_window = false;
    if (type == COMMAND_RECONFIGURE)
        verdict = validate_reconfigure(block, session);
    else if (type == COMMAND_ENCODE)
        verdict = validate_encode(block, session);
    else if (type == COMMAND_SCALE)
        verdict = validate_scale(block, session);
    else if (type == COMMAND_DECODE)
        verdict = validate_decode(block, session);
    // The first address that fails ends the judgement, so the field is the one that left the window.
    return left_window ? bad(STATUS_ACCESS_VIOLATION, verdict.detail) : verdict;
}
