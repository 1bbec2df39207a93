"""The hypothetical reference decoder's coded picture buffer (H.264 Annex C): does a stream keep to what it declares?

    found = check(split_access_units(stream))
    found.problems, found.peak_bits, found.low_bits

Time and fullness are exact fractions of seconds and bits.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from asic_model.codecs.h264 import sei
from asic_model.codecs.h264.nal import (
    NAL_DELIMITER,
    NAL_FILLER,
    NAL_IDR_SLICE,
    NAL_PPS,
    NAL_SEI,
    NAL_SLICE,
    NAL_SPS,
    parse_nal,
    unescape,
)
from asic_model.codecs.h264.parameter_sets import Pps, Sps, parse_pps, parse_sps
from asic_model.codecs.h264.slice_header import SliceHeader, parse_slice_header, starts_picture

_HEADER_BYTES = 400  # of a slice's payload: its header always fits
_FIRST_OF_UNIT = frozenset({NAL_DELIMITER, NAL_SPS, NAL_PPS, NAL_SEI, 14, 15, 16, 17, 18})


class NoHrd(ValueError):
    """The stream declares no buffer to check against, or cannot be followed; the text says what is missing."""


@dataclass
class AccessUnit:
    """One access unit: bits as the two kinds of HRD count them (C.1), and what its SEI says."""

    index: int
    nal_bits: int = 0  # all of the byte stream, start codes included (Type II)
    vcl_bits: int = 0  # slices and filler data NAL units (Type I)
    sps: Sps | None = None
    buffering_period: sei.BufferingPeriod | None = None
    pic_timing: sei.PicTiming | None = None
    slices: int = 0
    idr: bool = False


class _Splitter:
    """Finds where access units begin (7.4.1.2.3)."""

    def __init__(self) -> None:
        self.sequences: dict[int, Sps] = {}
        self.pictures: dict[int, Pps] = {}
        self._last: SliceHeader | None = None

    def first_of_picture(self, header: SliceHeader) -> bool:
        """Whether this slice begins another primary coded picture; redundant ones belong to theirs."""
        if header.redundant_pic_cnt:
            return False
        last, self._last = self._last, header
        return last is None or starts_picture(header, last)


def _framed_units(stream: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield (begin with leading zeros and start code, begin, end) of each NAL unit; trailing zeros belong to the next
    unit's start code or, at the end, to the last unit."""
    start = stream.find(b"\0\0\1")
    framed = 0
    while start >= 0:
        begin = start + 3
        start = stream.find(b"\0\0\1", begin)
        end = start if start >= 0 else len(stream)
        if start >= 0:
            while end > begin and stream[end - 1] == 0:
                end -= 1
        yield framed, begin, end
        framed = end


def split_access_units(stream: bytes) -> list[AccessUnit]:
    """Split a byte stream (Annex B). Raises SyntaxFault for damaged headers: a damaged stream is not judged."""
    splitter = _Splitter()
    units: list[AccessUnit] = []
    ahead_bits = 0  # of NAL units that begin the next access unit
    ahead: list[tuple[int, bytes]] = []
    for framed, begin, end in _framed_units(stream):
        if end <= begin:
            continue
        unit = parse_nal(stream[begin : min(end, begin + _HEADER_BYTES)])
        kind, bits = unit.nal_unit_type, (end - framed) * 8
        if kind in (NAL_SLICE, NAL_IDR_SLICE):
            header = parse_slice_header(
                unescape(unit.payload), kind, unit.nal_ref_idc, splitter.sequences, splitter.pictures
            )
            if splitter.first_of_picture(header) or not units:
                current = AccessUnit(len(units), nal_bits=ahead_bits, idr=header.idr)
                current.sps = splitter.sequences[splitter.pictures[header.pic_parameter_set_id].seq_parameter_set_id]
                _take_messages(current, ahead, splitter)
                units.append(current)
                ahead_bits, ahead = 0, []
            units[-1].slices += 1
            units[-1].vcl_bits += (end - begin) * 8
            units[-1].nal_bits += bits
            continue
        if kind == NAL_SPS:
            sps = parse_sps(unescape(parse_nal(stream[begin:end]).payload))
            splitter.sequences[sps.seq_parameter_set_id] = sps
        elif kind == NAL_PPS:
            pps = parse_pps(unescape(parse_nal(stream[begin:end]).payload), splitter.sequences)
            splitter.pictures[pps.pic_parameter_set_id] = pps
        if kind in _FIRST_OF_UNIT or not units:
            ahead_bits += bits
            if kind == NAL_SEI:
                ahead += sei.messages(unescape(parse_nal(stream[begin:end]).payload))
        else:
            units[-1].nal_bits += bits
            if kind == NAL_FILLER:
                units[-1].vcl_bits += (end - begin) * 8
    if units:
        units[-1].nal_bits += ahead_bits
    return units


def _take_messages(unit: AccessUnit, found: Sequence[tuple[int, bytes]], splitter: _Splitter) -> None:
    sps = unit.sps
    for kind, payload in found:
        if kind == sei.BUFFERING_PERIOD:
            named = splitter.sequences.get(sei.sequence_of(payload))
            if named is not None and named.vui is not None:
                unit.buffering_period = sei.parse_buffering_period(payload, named.vui)
        elif kind == sei.PIC_TIMING and sps is not None and sps.vui is not None:
            unit.pic_timing = sei.parse_pic_timing(payload, sps.vui)


@dataclass(frozen=True)
class Problem:
    """What is wrong at one access unit."""

    unit: int
    kind: str  # overflow, underflow, initial delay, arrival, cbr gap
    text: str


@dataclass
class Verdict:
    """What the check found. Fullness in bits, just before and just after removals."""

    bit_rate: int
    cpb_bits: int
    cbr: bool
    units: int = 0
    seconds: Fraction = Fraction(0)  # from the first removal to the last
    bits: int = 0
    peak_bits: Fraction = Fraction(0)
    low_bits: Fraction = Fraction(0)
    problems: list[Problem] = field(default_factory=list)

    @property
    def average_bit_rate(self) -> float:
        """Bits a second over the nominal removal times; the last picture lasts as long as the mean."""
        if self.units < 2 or not self.seconds:
            return 0.0
        return float(self.bits / (self.seconds * self.units / (self.units - 1)))


@dataclass(frozen=True)
class _Timed:
    """An access unit on the time axis, seconds."""

    bits: int
    arrives: Fraction  # first bit
    arrived: Fraction  # last bit
    removed: Fraction


def check(units: Sequence[AccessUnit], *, vcl: bool = False, schedule: int = 0) -> Verdict:
    """Check a stream against the HRD that it declares (C.1, C.3).

    vcl       the VCL HRD (Type I) instead of the NAL HRD (Type II)
    schedule  which of its CPBs (SchedSelIdx)
    Raises NoHrd when it declares none, or lacks a message that times it.
    """
    if not units:
        raise NoHrd("no access units")
    first = units[0].sps
    vui = first.vui if first is not None else None
    hrd = (vui.vcl_hrd if vcl else vui.nal_hrd) if vui is not None else None
    name = "VCL" if vcl else "NAL"
    if hrd is None or vui is None:
        raise NoHrd(f"the sequence parameter set declares no {name} HRD")
    if schedule > hrd.cpb_cnt_minus1:
        raise NoHrd(f"{name} HRD: no CPB {schedule}, it declares {hrd.cpb_cnt_minus1 + 1}")
    if not vui.timing_info_present_flag or not vui.time_scale or not vui.num_units_in_tick:
        raise NoHrd("the sequence parameter set has no timing information")
    tick = Fraction(vui.num_units_in_tick, vui.time_scale)
    verdict = Verdict(hrd.bit_rate(schedule), hrd.cpb_size(schedule), hrd.cbr_flag[schedule])
    timed: list[_Timed] = []
    anchor = Fraction(0)  # removal of the first access unit of the buffering period
    delay = offset = 0
    for unit in units:
        bits = unit.vcl_bits if vcl else unit.nal_bits
        period = unit.buffering_period
        if unit.index and unit.pic_timing is None:
            raise NoHrd(f"access unit {unit.index}: no picture timing message")
        if not unit.index and period is None:
            raise NoHrd("access unit 0: no buffering period message")
        removed = anchor
        if unit.index:
            assert unit.pic_timing is not None
            removed += tick * unit.pic_timing.cpb_removal_delay
        if period is not None:
            delay, offset = (period.vcl if vcl else period.nal)[schedule]
            if not unit.index:
                removed = Fraction(delay, 90_000)
            anchor = removed
        earliest = removed - Fraction(delay if period is not None else delay + offset, 90_000)
        before = timed[-1].arrived if timed else Fraction(0)
        arrives = before if verdict.cbr or not timed else max(before, earliest)
        if period is not None and timed:
            _check_initial_delay(verdict, unit.index, delay, removed - before)
        arrived = arrives + Fraction(bits, verdict.bit_rate)
        if arrived > removed and not vui.low_delay_hrd_flag:
            late = float((arrived - removed) * 1000)
            verdict.problems.append(Problem(unit.index, "underflow", f"its last bit arrives {late:.3f} ms late"))
        if timed and removed <= timed[-1].removed:
            verdict.problems.append(Problem(unit.index, "removal", "is removed no later than the one before"))
        timed.append(_Timed(bits, arrives, arrived, removed))
    _check_fullness(verdict, timed)
    verdict.units, verdict.bits = len(timed), sum(each.bits for each in timed)
    verdict.seconds = timed[-1].removed - timed[0].removed
    return verdict


def _check_initial_delay(verdict: Verdict, unit: int, delay: int, gap: Fraction) -> None:
    """C.3: the initial delay of a later buffering period fits the time since the last bit before it arrived."""
    ticks = gap * 90_000
    low, high = math.floor(ticks), math.ceil(ticks)
    if delay > high:
        verdict.problems.append(Problem(unit, "initial delay", f"{delay} ticks of 90 kHz, at most {high} have passed"))
    elif verdict.cbr and delay < low:
        text = f"{delay} ticks of 90 kHz, at constant rate {low} to {high}"
        verdict.problems.append(Problem(unit, "initial delay", text))


def _check_fullness(verdict: Verdict, timed: Sequence[_Timed]) -> None:
    """The buffer is fullest just before a removal and emptiest just after one."""
    rate, arrived_bits, removed_bits, ahead = verdict.bit_rate, 0, 0, 0
    verdict.low_bits = Fraction(verdict.cpb_bits)
    for index, each in enumerate(timed):
        while ahead < len(timed) and timed[ahead].arrived <= each.removed:
            arrived_bits += timed[ahead].bits
            ahead += 1
        fullness = Fraction(arrived_bits - removed_bits)
        if ahead < len(timed) and timed[ahead].arrives < each.removed:
            fullness += (each.removed - timed[ahead].arrives) * rate
        if fullness > verdict.cpb_bits:
            text = f"{float(fullness):.0f} bits in a buffer of {verdict.cpb_bits}"
            verdict.problems.append(Problem(index, "overflow", text))
        removed_bits += each.bits
        verdict.peak_bits = max(verdict.peak_bits, fullness)
        verdict.low_bits = min(verdict.low_bits, fullness - each.bits)


def check_leaky_bucket(
    units: Sequence[AccessUnit], removals: Sequence[Fraction], bit_rate: int, buffer_bits: int, initial_bits: int
) -> Verdict:
    """Check a stream that declares nothing: bits flow in at `bit_rate` while there is room, pictures leave at once.

    removals  decoding time of each access unit, seconds, rising
    A buffer filled like this never overflows; a picture that has not arrived whole when its time comes is an underflow.
    """
    if len(removals) != len(units):
        raise NoHrd(f"{len(units)} access units, {len(removals)} decoding times")
    verdict = Verdict(bit_rate, buffer_bits, False, len(units), low_bits=Fraction(buffer_bits))
    fullness, before = Fraction(initial_bits), removals[0] if removals else Fraction(0)
    for unit, time in zip(units, removals, strict=True):
        fullness = min(Fraction(buffer_bits), fullness + (time - before) * bit_rate)
        before = time
        verdict.peak_bits = max(verdict.peak_bits, fullness)
        fullness -= unit.nal_bits
        verdict.bits += unit.nal_bits
        verdict.low_bits = min(verdict.low_bits, fullness)
        if fullness < 0:
            missing = f"{float(-fullness):.0f} of its bits have not arrived"
            verdict.problems.append(Problem(unit.index, "underflow", missing))
    if removals:
        verdict.seconds = removals[-1] - removals[0]
    return verdict
