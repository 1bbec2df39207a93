"""Published figures of chips beside the model's, with the error, and whether a figure was used for calibration.

    python -m benchmarks.published                     all of them, about 30 s of CPU time
    python -m benchmarks.published --only decode       those of encode, decode, or chips

Encode rows code six pictures of the clip for each chip, effort and number of references; decode rows decode 17;
rows of whole chips simulate synthetic streams, several numbers of them each.

Each row names the published figure with its mark (F found, R recalled, D derived; keys as in reference/CALIBRATION.md),
ours, and what it is: `calibrated` (a parameter was set on it), `derived` (follows from a calibrated one), or
`prediction`.
docs/published.md explains the misses and counts parameters against figures.
"""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asic_model.config import ChipConfig, load_chip, with_changes
from asic_model.cores.result import CoreResult
from asic_model.workload import workload as workloads
from asic_model.workload.capacity import capacity
from asic_model.workload.simulation import Arrival, Placed, simulate
from asic_model.workload.streams import Stream
from asic_model.workload.synthetic import Output, Spec, build
from benchmarks import chips, measure

GIB = 1 << 30
MACROBLOCKS_2160P60 = 240 * 135 * 60
PIXELS_2160P60 = 3840 * 2160 * 60
CALIBRATED, DERIVED, PREDICTION = "calibrated", "derived", "prediction"
ALLOWED = {CALIBRATED: 0.05, DERIVED: 0.15, PREDICTION: 0.15}


@dataclass(frozen=True)
class Row:
    """One published figure. `low`, `high`: the published interval, equal where it is one number."""

    chip: str
    what: str
    unit: str
    low: float
    high: float
    mark: str
    ours: float
    kind: str

    @property
    def error(self) -> float:
        """Relative distance from the interval."""
        if self.low <= self.ours <= self.high:
            return 0.0
        near = self.low if self.ours < self.low else self.high
        return self.ours / near - 1


# What the phone driver's bandwidth formula [iris-bus] counts beyond our cores, bytes a luma sample, no compression.
VOTE_PAGE_TABLES = 1.03  # of all
VOTE_VECTORS = 2 * 16 / 256  # 16 bytes a macroblock, written and read


def encode_vote(stream_bytes_px: float) -> float:
    """Pictures wider than its tile of 960 samples: references read 1.3 times (luma) and 1.5 times (chroma), the
    reconstruction written 1.08 times and its overlap read; bins go through memory, 4 bytes a byte of stream, twice."""
    references = 1.30 + 1.5 * 0.5 + 1.5 * 0.08
    lines = 2 * 16 / 256
    return VOTE_PAGE_TABLES * (1.5 + references + 1.5 * 1.08 + (4 + 5) * stream_bytes_px + VOTE_VECTORS + lines)


def decode_vote(stream_bytes_px: float, reference_bytes_px: float) -> float:
    """The picture written for reference and again for display, bins as above, lines of neighbours in memory."""
    lines = 2 * 128 / 256
    return VOTE_PAGE_TABLES * (1.5 * 1.05 + 1.5 + reference_bytes_px + (6 + 4) * stream_bytes_px + VOTE_VECTORS + lines)


class Encoders:
    """Encode cores on a clip's P pictures, each setting measured once (`benchmarks.chips`)."""

    def __init__(self, clip: Path) -> None:
        self.frames, self.width, self.height = chips.pictures(clip)
        self._coded: dict[tuple[Any, ...], list[CoreResult]] = {}
        self._played: dict[tuple[Any, ...], dict[str, Any]] = {}

    def report(self, chip: str, effort: int, refs: int, cores: int = 1, compression: bool | None = None) -> Any:
        key = chip, effort, refs, cores, compression
        if key not in self._played:
            changes = {} if compression is None else {"memory.frame_compression": compression}
            config = with_changes(load_chip(chip), changes)
            coding = chip, effort, refs, compression
            if coding not in self._coded:
                self._coded[coding] = chips.encode(
                    config.encode.core, self.frames, self.width, self.height, effort, refs
                )
            self._played[key] = chips.play(config, self._coded[coding], self.width * self.height, cores)
        return self._played[key]

    def cycles(self, *key: Any, **more: Any) -> float:
        return float(self.report(*key, **more)["cores"]["encode"]["cycles_per_unit"])

    def bytes_px(self, *key: Any, client: str = "", **more: Any) -> float:
        memory = self.report(*key, **more)["memory"]
        return float(memory["bytes_per_px_by_client"][client] if client else memory["bytes_per_px"])


def encode_rows(found: Encoders) -> list[Row]:
    """Cycles, traffic and energy of encode cores."""
    vcu, msvp = load_chip("vcu"), load_chip("msvp")
    slow, medium, fast = 2, 1, 0
    core = vcu.clocks.core_mhz * 1e6 / found.cycles("vcu", slow, 3)
    ten = 10 * vcu.clocks.core_mhz * 1e6 / found.cycles("vcu", slow, 3, 10)
    raw = found.bytes_px("vcu", slow, 3, compression=False) * PIXELS_2160P60 / GIB
    packed = found.bytes_px("vcu", slow, 3) * PIXELS_2160P60 / GIB
    references = [found.bytes_px("vcu", slow, 3, client="reference", compression=on) for on in (True, False)]
    saved = 1 - references[0] / references[1]
    plain = found.bytes_px("edge", medium, 1, compression=False)
    voted = encode_vote(found.bytes_px("edge", medium, 1, compression=False, client="stream"))
    core, ten = core / MACROBLOCKS_2160P60, ten / MACROBLOCKS_2160P60
    energy = found.report("vcu", slow, 3)["energy"]["nj_per_px"]
    core_energy = sum(value for part, value in energy.items() if part.startswith("encode."))
    standard = msvp.clocks.core_mhz * 1e6 / found.cycles("msvp", medium, 1) / MACROBLOCKS_2160P60
    best = 4 * msvp.clocks.core_mhz * 1e6 / found.cycles("msvp", slow, 4) / MACROBLOCKS_2160P60
    low_power, quality = found.cycles("edge", fast, 1), found.cycles("edge", slow, 2)
    return [
        Row("vcu", "one encode core, three references", "2160p60 streams", 1, 1, "F", core, CALIBRATED),
        Row("vcu", "ten encode cores at once", "2160p60 streams", 10, 10, "F", ten, DERIVED),
        Row("vcu", "traffic of an encode core, raw", "GiB/s", 3.5, 3.5, "R", raw, CALIBRATED),
        Row("vcu", "traffic of an encode core, compressed", "GiB/s", 2.0, 2.0, "R", packed, PREDICTION),
        Row("vcu", "reference reads saved by compression", "share", 0.491, 0.50, "F/R", saved, PREDICTION),
        Row("vcu", "encode core's energy (28 nm constant)", "nJ/px", 0.22, 0.39, "F", core_energy, PREDICTION),
        Row("msvp", "one chip, standard quality", "2160p60 streams", 1, 1, "F", standard, CALIBRATED),
        Row("msvp", "one chip, highest quality", "2160p15 streams", 1, 1, "F", best, CALIBRATED),
        Row("edge", "encode, low power", "cycles/MB", 320, 320, "F", low_power, CALIBRATED),
        Row("edge", "encode, quality", "cycles/MB", 675, 675, "F", quality, CALIBRATED),
        Row("edge", "encode traffic 1080p, one reference, raw", "B/px", 5.81, 5.95, "F", plain, PREDICTION),
        Row("edge", "the same as that driver counts it", "B/px", 5.81, 5.95, "F", voted, PREDICTION),
        Row("edge", "quality over low power", "times", 675 / 320, 675 / 320, "D", quality / low_power, DERIVED),
    ]  # fmt: skip


def decode_rows(clip: Path) -> list[Row]:
    """Decode cores on the same clip, coded by x264 (medium, B pictures) at QP 27."""
    frames, width, height = chips.pictures(clip, chips.DECODED_PICTURES)
    stream = chips.x264(frames, width, height, 27)
    vcu, edge = load_chip("vcu"), load_chip("edge")
    found, phone = (chips.decode(chip, 1, stream, width * height) for chip in (vcu, edge))
    raw = chips.decode(with_changes(edge, {"memory.frame_compression": False}), 1, stream, width * height)
    voted = decode_vote(raw.bytes_px_by_client["stream"], raw.bytes_px_by_client["reference"])
    asked = vcu.clocks.core_mhz * 1e6 / found.cycles * 256 * found.bytes_px / GIB
    return [
        Row("vcu", "traffic of a decode core", "GiB/s", 2.2, 2.2, "R", asked, CALIBRATED),
        Row("edge", "decode core", "cycles/MB", 200, 200, "F", phone.cycles, CALIBRATED),
        Row("vcu", "decode traffic, half of the vote to all", "B/px", 3.7, 8.5, "F/D", found.bytes_px, PREDICTION),
        Row("edge", "decode traffic, uncompressed", "B/px", 7.4, 8.5, "F", raw.bytes_px, PREDICTION),
        Row("edge", "the same as that driver counts it", "B/px", 7.4, 8.5, "F", voted, PREDICTION),
    ]  # fmt: skip


def busy_chip(duration_s: float) -> float:
    """GiB/s read and written by vcu with ten 2160p60 encodes and three decodes that keep up."""
    config = load_chip("vcu")
    encodes = Spec(
        "encode", 3840, 2160, 60, (Output(3840, 2160, 25e6),), preset="slow", references=3, gop=60,
    )  # fmt: skip
    decodes = Spec("decode", 3840, 2160, 60, (Output(3840, 2160, 25e6),), decode="chip", bit_rate=40e6, every=60)
    # Uploads would need a wider link than one chip has: sources are there already, as in a transcoding chain.
    stream = build(encodes, config)
    resident = _without_uploads(stream)
    placed = [Placed(resident, Arrival("file"))] * 10 + [Placed(build(decodes, config), Arrival("file"))] * 3
    outcome = simulate(config, placed, duration_s=duration_s, warm_up_s=0.02)
    moved = sum(
        part["read"] + part["write"]
        for owner, clients in outcome.fabric.traffic().items()
        if owner.startswith(("encode", "decode"))
        for part in clients.values()
    )
    return moved / (outcome.fabric.now_ps * 1e-12) / GIB


def _without_uploads(stream: Stream) -> Stream:
    for picture in stream.pictures:
        picture.upload_bytes = 0
    return stream


# Luma samples a second of twenty chips, offline two-pass H.264: with single outputs as published (14,932 recalled, and
# 20.9 times the 714 of two sockets), with several outputs a session 1.2 to 1.3 times that.
OFFLINE_SINGLE_PX_S = 714e6 * 20.9, 14_932e6
OFFLINE_SEVERAL_PX_S = 1.2 * OFFLINE_SINGLE_PX_S[0], 1.3 * OFFLINE_SINGLE_PX_S[1]
# One of their 200 encode cores, where nothing else is in its way: the middle of what they do with several outputs.
OFFLINE_PX_S = sum(OFFLINE_SEVERAL_PX_S) / 2 / 200


def offline_vcu() -> ChipConfig:
    """vcu whose encode cores take the time of its offline mode, whatever the content."""
    config = load_chip("vcu")
    cycles = config.clocks.core_mhz * 1e6 * 256 / OFFLINE_PX_S
    return with_changes(config, {"encode.core.timing": {"core": {"block": "offline mode", "constant": cycles}}})


SLOWED = 6  # pictures and bits a second of a mix are so many times fewer: so many times more streams fit, and a stream
# more or less matters less


def put_out(mix: str, config: ChipConfig, duration_s: float) -> float:
    """Luma samples a second that the most real-time streams of a mix put out, each output at the same rate."""
    sessions = []
    for session in workloads.load(mix).sessions:
        source = session.source.model_copy(
            update={"fps": (session.source.fps or 30) / SLOWED, "bit_rate": session.source.bit_rate / SLOWED}
        )
        ladder = tuple(out.model_copy(update={"bit_rate": out.bit_rate / SLOWED}) for out in session.ladder)
        sessions.append(session.model_copy(update={"source": source, "ladder": ladder}))
    slowed = workloads.load(mix).model_copy(update={"sessions": tuple(sessions)})
    # What the chip's memory holds is no matter here: so many more streams only stand for fewer ones.
    roomy = with_changes(config, {"memory.ranks": 4, "memory.capacity_mib": 32768})
    found = capacity(slowed, roomy, percentile=0.95, duration_s=duration_s, warm_up_s=0.3)
    print(found.explain())
    pixels = sum(out.width * out.height for session in sessions for out in session.ladder)
    return found.streams / len(sessions) * pixels * (sessions[0].source.fps or 0)


def chip_rows(duration_s: float) -> list[Row]:
    """Whole chips and hosts."""
    need = busy_chip(duration_s)
    offline = offline_vcu()
    several, single = (20e-6 * put_out(mix, offline, duration_s) for mix in ("upload_multi", "upload_single"))
    low, high = (1e-6 * px_s for px_s in OFFLINE_SINGLE_PX_S)
    low_several, high_several = (1e-6 * px_s for px_s in OFFLINE_SEVERAL_PX_S)
    return [
        Row("vcu", "memory of a busy chip: ten encodes, three decodes", "GiB/s", 27, 37, "F", need, PREDICTION),
        Row("vcu", "several outputs over single ones, offline", "times", 1.2, 1.3, "F", several / single, PREDICTION),
        Row("vcu", "20 chips, offline, several outputs", "Mpix/s", low_several, high_several, "D", several, CALIBRATED),
        Row("vcu", "20 chips, offline, single outputs", "Mpix/s", low, high, "F x R", single, PREDICTION),
        Row("vcu", "the same over two Skylake sockets (714)", "times", 20.9, 20.9, "F", single / 714, PREDICTION),
    ]  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clip", default="aosp_crowd", help="beginning of a file name (default aosp_crowd)")
    parser.add_argument("--duration", type=float, default=0.3, help="simulated seconds of whole chips (default 0.3)")
    parser.add_argument("--only", choices=("encode", "decode", "chips"), help="cores of a kind, or whole chips")
    options = parser.parse_args()
    print(measure.statement())
    clip = measure.find_clip(options.clip)
    groups: dict[str, Callable[[], list[Row]]] = {
        "encode": lambda: encode_rows(Encoders(clip)),
        "decode": lambda: decode_rows(clip),
        "chips": lambda: chip_rows(options.duration),
    }
    rows = []
    for name, measured in groups.items():
        if options.only in (None, name):
            began = time.process_time()
            rows += measured()
            print(f"{name}: {time.process_time() - began:.0f} s of CPU time", flush=True)
    print(f"\n{'chip':5} {'figure':50} {'published':>16} {'mark':>5} {'ours':>9} {'unit':16} {'error':>7}  use")
    misses = 0
    for row in rows:
        said = f"{row.low:.4g}" if row.low == row.high else f"{row.low:.4g} to {row.high:.4g}"
        miss = abs(row.error) > ALLOWED[row.kind]
        misses += miss
        print(
            f"{row.chip:5} {row.what:50} {said:>16} {row.mark:>5} {row.ours:9.4g} {row.unit:16} {row.error:+7.1%}"
            f"  {row.kind}{'  <-- miss, see docs/published.md' if miss else ''}"
        )
    print(f"\n{len(rows)} figures, {misses} beyond 5 % (calibrated) or 15 % (others)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
