"""The encode core's job: one picture, all state in device memory."""

from dataclasses import dataclass, fields
from functools import cached_property

from asic_model.descriptors import (
    FIRST_PASS_RECORD_BYTES,
    FIRST_PASS_SLOTS_MOST,
    PLAN_ENTRIES_MOST,
    PLAN_ENTRY,
    PLAN_HEADER,
    EncodeMode,
    Tool,
    first_pass_layout,
)
from asic_model.memory.surface import Surface, source_surface, surface, window, window_fault

SLICE_P = 0
SLICE_B = 1
SLICE_I = 2
CAVLC = 0
CABAC = 1
EFFORT_FAST, EFFORT_MEDIUM, EFFORT_SLOW = 0, 1, 2
REFERENCES_MAX = 4  # of list 0
REFERENCES_L1_MAX = 2
UNMARKED_MAX = 4
MOTION_BYTES = 32  # co-located motion of one macroblock, `asic_model.cores.encode.motion`


def coded(samples: int) -> int:
    """Size in luma samples as it is coded: whole macroblocks."""
    return (samples + 15) & ~15


@dataclass(frozen=True)
class Reference:
    """One entry of a reference list."""

    surface: Surface
    poc: int
    frame_num: int


@dataclass(frozen=True)
class EncodeJob:
    """One picture to encode. Addresses and sizes in bytes of device memory, picture sizes in luma samples.

    The source (`surface(width, height, src_address)`, or a part of a larger surface) is read with edge replication up
    to whole macroblocks. The reconstruction and the references are stored at that coded size. Slices are written as
    complete NAL units with start codes, from `out_address` on.
    """

    width: int
    height: int
    src_address: int
    recon_address: int
    out_address: int
    out_capacity: int
    ref_count: int = 0
    ref_address_0: int = 0
    ref_address_1: int = 0
    ref_address_2: int = 0
    ref_address_3: int = 0
    motion_in_address: int = 0  # motion of the first picture of list 0 (P) or list 1 (B); 0: none
    motion_out_address: int = 0  # 0: not wanted
    qp_map_address: int = 0  # int8 QP offset of each macroblock in raster order; 0: none
    slice_type: int = SLICE_I  # 0 P, 1 B, 2 I
    idr: int = 1
    nal_ref_idc: int = 1
    frame_num: int = 0
    idr_pic_id: int = 0
    poc_lsb: int = 0
    log2_max_frame_num: int = 4
    log2_max_poc_lsb: int = 0  # 0: pic_order_cnt_type 2, no poc_lsb in the slice header
    qp: int = 27
    chroma_qp_offset: int = 0
    entropy: int = CABAC
    cabac_init_idc: int = 0
    slices: int = 1  # rows of macroblocks are shared out evenly
    deblock_disable: int = 0  # disable_deblocking_filter_idc
    deblock_alpha: int = 0  # slice_alpha_c0_offset_div2
    deblock_beta: int = 0  # slice_beta_offset_div2
    effort: int = EFFORT_MEDIUM  # 0 fast, 1 medium, 2 slow
    transform_8x8: int = 0  # transform_8x8_mode_flag: High profile
    seed: int = 0
    src_surface_width: int = 0  # size of the surface that holds the source; 0: the source alone
    src_surface_height: int = 0
    src_left: int = 0  # where the source begins in it
    src_top: int = 0
    ref_l1_count: int = 0
    ref_l1_address_0: int = 0
    ref_l1_address_1: int = 0
    poc: int = 0  # picture order count: what distances in time are measured in
    ref_poc_0: int = 0
    ref_poc_1: int = 0
    ref_poc_2: int = 0
    ref_poc_3: int = 0
    ref_l1_poc_0: int = 0
    ref_l1_poc_1: int = 0
    modify_lists: int = 0  # bit 0, 1: the slice header spells out list 0, 1, by these numbers:
    ref_frame_num_0: int = 0
    ref_frame_num_1: int = 0
    ref_frame_num_2: int = 0
    ref_frame_num_3: int = 0
    ref_l1_frame_num_0: int = 0
    ref_l1_frame_num_1: int = 0
    unmark_count: int = 0  # references that the decoder shall forget after this picture; 0: sliding window
    unmark_0: int = 0  # difference_of_pic_nums_minus1
    unmark_1: int = 0
    unmark_2: int = 0
    unmark_3: int = 0
    direct_temporal: int = 0  # B: direct prediction is temporal, not spatial
    weighted: int = (
        0  # bit 0: P pictures may weight (weighted_pred_flag 1); bit 1: B implicitly (weighted_bipred_idc 2)
    )
    tools_off: int = 0  # bit set of descriptors.Tool: decisions left out, whatever the effort
    max_bits: int = 0  # that the picture must not exceed: macroblocks become coarser on the way; 0: no limit
    dead_zone_inter: int = 0  # 0: levels by rate and distortion; else 1 + dead zone, as `-deadzone-inter` counts it
    dead_zone_intra: int = 0
    mode: int = EncodeMode.ENCODE
    plan_address: int = 0  # ENCODE: read by rate control alone
    plan_index: int = 0
    plan_count: int = 0  # HAND_ON: entries of the plan at out_address
    slots: int = 0  # HAND_ON: first-pass records at recon_address
    tree_strength: int = 0  # HAND_ON, in sixteenths
    aq_strength: int = 0  # HAND_ON, in sixteenths
    vectors_address: int = 0  # ENCODE: first-pass records of the picture, where search begins; 0: none

    @property
    def coded_width(self) -> int:
        return coded(self.width)

    @property
    def coded_height(self) -> int:
        return coded(self.height)

    @property
    def mb_width(self) -> int:
        return self.coded_width // 16

    @property
    def mb_height(self) -> int:
        return self.coded_height // 16

    @property
    def source_surface(self) -> Surface:
        """The surface that holds the source."""
        return source_surface(self)

    @property
    def source(self) -> Surface:
        return window(self.source_surface, self.src_left, self.src_top, self.width, self.height)

    @property
    def reconstruction(self) -> Surface:
        return surface(self.coded_width, self.coded_height, self.recon_address)

    @cached_property
    def lists(self) -> tuple[list["Reference"], list["Reference"]]:
        """Reference pictures of list 0 and list 1, in order."""

        def entries(prefix: str, count: int) -> list[Reference]:
            names = [f"{prefix}_{{}}_{number}" for number in range(count)]
            return [
                Reference(
                    surface(self.coded_width, self.coded_height, getattr(self, name.format("address"))),
                    getattr(self, name.format("poc")),
                    getattr(self, name.format("frame_num")),
                )
                for name in names
            ]

        return entries("ref", self.ref_count), entries("ref_l1", self.ref_l1_count)


FIELD_NUMBER = {item.name: number for number, item in enumerate(fields(EncodeJob))}

_LIMITS = {
    "width": (16, 4096),
    "height": (16, 2304),
    "out_capacity": (64, 1 << 31),
    "ref_count": (0, REFERENCES_MAX),
    "idr": (0, 1),
    "nal_ref_idc": (0, 3),
    "frame_num": (0, 65535),
    "idr_pic_id": (0, 65535),
    "poc_lsb": (0, 65535),
    "log2_max_frame_num": (4, 16),
    "qp": (0, 51),
    "chroma_qp_offset": (-12, 12),
    "entropy": (CAVLC, CABAC),
    "cabac_init_idc": (0, 2),
    "slices": (1, 144),
    "deblock_disable": (0, 2),
    "deblock_alpha": (-6, 6),
    "deblock_beta": (-6, 6),
    "effort": (EFFORT_FAST, EFFORT_SLOW),
    "transform_8x8": (0, 1),
    "ref_l1_count": (0, REFERENCES_L1_MAX),
    "modify_lists": (0, 3),
    "unmark_count": (0, UNMARKED_MAX),
    "direct_temporal": (0, 1),
    "weighted": (0, 3),
    "dead_zone_inter": (0, 32),
    "dead_zone_intra": (0, 32),
    "tools_off": (0, 2 * Tool.TRIALS - 1),
    "mode": (EncodeMode.ENCODE, EncodeMode.HAND_ON),
    "plan_count": (0, PLAN_ENTRIES_MOST),
    "slots": (0, FIRST_PASS_SLOTS_MOST),
}


def bad_field(job: EncodeJob, memory_bytes: int) -> str | None:
    """Return the name of the first field that this core cannot work with, or None."""
    for name, (low, high) in _LIMITS.items():
        if not low <= getattr(job, name) <= high:
            return name
    if job.width % 2:
        return "width"
    if job.height % 2:
        return "height"
    if job.slice_type not in (SLICE_P, SLICE_B, SLICE_I):
        return "slice_type"
    if job.slice_type != SLICE_I and (job.ref_count == 0 or job.idr):
        return "ref_count" if job.ref_count == 0 else "idr"
    if job.slice_type == SLICE_B and job.ref_l1_count == 0:
        return "ref_l1_count"
    if job.log2_max_poc_lsb and not 4 <= job.log2_max_poc_lsb <= 16:
        return "log2_max_poc_lsb"
    if job.slices > job.mb_height:
        return "slices"
    outside = window_fault(job)
    if outside is not None:
        return outside
    if job.mode:
        return _bad_first_pass_field(job, memory_bytes)
    count = job.mb_width * job.mb_height
    regions = [
        ("src_address", job.src_address, job.source_surface.size_bytes),
        ("recon_address", job.recon_address, job.reconstruction.size_bytes),
        ("out_address", job.out_address, job.out_capacity),
        ("motion_in_address", job.motion_in_address, count * MOTION_BYTES),
        ("motion_out_address", job.motion_out_address, count * MOTION_BYTES),
        ("qp_map_address", job.qp_map_address, count),
        ("vectors_address", job.vectors_address, count * FIRST_PASS_RECORD_BYTES),
    ]
    for prefix, entries in zip(("ref", "ref_l1"), job.lists, strict=True):
        for number, reference in enumerate(entries):
            place = reference.surface
            regions.append((f"{prefix}_address_{number}", place.address, place.size_bytes))
    return _outside(regions, memory_bytes)


def _bad_first_pass_field(job: EncodeJob, memory_bytes: int) -> str | None:
    """As `bad_field`, of a job of another mode than ENCODE."""
    if job.ref_count > 1:
        return "ref_count"
    if job.ref_l1_count > 1:
        return "ref_l1_count"
    layout = first_pass_layout(job.width, job.height)
    handing = job.mode == EncodeMode.HAND_ON
    least = PLAN_HEADER.size_bytes + job.plan_count * PLAN_ENTRY.size_bytes if handing else layout.slot_bytes
    if job.out_capacity < least:
        return "out_capacity"
    regions = [("out_address", job.out_address, job.out_capacity)]
    if handing:
        regions.append(("recon_address", job.recon_address, job.slots * layout.slot_bytes))
    elif job.mode == EncodeMode.SHRINK:
        regions.append(("src_address", job.src_address, job.source_surface.size_bytes))
        regions.append(("recon_address", job.recon_address, layout.half_bytes))
    else:
        regions.append(("src_address", job.src_address, layout.half_bytes))
    for prefix, entries in zip(("ref", "ref_l1"), job.lists, strict=True):
        if entries:
            regions.append((f"{prefix}_address_0", entries[0].surface.address, layout.half_bytes))
    return _outside(regions, memory_bytes)


def _outside(regions: list[tuple[str, int, int]], memory_bytes: int) -> str | None:
    for name, address, size in regions:
        if not 0 <= address <= memory_bytes - size:
            return name
    return None
