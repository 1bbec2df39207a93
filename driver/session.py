"""Sessions: a stream of pictures through the chip, with bounded buffers on both sides.

`send_frame` and `receive_packet` never wait longer than asked (TryAgain); the generators `encode`, `scale` and
`transcode` wrap them with the back-pressure inside. The device owns a picture's surfaces from the doorbell to the
completion; pools are sized at opening, so memory does not grow with the number of pictures.
"""

import contextlib
import enum
import math
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from types import TracebackType
from typing import Any, Self

import numpy as np

from asic_model.descriptors import (
    MOTION_BYTES,
    PICTURE_QP_OFFSET,
    Command,
    Kind,
    job_template,
    pack_job,
    pack_session,
)
from driver.device import Device
from driver.errors import DeviceLost, EndOfStream, InvalidConfig, SessionClosed, TasicError, TryAgain, UnsupportedInput
from driver.first_pass import FirstPass, Looked, Plan, Planned, picture_class
from driver.gop import LOG2_MAX_FRAME_NUM, Kept, PictureHeader, PictureOrder, hierarchy_depth
from driver.hrd import HrdWriter, initial_bits, overhead_bits
from driver.media.picture import Picture, as_picture
from driver.media.sink import EncodedPacket
from driver.notify import Bell
from driver.options import EncoderConfig, ScalerConfig
from driver.quality import QualityMeter
from driver.queue import Fence, Queue, failure
from driver.scene_cut import SceneCut
from driver.stream import parameter_sets, vui_parameters
from driver.surfaces import PooledSurface, Span, SurfacePool, Uploader, download

# Room for the worst picture: I_PCM is 384 bytes a macroblock, emulation prevention adds at most half, and slice
# headers a little.
STREAM_BYTES_PER_MB = 600
STREAM_BYTES_MORE = 8192
MAX_SCALE_OUTPUTS = 4
_REFERENCE_ADDRESSES = tuple(
    tuple(f"{prefix}_address_{number}" for number in range(most)) for prefix, most in (("ref", 4), ("ref_l1", 2))
)
ARRAY_RATE = Fraction(25)  # frames/s of bare arrays in a session that has no rate


class State(enum.Enum):
    """Where a session is in its life, as in V4L2's stateful codecs."""

    OPEN = "open"  # nothing was sent yet
    RUNNING = "running"
    DRAINING = "draining"  # no more input will come, output may
    EOS = "eos"  # all output was received
    RESETTING = "resetting"  # the device is being reset under it
    FAILED = "failed"  # every call repeats the first error
    CLOSED = "closed"


class Session:
    """What all sessions share: closing, and the first error, which every later call repeats.

    rerun_safe : jobs in flight give the same when they run again after a reset
    """

    rerun_safe = True

    def __init__(self, device: Device, queue: Queue | None = None) -> None:
        self.device = device
        self.queue = queue or device.next_queue()
        self._error: TasicError | None = None
        self._closed = False
        self._draining = False
        self._firmware_sessions: list[int] = []
        self._pools: list[SurfacePool] = []
        self._spans: list[Span] = []
        self._bell: Bell | None = None
        self._dependents: list[Session] = []  # sessions that fail with this one
        self.owns_device = False  # `open_best` opened the device for this session: it goes with it
        self._began = False
        device.register_session(self)

    @property
    def in_flight(self) -> int:
        """Pictures that the device has and has not finished."""
        raise NotImplementedError

    @property
    def can_receive(self) -> bool:
        """Whether a call that receives would end at once: with a result, an error, or the end."""
        ready = bool(getattr(self, "_ready", False))
        return ready or self._error is not None or self._closed or (self._draining and not self.in_flight)

    @property
    def state(self) -> State:
        """Where the session is in its life."""
        if self._closed:
            return State.CLOSED
        if self._error is not None:
            return State.FAILED
        if self.device.recovering:
            return State.RESETTING
        if self._draining:
            return State.DRAINING if self.in_flight or getattr(self, "_ready", False) else State.EOS
        self._began = self._began or bool(self.in_flight or getattr(self, "frames", 0))
        return State.RUNNING if self._began else State.OPEN

    def fileno(self) -> int:
        """A descriptor that is readable while something can be received without waiting: for select, poll, asyncio.

        Starts a thread that lets the device's time pass while jobs are in flight (driver/notify.py).
        """
        self._check_open()
        if self._bell is None:
            self._bell = Bell()
            self.device.pump().add(self)
        else:
            self.device.pump().wake()
        return self._bell.fileno()

    def update_bell(self) -> None:
        """Make the descriptor of `fileno` readable, or not."""
        if self._bell is not None:
            self._bell.set(self.can_receive)

    def uses(self, handle: int) -> bool:
        """Whether a firmware session is one of this session's."""
        return handle in self._firmware_sessions

    def fail(self, error: TasicError) -> None:
        """From now on every call raises `error`."""
        if self._error is None:
            self._error = error
            for session in self._dependents:
                session.fail(error)

    def _open_firmware_session(self, kind: Kind, width: int, height: int, **fields: int) -> int:
        number = self.device.open_session(self.queue, kind, width, height, **fields)
        self._firmware_sessions.append(number)
        return number

    def _pool(self, width: int, height: int, count: int, what: str) -> SurfacePool:
        pool = SurfacePool(self.device.allocator, width, height, count, what)
        self._pools.append(pool)
        return pool

    def _buffer(self, size: int, what: str) -> Span:
        span = self.device.allocator.allocate(size, what=what)
        self._spans.append(span)
        return span

    def _check_open(self) -> None:
        if self._error is not None:
            raise self._error
        if self._closed:
            raise SessionClosed("the session is closed")

    def _failed(self, completion: dict[str, int], kind: Kind) -> bool:
        """Keep the first error of a completion; True when it has one."""
        error = failure(completion, kind)
        if error is not None:
            self.fail(error)
        return error is not None

    def flush(self) -> None:
        """Wait for everything in flight; finished packets stay to be received."""
        self.device.wait_until(lambda: not self.in_flight or self._error is not None, what="the session")

    def close(self) -> None:
        """Let the device finish what it has, then give everything back. Harmless when closed already.

        When the device does not answer, memory that it may still use is given back at its next reset.
        """
        try:
            with self.device.lock:
                if self._closed:
                    return
                self._closed = True
                try:
                    self.device.wait_until(lambda: not self.in_flight, what="closing the session")
                    for number in self._firmware_sessions:
                        self.device.close_session(self.queue, number)
                except BaseException:
                    self._leave()
                    raise
                self._forget()
                self._give_back_memory()
        finally:
            if self.owns_device:
                self.device.close()

    def abandon(self) -> None:
        """Close without asking a device that does not answer."""
        with self.device.lock:
            if not self._closed:
                self._closed = True
                self._leave()

    def _leave(self) -> None:
        self._forget()
        self.device.leave(self._firmware_sessions, self._give_back_memory)

    def _forget(self) -> None:
        self.device.forget_session(self)
        if self._bell is not None:
            self._bell.close()

    def _give_back_memory(self) -> None:
        """The device uses nothing of it any more."""
        for pool in self._pools:
            pool.close()
        self.device.allocator.release(self._spans)
        self._spans = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _value: object, _trace: TracebackType | None) -> None:
        if kind is None:
            self.close()
        elif issubclass(kind, DeviceLost):
            self.abandon()
        elif issubclass(kind, Exception):
            # the first error is what the user must see; after an interrupt the device's own end cleans up
            with contextlib.suppress(Exception):
                self.close()


@dataclass(slots=True, eq=False)
class _Given:
    """One picture as it came in display order; the token of the session's `PictureOrder`."""

    source: PooledSurface
    pts: int
    duration: int
    time_base: Fraction
    wait_session: int
    wait_sequence: int
    number: int  # in display order
    reconstruction: PooledSurface | None = None
    looked: Looked | None = None  # what the first pass keeps of it


@dataclass(slots=True)
class _Flight:
    """One picture on its way through an encode session."""

    fence: Fence
    header: bytes  # parameter sets, before IDR pictures
    is_idr: bool
    given: _Given
    dts: int
    source: PooledSurface
    reconstruction: PooledSurface
    references: list[PooledSurface]  # what the job reads: it may have to run again
    stream: Span
    plan: Plan | None = None


def fixed_fields(config: EncoderConfig) -> dict[str, int]:
    """The fields of an encode job that all pictures of a session share."""
    return {
        "width": config.width,
        "height": config.height,
        "out_capacity": STREAM_BYTES_MORE,
        "log2_max_frame_num": LOG2_MAX_FRAME_NUM,
        "chroma_qp_offset": config.chroma_qp_offset,
        "entropy": int(config.cabac),
        "cabac_init_idc": config.cabac_init_idc,
        "slices": config.slices,
        "deblock_disable": int(not config.loop_filter),
        "deblock_alpha": config.deblock_alpha,
        "deblock_beta": config.deblock_beta,
        "effort": config.effort,
        "transform_8x8": int(config.transform_8x8),
        "direct_temporal": int(config.direct == "temporal"),
        "weighted": int(config.weighted_p) | int(config.weighted_b) << 1,
        "tools_off": config.tools_off,
        "dead_zone_inter": 0 if config.dead_zone_inter is None else 1 + config.dead_zone_inter,
        "dead_zone_intra": 0 if config.dead_zone_intra is None else 1 + config.dead_zone_intra,
        "seed": config.seed,
    }


class EncodeSession(Session):
    """Pictures in, in display order; H.264 access units out, one each, in coding order."""

    def __init__(
        self, device: Device, config: EncoderConfig, *, queue: Queue | None = None, upload: bool = True,
        quality: bool = False, keep_reconstruction: bool = False,
    ) -> None:  # fmt: skip
        """`upload=False`: pictures come from elsewhere on the chip (`submit`). `quality`: PSNR and SSIM on the chip.

        `keep_reconstruction`: every packet's reconstruction is downloaded too (`reconstructions`).
        """
        check_limits(device, config.width, config.height)
        self._vui = vui_parameters(config)
        self._header = parameter_sets(config, self._vui)
        super().__init__(device, queue)
        self.config = config
        self.frames = self.bytes = self.qp_sum = 0
        self._sent = 0
        self.reconstructions: deque[Picture] = deque()  # in display order
        self._reconstructed: dict[int, Picture] = {}  # those that others come before, by place in display order
        self._given = self._shown = 0
        self._keep_reconstruction = keep_reconstruction
        self._order = PictureOrder(
            config.gop_size, config.references, config.b_frames, config.b_ref_mode, config.refs_l1
        )
        self._scene_cut = SceneCut(config.scene_cut)
        self._times: deque[int] = deque()  # display times that no decoding time was taken from yet
        self._early = hierarchy_depth(config.b_frames, config.b_ref_mode)  # decoding times before the first of them
        self._depth = config.held_pictures  # pictures between `send_frame` and `receive_packet`
        self._flights: deque[_Flight] = deque()
        self._ready: deque[EncodedPacket] = deque()
        self._references: list[Kept] = []  # those whose reconstructions the session holds
        self._qp = config.qp
        self._template = job_template(Kind.ENCODE, fixed_fields(config))
        self._hrd: HrdWriter | None = None
        if self._vui.nal_hrd is not None:
            self._hrd = HrdWriter(self._vui, config, self._early)
        self.quality: QualityMeter | None = None
        self._first_pass: FirstPass | None = None
        coded_width, coded_height = -(-config.width // 16) * 16, -(-config.height // 16) * 16
        try:
            self.number = self._open_firmware_session(
                Kind.ENCODE, config.width, config.height, **self._session_fields(config)
            )
            depth = config.queue_depth + config.b_frames  # pictures that are being coded
            self._source_pool = self._pool(config.width, config.height, self._depth + 1, "source") if upload else None
            self._uploader = Uploader(config.width, config.height) if upload else None
            self._recon_pool = self._pool(
                coded_width, coded_height, config.buffered_references + depth + 1, "reconstruction"
            )
            macroblocks = coded_width * coded_height // 256
            self._free_motion = [
                self._buffer(macroblocks * MOTION_BYTES, "motion") for _ in range(self._recon_pool.count)
            ]
            self._motion: dict[int, Span] = {}  # by the reconstruction's address
            capacity = macroblocks * STREAM_BYTES_PER_MB + STREAM_BYTES_MORE
            self._streams = deque(self._buffer(capacity, "stream buffer") for _ in range(depth))
            if config.lookahead:
                self._first_pass = FirstPass(self, config, self._order, self._can_code, self._code)
            if quality:
                self.quality = QualityMeter(self, coded_width, coded_height, depth)
        except BaseException:
            self.close()
            raise

    def _session_fields(self, config: EncoderConfig) -> dict[str, int]:
        rate = config.fps.limit_denominator(1_000_000)
        if rate.numerator > 1_000_000:
            rate = Fraction(round(rate))
        overhead = overhead_bits(config, self._vui, self._header)
        return {
            "rate_numerator": rate.numerator,
            "rate_denominator": rate.denominator,
            "bit_rate": config.bit_rate or 0,
            "max_rate": config.max_rate or 0,
            "buffer_bits": config.buffer_size or 0,
            "initial_bits": initial_bits(config),
            "overhead_bits": overhead[0],
            "idr_overhead_bits": overhead[1],
            "intra_period": config.gop_size,
            "qp_min": config.qp_min,
            "qp_max": config.qp_max,
            "reserve_kilosamples": math.ceil(config.width * config.height * rate / 1000) if config.realtime else 0,
            "b_frames": config.b_frames,
            "quality_qp": config.quality_qp,
        }

    @property
    def in_flight(self) -> int:
        measuring = self.quality.in_flight if self.quality is not None else 0
        return len(self._flights) + measuring + self._looking

    @property
    def _looking(self) -> int:
        """What the first pass has under way."""
        return self._first_pass.in_flight if self._first_pass is not None else 0

    @property
    def has_room(self) -> bool:
        """Whether another picture can be submitted now."""
        if self._first_pass is not None:
            return len(self._flights) + len(self._ready) + self._first_pass.held < self._depth
        return (
            bool(self._streams)
            and len(self._flights) + len(self._ready) + self._order.waiting < self._depth
            and (self.quality is None or self.quality.room > self._order.waiting)
        )

    def force_keyframe(self) -> None:
        """Make the next picture an IDR picture."""
        if self._first_pass is not None:
            self._first_pass.force_keyframe()
        else:
            self._order.force_idr()

    def reconfigure(self, *, bit_rate: int | None = None, qp: int | None = None) -> None:
        """Change the target of the pictures sent from now on: a bit rate, or a constant QP."""
        self._check_open()
        if bit_rate is not None and qp is not None:
            raise InvalidConfig("option qp: does not go with bit_rate; one of the two", option="qp")
        changes: dict[str, Any] = {}
        if bit_rate is not None:
            changes["bit_rate"] = bit_rate
        if qp is not None:
            changes["qp"] = qp
        config: EncoderConfig = self.config.replace(**changes)
        if bit_rate is not None:
            block = pack_session(Kind.ENCODE, width=config.width, height=config.height, **self._session_fields(config))
            self.device.command(self.queue, Command.RECONFIGURE, session=self.number, block=block)
        self.config, self._qp = config, config.qp

    # -- pictures in ----------------------------------------------------------------------------------------------

    def send_frame(self, frame: Picture | np.ndarray | None, timeout_us: int = 0) -> Fence | None:
        """Upload one picture and submit what can be coded now; None: no more will come.

        Return the fence of the last job submitted; None when the picture has to wait for those after it (it may become
        a B picture). An array is uint8[height * 3 / 2, width]: Y, Cb, Cr, or as `config.pix_fmt` says; its time follows
        from `config.fps`. Raises InvalidConfig for frames that do not fit the session, TryAgain when as many pictures
        as fit are on their way and none finished in `timeout_us`.
        """
        self._check_open()
        if frame is None:
            self._drain()
            return None
        if self._draining:
            raise EndOfStream("the session is draining: no picture after send_frame(None)")
        if self._source_pool is None or self._uploader is None:
            raise InvalidConfig("this session takes its pictures from the chip")
        config = self.config
        picture = as_picture(frame, config.width, config.height, self._sent, config.fps, config.pix_fmt)
        if not self.has_room:
            if self._ready and not self._flights:
                raise TryAgain("packets are waiting: receive them first")
            self.device.wait_until(lambda: self.has_room or bool(self._error), timeout_us, what="a free slot")
            self._check_open()
        with self.device.lock:
            source = self._source_pool.acquire()
            self._uploader.upload(self.device.backend, source.layout, picture)
            cut = self._first_pass is None and self._scene_cut.add(picture.y)
            fence = self.submit(source, picture.pts, picture.duration, picture.time_base, cut=cut)
            self._sent += 1
            if fence is not None or self._first_pass is not None:
                self.queue.ring()
        return fence

    def send_surface(
        self, surface: PooledSurface, pts: int, duration: int = 1, time_base: Fraction | None = None,
        timeout_us: int = 0,
    ) -> Fence | None:  # fmt: skip
        """Submit a picture that is on the device already (`Device.surfaces`, a scaler's output): nothing is uploaded.

        The session holds the surface until the job is done; the caller's hold stays his. `time_base` of `pts` and
        `duration`: one picture, unless said. Raises InvalidConfig for another size, TryAgain as `send_frame`.
        """
        self._check_open()
        if self._draining:
            raise EndOfStream("the session is draining: no picture after send_frame(None)")
        if (surface.width, surface.height) != (self.config.width, self.config.height):
            raise InvalidConfig(
                f"a surface of {surface.width}x{surface.height} in a session of {self.config.width}x"
                f"{self.config.height}"
            )
        if not self.has_room:
            self.device.wait_until(lambda: self.has_room or bool(self._error), timeout_us, what="a free slot")
            self._check_open()
        with self.device.lock:
            fence = self.submit(surface.hold(), pts, duration, time_base or 1 / self.config.fps)
            self.queue.ring()
        return fence

    def submit(
        self, source: PooledSurface, pts: int, duration: int, time_base: Fraction, wait_session: int = 0,
        wait_sequence: int = 0, cut: bool = False,
    ) -> Fence | None:  # fmt: skip
        """Stage the encode jobs that the next picture makes possible (the caller rings the doorbell).

        The session takes over one hold on `source`. `cut`: it begins a scene. Returns the last job's fence, if any.
        """
        self._times.append(pts)
        fence = None
        given = _Given(source, pts, duration, time_base, wait_session, wait_sequence, self._given)
        self._given += 1
        if self._first_pass is not None:
            self._first_pass.add(given, source.source_fields, (wait_session, wait_sequence))
            self._first_pass.advance()
            return None
        for header in self._order.add(given, cut):
            fence = self._stage(header, list(self._order.kept))
        return fence

    def _can_code(self, count: int) -> bool:
        """Whether so many pictures have their buffers; a group larger than all of them begins when none is in use."""
        room = self.quality.room if self.quality is not None else count
        return min(len(self._streams), room) >= count or not self._flights

    def _code(self, planned: Planned, plan: Plan) -> None:
        self._stage(planned.header, planned.kept, plan)

    def _drain(self) -> None:
        """No picture will come: code those that wait."""
        self._draining = True
        if self._first_pass is not None:
            with self.device.lock:
                self._first_pass.end()
        elif self._order.waiting:
            with self.device.lock:
                for header in self._order.flush():
                    self._stage(header, list(self._order.kept))
                self.queue.ring()

    def _qp_of(self, header: PictureHeader) -> int:
        """QP of a picture by its type and place."""
        return min(51, max(0, self._qp + PICTURE_QP_OFFSET[picture_class(header)]))

    def _decoding_time(self, given: _Given) -> int:
        """Decoding times are the display times in order, begun early enough for the reordering."""
        if self._early:
            self._early -= 1
            return self._times[0] - (self._early + 1) * max(1, given.duration)
        return self._times.popleft()

    def _stage(self, header: PictureHeader, kept_now: list[Kept], plan: Plan | None = None) -> Fence:
        """Stage a picture's encode job. `kept_now`: the reference pictures behind it."""
        given: _Given = header.token
        source = given.source
        reconstruction = given.reconstruction = self._recon_pool.acquire()
        stream = self._streams.popleft()
        job = {
            **source.source_fields,
            "recon_address": reconstruction.layout.address,
            "out_address": stream.address,
            "out_capacity": stream.size,
            "qp": self._qp_of(header),
            **header.fields,
        }
        references: list[PooledSurface] = []
        for names, entries in zip(_REFERENCE_ADDRESSES, header.lists, strict=True):
            for name, kept in zip(names, entries, strict=False):
                references.append(kept.token.reconstruction.hold())
                job[name] = references[-1].layout.address
        nearest = header.lists[1] or header.lists[0]
        if nearest:
            job["motion_in_address"] = self._motion_of(nearest[0].token.reconstruction).address
        if header.reference:
            job["motion_out_address"] = self._motion_of(reconstruction).address
        wait = given.wait_session, given.wait_sequence
        if plan is not None:
            assert self._first_pass is not None
            job |= {"qp_map_address": plan.qp_map, "plan_address": plan.span.address, "plan_index": plan.index}
            wait = self._first_pass.number, plan.fence.sequence  # which itself waited for the source
        fence = self.queue.stage_when_free(
            Command.ENCODE, session=self.number, block=self._template.fill(job), wait_session=wait[0],
            wait_sequence=wait[1],
        )  # fmt: skip
        flight = _Flight(
            fence, self._header if header.idr else b"", header.idr, given, self._decoding_time(given), source,
            reconstruction, references, stream, plan,
        )  # fmt: skip
        fence.callback = lambda completion: self._completed(flight, completion)
        self._flights.append(flight)
        if header.reference:
            reconstruction.hold()
            self._references.append(next(kept for kept in kept_now if kept.token is given))
        for kept in self._references:
            if kept not in kept_now:
                kept.token.reconstruction.release()
        self._references = [kept for kept in self._references if kept in kept_now]
        if self.quality is not None:
            self.quality.submit(source, reconstruction, self.number, fence.sequence)
        return fence

    def _motion_of(self, reconstruction: PooledSurface) -> Span:
        """The motion record that goes with a reconstruction."""
        address = reconstruction.layout.address
        if address not in self._motion:
            self._motion[address] = self._free_motion.pop()
        return self._motion[address]

    def _completed(self, flight: _Flight, completion: dict[str, int]) -> None:
        """Completions of a session come in its order: `flight` is the oldest one."""
        self._flights.popleft()
        # what comes after a failure may rest on it: it is nobody's
        if not self._failed(completion, Kind.ENCODE) and self._error is None:
            size = completion["output_bytes"]
            backend = self.device.backend
            given = flight.given
            data = backend.memory_read(flight.stream.address, size) if size else b""
            if self._hrd is not None:
                data = self._hrd.messages(flight.is_idr, given.number) + data
            data = flight.header + data
            if self._hrd is not None:
                data += self._hrd.finish(8 * len(data))
            latency = completion["finished"] - completion["submitted"]
            self._ready.append(
                EncodedPacket(
                    data, given.pts, flight.dts, given.duration, given.time_base, flight.is_idr, completion["qp"],
                    latency * self.device.capabilities.clock_period_ps,
                )
            )  # fmt: skip
            self.frames += 1
            self.bytes += len(data)
            self.qp_sum += completion["qp"]
            if self._keep_reconstruction:
                self._reconstructed[given.number] = download(
                    backend, flight.reconstruction.layout, self.config.width, self.config.height, given.pts,
                    given.duration, given.time_base,
                )  # fmt: skip
                while self._shown in self._reconstructed:
                    self.reconstructions.append(self._reconstructed.pop(self._shown))
                    self._shown += 1
        self._streams.append(flight.stream)
        for surface in (flight.source, flight.reconstruction, *flight.references):
            surface.release()
        if flight.plan is not None and self._error is None:
            assert self._first_pass is not None
            self._first_pass.coded(flight.given, flight.plan, completion)

    # -- packets out ----------------------------------------------------------------------------------------------

    def receive_packet(self, timeout_us: int | None = 0) -> EncodedPacket:
        """Return the next packet. TryAgain: none finished in `timeout_us`; EndOfStream: drained."""
        if self._ready:
            return self._ready.popleft()
        self._check_open()
        if not self._flights and not self._looking:
            if self._draining:
                raise EndOfStream("all packets were received")
            raise TryAgain("no picture is on its way")
        if self._first_pass is not None:
            with self.device.lock:
                self._first_pass.advance()
        self.device.wait_until(lambda: bool(self._ready or self._error), timeout_us, what="a packet")
        if not self._ready:
            self._check_open()
        return self._ready.popleft()

    def ready_packet(self) -> EncodedPacket | None:
        """Return a finished packet without any waiting, None when there is none."""
        return self._ready.popleft() if self._ready else None

    def encode(self, pictures: Iterable[Picture | np.ndarray]) -> Iterator[EncodedPacket]:
        """Code all pictures, keeping the chip busy; yield the packets in order, then drain."""
        for picture in pictures:
            while not self.has_room:
                yield self.receive_packet(timeout_us=None)
            self.send_frame(picture)
        self.send_frame(None)
        while self._flights or self._ready or self._looking:
            yield self.receive_packet(timeout_us=None)
        self.flush()
        self._check_open()

    def stats(self) -> dict[str, Any]:
        """Figures of this session so far."""
        return {
            "width": self.config.width,
            "height": self.config.height,
            "frames": self.frames,
            "bytes": self.bytes,
            "mean_qp": self.qp_sum / self.frames if self.frames else None,
            "quality": self.quality.summary() if self.quality is not None else None,
        }


def check_limits(device: Device, width: int, height: int) -> None:
    """Raise UnsupportedInput when the chip's cores do not take pictures of that size."""
    limits = device.capabilities
    if width > limits.max_width or height > limits.max_height:
        raise UnsupportedInput(
            f"{width}x{height} is larger than this chip takes ({limits.max_width}x{limits.max_height})",
            width=width, height=height,
        )  # fmt: skip


class ScaleSession(Session):
    """Pictures in, the same pictures at other sizes out, in order."""

    def __init__(self, device: Device, config: ScalerConfig, *, queue: Queue | None = None) -> None:
        check_limits(device, config.width, config.height)
        super().__init__(device, queue)
        self.config = config
        self._sent = 0
        self._flights: deque[tuple[Picture, list[Fence], list[PooledSurface]]] = deque()
        try:
            self.scaler = LadderScaler(self, config.width, config.height, config.sizes, config.queue_depth)
            self._source_pool = self._pool(config.width, config.height, config.queue_depth + 1, "source")
            self._uploader = Uploader(config.width, config.height)
        except BaseException:
            self.close()
            raise

    @property
    def in_flight(self) -> int:
        return sum(not fence.done for _, fences, _ in self._flights for fence in fences)

    def send_frame(self, frame: Picture | np.ndarray) -> None:
        """Upload one picture and submit its scale jobs; TryAgain when `queue_depth` pictures wait to be received.

        An array is uint8[height * 3 / 2, width]: Y, Cb, Cr. Raises InvalidConfig for frames that do not fit.
        """
        self._check_open()
        picture = as_picture(frame, self.config.width, self.config.height, self._sent, ARRAY_RATE)
        if len(self._flights) >= self.config.queue_depth:
            raise TryAgain(f"{len(self._flights)} pictures wait to be received")
        with self.device.lock:
            source = self._source_pool.acquire()
            self._uploader.upload(self.device.backend, source.layout, picture)
            outputs, fences = self.scaler.submit(source)
            source.release()
            self._flights.append((picture, fences, outputs))
            self._sent += 1
            self.queue.ring()

    def receive_frame(self, timeout_us: int | None = 0) -> list[Picture]:
        """Return the oldest picture at all sizes, in the order of `config.sizes`."""
        self._check_open()
        if not self._flights:
            raise TryAgain("no picture is on its way")
        picture, fences, outputs = self._flights[0]
        self.device.wait_until(lambda: all(fence.done for fence in fences), timeout_us, what="a scaled picture")
        self._check_open()
        self._flights.popleft()
        scaled = []
        for output in outputs:
            layout = output.layout
            scaled.append(
                download(
                    self.device.backend, layout, layout.width, layout.height, picture.pts, picture.duration,
                    picture.time_base,
                )
            )  # fmt: skip
            output.release()
        return scaled

    def scale(self, pictures: Iterable[Picture | np.ndarray]) -> Iterator[list[Picture]]:
        """Scale all pictures; yield each at all sizes, in order."""
        for picture in pictures:
            if len(self._flights) >= self.config.queue_depth:
                yield self.receive_frame(timeout_us=None)
            self.send_frame(picture)
        while self._flights:
            yield self.receive_frame(timeout_us=None)


class LadderScaler:
    """The scale jobs of one picture: up to four outputs a job, as many jobs as the sizes need."""

    def __init__(
        self, owner: Session, width: int, height: int, sizes: Iterable[tuple[int, int]], depth: int,
        chroma_siting: int = 0,
    ) -> None:  # fmt: skip
        self._owner = owner
        self._chroma_siting = chroma_siting
        self.number = owner._open_firmware_session(Kind.SCALE, width, height)
        self.pools = [owner._pool(w, h, depth + 1, "scaled picture") for w, h in sizes]

    def submit(
        self, source: PooledSurface, wait_session: int = 0, wait_sequence: int = 0
    ) -> tuple[list[PooledSurface], list[Fence]]:
        """Stage the jobs; return the output surfaces (held for the caller) and one fence a job."""
        outputs = [pool.acquire() for pool in self.pools]
        fences = []
        for first in range(0, len(outputs), MAX_SCALE_OUTPUTS):
            group = outputs[first : first + MAX_SCALE_OUTPUTS]
            job = {
                **source.source_fields,
                "mode": 0,
                "chroma_siting": self._chroma_siting,
                "output_count": len(group),
            }
            for number, output in enumerate(group):
                job[f"out{number}_width"] = output.layout.width
                job[f"out{number}_height"] = output.layout.height
                job[f"out{number}_address"] = output.layout.address
            fence = self._owner.queue.stage_when_free(
                Command.SCALE, session=self.number, block=pack_job(Kind.SCALE, job), wait_session=wait_session,
                wait_sequence=wait_sequence,
            )  # fmt: skip
            held = [source.hold(), *(output.hold() for output in group)]

            def completed(completion: dict[str, int], held: list[PooledSurface] = held) -> None:
                self._owner._failed(completion, Kind.SCALE)
                for one in held:
                    one.release()

            fence.callback = completed
            fences.append(fence)
        return outputs, fences


def scaled_aspect(aspect: Fraction | None, width: int, height: int, new_width: int, new_height: int) -> Fraction | None:
    """Return the sample aspect ratio that keeps the display aspect ratio after scaling.

    None, the ratio that nobody stated, stays None where both sides were scaled alike and counts as 1 elsewhere.
    """
    change = Fraction(width * new_height, height * new_width)
    return None if aspect is None and change == 1 else (aspect or 1) * change
