"""Decode jobs through rings, firmware and cores: judged field by field, in order, with fences for their readers."""

import io
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import pytest

from asic_model import descriptors
from asic_model.chip import Chip
from asic_model.config import load_chip, with_changes
from asic_model.descriptors import Command, Kind, Status
from asic_model.memory.surface import surface
from driver.decode import H264Decoder
from tests.control.harness import Encoder, Host, HostQueue, fake_chip

WIDTH, HEIGHT, COUNT = 64, 48, 8


def stream() -> tuple[bytes, list[np.ndarray]]:
    """An H.264 stream with B pictures, and what FFmpeg makes of it (I420 arrays)."""
    out = io.BytesIO()
    with av.open(out, "w", format="h264") as container:
        options = {"qp": "18", "bf": "2", "b_strategy": "0", "threads": "1"}
        video = container.add_stream("libx264", rate=25, options=options)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        y, x = np.mgrid[0 : HEIGHT * 3 // 2, 0:WIDTH]
        for number in range(COUNT):
            planes = ((3 * x + 5 * y + 7 * number) % 200 + 20).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    data = out.getvalue()
    with av.open(io.BytesIO(data), format="h264") as container:
        return data, [frame.to_ndarray(format="yuv420p") for frame in container.decode(video=0)]


@dataclass
class Surfaces:
    base: int
    motion: int
    step: int
    motion_step: int

    def surface_address(self, number: int) -> int:
        return self.base + number * self.step

    def motion_address(self, number: int) -> int:
        return self.motion + number * self.motion_step

    def close(self) -> None:
        pass


@dataclass
class Target:
    """Puts decode jobs on a ring; the doorbell is the test's. Buffers are used once."""

    queue: HostQueue
    session: int
    sequences: list[int] = field(default_factory=list)
    blocks: list[dict[str, int]] = field(default_factory=list)

    def open_surfaces(self, width: int, height: int, count: int) -> Surfaces:
        step, motion = surface(width, height).size_bytes + 4095 & ~4095, 4096 * 3
        allocate = self.queue.host.allocate
        return Surfaces(allocate(count * step), allocate(count * motion), step, motion)

    def decode(self, fields: dict[str, int], parameters: bytes, data: bytes) -> int:
        allocate = self.queue.host.allocate
        places = {"parameters_address": allocate(len(parameters)), "stream_address": allocate(len(data))}
        self.queue.chip.memory_write(places["parameters_address"], parameters)
        self.queue.chip.memory_write(places["stream_address"], data)
        self.blocks.append({**fields, **places})
        block = descriptors.pack_job(Kind.DECODE, self.blocks[-1])
        self.sequences.append(self.queue.submit(Command.DECODE, block, ring=False, session=self.session))
        return self.sequences[-1]


def real_chip(threads: int = 1, **changes: int) -> Chip:
    return Chip(with_changes(load_chip("tiny"), {"memory.capacity_mib": 64, **changes}), host_threads=threads)


def samples(chip: Chip, address: int) -> np.ndarray:
    """The picture in a surface of the coded size, as an I420 array."""
    place = surface(WIDTH, HEIGHT, address)
    memory = np.frombuffer(chip.memory_read(address, place.size_bytes), np.uint8)
    planes = []
    for at, pitch, width, height in (
        (place.address, place.pitch, place.width, place.height),
        (place.cb_address, place.chroma_pitch, place.chroma_width, place.chroma_height),
        (place.cr_address, place.chroma_pitch, place.chroma_width, place.chroma_height),
    ):
        rows = memory[at - address : at - address + pitch * height].reshape(height, pitch)[:, :width]
        planes.append(rows.ravel())
    return np.concatenate(planes).reshape(HEIGHT * 3 // 2, WIDTH)


@pytest.mark.parametrize("threads", [1, 2])
def test_jobs_in_order_and_an_encoder_that_waits_for_one_picture(threads: int) -> None:
    """All with one doorbell: the encode job stands on the ring before anything is decoded, and waits by its fence."""
    data, expected = stream()
    host = Host(real_chip(threads))
    queue = host.queue(size_log2=6)
    target = Target(queue, queue.open(Kind.DECODE, 4096, 4096))
    encoder = Encoder(queue, WIDTH, HEIGHT)
    decoder = H264Decoder(target, frames_in_flight=16)
    frames = [*decoder.feed(data), *decoder.flush()]
    wanted = frames[5]
    source = wanted.surfaces.surface_address(wanted.surface)
    encode = encoder.submit(
        src_address=source, qp=0, wait_session=target.session, wait_sequence=wanted.outcome[-1], ring=False
    )
    queue.ring()
    done = {record["sequence"]: record for record in queue.finish(COUNT + 1)}
    decoded = [done[sequence] for sequence in target.sequences]
    assert all(record["status"] == Status.OK for record in done.values())
    assert len({record["core"] for record in decoded}) == 1
    # one after the other, in the order of submission, and the encoder after its picture
    assert all(a["finished"] <= b["started"] for a, b in pairwise(decoded))
    assert done[encode]["started"] >= done[wanted.outcome[-1]]["finished"]
    for frame, picture in zip(frames, expected, strict=True):
        assert np.array_equal(samples(host.chip, frame.surfaces.surface_address(frame.surface)), picture)
    # QP 0: the encoder's reconstruction is its source but for rounding; it saw the decoded picture
    coded = samples(host.chip, encoder.recon[0])
    assert np.abs(coded.astype(int) - expected[5]).max() <= 2
    host.chip.check()


def test_threads_change_nothing() -> None:
    data, _ = stream()
    found = []
    for threads in (1, 3):
        host = Host(real_chip(threads))
        queue = host.queue(size_log2=6)
        target = Target(queue, queue.open(Kind.DECODE, 4096, 4096))
        decoder = H264Decoder(target, frames_in_flight=16)
        _ = [*decoder.feed(data), *decoder.flush()]
        queue.ring()
        done = queue.finish(COUNT)
        found.append(([(d["started"], d["finished"], d["core"]) for d in done], host.chip.stats()["jobs"]))
    assert found[0] == found[1]


FIELD, ACCESS = Status.BAD_FIELD, Status.ACCESS_VIOLATION


@pytest.mark.parametrize(
    ("name", "value", "status", "blamed"),
    [
        ("width", 72, FIELD, "width"),
        ("height", 56, FIELD, "height"),
        ("structure", 0, FIELD, "structure"),
        ("structure", 1, FIELD, "height"),  # a field of 48 rows is not whole pairs of macroblock rows
        ("mbaff", 1, FIELD, "height"),
        ("conceal_reference", 5, FIELD, "conceal_reference"),
        ("out_address", 4096 * 200 + 64, FIELD, "out_address"),
        ("out_address", 64 << 20, ACCESS, "out_address"),
        ("stream_address", (64 << 20) - 64, ACCESS, "stream_address"),
        ("motion_address", 64, ACCESS, "motion_address"),  # the firmware's own
        ("parameters_address", 0, ACCESS, "parameters_address"),
    ],
)
def test_a_bad_field_is_refused_by_its_number(name: str, value: int, status: Status, blamed: str) -> None:
    """The job after it, which refers to the picture that was not decoded, still runs."""
    data, _ = stream()
    host = Host(real_chip())
    queue = host.queue(size_log2=6)
    target = Target(queue, queue.open(Kind.DECODE, 4096, 4096))
    decoder = H264Decoder(target, frames_in_flight=16)
    _ = [*decoder.feed(data), *decoder.flush()]
    queue.tail -= len(target.blocks)  # nothing was rung: the same jobs again, one of them spoilt
    for number, fields in enumerate(target.blocks):
        spoilt = {**fields, name: value} if number == 1 else fields
        layout = descriptors.DECODE_BLOCK
        header = {"version": 1, "kind": int(Kind.DECODE), "block_type": 1, "size": 256}
        queue.submit(Command.DECODE, layout.pack({**header, **spoilt}), ring=False, session=target.session)
    queue.ring()
    done = queue.finish(COUNT)
    refused = [record for record in done if record["status"] not in (Status.OK, Status.CORRUPT_INPUT)]
    assert [(record["status"], record["detail"]) for record in refused] == [
        (status, descriptors.DECODE_BLOCK.number(blamed))
    ]
    assert len(done) == COUNT


def test_records_of_the_parameter_block_are_judged_by_the_core() -> None:
    """A slice that says it is longer than the stream: BAD_FIELD for the block, nothing written, the chip goes on."""
    data, _ = stream()
    host = Host(real_chip())
    queue = host.queue(size_log2=6)
    target = Target(queue, queue.open(Kind.DECODE, 4096, 4096))
    decoder = H264Decoder(target, frames_in_flight=16)
    _ = [*decoder.feed(data), *decoder.flush()]
    first = target.blocks[0]
    host.chip.memory_write(first["parameters_address"] + 4, (1 << 24).to_bytes(4, "little"))  # data_bytes
    queue.ring()
    done = queue.finish(COUNT)
    assert (done[0]["status"], done[0]["detail"]) == (
        Status.BAD_FIELD, descriptors.DECODE_BLOCK.number("parameters_address"),
    )  # fmt: skip
    assert not host.chip.memory_read(first["out_address"], 4096).strip(b"\0")
    assert done[1]["status"] in (Status.OK, Status.CORRUPT_INPUT)


def test_a_chip_without_decode_cores_says_so() -> None:
    host = Host(fake_chip())  # encode and scale cores only
    queue = host.queue()
    done = queue.call(Command.OPEN_SESSION, descriptors.pack_session(Kind.DECODE, width=64, height=64))
    assert (done["status"], done["detail"]) == (Status.NO_CORE, Kind.DECODE)
