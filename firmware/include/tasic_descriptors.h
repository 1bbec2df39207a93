// Made by `python -m asic_model.registers.generate` from asic_model/descriptors.py; do not edit.

#ifndef TASIC_DESCRIPTORS_H
#define TASIC_DESCRIPTORS_H

#include <stddef.h>
#include <stdint.h>

#define DESCRIPTOR_VERSION 1u
#define RECORD_BYTES 64u
#define BLOCK_BYTES 256u
#define BLOCK_ALIGNMENT_BYTES 256u
#define STREAM_ALIGNMENT_BYTES 64u
#define SURFACE_ALIGNMENT_BYTES 4096u
#define PITCH_ALIGNMENT_BYTES 64u
#define QUALITY_RESULT_BYTES 80u
#define MOTION_BYTES 32u
#define PICTURE_CLASSES 4u
#define PICTURE_I 0u
#define PICTURE_P 1u
#define PICTURE_B_REFERENCE 2u
#define PICTURE_B 3u
#define PICTURE_QP_OFFSETS {-3, 0, 1, 2}
#define PLAN_USUAL_I 98304u
#define PLAN_USUAL_P 196608u
#define PLAN_USUAL_B_REFERENCE 196608u
#define PLAN_USUAL_B 196608u
#define PICTURE_BITS_SHARES {362, 256, 228, 203}
#define PLAN_BYTES 1088u
#define PLAN_ENTRIES_MOST 64u
#define FIRST_PASS_SUMMARY_BYTES 64u
#define FIRST_PASS_RECORD_BYTES 12u
#define FIRST_PASS_WORTH_BYTES 4u
#define DECODE_SLICE_BYTES 930u
#define DECODE_MATRICES_BYTES 224u
#define DECODE_REFERENCE_BYTES 32u
#define DECODE_MOTION_BYTES 85u

#define COMMAND_NOP 0u
#define COMMAND_OPEN_SESSION 1u
#define COMMAND_CLOSE_SESSION 2u
#define COMMAND_RECONFIGURE 3u
#define COMMAND_ENCODE 4u
#define COMMAND_SCALE 5u
#define COMMAND_DECODE 6u

#define FLAG_QUIET 1u

#define KIND_NONE 0u
#define KIND_ENCODE 1u
#define KIND_SCALE 2u
#define KIND_DECODE 3u

#define MODE_ENCODE 0u
#define MODE_SHRINK 1u
#define MODE_LOOK 2u
#define MODE_HAND_ON 3u

#define STATUS_OK 0u
#define STATUS_BAD_FIELD 1u
#define STATUS_OUTPUT_FULL 2u
#define STATUS_CORRUPT_INPUT 3u
#define STATUS_MEMORY_ERROR 4u
#define STATUS_ACCESS_VIOLATION 5u
#define STATUS_CORE_RESET 6u
#define STATUS_BAD_VERSION 16u
#define STATUS_BAD_TYPE 17u
#define STATUS_BAD_COMMAND 18u
#define STATUS_BAD_BLOCK 19u
#define STATUS_BAD_SESSION 20u
#define STATUS_BAD_SEQUENCE 21u
#define STATUS_BAD_FENCE 22u
#define STATUS_NO_CAPACITY 23u
#define STATUS_NO_CORE 24u
#define STATUS_ABORTED 25u
#define STATUS_TIMED_OUT 26u

#define LIMIT_SESSIONS 0u
#define LIMIT_ENCODE_RATE 1u
#define LIMIT_FUNCTION_SESSIONS 2u
#define LIMIT_FUNCTION_ENCODE_RATE 3u

#define LOG_BOOT 1u
#define LOG_VERSION 2u
#define LOG_QUEUE_STATE 3u
#define LOG_REJECTED 4u
#define LOG_SESSION_OPENED 5u
#define LOG_SESSION_CLOSED 6u
#define LOG_JOB_FAILED 7u
#define LOG_STRAY_CORE 8u
#define LOG_WATCHDOG 9u
#define LOG_CORES_OUT 10u
#define LOG_VIOLATION 11u
#define LOG_DEADLINE_MISSED 12u

#define BLOCK_CAUSE_ADDRESS 0u
#define BLOCK_CAUSE_KIND 1u
#define BLOCK_CAUSE_BLOCK_TYPE 2u
#define BLOCK_CAUSE_SIZE 3u
#define BLOCK_CAUSE_RESERVED_BYTES 4u

// Range rule of one field: offset and size in bytes, least and most legal value (as int64_t).
struct field_rule {
    uint8_t offset;
    uint8_t size; // bytes; | 0x80: signed
    int32_t low;
    uint32_t high;
};

struct command {
    uint16_t version; // VERSION
    uint8_t type; // Command
    uint8_t flags; // CommandFlag
    uint32_t sequence; // the host's number of the command
    uint64_t block_address; // job block or session block; 0 where the type has none
    uint64_t user_data; // given back in the completion
    uint32_t session; // session that the command belongs to; 0: none
    uint32_t wait_session; // fence: session to wait for; 0: no fence
    uint32_t wait_sequence; // fence: its command to wait for
    uint32_t deadline_us; // when it should be finished, from now [microseconds]; 0: no deadline
    uint8_t core; // 1 + number of the core that must run it (queues 0..3 only); 0: any of its kind
    uint8_t reserved[23];
};
_Static_assert(sizeof(struct command) == 64, "command");
_Static_assert(offsetof(struct command, version) == 0, "version");
_Static_assert(offsetof(struct command, type) == 2, "type");
_Static_assert(offsetof(struct command, flags) == 3, "flags");
_Static_assert(offsetof(struct command, sequence) == 4, "sequence");
_Static_assert(offsetof(struct command, session) == 24, "session");
_Static_assert(offsetof(struct command, wait_session) == 28, "wait_session");
_Static_assert(offsetof(struct command, wait_sequence) == 32, "wait_sequence");
_Static_assert(offsetof(struct command, block_address) == 8, "block_address");
_Static_assert(offsetof(struct command, user_data) == 16, "user_data");
_Static_assert(offsetof(struct command, deadline_us) == 36, "deadline_us");
_Static_assert(offsetof(struct command, core) == 40, "core");
#define COMMAND_USED_BYTES 41u
#define COMMAND_NUMBER_VERSION 0u
#define COMMAND_NUMBER_TYPE 1u
#define COMMAND_NUMBER_FLAGS 2u
#define COMMAND_NUMBER_SEQUENCE 3u
#define COMMAND_NUMBER_SESSION 4u
#define COMMAND_NUMBER_WAIT_SESSION 5u
#define COMMAND_NUMBER_WAIT_SEQUENCE 6u
#define COMMAND_NUMBER_BLOCK_ADDRESS 7u
#define COMMAND_NUMBER_USER_DATA 8u
#define COMMAND_NUMBER_DEADLINE_US 9u
#define COMMAND_NUMBER_CORE 10u

struct completion {
    uint16_t version; // VERSION
    uint8_t type; // as in the command
    uint8_t status; // Status
    uint32_t sequence; // as in the command
    uint64_t submitted; // when the firmware took the command [ticks of the control clock]
    uint64_t started; // when the core started; 0 without a core [ticks]
    uint64_t finished; // when the core finished, or the firmware [ticks]
    uint64_t user_data; // as in the command
    uint32_t session; // as in the command; OPEN_SESSION: the new session
    uint32_t detail; // by status
    uint32_t output_bytes; // bytes of stream or result
    uint32_t index; // this completion's index + 1: tells a new record from an old one
    uint8_t core; // number of the core; 255: none
    uint8_t qp; // ENCODE: QP that was used
    uint8_t attempts; // how often the job was given to a core
    uint8_t late; // 1: finished after its deadline
    uint8_t reserved[4];
};
_Static_assert(sizeof(struct completion) == 64, "completion");
_Static_assert(offsetof(struct completion, version) == 0, "version");
_Static_assert(offsetof(struct completion, type) == 2, "type");
_Static_assert(offsetof(struct completion, status) == 3, "status");
_Static_assert(offsetof(struct completion, sequence) == 4, "sequence");
_Static_assert(offsetof(struct completion, session) == 40, "session");
_Static_assert(offsetof(struct completion, detail) == 44, "detail");
_Static_assert(offsetof(struct completion, submitted) == 8, "submitted");
_Static_assert(offsetof(struct completion, started) == 16, "started");
_Static_assert(offsetof(struct completion, finished) == 24, "finished");
_Static_assert(offsetof(struct completion, user_data) == 32, "user_data");
_Static_assert(offsetof(struct completion, output_bytes) == 48, "output_bytes");
_Static_assert(offsetof(struct completion, index) == 52, "index");
_Static_assert(offsetof(struct completion, core) == 56, "core");
_Static_assert(offsetof(struct completion, qp) == 57, "qp");
_Static_assert(offsetof(struct completion, attempts) == 58, "attempts");
_Static_assert(offsetof(struct completion, late) == 59, "late");
#define COMPLETION_USED_BYTES 60u
#define COMPLETION_NUMBER_VERSION 0u
#define COMPLETION_NUMBER_TYPE 1u
#define COMPLETION_NUMBER_STATUS 2u
#define COMPLETION_NUMBER_SEQUENCE 3u
#define COMPLETION_NUMBER_SESSION 4u
#define COMPLETION_NUMBER_DETAIL 5u
#define COMPLETION_NUMBER_SUBMITTED 6u
#define COMPLETION_NUMBER_STARTED 7u
#define COMPLETION_NUMBER_FINISHED 8u
#define COMPLETION_NUMBER_USER_DATA 9u
#define COMPLETION_NUMBER_OUTPUT_BYTES 10u
#define COMPLETION_NUMBER_INDEX 11u
#define COMPLETION_NUMBER_CORE 12u
#define COMPLETION_NUMBER_QP 13u
#define COMPLETION_NUMBER_ATTEMPTS 14u
#define COMPLETION_NUMBER_LATE 15u

struct log_record {
    uint64_t ticks; // when [ticks of the control clock]
    uint32_t index; // number of the record, from 0; `log_count` is the next one
    uint32_t code; // LogCode
    uint32_t a; // by code
    uint32_t b; // by code
    uint32_t c; // by code
    uint32_t d; // by code
    uint8_t reserved[32];
};
_Static_assert(sizeof(struct log_record) == 64, "log_record");
_Static_assert(offsetof(struct log_record, ticks) == 0, "ticks");
_Static_assert(offsetof(struct log_record, index) == 8, "index");
_Static_assert(offsetof(struct log_record, code) == 12, "code");
_Static_assert(offsetof(struct log_record, a) == 16, "a");
_Static_assert(offsetof(struct log_record, b) == 20, "b");
_Static_assert(offsetof(struct log_record, c) == 24, "c");
_Static_assert(offsetof(struct log_record, d) == 28, "d");
#define LOG_RECORD_USED_BYTES 32u
#define LOG_RECORD_NUMBER_TICKS 0u
#define LOG_RECORD_NUMBER_INDEX 1u
#define LOG_RECORD_NUMBER_CODE 2u
#define LOG_RECORD_NUMBER_A 3u
#define LOG_RECORD_NUMBER_B 4u
#define LOG_RECORD_NUMBER_C 5u
#define LOG_RECORD_NUMBER_D 6u

struct session_block {
    uint16_t version; // VERSION
    uint8_t kind; // Kind of the block
    uint8_t block_type; // 0 session block, 1 job block
    uint32_t size; // BLOCK_BYTES
    uint32_t rate_numerator; // pictures a second: numerator; not 0 with a bit rate
    uint32_t rate_denominator; // denominator
    uint32_t bit_rate; // target [bits/s]; 0: the jobs give the QP
    uint32_t max_rate; // at which the decoder's buffer fills [bits/s]; 0: no buffer is kept to
    uint32_t buffer_bits; // the decoder's buffer [bits]; not 0 with max_rate
    uint32_t initial_bits; // in it when the first picture is taken out
    uint32_t intra_period; // pictures from one IDR to the next, as far as known; 0: unknown
    uint32_t reserve_kilosamples; // encode rate to reserve [1000 luma samples/s]; 0: as time allows
    uint32_t watchdog_us; // longest that a job may run [microseconds]; 0: by picture size
    uint16_t width; // luma samples: of all pictures (encode), largest (scale, decode)
    uint16_t height; // luma rows, likewise
    uint16_t overhead_bits; // that the host adds to each picture (SEI)
    uint16_t idr_overhead_bits; // to each IDR picture (parameter sets, SEI)
    uint8_t b_frames; // most B pictures between two others
    uint8_t quality_qp; // constant quality: base QP in quarters, 1 more; 0: none
    uint8_t qp_min; // smallest QP that rate control may use
    uint8_t qp_max; // largest
    uint8_t reserved[200];
};
_Static_assert(sizeof(struct session_block) == 256, "session_block");
_Static_assert(offsetof(struct session_block, version) == 0, "version");
_Static_assert(offsetof(struct session_block, kind) == 2, "kind");
_Static_assert(offsetof(struct session_block, block_type) == 3, "block_type");
_Static_assert(offsetof(struct session_block, size) == 4, "size");
_Static_assert(offsetof(struct session_block, width) == 44, "width");
_Static_assert(offsetof(struct session_block, height) == 46, "height");
_Static_assert(offsetof(struct session_block, rate_numerator) == 8, "rate_numerator");
_Static_assert(offsetof(struct session_block, rate_denominator) == 12, "rate_denominator");
_Static_assert(offsetof(struct session_block, bit_rate) == 16, "bit_rate");
_Static_assert(offsetof(struct session_block, max_rate) == 20, "max_rate");
_Static_assert(offsetof(struct session_block, buffer_bits) == 24, "buffer_bits");
_Static_assert(offsetof(struct session_block, initial_bits) == 28, "initial_bits");
_Static_assert(offsetof(struct session_block, overhead_bits) == 48, "overhead_bits");
_Static_assert(offsetof(struct session_block, idr_overhead_bits) == 50, "idr_overhead_bits");
_Static_assert(offsetof(struct session_block, intra_period) == 32, "intra_period");
_Static_assert(offsetof(struct session_block, reserve_kilosamples) == 36, "reserve_kilosamples");
_Static_assert(offsetof(struct session_block, b_frames) == 52, "b_frames");
_Static_assert(offsetof(struct session_block, quality_qp) == 53, "quality_qp");
_Static_assert(offsetof(struct session_block, qp_min) == 54, "qp_min");
_Static_assert(offsetof(struct session_block, qp_max) == 55, "qp_max");
_Static_assert(offsetof(struct session_block, watchdog_us) == 40, "watchdog_us");
#define SESSION_BLOCK_USED_BYTES 56u
#define SESSION_BLOCK_NUMBER_WIDTH 0u
#define SESSION_BLOCK_NUMBER_HEIGHT 1u
#define SESSION_BLOCK_NUMBER_RATE_NUMERATOR 2u
#define SESSION_BLOCK_NUMBER_RATE_DENOMINATOR 3u
#define SESSION_BLOCK_NUMBER_BIT_RATE 4u
#define SESSION_BLOCK_NUMBER_MAX_RATE 5u
#define SESSION_BLOCK_NUMBER_BUFFER_BITS 6u
#define SESSION_BLOCK_NUMBER_INITIAL_BITS 7u
#define SESSION_BLOCK_NUMBER_OVERHEAD_BITS 8u
#define SESSION_BLOCK_NUMBER_IDR_OVERHEAD_BITS 9u
#define SESSION_BLOCK_NUMBER_INTRA_PERIOD 10u
#define SESSION_BLOCK_NUMBER_RESERVE_KILOSAMPLES 11u
#define SESSION_BLOCK_NUMBER_B_FRAMES 12u
#define SESSION_BLOCK_NUMBER_QUALITY_QP 13u
#define SESSION_BLOCK_NUMBER_QP_MIN 14u
#define SESSION_BLOCK_NUMBER_QP_MAX 15u
#define SESSION_BLOCK_NUMBER_WATCHDOG_US 16u
#define SESSION_BLOCK_RULES 17u
#define SESSION_BLOCK_RULE_TABLE { \
    {44, 0x2, 1, 16384u}, \
    {46, 0x2, 1, 16384u}, \
    {8, 0x4, 0, 1000000u}, \
    {12, 0x4, 1, 1000000u}, \
    {16, 0x4, 0, 2000000000u}, \
    {20, 0x4, 0, 2000000000u}, \
    {24, 0x4, 0, 2000000000u}, \
    {28, 0x4, 0, 2000000000u}, \
    {48, 0x2, 0, 65535u}, \
    {50, 0x2, 0, 65535u}, \
    {32, 0x4, 0, 1000000u}, \
    {36, 0x4, 0, 4294967295u}, \
    {52, 0x1, 0, 16u}, \
    {53, 0x1, 0, 205u}, \
    {54, 0x1, 0, 51u}, \
    {55, 0x1, 0, 51u}, \
    {40, 0x4, 0, 60000000u}, \
}

struct plan_header {
    uint64_t far_cost_0; // sum of the costs of class 0 behind the entries
    uint64_t far_cost_1; // sum of the costs of class 1 behind the entries
    uint64_t far_cost_2; // sum of the costs of class 2 behind the entries
    uint64_t far_cost_3; // sum of the costs of class 3 behind the entries
    uint32_t far_count_0; // how many they are
    uint32_t far_count_1; // how many they are
    uint32_t far_count_2; // how many they are
    uint32_t far_count_3; // how many they are
    uint8_t count; // entries
    uint8_t final; // 1: nothing comes behind entries and far pictures
    uint8_t measured; // 1: costs are bits x quantiser step, as an earlier pass found them
    uint8_t reserved[13];
};
_Static_assert(sizeof(struct plan_header) == 64, "plan_header");
_Static_assert(offsetof(struct plan_header, far_cost_0) == 0, "far_cost_0");
_Static_assert(offsetof(struct plan_header, far_cost_1) == 8, "far_cost_1");
_Static_assert(offsetof(struct plan_header, far_cost_2) == 16, "far_cost_2");
_Static_assert(offsetof(struct plan_header, far_cost_3) == 24, "far_cost_3");
_Static_assert(offsetof(struct plan_header, far_count_0) == 32, "far_count_0");
_Static_assert(offsetof(struct plan_header, far_count_1) == 36, "far_count_1");
_Static_assert(offsetof(struct plan_header, far_count_2) == 40, "far_count_2");
_Static_assert(offsetof(struct plan_header, far_count_3) == 44, "far_count_3");
_Static_assert(offsetof(struct plan_header, count) == 48, "count");
_Static_assert(offsetof(struct plan_header, final) == 49, "final");
_Static_assert(offsetof(struct plan_header, measured) == 50, "measured");
#define PLAN_HEADER_USED_BYTES 51u
#define PLAN_HEADER_NUMBER_FAR_COST_0 0u
#define PLAN_HEADER_NUMBER_FAR_COST_1 1u
#define PLAN_HEADER_NUMBER_FAR_COST_2 2u
#define PLAN_HEADER_NUMBER_FAR_COST_3 3u
#define PLAN_HEADER_NUMBER_FAR_COUNT_0 4u
#define PLAN_HEADER_NUMBER_FAR_COUNT_1 5u
#define PLAN_HEADER_NUMBER_FAR_COUNT_2 6u
#define PLAN_HEADER_NUMBER_FAR_COUNT_3 7u
#define PLAN_HEADER_NUMBER_COUNT 8u
#define PLAN_HEADER_NUMBER_FINAL 9u
#define PLAN_HEADER_NUMBER_MEASURED 10u

struct plan_entry {
    uint32_t cost; // of the picture; written by HAND_ON unless `measured`
    int8_t offset; // QP offset of the whole picture; written by HAND_ON
    int8_t bias; // QP of the picture's class beside the base QP, in quarters
    uint8_t picture_class; // PictureClass
    uint8_t idr;
    uint8_t slot; // its first-pass record
    uint8_t ref; // record of the picture that it refers to; 255: none
    uint8_t ref_l1; // of list 1; 255: none
    uint8_t reserved[5];
};
_Static_assert(sizeof(struct plan_entry) == 16, "plan_entry");
_Static_assert(offsetof(struct plan_entry, cost) == 0, "cost");
_Static_assert(offsetof(struct plan_entry, offset) == 4, "offset");
_Static_assert(offsetof(struct plan_entry, bias) == 5, "bias");
_Static_assert(offsetof(struct plan_entry, picture_class) == 6, "picture_class");
_Static_assert(offsetof(struct plan_entry, idr) == 7, "idr");
_Static_assert(offsetof(struct plan_entry, slot) == 8, "slot");
_Static_assert(offsetof(struct plan_entry, ref) == 9, "ref");
_Static_assert(offsetof(struct plan_entry, ref_l1) == 10, "ref_l1");
#define PLAN_ENTRY_USED_BYTES 11u
#define PLAN_ENTRY_NUMBER_COST 0u
#define PLAN_ENTRY_NUMBER_OFFSET 1u
#define PLAN_ENTRY_NUMBER_BIAS 2u
#define PLAN_ENTRY_NUMBER_PICTURE_CLASS 3u
#define PLAN_ENTRY_NUMBER_IDR 4u
#define PLAN_ENTRY_NUMBER_SLOT 5u
#define PLAN_ENTRY_NUMBER_REF 6u
#define PLAN_ENTRY_NUMBER_REF_L1 7u

struct encode_block {
    uint16_t version; // VERSION
    uint8_t kind; // Kind of the block
    uint8_t block_type; // 0 session block, 1 job block
    uint32_t size; // BLOCK_BYTES
    uint64_t src_address; // source surface, width x height or as src_surface_width says
    uint64_t recon_address; // reconstruction, coded size
    uint64_t out_address; // stream out
    uint64_t ref_address_0; // reference 0, coded size
    uint64_t ref_address_1; // reference 1
    uint64_t ref_address_2; // reference 2
    uint64_t ref_address_3; // reference 3
    uint64_t motion_in_address; // motion of the first picture of list 0 (P), list 1 (B); 0: none
    uint64_t motion_out_address; // motion to keep; 0: none
    uint64_t qp_map_address; // int8 QP offset a macroblock, raster order; 0: none
    uint64_t ref_l1_address_0; // reference 0 of list 1, coded size
    uint64_t ref_l1_address_1; // reference 1
    uint64_t plan_address; // mode ENCODE: the plan that rate control reads; 0: none
    uint64_t vectors_address; // mode ENCODE: first-pass records of the picture, where search begins; 0: none
    uint32_t out_capacity; // its room [bytes]
    uint32_t frame_num;
    uint32_t poc_lsb;
    uint32_t seed;
    int32_t poc; // picture order count, for distances in time
    int32_t ref_poc_0; // that of the reference
    int32_t ref_poc_1; // that of the reference
    int32_t ref_poc_2; // that of the reference
    int32_t ref_poc_3; // that of the reference
    int32_t ref_l1_poc_0;
    int32_t ref_l1_poc_1;
    uint32_t max_bits; // that the picture must not exceed: macroblocks become coarser on the way; 0: no limit
    uint16_t width; // luma samples, even
    uint16_t height; // luma rows, even
    uint16_t idr_pic_id;
    uint16_t src_surface_width; // luma samples of the surface that holds the source; 0: the source alone
    uint16_t src_surface_height; // its luma rows; 0 likewise
    uint16_t src_left; // luma samples left of the source in it, even
    uint16_t src_top; // luma rows above the source in it, even
    uint16_t ref_frame_num_0; // frame_num of the reference
    uint16_t ref_frame_num_1; // frame_num of the reference
    uint16_t ref_frame_num_2; // frame_num of the reference
    uint16_t ref_frame_num_3; // frame_num of the reference
    uint16_t ref_l1_frame_num_0;
    uint16_t ref_l1_frame_num_1;
    uint16_t unmark_0; // difference_of_pic_nums_minus1
    uint16_t unmark_1; // difference_of_pic_nums_minus1
    uint16_t unmark_2; // difference_of_pic_nums_minus1
    uint16_t unmark_3; // difference_of_pic_nums_minus1
    uint16_t tools_off; // bit set of decisions left out, class Tool
    uint8_t ref_count; // reference pictures
    uint8_t slice_type; // 0 P, 1 B, 2 I
    uint8_t idr; // 1: IDR picture
    uint8_t nal_ref_idc;
    uint8_t log2_max_frame_num;
    uint8_t log2_max_poc_lsb; // 0: pic_order_cnt_type 2, no poc_lsb; or 4..16
    uint8_t qp; // luma QP of the picture
    int8_t chroma_qp_offset;
    uint8_t entropy; // 0 CAVLC, 1 CABAC
    uint8_t cabac_init_idc;
    uint8_t slices; // slices of the picture, at most its macroblock rows
    uint8_t deblock_disable; // disable_deblocking_filter_idc
    int8_t deblock_alpha; // slice_alpha_c0_offset_div2
    int8_t deblock_beta; // slice_beta_offset_div2
    uint8_t effort; // 0 fast, 1 medium, 2 slow
    uint8_t transform_8x8; // transform_8x8_mode_flag: High profile
    uint8_t ref_l1_count; // reference pictures of list 1
    uint8_t modify_lists; // bit 0, 1: the header spells out list 0, 1
    uint8_t unmark_count; // references to forget after this picture; 0: sliding window
    uint8_t direct_temporal; // direct prediction: 0 spatial, 1 temporal
    uint8_t weighted; // bit 0: explicit in P, bit 1: implicit in B
    uint8_t dead_zone_inter; // levels of inter blocks: 0 by rate and distortion; else 1 + dead zone
    uint8_t dead_zone_intra; // levels of intra blocks: 0 by rate and distortion; else 1 + dead zone
    uint8_t mode; // EncodeMode
    uint8_t plan_index; // mode ENCODE: the picture's entry in it
    uint8_t plan_count; // mode HAND_ON: entries of the plan at out_address
    uint8_t slots; // mode HAND_ON: first-pass records at recon_address
    uint8_t tree_strength; // mode HAND_ON: QP steps for a macroblock worth twice its cost, in sixteenths
    uint8_t aq_strength; // mode HAND_ON: strength of adaptive quantisation, in sixteenths; 0: none
    uint8_t reserved[23];
};
_Static_assert(sizeof(struct encode_block) == 256, "encode_block");
_Static_assert(offsetof(struct encode_block, version) == 0, "version");
_Static_assert(offsetof(struct encode_block, kind) == 2, "kind");
_Static_assert(offsetof(struct encode_block, block_type) == 3, "block_type");
_Static_assert(offsetof(struct encode_block, size) == 4, "size");
_Static_assert(offsetof(struct encode_block, width) == 168, "width");
_Static_assert(offsetof(struct encode_block, height) == 170, "height");
_Static_assert(offsetof(struct encode_block, src_address) == 8, "src_address");
_Static_assert(offsetof(struct encode_block, recon_address) == 16, "recon_address");
_Static_assert(offsetof(struct encode_block, out_address) == 24, "out_address");
_Static_assert(offsetof(struct encode_block, out_capacity) == 120, "out_capacity");
_Static_assert(offsetof(struct encode_block, ref_count) == 204, "ref_count");
_Static_assert(offsetof(struct encode_block, ref_address_0) == 32, "ref_address_0");
_Static_assert(offsetof(struct encode_block, ref_address_1) == 40, "ref_address_1");
_Static_assert(offsetof(struct encode_block, ref_address_2) == 48, "ref_address_2");
_Static_assert(offsetof(struct encode_block, ref_address_3) == 56, "ref_address_3");
_Static_assert(offsetof(struct encode_block, motion_in_address) == 64, "motion_in_address");
_Static_assert(offsetof(struct encode_block, motion_out_address) == 72, "motion_out_address");
_Static_assert(offsetof(struct encode_block, qp_map_address) == 80, "qp_map_address");
_Static_assert(offsetof(struct encode_block, slice_type) == 205, "slice_type");
_Static_assert(offsetof(struct encode_block, idr) == 206, "idr");
_Static_assert(offsetof(struct encode_block, nal_ref_idc) == 207, "nal_ref_idc");
_Static_assert(offsetof(struct encode_block, frame_num) == 124, "frame_num");
_Static_assert(offsetof(struct encode_block, idr_pic_id) == 172, "idr_pic_id");
_Static_assert(offsetof(struct encode_block, poc_lsb) == 128, "poc_lsb");
_Static_assert(offsetof(struct encode_block, log2_max_frame_num) == 208, "log2_max_frame_num");
_Static_assert(offsetof(struct encode_block, log2_max_poc_lsb) == 209, "log2_max_poc_lsb");
_Static_assert(offsetof(struct encode_block, qp) == 210, "qp");
_Static_assert(offsetof(struct encode_block, chroma_qp_offset) == 211, "chroma_qp_offset");
_Static_assert(offsetof(struct encode_block, entropy) == 212, "entropy");
_Static_assert(offsetof(struct encode_block, cabac_init_idc) == 213, "cabac_init_idc");
_Static_assert(offsetof(struct encode_block, slices) == 214, "slices");
_Static_assert(offsetof(struct encode_block, deblock_disable) == 215, "deblock_disable");
_Static_assert(offsetof(struct encode_block, deblock_alpha) == 216, "deblock_alpha");
_Static_assert(offsetof(struct encode_block, deblock_beta) == 217, "deblock_beta");
_Static_assert(offsetof(struct encode_block, effort) == 218, "effort");
_Static_assert(offsetof(struct encode_block, transform_8x8) == 219, "transform_8x8");
_Static_assert(offsetof(struct encode_block, seed) == 132, "seed");
_Static_assert(offsetof(struct encode_block, src_surface_width) == 174, "src_surface_width");
_Static_assert(offsetof(struct encode_block, src_surface_height) == 176, "src_surface_height");
_Static_assert(offsetof(struct encode_block, src_left) == 178, "src_left");
_Static_assert(offsetof(struct encode_block, src_top) == 180, "src_top");
_Static_assert(offsetof(struct encode_block, ref_l1_count) == 220, "ref_l1_count");
_Static_assert(offsetof(struct encode_block, ref_l1_address_0) == 88, "ref_l1_address_0");
_Static_assert(offsetof(struct encode_block, ref_l1_address_1) == 96, "ref_l1_address_1");
_Static_assert(offsetof(struct encode_block, poc) == 136, "poc");
_Static_assert(offsetof(struct encode_block, ref_poc_0) == 140, "ref_poc_0");
_Static_assert(offsetof(struct encode_block, ref_poc_1) == 144, "ref_poc_1");
_Static_assert(offsetof(struct encode_block, ref_poc_2) == 148, "ref_poc_2");
_Static_assert(offsetof(struct encode_block, ref_poc_3) == 152, "ref_poc_3");
_Static_assert(offsetof(struct encode_block, ref_l1_poc_0) == 156, "ref_l1_poc_0");
_Static_assert(offsetof(struct encode_block, ref_l1_poc_1) == 160, "ref_l1_poc_1");
_Static_assert(offsetof(struct encode_block, modify_lists) == 221, "modify_lists");
_Static_assert(offsetof(struct encode_block, ref_frame_num_0) == 182, "ref_frame_num_0");
_Static_assert(offsetof(struct encode_block, ref_frame_num_1) == 184, "ref_frame_num_1");
_Static_assert(offsetof(struct encode_block, ref_frame_num_2) == 186, "ref_frame_num_2");
_Static_assert(offsetof(struct encode_block, ref_frame_num_3) == 188, "ref_frame_num_3");
_Static_assert(offsetof(struct encode_block, ref_l1_frame_num_0) == 190, "ref_l1_frame_num_0");
_Static_assert(offsetof(struct encode_block, ref_l1_frame_num_1) == 192, "ref_l1_frame_num_1");
_Static_assert(offsetof(struct encode_block, unmark_count) == 222, "unmark_count");
_Static_assert(offsetof(struct encode_block, unmark_0) == 194, "unmark_0");
_Static_assert(offsetof(struct encode_block, unmark_1) == 196, "unmark_1");
_Static_assert(offsetof(struct encode_block, unmark_2) == 198, "unmark_2");
_Static_assert(offsetof(struct encode_block, unmark_3) == 200, "unmark_3");
_Static_assert(offsetof(struct encode_block, direct_temporal) == 223, "direct_temporal");
_Static_assert(offsetof(struct encode_block, weighted) == 224, "weighted");
_Static_assert(offsetof(struct encode_block, tools_off) == 202, "tools_off");
_Static_assert(offsetof(struct encode_block, max_bits) == 164, "max_bits");
_Static_assert(offsetof(struct encode_block, dead_zone_inter) == 225, "dead_zone_inter");
_Static_assert(offsetof(struct encode_block, dead_zone_intra) == 226, "dead_zone_intra");
_Static_assert(offsetof(struct encode_block, mode) == 227, "mode");
_Static_assert(offsetof(struct encode_block, plan_address) == 104, "plan_address");
_Static_assert(offsetof(struct encode_block, plan_index) == 228, "plan_index");
_Static_assert(offsetof(struct encode_block, plan_count) == 229, "plan_count");
_Static_assert(offsetof(struct encode_block, slots) == 230, "slots");
_Static_assert(offsetof(struct encode_block, tree_strength) == 231, "tree_strength");
_Static_assert(offsetof(struct encode_block, aq_strength) == 232, "aq_strength");
_Static_assert(offsetof(struct encode_block, vectors_address) == 112, "vectors_address");
#define ENCODE_BLOCK_USED_BYTES 233u
#define ENCODE_BLOCK_NUMBER_WIDTH 0u
#define ENCODE_BLOCK_NUMBER_HEIGHT 1u
#define ENCODE_BLOCK_NUMBER_SRC_ADDRESS 2u
#define ENCODE_BLOCK_NUMBER_RECON_ADDRESS 3u
#define ENCODE_BLOCK_NUMBER_OUT_ADDRESS 4u
#define ENCODE_BLOCK_NUMBER_OUT_CAPACITY 5u
#define ENCODE_BLOCK_NUMBER_REF_COUNT 6u
#define ENCODE_BLOCK_NUMBER_REF_ADDRESS_0 7u
#define ENCODE_BLOCK_NUMBER_REF_ADDRESS_1 8u
#define ENCODE_BLOCK_NUMBER_REF_ADDRESS_2 9u
#define ENCODE_BLOCK_NUMBER_REF_ADDRESS_3 10u
#define ENCODE_BLOCK_NUMBER_MOTION_IN_ADDRESS 11u
#define ENCODE_BLOCK_NUMBER_MOTION_OUT_ADDRESS 12u
#define ENCODE_BLOCK_NUMBER_QP_MAP_ADDRESS 13u
#define ENCODE_BLOCK_NUMBER_SLICE_TYPE 14u
#define ENCODE_BLOCK_NUMBER_IDR 15u
#define ENCODE_BLOCK_NUMBER_NAL_REF_IDC 16u
#define ENCODE_BLOCK_NUMBER_FRAME_NUM 17u
#define ENCODE_BLOCK_NUMBER_IDR_PIC_ID 18u
#define ENCODE_BLOCK_NUMBER_POC_LSB 19u
#define ENCODE_BLOCK_NUMBER_LOG2_MAX_FRAME_NUM 20u
#define ENCODE_BLOCK_NUMBER_LOG2_MAX_POC_LSB 21u
#define ENCODE_BLOCK_NUMBER_QP 22u
#define ENCODE_BLOCK_NUMBER_CHROMA_QP_OFFSET 23u
#define ENCODE_BLOCK_NUMBER_ENTROPY 24u
#define ENCODE_BLOCK_NUMBER_CABAC_INIT_IDC 25u
#define ENCODE_BLOCK_NUMBER_SLICES 26u
#define ENCODE_BLOCK_NUMBER_DEBLOCK_DISABLE 27u
#define ENCODE_BLOCK_NUMBER_DEBLOCK_ALPHA 28u
#define ENCODE_BLOCK_NUMBER_DEBLOCK_BETA 29u
#define ENCODE_BLOCK_NUMBER_EFFORT 30u
#define ENCODE_BLOCK_NUMBER_TRANSFORM_8X8 31u
#define ENCODE_BLOCK_NUMBER_SEED 32u
#define ENCODE_BLOCK_NUMBER_SRC_SURFACE_WIDTH 33u
#define ENCODE_BLOCK_NUMBER_SRC_SURFACE_HEIGHT 34u
#define ENCODE_BLOCK_NUMBER_SRC_LEFT 35u
#define ENCODE_BLOCK_NUMBER_SRC_TOP 36u
#define ENCODE_BLOCK_NUMBER_REF_L1_COUNT 37u
#define ENCODE_BLOCK_NUMBER_REF_L1_ADDRESS_0 38u
#define ENCODE_BLOCK_NUMBER_REF_L1_ADDRESS_1 39u
#define ENCODE_BLOCK_NUMBER_POC 40u
#define ENCODE_BLOCK_NUMBER_REF_POC_0 41u
#define ENCODE_BLOCK_NUMBER_REF_POC_1 42u
#define ENCODE_BLOCK_NUMBER_REF_POC_2 43u
#define ENCODE_BLOCK_NUMBER_REF_POC_3 44u
#define ENCODE_BLOCK_NUMBER_REF_L1_POC_0 45u
#define ENCODE_BLOCK_NUMBER_REF_L1_POC_1 46u
#define ENCODE_BLOCK_NUMBER_MODIFY_LISTS 47u
#define ENCODE_BLOCK_NUMBER_REF_FRAME_NUM_0 48u
#define ENCODE_BLOCK_NUMBER_REF_FRAME_NUM_1 49u
#define ENCODE_BLOCK_NUMBER_REF_FRAME_NUM_2 50u
#define ENCODE_BLOCK_NUMBER_REF_FRAME_NUM_3 51u
#define ENCODE_BLOCK_NUMBER_REF_L1_FRAME_NUM_0 52u
#define ENCODE_BLOCK_NUMBER_REF_L1_FRAME_NUM_1 53u
#define ENCODE_BLOCK_NUMBER_UNMARK_COUNT 54u
#define ENCODE_BLOCK_NUMBER_UNMARK_0 55u
#define ENCODE_BLOCK_NUMBER_UNMARK_1 56u
#define ENCODE_BLOCK_NUMBER_UNMARK_2 57u
#define ENCODE_BLOCK_NUMBER_UNMARK_3 58u
#define ENCODE_BLOCK_NUMBER_DIRECT_TEMPORAL 59u
#define ENCODE_BLOCK_NUMBER_WEIGHTED 60u
#define ENCODE_BLOCK_NUMBER_TOOLS_OFF 61u
#define ENCODE_BLOCK_NUMBER_MAX_BITS 62u
#define ENCODE_BLOCK_NUMBER_DEAD_ZONE_INTER 63u
#define ENCODE_BLOCK_NUMBER_DEAD_ZONE_INTRA 64u
#define ENCODE_BLOCK_NUMBER_MODE 65u
#define ENCODE_BLOCK_NUMBER_PLAN_ADDRESS 66u
#define ENCODE_BLOCK_NUMBER_PLAN_INDEX 67u
#define ENCODE_BLOCK_NUMBER_PLAN_COUNT 68u
#define ENCODE_BLOCK_NUMBER_SLOTS 69u
#define ENCODE_BLOCK_NUMBER_TREE_STRENGTH 70u
#define ENCODE_BLOCK_NUMBER_AQ_STRENGTH 71u
#define ENCODE_BLOCK_NUMBER_VECTORS_ADDRESS 72u
#define ENCODE_BLOCK_RULES 73u
#define ENCODE_BLOCK_RULE_TABLE { \
    {168, 0x2, 16, 4096u}, \
    {170, 0x2, 16, 2304u}, \
    {8, 0x8, 0, 4294967295u}, \
    {16, 0x8, 0, 4294967295u}, \
    {24, 0x8, 0, 4294967295u}, \
    {120, 0x4, 256, 268435456u}, \
    {204, 0x1, 0, 4u}, \
    {32, 0x8, 0, 4294967295u}, \
    {40, 0x8, 0, 4294967295u}, \
    {48, 0x8, 0, 4294967295u}, \
    {56, 0x8, 0, 4294967295u}, \
    {64, 0x8, 0, 4294967295u}, \
    {72, 0x8, 0, 4294967295u}, \
    {80, 0x8, 0, 4294967295u}, \
    {205, 0x1, 0, 2u}, \
    {206, 0x1, 0, 1u}, \
    {207, 0x1, 0, 3u}, \
    {124, 0x4, 0, 65535u}, \
    {172, 0x2, 0, 65535u}, \
    {128, 0x4, 0, 65535u}, \
    {208, 0x1, 4, 16u}, \
    {209, 0x1, 0, 16u}, \
    {210, 0x1, 0, 51u}, \
    {211, 0x81, -12, 12u}, \
    {212, 0x1, 0, 1u}, \
    {213, 0x1, 0, 2u}, \
    {214, 0x1, 1, 144u}, \
    {215, 0x1, 0, 2u}, \
    {216, 0x81, -6, 6u}, \
    {217, 0x81, -6, 6u}, \
    {218, 0x1, 0, 2u}, \
    {219, 0x1, 0, 1u}, \
    {132, 0x4, 0, 4294967295u}, \
    {174, 0x2, 0, 16384u}, \
    {176, 0x2, 0, 16384u}, \
    {178, 0x2, 0, 16384u}, \
    {180, 0x2, 0, 16384u}, \
    {220, 0x1, 0, 2u}, \
    {88, 0x8, 0, 4294967295u}, \
    {96, 0x8, 0, 4294967295u}, \
    {136, 0x84, -2147483648, 2147483647u}, \
    {140, 0x84, -2147483648, 2147483647u}, \
    {144, 0x84, -2147483648, 2147483647u}, \
    {148, 0x84, -2147483648, 2147483647u}, \
    {152, 0x84, -2147483648, 2147483647u}, \
    {156, 0x84, -2147483648, 2147483647u}, \
    {160, 0x84, -2147483648, 2147483647u}, \
    {221, 0x1, 0, 3u}, \
    {182, 0x2, 0, 65535u}, \
    {184, 0x2, 0, 65535u}, \
    {186, 0x2, 0, 65535u}, \
    {188, 0x2, 0, 65535u}, \
    {190, 0x2, 0, 65535u}, \
    {192, 0x2, 0, 65535u}, \
    {222, 0x1, 0, 4u}, \
    {194, 0x2, 0, 65535u}, \
    {196, 0x2, 0, 65535u}, \
    {198, 0x2, 0, 65535u}, \
    {200, 0x2, 0, 65535u}, \
    {223, 0x1, 0, 1u}, \
    {224, 0x1, 0, 3u}, \
    {202, 0x2, 0, 4095u}, \
    {164, 0x4, 0, 4294967295u}, \
    {225, 0x1, 0, 32u}, \
    {226, 0x1, 0, 32u}, \
    {227, 0x1, 0, 3u}, \
    {104, 0x8, 0, 4294967295u}, \
    {228, 0x1, 0, 63u}, \
    {229, 0x1, 0, 64u}, \
    {230, 0x1, 0, 128u}, \
    {231, 0x1, 0, 255u}, \
    {232, 0x1, 0, 255u}, \
    {112, 0x8, 0, 4294967295u}, \
}

struct scale_block {
    uint16_t version; // VERSION
    uint8_t kind; // Kind of the block
    uint8_t block_type; // 0 session block, 1 job block
    uint32_t size; // BLOCK_BYTES
    uint64_t src_address; // source surface, width x height or as src_surface_width says
    uint64_t out0_address; // output 0: surface; 0 when unused
    uint64_t out1_address; // output 1: surface; 0 when unused
    uint64_t out2_address; // output 2: surface; 0 when unused
    uint64_t out3_address; // output 3: surface; 0 when unused
    uint64_t ref_address; // mode 1: its surface; 0 in mode 0
    uint64_t result_address; // mode 1: where the sums go (80 bytes); 0 in mode 0
    uint16_t width; // luma samples of the source (mode 0) or of the region compared (mode 1)
    uint16_t height; // luma rows, likewise
    uint16_t out0_width; // output 0: luma samples; 0 when unused
    uint16_t out0_height; // output 0: luma rows; 0 when unused
    uint16_t out1_width; // output 1: luma samples; 0 when unused
    uint16_t out1_height; // output 1: luma rows; 0 when unused
    uint16_t out2_width; // output 2: luma samples; 0 when unused
    uint16_t out2_height; // output 2: luma rows; 0 when unused
    uint16_t out3_width; // output 3: luma samples; 0 when unused
    uint16_t out3_height; // output 3: luma rows; 0 when unused
    uint16_t ref_width; // mode 1: luma samples of the picture compared with; 0 in mode 0
    uint16_t ref_height; // mode 1: its luma rows; 0 in mode 0
    uint16_t src_surface_width; // luma samples of the surface that holds the source; 0: the source alone
    uint16_t src_surface_height; // its luma rows; 0 likewise
    uint16_t src_left; // luma samples left of the source in it, even
    uint16_t src_top; // luma rows above the source in it, even
    uint8_t mode; // 0 scale, 1 quality
    uint8_t chroma_siting; // 0 left, 1 centre, 2 top left
    uint8_t output_count; // outputs: 1..4 (mode 0), 0 (mode 1)
    uint8_t reserved[157];
};
_Static_assert(sizeof(struct scale_block) == 256, "scale_block");
_Static_assert(offsetof(struct scale_block, version) == 0, "version");
_Static_assert(offsetof(struct scale_block, kind) == 2, "kind");
_Static_assert(offsetof(struct scale_block, block_type) == 3, "block_type");
_Static_assert(offsetof(struct scale_block, size) == 4, "size");
_Static_assert(offsetof(struct scale_block, width) == 64, "width");
_Static_assert(offsetof(struct scale_block, height) == 66, "height");
_Static_assert(offsetof(struct scale_block, src_address) == 8, "src_address");
_Static_assert(offsetof(struct scale_block, mode) == 96, "mode");
_Static_assert(offsetof(struct scale_block, chroma_siting) == 97, "chroma_siting");
_Static_assert(offsetof(struct scale_block, output_count) == 98, "output_count");
_Static_assert(offsetof(struct scale_block, out0_width) == 68, "out0_width");
_Static_assert(offsetof(struct scale_block, out0_height) == 70, "out0_height");
_Static_assert(offsetof(struct scale_block, out0_address) == 16, "out0_address");
_Static_assert(offsetof(struct scale_block, out1_width) == 72, "out1_width");
_Static_assert(offsetof(struct scale_block, out1_height) == 74, "out1_height");
_Static_assert(offsetof(struct scale_block, out1_address) == 24, "out1_address");
_Static_assert(offsetof(struct scale_block, out2_width) == 76, "out2_width");
_Static_assert(offsetof(struct scale_block, out2_height) == 78, "out2_height");
_Static_assert(offsetof(struct scale_block, out2_address) == 32, "out2_address");
_Static_assert(offsetof(struct scale_block, out3_width) == 80, "out3_width");
_Static_assert(offsetof(struct scale_block, out3_height) == 82, "out3_height");
_Static_assert(offsetof(struct scale_block, out3_address) == 40, "out3_address");
_Static_assert(offsetof(struct scale_block, ref_width) == 84, "ref_width");
_Static_assert(offsetof(struct scale_block, ref_height) == 86, "ref_height");
_Static_assert(offsetof(struct scale_block, ref_address) == 48, "ref_address");
_Static_assert(offsetof(struct scale_block, result_address) == 56, "result_address");
_Static_assert(offsetof(struct scale_block, src_surface_width) == 88, "src_surface_width");
_Static_assert(offsetof(struct scale_block, src_surface_height) == 90, "src_surface_height");
_Static_assert(offsetof(struct scale_block, src_left) == 92, "src_left");
_Static_assert(offsetof(struct scale_block, src_top) == 94, "src_top");
#define SCALE_BLOCK_USED_BYTES 99u
#define SCALE_BLOCK_NUMBER_WIDTH 0u
#define SCALE_BLOCK_NUMBER_HEIGHT 1u
#define SCALE_BLOCK_NUMBER_SRC_ADDRESS 2u
#define SCALE_BLOCK_NUMBER_MODE 3u
#define SCALE_BLOCK_NUMBER_CHROMA_SITING 4u
#define SCALE_BLOCK_NUMBER_OUTPUT_COUNT 5u
#define SCALE_BLOCK_NUMBER_OUT0_WIDTH 6u
#define SCALE_BLOCK_NUMBER_OUT0_HEIGHT 7u
#define SCALE_BLOCK_NUMBER_OUT0_ADDRESS 8u
#define SCALE_BLOCK_NUMBER_OUT1_WIDTH 9u
#define SCALE_BLOCK_NUMBER_OUT1_HEIGHT 10u
#define SCALE_BLOCK_NUMBER_OUT1_ADDRESS 11u
#define SCALE_BLOCK_NUMBER_OUT2_WIDTH 12u
#define SCALE_BLOCK_NUMBER_OUT2_HEIGHT 13u
#define SCALE_BLOCK_NUMBER_OUT2_ADDRESS 14u
#define SCALE_BLOCK_NUMBER_OUT3_WIDTH 15u
#define SCALE_BLOCK_NUMBER_OUT3_HEIGHT 16u
#define SCALE_BLOCK_NUMBER_OUT3_ADDRESS 17u
#define SCALE_BLOCK_NUMBER_REF_WIDTH 18u
#define SCALE_BLOCK_NUMBER_REF_HEIGHT 19u
#define SCALE_BLOCK_NUMBER_REF_ADDRESS 20u
#define SCALE_BLOCK_NUMBER_RESULT_ADDRESS 21u
#define SCALE_BLOCK_NUMBER_SRC_SURFACE_WIDTH 22u
#define SCALE_BLOCK_NUMBER_SRC_SURFACE_HEIGHT 23u
#define SCALE_BLOCK_NUMBER_SRC_LEFT 24u
#define SCALE_BLOCK_NUMBER_SRC_TOP 25u
#define SCALE_BLOCK_RULES 26u
#define SCALE_BLOCK_RULE_TABLE { \
    {64, 0x2, 2, 8192u}, \
    {66, 0x2, 2, 8192u}, \
    {8, 0x8, 0, 4294967295u}, \
    {96, 0x1, 0, 1u}, \
    {97, 0x1, 0, 2u}, \
    {98, 0x1, 0, 4u}, \
    {68, 0x2, 0, 8192u}, \
    {70, 0x2, 0, 8192u}, \
    {16, 0x8, 0, 4294967295u}, \
    {72, 0x2, 0, 8192u}, \
    {74, 0x2, 0, 8192u}, \
    {24, 0x8, 0, 4294967295u}, \
    {76, 0x2, 0, 8192u}, \
    {78, 0x2, 0, 8192u}, \
    {32, 0x8, 0, 4294967295u}, \
    {80, 0x2, 0, 8192u}, \
    {82, 0x2, 0, 8192u}, \
    {40, 0x8, 0, 4294967295u}, \
    {84, 0x2, 0, 8192u}, \
    {86, 0x2, 0, 8192u}, \
    {48, 0x8, 0, 4294967295u}, \
    {56, 0x8, 0, 4294967295u}, \
    {88, 0x2, 0, 16384u}, \
    {90, 0x2, 0, 16384u}, \
    {92, 0x2, 0, 16384u}, \
    {94, 0x2, 0, 16384u}, \
}

struct decode_block {
    uint16_t version; // VERSION
    uint8_t kind; // Kind of the block
    uint8_t block_type; // 0 session block, 1 job block
    uint32_t size; // BLOCK_BYTES
    uint64_t out_address; // surface of the frame
    uint64_t parameters_address; // slice, matrix and reference records (asic_model/cores/decode/job.py)
    uint64_t stream_address; // slice data
    uint64_t motion_address; // motion buffer of the frame; 0: none
    uint32_t stream_bytes; // its size [bytes]
    uint32_t slice_count; // slices of the picture
    uint32_t number; // identity of the frame within the session
    int32_t poc_top; // TopFieldOrderCnt
    int32_t poc_bottom; // BottomFieldOrderCnt
    uint32_t seed;
    uint16_t width; // luma samples of the frame, whole macroblocks
    uint16_t height; // luma rows of the frame, whole macroblocks (pairs of them for fields and MBAFF)
    uint8_t matrix_count; // scaling matrices
    uint8_t reference_count; // reference records
    uint8_t structure; // 1 top field, 2 bottom field, 3 frame
    uint8_t mbaff; // MbaffFrameFlag
    uint8_t chroma; // 0: monochrome
    uint8_t direct_8x8_inference;
    uint8_t bypass; // qpprime_y_zero_transform_bypass_flag
    int8_t conceal_reference; // reference record that lost macroblocks are copied from; -1: none
    uint8_t reserved[180];
};
_Static_assert(sizeof(struct decode_block) == 256, "decode_block");
_Static_assert(offsetof(struct decode_block, version) == 0, "version");
_Static_assert(offsetof(struct decode_block, kind) == 2, "kind");
_Static_assert(offsetof(struct decode_block, block_type) == 3, "block_type");
_Static_assert(offsetof(struct decode_block, size) == 4, "size");
_Static_assert(offsetof(struct decode_block, width) == 64, "width");
_Static_assert(offsetof(struct decode_block, height) == 66, "height");
_Static_assert(offsetof(struct decode_block, out_address) == 8, "out_address");
_Static_assert(offsetof(struct decode_block, parameters_address) == 16, "parameters_address");
_Static_assert(offsetof(struct decode_block, stream_address) == 24, "stream_address");
_Static_assert(offsetof(struct decode_block, stream_bytes) == 40, "stream_bytes");
_Static_assert(offsetof(struct decode_block, slice_count) == 44, "slice_count");
_Static_assert(offsetof(struct decode_block, matrix_count) == 68, "matrix_count");
_Static_assert(offsetof(struct decode_block, reference_count) == 69, "reference_count");
_Static_assert(offsetof(struct decode_block, motion_address) == 32, "motion_address");
_Static_assert(offsetof(struct decode_block, structure) == 70, "structure");
_Static_assert(offsetof(struct decode_block, mbaff) == 71, "mbaff");
_Static_assert(offsetof(struct decode_block, chroma) == 72, "chroma");
_Static_assert(offsetof(struct decode_block, direct_8x8_inference) == 73, "direct_8x8_inference");
_Static_assert(offsetof(struct decode_block, bypass) == 74, "bypass");
_Static_assert(offsetof(struct decode_block, number) == 48, "number");
_Static_assert(offsetof(struct decode_block, poc_top) == 52, "poc_top");
_Static_assert(offsetof(struct decode_block, poc_bottom) == 56, "poc_bottom");
_Static_assert(offsetof(struct decode_block, conceal_reference) == 75, "conceal_reference");
_Static_assert(offsetof(struct decode_block, seed) == 60, "seed");
#define DECODE_BLOCK_USED_BYTES 76u
#define DECODE_BLOCK_NUMBER_WIDTH 0u
#define DECODE_BLOCK_NUMBER_HEIGHT 1u
#define DECODE_BLOCK_NUMBER_OUT_ADDRESS 2u
#define DECODE_BLOCK_NUMBER_PARAMETERS_ADDRESS 3u
#define DECODE_BLOCK_NUMBER_STREAM_ADDRESS 4u
#define DECODE_BLOCK_NUMBER_STREAM_BYTES 5u
#define DECODE_BLOCK_NUMBER_SLICE_COUNT 6u
#define DECODE_BLOCK_NUMBER_MATRIX_COUNT 7u
#define DECODE_BLOCK_NUMBER_REFERENCE_COUNT 8u
#define DECODE_BLOCK_NUMBER_MOTION_ADDRESS 9u
#define DECODE_BLOCK_NUMBER_STRUCTURE 10u
#define DECODE_BLOCK_NUMBER_MBAFF 11u
#define DECODE_BLOCK_NUMBER_CHROMA 12u
#define DECODE_BLOCK_NUMBER_DIRECT_8X8_INFERENCE 13u
#define DECODE_BLOCK_NUMBER_BYPASS 14u
#define DECODE_BLOCK_NUMBER_NUMBER 15u
#define DECODE_BLOCK_NUMBER_POC_TOP 16u
#define DECODE_BLOCK_NUMBER_POC_BOTTOM 17u
#define DECODE_BLOCK_NUMBER_CONCEAL_REFERENCE 18u
#define DECODE_BLOCK_NUMBER_SEED 19u
#define DECODE_BLOCK_RULES 20u
#define DECODE_BLOCK_RULE_TABLE { \
    {64, 0x2, 16, 16384u}, \
    {66, 0x2, 16, 16384u}, \
    {8, 0x8, 0, 4294967295u}, \
    {16, 0x8, 0, 4294967295u}, \
    {24, 0x8, 0, 4294967295u}, \
    {40, 0x4, 1, 268435456u}, \
    {44, 0x4, 1, 262144u}, \
    {68, 0x1, 1, 255u}, \
    {69, 0x1, 0, 33u}, \
    {32, 0x8, 0, 4294967295u}, \
    {70, 0x1, 1, 3u}, \
    {71, 0x1, 0, 1u}, \
    {72, 0x1, 0, 1u}, \
    {73, 0x1, 0, 1u}, \
    {74, 0x1, 0, 1u}, \
    {48, 0x4, 0, 268435455u}, \
    {52, 0x84, -2147483648, 2147483647u}, \
    {56, 0x84, -2147483648, 2147483647u}, \
    {75, 0x81, -1, 32u}, \
    {60, 0x4, 0, 4294967295u}, \
}

#endif
