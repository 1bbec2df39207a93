"""Supplemental enhancement information (H.264 7.3.2.3, Annex D): the messages that time a decoder's buffer.

Each payload is described once; the same function parses and writes it. Other payload types pass as bytes.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from asic_model.codecs.h264.bits import BitCoder, BitReader, BitWriter, SyntaxFault
from asic_model.codecs.h264.nal import NAL_SEI, nal_bytes
from asic_model.codecs.h264.vui import HrdParameters, Vui

BUFFERING_PERIOD = 0
PIC_TIMING = 1
# Table D-1: pic_struct -> clock timestamps
_NUM_CLOCK_TS = (1, 1, 1, 2, 2, 3, 3, 2, 3)


@dataclass
class BufferingPeriod:
    """buffering_period() (D.1.1): (initial_cpb_removal_delay, its offset) of each CPB, in 90 kHz ticks."""

    seq_parameter_set_id: int = 0
    nal: list[tuple[int, int]] = field(default_factory=list)
    vcl: list[tuple[int, int]] = field(default_factory=list)


@dataclass
class PicTiming:
    """pic_timing() (D.1.2) up to pic_struct, in clock ticks; clock timestamps are skipped and never written."""

    cpb_removal_delay: int = 0
    dpb_output_delay: int = 0
    pic_struct: int = 0


def _initial_delays(c: BitCoder, hrd: HrdParameters | None, delays: list[tuple[int, int]]) -> list[tuple[int, int]]:
    if hrd is None:
        return []
    bits = hrd.initial_cpb_removal_delay_length_minus1 + 1
    found = []
    for index in range(hrd.cpb_cnt_minus1 + 1):
        delay, offset = (0, 0) if c.reading else delays[index]
        delay = c.u("initial_cpb_removal_delay", bits, delay, 1)
        found.append((delay, c.u("initial_cpb_removal_delay_offset", bits, offset)))
    return found


def _buffering_period_syntax(c: BitCoder, s: BufferingPeriod, vui: Vui) -> BufferingPeriod:
    s.seq_parameter_set_id = c.ue("seq_parameter_set_id", s.seq_parameter_set_id, 0, 31)
    s.nal = _initial_delays(c, vui.nal_hrd, s.nal)
    s.vcl = _initial_delays(c, vui.vcl_hrd, s.vcl)
    return s


def _pic_timing_syntax(c: BitCoder, s: PicTiming, vui: Vui) -> PicTiming:
    hrd = vui.nal_hrd or vui.vcl_hrd
    if hrd is not None:
        s.cpb_removal_delay = c.u("cpb_removal_delay", hrd.cpb_removal_delay_length_minus1 + 1, s.cpb_removal_delay)
        s.dpb_output_delay = c.u("dpb_output_delay", hrd.dpb_output_delay_length_minus1 + 1, s.dpb_output_delay)
    if vui.pic_struct_present_flag:
        s.pic_struct = c.u("pic_struct", 4, s.pic_struct, 0, 8)
        if not c.reading:
            for _ in range(_NUM_CLOCK_TS[s.pic_struct]):
                c.flag("clock_timestamp_flag", False)
    return s


def messages(rbsp: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (payload type, payload) of an SEI NAL unit's RBSP. Raises SyntaxFault where a payload passes its end."""
    at, end = 0, len(rbsp.rstrip(b"\0")) - 1  # the trailing bits' byte
    while at < end:
        numbers = []
        for name in ("payload_type", "payload_size"):
            number = 0
            while at < end and rbsp[at] == 255:
                number += 255
                at += 1
            if at >= end:
                raise SyntaxFault(name, None, "a last byte below 255")
            numbers.append(number + rbsp[at])
            at += 1
        kind, size = numbers
        if at + size > len(rbsp):
            raise SyntaxFault("payload_size", size, f"0..{len(rbsp) - at}")
        yield kind, rbsp[at : at + size]
        at += size


def parse_buffering_period(payload: bytes, vui: Vui) -> BufferingPeriod:
    """Parse with the HRD parameters of the sequence that it names (`sequence_of`)."""
    return _buffering_period_syntax(BitReader(payload), BufferingPeriod(), vui)


def sequence_of(payload: bytes) -> int:
    """seq_parameter_set_id of a buffering period's payload."""
    return BitReader(payload).ue("seq_parameter_set_id", 0, 0, 31)


def parse_pic_timing(payload: bytes, vui: Vui) -> PicTiming:
    """Parse with the HRD parameters of the active sequence."""
    return _pic_timing_syntax(BitReader(payload), PicTiming(), vui)


def sei_nal(vui: Vui, buffering_period: BufferingPeriod | None, pic_timing: PicTiming | None) -> bytes:
    """Return one SEI NAL unit (without start code) with the messages given, the buffering period first (D.2)."""
    out = bytearray()
    for kind, message in ((BUFFERING_PERIOD, buffering_period), (PIC_TIMING, pic_timing)):
        if message is None:
            continue
        writer = BitWriter()
        if isinstance(message, BufferingPeriod):
            _buffering_period_syntax(writer, message, vui)
        else:
            _pic_timing_syntax(writer, message, vui)
        if writer.position % 8:
            writer.bits(1, 1)  # D.1: bit_equal_to_one, then zeros up to the byte
        payload = writer.data()
        out += bytes([kind, len(payload)]) + payload
    return nal_bytes(0, NAL_SEI, bytes(out) + b"\x80")
