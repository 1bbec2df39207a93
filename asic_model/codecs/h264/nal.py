"""NAL units (H.264 7.3.1, 7.4.1, Annex B) and the mp4 framing of them (ISO/IEC 14496-15, "avcC").

Plain Python over bytes: parameter sets, headers, file framing. The kernels that escape whole slices stand in
`emulation_prevention`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from asic_model.codecs.h264.bits import SyntaxFault, check

NAL_SLICE = 1
NAL_PARTITION_A = 2
NAL_PARTITION_B = 3
NAL_PARTITION_C = 4
NAL_IDR_SLICE = 5
NAL_SEI = 6
NAL_SPS = 7
NAL_PPS = 8
NAL_DELIMITER = 9
NAL_END_OF_SEQUENCE = 10
NAL_END_OF_STREAM = 11
NAL_FILLER = 12
NAL_SPS_EXTENSION = 13
NAL_PREFIX = 14
NAL_SUBSET_SPS = 15
NAL_AUXILIARY_SLICE = 19
NAL_SLICE_EXTENSION = 20
NAL_DEPTH_SLICE_EXTENSION = 21

START_CODE = b"\0\0\0\1"
_NEEDS_ESCAPE = re.compile(rb"\0\0(?=[\0-\3])")


@dataclass(frozen=True)
class NalUnit:
    """One NAL unit without framing. `payload` still carries its emulation prevention bytes."""

    nal_ref_idc: int
    nal_unit_type: int
    payload: bytes  # all bytes after the header (1 byte; 4 bytes for types 14, 20 and 21)

    @property
    def rbsp(self) -> bytes:
        return unescape(self.payload)


def escape(rbsp: bytes) -> bytes:
    """Insert emulation_prevention_three_byte (7.4.1.1)."""
    escaped = _NEEDS_ESCAPE.sub(b"\0\0\3", rbsp)
    return escaped + b"\3" if escaped.endswith(b"\0") else escaped


def unescape(payload: bytes) -> bytes:
    """Remove emulation_prevention_three_byte."""
    return payload.replace(b"\0\0\3", b"\0\0")


def header_byte(nal_ref_idc: int, nal_unit_type: int) -> int:
    """Return the first byte of a NAL unit."""
    return check("nal_ref_idc", nal_ref_idc, 0, 3) << 5 | check("nal_unit_type", nal_unit_type, 0, 31)


def nal_bytes(nal_ref_idc: int, nal_unit_type: int, rbsp: bytes) -> bytes:
    """Return one NAL unit, header and escaped RBSP, without framing."""
    return bytes([header_byte(nal_ref_idc, nal_unit_type)]) + escape(rbsp)


def parse_nal(data: bytes) -> NalUnit:
    """Split one NAL unit (without framing) into header and payload.

    Raises SyntaxFault for an empty unit and for a set forbidden_zero_bit.
    """
    if not data:
        raise SyntaxFault("nal_unit", None, "at least one byte")
    check("forbidden_zero_bit", data[0] >> 7, 0, 0)
    kind = data[0] & 31
    header = 4 if kind in (NAL_PREFIX, NAL_SLICE_EXTENSION, NAL_DEPTH_SLICE_EXTENSION) else 1
    return NalUnit(data[0] >> 5, kind, bytes(data[header:]))


def split_annex_b(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield (begin, end) of each NAL unit of a byte stream (Annex B), start codes and trailing zeros left out.

    Bytes before the first start code are skipped; empty units are not reported.
    """
    start = data.find(b"\0\0\1")
    while start >= 0:
        begin = start + 3
        start = data.find(b"\0\0\1", begin)
        end = start if start >= 0 else len(data)
        while end > begin and data[end - 1] == 0:  # zero_byte of the next start code, trailing_zero_8bits
            end -= 1
        if end > begin:
            yield begin, end


def split_avcc(data: bytes, length_size: int) -> Iterator[tuple[int, int]]:
    """Yield (begin, end) of each NAL unit of an mp4 sample, each behind a length of `length_size` bytes.

    A length beyond the end of `data` is a SyntaxFault: what follows cannot be found.
    """
    check("length_size", length_size, 1, 4)
    position = 0
    while position < len(data):
        begin = position + length_size
        if begin > len(data):
            raise SyntaxFault("nal_unit_length", None, f"{length_size} bytes")
        length = int.from_bytes(data[position:begin], "big")
        check("nal_unit_length", length, 0, len(data) - begin)
        position = begin + length
        if length:
            yield begin, position


@dataclass
class AvcConfiguration:
    """AVCDecoderConfigurationRecord: the extradata of mp4 and mkv. Sets are NAL units without framing."""

    profile_idc: int
    constraint_flags: int
    level_idc: int
    length_size: int = 4
    sps: list[bytes] = field(default_factory=list)
    pps: list[bytes] = field(default_factory=list)

    def to_bytes(self) -> bytes:
        """Return the record; High profiles get their extension (4:2:0, 8 bits)."""
        out = bytearray([1, self.profile_idc, self.constraint_flags, self.level_idc])
        out.append(0xFC | check("length_size", self.length_size, 1, 4) - 1)
        out.append(0xE0 | check("numOfSequenceParameterSets", len(self.sps), 0, 31))
        for unit in self.sps:
            out += len(unit).to_bytes(2, "big") + unit
        out.append(check("numOfPictureParameterSets", len(self.pps), 0, 255))
        for unit in self.pps:
            out += len(unit).to_bytes(2, "big") + unit
        if self.profile_idc in (100, 110, 122, 144):
            out += bytes([0xFC | 1, 0xF8, 0xF8, 0])
        return bytes(out)


def parse_avcc(record: bytes) -> AvcConfiguration:
    """Parse an AVCDecoderConfigurationRecord."""
    if len(record) < 7:
        raise SyntaxFault("AVCDecoderConfigurationRecord", None, "at least 7 bytes")
    check("configurationVersion", record[0], 1, 1)
    config = AvcConfiguration(record[1], record[2], record[3], (record[4] & 3) + 1)
    position = 5
    for units, mask, name in ((config.sps, 31, "sps"), (config.pps, 255, "pps")):
        if position >= len(record):
            raise SyntaxFault(f"{name}_count", None, "1 byte")
        count = record[position] & mask
        position += 1
        for _ in range(count):
            begin = position + 2
            position = begin + int.from_bytes(record[begin - 2 : begin], "big")
            if position > len(record):
                raise SyntaxFault(f"{name}_length", position - begin, f"0..{max(0, len(record) - begin)}")
            units.append(record[begin:position])
    return config
