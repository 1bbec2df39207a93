"""The decoder: NAL units in, jobs to a target, frames in output order out."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from asic_model.codecs.h264.bits import SyntaxFault
from asic_model.codecs.h264.decode_records import (
    FRAME,
    NO_ENTRY,
    SLICE,
)
from asic_model.codecs.h264.dpb import Dpb, Frame
from asic_model.codecs.h264.levels import LEVELS
from asic_model.codecs.h264.nal import (
    NAL_DELIMITER,
    NAL_END_OF_SEQUENCE,
    NAL_END_OF_STREAM,
    NAL_IDR_SLICE,
    NAL_PARTITION_A,
    NAL_PARTITION_C,
    NAL_PPS,
    NAL_SEI,
    NAL_SLICE,
    NAL_SPS,
    AvcConfiguration,
    parse_avcc,
    split_annex_b,
    split_avcc,
    unescape,
)
from asic_model.codecs.h264.parameter_sets import Pps, Sps, parse_pps, parse_sps
from asic_model.codecs.h264.slice_header import (
    SLICE_B,
    SLICE_I,
    SLICE_P,
    SliceHeader,
    parse_slice_header,
    starts_picture,
)
from driver.decode.records import FLAT, CodedSlice, ReferenceTable, fill_slice
from driver.decode.surfaces import DecodedFrame, DecodeTarget, NoSurfaces, Pool
from driver.errors import UnsupportedInput

_SEI_RECOVERY_POINT = 6
_HEADER_BYTES = 1024  # enough payload for any slice header
# Sizes of frames that are believed whatever the level says: many writers set it too low. Beyond (4096x2304), only what
# the level allows: a damaged SPS must not cost gigabytes.
BELIEVED_MBS = 36864
MAX_SLICES = 1 << 17  # of one picture: a slice holds a macroblock at least


@dataclass
class _FrameNotes:
    """What the decoder remembers of a frame, in `Frame.data`."""

    pts: Any
    key: bool
    sps: Sps
    pool: Pool
    shown: bool  # not from before the first point at which decoding can begin
    outcome: list[Any] = field(default_factory=list)


def refusal(sps: Sps, pps: Pps) -> str | None:
    """Return what of these parameter sets the decode core cannot do, by name, or None."""
    if sps.chroma_format_idc > 1:
        name = "4:2:2" if sps.chroma_format_idc == 2 else "4:4:4"
        return f"chroma format {name} (chroma_format_idc {sps.chroma_format_idc})"
    if sps.bit_depth_luma_minus8 or sps.bit_depth_chroma_minus8:
        return f"{sps.bit_depth_luma_minus8 + 8}-bit luma, {sps.bit_depth_chroma_minus8 + 8}-bit chroma samples"
    if pps.slice_groups is not None:
        groups = pps.slice_groups.num_slice_groups_minus1 + 1
        return f"flexible macroblock ordering ({groups} slice groups, map type {pps.slice_groups.slice_group_map_type})"
    return None


class H264Decoder:
    """Decodes one stream on a target.

    feed, feed_nal : give data; return the frames that became ready, in output order
    flush          : end of stream: all frames still held
    release        : the caller is done with a frame's surface

    Frames from before the first intra picture (or recovery point) are decoded, counted and not shown.
    Damaged data never raises: it is counted (`counters`) and concealed. What the core cannot do raises
    UnsupportedInput naming the feature, when the first slice needs it.
    """

    def __init__(self, target: DecodeTarget, extradata: bytes | None = None, *, frames_in_flight: int = 4) -> None:
        """extradata: avcC record (mp4, mkv) or Annex B parameter sets. frames_in_flight: frames the caller may hold."""
        self._target = target
        self._in_flight = frames_in_flight
        self._length_size = 0
        self._sequences: dict[int, Sps] = {}
        self._sequence_data: dict[int, bytes] = {}
        self._pictures: dict[int, Pps] = {}
        self._dpb = Dpb()
        self._sps: Sps | None = None
        self._sps_data = b""
        self._slices: list[CodedSlice] = []
        self._frame: Frame | None = None
        self._pool = Pool(NoSurfaces(), 0)
        self._lent: dict[int, Pool] = {}
        self._last: Frame | None = None
        self._pts: Any = None
        self._started = False  # an intra picture or a recovery point has come: frames are worth showing
        self.counters: dict[str, int] = {
            "bad_nals": 0,
            "bad_parameter_sets": 0,
            "bad_headers": 0,
            "before_start": 0,
            "slices": 0,
            "pictures": 0,
        }
        if extradata:
            self._open_extradata(extradata)

    # ---- input ----

    def _open_extradata(self, data: bytes) -> None:
        if data[0] != 1:
            list(self.feed(data))
            return
        try:
            record: AvcConfiguration = parse_avcc(data)
        except SyntaxFault:
            self.counters["bad_parameter_sets"] += 1
            return
        self._length_size = record.length_size
        for unit in [*record.sps, *record.pps]:
            list(self.feed_nal(unit))

    def feed(self, data: bytes, pts: Any = None) -> Iterator[DecodedFrame]:
        """Decode a packet: whole NAL units, framed as the extradata says (Annex B without it).

        Decoding goes on as the frames are taken from the iterator.
        """
        for unit in self._units(data):
            yield from self.feed_nal(unit, pts)

    def _units(self, data: bytes) -> Iterator[bytes]:
        """NAL units of a packet. Some mp4 files hide start codes inside of one length: those split, too."""
        if not self._length_size:
            for begin, end in split_annex_b(data):
                yield data[begin:end]
            return
        try:
            for begin, end in split_avcc(data, self._length_size):
                unit = data[begin:end]
                if b"\0\0\1" not in unit:
                    yield unit
                    continue
                unit = b"\0\0\1" + unit
                for first, last in split_annex_b(unit):
                    yield unit[first:last]
        except SyntaxFault:
            self.counters["bad_nals"] += 1

    def feed_nal(self, unit: bytes, pts: Any = None) -> Iterator[DecodedFrame]:
        """Decode one NAL unit without framing."""
        if not unit or unit[0] & 0x80:
            self.counters["bad_nals"] += 1
            return
        kind, ref_idc = unit[0] & 31, (unit[0] >> 5) & 3
        self._pts = pts
        if kind in (NAL_SLICE, NAL_IDR_SLICE):
            yield from self._slice(unit, kind, ref_idc)
            return
        if NAL_PARTITION_A <= kind <= NAL_PARTITION_C:
            raise UnsupportedInput(f"data partitioning (nal_unit_type {kind}) is not supported", feature="partitioning")
        if kind in (NAL_SEI, NAL_SPS, NAL_PPS, NAL_DELIMITER, NAL_END_OF_SEQUENCE, NAL_END_OF_STREAM):
            yield from self._finish_picture()  # 7.4.1.2.3: these begin the next access unit
        if kind == NAL_SEI:
            self._started = self._started or _has_recovery_point(unescape(unit[1:]))
        elif kind == NAL_SPS:
            self._store_sps(unit)
        elif kind == NAL_PPS:
            self._store_pps(unit)

    def _store_sps(self, unit: bytes) -> None:
        try:
            sps = parse_sps(unescape(unit[1:]))
        except SyntaxFault:
            self.counters["bad_parameter_sets"] += 1
            return
        level = next((row for row in LEVELS if row.level_idc == sps.level_idc), LEVELS[-1])
        if sps.mb_width * sps.mb_height > max(level.max_fs, BELIEVED_MBS):
            self.counters["bad_parameter_sets"] += 1
            return
        self._sequences[sps.seq_parameter_set_id] = sps
        self._sequence_data[sps.seq_parameter_set_id] = unit

    def _store_pps(self, unit: bytes) -> None:
        try:
            pps = parse_pps(unescape(unit[1:]), self._sequences)
        except SyntaxFault:
            self.counters["bad_parameter_sets"] += 1
            return
        self._pictures[pps.pic_parameter_set_id] = pps

    # ---- pictures ----

    def _slice(self, unit: bytes, kind: int, ref_idc: int) -> Iterator[DecodedFrame]:
        try:
            head = unescape(unit[1 : 1 + _HEADER_BYTES])
            header = parse_slice_header(head, kind, ref_idc, self._sequences, self._pictures)
        except SyntaxFault:
            self.counters["bad_headers"] += 1
            return
        if header.redundant_pic_cnt:
            return  # the primary picture is decoded
        if header.kind not in (SLICE_P, SLICE_B, SLICE_I):
            raise UnsupportedInput("switching slices (SP, SI; Extended profile) are not supported", feature="switching")
        pps = self._pictures[header.pic_parameter_set_id]
        if self._slices and starts_picture(header, self._slices[0].header):
            yield from self._finish_picture()
        if not self._slices:
            if not self._may_activate(header, pps):
                self.counters["bad_headers"] += 1
                return
            yield from self._activate(pps)
            self._started = self._started or header.kind == SLICE_I
            frame, early = self._dpb.begin(header)
            yield from self._deliver(early)
            self._frame = frame
            if frame.surface < 0:
                assert self._sps is not None
                frame.surface = self._pool.take(self._dpb, frame, self._last)
                frame.data = _FrameNotes(self._pts, header.idr, self._sps, self._pool, self._started)
        elif self._sequences[pps.seq_parameter_set_id] is not self._sps or len(self._slices) >= MAX_SLICES:
            self.counters["bad_headers"] += 1
            return
        lists = self._dpb.lists(header) if header.kind != SLICE_I else [[], []]
        self._slices.append(CodedSlice(header, pps, unit[1:], lists))
        self.counters["slices"] += 1

    def _may_activate(self, header: SliceHeader, pps: Pps) -> bool:
        """Whether the slice's parameter sets can be in force from here on; raises for what the core cannot do."""
        sps = self._sequences[pps.seq_parameter_set_id]
        feature = refusal(sps, pps)
        if feature is not None:
            raise UnsupportedInput(f"not supported: {feature}", feature=feature)
        # another size takes an IDR picture: a sequence starts with one
        return self._sps is None or header.idr or self._geometry(sps) == self._geometry(self._sps)

    def _activate(self, pps: Pps) -> Iterator[DecodedFrame]:
        """Put the SPS in force. What is still held of the former sequence comes out first."""
        sps = self._sequences[pps.seq_parameter_set_id]
        data = self._sequence_data[pps.seq_parameter_set_id]
        if data == self._sps_data:
            self._sps = sps
            return
        yield from self._deliver(self._dpb.flush())
        same = self._sps is not None and self._geometry(sps) == self._geometry(self._sps)
        self._sps, self._sps_data = sps, data
        self._dpb.configure(sps)
        count = self._dpb.capacity + 2 + self._in_flight
        if not same or count > self._pool.count:
            self._pool.retire()
            self._pool = Pool(self._target.open_surfaces(16 * sps.mb_width, 16 * sps.mb_height, count), count)
            self._last = None

    @staticmethod
    def _geometry(sps: Sps) -> tuple[int, int, int, bool]:
        return sps.mb_width, sps.mb_height, sps.chroma_format_idc, sps.frame_mbs_only_flag

    def _finish_picture(self) -> Iterator[DecodedFrame]:
        """All slices of the picture are here: decode it."""
        if not self._slices:
            return
        frame, sps = self._frame, self._sps
        assert frame is not None
        assert sps is not None
        slices, self._slices = self._slices, []
        self._run(frame, sps, slices)
        self.counters["pictures"] += 1
        self._last = frame
        yield from self._deliver(self._dpb.end())

    def _run(self, frame: Frame, sps: Sps, slices: list[CodedSlice]) -> None:
        header = slices[0].header
        structure = FRAME if not header.field_pic_flag else 1 + header.bottom_field_flag
        table = ReferenceTable(self._pool.surfaces)
        matrices: list[bytes] = []
        records = np.zeros(len(slices), SLICE)
        stream = bytearray()
        for record, item in zip(records, slices, strict=True):
            fill_slice(record, item, len(stream), table, matrices, sps)
            stream += item.payload
        conceal = self._concealment(frame)
        number = NO_ENTRY if conceal is None else table.number(conceal)
        parameters = records.tobytes() + b"".join(matrices) + table.records().tobytes()
        fields = {
            **self._job_fields(frame, sps, structure),
            "stream_bytes": len(stream),
            "slice_count": len(slices),
            "matrix_count": len(matrices),
            "reference_count": len(table.frames),
            "motion_address": self._pool.surfaces.motion_address(frame.surface) if header.nal_ref_idc else 0,
            "mbaff": int(header.mbaff(sps)),
            "conceal_reference": number,
        }
        notes = frame.data
        assert isinstance(notes, _FrameNotes)
        notes.outcome.append(self._target.decode(fields, parameters, bytes(stream)))

    def _job_fields(self, frame: Frame, sps: Sps, structure: int) -> dict[str, int]:
        return {
            "width": 16 * sps.mb_width,
            "height": 16 * sps.mb_height,
            "out_address": self._pool.surfaces.surface_address(frame.surface),
            "structure": structure,
            "chroma": int(sps.chroma_format_idc != 0),
            "direct_8x8_inference": int(sps.direct_8x8_inference_flag),
            "bypass": int(sps.qpprime_y_zero_transform_bypass_flag),
            "number": frame.number & ((1 << 28) - 1),
            "poc_top": frame.poc[0],
            "poc_bottom": frame.poc[1],
        }

    def _concealment(self, frame: Frame) -> Frame | None:
        """What lost macroblocks are copied from: the frame nearest in output order."""
        candidates = [f for f in self._dpb.frames if f.surface >= 0 and f is not frame and f.fields]
        last = self._last
        if last is not None and last is not frame and last.surface != frame.surface and last not in candidates:
            if all(f.surface != last.surface for f in candidates):
                candidates.append(last)  # shown already, but its surface is still as it was
        if not candidates:
            return None
        return min(candidates, key=lambda f: (abs(f.order - min(frame.poc)), f.number))

    # ---- output ----

    def release(self, frame: DecodedFrame) -> None:
        """Give the frame's surface back."""
        pool = self._lent.pop(id(frame))
        pool.give_back(frame.surface)

    def _deliver(self, frames: list[Frame]) -> Iterator[DecodedFrame]:
        self.counters["before_start"] += sum(
            1 for frame in frames if isinstance(frame.data, _FrameNotes) and not frame.data.shown
        )
        frames = [frame for frame in frames if isinstance(frame.data, _FrameNotes) and frame.data.shown]
        # all of them are the caller's before it takes the first: their surfaces must not be given away meanwhile
        for frame in frames:
            if isinstance(frame.data, _FrameNotes):
                frame.data.pool.lend(frame.surface)
        for frame in frames:
            notes = frame.data
            if isinstance(notes, _FrameNotes):
                if frame.fields != FRAME:
                    self._complete_lone_field(frame, notes)
                sps = notes.sps
                shown = DecodedFrame(
                    surfaces=notes.pool.surfaces,
                    surface=frame.surface,
                    coded_width=16 * sps.mb_width,
                    coded_height=16 * sps.mb_height,
                    crop=sps.crop_rectangle(),
                    monochrome=sps.chroma_format_idc == 0,
                    pts=notes.pts,
                    key=notes.key,
                    interlaced=frame.as_fields or frame.mbaff,
                    top_field_first=frame.poc[0] <= frame.poc[1],
                    sps=sps,
                    outcome=notes.outcome,
                )
                self._lent[id(shown)] = notes.pool
                yield shown

    def _complete_lone_field(self, frame: Frame, notes: _FrameNotes) -> None:
        """Fill the rows of the field that never came with those of the other one: a job whose only slice is empty."""
        table = ReferenceTable(self._pool.surfaces)
        number = table.number(frame)
        fields = {
            **self._job_fields(frame, notes.sps, FRAME - frame.fields),
            "stream_bytes": 1,
            "slice_count": 1,
            "matrix_count": 1,
            "reference_count": 1,
            "motion_address": 0,
            "mbaff": 0,
            "conceal_reference": number,
        }
        empty = np.zeros(1, SLICE)
        empty["ref"], empty["kind"], empty["deblock_disable"] = NO_ENTRY, SLICE_I, 1
        parameters = empty.tobytes() + FLAT + table.records().tobytes()
        notes.outcome.append(self._target.decode(fields, parameters, b"\0"))

    def flush(self) -> Iterator[DecodedFrame]:
        """End of stream."""
        yield from self._finish_picture()
        yield from self._deliver(self._dpb.flush())

    def close(self) -> None:
        """Give up: surfaces are closed as soon as the caller has released its frames."""
        self._slices.clear()
        self._pool.retire()


def _has_recovery_point(rbsp: bytes) -> bool:
    """Whether an SEI NAL unit holds a recovery point message (7.3.2.3.1, D.1.8)."""
    at = 0
    while at + 2 < len(rbsp):
        numbers = []  # payloadType, payloadSize: each byte of 255 says that more follows
        for _ in range(2):
            value = 0
            while at < len(rbsp) and rbsp[at] == 255:
                value += 255
                at += 1
            if at >= len(rbsp):
                return False
            numbers.append(value + rbsp[at])
            at += 1
        if numbers[0] == _SEI_RECOVERY_POINT:
            return True
        at += numbers[1]
    return False
