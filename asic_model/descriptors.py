"""Commands, completions and job blocks: the one source of their layout, and the protocol of submission.

Driver and model use the classes below; the firmware uses `firmware/include/tasic_descriptors.h`, which `c_header()`
makes from the same lists (`python -m asic_model.registers.generate`). All fields are little-endian and naturally
aligned; bytes that no field covers are reserved and must be 0.

How a job gets to the chip (addresses are byte addresses in device memory, registers as in docs/registers.md):

 1. Check `id` and `interface_version`. Wait until `firmware_status.state` is RUN (2). Write VERSION to
    `host_version`, then wait until `negotiation` shows the same version: ACCEPTED (1), or REFUSED (2) and stop here.
 2. For a queue n of the function's own (`capacity.queues` of them, from 0): put a command ring and a completion ring in
    device memory, each of 1 << size_log2 records of 64 bytes, 64-byte aligned, at or above `firmware_area`, not
    overlapping. Write `queues[n].base_*`,
    `completion_base_*`, 0 to `tail` and `completion_head`, then `control` with `size_log2` and `enable`.
    `queues[n].status` becomes RUNNING (1) or names what is wrong. Indices start at 0 and run freely (32 bits): slot =
    index % ring size. To stop: `control` 0, then wait for STOPPED (0) before anything else is done with the queue.
 3. To submit: write the job block (256 bytes, 256-byte aligned), write the command record into slot
    `tail % size`, and last write `tail + 1` to `queues[n].tail`, the doorbell. Several commands may go with one
    doorbell. The ring is full while tail - `head` = size. Once `head` passed a command, its slot *and its job block*
    may be reused: the firmware works on its own copies.
 4. Everything else that the job names (surfaces, maps, output) belongs to the device until its completion.
 5. Every command gives exactly one completion, in slot `completion_tail % size` of the completion ring; the
    firmware writes the record, then `completion_tail`, then raises event `completion`. The host takes records up to
    `completion_tail`, then writes `completion_head`. A full completion ring stops the queue from taking commands.
    Clear `event_status.completion` *before* reading `completion_tail`, or a completion may be missed.

Sessions. OPEN_SESSION (block: SessionBlock) gives back the session's number in its completion; it belongs to the
queue that opened it. Jobs of one session run one at a time in the order of submission and complete in that order;
their `sequence` numbers (any start, mod 2**32) must grow, by less than 2**31 each time. RECONFIGURE and CLOSE_SESSION
take their place in that order. Jobs of different sessions run at the same time.

Fences. A job with `wait_session` != 0 starts only after that session (of the same queue) completed the command with
`wait_sequence`, or any later one. The command that is waited for must have been submitted before.

Priority and deadline. Ready jobs of queues with a higher `control.priority` go to cores first; queues of equal priority
take turns. Within a queue the job with the earliest deadline goes first, those without one last. A deadline missed does
not end a job; its completion says `late`.

Watchdog. A job that runs longer than its session's `watchdog_us` is ended by resetting its core, which goes out of
service if another one of its kind is left, and is tried once more; after that it completes as TIMED_OUT.

Functions. Function 0 has the whole chip, four queues and all registers that the host may write. Functions 1..12, one a
client, see the same register map with their own events, one queue, and a window of device memory whose address 0 is
their first byte; `firmware_area` of it (one page) cannot be named, so that address 0 stays "none". All their addresses
are translated through the window by firmware, cores and host link, and one that leaves it ends as ACCESS_VIOLATION.

Rate control. In a session with `bit_rate` != 0 the firmware chooses the QP of each picture (`qp` in the job block is
ignored, the completion says which one was used); otherwise the job's own `qp` holds.
"""

from collections.abc import Mapping
from enum import IntEnum, IntFlag
from typing import NamedTuple

from asic_model.memory.surface import PITCH_ALIGNMENT_BYTES, surface
from asic_model.record_layout import BLOCK_BYTES, Field, Layout, Template
from asic_model.record_layout import make_field as _field

VERSION = 1  # of all records on this page
PLAN_ENTRIES_MOST = 64
FIRST_PASS_SLOTS_MOST = 128
RECORD_BYTES = 64
BLOCK_ALIGNMENT_BYTES = 256
STREAM_ALIGNMENT_BYTES = 64  # of stream, map and motion buffers; surfaces: memory.surface.ADDRESS_ALIGNMENT_BYTES


class Command(IntEnum):
    """`type` of a command and of its completion."""

    NOP = 0  # completes; in a session: in the session's order, so it marks "all before me are done"
    OPEN_SESSION = 1
    CLOSE_SESSION = 2
    RECONFIGURE = 3
    ENCODE = 4
    SCALE = 5
    DECODE = 6


class CommandFlag(IntFlag):
    """`flags` of a command."""

    QUIET = 1  # completion raises no event (poll, or let a later one tell)


class Tool(IntFlag):
    """Decisions of the encode core that a job can leave out (`tools_off`), whatever its effort."""

    SHAPES = 1  # partitions below 16x16
    BOTH_TRANSFORMS = 2  # trial of the other transform size in inter macroblocks
    INTRA_4X4 = 4
    INTRA_8X8 = 8
    INTRA_IN_INTER = 16  # intra macroblocks in P and B pictures
    RDO_QUANTISATION = 32  # levels by rate and distortion; else by dead zone, a third or a sixth of a step
    EARLY_SKIP = 64
    COARSE_SEARCH = 128  # the search's level at 1/4 resolution
    BI_PREDICTION = 256  # other than direct
    DIRECT = 512  # B_Skip and direct
    SUB_PARTITIONS = 1024  # partitions below 8x8 in P pictures
    # I pictures by rate and distortion of trials; else in one pass, by SATD and dead zone, as in RTL. P pictures of one
    # reference likewise where SHAPES are left out too.
    TRIALS = 2048


class Kind(IntEnum):
    """Kind of core, session and job block. Equal to `cores[].kind` in the register map."""

    NONE = 0
    ENCODE = 1
    SCALE = 2
    DECODE = 3


class EncodeMode(IntEnum):
    """What a job of the encode core does. The first pass (docs/rate_control.md) runs on the same engines."""

    ENCODE = 0
    SHRINK = 1  # first pass: the source's luma to half size, then as LOOK
    LOOK = 2  # first pass: what the macroblocks of a picture at half size would cost, intra and inter
    HAND_ON = 3  # first pass: what the pictures of a plan are worth to those that refer to them; QP maps


class Status(IntEnum):
    """`status` of a completion. Up to 15: from the core (asic_model/cores/result.py), else from the firmware."""

    OK = 0
    BAD_FIELD = 1  # detail: number of the field in the job block (its place in the list below)
    OUTPUT_FULL = 2  # the stream did not fit; nothing usable was written
    CORRUPT_INPUT = 3  # decoded with concealment; detail: macroblocks concealed
    MEMORY_ERROR = 4  # ECC could not correct what the job read; detail: address / 64
    ACCESS_VIOLATION = 5  # an address left the function's window; detail: number of the field (core: of no field, 255)
    CORE_RESET = 6  # the core was reset under the job (the firmware tries it again: a host never sees this)
    BAD_VERSION = 16  # detail: the version found, in the command or its block
    BAD_TYPE = 17  # unknown command; detail: the type found
    BAD_COMMAND = 18  # detail: number of the field in the command record; 255 for reserved bytes
    BAD_BLOCK = 19  # block address misaligned or not readable, wrong kind or size, reserved bytes not 0; detail: cause
    BAD_SESSION = 20  # not open, or not of this queue, or of another kind; detail: the number found
    BAD_SEQUENCE = 21  # not greater than the last one of the session; detail: the last one
    BAD_FENCE = 22  # waits for a command that was not submitted before; detail: wait_sequence
    NO_CAPACITY = 23  # OPEN_SESSION: detail: CapacityLimit
    NO_CORE = 24  # this chip has no core of that kind
    ABORTED = 25  # the queue was disabled
    TIMED_OUT = 26  # ended by the watchdog on every attempt; detail: attempts


class CapacityLimit(IntEnum):
    """`detail` of NO_CAPACITY: which limit."""

    SESSIONS = 0  # of the chip
    ENCODE_RATE = 1  # of the chip
    FUNCTION_SESSIONS = 2  # of the client's function
    FUNCTION_ENCODE_RATE = 3


class LogCode(IntEnum):
    """What a record of the firmware's log says, with its figures a, b, c, d."""

    BOOT = 1  # firmware version, encode, scale, decode cores
    VERSION = 2  # descriptor version asked for, answer
    QUEUE_STATE = 3  # queue, state, tail, head
    REJECTED = 4  # queue, sequence, status, detail
    SESSION_OPENED = 5  # session, queue, kind, width << 16 | height
    SESSION_CLOSED = 6  # session, last sequence
    JOB_FAILED = 7  # session, sequence, status, detail
    STRAY_CORE = 8  # core that finished without a job
    WATCHDOG = 9  # core, session, sequence, attempt
    CORES_OUT = 10  # mask of cores out of service, cause: 0 host, 1 watchdog
    VIOLATION = 11  # queue, sequence, number of the field
    DEADLINE_MISSED = 12  # session, sequence, ticks late


COMMAND = Layout(
    "command",
    RECORD_BYTES,
    (
        _field("version", "H", "VERSION"),
        _field("type", "B", "Command"),
        _field("flags", "B", "CommandFlag", 0, 1),
        _field("sequence", "I", "the host's number of the command"),
    ),
    (
        _field("session", "I", "session that the command belongs to; 0: none"),
        _field("wait_session", "I", "fence: session to wait for; 0: no fence"),
        _field("wait_sequence", "I", "fence: its command to wait for"),
        _field("block_address", "Q", "job block or session block; 0 where the type has none"),
        _field("user_data", "Q", "given back in the completion"),
        _field("deadline_us", "I", "when it should be finished, from now [microseconds]; 0: no deadline"),
        _field("core", "B", "1 + number of the core that must run it (queues 0..3 only); 0: any of its kind"),
    ),
)

COMPLETION = Layout(
    "completion",
    RECORD_BYTES,
    (
        _field("version", "H", "VERSION"),
        _field("type", "B", "as in the command"),
        _field("status", "B", "Status"),
        _field("sequence", "I", "as in the command"),
    ),
    (
        _field("session", "I", "as in the command; OPEN_SESSION: the new session"),
        _field("detail", "I", "by status"),
        _field("submitted", "Q", "when the firmware took the command [ticks of the control clock]"),
        _field("started", "Q", "when the core started; 0 without a core [ticks]"),
        _field("finished", "Q", "when the core finished, or the firmware [ticks]"),
        _field("user_data", "Q", "as in the command"),
        _field("output_bytes", "I", "bytes of stream or result"),
        _field("index", "I", "this completion's index + 1: tells a new record from an old one"),
        _field("core", "B", "number of the core; 255: none"),
        _field("qp", "B", "ENCODE: QP that was used"),
        _field("attempts", "B", "how often the job was given to a core"),
        _field("late", "B", "1: finished after its deadline"),
    ),
)

LOG_RECORD = Layout(
    "log_record",
    RECORD_BYTES,
    (),
    (
        _field("ticks", "Q", "when [ticks of the control clock]"),
        _field("index", "I", "number of the record, from 0; `log_count` is the next one"),
        _field("code", "I", "LogCode"),
        _field("a", "I", "by code"),
        _field("b", "I", "by code"),
        _field("c", "I", "by code"),
        _field("d", "I", "by code"),
    ),
)

_BLOCK_HEADER = (
    _field("version", "H", "VERSION", VERSION, VERSION),
    _field("kind", "B", "Kind of the block"),
    _field("block_type", "B", "0 session block, 1 job block", 0, 1),
    _field("size", "I", "BLOCK_BYTES", BLOCK_BYTES, BLOCK_BYTES),
)


class PictureClass(IntEnum):
    """What rate control tells apart; `PICTURE_QP_OFFSET` from the base QP, which is that of P pictures."""

    I = 0  # noqa: E741
    P = 1
    B_REFERENCE = 2
    B = 3


# What others refer to is coded finer, as encoders commonly do (factors of 1.4 and 1.3).
PICTURE_QP_OFFSET = {PictureClass.I: -3, PictureClass.P: 0, PictureClass.B_REFERENCE: 1, PictureClass.B: 2}

# Bits x quantiser step (1 at QP 0) of a unit of cost, Q16, by class, until the first picture came back.
PLAN_USUAL = {PictureClass.I: 98304, PictureClass.P: 196608, PictureClass.B_REFERENCE: 196608, PictureClass.B: 196608}

SESSION_BLOCK = Layout(
    "session_block",
    BLOCK_BYTES,
    _BLOCK_HEADER,
    (
        _field("width", "H", "luma samples: of all pictures (encode), largest (scale, decode)", 1, 16384),
        _field("height", "H", "luma rows, likewise", 1, 16384),
        _field("rate_numerator", "I", "pictures a second: numerator; not 0 with a bit rate", 0, 1_000_000),
        _field("rate_denominator", "I", "denominator", 1, 1_000_000),
        _field("bit_rate", "I", "target [bits/s]; 0: the jobs give the QP", 0, 2_000_000_000),
        _field(
            "max_rate", "I", "at which the decoder's buffer fills [bits/s]; 0: no buffer is kept to", 0, 2_000_000_000
        ),
        _field("buffer_bits", "I", "the decoder's buffer [bits]; not 0 with max_rate", 0, 2_000_000_000),
        _field("initial_bits", "I", "in it when the first picture is taken out", 0, 2_000_000_000),
        _field("overhead_bits", "H", "that the host adds to each picture (SEI)"),
        _field("idr_overhead_bits", "H", "to each IDR picture (parameter sets, SEI)"),
        _field("intra_period", "I", "pictures from one IDR to the next, as far as known; 0: unknown", 0, 1_000_000),
        _field("reserve_kilosamples", "I", "encode rate to reserve [1000 luma samples/s]; 0: as time allows"),
        _field("b_frames", "B", "most B pictures between two others", 0, 16),
        _field("quality_qp", "B", "constant quality: base QP in quarters, 1 more; 0: none", 0, 205),
        _field("qp_min", "B", "smallest QP that rate control may use", 0, 51),
        _field("qp_max", "B", "largest", 0, 51),
        _field("watchdog_us", "I", "longest that a job may run [microseconds]; 0: by picture size", 0, 60_000_000),
    ),
)


def _source_window() -> tuple[Field, ...]:
    """The last fields of a block whose source may be a part of a larger surface, as decoded pictures are."""
    return (
        _field(
            "src_surface_width", "H", "luma samples of the surface that holds the source; 0: the source alone", 0, 16384
        ),
        _field("src_surface_height", "H", "its luma rows; 0 likewise", 0, 16384),
        _field("src_left", "H", "luma samples left of the source in it, even", 0, 16384),
        _field("src_top", "H", "luma rows above the source in it, even", 0, 16384),
    )


# The order of the body is the order of the fields of the core's job class; `surface()` says how big surfaces are.
ENCODE_BLOCK = Layout(
    "encode_block",
    BLOCK_BYTES,
    _BLOCK_HEADER,
    (
        _field("width", "H", "luma samples, even", 16, 4096),
        _field("height", "H", "luma rows, even", 16, 2304),
        _field("src_address", "Q", "source surface, width x height or as src_surface_width says"),
        _field("recon_address", "Q", "reconstruction, coded size"),
        _field("out_address", "Q", "stream out"),
        _field("out_capacity", "I", "its room [bytes]", 256, 1 << 28),
        _field("ref_count", "B", "reference pictures", 0, 4),
        _field("ref_address_0", "Q", "reference 0, coded size"),
        _field("ref_address_1", "Q", "reference 1"),
        _field("ref_address_2", "Q", "reference 2"),
        _field("ref_address_3", "Q", "reference 3"),
        _field("motion_in_address", "Q", "motion of the first picture of list 0 (P), list 1 (B); 0: none"),
        _field("motion_out_address", "Q", "motion to keep; 0: none"),
        _field("qp_map_address", "Q", "int8 QP offset a macroblock, raster order; 0: none"),
        _field("slice_type", "B", "0 P, 1 B, 2 I", 0, 2),
        _field("idr", "B", "1: IDR picture", 0, 1),
        _field("nal_ref_idc", "B", "", 0, 3),
        _field("frame_num", "I", "", 0, 65535),
        _field("idr_pic_id", "H", "", 0, 65535),
        _field("poc_lsb", "I", "", 0, 65535),
        _field("log2_max_frame_num", "B", "", 4, 16),
        _field("log2_max_poc_lsb", "B", "0: pic_order_cnt_type 2, no poc_lsb; or 4..16", 0, 16),
        _field("qp", "B", "luma QP of the picture", 0, 51),
        _field("chroma_qp_offset", "b", "", -12, 12),
        _field("entropy", "B", "0 CAVLC, 1 CABAC", 0, 1),
        _field("cabac_init_idc", "B", "", 0, 2),
        _field("slices", "B", "slices of the picture, at most its macroblock rows", 1, 144),
        _field("deblock_disable", "B", "disable_deblocking_filter_idc", 0, 2),
        _field("deblock_alpha", "b", "slice_alpha_c0_offset_div2", -6, 6),
        _field("deblock_beta", "b", "slice_beta_offset_div2", -6, 6),
        _field("effort", "B", "0 fast, 1 medium, 2 slow", 0, 2),
        _field("transform_8x8", "B", "transform_8x8_mode_flag: High profile", 0, 1),
        _field("seed", "I", ""),
        *_source_window(),
        _field("ref_l1_count", "B", "reference pictures of list 1", 0, 2),
        _field("ref_l1_address_0", "Q", "reference 0 of list 1, coded size"),
        _field("ref_l1_address_1", "Q", "reference 1"),
        _field("poc", "i", "picture order count, for distances in time"),
        *(_field(f"ref_poc_{i}", "i", "that of the reference") for i in range(4)),
        *(_field(f"ref_l1_poc_{i}", "i", "") for i in range(2)),
        _field("modify_lists", "B", "bit 0, 1: the header spells out list 0, 1", 0, 3),
        *(_field(f"ref_frame_num_{i}", "H", "frame_num of the reference") for i in range(4)),
        *(_field(f"ref_l1_frame_num_{i}", "H", "") for i in range(2)),
        _field("unmark_count", "B", "references to forget after this picture; 0: sliding window", 0, 4),
        *(_field(f"unmark_{i}", "H", "difference_of_pic_nums_minus1") for i in range(4)),
        _field("direct_temporal", "B", "direct prediction: 0 spatial, 1 temporal", 0, 1),
        _field("weighted", "B", "bit 0: explicit in P, bit 1: implicit in B", 0, 3),
        _field("tools_off", "H", "bit set of decisions left out, class Tool", 0, 4095),
        _field("max_bits", "I", "that the picture must not exceed: macroblocks become coarser on the way; 0: no limit"),
        *(
            _field(
                f"dead_zone_{kind}",
                "B",
                f"levels of {kind} blocks: 0 by rate and distortion; else 1 + dead zone",
                0,
                32,
            )
            for kind in ("inter", "intra")
        ),
        _field("mode", "B", "EncodeMode", 0, 3),
        _field("plan_address", "Q", "mode ENCODE: the plan that rate control reads; 0: none"),
        _field("plan_index", "B", "mode ENCODE: the picture's entry in it", 0, PLAN_ENTRIES_MOST - 1),
        _field("plan_count", "B", "mode HAND_ON: entries of the plan at out_address", 0, PLAN_ENTRIES_MOST),
        _field("slots", "B", "mode HAND_ON: first-pass records at recon_address", 0, FIRST_PASS_SLOTS_MOST),
        _field("tree_strength", "B", "mode HAND_ON: QP steps for a macroblock worth twice its cost, in sixteenths"),
        _field("aq_strength", "B", "mode HAND_ON: strength of adaptive quantisation, in sixteenths; 0: none"),
        _field("vectors_address", "Q", "mode ENCODE: first-pass records of the picture, where search begins; 0: none"),
    ),
)

SCALE_BLOCK = Layout(
    "scale_block",
    BLOCK_BYTES,
    _BLOCK_HEADER,
    (
        _field("width", "H", "luma samples of the source (mode 0) or of the region compared (mode 1)", 2, 8192),
        _field("height", "H", "luma rows, likewise", 2, 8192),
        _field("src_address", "Q", "source surface, width x height or as src_surface_width says"),
        _field("mode", "B", "0 scale, 1 quality", 0, 1),
        _field("chroma_siting", "B", "0 left, 1 centre, 2 top left", 0, 2),
        _field("output_count", "B", "outputs: 1..4 (mode 0), 0 (mode 1)", 0, 4),
        *(
            field
            for i in range(4)
            for field in (
                _field(f"out{i}_width", "H", f"output {i}: luma samples; 0 when unused", 0, 8192),
                _field(f"out{i}_height", "H", f"output {i}: luma rows; 0 when unused", 0, 8192),
                _field(f"out{i}_address", "Q", f"output {i}: surface; 0 when unused"),
            )
        ),
        _field("ref_width", "H", "mode 1: luma samples of the picture compared with; 0 in mode 0", 0, 8192),
        _field("ref_height", "H", "mode 1: its luma rows; 0 in mode 0", 0, 8192),
        _field("ref_address", "Q", "mode 1: its surface; 0 in mode 0"),
        _field("result_address", "Q", "mode 1: where the sums go (80 bytes); 0 in mode 0"),
        *_source_window(),
    ),
)

DECODE_BLOCK = Layout(
    "decode_block",
    BLOCK_BYTES,
    _BLOCK_HEADER,
    (
        _field("width", "H", "luma samples of the frame, whole macroblocks", 16, 16384),
        _field(
            "height", "H", "luma rows of the frame, whole macroblocks (pairs of them for fields and MBAFF)", 16, 16384
        ),
        _field("out_address", "Q", "surface of the frame"),
        _field("parameters_address", "Q", "slice, matrix and reference records (asic_model/cores/decode/job.py)"),
        _field("stream_address", "Q", "slice data"),
        _field("stream_bytes", "I", "its size [bytes]", 1, 1 << 28),
        _field("slice_count", "I", "slices of the picture", 1, 1 << 18),
        _field("matrix_count", "B", "scaling matrices", 1, 255),
        _field("reference_count", "B", "reference records", 0, 33),
        _field("motion_address", "Q", "motion buffer of the frame; 0: none"),
        _field("structure", "B", "1 top field, 2 bottom field, 3 frame", 1, 3),
        _field("mbaff", "B", "MbaffFrameFlag", 0, 1),
        _field("chroma", "B", "0: monochrome", 0, 1),
        _field("direct_8x8_inference", "B", "", 0, 1),
        _field("bypass", "B", "qpprime_y_zero_transform_bypass_flag", 0, 1),
        _field("number", "I", "identity of the frame within the session", 0, (1 << 28) - 1),
        _field("poc_top", "i", "TopFieldOrderCnt"),
        _field("poc_bottom", "i", "BottomFieldOrderCnt"),
        _field("conceal_reference", "b", "reference record that lost macroblocks are copied from; -1: none", -1, 32),
        _field("seed", "I", ""),
    ),
)

# First pass and rate control: a plan is a header and an entry a picture, in coding order.
PLAN_HEADER = Layout(
    "plan_header",
    64,
    (),
    (
        *(_field(f"far_cost_{i}", "Q", f"sum of the costs of class {i} behind the entries") for i in range(4)),
        *(_field(f"far_count_{i}", "I", "how many they are") for i in range(4)),
        _field("count", "B", "entries", 0, PLAN_ENTRIES_MOST),
        _field("final", "B", "1: nothing comes behind entries and far pictures", 0, 1),
        _field("measured", "B", "1: costs are bits x quantiser step, as an earlier pass found them", 0, 1),
    ),
)
PLAN_ENTRY = Layout(
    "plan_entry",
    16,
    (),
    (
        _field("cost", "I", "of the picture; written by HAND_ON unless `measured`"),
        _field("offset", "b", "QP offset of the whole picture; written by HAND_ON", -51, 51),
        _field("bias", "b", "QP of the picture's class beside the base QP, in quarters"),
        _field("picture_class", "B", "PictureClass", 0, 3),
        _field("idr", "B", "", 0, 1),
        _field("slot", "B", "its first-pass record"),
        _field("ref", "B", "record of the picture that it refers to; 255: none"),
        _field("ref_l1", "B", "of list 1; 255: none"),
    ),
)
PLAN_BYTES = PLAN_HEADER.size_bytes + PLAN_ENTRIES_MOST * PLAN_ENTRY.size_bytes
FIRST_PASS_SUMMARY_BYTES = 64
FIRST_PASS_RECORD_BYTES = 12  # of one macroblock
FIRST_PASS_WORTH_BYTES = 4


class FirstPassLayout(NamedTuple):
    """Where the parts of one picture's first-pass record stand, from its first byte on, and its size at half size."""

    records: int  # FIRST_PASS_RECORD_BYTES a macroblock: costs and vectors (asic_model/engines/first_pass.py)
    worth: int  # FIRST_PASS_WORTH_BYTES a macroblock
    variance: int  # int8 a macroblock: QP offset of adaptive quantisation, in eighths
    qp_map: int  # int8 a macroblock: offset from the picture's QP
    slot_bytes: int
    half_bytes: int  # luma at half size


def first_pass_layout(width: int, height: int) -> FirstPassLayout:
    """Of pictures of `width` x `height` luma samples."""
    columns, rows = -(-width // 16), -(-height // 16)
    count = columns * rows
    worth = FIRST_PASS_SUMMARY_BYTES + FIRST_PASS_RECORD_BYTES * count
    variance = worth + FIRST_PASS_WORTH_BYTES * count
    qp_map = -(-(variance + count) // 64) * 64
    half_columns, half_rows = -(-columns // 2) * 16, -(-rows // 2) * 16  # whole macroblocks of the search
    half_pitch = -(-half_columns // PITCH_ALIGNMENT_BYTES) * PITCH_ALIGNMENT_BYTES
    return FirstPassLayout(
        FIRST_PASS_SUMMARY_BYTES, worth, variance, qp_map, -(-(qp_map + count) // 64) * 64, half_pitch * half_rows
    )


JOB_BLOCKS = {Kind.ENCODE: ENCODE_BLOCK, Kind.SCALE: SCALE_BLOCK, Kind.DECODE: DECODE_BLOCK}
JOB_COMMANDS = {Command.ENCODE: Kind.ENCODE, Command.SCALE: Kind.SCALE, Command.DECODE: Kind.DECODE}
QUALITY_RESULT_BYTES = 80
MOTION_BYTES = 32  # encoder: co-located motion of one macroblock
# Decoder: records of the parameter block, and motion of one macroblock of a frame.
DECODE_SLICE_BYTES, DECODE_MATRICES_BYTES, DECODE_REFERENCE_BYTES, DECODE_MOTION_BYTES = 930, 224, 32, 85

# Detail of BAD_BLOCK.
BLOCK_CAUSES = {0: "address", 1: "kind", 2: "block_type", 3: "size", 4: "reserved bytes"}


def pack_command(type: Command, sequence: int, **fields: int) -> bytes:
    """Return a 64-byte command of this VERSION."""
    values = {"version": VERSION, "type": int(type), "sequence": sequence & 0xFFFFFFFF}
    return COMMAND.pack(values | fields)


_COMMAND_CODE, _COMMAND_NAMES = COMMAND.whole


def pack_sent(
    type: int, sequence: int, session: int, wait_session: int, wait_sequence: int, block_address: int, user_data: int,
    deadline_us: int, core: int,
) -> bytes:  # fmt: skip
    """`pack_command` for one that is sent often: every field is given, all fit."""
    return _COMMAND_CODE.pack(
        VERSION, type, 0, sequence & 0xFFFFFFFF, block_address, user_data, session, wait_session, wait_sequence,
        deadline_us, core,
    )  # fmt: skip


assert _COMMAND_NAMES == ("version", "type", "flags", "sequence", "block_address", "user_data", "session",
                          "wait_session", "wait_sequence", "deadline_us", "core")  # fmt: skip


def unpack_completion(record: bytes) -> dict[str, int]:
    """Return the fields of a completion."""
    return COMPLETION.unpack(record)


def pack_session(kind: Kind, **fields: int) -> bytes:
    """Return a 256-byte session block. Ranges are checked."""
    values = {"version": VERSION, "kind": int(kind), "block_type": 0, "size": BLOCK_BYTES, "rate_denominator": 1}
    values |= {"qp_max": 51, **fields}
    SESSION_BLOCK.check(values)
    return SESSION_BLOCK.pack(values)


def job_template(kind: Kind, fields: Mapping[str, int]) -> Template:
    """A job block of that kind of which only some fields change from job to job."""
    header = {"version": VERSION, "kind": int(kind), "block_type": 1, "size": BLOCK_BYTES}
    return JOB_BLOCKS[kind].template({**header, **fields})


def pack_job(kind: Kind, fields: Mapping[str, int]) -> bytes:
    """Return a 256-byte job block of that kind. `fields`: the job class's fields, e.g. dataclasses.asdict(job)."""
    layout = JOB_BLOCKS[kind]
    values = {"version": VERSION, "kind": int(kind), "block_type": 1, "size": BLOCK_BYTES, **fields}
    layout.check(values)
    return layout.pack(values)


def unpack_job(block: bytes) -> tuple[Kind, dict[str, int]]:
    """Return kind and body fields of a job block: what the core's job class is built from."""
    kind = Kind(block[ENCODE_BLOCK.offsets["kind"]])
    layout = JOB_BLOCKS[kind]
    values = layout.unpack(block)
    return kind, {field.name: values[field.name] for field in layout.body}


class Region(NamedTuple):
    """A part of device memory that a job reads or writes."""

    field: str
    address: int
    size_bytes: int
    write: bool


def regions(kind: Kind, fields: Mapping[str, int]) -> list[Region]:
    """What a job with these body fields reads and writes; fields that are 0 for "none" name nothing."""
    width, height = fields["width"], fields["height"]
    if kind is Kind.DECODE:
        return _decode_regions(fields)
    if kind is Kind.ENCODE and fields["mode"] > EncodeMode.SHRINK:
        return _first_pass_regions(fields)
    held = width, height
    if fields["src_surface_width"]:
        held = fields["src_surface_width"], fields["src_surface_height"]
    source = Region("src_address", fields["src_address"], surface(*held).size_bytes, False)
    found = [source]
    if kind is Kind.ENCODE and fields["mode"]:
        return [source, *_first_pass_regions(fields)]
    if kind is Kind.ENCODE:
        columns, rows = -(-width // 16), -(-height // 16)
        coded, macroblocks = surface(columns * 16, rows * 16).size_bytes, columns * rows
        found.append(Region("recon_address", fields["recon_address"], coded, True))
        found.append(Region("out_address", fields["out_address"], fields["out_capacity"], True))
        for i in range(fields["ref_count"]):
            found.append(Region(f"ref_address_{i}", fields[f"ref_address_{i}"], coded, False))
        for i in range(fields["ref_l1_count"]):
            found.append(Region(f"ref_l1_address_{i}", fields[f"ref_l1_address_{i}"], coded, False))
        for name, size, write in (
            ("motion_in_address", macroblocks * MOTION_BYTES, False),
            ("motion_out_address", macroblocks * MOTION_BYTES, True),
            ("qp_map_address", macroblocks, False),
            ("plan_address", PLAN_BYTES, False),
            ("vectors_address", macroblocks * FIRST_PASS_RECORD_BYTES, False),
        ):
            if fields[name]:
                found.append(Region(name, fields[name], size, write))
    elif kind is Kind.SCALE and fields["mode"] == 0:
        for i in range(fields["output_count"]):
            size = surface(fields[f"out{i}_width"], fields[f"out{i}_height"]).size_bytes
            found.append(Region(f"out{i}_address", fields[f"out{i}_address"], size, True))
    elif kind is Kind.SCALE:
        reference = surface(fields["ref_width"], fields["ref_height"]).size_bytes
        found.append(Region("ref_address", fields["ref_address"], reference, False))
        found.append(Region("result_address", fields["result_address"], QUALITY_RESULT_BYTES, True))
    return found


def _first_pass_regions(fields: Mapping[str, int]) -> list[Region]:
    """Of an encode job of another mode than ENCODE, but for the source that SHRINK reads."""
    layout = first_pass_layout(fields["width"], fields["height"])
    found = [Region("out_address", fields["out_address"], fields["out_capacity"], True)]
    if fields["mode"] == EncodeMode.HAND_ON:
        return [*found, Region("recon_address", fields["recon_address"], fields["slots"] * layout.slot_bytes, True)]
    if fields["mode"] == EncodeMode.SHRINK:
        found.append(Region("recon_address", fields["recon_address"], layout.half_bytes, True))
    else:
        found.append(Region("src_address", fields["src_address"], layout.half_bytes, False))
    for prefix in ("ref", "ref_l1"):
        if fields[f"{prefix}_count"]:
            found.append(Region(f"{prefix}_address_0", fields[f"{prefix}_address_0"], layout.half_bytes, False))
    return found


def _decode_regions(fields: Mapping[str, int]) -> list[Region]:
    """The regions that the block itself names; the pictures referred to stand in the parameter block."""
    parameters = fields["slice_count"] * DECODE_SLICE_BYTES + fields["matrix_count"] * DECODE_MATRICES_BYTES
    parameters += fields["reference_count"] * DECODE_REFERENCE_BYTES
    size = surface(fields["width"], fields["height"]).size_bytes
    motion = (fields["width"] // 16) * (fields["height"] // 16) * DECODE_MOTION_BYTES
    found = [
        Region("out_address", fields["out_address"], size, True),
        Region("parameters_address", fields["parameters_address"], parameters, False),
        Region("stream_address", fields["stream_address"], fields["stream_bytes"], False),
    ]
    if fields["motion_address"]:
        found.append(Region("motion_address", fields["motion_address"], motion, True))
    return found
