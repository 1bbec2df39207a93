"""One source each for registers and records: what is generated is current, and the views agree with each other."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asic_model import descriptors
from asic_model.descriptors import Command, Kind
from asic_model.registers import map as regs

PROJECT_DIR = Path(__file__).resolve().parents[2]
LAYOUTS = [descriptors.COMMAND, descriptors.COMPLETION, descriptors.LOG_RECORD, descriptors.SESSION_BLOCK]
LAYOUTS += descriptors.JOB_BLOCKS.values()


def test_generated_files_are_current():
    pytest.importorskip("systemrdl", reason="needs the registers extra: pip install .[registers]")
    from asic_model.registers.generate import main

    assert main(["--check"]) == 0


def test_registers_do_not_overlap():
    spans = {
        "queues": (regs.QUEUES_COUNT, regs.QUEUES_STRIDE),
        "cores": (regs.CORES_COUNT, regs.CORES_STRIDE),
    }
    seen = set()
    for address, register in regs.REGISTERS.items():
        count, stride = spans.get(register.name.split(".")[0], (1, 0))
        for n in range(count):
            assert address + n * stride not in seen, register.name
            seen.add(address + n * stride)
    assert max(seen) < regs.SIZE_BYTES
    assert all(address % 4 == 0 for address in seen)


def test_fields_of_a_register_do_not_overlap():
    owners: dict[str, int] = {}
    registers = [
        name for name in vars(regs) if isinstance(getattr(regs, name), int) and getattr(regs, name) in regs.REGISTERS
    ]
    for name, value in vars(regs).items():
        if isinstance(value, regs.Field):
            owner = max((r for r in registers if name.startswith(r + "_")), key=len)
            assert not owners.get(owner, 0) & value.mask, name
            owners[owner] = owners.get(owner, 0) | value.mask
            assert value.mask < 1 << 32
    for name, mask in owners.items():
        register = regs.REGISTERS[getattr(regs, name)]
        assert (register.write_mask | register.clear_mask | register.reset) & ~mask == 0, name


@given(st.integers(0, 31), st.data())
def test_field_put_and_get(low, data):
    width = data.draw(st.integers(1, 32 - low))
    value, word = data.draw(st.integers(0, (1 << width) - 1)), data.draw(st.integers(0, 2**32 - 1))
    field = regs.Field(low, width)
    assert field.get(field.put(value, word)) == value
    assert field.put(value, word) & ~field.mask == word & ~field.mask
    with pytest.raises(ValueError, match="does not fit"):
        field.put(1 << width)


def test_bridge_in_verilog_lets_the_same_writes_pass():
    """Addresses in host_access_pkg.sv = registers whose `host_write` is set in the map, arrays unrolled."""
    text = (PROJECT_DIR / "rtl_tests/rtl/control/host_access_pkg.sv").read_text()
    found = {int(digits, 16) for digits in re.findall(r"12'h([0-9a-f]{3}): return 1", text)}
    expected = set()
    for address, register in regs.REGISTERS.items():
        if register.host_write:
            arrays = {"queues": (16, regs.QUEUES_STRIDE), "functions": (12, regs.FUNCTIONS_STRIDE)}
            count, stride = arrays.get(register.name.partition(".")[0], (1, 0))
            expected |= {address + n * stride for n in range(count)}
    assert found == expected
    assert len(found) == 7 + 16 * 7 + 12 * 5


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_fields_are_aligned_and_apart(layout):
    import struct

    used = set()
    for field in layout.fields:
        size = struct.calcsize(field.code)
        place = set(range(layout.offsets[field.name], layout.offsets[field.name] + size))
        assert layout.offsets[field.name] % size == 0
        assert not used & place
        used |= place
    assert used == set(range(layout.used_bytes))
    assert layout.used_bytes <= layout.size_bytes


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
@given(data=st.data())
def test_pack_and_unpack(layout, data):
    values = {field.name: data.draw(st.integers(field.low, field.high), field.name) for field in layout.fields}
    record = layout.pack(values)
    assert len(record) == layout.size_bytes
    assert layout.unpack(record) == values
    assert not any(record[layout.used_bytes :])


def test_pack_says_what_is_wrong():
    with pytest.raises(ValueError, match=r"encode_block\.qp: 52 is not in 0\.\.51"):
        descriptors.pack_job(Kind.ENCODE, {"width": 16, "height": 16, "out_capacity": 256, "slices": 1,
                                           "log2_max_frame_num": 4, "qp": 52})  # fmt: skip
    with pytest.raises(ValueError, match=r"command\.session: -1 does not fit"):
        descriptors.pack_command(Command.NOP, 1, session=-1)
    with pytest.raises(ValueError, match="has no field sesion"):
        descriptors.COMMAND.pack(sesion=1)
    with pytest.raises(ValueError, match="63 bytes, 64 needed"):
        descriptors.unpack_completion(bytes(63))


@pytest.mark.parametrize(
    ("kind", "module", "name"),
    [
        (Kind.ENCODE, "asic_model.cores.encode.job", "EncodeJob"),
        (Kind.SCALE, "asic_model.cores.scale", "ScaleJob"),
        (Kind.DECODE, "asic_model.cores.decode.job", "DecodeJob"),
    ],
)
def test_job_blocks_have_the_fields_of_the_job_classes(kind, module, name):
    """Same names; where a core numbers its fields for BAD_FIELD, the same numbers."""
    job_class = getattr(pytest.importorskip(module), name)
    layout = descriptors.JOB_BLOCKS[kind]
    assert [field.name for field in layout.body] == [field.name for field in fields(job_class)]


def test_sizes_that_cores_decide():
    from asic_model.cores import scale
    from asic_model.cores.decode import job as decode
    from asic_model.cores.encode import job as encode

    assert encode.MOTION_BYTES == descriptors.MOTION_BYTES
    assert scale.RESULT_BYTES == descriptors.QUALITY_RESULT_BYTES
    found = (
        decode.SLICE.itemsize,
        decode.MATRICES.itemsize,
        decode.REFERENCE.itemsize,
        decode.motion_bytes(160, 160) // 100,
    )
    assert found == (
        descriptors.DECODE_SLICE_BYTES,
        descriptors.DECODE_MATRICES_BYTES,
        descriptors.DECODE_REFERENCE_BYTES,
        descriptors.DECODE_MOTION_BYTES,
    )
