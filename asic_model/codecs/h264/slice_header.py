"""Slice header (H.264 7.3.3), parsed and written by one description. Fields carry the standard's names."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from asic_model.codecs.h264.bits import BitCoder, BitReader, BitWriter, SyntaxFault, check
from asic_model.codecs.h264.nal import NAL_IDR_SLICE
from asic_model.codecs.h264.parameter_sets import Pps, Sps

SLICE_P = 0
SLICE_B = 1
SLICE_I = 2
SLICE_SP = 3
SLICE_SI = 4

# Weights of one reference: (luma weight, luma offset), (Cb weight, offset), (Cr weight, offset); None: flag 0
LumaWeight = tuple[int, int] | None
ChromaWeight = tuple[tuple[int, int], tuple[int, int]] | None


@dataclass
class PredWeightTable:
    """pred_weight_table() (7.3.3.2); [list][reference]."""

    luma_log2_weight_denom: int = 0
    chroma_log2_weight_denom: int = 0
    luma: list[list[LumaWeight]] = field(default_factory=lambda: [[], []])
    chroma: list[list[ChromaWeight]] = field(default_factory=lambda: [[], []])


@dataclass
class DecRefPicMarking:
    """dec_ref_pic_marking() (7.3.3.3). `operations`: (memory_management_control_operation, its one or two operands)."""

    no_output_of_prior_pics_flag: bool = False
    long_term_reference_flag: bool = False
    adaptive_ref_pic_marking_mode_flag: bool = False
    operations: list[tuple[int, ...]] = field(default_factory=list)


@dataclass
class SliceHeader:
    """slice_header(). `nal_ref_idc` and `nal_unit_type` come from the NAL unit header."""

    nal_unit_type: int = 1
    nal_ref_idc: int = 1
    first_mb_in_slice: int = 0
    slice_type: int = SLICE_P  # 0..9 as coded; `kind` is modulo 5
    pic_parameter_set_id: int = 0
    colour_plane_id: int = 0
    frame_num: int = 0
    field_pic_flag: bool = False
    bottom_field_flag: bool = False
    idr_pic_id: int = 0
    pic_order_cnt_lsb: int = 0
    delta_pic_order_cnt_bottom: int = 0
    delta_pic_order_cnt: list[int] = field(default_factory=lambda: [0, 0])
    redundant_pic_cnt: int = 0
    direct_spatial_mv_pred_flag: bool = True
    num_ref_idx_l0_active_minus1: int = 0  # in force: the PPS's default where the slice does not override it
    num_ref_idx_l1_active_minus1: int = 0
    # [list]: (modification_of_pic_nums_idc, operand) without the closing 3; empty: flag 0
    ref_pic_list_modification: list[list[tuple[int, int]]] = field(default_factory=lambda: [[], []])
    pred_weight_table: PredWeightTable | None = None
    dec_ref_pic_marking: DecRefPicMarking = field(default_factory=DecRefPicMarking)
    cabac_init_idc: int = 0
    slice_qp_delta: int = 0
    sp_for_switch_flag: bool = False
    slice_qs_delta: int = 0
    disable_deblocking_filter_idc: int = 0
    slice_alpha_c0_offset_div2: int = 0
    slice_beta_offset_div2: int = 0
    slice_group_change_cycle: int = 0
    header_bits: int = 0  # size of the header in RBSP bits: slice_data starts here

    @property
    def kind(self) -> int:
        """SLICE_P, SLICE_B, SLICE_I, SLICE_SP or SLICE_SI."""
        return self.slice_type % 5

    @property
    def idr(self) -> bool:
        """IdrPicFlag."""
        return self.nal_unit_type == NAL_IDR_SLICE

    def mbaff(self, sps: Sps) -> bool:
        """MbaffFrameFlag."""
        return sps.mb_adaptive_frame_field_flag and not self.field_pic_flag

    def slice_qp(self, pps: Pps) -> int:
        """SliceQPY (7-30)."""
        return 26 + pps.pic_init_qp_minus26 + self.slice_qp_delta


def starts_picture(new: SliceHeader, old: SliceHeader) -> bool:
    """Whether `new` is the first slice of another primary coded picture than `old`'s (7.4.1.2.4).

    Slices of one picture with different picture parameter sets exist and are taken as one picture.
    """
    return (
        new.frame_num != old.frame_num
        or (new.pic_parameter_set_id != old.pic_parameter_set_id and new.first_mb_in_slice == 0)
        or new.field_pic_flag != old.field_pic_flag
        or new.bottom_field_flag != old.bottom_field_flag
        or (new.nal_ref_idc == 0) != (old.nal_ref_idc == 0)
        or new.idr != old.idr
        or new.idr_pic_id != old.idr_pic_id
        or new.pic_order_cnt_lsb != old.pic_order_cnt_lsb
        or new.delta_pic_order_cnt_bottom != old.delta_pic_order_cnt_bottom
        or new.delta_pic_order_cnt != old.delta_pic_order_cnt
    )


def _ref_pic_list_modification(c: BitCoder, s: SliceHeader, sps: Sps) -> None:
    max_pic_num = sps.max_frame_num * (2 if s.field_pic_flag else 1)
    for lst in range({SLICE_P: 1, SLICE_SP: 1, SLICE_B: 2}.get(s.kind, 0)):
        entries = s.ref_pic_list_modification[lst]
        if not c.flag(f"ref_pic_list_modification_flag_l{lst}", bool(entries)):
            continue
        limit = (s.num_ref_idx_l1_active_minus1 if lst else s.num_ref_idx_l0_active_minus1) + 1
        index = 0
        while True:
            op, operand = (3, 0) if c.reading or index == len(entries) else entries[index]
            op = c.ue("modification_of_pic_nums_idc", op, 0, 3)
            if op == 3:
                break
            if index == limit:
                raise SyntaxFault("ref_pic_list_modification", index + 1, f"at most {limit} entries")
            if op == 2:
                operand = c.ue("long_term_pic_num", operand, 0, 31)
            else:
                operand = c.ue("abs_diff_pic_num_minus1", operand, 0, max_pic_num - 1)
            if c.reading:
                entries.append((op, operand))
            index += 1


def _pred_weight_table(c: BitCoder, s: SliceHeader, t: PredWeightTable, chroma: bool) -> PredWeightTable:
    t.luma_log2_weight_denom = c.ue("luma_log2_weight_denom", t.luma_log2_weight_denom, 0, 7)
    if chroma:
        t.chroma_log2_weight_denom = c.ue("chroma_log2_weight_denom", t.chroma_log2_weight_denom, 0, 7)

    def pair(name: str, values: tuple[int, int]) -> tuple[int, int]:
        return c.se(f"{name}_weight", values[0], -128, 127), c.se(f"{name}_offset", values[1], -128, 127)

    for lst in range(2 if s.kind == SLICE_B else 1):
        count = (s.num_ref_idx_l1_active_minus1 if lst else s.num_ref_idx_l0_active_minus1) + 1
        if c.reading:
            t.luma[lst], t.chroma[lst] = [None] * count, [None] * count
        elif chroma:
            check("pred_weight_table: chroma entries", len(t.chroma[lst]), count, count)
        check("pred_weight_table: luma entries", len(t.luma[lst]), count, count)
        for i in range(count):
            luma = t.luma[lst][i]
            t.luma[lst][i] = (
                pair("luma", luma or (0, 0)) if c.flag(f"luma_weight_l{lst}_flag", luma is not None) else None
            )
            if chroma:
                both = t.chroma[lst][i]
                present = c.flag(f"chroma_weight_l{lst}_flag", both is not None)
                cb, cr = both or ((0, 0), (0, 0))
                t.chroma[lst][i] = (pair("chroma", cb), pair("chroma", cr)) if present else None
    return t


# operands of memory_management_control_operation 1..6: (name, highest value)
_MMCO_OPERANDS: dict[int, tuple[tuple[str, int], ...]] = {
    1: (("difference_of_pic_nums_minus1", (1 << 17) - 1),),
    2: (("long_term_pic_num", 31),),
    3: (("difference_of_pic_nums_minus1", (1 << 17) - 1), ("long_term_frame_idx", 15)),
    4: (("max_long_term_frame_idx_plus1", 16),),
    5: (),
    6: (("long_term_frame_idx", 15),),
}
MAX_MARKING_OPERATIONS = 66  # more than any legal slice can hold; keeps damaged ones finite


def _dec_ref_pic_marking(c: BitCoder, s: SliceHeader, m: DecRefPicMarking) -> None:
    if s.idr:
        m.no_output_of_prior_pics_flag = c.flag("no_output_of_prior_pics_flag", m.no_output_of_prior_pics_flag)
        m.long_term_reference_flag = c.flag("long_term_reference_flag", m.long_term_reference_flag)
        return
    m.adaptive_ref_pic_marking_mode_flag = c.flag(
        "adaptive_ref_pic_marking_mode_flag", m.adaptive_ref_pic_marking_mode_flag
    )
    if not m.adaptive_ref_pic_marking_mode_flag:
        return
    index = 0
    while True:
        entry = (0,) if c.reading or index == len(m.operations) else m.operations[index]
        op = c.ue("memory_management_control_operation", entry[0], 0, 6)
        if op == 0:
            return
        if index == MAX_MARKING_OPERATIONS:
            raise SyntaxFault("dec_ref_pic_marking", index + 1, f"at most {MAX_MARKING_OPERATIONS} operations")
        names = _MMCO_OPERANDS[op]
        values = (0,) * len(names) if c.reading else entry[1:]
        coded = tuple(c.ue(name, value, 0, high) for (name, high), value in zip(names, values, strict=True))
        if c.reading:
            m.operations.append((op, *coded))
        index += 1


def _num_ref_idx(c: BitCoder, s: SliceHeader, pps: Pps) -> None:
    default = pps.num_ref_idx_l0_default_active_minus1, pps.num_ref_idx_l1_default_active_minus1
    wanted = s.num_ref_idx_l0_active_minus1, s.num_ref_idx_l1_active_minus1
    used = 2 if s.kind == SLICE_B else 1
    high = 31 if s.field_pic_flag else 15
    if c.flag("num_ref_idx_active_override_flag", wanted[:used] != default[:used]):
        s.num_ref_idx_l0_active_minus1 = c.ue("num_ref_idx_l0_active_minus1", wanted[0], 0, high)
        if used == 2:
            s.num_ref_idx_l1_active_minus1 = c.ue("num_ref_idx_l1_active_minus1", wanted[1], 0, high)
    else:
        s.num_ref_idx_l0_active_minus1 = check("num_ref_idx_l0_default_active_minus1", default[0], 0, high)
        if used == 2:
            s.num_ref_idx_l1_active_minus1 = check("num_ref_idx_l1_default_active_minus1", default[1], 0, high)


def _pic_order_cnt(c: BitCoder, s: SliceHeader, sps: Sps, pps: Pps) -> None:
    both_fields = pps.bottom_field_pic_order_in_frame_present_flag and not s.field_pic_flag
    if sps.pic_order_cnt_type == 0:
        bits = sps.log2_max_pic_order_cnt_lsb_minus4 + 4
        s.pic_order_cnt_lsb = c.u("pic_order_cnt_lsb", bits, s.pic_order_cnt_lsb)
        if both_fields:
            s.delta_pic_order_cnt_bottom = c.se("delta_pic_order_cnt_bottom", s.delta_pic_order_cnt_bottom)
    elif sps.pic_order_cnt_type == 1 and not sps.delta_pic_order_always_zero_flag:
        s.delta_pic_order_cnt[0] = c.se("delta_pic_order_cnt[0]", s.delta_pic_order_cnt[0])
        if both_fields:
            s.delta_pic_order_cnt[1] = c.se("delta_pic_order_cnt[1]", s.delta_pic_order_cnt[1])


def _slice_group_change_cycle(c: BitCoder, s: SliceHeader, sps: Sps, pps: Pps) -> None:
    groups = pps.slice_groups
    if groups and 3 <= groups.slice_group_map_type <= 5:
        units = sps.mb_width * (sps.pic_height_in_map_units_minus1 + 1)
        high = -(-units // (groups.slice_group_change_rate_minus1 + 1))
        s.slice_group_change_cycle = c.u(
            "slice_group_change_cycle", high.bit_length(), s.slice_group_change_cycle, 0, high
        )


def _pps_of(parameter_sets: Mapping[int, Pps], s: SliceHeader) -> Pps:
    if s.pic_parameter_set_id not in parameter_sets:
        known = ", ".join(map(str, sorted(parameter_sets))) or "none received"
        raise SyntaxFault("pic_parameter_set_id", s.pic_parameter_set_id, known)
    return parameter_sets[s.pic_parameter_set_id]


def _sps_of(parameter_sets: Mapping[int, Sps], pps: Pps) -> Sps:
    if pps.seq_parameter_set_id not in parameter_sets:
        known = ", ".join(map(str, sorted(parameter_sets))) or "none received"
        raise SyntaxFault("seq_parameter_set_id", pps.seq_parameter_set_id, known)
    return parameter_sets[pps.seq_parameter_set_id]


def _slice_syntax(c: BitCoder, s: SliceHeader, sequences: Mapping[int, Sps], pictures: Mapping[int, Pps]) -> None:
    s.first_mb_in_slice = c.ue("first_mb_in_slice", s.first_mb_in_slice)
    s.slice_type = c.ue("slice_type", s.slice_type, 0, 9)
    s.pic_parameter_set_id = c.ue("pic_parameter_set_id", s.pic_parameter_set_id, 0, 255)
    pps = _pps_of(pictures, s)
    sps = _sps_of(sequences, pps)
    if sps.separate_colour_plane_flag:
        s.colour_plane_id = c.u("colour_plane_id", 2, s.colour_plane_id, 0, 2)
    s.frame_num = c.u("frame_num", sps.log2_max_frame_num_minus4 + 4, s.frame_num, 0, 0 if s.idr else None)
    if not sps.frame_mbs_only_flag:
        s.field_pic_flag = c.flag("field_pic_flag", s.field_pic_flag)
        if s.field_pic_flag:
            s.bottom_field_flag = c.flag("bottom_field_flag", s.bottom_field_flag)
    # pairs are counted for MBAFF, and a field has half of the macroblocks (7.4.3)
    halves = 2 if s.field_pic_flag or s.mbaff(sps) else 1
    check("first_mb_in_slice", s.first_mb_in_slice, 0, sps.mb_width * sps.mb_height // halves - 1)
    if s.idr:
        s.idr_pic_id = c.ue("idr_pic_id", s.idr_pic_id, 0, 65535)
    _pic_order_cnt(c, s, sps, pps)
    if pps.redundant_pic_cnt_present_flag:
        s.redundant_pic_cnt = c.ue("redundant_pic_cnt", s.redundant_pic_cnt, 0, 127)
    if s.kind == SLICE_B:
        s.direct_spatial_mv_pred_flag = c.flag("direct_spatial_mv_pred_flag", s.direct_spatial_mv_pred_flag)
    if s.kind in (SLICE_P, SLICE_SP, SLICE_B):
        _num_ref_idx(c, s, pps)
    _ref_pic_list_modification(c, s, sps)
    if (pps.weighted_pred_flag and s.kind in (SLICE_P, SLICE_SP)) or (
        pps.weighted_bipred_idc == 1 and s.kind == SLICE_B
    ):
        weights = s.pred_weight_table or PredWeightTable()
        s.pred_weight_table = _pred_weight_table(c, s, weights, sps.chroma_array_type != 0)
    if s.nal_ref_idc:
        _dec_ref_pic_marking(c, s, s.dec_ref_pic_marking)
    if pps.entropy_coding_mode_flag and s.kind not in (SLICE_I, SLICE_SI):
        s.cabac_init_idc = c.ue("cabac_init_idc", s.cabac_init_idc, 0, 2)
    low, high = -6 * sps.bit_depth_luma_minus8, 51
    base = 26 + pps.pic_init_qp_minus26
    s.slice_qp_delta = c.se("slice_qp_delta", s.slice_qp_delta, low - base, high - base)
    if s.kind in (SLICE_SP, SLICE_SI):
        if s.kind == SLICE_SP:
            s.sp_for_switch_flag = c.flag("sp_for_switch_flag", s.sp_for_switch_flag)
        base = 26 + pps.pic_init_qs_minus26
        s.slice_qs_delta = c.se("slice_qs_delta", s.slice_qs_delta, -base, 51 - base)
    if pps.deblocking_filter_control_present_flag:
        s.disable_deblocking_filter_idc = c.ue("disable_deblocking_filter_idc", s.disable_deblocking_filter_idc, 0, 2)
        if s.disable_deblocking_filter_idc != 1:
            s.slice_alpha_c0_offset_div2 = c.se("slice_alpha_c0_offset_div2", s.slice_alpha_c0_offset_div2, -6, 6)
            s.slice_beta_offset_div2 = c.se("slice_beta_offset_div2", s.slice_beta_offset_div2, -6, 6)
    _slice_group_change_cycle(c, s, sps, pps)


def parse_slice_header(
    rbsp: bytes, nal_unit_type: int, nal_ref_idc: int, sequences: Mapping[int, Sps], pictures: Mapping[int, Pps]
) -> SliceHeader:
    """Parse the header at the beginning of a slice's RBSP (types 1, 2 and 5; some 200 bytes always hold it).

    Raises SyntaxFault, also for parameter sets that have not been received.
    """
    header = SliceHeader(nal_unit_type=nal_unit_type, nal_ref_idc=nal_ref_idc)
    reader = BitReader(rbsp)
    _slice_syntax(reader, header, sequences, pictures)
    header.header_bits = reader.position
    return header


def write_slice_header(header: SliceHeader, sps: Sps, pps: Pps) -> tuple[bytes, int]:
    """Return (RBSP bytes, number of bits) of the header; the last byte is filled with zero bits.

    num_ref_idx_active_override_flag is set when the header's numbers differ from the PPS's. For CABAC the
    cabac_alignment_one_bits that follow belong to slice_data.
    """
    writer = BitWriter()
    _slice_syntax(writer, header, {pps.seq_parameter_set_id: sps}, {header.pic_parameter_set_id: pps})
    header.header_bits = writer.position
    return writer.data(), writer.position
