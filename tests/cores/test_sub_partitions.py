"""Partitions below 8x8: chosen where small pieces move apart, within the limit of vectors, and FFmpeg agrees."""

import numpy as np
import pytest

from asic_model.codecs.h264.macroblock import INTER_8X8
from asic_model.codecs.h264.nal import NAL_PPS, NAL_SLICE, NAL_SPS, parse_nal, split_annex_b
from asic_model.codecs.h264.parameter_sets import Pps, Sps, parse_pps, parse_sps
from asic_model.codecs.h264.slice_header import parse_slice_header
from asic_model.descriptors import Tool
from tests.cores.encoding import check_against_ffmpeg, encode, natural
from tests.oracle.slice_data import Mb, Slice, parse_slice_data

PARTS = (1, 2, 2, 4)  # by sub_mb_type (Table 7-17)


def pieces(width: int, height: int, shape: tuple[int, int], seed: int) -> list[tuple[np.ndarray, ...]]:
    """A textured picture, then one in which every piece of `shape` (rows, columns) has moved on its own by whole
    samples; only the left upper quadrant of each macroblock falls apart, the rest stands."""
    rng = np.random.default_rng(seed)
    canvas = rng.integers(30, 226, (height + 16, width + 16)).astype(np.float64)
    for axis in (0, 1):
        canvas = (np.roll(canvas, 1, axis) + 2 * canvas + np.roll(canvas, -1, axis)) / 4
    first = canvas[8 : 8 + height, 8 : 8 + width].astype(np.uint8)
    second = first.copy()
    for top in range(0, height, 16):
        for left in range(0, width, 16):
            for y in range(top, top + 8, shape[0]):
                for x in range(left, left + 8, shape[1]):
                    dy, dx = rng.integers(-2, 3, 2)
                    moved = canvas[8 + y + dy :, 8 + x + dx :][: shape[0], : shape[1]]
                    second[y : y + shape[0], x : x + shape[1]] = moved.astype(np.uint8)
    grey = np.full((height // 2, width // 2), 128, np.uint8)
    return [(first, grey, grey), (second, grey, grey)]


def parse_p_pictures(stream: bytes) -> list[Mb]:
    """Macroblocks of all P slices, by the parser of the tests."""
    sequences: dict[int, Sps] = {}
    sets: dict[int, Pps] = {}
    found: list[Mb] = []
    for begin, end in split_annex_b(stream):
        unit = parse_nal(stream[begin:end])
        if unit.nal_unit_type == NAL_SPS:
            sequences[0] = parse_sps(unit.rbsp)
        elif unit.nal_unit_type == NAL_PPS:
            sets[0] = parse_pps(unit.rbsp, sequences)
        elif unit.nal_unit_type == NAL_SLICE:
            rbsp = unit.rbsp.rstrip(b"\0")
            header = parse_slice_header(rbsp, unit.nal_unit_type, unit.nal_ref_idc, sequences, sets)
            what = Slice(
                mb_width=sequences[0].mb_width,
                first_mb=header.first_mb_in_slice,
                slice_type=header.kind,
                qp=header.slice_qp(sets[0]),
                cabac=sets[0].entropy_coding_mode_flag,
                cabac_init_idc=header.cabac_init_idc,
                refs=(header.num_ref_idx_l0_active_minus1 + 1, 0),
                transform_8x8_mode=sets[0].transform_8x8_mode_flag,
            )
            found += parse_slice_data(rbsp, header.header_bits, what)[0].values()
    return found


def vectors(mb: Mb) -> int:
    return sum(PARTS[sub] for sub in mb.sub_type) if mb.mb_type == INTER_8X8 else 2


@pytest.mark.parametrize("entropy", [0, 1])
@pytest.mark.parametrize(("sub", "shape"), [(1, (4, 8)), (2, (8, 4)), (3, (4, 4))])
def test_pieces_that_move_apart_get_vectors_of_their_own(sub: int, shape: tuple[int, int], entropy: int) -> None:
    """Most quadrants that fall apart are split as they fell; those that stand are left whole, but for a stray one."""
    stream, reconstructions, _ = encode(pieces(96, 64, shape, 5), qp=24, effort=2, entropy=entropy)
    check_against_ffmpeg(stream, reconstructions, f"sub_mb_type {sub}")
    macroblocks = parse_p_pictures(stream)
    split = [mb for mb in macroblocks if mb.mb_type == INTER_8X8]
    assert sum(mb.sub_type[0] == sub for mb in split) >= len(macroblocks) // 2
    assert sum(mb.sub_type[1:] != [0, 0, 0] for mb in split) <= len(macroblocks) // 8


def test_two_macroblocks_in_succession_keep_the_level() -> None:
    """Everything moves apart: no macroblock has more than 8 vectors, half of MaxMvsPer2Mb (Table A-1, level 3.1 on)."""
    pictures = pieces(96, 64, (4, 4), 6)
    rng = np.random.default_rng(9)
    pictures[1] = (rng.permuted(pictures[1][0].reshape(16, 4, 24, 4), axis=2).reshape(64, 96), *pictures[1][1:])
    most = 0
    for content in (pictures, natural(96, 64, 4)):
        stream, reconstructions, _ = encode(content, qp=20, effort=2, references=2)
        check_against_ffmpeg(stream, reconstructions, "vectors")
        most = max(most, *(vectors(mb) for mb in parse_p_pictures(stream)))
    assert 4 < most <= 8


def test_the_tool_can_be_left_out() -> None:
    stream, _, _ = encode(pieces(96, 64, (4, 4), 5), qp=24, effort=2, tools_off=int(Tool.SUB_PARTITIONS))
    assert all(mb.sub_type == [0] * 4 for mb in parse_p_pictures(stream))
