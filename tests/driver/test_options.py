"""Options: FFmpeg's names and values mean what they mean there; what is wrong is named with its range or neighbour."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

import driver
from driver import errors
from driver.errors import InvalidConfig, TasicError
from driver.option_values import parse_rate
from driver.options import EncoderConfig, PlannedRung, Rung, ScalerConfig, parse_ladder, plan_ladder, share_rate
from driver.scale_session import scaled_aspect


def test_ffmpeg_line() -> None:
    config = EncoderConfig.from_ffmpeg("-c:v h264_tasic -s 1920x1080 -r 30000/1001 -b:v 5M -g 30 -preset p1 -refs 2")
    assert (config.codec, config.width, config.height, config.preset) == ("h264", 1920, 1080, "fast")
    assert (config.fps, config.bit_rate, config.gop_size, config.references) == (
        Fraction(30000, 1001), 5_000_000, 30, 2,
    )  # fmt: skip
    assert config.cabac
    assert not EncoderConfig.from_ffmpeg("-s 64x64 -profile:v baseline").cabac


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("-s 64x64 -gg 3", "unknown option -gg; did you mean g"),
        ("-s 64x64 -bitrate 3", "did you mean bit_rate"),
        ("-s 64", "option -s: '64' is not a size"),
        ("-s 64x64 -qp", "option -qp has no value"),
        ("-qp 3", "option width is missing"),
        ("-s 65x64", "option width: 65 is odd"),
        ("-s 64x4096", "option height: 4096 is outside 16..2304"),
        ("-s 64x64 -qp 60", "option qp: 60 is outside 0..51"),
        ("-s 64x64 -qp many", "option qp: 'many' is not a whole number"),
        ("-s 64x64 -g 2.5", "option g: '2.5' is not a whole number"),
        ("-s 64x64 -qp 30 -b:v 1M", "option qp: does not go with b:v"),
        ("-s 64x64 -r 0", "option r"),
        ("-s 64x64 -preset slowest", "did you mean slow"),
        ("-s 64x64 -slices 5", "slices: 5 is more than the 4 macroblock rows"),
        ("-s 64x64 -qmin 30 -qmax 20", "option qmin: 30 is more than qmax 20"),
        ("-s 64x64 -pix_fmt p010", "option pix_fmt: 'p010' is not offered; one of yuv420p, nv12"),
        ("-s 64x64 -loop_filter maybe", "neither 0 nor 1"),
    ],
)
def test_refusals_name_the_option(line: str, words: str) -> None:
    with pytest.raises(InvalidConfig) as caught:
        EncoderConfig.from_ffmpeg(line)
    assert words in str(caught.value)
    assert isinstance(caught.value, ValueError)
    assert caught.value.code == "invalid_config"


def test_fractions_are_not_cut_off() -> None:
    assert EncoderConfig(width=64, height=64, qp=30.0).qp == 30  # type: ignore[arg-type]
    with pytest.raises(InvalidConfig, match=r"option qp: 30\.5 is not a whole number"):
        EncoderConfig(width=64, height=64, qp=30.5)  # type: ignore[arg-type]


def test_the_package_exports_every_error() -> None:
    """Who writes `except driver.X` needs no second import."""
    for name, value in vars(errors).items():
        if isinstance(value, type) and issubclass(value, TasicError):
            assert getattr(driver, name) is value
            assert name in driver.__all__


@pytest.mark.parametrize(
    ("text", "rate"), [("2M", 2_000_000), ("500k", 500_000), ("2.5M", 2_500_000), ("64000", 64_000), ("1e6", 1_000_000)]
)
def test_rates(text: str, rate: int) -> None:
    assert parse_rate(text) == rate


@given(st.text(max_size=30))
def test_ladders_are_read_or_refused_never_worse(text: str) -> None:
    try:
        rungs = parse_ladder(text)
    except TasicError:
        return
    assert 1 <= len(rungs) <= 8


@given(st.integers(8, 4096), st.integers(8, 1152), st.lists(st.integers(16, 2304), min_size=1, max_size=8, unique=True))
def test_no_plan_scales_up_or_leaves_the_scaler_behind(half_width: int, half_height: int, sides: list[int]) -> None:
    width, height = 2 * half_width, 2 * half_height
    try:
        rungs, warnings = plan_ladder(tuple(Rung(side, None, None) for side in sides), width, height)
    except InvalidConfig:
        # the one reason for which a plan may be refused; floor, since the rung's side was rounded to even
        assert min(sides) * 8 < min(width, height) + 16
        return
    assert rungs
    assert len({(r.width, r.height) for r in rungs}) == len(rungs)
    for rung in rungs:
        assert rung.width <= width
        assert rung.height <= height
        assert width <= 8 * rung.width
        assert height <= 8 * rung.height
        assert rung.width % 2 == rung.height % 2 == 0
        aspect = scaled_aspect(Fraction(1), width, height, rung.width, rung.height)
        assert aspect * Fraction(rung.width, rung.height) == Fraction(width, height)
    if len(rungs) < len(sides):
        assert warnings


def test_plan_of_a_720p_source() -> None:
    rungs, warnings = plan_ladder(parse_ladder("360p,1080p@5M,720p@2M"), 1280, 720)
    assert rungs == [PlannedRung("720p", 1280, 720, 2_000_000), PlannedRung("360p", 640, 360, None)]
    assert len(warnings) == 1
    rungs, warnings = plan_ladder(parse_ladder("1080p@5M,720p@2M,360p"), 960, 540)
    assert rungs == [PlannedRung("540p", 960, 540, 2_000_000), PlannedRung("360p", 640, 360, None)]
    assert len(warnings) == 3
    rungs, _ = plan_ladder(parse_ladder("480p"), 720, 1280)  # portrait: the shorter side
    assert (rungs[0].width, rungs[0].height) == (480, 854)  # 853.3 to the nearest even


def test_rates_follow_pixels_to_the_power_of_three_quarters() -> None:
    rungs = [PlannedRung("a", 640, 320, None), PlannedRung("b", 320, 160, None), PlannedRung("c", 32, 16, 9_000)]
    assert [r.bit_rate for r in share_rate(rungs, 800_000)] == [800_000, round(800_000 * 0.25**0.75), 9_000]
    assert share_rate(rungs, None) == rungs


def test_scaler_limits() -> None:
    ScalerConfig(width=128, height=128, sizes=((16, 16), (512, 512)))
    for size in ((514, 128), (128, 14), (127, 128)):
        with pytest.raises(InvalidConfig, match="is not possible"):
            ScalerConfig(width=128, height=128, sizes=(size,))
    with pytest.raises(InvalidConfig, match="at least one"):
        ScalerConfig(width=128, height=128, sizes=())


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("-rc vbr -cq 23 -b:v 0", "-crf 23"),
        ("-rc vbr_hq -b:v 3M -cq 0", "-b:v 3M"),
        ("-rc cbr -b:v 2M", "-b:v 2M -maxrate 2M -bufsize 2M"),
        ("-rc cbr -b:v 2M -bufsize 1M", "-b:v 2M -maxrate 2M -bufsize 1M"),
        ("-rc constqp -qp 24", "-qp 24"),
        ("-cq 30 -spatial-aq 1", "-crf 30 -aq-mode 1"),
        ("-cq 30 -spatial_aq 1 -aq-strength 12", "-crf 30 -aq-mode 1 -aq-strength 1.5"),
        ("-b:v 1M -temporal-aq 0", "-b:v 1M -mbtree 0"),
        ("-b:v 1M -rc-lookahead 20", "-b:v 1M -rc_lookahead 20"),
        ("-b:v 1M -lookahead_depth 20", "-b:v 1M -rc-lookahead 20"),
        ("-b_ref_mode 1", "-b_ref_mode each"),
        ("-coder 0", "-coder cavlc"),
        ("-coder 1", "-coder cabac"),
        ("-tune hq", ""),
        ("-tune ll", "-bf 0"),
        ("-tune ull -b:v 1M", "-bf 0 -b:v 1M -rc-lookahead 0"),
        ("-b:v 1M -zerolatency 1 -rc-lookahead 5", "-bf 0 -b:v 1M -rc-lookahead 5"),
        ("-tune ssim -crf 25", "-crf 25 -aq-mode 1"),
        ("-no-scenecut 1 -forced-idr 1 -weighted_pred 0", "-sc_threshold 0 -weightp 0"),
        ("-multipass disabled -gpu 2", "-hw_index 2"),
        ("-gpu any -low_latency 0", ""),
    ],
)
def test_options_of_other_encoders_mean_the_same_here(line: str, wanted: str) -> None:
    size = "-s 320x240 "
    assert EncoderConfig.from_ffmpeg(size + line) == EncoderConfig.from_ffmpeg(size + wanted)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("-surfaces 8", "option -surfaces: not offered; use -async_depth"),
        ("-init_qpI 20", "option -init_qpI: not offered"),
        ("-rc vbr", "option rc: vbr needs b:v or cq"),
        ("-rc cbr", "option rc: cbr needs b:v"),
        ("-rc constqp -b:v 1M", "option rc: constqp does not go with b:v"),
        ("-rc vbr_minqp -b:v 1M", "option rc: 'vbr_minqp' is not offered; one of constqp, vbr"),
        ("-cq 20 -crf 20", "option cq: does not go with crf"),
        ("-cq fine", "option cq: 'fine' is not a number"),
        ("-cq 60", "option crf: 60.0 is outside 0..51"),
        ("-tune lossless", "option tune: 'lossless' is not offered; one of hq"),
        ("-crf 20 -spatial-aq 1 -aq-strength 20", "option aq-strength: 20 is outside 1..15"),
        ("-spatial-aq maybe", "option spatial-aq: 'maybe' is neither 0 nor 1"),
        ("-spatial-aq 1", "option aq-mode: 1 needs rate control that looks ahead"),
        ("-forced-idr 0", "option forced-idr: 0 is not offered"),
        ("-multipass fullres", "option multipass: 'fullres' is not offered; one of disabled"),
        ("-gpu two", "option hw_index: 'two' is not a whole number"),
    ],
)
def test_options_of_other_encoders_without_meaning_are_refused_by_name(line: str, words: str) -> None:
    with pytest.raises(InvalidConfig) as caught:
        EncoderConfig.from_ffmpeg("-s 320x240 " + line)
    assert words in str(caught.value)


def test_a_query_knows_the_names_of_other_encoders() -> None:
    with driver.Device.open("null:tiny") as device:
        found = device.query({"width": 64, "height": 64, "cq": 25, "tune": "ll"})
    assert found.config == EncoderConfig.from_ffmpeg("-s 64x64 -crf 25 -bf 0 -rc-lookahead 0")
    assert not found.reasons
