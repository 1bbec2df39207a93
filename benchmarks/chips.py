"""What the chip descriptions come to: cycles a macroblock and bytes a pixel of the cores, beside published ones.

Encode: codes six pictures of a clip straight on the core (QP 27, IPPPPP), and plays the last two on the chip's pipeline
and memory, on one core or on all of them at once. Decode: the same clip coded by x264 (medium, three B pictures in a
row) at several QPs goes through the decode core; all pictures are played, by type. docs/chips.md has the tables.
"""

import argparse
import io
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from asic_model import stats
from asic_model.config import ChipConfig, load_chip, with_changes
from asic_model.cores.encode import EncodeCoreConfig, EncodeJob, run
from asic_model.cores.fabric import Fabric
from asic_model.cores.result import STATUS_OK, CoreResult
from asic_model.memory.surface import surface
from driver.backends.core import CoreTarget
from driver.decode import H264Decoder
from driver.decode_session import picture_type

PROJECT_DIR = Path(__file__).resolve().parent.parent
CLIP = "clips/aosp_crowd_1920x1080_25fps_4000kbps_h265.mp4"
PICTURES, PLAYED, SKIPPED = 6, 2, 10
SLOT_BYTES = 16 << 20  # of one picture in device memory
DECODED_PICTURES = 17
OUTPUT_ADDRESS, MOTION_ADDRESS, MEMORY_BYTES = 200 << 20, 220 << 20, 256 << 20

# chip, effort, references, cores at once, changes, what is published
ROWS: tuple[tuple[str, int, int, int, dict[str, bool], str], ...] = (
    ("vcu", 2, 3, 1, {}, "411 cycles at 800 MHz: 2160p60, three references"),
    ("vcu", 2, 3, 10, {}, "411 cycles, ten cores"),
    ("vcu", 2, 3, 10, {"memory.frame_compression": False}, "7 to 8 B/px raw; does not close without compression"),
    ("msvp", 1, 1, 1, {}, "252 cycles at 490 MHz: 2160p60 at standard quality"),
    ("edge", 0, 1, 1, {}, "320 cycles, low power"),
    ("edge", 2, 2, 1, {}, "675 cycles, quality"),
)


# chip, decode cores at once, changes, what is published
DECODE_ROWS: tuple[tuple[str, int, dict[str, bool], str], ...] = (
    ("vcu", 1, {}, "three cores (recalled), no rate; 2.2 GiB/s a core (recalled)"),
    ("vcu", 3, {}, ""),
    ("msvp", 1, {}, "no rate"),
    ("edge", 1, {}, "200 cycles (pixel engine, its driver's load model); 7.4 to 8.5 B/px (its bus vote, with margin)"),
    ("tiny", 1, {}, "an open decoder in RTL: 306 cycles"),
)  # fmt: skip
DECODE_QPS = (22, 27, 32)


def pictures(path: Path, count: int = PICTURES) -> tuple[list[np.ndarray], int, int]:
    """Return (planar 4:2:0 pictures uint8[height * 3 / 2, width], width, height)."""
    found = []
    with av.open(str(path)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number >= SKIPPED:
                found.append(frame.reformat(format="yuv420p").to_ndarray())
            if len(found) == count:
                break
    return found, frame.width, frame.height


def encode(
    cfg: EncodeCoreConfig, frames: list[np.ndarray], width: int, height: int, effort: int, refs: int
) -> list[CoreResult]:
    """Code the pictures; the source stands at address 0, five reconstructions in turn behind it."""
    memory = np.zeros(MEMORY_BYTES, np.uint8)
    source = surface(width, height)
    results = []
    for number, frame in enumerate(frames):
        flat, at = frame.reshape(-1), 0
        for address, pitch, w, h in (
            (source.address, source.pitch, width, height),
            (source.cb_address, source.chroma_pitch, width // 2, height // 2),
            (source.cr_address, source.chroma_pitch, width // 2, height // 2),
        ):
            memory[address : address + pitch * h].reshape(h, pitch)[:, :w] = flat[at : at + w * h].reshape(h, w)
            at += w * h
        count = min(number, refs)
        slots = [SLOT_BYTES * (1 + (number - back) % 5) for back in range(count + 1)]
        references = {f"ref_address_{i}": address for i, address in enumerate(slots[1:])}
        result = run(
            memory,
            EncodeJob(
                width=width, height=height, src_address=0, recon_address=slots[0], out_address=OUTPUT_ADDRESS,
                out_capacity=8 << 20, ref_count=count, **references, motion_in_address=MOTION_ADDRESS if number else 0,
                motion_out_address=MOTION_ADDRESS, slice_type=0 if number else 2, idr=int(number == 0),
                frame_num=number, effort=effort,
            ),
            cfg,
        )  # fmt: skip
        if result.status != STATUS_OK:
            raise RuntimeError(f"picture {number}: status {result.status}, detail {result.detail}")
        results.append(result)
    return results


def play(config: ChipConfig, results: list[CoreResult], samples: int, cores: int) -> dict:
    """Play the last pictures on `cores` cores at once; return the report."""
    fabric = Fabric(config)
    for result in results[-PLAYED:]:
        for core in range(cores):
            fabric.start(core, result, fabric.now_ps)
        left = cores
        while left:
            left -= len(fabric.advance(1 << 60))
    jobs = {"encode": {"samples": samples * cores * PLAYED}}
    return stats.report(config, fabric, {"now_ps": fabric.now_ps, "jobs": jobs})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    media = Path(os.environ.get("TASIC_MEDIA") or PROJECT_DIR.parent / "shared" / "media")
    parser.add_argument("clip", nargs="?", type=Path, default=media / CLIP)
    parser.add_argument("--chip", help="only this one")
    options = parser.parse_args()
    if not options.clip.is_file():
        print(f"no clip {options.clip} (set TASIC_MEDIA, or name one)", file=sys.stderr)
        return 1
    frames, width, height = pictures(options.clip, max(PICTURES, DECODED_PICTURES))
    print(f"{options.clip.name}, {width}x{height}, P pictures, QP 27")
    for chip, effort, refs, cores, changes, said in ROWS:
        if options.chip in (None, chip):
            config = with_changes(load_chip(chip), changes)
            report = play(
                config,
                encode(config.encode.core, frames[:PICTURES], width, height, effort, refs),
                width * height,
                cores,
            )
            section, memory = report["cores"]["encode"], report["memory"]
            joules = sum(v for part, v in report["energy"]["nj_per_px"].items() if part.startswith("encode."))
            clients = memory["bytes_per_px_by_client"]
            print(
                f"{chip:5} effort {effort}, {refs} references, {cores:2} cores: "
                f"{section['cycles_per_unit']:4.0f} cycles/MB"
                f"  {memory['bytes_per_px']:.2f} B/px (references {clients['reference']:.2f})"
                f"  core {joules:.2f} nJ/px   published: {said}"
            )
    print(f"\ndecode: the same {len(frames)} pictures by x264 medium, CABAC, B pictures")
    streams = {qp: x264(frames, width, height, qp) for qp in DECODE_QPS}
    for chip, cores, changes, said in DECODE_ROWS:
        if options.chip in (None, chip):
            config = with_changes(load_chip(chip), changes)
            for qp, stream in streams.items():
                print_decode(config, chip, cores, qp, stream, width * height, said)
    return 0


def x264(frames: list[np.ndarray], width: int, height: int, qp: int) -> list[bytes]:
    """The pictures as H.264 access units."""
    with av.open(io.BytesIO(), "w", format="h264") as out:
        options = {"preset": "medium", "qp": str(qp), "bf": "3", "b_strategy": "0", "g": "250", "threads": "1"}
        stream = out.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        packets = []
        for number, frame in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(frame, format="yuv420p")
            picture.pts = number
            packets += stream.encode(picture)
        return [bytes(packet) for packet in [*packets, *stream.encode(None)]]


class _Recorder(CoreTarget):
    """A decode core that notes the type of every job's picture."""

    def decode(self, fields: dict[str, int], parameters: bytes, stream: bytes) -> CoreResult:
        self.types.append(picture_type(fields, parameters))
        return super().decode(fields, parameters, stream)

    types: list[str]


@dataclass(frozen=True)
class Decoded:
    """What decoding a stream took on one chip: cycles a macroblock of a core, by type too; bytes and nJ a sample."""

    cycles: float
    by_type: dict[str, float]
    bytes_px: float
    bytes_px_by_client: dict[str, float]
    nj_px: float


def decode(config: ChipConfig, cores: int, stream: list[bytes], samples: int) -> Decoded:
    """Decode the stream of pictures of `samples` luma samples, and play each on `cores` cores at once."""
    target = _Recorder(config.decode.core, keep_results=True)
    target.types = []
    decoder = H264Decoder(target)
    for packet in stream:
        for frame in decoder.feed(packet):
            decoder.release(frame)
    for frame in decoder.flush():
        decoder.release(frame)
    fabric = Fabric(config)
    spent = {"I": [0, 0], "P": [0, 0], "B": [0, 0]}  # macroblocks, ps
    for kind, result in zip(target.types, target.results, strict=True):
        begin_ps = fabric.now_ps
        for core in range(cores):
            fabric.start(fabric.core("decode", core), result, begin_ps)
        left = cores
        while left:
            ended = fabric.advance(1 << 60)
            left -= len(ended)
            spent[kind][1] += sum(end_ps - begin_ps for _, end_ps in ended)
        spent[kind][0] += cores * len(result.cycles)
    report = stats.report(config, fabric, {"now_ps": fabric.now_ps, "jobs": {}})
    all_samples = samples * len(target.results) * cores
    joules = sum(value for part, value in report["energy"]["joules"].items() if part.startswith("decode."))
    return Decoded(
        cycles=report["cores"]["decode"]["cycles_per_unit"],
        by_type={kind: ps / config.clocks.core_ps / max(1, units) for kind, (units, ps) in spent.items()},
        bytes_px=sum(report["memory"]["by_kind"]["decode"].values()) / all_samples,
        bytes_px_by_client={k: size / all_samples for k, size in report["memory"]["by_kind"]["decode"].items()},
        nj_px=1e9 * joules / all_samples,
    )


def print_decode(
    config: ChipConfig, chip: str, cores: int, qp: int, stream: list[bytes], samples: int, said: str
) -> None:
    """Decode the stream on `cores` cores at once; print cycles by type and traffic."""
    found = decode(config, cores, stream, samples)
    by_type = "  ".join(f"{kind} {cycles:4.0f}" for kind, cycles in found.by_type.items())
    rate = 8 * sum(map(len, stream)) / len(stream) * 25 / 1e6
    print(
        f"{chip:5} {cores} core(s), QP {qp} ({rate:4.1f} Mbit/s at 25 frames/s): {found.cycles:4.0f} cycles/MB "
        f"({by_type})  {found.bytes_px:.2f} B/px  core {found.nj_px:.2f} nJ/px"
        + (f"   published: {said}" if said else "")
    )


if __name__ == "__main__":
    sys.exit(main())
