"""Encode sessions: pictures in, in display order; access units out, in coding order, with what happens between."""

import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from asic_model.descriptors import (
    MOTION_BYTES,
    PICTURE_QP_OFFSET,
    Command,
    Kind,
    job_template,
    pack_session,
)
from driver.device import Device
from driver.errors import EndOfStream, InvalidConfig, TryAgain
from driver.first_pass import FirstPass, Looked, Plan, Planned, picture_class
from driver.gop import LOG2_MAX_FRAME_NUM, SLICE_I, Kept, PictureHeader, PictureOrder, hierarchy_depth
from driver.hrd import BufferLevel, HrdWriter, initial_bits, overhead_bits
from driver.media.picture import Picture, as_picture
from driver.media.sink import EncodedPacket
from driver.options import EncoderConfig
from driver.quality import QualityMeter
from driver.queue import Fence, Queue
from driver.scene_cut import SceneCut
from driver.session import Session, check_limits, check_type
from driver.stream import parameter_sets, vui_parameters
from driver.surfaces import PooledSurface, Span, Uploader, download

# Room for the worst picture: I_PCM is 384 bytes a macroblock, emulation prevention adds at most half, and slice
# headers a little.
STREAM_BYTES_PER_MB = 600
STREAM_BYTES_MORE = 8192
_REFERENCE_ADDRESSES = tuple(
    tuple(f"{prefix}_address_{number}" for number in range(most)) for prefix, most in (("ref", 4), ("ref_l1", 2))
)


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
        quality: bool = False, keep_reconstruction: bool = False, leader: "EncodeSession | None" = None,
    ) -> None:  # fmt: skip
        """`upload=False`: pictures come from elsewhere on the chip (`submit`). `quality`: PSNR and SSIM on the chip.
        `leader`: a session that gets the same pictures; what its first pass decides about types counts for this one.

        `keep_reconstruction`: every packet's reconstruction is downloaded too (`reconstructions`).
        """
        check_type("config", config, EncoderConfig)
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
        self._buffer_level = BufferLevel(config) if config.buffer_size and config.max_rate else None
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
                first = leader._first_pass if leader is not None else None
                if leader is not None:
                    leader._dependents.append(self)
                self._first_pass = FirstPass(self, config, self._order, self._can_code, self._code, first)
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
        self._check_open()
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
        check_type("surface", surface, PooledSurface)
        check_type("pts", pts, int)
        if not surface.is_of(self.device.allocator):
            raise InvalidConfig("surface: it is on another device", option="surface")
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
            fence = self._stage(header, self._order.kept)
        return fence

    def _can_code(self, count: int) -> bool:
        """Whether so many pictures have their buffers; a group larger than all of them begins when none is in use."""
        room = self.quality.room if self.quality is not None else count
        return min(len(self._streams), room) >= count or not self._flights

    def _code(self, planned: Planned, plan: Plan | None) -> None:
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
                    self._stage(header, self._order.kept)
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

    def _stage(self, header: PictureHeader, kept_now: Sequence[Kept], plan: Plan | None = None) -> Fence:
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
            if header.slice_type != SLICE_I:
                job["vectors_address"] = plan.vectors
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
        former, self._references = self._references, []
        for kept in kept_now:
            if kept in former or (header.reference and kept.token is given):
                self._references.append(kept)
        for kept in former:
            if kept not in kept_now:
                kept.token.reconstruction.release()
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
            if self._buffer_level is not None:
                self._buffer_level.take(8 * len(data), self.config)
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
        if self._first_pass is not None and self._error is None:
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
            "buffer_underflows": self._buffer_level.underflows if self._buffer_level is not None else None,
            "quality": self.quality.summary() if self.quality is not None else None,
        }
