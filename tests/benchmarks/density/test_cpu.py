"""Speeds of software: what is counted, noise that is refused, points that are kept."""

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from benchmarks.density import clips, cpu, encoders, vmaf
from benchmarks.density.clips import CannotJudge
from benchmarks.density.cpu import CpuJob, Speed, TooNoisy
from benchmarks.density.store import Store
from tests.driver.clips import write_clip

JOB = CpuJob("unused", 24, Fraction(25), "x264", "superfast", 27, ((64, 48), (32, 24)))
GOOD = Speed(50.0, 49.5, 50.5, 0.99, 2, 3)


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
    assert found.processes == cpu.machine()["processors"]
    assert 0 < found.lowest <= found.mpix_per_s <= found.highest


def test_an_encoder_that_fails_is_named(tmp_path: Path) -> None:
    (tmp_path / "no.mp4").write_bytes(b"nothing")
    with pytest.raises(RuntimeError, match="x264 superfast"):
        cpu.measure(replace(JOB, path=str(tmp_path / "no.mp4")), repeats=2)


def test_a_loaded_machine_gives_no_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []
    monkeypatch.setattr(cpu, "measure", lambda job, repeats: tries.append(job) or replace(GOOD, share=0.6))
    store = Store(tmp_path)
    with pytest.raises(TooNoisy, match="got 60% of its processor, 90% is needed"):
        cpu.speed(JOB, "digest", store)
    assert len(tries) == 3
    assert cpu.speed(JOB, "digest", store, accept_noise=True).share == 0.6
    assert not list(tmp_path.iterdir())  # nothing disturbed is kept


def test_the_quietest_try_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = iter([replace(GOOD, share=0.5), replace(GOOD, highest=80.0), replace(GOOD, highest=60.0)])
    monkeypatch.setattr(cpu, "measure", lambda job, repeats: next(tries))
    assert cpu.speed(JOB, "digest", Store(tmp_path)).highest == 60.0


def test_a_stored_speed_is_not_measured_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "measure", lambda job, repeats: GOOD)
    assert cpu.speed(JOB, "digest", Store(tmp_path)) == GOOD
    monkeypatch.setattr(cpu, "measure", lambda job, repeats: replace(GOOD, mpix_per_s=10.0))
    assert cpu.speed(JOB, "digest", Store(tmp_path)) == GOOD
    assert cpu.speed(JOB, "other clip", Store(tmp_path)).mpix_per_s == 10.0
    assert cpu.speed(replace(JOB, preset="medium"), "digest", Store(tmp_path)).mpix_per_s == 10.0
    assert cpu.speed(JOB, "digest", Store(tmp_path, fresh=True)).mpix_per_s == 10.0
    assert cpu.speed(JOB, "digest", Store(tmp_path)).mpix_per_s == 10.0


def test_a_damaged_point_counts_as_not_measured(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put({"what": "speed", "n": 1}, {"a": 1})
    (file,) = tmp_path.iterdir()
    for damage in ("", "{}", json.dumps({"key": {"what": "speed", "n": 2}, "value": 3}), "[1]"):
        file.write_text(damage)
        assert store.get({"what": "speed", "n": 1}) is None


def test_clips_that_cannot_be_judged(tmp_path: Path) -> None:
    write_clip(tmp_path / "short.mp4", count=23)
    (tmp_path / "no.mp4").write_bytes(b"nothing")
    for name, message in (("short.mp4", "23 pictures are too few"), ("no.mp4", "no.mp4"), ("absent", "no such file")):
        with pytest.raises(CannotJudge, match=message):
            clips.open_clip(str(tmp_path / name), 100, tmp_path)


def test_the_generated_clip_is_made_once(tmp_path: Path) -> None:
    first = clips.open_clip(clips.GENERATED, 30, tmp_path)
    time = Path(first.path).stat().st_mtime_ns
    assert clips.open_clip(clips.GENERATED, 30, tmp_path) == first
    assert Path(first.path).stat().st_mtime_ns == time
    assert (first.frames, first.width, first.height) == (30, 640, 360)
    assert clips.open_clip(clips.GENERATED, 40, tmp_path).digest != first.digest


def test_vmaf_of_equal_pictures_is_near_100(tmp_path: Path) -> None:
    if vmaf.program() is None:
        pytest.skip("no build of VMAF here (pip install tasic[vmaf])")
    planes = clips.frames(clips.open_clip(clips.GENERATED, 24, tmp_path))
    same = vmaf.score(planes, planes, 640, 360)
    worse = vmaf.score(planes, [plane // 8 * 8 for plane in planes], 640, 360)
    assert same is not None
    assert worse is not None
    assert same > 95 > worse
