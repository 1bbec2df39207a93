"""Writing media: times, audio, rotation, aspect and colour arrive; a file appears whole or not at all."""

import os
import stat
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from driver.errors import InvalidConfig, OutputError
from driver.media.output_file import OutputFile, write_text
from driver.media.sink import EncodedPacket, Sink
from driver.media.source import AudioPacket, Picture, Source
from tests.driver.clips import write_clip


def x264(picture: Picture, encoder: av.VideoCodecContext) -> list[EncodedPacket]:
    frame = av.VideoFrame.from_ndarray(
        np.concatenate([picture.y, np.concatenate([picture.cb, picture.cr]).reshape(-1, picture.width)]),
        format="yuv420p",
    )
    frame.pts, frame.time_base = picture.pts, picture.time_base
    return [
        EncodedPacket(bytes(p), picture.pts, picture.pts, picture.duration, picture.time_base, p.is_keyframe)
        for p in encoder.encode(frame)
    ]


def remake(path: Path, target: Path) -> Sink:
    """Code the video of `path` with x264 (no delay) and write it through a Sink."""
    with Source(str(path)) as source:
        encoder = av.CodecContext.create("libx264", "w")
        encoder.width, encoder.height, encoder.pix_fmt = source.width, source.height, "yuv420p"
        encoder.time_base, encoder.sample_aspect_ratio = source.time_base, source.sample_aspect_ratio or Fraction(1)
        encoder.options = {"bf": "0", "tune": "zerolatency", "threads": "1"}
        sink = Sink(str(target), source)
        for item in source.items():
            if isinstance(item, AudioPacket):
                sink.write_audio(item)
            else:
                for packet in x264(item, encoder):
                    sink.write_video(packet)
        sink.commit()
    return sink


def video_times(path: Path) -> list[Fraction]:
    with av.open(str(path)) as container:
        return [frame.pts * frame.time_base for frame in container.decode(video=0)]


def audio_packets(path: Path) -> list[tuple[Fraction, bytes]]:
    with av.open(str(path)) as container:
        return [(p.pts * p.time_base, bytes(p)) for p in container.demux(audio=0) if p.size]


DURATIONS = [20, 40, 100, 20, 33, 47, 20, 40, 100, 20, 33, 47, 40, 40, 40, 40]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts", ".mov"])
def test_times_and_audio_are_carried_over(tmp_path: Path, suffix: str) -> None:
    write_clip(tmp_path / "in.mkv", durations=DURATIONS, audio=True)
    remake(tmp_path / "in.mkv", tmp_path / f"out{suffix}")
    wanted, found = video_times(tmp_path / "in.mkv"), video_times(tmp_path / f"out{suffix}")
    assert len(found) == len(DURATIONS)
    sound_in, sound_out = audio_packets(tmp_path / "in.mkv"), audio_packets(tmp_path / f"out{suffix}")
    # a container may shift everything (MPEG-TS starts at 0 where Matroska has -21 ms of AAC priming): video against
    # audio must stand as before, within one video frame
    shift = found[0] - wanted[0]
    assert all(abs(b - a - shift) <= Fraction(1, 1000) for a, b in zip(wanted, found, strict=True))
    assert len(sound_in) == len(sound_out)
    assert all(abs(b[0] - a[0] - shift) <= Fraction(2, 1000) for a, b in zip(sound_in, sound_out, strict=True))
    if suffix == ".mkv":  # the others frame AAC in their own way
        assert [data for _, data in sound_in] == [data for _, data in sound_out]


def test_rotation_aspect_title_and_frame_rate(tmp_path: Path) -> None:
    write_clip(tmp_path / "in.mp4", rotation=90, aspect=Fraction(4, 3))
    remake(tmp_path / "in.mp4", tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as container:
        stream = container.streams.video[0]
        assert stream.sample_aspect_ratio == Fraction(4, 3)
        assert stream.average_rate == 25
        assert next(container.decode(video=0)).rotation == 90


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
@pytest.mark.parametrize("base", [Fraction(1, 90000), Fraction(1, 30000), Fraction(1001, 30000), Fraction(1, 12800)])
def test_a_late_start_is_kept_to_the_tick(tmp_path: Path, suffix: str, base: Fraction) -> None:
    """Pictures that begin 33.3667 ms, 1 tick or the like after 0 do so in the file: movie edits count finely enough."""
    write_clip(tmp_path / "in.264", count=4, options={"bf": "0", "tune": "zerolatency"})
    with av.open(str(tmp_path / "in.264")) as container:
        coded = [(bytes(packet), packet.is_keyframe) for packet in container.demux(video=0) if packet.size]
    start, step = (1001, 1001) if base != Fraction(1001, 30000) else (1, 1)
    sink = Sink(str(tmp_path / f"out{suffix}"))
    for number, (data, key) in enumerate(coded):
        sink.write_video(EncodedPacket(data, start + number * step, start + number * step, step, base, key))
    sink.commit()
    wanted = [(start + number * step) * base for number in range(4)]
    assert video_times(tmp_path / f"out{suffix}") == wanted


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
def test_tags_and_chapters_are_carried_over(tmp_path: Path, suffix: str) -> None:
    """Tags of the content arrive in what the container can hold; what the input's muxer said of itself does not."""
    write_clip(tmp_path / "plain.mkv", audio=True)
    with av.open(str(tmp_path / "plain.mkv")) as source, av.open(str(tmp_path / "in.mkv"), "w") as out:
        tags = {"title": "A title", "artist": "Somebody", "comment": "Words", "genre": "Test", "encoder": "Theirs"}
        out.metadata.update(tags)
        out.set_chapters(
            [{"id": 1, "start": 0, "end": 200, "time_base": Fraction(1, 1000), "metadata": {"title": "Opening"}}]
        )
        copies = {stream.index: out.add_stream_from_template(stream) for stream in source.streams}
        copies[1].metadata["language"] = "fra"
        for packet in source.demux():
            if packet.size:
                packet.stream = copies[packet.stream.index]
                out.mux(packet)
    remake(tmp_path / "in.mkv", tmp_path / f"out{suffix}")
    with av.open(str(tmp_path / f"out{suffix}")) as container:
        found = {key.lower(): value for key, value in container.metadata.items()}
        for key in ("title", "artist", "comment", "genre"):
            assert found[key] == tags[key]
        assert found.get("encoder") != "Theirs"
        assert [chapter["metadata"]["title"] for chapter in container.chapters()] == ["Opening"]
        assert container.streams.audio[0].language in ("fra", "fre")  # Matroska writes the bibliographic code


def test_mpeg_ts_says_that_it_loses_rotation(tmp_path: Path) -> None:
    write_clip(tmp_path / "in.mp4", rotation=90)
    sink = remake(tmp_path / "in.mp4", tmp_path / "out.ts")
    assert any("rotation" in line for line in sink.warnings)


def test_audio_that_does_not_fit_is_left_out_with_a_warning(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "in.mkv"), "w") as out:
        video = out.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sound = out.add_stream("pcm_u8", rate=44100, layout="mono")
        for index in range(5):
            frame = av.VideoFrame.from_ndarray(np.full((72, 64), 100, np.uint8), format="yuv420p")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        piece = av.AudioFrame.from_ndarray(np.full((1, 2048), 128, np.uint8), format="u8", layout="mono")
        piece.sample_rate = 44100
        out.mux(sound.encode(piece))
        out.mux(sound.encode(None))
    sink = remake(tmp_path / "in.mkv", tmp_path / "out.mp4")
    assert any("pcm_u8" in line for line in sink.warnings)
    assert len(video_times(tmp_path / "out.mp4")) == 5


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_same_packets_give_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    write_clip(tmp_path / "in.mkv", audio=True)
    for name in ("a", "b"):
        remake(tmp_path / "in.mkv", tmp_path / f"{name}{suffix}")
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


def test_unknown_suffix_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig, match=r"\.mp5.*did you mean \.mp4"):
        Sink(str(tmp_path / "out.mp5"))


def test_nothing_appears_before_commit_and_discard_keeps_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "out.264"
    target.write_bytes(b"old")
    sink = Sink(str(target))
    sink.write_video(EncodedPacket(b"new", 0, 0, 1, Fraction(1, 25), True))
    assert target.read_bytes() == b"old"
    sink.discard()
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_commit_replaces_content_and_keeps_the_mode(tmp_path: Path) -> None:
    target = tmp_path / "out.txt"
    target.write_text("old")
    target.chmod(0o640)
    write_text(target, "new")
    assert target.read_text() == "new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert list(tmp_path.iterdir()) == [target]


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    write_text(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


def test_a_swallowed_write_error_comes_back_at_commit(tmp_path: Path) -> None:
    """A library that writes through the file may ignore its errors; the target must not be replaced all the same."""
    target = tmp_path / "out.bin"
    target.write_bytes(b"old")
    file = OutputFile(target)
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, file._file.fileno())
    os.close(full)
    with pytest.raises(OSError, match="No space"):
        file.write(bytes(1 << 20))
    with pytest.raises(OutputError, match="No space left"):
        file.commit()
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(("name", "words"), [("no/such/out.mp4", "does not exist"), ("", "is a folder")])
def test_targets_that_cannot_be(tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(OutputError, match=words):
        OutputFile(tmp_path / name)
