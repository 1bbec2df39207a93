"""Decode sessions: H.264 packets in, pictures out that stay in device memory.

`H264Decoder` (driver/decode/) turns packets into jobs; here the jobs go through a command queue to the chip's decode
cores. A picture comes out as soon as its place in output order is known, maybe before its job has run: whoever works
with it on the chip waits by its fence (`DecodedPicture.wait_fields`), the host by `wait()`.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import chain
from typing import Any

import numpy as np

from asic_model.codecs.h264.decode_records import MOTION_ALIGNMENT, SLICE, motion_bytes
from asic_model.codecs.h264.parameter_sets import Sps
from asic_model.codecs.h264.slice_header import SLICE_B, SLICE_P
from asic_model.descriptors import STREAM_ALIGNMENT_BYTES, Command, Kind, Status, pack_job
from asic_model.memory.surface import ADDRESS_ALIGNMENT_BYTES, surface
from driver.decode import DecodedFrame, H264Decoder
from driver.device import Device
from driver.errors import BadJob, CapacityExceeded, EndOfStream, InvalidConfig, TryAgain, UnsupportedInput
from driver.media.picture import Picture
from driver.queue import Fence, Queue
from driver.session import Session
from driver.surfaces import Allocator, PooledSurface, Span, download

# Decode jobs that may be under way: enough to keep a core busy, far from filling the queue's ring.
JOBS_MOST = 24
FRAMES_IN_FLIGHT_MOST = 1024  # a ladder that looks ahead holds more than it looks at
# Room for the slice data and parameter blocks of jobs under way; a larger job gets memory of its own.
STREAM_BUFFER_BYTES = 4 << 20


def _aligned(size: int, alignment: int = STREAM_ALIGNMENT_BYTES) -> int:
    return -(-size // alignment) * alignment


def picture_type(fields: dict[str, int], parameters: bytes) -> str:
    """Return I, P or B: the most that any slice of a decode job may use."""
    kinds = np.frombuffer(parameters, SLICE, fields["slice_count"])["kind"]
    return "B" if (kinds == SLICE_B).any() else "P" if (kinds == SLICE_P).any() else "I"


class _StreamBuffer:
    """One span of device memory used as a ring: jobs complete in order, so the oldest piece is given back first."""

    def __init__(self, span: Span) -> None:
        self._span = span
        self._pieces: deque[tuple[int, int]] = deque()  # (begin, end), oldest first

    def take(self, size: int) -> int | None:
        """Return the address of `size` free bytes, or None while there are none."""
        begin = 0
        if self._pieces:
            oldest, newest = self._pieces[0], self._pieces[-1]
            begin, limit = newest[1], oldest[0]
            if newest[0] >= oldest[0]:  # free: behind the newest, then before the oldest
                if begin + size <= self._span.size:
                    limit = self._span.size
                else:
                    begin = 0
            if begin + size > limit:
                return None
        elif size > self._span.size:
            return None
        self._pieces.append((begin, begin + size))
        return self._span.address + begin

    def give_back(self) -> None:
        self._pieces.popleft()


class DeviceSurfaces:
    """Surfaces and motion buffers of one coded size in device memory."""

    def __init__(self, target: "DeviceTarget", width: int, height: int, count: int) -> None:
        self._target = target
        self._surfaces: list[Span] = []
        self._motion: list[Span] = []
        allocate = target.device.allocator.allocate
        what = f"decoded picture {width}x{height}"
        try:
            for _ in range(count):
                self._surfaces.append(allocate(surface(width, height).size_bytes, ADDRESS_ALIGNMENT_BYTES, f"a {what}"))
                self._motion.append(allocate(motion_bytes(width, height), MOTION_ALIGNMENT, f"motion of a {what}"))
        except CapacityExceeded:
            self.free()
            raise

    def surface_address(self, number: int) -> int:
        return self._surfaces[number].address

    def motion_address(self, number: int) -> int:
        return self._motion[number].address

    def close(self) -> None:
        """No further job will name them; those under way may still."""
        self._target.when_idle(self.free)

    def free(self) -> None:
        """Give the memory back; harmless when that was done."""
        self._target.device.allocator.release([*self._surfaces, *self._motion])
        self._surfaces, self._motion = [], []
        if self in self._target.sets:
            self._target.sets.remove(self)


class DeviceTarget:
    """Runs decode jobs on the chip (`driver.decode.DecodeTarget`); the outcome of a job is its fence.

    figures  by picture type: pictures, macroblocks, bits, ticks on a core (control clock)
    """

    def __init__(self, session: "DecodeSession", number: int) -> None:
        self.device = session.device
        self.sets: list[DeviceSurfaces] = []
        self.figures: dict[str, dict[str, int]] = {}
        self.concealed_macroblocks = self.damaged_jobs = 0
        self._session, self._number = session, number
        self._flights: deque[Fence] = deque()
        self._idle_calls: deque[tuple[int, Any]] = deque()  # (jobs to wait for, what to call then)
        self._completed = self._submitted = 0
        self._buffer = _StreamBuffer(session._buffer(STREAM_BUFFER_BYTES, "slice data"))

    @property
    def in_flight(self) -> int:
        return len(self._flights)

    def open_surfaces(self, width: int, height: int, count: int) -> DeviceSurfaces:
        limits = self.device.capabilities
        if width > limits.max_width or height > limits.max_height:
            raise UnsupportedInput(
                f"{width}x{height} is larger than this chip takes ({limits.max_width}x{limits.max_height})",
                width=width, height=height,
            )  # fmt: skip
        found = DeviceSurfaces(self, width, height, count)
        self.sets.append(found)
        return found

    def when_idle(self, call: Any) -> None:
        """Call `call` once all jobs submitted so far have completed."""
        if self._completed == self._submitted:
            call()
        else:
            self._idle_calls.append((self._submitted, call))

    def decode(self, fields: dict[str, int], parameters: bytes, stream: bytes) -> Fence:
        """Upload slice data and parameters, submit the job, ring; wait only while too many are under way."""
        try:  # before memory is taken for it
            pack_job(Kind.DECODE, {**fields, "parameters_address": 0, "stream_address": 0})
        except ValueError as error:
            raise BadJob(f"a picture cannot be a decode job: {error}") from None
        self._wait(lambda: len(self._flights) < JOBS_MOST, "a decode core")
        data_at = _aligned(len(parameters))
        size = _aligned(data_at + len(stream))  # of all pieces, so each begins aligned
        device = self.device
        own: Span | None = None
        if size < STREAM_BUFFER_BYTES // 2:
            address = self._buffer.take(size)
            while address is None:
                oldest = self._flights[0]
                self._wait(lambda: oldest.done, "room for slice data")  # noqa: B023 - called in this turn only
                address = self._buffer.take(size)
        else:
            own = device.allocator.allocate(size, STREAM_ALIGNMENT_BYTES, "slice data of a picture")
            address = own.address
        upload = bytearray(size)
        upload[: len(parameters)] = parameters
        upload[data_at:] = stream
        job = {**fields, "parameters_address": address, "stream_address": address + data_at}
        block = pack_job(Kind.DECODE, job)
        letter = picture_type(fields, parameters)
        macroblocks = fields["width"] * fields["height"] >> (8 if fields["structure"] == 3 else 9)
        queue = self._session.queue
        with device.lock:  # also while waiting: nobody else may take the slot
            self._wait(lambda: queue.room > 0, "a slot of the command queue")
            device.backend.memory_write(address, bytes(upload))
            fence = queue.stage(Command.DECODE, session=self._number, block=block)
            fence.callback = lambda completion: self._done(completion, own, letter, macroblocks, 8 * len(stream))
            self._flights.append(fence)
            self._submitted += 1
            queue.ring()
        return fence

    def _wait(self, ready: Any, what: str) -> None:
        if not ready():
            self.device.wait_until(lambda: ready() or self._session._error is not None, what=what)
        self._session._check_open()

    def _done(self, completion: dict[str, int], own: Span | None, letter: str, macroblocks: int, bits: int) -> None:
        """Completions of a session come in its order."""
        self._flights.popleft()
        self._completed += 1
        if own is not None:
            self.device.allocator.release([own])
        else:
            self._buffer.give_back()
        if completion["status"] == Status.CORRUPT_INPUT:
            self.damaged_jobs += 1
            self.concealed_macroblocks += completion["detail"]
        elif self._session._failed(completion, Kind.DECODE):
            return
        figures = self.figures.setdefault(letter, dict.fromkeys(("pictures", "macroblocks", "bits", "ticks"), 0))
        for name, value in (
            ("pictures", 1),
            ("macroblocks", macroblocks),
            ("bits", bits),
            ("ticks", completion["finished"] - completion["started"]),
        ):
            figures[name] += value
        while self._idle_calls and self._idle_calls[0][0] <= self._completed:
            self._idle_calls.popleft()[1]()


class DecodedPicture(PooledSurface):
    """One picture in output order, in a surface on the chip that is the caller's until the last `release()`.

    pts               what came with the packet of its first slice
    key, interlaced, top_field_first, monochrome, sps    as in `driver.decode.DecodedFrame`
    width, height     what is to be shown; `layout` is the surface at its coded size
    """

    def __init__(self, session: "DecodeSession", decoder: H264Decoder, frame: DecodedFrame) -> None:
        layout = surface(frame.coded_width, frame.coded_height, frame.surfaces.surface_address(frame.surface))
        super().__init__(session, layout, frame.crop)
        self.frame, self.decoder = frame, decoder
        self.pts: Any = frame.pts
        self.key, self.interlaced, self.top_field_first = frame.key, frame.interlaced, frame.top_field_first
        self.monochrome = frame.monochrome
        self.sps: Sps = frame.sps
        self.session = session
        self.holders = 1

    @property
    def fence(self) -> Fence:
        """Of the last job that writes the picture."""
        fence: Fence = self.frame.outcome[-1]
        return fence

    @property
    def wait_fields(self) -> tuple[int, int]:
        """(session, sequence) for jobs of the same queue that read the picture: their fence."""
        return self.fence.session, self.fence.sequence

    @property
    def done(self) -> bool:
        return self.fence.done

    @property
    def concealed(self) -> int:
        """Macroblocks that were damaged or missing, once `done`."""
        completions = [fence.completion for fence in self.frame.outcome if fence.completion is not None]
        return sum(c["detail"] for c in completions if c["status"] == Status.CORRUPT_INPUT)

    def wait(self, timeout_us: int | None = None) -> None:
        """Let time pass until the picture is decoded; TryAgain after `timeout_us`."""
        self.session.device.wait_until(
            lambda: self.done or self.session._error is not None, timeout_us, what="a decoded picture"
        )
        self.session._check_error()

    def download(self, pts: int = 0, duration: int = 1, time_base: Fraction = Fraction(1, 25)) -> Picture:
        """Wait for the picture and copy what is to be shown to the host; chroma of monochrome video is 128."""
        self.wait()
        return download(
            self.session.device.backend, self.layout, self.width, self.height, pts, duration, time_base, self.left,
            self.top,
        )  # fmt: skip


class DecodeSession(Session):
    """Packets in, pictures out, in output order.

    The caller may hold `frames_in_flight` pictures at a time; each must be released once. `send_packet(None)` drains.
    Damage never raises: it is concealed and counted. What the chip cannot decode raises UnsupportedInput by name.
    """

    rerun_safe = False  # a surface is written again in the order of jobs, before the host knows what has completed

    def __init__(
        self, device: Device, extradata: bytes | None = None, *, frames_in_flight: int = 4, queue: Queue | None = None
    ) -> None:
        limits = device.capabilities
        if isinstance(frames_in_flight, bool) or not isinstance(frames_in_flight, int):
            raise InvalidConfig(f"frames_in_flight: {frames_in_flight!r} is not a whole number")
        if not 1 <= frames_in_flight <= FRAMES_IN_FLIGHT_MOST:
            raise InvalidConfig(f"frames_in_flight: {frames_in_flight} is outside 1..{FRAMES_IN_FLIGHT_MOST}")
        if not limits.decode_cores:
            raise UnsupportedInput("this chip has no decode cores")
        super().__init__(device, queue)
        self.frames = 0  # pictures given out
        self.frames_in_flight = frames_in_flight
        self._extradata = extradata
        self._returned: deque[DecodedPicture] = deque()  # released by whoever, given back by our own calls
        self._held = 0
        self._idle = False  # closed, and the device uses none of its memory
        self._reader: Iterator[DecodedFrame] | None = None  # of the last packet; None: used up
        self._waiting: DecodedPicture | None = None  # taken from the decoder, not yet received
        self._past_counters: dict[str, int] = {}
        try:
            # pictures of any size may come: the session's size is a limit, it takes no memory
            self.number = self._open_firmware_session(Kind.DECODE, limits.max_width, limits.max_height)
            self.target = DeviceTarget(self, self.number)
            self._decoder = H264Decoder(self.target, extradata, frames_in_flight=frames_in_flight)
        except BaseException:
            self.close()
            raise

    @property
    def in_flight(self) -> int:
        """Decode jobs that the device has and has not finished."""
        target = getattr(self, "target", None)
        return target.in_flight if target is not None else 0

    @property
    def held(self) -> int:
        """Pictures that the caller has received and not released."""
        return self._held - len(self._returned)

    @property
    def counters(self) -> dict[str, int]:
        """What was found in the stream: pictures, damaged NAL units, headers and parameter sets."""
        past = self._past_counters
        return {name: value + past.get(name, 0) for name, value in self._decoder.counters.items()}

    def _check_error(self) -> None:
        if self._error is not None:
            raise self._error

    # -- packets in -----------------------------------------------------------------------------------------------

    def send_packet(self, data: bytes | None, pts: Any = None) -> None:
        """Take one packet (whole NAL units, framed as the extradata says); None: no more will come.

        Its pictures are decoded as they are received. Raises TryAgain while an earlier packet still has pictures.
        """
        self._check_open()
        if data is not None and not isinstance(data, bytes | bytearray | memoryview):
            raise InvalidConfig(f"data: {type(data).__name__}, must be bytes", option="data")
        if self._draining:
            raise EndOfStream("the session is draining: no packet after send_packet(None)")
        if not self.used_up():
            raise TryAgain("the packet before has pictures left: receive them first")
        self._reader = self._decoder.flush() if data is None else self._decoder.feed(data, pts)
        self._draining = data is None

    def _pull(self) -> bool:
        """Whether a picture waits to be received; goes on with the packet until one comes or it is used up."""
        self._give_back()
        if self._waiting is None and self._reader is not None and self.held < self.frames_in_flight:
            frame = next(self._reader, None)
            if frame is None:
                self._reader = None
            else:
                self._waiting = DecodedPicture(self, self._decoder, frame)
                self._held += 1
        return self._waiting is not None

    def used_up(self) -> bool:
        """Whether the last packet has no more pictures to give."""
        return not self._pull() and self._reader is None

    # -- pictures out ---------------------------------------------------------------------------------------------

    def next_frame(self) -> DecodedPicture:
        """Return the next picture, maybe before it is decoded (`fence`, `wait()`).

        Raises TryAgain: send a packet, or release a picture first; EndOfStream: drained.
        """
        self._check_open()
        if not self._pull():
            if self._reader is not None:
                raise TryAgain(f"{self.held} pictures are held, {self.frames_in_flight} allowed: release one first")
            if self._draining:
                raise EndOfStream("all pictures were received")
            raise TryAgain("no picture is on its way: send a packet")
        picture, self._waiting = self._waiting, None
        assert picture is not None
        self.frames += 1
        return picture

    def receive_frame(self, timeout_us: int | None = 0) -> DecodedPicture:
        """As `next_frame`, but decoded: TryAgain when it is not in `timeout_us`, and the picture stays the next one."""
        self._check_open()
        if self._pull():
            assert self._waiting is not None
            self._waiting.wait(timeout_us)
        return self.next_frame()

    def decode(self, packets: Iterable[Any]) -> Iterator[DecodedPicture]:
        """Decode `packets`, bytes or (bytes, pts), and drain; yield each picture decoded, keeping the chip busy.

        A picture is released when the next one is asked for; `hold()` keeps it.
        """
        ahead: deque[DecodedPicture] = deque()
        try:
            for packet in chain(packets, (None,)):
                data, pts = packet if isinstance(packet, tuple) else (packet, None)
                self.send_packet(data, pts)
                while not self.used_up():
                    while ahead and self.held >= self.frames_in_flight:
                        yield from self._yielded(ahead.popleft())
                    ahead.append(self.next_frame())
            while ahead:
                yield from self._yielded(ahead.popleft())
        finally:  # whoever stops early holds none of them
            for picture in ahead:
                picture.release()

    @staticmethod
    def _yielded(picture: DecodedPicture) -> Iterator[DecodedPicture]:
        picture.wait()
        try:
            yield picture
        finally:
            picture.release()

    # -- surfaces back --------------------------------------------------------------------------------------------

    @property
    def allocator(self) -> Allocator:
        """Of the device memory that its pictures are in."""
        return self.device.allocator

    def give_back(self, returned: DecodedPicture) -> None:
        """Nobody holds the picture any more (called by the last `release()`, on any thread)."""
        self._returned.append(returned)
        if self._idle:
            with self.device.lock:
                self._give_back()
                self._free_if_unused()

    def _give_back(self) -> None:
        while self._returned:
            picture = self._returned.popleft()
            self._held -= 1
            picture.decoder.release(picture.frame)

    def reset(self) -> None:
        """Forget the stream so far, to go on at another place of it; pictures that the caller holds stay valid."""
        self._check_open()
        self._drop_waiting()
        for name, value in self._decoder.counters.items():
            self._past_counters[name] = self._past_counters.get(name, 0) + value
        self._decoder.close()
        self._decoder = H264Decoder(self.target, self._extradata, frames_in_flight=self.frames_in_flight)
        self._draining = False

    def _drop_waiting(self) -> None:
        self._reader = None
        if self._waiting is not None:
            picture, self._waiting = self._waiting, None
            picture.release()
        self._give_back()

    def close(self) -> None:
        """Let the device finish, then give everything back; surfaces that somebody still holds follow with him."""
        if self._closed:
            return
        if hasattr(self, "_decoder"):
            self._drop_waiting()
        super().close()

    def _give_back_memory(self) -> None:
        super()._give_back_memory()
        self._idle = True
        if hasattr(self, "_decoder"):
            self._drop_waiting()
        self._free_if_unused()

    def _free_if_unused(self) -> None:
        if hasattr(self, "target") and not self.held:
            for surfaces in list(self.target.sets):
                surfaces.free()

    def stats(self) -> dict[str, Any]:
        """Figures of this session so far; `by_type` has `core_ps`, the time that jobs of the type held a core."""
        period = self.device.capabilities.clock_period_ps
        by_type = {
            letter: {**{k: v for k, v in figures.items() if k != "ticks"}, "core_ps": figures["ticks"] * period}
            for letter, figures in sorted(self.target.figures.items(), key=lambda item: "IPB".index(item[0]))
        }
        return {
            "frames": self.frames,
            "by_type": by_type,
            "damaged_pictures": self.target.damaged_jobs,
            "concealed_macroblocks": self.target.concealed_macroblocks,
            **{name: value for name, value in self.counters.items() if name != "pictures"},
        }
