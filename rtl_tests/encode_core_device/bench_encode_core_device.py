"""Job blocks as the firmware hands them on: pictures like the model's, refusals by the field's number.

The core itself is under test in rtl_tests/encode_core.
"""

from dataclasses import asdict, replace

import cocotb
import numpy as np

from asic_model.cores.encode.effort import SINGLE_PASS_P
from asic_model.cores.encode.job import FIELD_NUMBER, bad_field
from asic_model.cores.result import STATUS_BAD_FIELD, STATUS_OK, STATUS_OUTPUT_FULL
from asic_model.descriptors import BLOCK_BYTES, ENCODE_BLOCK, VERSION, Kind, Tool
from rtl_tests.encode_core.bench_encode_core import random_picture
from rtl_tests.encode_core.job import refused_field
from rtl_tests.encode_core.picture import Memory, Picture, compare
from rtl_tests.handshake import Bench, Source, rerun
from tests.cores import encoding

IDLE = ("start_valid_i", "read_ready_i", "read_data_valid_i", "write_ready_i", "job_i", "base_i")
WINDOW_BYTES = 1 << 20  # where the function's window begins in the bench
BLOCK_AT = 512
CANNOT = {
    "mode": 1, "slice_type": 1, "slices": 2, "tools_off": 0, "transform_8x8": 1, "qp_map_address": 4096, "max_bits": 1,
    "dead_zone_intra": 1, "src_surface_width": 64, "unmark_count": 1, "deblock_disable": 2, "width": 1040,
    "src_address": 4096 + 32, "recon_address": 1 << 40, "out_address": 1 << 32 | 4, "motion_out_address": 4,
}  # fmt: skip
# The same of a P picture
CANNOT_P = {
    "tools_off": int(SINGLE_PASS_P & ~Tool.SHAPES), "ref_count": 2, "ref_address_0": 4096 + 32, "weighted": 1,
    "modify_lists": 1, "dead_zone_inter": 1, "vectors_address": 4096, "motion_in_address": 4,
}  # fmt: skip
# What the model refuses too: the nearest values outside
OUTSIDE = {
    "width": (14, 17), "height": (14, 17, 2306), "qp": (52,), "chroma_qp_offset": (-13, 13), "entropy": (2,),
    "idr": (2,), "nal_ref_idc": (4,), "log2_max_frame_num": (3, 17), "log2_max_poc_lsb": (3, 17), "frame_num": (65536,),
    "poc_lsb": (65536,), "deblock_alpha": (-7, 7), "deblock_beta": (-7, 7),
}  # fmt: skip


class TB(Bench):
    async def start(self):
        await self.reset(IDLE)

    async def job(self, job, data, latency=(1, 1), pause=0.0):
        """Run the job with its window at WINDOW_BYTES; return (status, detail, bytes)."""
        dut = self.dut
        memory = Memory(dut, data, latency, pause)
        block = ENCODE_BLOCK.pack(asdict(job), version=VERSION, kind=Kind.ENCODE, block_type=1, size=BLOCK_BYTES)
        data[BLOCK_AT : BLOCK_AT + BLOCK_BYTES] = np.frombuffer(block, np.uint8)
        dut.job_i.value, dut.base_i.value = BLOCK_AT, WINDOW_BYTES
        ends = []
        await self.run([Source(dut, "start", [{}])], [memory], lambda: bool(ends), 400000, [(dut.done_o, ends)])
        return int(dut.result_o.value), int(dut.detail_o.value), int(dut.bytes_o.value)


def windowed(picture):
    """Memory of the whole device with the picture's in the function's window."""
    data = np.zeros(WINDOW_BYTES + picture.memory.size, np.uint8)
    data[WINDOW_BYTES:] = picture.memory
    return data


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def pictures(dut):
    """Random jobs, one after another, with latency and back-pressure: all of the window is the model's."""
    tb = TB(dut)
    await tb.start()
    for number in range(4):
        picture = random_picture(tb.rng, motion=1)
        if number == 3:  # a P picture, with the motion of the one before
            planes = encoding.natural(64, 48, 2, seed=int(tb.rng.integers(1 << 30)))
            first = Picture(planes[0], qp=27, motion=1)
            picture = Picture(planes[1], first, qp=27, motion=1, motion_in=1, frame_num=1, cabac_init_idc=1)
        data = windowed(picture)
        found = await tb.job(picture.job, data, (1, 40), 0.2)
        assert found[:2] == (STATUS_OK, 0), f"picture {number}: {found}; {rerun()}"
        compare(picture, data[WINDOW_BYTES:], found[2], f"picture {number}")
        assert not data[:BLOCK_AT].any(), f"picture {number}: bytes outside the window; {rerun()}"


async def refused(tb, picture, job, name):
    """The job comes back as BAD_FIELD of `name`, and nothing has been written."""
    data = windowed(picture)
    found = await tb.job(job, data)
    what = f"{name} = {getattr(job, name)}"
    assert found == (STATUS_BAD_FIELD, FIELD_NUMBER[name], 0), f"{what}: {found}; {rerun()}"
    assert np.array_equal(data[WINDOW_BYTES:], picture.memory), f"{what}: something was written; {rerun()}"


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def refusals(dut):
    """Each thing that the core cannot do comes back as BAD_FIELD with the field's number, and so does what no core can;
    nothing is written, and the next job is coded."""
    tb = TB(dut)
    await tb.start()
    picture = Picture(encoding.natural(32, 32, 1)[0], qp=27)
    second = Picture(encoding.natural(32, 32, 1)[0], picture, qp=27, frame_num=1)
    cases = [(picture, name, value) for name, value in CANNOT.items()]
    cases += [(second, name, value) for name, value in (CANNOT | CANNOT_P).items()]
    for coded, name, value in cases:
        job = replace(coded.job, **{name: value})
        assert refused_field(job) == name
        await refused(tb, coded, job, name)
    cases = [(picture, name, value) for name, values in OUTSIDE.items() for value in values]
    for coded, name, value in [*cases, (second, "idr", 1), (second, "cabac_init_idc", 3)]:
        job = replace(coded.job, **{name: value})
        assert bad_field(job, 1 << 32) == name
        await refused(tb, coded, job, name)
    data = windowed(picture)
    found = await tb.job(picture.job, data)
    compare(picture, data[WINDOW_BYTES:], found[2], "after refusals")
    full = Picture(encoding.noise(32, 32, 1)[0], qp=27, out_capacity=256)
    found = await tb.job(full.job, windowed(full))
    assert found[0] == STATUS_OUTPUT_FULL, f"{found}; {rerun()}"
