"""Is the device good? Firmware, link, memory, cores and a transcode, each with what was measured and what is asked for.

Times and rates are simulated: they say what the chip does, not how fast this computer plays it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from asic_model.registers import map as regs
from driver.errors import TasicError
from driver.media.picture import Picture
from driver.options import EncoderConfig

if TYPE_CHECKING:
    from driver.device import Device

FPS, LINK_MB_S = 30.0, 500.0  # what is asked for unless somebody says otherwise
WIDTH, HEIGHT, PICTURES = 1280, 720, 12  # of the transcode, where the chip takes that size
BLOCK_BYTES = 4 << 20  # of a transfer


@dataclass(frozen=True)
class Check:
    """One thing that was looked at. `measured` and `least` in `unit`, where it has a figure."""

    name: str
    passed: bool
    measured: float | None = None
    unit: str = ""
    least: float | None = None
    reason: str = ""  # "" when it passed


def clip(width: int, height: int, count: int) -> Iterator[Picture]:
    """Texture that moves over a gradient: every engine has something to do."""
    generator = np.random.default_rng(1)
    texture = generator.integers(60, 180, (height // 2, width // 2), dtype=np.uint8)
    y, x = np.mgrid[0:height, 0:width]
    ground = ((x + y) // 8 % 120 + 60).astype(np.uint8)
    for number in range(count):
        luma = ground.copy()
        top, left = min(3 * number, height // 2), min(5 * number, width // 2)
        luma[top : top + height // 2, left : left + width // 2] = texture
        cb = np.full((height // 2, width // 2), 110 + number, np.uint8)
        yield Picture(luma, cb, 255 - cb, number, 1, Fraction(1, 30))


def _firmware(device: "Device", _limits: tuple[float, float]) -> list[Check]:
    before = device.telemetry()
    for _ in range(20):  # of a heartbeat and more each, unless an event comes
        device.backend.write32(regs.EVENT_STATUS, 0xF)
        device.backend.wait(1000)
    after = device.telemetry()
    running = after.firmware_state == regs.FirmwareState.RUN.name
    beats = after.heartbeat != before.heartbeat
    reason = "" if running and beats else f"state {after.firmware_state}, heartbeat {after.heartbeat}"
    return [Check("firmware runs", running and beats, reason=reason)]


def _cores(device: "Device", _limits: tuple[float, float]) -> list[Check]:
    if device.function:
        return []  # only the owner of the whole chip may name a core
    results = device.self_test()
    return [Check(f"core {each.core} ({each.kind})", each.passed, reason=each.reason) for each in results]


def _link(device: "Device", limits: tuple[float, float]) -> list[Check]:
    """Registers answer; the memory's ends and middle keep what is written; bytes a second both ways."""
    checks = []
    started = device.now_ps()
    for _ in range(100):
        device.backend.read32(regs.ID)
    round_trip_ns = (device.now_ps() - started) / 102 / 1000  # the second reading of the clock counts too
    good = device.backend.read32(regs.ID) == regs.REGISTERS[regs.ID].reset
    checks.append(Check("register round trip", good, round_trip_ns, "ns", reason="" if good else "a wrong id"))
    size = min(BLOCK_BYTES, device.allocator.free_bytes // 4 // 4096 * 4096)
    pattern = np.random.default_rng(2).integers(0, 256, size, np.uint8).tobytes()
    ends = [device.allocator.allocate(size, 4096, "a test of memory") for _ in range(3)]
    up_ps = down_ps = 0
    wrong = ""
    try:
        for number, span in enumerate(ends):
            sent = pattern[number:] + pattern[:number]
            begin = device.now_ps()
            device.backend.memory_write(span.address, sent)
            between = device.now_ps()
            if device.backend.memory_read(span.address, size) != sent:
                wrong = f"{size} bytes at {span.address:#x} came back changed"
            up_ps, down_ps = up_ps + between - begin, down_ps + device.now_ps() - between
    finally:
        device.allocator.release(ends)
    checks.append(Check("memory keeps what is written", not wrong, len(ends) * size / 2**20, "MiB", reason=wrong))
    for name, time_ps in (("upload", up_ps), ("download", down_ps)):
        rate = len(ends) * size / time_ps * 1e6  # MB/s
        checks.append(_at_least(name, rate, "MB/s", limits[1]))
    return checks


def _at_least(name: str, measured: float, unit: str, least: float, wrong: str = "") -> Check:
    slow = "" if measured >= least else f"{measured:.1f} {unit}, {least:g} wanted"
    return Check(name, not (slow or wrong), measured, unit, least, wrong or slow)


def _transcode(device: "Device", limits: tuple[float, float]) -> list[Check]:
    """Code a clip, decode what came out: the decoder's pictures are the encoder's to the bit, and both in time."""
    from driver.encode_session import EncodeSession

    capabilities = device.capabilities
    width, height = min(WIDTH, capabilities.max_width // 16 * 16), min(HEIGHT, capabilities.max_height // 16 * 16)
    checks = []
    config = EncoderConfig(width=width, height=height, fps=Fraction(30), gop_size=PICTURES, b_count=0)
    begin = device.now_ps()
    with EncodeSession(device, config, keep_reconstruction=True) as encoder:
        packets = [packet.data for packet in encoder.encode(clip(width, height, PICTURES))]
        wanted = list(encoder.reconstructions)
    size = f"{width}x{height}"
    fps = PICTURES / ((device.now_ps() - begin) * 1e-12)
    checks.append(_at_least(f"encode h264 {size}", fps, "frames/s", limits[0]))
    if capabilities.functional and capabilities.decode_cores:
        begin, wrong = device.now_ps(), ""
        with device.open_decoder() as decoder:
            for number, decoded in enumerate(decoder.decode([b"".join(packets)])):
                picture, made = decoded.download(), wanted[number]
                if not all(np.array_equal(getattr(picture, p), getattr(made, p)) for p in ("y", "cb", "cr")):
                    wrong = wrong or f"picture {number} differs from the encoder's"
            count = decoder.frames
        fps = count / ((device.now_ps() - begin) * 1e-12)
        wrong = wrong or ("" if count == PICTURES else f"{count} of {PICTURES} pictures came out")
        checks.append(_at_least(f"decode h264 {size}, exact", fps, "frames/s", limits[0], wrong))
    return checks


STEPS: dict[str, Callable[["Device", tuple[float, float]], list[Check]]] = {
    "firmware": _firmware, "link": _link, "cores": _cores, "transcode": _transcode,
}  # fmt: skip


def validate(device: "Device", *, fps: float = FPS, link_mb_s: float = LINK_MB_S) -> Iterator[Check]:
    """Look at everything, yield each check as it is done; what raises one of the driver's errors has failed.

    fps : least frames/s of one stream, coding and decoding; link_mb_s : least MB/s of the host link, each way
    """
    for name, step in STEPS.items():
        try:
            yield from step(device, (fps, link_mb_s))
        except TasicError as error:
            yield Check(name, False, reason=f"{error.code}: {error.message}")
