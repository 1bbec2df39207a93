"""The sample kernels touch nothing outside their planes: pictures stand between pages that may not be touched.

Vector loads are not checked by numba. Here a stray one, be it only a read, ends the process with SIGSEGV.
"""

import ctypes
import mmap
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from asic_model.codecs.h264 import macroblock as m
from asic_model.engines import deblock, inter_prediction, intra_prediction, transform
from asic_model.memory.frame_compression import tile_bytes
from asic_model.memory.surface import surface
from asic_model.simd.emit import SCALAR

PAGE = mmap.PAGESIZE
PROT_NONE = 0
KEPT: list[mmap.mmap] = []


def fenced(size: int, at_end: bool) -> np.ndarray:
    """uint8[size] that ends right before, or starts right behind, a page that may not be touched."""
    pages = -(-size // PAGE)
    area = mmap.mmap(-1, (pages + 2) * PAGE)
    KEPT.append(area)
    address = ctypes.addressof(ctypes.c_char.from_buffer(area))
    protect = ctypes.CDLL(None, use_errno=True).mprotect
    protect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    for page in (0, pages + 1):
        assert protect(address + page * PAGE, PAGE, PROT_NONE) == 0
    start = (pages + 1) * PAGE - size if at_end else PAGE
    plane = np.frombuffer(area, np.uint8, size, start)
    plane[:] = np.random.default_rng(1).integers(0, 256, size, np.uint8)
    return plane


def predict(at_end: bool) -> None:
    width, height = 36, 20
    plane = fenced(width * height, at_end)
    out, scratch = np.zeros(1024, np.uint8), fenced(inter_prediction.SCRATCH, at_end)
    for block_width, block_height in ((16, 16), (16, 8), (8, 16), (8, 8), (8, 4), (4, 8), (4, 4)):
        size = (block_width, block_height)
        half = (block_width // 2, block_height // 2)
        for y in range(-4 * 25, 4 * (height + 25), 5):
            for x in range(-4 * 25, 4 * (width + 25), 5):
                inter_prediction.predict_luma(out, 0, 32, plane, 0, width, width, height, x, y, *size, scratch)
                inter_prediction.predict_chroma(out, 0, 32, plane, 0, width, width, height, x, y, *half, scratch)


def planes(at_end: bool) -> None:
    width, height, pad = 20, 17, inter_prediction.MINIMUM_PAD_PX
    stride = width + 2 * pad
    plane_bytes = stride * (height + 2 * pad)
    data, sums = fenced(4 * plane_bytes, at_end), np.zeros(width + 32, np.int16)
    inter_prediction.half_sample_planes(data, pad * stride + pad, stride, plane_bytes, width, height, pad, sums)


def intra(at_end: bool) -> None:
    """Blocks in all corners, with what is available there."""
    size = 32
    plane = fenced(size * size, at_end)
    line, predictions = np.zeros(intra_prediction.LINE, np.uint8), np.zeros(intra_prediction.PREDICTIONS, np.uint8)
    for edge, gather, predict_block in (
        (4, intra_prediction.gather_4x4, intra_prediction.predict_4x4),
        (8, intra_prediction.gather_8x8, intra_prediction.predict_8x8),
    ):
        for y in range(0, size, edge):
            for x in range(0, size, edge):
                available = (intra_prediction.LEFT if x else 0) | (intra_prediction.TOP if y else 0)
                available |= intra_prediction.CORNER if x and y else 0
                available |= intra_prediction.TOP_RIGHT if y and x + edge < size else 0
                at = y * size + x
                dc = gather(line, plane, at, size, at - size - 1, available)
                predict_block(plane, at, size, 2, line, dc, predictions)
    for y in (0, 16):
        for x in (0, 16):
            available = (intra_prediction.LEFT if x else 0) | (intra_prediction.TOP if y else 0)
            at = y * size + x
            for mode in range(4):
                if (int(intra_prediction.ALLOWED_16X16[available]) >> mode) & 1:
                    intra_prediction.predict_16x16(plane, at, size, mode, plane, at, size, at - size - 1, available)
                if (int(intra_prediction.ALLOWED_CHROMA[available]) >> mode) & 1:
                    chroma = at + 8 * size + 8 if x and y else at
                    corner = chroma - size - 1
                    intra_prediction.predict_chroma(plane, chroma, size, mode, plane, chroma, size, corner, available)


def residual(at_end: bool) -> None:
    plane = fenced(256, at_end)
    levels = np.ones(m.LEVELS_ROWS * 16, np.int16)
    total, coefs = np.ones((1, 24), np.uint8), np.zeros(transform.SCRATCH, np.int16)
    tables = transform.quantiser()
    transform.add_luma_4x4(plane, 0, 16, levels, total, 0, coefs, tables, 0, 30, 0, 15)
    transform.add_luma_8x8(plane, 0, 16, levels, 0, coefs, tables, 0, 30, 0, 15)
    transform.add_luma_16x16(plane, 0, 16, levels, 0, coefs, tables, 30, 0, 15)
    transform.add_chroma(fenced(64, at_end), 0, 8, levels, 0, 0, coefs, tables, 30, 0, 0, 2)
    transform.forward_luma_4x4(levels, total, 0, coefs, plane, 0, 16, plane, 0, 16, tables, 0, 30, 0, 0)
    transform.forward_luma_8x8(levels, total, 0, coefs, plane, 0, 16, plane, 0, 16, tables, 0, 30, 0, 0)


def filter_picture(at_end: bool) -> None:
    width, height = 2, 2
    count = width * height
    for mb_type in (m.I_4X4, m.INTER_16X16):
        for lists in (1, 2):
            mbs = m.allocate(count)
            mbs.mb_type[:], mbs.slice_id[:], mbs.qp[:], mbs.cbp[:], mbs.total_coeff[:] = mb_type, 0, 51, 15, 1
            mbs.ref_idx[:, 0] = 0
            data = fenced(count * 384, at_end)
            place = deblock.Planes(data, 0, 16 * width, count * 256, count * 320, 8 * width, 1)
            scratch, edges = deblock.allocate_scratch(count), np.zeros(count, np.uint8)
            deblock.deblock_picture(
                place, mbs, deblock.allocate_slices(1), scratch, width, height, 0, lists, edges
            )  # fmt: skip


def compress(at_end: bool) -> None:
    """Pictures at address 0, whose first sample has nothing to the left, up to the last byte of memory."""
    for width, height in ((128, 32), (80, 18), (36, 20)):
        picture = surface(width, height)
        memory = fenced(picture.size_bytes, at_end)
        assert (tile_bytes(memory, picture) == tile_bytes(memory.copy(), picture)).all()


KERNELS = {
    "predict": predict, "planes": planes, "intra": intra, "residual": residual, "filter_picture": filter_picture,
    "compress": compress,
}  # fmt: skip


@pytest.mark.skipif(SCALAR, reason="numba and numpy check plain indices")
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mprotect as Linux has it")
@pytest.mark.parametrize("name", KERNELS)
def test_nothing_outside_is_touched(name: str) -> None:
    root = Path(__file__).parent.parent.parent
    code = f"import sys; sys.path.insert(0, {str(root)!r})\n"
    code += (
        f"from tests.engines import test_memory_bounds as t\nfor end in (False, True):\n    t.KERNELS[{name!r}](end)\n"
    )
    code += "import os; os._exit(0)"  # the fenced pages are not to be tidied up
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"exit {done.returncode}: {done.stderr[-2000:]}"


def test_the_fence_holds() -> None:
    """A read behind the plane does end the process."""
    code = "import numpy as np\nfrom tests.engines.test_memory_bounds import fenced\n"
    code += "import ctypes; ctypes.string_at(fenced(100, True).ctypes.data + 100, 1)"
    root = Path(__file__).parent.parent.parent
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, timeout=100)
    assert done.returncode < 0
