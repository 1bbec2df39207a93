"""Reading with the chip's decoder: a Source's packets become pictures in device memory, with times, and audio packets.

The counterpart of `Source.items()`, where FFmpeg decodes on the host: the same times, the same number of pictures.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from driver.decode_session import DecodedPicture, DecodeSession
from driver.errors import EndOfStream, TryAgain, UnsupportedInput
from driver.media.source import AudioGate, AudioPacket, CodedPacket, Source

WOVEN_NOTE = (
    "interlaced input: the two fields of a frame stay woven (the chip does not deinterlace; --decode host does)"
)


@dataclass(slots=True)
class TimedPicture:
    """A picture on the chip and its time, in units of `time_base` (seconds)."""

    picture: DecodedPicture
    pts: int
    duration: int
    time_base: Fraction


class ChipReader:
    """Gives the items of `source` by way of `decoder`; figures and warnings go into `source`.

    A picture stays valid until the next item is asked for; who needs it longer holds it.
    """

    def __init__(self, source: Source, decoder: DecodeSession, *, weave: bool = False) -> None:
        """weave: interlaced pictures pass as they are; otherwise they raise UnsupportedInput."""
        self._source, self._decoder, self._weave = source, decoder, weave
        self._last: DecodedPicture | None = None
        self._last_pts: int | None = None
        self._lost: list[int] = []  # heap: times of packets that gave no picture
        self._repeated = 0

    def items(self) -> Iterator[TimedPicture | AudioPacket]:
        """Yield pictures and audio packets; at most the source's limit of pictures, and the audio up to their end."""
        try:
            yield from self._until_end()
        finally:
            self._keep(None)
        stats = self._decoder.stats()
        damaged = stats["damaged_pictures"]
        source = self._source
        source.concealed = self._repeated + damaged
        source.decode_errors = (
            self._repeated + damaged + sum(stats[name] for name in ("bad_nals", "bad_parameter_sets", "bad_headers"))
        )
        if source.decode_errors:
            source.warnings.append(
                f"{source.decode_errors} damaged packet(s) or picture(s): {source.concealed} concealed "
                f"({stats['concealed_macroblocks']} macroblock(s) of {damaged} picture(s) by the chip, "
                f"{self._repeated} lost picture(s) by the last good one)"
            )
        source.note_retimed()

    def _until_end(self) -> Iterator[TimedPicture | AudioPacket]:
        source = self._source
        gate = AudioGate(len(source.audio), source.limit)
        for item in source.coded_items():
            if isinstance(item, AudioPacket):
                yield from gate.audio(item)
            elif not gate.closed:
                yield from self._gated(self._decoded(item), gate)
            elif item.pts is not None and gate.is_past(item.pts * source.time_base):
                return
            if gate.complete:
                return
        if not gate.closed:
            yield from self._gated(self._rest(), gate)
        yield from gate.rest()

    @staticmethod
    def _gated(pictures: Iterator[TimedPicture], gate: AudioGate) -> Iterator[TimedPicture | AudioPacket]:
        for shown in pictures:
            yield shown
            yield from gate.picture((shown.pts + shown.duration) * shown.time_base)
            if gate.closed:
                return

    def _decoded(self, packet: CodedPacket) -> Iterator[TimedPicture]:
        """Decode one packet; yield the pictures that come out, whichever they are."""
        before = self._decoder.counters["slices"]
        self._decoder.send_packet(packet.data, packet)
        yield from self._received()
        untimed = packet.pts is None or self._source.untimed
        if self._decoder.counters["slices"] == before and not packet.discard and not untimed:
            assert packet.pts is not None
            heapq.heappush(self._lost, packet.pts)

    def _rest(self) -> Iterator[TimedPicture]:
        """No more packets: what the decoder holds, and lost pictures at the end."""
        self._decoder.send_packet(None)
        for shown in self._received():
            yield shown
            if self._source.pictures == self._source.limit:
                return
        yield from self._repeats(None)

    def _received(self) -> Iterator[TimedPicture]:
        decoder = self._decoder
        while True:
            try:
                picture = decoder.next_frame()
            except EndOfStream:
                return
            except TryAgain:
                if decoder.held < decoder.frames_in_flight:
                    return
                # pictures come back as the jobs that read them complete
                decoder.device.wait_until(lambda: decoder.held < decoder.frames_in_flight, what="a surface")
                continue
            yield from self._shown(picture)

    def _shown(self, picture: DecodedPicture) -> Iterator[TimedPicture]:
        source = self._source
        packet: CodedPacket = picture.pts
        if packet.discard:
            picture.release()
            return
        self._check(picture)
        pts = self._pts_of(packet)
        yield from self._repeats(pts)
        if self._last_pts is not None and pts <= self._last_pts:
            source.retimed += 1
            pts = self._last_pts + 1
        self._last_pts = pts
        self._keep(picture)
        source.pictures += 1
        yield TimedPicture(picture, pts, packet.duration or source.frame_ticks, source.time_base)

    def _check(self, picture: DecodedPicture) -> None:
        """Take note of what is unusual about a picture, or refuse it."""
        source = self._source
        notes = []
        if picture.width % 2 or picture.height % 2 or picture.left % 2 or picture.top % 2:
            raise UnsupportedInput(
                f"{picture.width}x{picture.height} at ({picture.left}, {picture.top}) of the coded picture: odd sizes "
                "and places of monochrome video are not cropped on the chip"
            )
        if picture.interlaced:
            if not self._weave:
                raise UnsupportedInput("the input is interlaced, and the chip does not deinterlace")
            notes.append(WOVEN_NOTE)
        if (picture.width, picture.height) != (source.width, source.height):
            notes.append(f"the size changes to {picture.width}x{picture.height} mid-stream: scaled to the first one")
        source.warnings += [note for note in notes if note not in source.warnings]

    def _pts_of(self, packet: CodedPacket) -> int:
        """Return the picture's time; streams without times get the nominal rate."""
        source = self._source
        if packet.pts is None or source.untimed:
            return 0 if self._last_pts is None else self._last_pts + source.frame_ticks
        return packet.pts

    def _repeats(self, until: int | None) -> Iterator[TimedPicture]:
        """Conceal lost pictures before `until`: the last good one again, at the time of each."""
        source = self._source
        while self._lost and (until is None or self._lost[0] < until):
            pts = heapq.heappop(self._lost)
            if self._last is None or self._last_pts is None or pts <= self._last_pts:
                continue
            if source.pictures == source.limit:
                return
            self._repeated += 1
            self._last_pts = pts
            source.pictures += 1
            yield TimedPicture(self._last, pts, source.frame_ticks, source.time_base)
        if self._lost and self._lost[0] == until:
            heapq.heappop(self._lost)

    def _keep(self, picture: DecodedPicture | None) -> None:
        """The picture to show again where one is lost takes the place of the one before."""
        if self._last is not None:
            self._last.release()
        self._last = picture
