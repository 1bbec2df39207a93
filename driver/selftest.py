"""Self-test: short jobs with known answers on every core, so that a core that fails fast does not swallow the work.

The answers are digests of what the cores put out, kept in `selftest.json` beside this file; `python -m driver.selftest`
makes them anew, after a change of what the encoder decides, from the model (whose streams FFmpeg decodes in the tests).
On a chip without pixels only completions are checked.
"""

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from asic_model.codecs.h264.decode_records import MOTION_ALIGNMENT, motion_bytes
from asic_model.descriptors import STREAM_ALIGNMENT_BYTES, Command, Kind, pack_job
from asic_model.memory.surface import ADDRESS_ALIGNMENT_BYTES, surface
from driver.decode import H264Decoder
from driver.errors import DeviceLost, TasicError
from driver.media.picture import Picture, blank_picture
from driver.queue import failure
from driver.surfaces import Span, SurfacePool, Uploader, download

if TYPE_CHECKING:
    from driver.device import Device

ANSWERS = Path(__file__).with_name("selftest.json")
WIDTH, HEIGHT = 96, 64
PICTURES = 3  # I, P, P
STREAM_BYTES = 1 << 16
SCALED = ((48, 32), (64, 48))
KINDS = {Kind.ENCODE: "encode", Kind.SCALE: "scale", Kind.DECODE: "decode"}


@dataclass(frozen=True)
class CoreResult:
    """What the self-test says about one core."""

    core: int
    kind: str
    passed: bool
    reason: str  # "" when it passed


def pattern(number: int, width: int = WIDTH, height: int = HEIGHT) -> Picture:
    """Noise on a gradient that moves over a flat ground: every engine has something to do, and the one good prediction
    lies within the search range of any chip, so that all chips give the same answer."""
    picture = blank_picture(width, height)
    side = height // 2
    y, x = np.mgrid[0:side, 0:side]
    noise = np.random.Generator(np.random.PCG64(1)).integers(0, 120, (side, side))
    left, top = 16 + 4 * number, 8 + 2 * number
    picture.y[top : top + side, left : left + side] = 40 + 2 * x + y + noise
    chroma = slice(top // 2, (top + side) // 2), slice(left // 2, (left + side) // 2)
    picture.cb[chroma] = 60 + 4 * x[::2, ::2]
    picture.cr[chroma] = 200 - 3 * y[::2, ::2]
    picture.pts = number
    return picture


class _Tester:
    """Buffers and firmware sessions of one test; everything runs on queue 0 and names its core."""

    def __init__(self, device: "Device") -> None:
        self.device = device
        self.queue = device.queue(0)
        allocator, count = device.allocator, PICTURES + 1
        self._pools = [
            SurfacePool(allocator, WIDTH, HEIGHT, 1, "self-test picture"),
            SurfacePool(allocator, WIDTH, HEIGHT, count, "self-test reconstruction"),
            *(SurfacePool(allocator, width, height, 1, "self-test picture") for width, height in SCALED),
        ]
        self.source = self._pools[0].acquire()
        self.reconstructions = [self._pools[1].acquire() for _ in range(count)]
        self.scaled = [pool.acquire() for pool in self._pools[2:]]
        self.stream = allocator.allocate(STREAM_BYTES, what="self-test stream")
        self._uploader = Uploader(WIDTH, HEIGHT)

    def close(self) -> None:
        for pool in self._pools:
            pool.close()
        self.device.allocator.release([self.stream])

    def run(self, core: int, kind: Kind) -> str:
        """Run the core's jobs; return the digest of what came out."""
        digest = hashlib.sha256()
        session = self.device.firmware_sessions.open(self.queue, kind, WIDTH, HEIGHT)
        try:
            if kind is Kind.ENCODE:
                self._encode(core, session, digest)
            elif kind is Kind.SCALE:
                self._scale(core, session, digest)
            else:
                self._decode(core, session, digest)
        finally:
            self.device.command(self.queue, Command.CLOSE_SESSION, session=session)
        return digest.hexdigest()

    def _job(self, core: int, session: int, command: Command, kind: Kind, fields: dict[str, Any]) -> dict[str, int]:
        with self.device.lock:
            fence = self.queue.stage(command, session=session, block=pack_job(kind, fields), core=core + 1)
            self.queue.ring()
        completion = fence.wait()
        error = failure(completion, kind)
        if error is not None:
            raise error
        return completion

    def _encode(self, core: int, session: int, digest: Any) -> None:
        for number in range(PICTURES):
            self._uploader.upload(self.device.backend, self.source.layout, pattern(number))
            fields = encode_fields(number) | {
                "src_address": self.source.layout.address,
                "recon_address": self.reconstructions[number].layout.address,
                "out_address": self.stream.address,
                "out_capacity": STREAM_BYTES,
            }
            if number:
                fields["ref_address_0"] = self.reconstructions[number - 1].layout.address
            completion = self._job(core, session, Command.ENCODE, Kind.ENCODE, fields)
            digest.update(self.device.backend.memory_read(self.stream.address, completion["output_bytes"]))
            self._hash(self.reconstructions[number].layout, digest)

    def _scale(self, core: int, session: int, digest: Any) -> None:
        self._uploader.upload(self.device.backend, self.source.layout, pattern(0))
        fields = {"width": WIDTH, "height": HEIGHT, "src_address": self.source.layout.address, "output_count": 2}
        for number, output in enumerate(self.scaled):
            fields |= {
                f"out{number}_width": output.layout.width,
                f"out{number}_height": output.layout.height,
                f"out{number}_address": output.layout.address,
            }
        self._job(core, session, Command.SCALE, Kind.SCALE, fields)
        for output in self.scaled:
            self._hash(output.layout, digest)

    def _decode(self, core: int, session: int, digest: Any) -> None:
        def run(fields: dict[str, int]) -> dict[str, int]:
            return self._job(core, session, Command.DECODE, Kind.DECODE, fields)

        target = _DecodeTarget(self.device, run)
        try:
            decoder = H264Decoder(target)
            for frame in (*decoder.feed(base64.b64decode(answers()["stream"])), *decoder.flush()):
                address = frame.surfaces.surface_address(frame.surface)
                self._hash(surface(frame.coded_width, frame.coded_height, address), digest)
                decoder.release(frame)
        finally:
            target.close()

    def _hash(self, layout: Any, digest: Any) -> None:
        picture = download(self.device.backend, layout, layout.width, layout.height)
        for plane in (picture.y, picture.cb, picture.cr):
            digest.update(np.ascontiguousarray(plane).tobytes())


def encode_fields(number: int) -> dict[str, int]:
    """Fields of the encode job of picture `number`, but for its addresses."""
    intra = number == 0
    return {
        "width": WIDTH, "height": HEIGHT, "ref_count": int(not intra), "slice_type": 2 if intra else 0,
        "idr": int(intra), "nal_ref_idc": 2, "frame_num": number, "log2_max_frame_num": 8, "qp": 28, "entropy": 1,
        "slices": 1, "effort": 0,
    }  # fmt: skip


class _DecodeTarget:
    """Runs the decoder's jobs one by one (`driver.decode.DecodeTarget`); also the only set of surfaces."""

    def __init__(self, device: "Device", run: Callable[[dict[str, int]], dict[str, int]]) -> None:
        self._device, self._run = device, run
        self._spans: list[Span] = []
        self._surfaces: list[Span] = []
        self._motion: list[Span] = []

    def _allocate(self, size: int, alignment: int, count: int = 1) -> list[Span]:
        spans = [self._device.allocator.allocate(size, alignment, "self-test picture") for _ in range(count)]
        self._spans += spans
        return spans

    def open_surfaces(self, width: int, height: int, count: int) -> "_DecodeTarget":
        self._surfaces = self._allocate(surface(width, height).size_bytes, ADDRESS_ALIGNMENT_BYTES, count)
        self._motion = self._allocate(motion_bytes(width, height), MOTION_ALIGNMENT, count)
        return self

    def surface_address(self, number: int) -> int:
        return self._surfaces[number].address

    def motion_address(self, number: int) -> int:
        return self._motion[number].address

    def decode(self, fields: dict[str, int], parameters: bytes, stream: bytes) -> dict[str, int]:
        at = -(-len(parameters) // STREAM_ALIGNMENT_BYTES) * STREAM_ALIGNMENT_BYTES
        (span,) = self._allocate(at + len(stream), STREAM_ALIGNMENT_BYTES)
        self._device.backend.memory_write(span.address, parameters)
        self._device.backend.memory_write(span.address + at, stream)
        return self._run({**fields, "parameters_address": span.address, "stream_address": span.address + at})

    def close(self) -> None:
        self._device.allocator.release(self._spans)
        self._spans = []


def answers() -> dict[str, str]:
    """Digest by kind of core, and the stream that decode cores are given (base64, Annex B)."""
    found: dict[str, str] = json.loads(ANSWERS.read_text(encoding="utf-8"))
    return found


def self_test(device: "Device") -> list[CoreResult]:
    """Test every core, in service or not; afterwards exactly those that passed are in service.

    Cores of a kind that all fail stay as they are, but for the results: somebody must look at them.
    """
    known = answers()
    tester = _Tester(device)
    results = []
    try:
        for core in device.telemetry().cores:
            kind = {name: kind for kind, name in KINDS.items()}[core.kind]
            reason = ""
            try:
                found = tester.run(core.number, kind)
                if device.capabilities.functional and found != known[core.kind]:
                    reason = "wrong answer"
            except DeviceLost:
                raise
            except TasicError as error:
                reason = str(error)
            results.append(CoreResult(core.number, core.kind, not reason, reason))
    finally:
        tester.close()
    failed = {result.core for result in results if not result.passed}
    for kind_name in KINDS.values():
        cores = {result.core for result in results if result.kind == kind_name}
        if cores <= failed:
            failed -= cores
    device.set_cores_out(failed)
    return results


def write_answers() -> None:
    """Make `selftest.json` anew from the model, all of whose cores must agree."""
    from driver.device import Device

    with Device.open("model:edge") as device:
        former = answers() if ANSWERS.exists() else {}
        tester = _Tester(device)
        found: dict[str, str] = {}
        if "stream" in former:
            found["stream"] = former["stream"]
        else:
            from driver.options import EncoderConfig

            config = EncoderConfig(width=WIDTH, height=HEIGHT, qp=30, gop_size=250)
            with device.open_encoder(config) as encoder:
                packets = encoder.encode(pattern(number) for number in range(PICTURES))
                found["stream"] = base64.b64encode(b"".join(packet.data for packet in packets)).decode()
        ANSWERS.write_text(json.dumps(found))
        for core in device.telemetry().cores:
            kind = {name: kind for kind, name in KINDS.items()}[core.kind]
            digest = tester.run(core.number, kind)
            if found.setdefault(core.kind, digest) != digest:
                raise SystemExit(f"core {core.number} ({core.kind}) disagrees with those before it")
        tester.close()
    ANSWERS.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    print(f"{ANSWERS.name}: {', '.join(f'{k} {v[:12]}' for k, v in sorted(found.items()) if k != 'stream')}")


if __name__ == "__main__":
    write_answers()
