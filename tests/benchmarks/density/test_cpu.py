"""Speeds of software: what is counted, noise that is refused, points that are kept."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from benchmarks.density import clips, cpu, encoders, vmaf
from benchmarks.density.clips import CannotJudge
from benchmarks.density.cpu import CpuJob, TooNoisy, Turn, combine
from benchmarks.density.store import Store
from tests.driver.clips import write_clip

JOB = CpuJob("unused", 24, Fraction(25), "x264", "superfast", 27, ((64, 48), (32, 24)))
GOOD = Turn(50.0, 0.99, [[(1.0, 1.01), (1.02, 1.03)]])


def test_output_pixels_are_those_of_all_rungs() -> None:
    assert JOB.output_px == 24 * (64 * 48 + 32 * 24)


def test_every_encoder_of_the_list_codes_and_is_decoded(tmp_path: Path) -> None:
    write_clip(tmp_path / "in.mp4", width=128, height=96, count=24)
    clip = clips.open_clip(str(tmp_path / "in.mp4"), 24, tmp_path)
    planes = clips.frames(clip)
    for name, encoder in encoders.ENCODERS.items():
        assert encoders.missing(name) is None
        packets = encoders.encode(name, encoder.presets[0], 27, clips.as_video_frames(planes), clip.rate)
        assert len(encoders.decode(name, packets)) == 24


def test_a_transcode_writes_every_rung(tmp_path: Path) -> None:
    write_clip(tmp_path / "in.mp4", width=128, height=96, count=24)
    one = CpuJob(str(tmp_path / "in.mp4"), 24, Fraction(25), "x264", "superfast", 27, ((128, 96),))
    both = replace(one, rungs=((128, 96), (64, 48)))
    assert cpu.transcode(both) - cpu.transcode(one) == cpu.transcode(replace(one, rungs=((64, 48),)))


def test_measured_on_every_processor(tmp_path: Path) -> None:
    write_clip(tmp_path / "in.mp4", width=128, height=96, count=24)
    job = CpuJob(str(tmp_path / "in.mp4"), 24, Fraction(25), "x264", "superfast", 27, ((128, 96),))
    found = cpu.measure(job, repeats=2)
    assert len(found.runs) == cpu.machine()["processors"]
    assert all(len(runs) >= 2 for runs in found.runs)
    fastest = [min(seconds for seconds, _ in runs) for runs in found.runs]
    assert job.output_px / max(fastest) / 1e6 <= found.mpix_per_s <= job.output_px / min(fastest) / 1e6


def test_a_load_on_one_processor_is_seen(tmp_path: Path) -> None:
    """A spinning process on a worker's processor takes half of it from it."""
    write_clip(tmp_path / "in.mp4", width=640, height=360, count=60)
    job = CpuJob(str(tmp_path / "in.mp4"), 60, Fraction(25), "x264", "medium", 27, ((640, 360),))
    processor = min(os.sched_getaffinity(0))
    spin = f"import os; os.sched_setaffinity(0, {{{processor}}})\nwhile True: pass"
    load = subprocess.Popen([sys.executable, "-c", spin])
    try:
        with pytest.raises(TooNoisy, match=r"x264 medium: a worker got [0-9]+% of its processor, 90% is needed"):
            cpu.turn(job, 0, "digest", Store(tmp_path / "store"), repeats=1)
    finally:
        load.kill()
        load.wait()
    assert not (tmp_path / "store").exists()  # nothing disturbed is kept


def test_an_encoder_that_fails_is_named(tmp_path: Path) -> None:
    (tmp_path / "no.mp4").write_bytes(b"nothing")
    with pytest.raises(RuntimeError, match="x264 superfast"):
        cpu.measure(replace(JOB, path=str(tmp_path / "no.mp4")), repeats=2)


def test_a_worker_that_dies_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "_work", os._exit)  # takes one argument, not three: the worker ends at once
    with pytest.raises(RuntimeError, match="x264 superfast: a worker ended with code 1"):
        cpu.measure(JOB, repeats=2)


def test_disturbed_repeats_do_not_count() -> None:
    """A repeat of 0.5 CPU seconds in 1 s was disturbed; with two others undisturbed it is left out."""
    runs = [(0.5, 1.0), (0.62, 0.63), (0.6, 0.61)]
    assert not cpu._enough(runs[:2], 2, 3)
    assert cpu._enough(runs, 2, 3)
    assert cpu._counted(runs, 2) == [(0.62, 0.63), (0.6, 0.61)]
    # Never undisturbed: after three times as many as asked for the least disturbed ones are all there is.
    bad = [(0.5, 1.0), (0.5, 0.8), (0.5, 0.9), (0.5, 0.7), (0.5, 1.1), (0.5, 2.0)]
    assert not cpu._enough(bad[:5], 2, 3)
    assert cpu._enough(bad, 2, 3)
    assert cpu._counted(bad, 2) == [(0.5, 0.7), (0.5, 0.8)]


def test_turns_combine_to_their_mean_and_their_difference_is_the_spread() -> None:
    found = combine([replace(GOOD, mpix_per_s=48.0), replace(GOOD, mpix_per_s=52.0, share=0.95)])
    assert (found.mpix_per_s, found.lowest, found.highest, found.share) == (50.0, 48.0, 52.0, 0.95)
    assert found.spread == pytest.approx(0.08)
    assert (found.processes, found.repeats) == (1, 2)


def test_a_loaded_machine_gives_no_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "measure", lambda job, repeats, patience: replace(GOOD, share=0.6))
    with pytest.raises(TooNoisy, match="got 60% of its processor, 90% is needed"):
        cpu.turn(JOB, 0, "digest", Store(tmp_path))
    assert cpu.turn(JOB, 0, "digest", Store(tmp_path), accept_noise=True).share == 0.6
    assert not list(tmp_path.iterdir())  # nothing disturbed is kept


def test_a_stored_turn_is_not_measured_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "measure", lambda job, repeats, patience: GOOD)
    assert cpu.turn(JOB, 0, "digest", Store(tmp_path)) == GOOD
    other = replace(GOOD, mpix_per_s=10.0)
    monkeypatch.setattr(cpu, "measure", lambda job, repeats, patience: other)
    assert cpu.turn(JOB, 0, "digest", Store(tmp_path)) == GOOD
    assert cpu.turn(JOB, 1, "digest", Store(tmp_path)) == other
    assert cpu.turn(JOB, 0, "other clip", Store(tmp_path)) == other
    assert cpu.turn(replace(JOB, preset="medium"), 0, "digest", Store(tmp_path)) == other
    assert cpu.turn(JOB, 0, "digest", Store(tmp_path, fresh=True)) == other
    assert cpu.turn(JOB, 0, "digest", Store(tmp_path)) == other


@pytest.mark.parametrize("codec", ["libx264", "libx265", "libsvtav1", "libdav1d"])
def test_an_encoder_that_this_ffmpeg_lacks_is_named(codec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    built_in = av.Codec

    def lacking(name: str, mode: str = "r") -> av.Codec:
        if name == codec:
            raise av.codec.codec.UnknownCodecError(name)
        return built_in(name, mode)

    monkeypatch.setattr(av, "Codec", lacking)
    (name,) = [name for name, encoder in encoders.ENCODERS.items() if codec in (encoder.codec, encoder.decoder)]
    assert f"{name}: this build of FFmpeg (PyAV {av.__version__}) has no {codec}" == encoders.missing(name)
    assert all(encoders.missing(other) is None for other in encoders.ENCODERS if other != name)


@pytest.mark.parametrize("name", list(encoders.ENCODERS))
def test_no_encoder_leaves_real_time_threads_behind(name: str) -> None:
    """SVT-AV1 makes its caller and its threads real-time when root starts it; the whole machine would wait for them."""
    if encoders.missing(name):
        pytest.skip(encoders.missing(name))
    frames = [av.VideoFrame.from_ndarray(np.full((96, 64), 128, np.uint8), format="yuv420p") for _ in range(2)]
    before = os.sched_getscheduler(0)
    context = encoders.open_encoder(name, encoders.ENCODERS[name].presets[0], 30, 64, 64, Fraction(25))
    assert {os.sched_getscheduler(int(thread)) for thread in os.listdir("/proc/self/task")} == {before}
    packets = [packet for frame in (*frames, None) for packet in context.encode(frame)]
    assert packets
    assert os.sched_getscheduler(0) == before


def test_a_damaged_point_counts_as_not_measured(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put({"what": "speed", "n": 1}, {"a": 1})
    (file,) = tmp_path.iterdir()
    for damage in ("", "{}", json.dumps({"key": {"what": "speed", "n": 2}, "value": 3}), "[1]"):
        file.write_text(damage)
        assert store.get({"what": "speed", "n": 1}) is None


def test_what_an_interruption_left_is_tidied_away_but_no_other_process_s_file(tmp_path: Path) -> None:
    store, other = Store(tmp_path), tmp_path / "speed-0.1.scratch"
    store.put({"what": "speed"}, 1)
    store.scratch({"what": "speed"}).write_text("half")
    other.write_text("of process 1")
    store.tidy()
    assert store.get({"what": "speed"}) == 1
    assert len(list(tmp_path.iterdir())) == 2
    assert other.exists()


def test_clips_that_cannot_be_judged(tmp_path: Path) -> None:
    write_clip(tmp_path / "short.mp4", count=23)
    (tmp_path / "no.mp4").write_bytes(b"nothing")
    for name, message in (("short.mp4", "23 pictures are too few"), ("no.mp4", "no.mp4"), ("absent", "no such file")):
        with pytest.raises(CannotJudge, match=message):
            clips.open_clip(str(tmp_path / name), 100, tmp_path)


def test_a_clip_that_begins_black_cannot_be_judged_by_its_beginning(tmp_path: Path) -> None:
    """7 black pictures, then texture: more than a quarter of the first 24, not of the first 30."""
    rng = np.random.default_rng(1)
    with av.open(str(tmp_path / "fade.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(30):
            planes = np.full((72, 64), 128, np.uint8)
            planes[:48] = 16 if number < 7 else rng.integers(16, 235, (48, 64))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(planes, "yuv420p")))
        container.mux(stream.encode(None))
    clip = clips.open_clip(str(tmp_path / "fade.mp4"), 30, tmp_path)
    assert clip.flat == tuple(range(7))
    assert clips.shorten(clip, 30) == clip
    with pytest.raises(CannotJudge, match="fade: 7 of the first 24 pictures are black or plain"):
        clips.shorten(clip, 24)


def test_the_generated_clip_is_made_once(tmp_path: Path) -> None:
    first = clips.open_clip(clips.GENERATED, 30, tmp_path)
    time = Path(first.path).stat().st_mtime_ns
    assert clips.open_clip(clips.GENERATED, 30, tmp_path) == first
    assert Path(first.path).stat().st_mtime_ns == time
    assert (first.frames, first.width, first.height) == (30, 640, 360)
    assert clips.open_clip(clips.GENERATED, 40, tmp_path).digest != first.digest


def test_vmaf_is_near_100_for_equal_pictures_and_falls_with_the_quantiser(tmp_path: Path) -> None:
    if vmaf.program() is None:
        pytest.skip("no build of VMAF here (pip install tasic[vmaf])")
    clip = clips.open_clip(clips.GENERATED, 24, tmp_path)
    planes = clips.frames(clip)
    same = vmaf.score(planes, planes, 640, 360)
    assert same is not None
    assert same > 99
    scores = []
    for qp in (37, 47):
        packets = encoders.encode("x264", "veryfast", qp, clips.as_video_frames(planes), clip.rate)
        decoded = [
            np.ascontiguousarray(frame.to_ndarray(format="yuv420p")) for frame in encoders.decode("x264", packets)
        ]
        scores.append(vmaf.score(planes, decoded, 640, 360) or 0.0)
    assert 90 > scores[0] > scores[1] + 20
