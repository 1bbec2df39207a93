"""Make everything that is derived from `tasic.rdl` and from `asic_model/descriptors.py`.

    python -m asic_model.registers.generate           write the files
    python -m asic_model.registers.generate --check   write nothing, fail when a file differs from its source

| file | from | by |
|---|---|---|
| asic_model/registers/map.py | tasic.rdl | this module, over systemrdl-compiler |
| docs/registers.md | tasic.rdl | this module |
| rtl_tests/rtl/control/host_access_pkg.sv | tasic.rdl (`host_write`) | this module |
| rtl_tests/rtl/control/register_map_pkg.sv | tasic.rdl (addresses), descriptors.py (status) | this module |
| rtl_tests/rtl/control/tasic_registers{,_pkg}.sv | tasic.rdl | PeakRDL regblock, AXI4-Lite |
| firmware/include/tasic_registers.h | tasic.rdl | PeakRDL C header, plus the enumerations |
| firmware/include/tasic_descriptors.h | descriptors.py | descriptor_header.py |

Needs the `registers` extra (`pip install .[registers]`); the outputs are checked in, so nothing else does.
"""

import difflib
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from systemrdl import RDLCompiler
from systemrdl.node import AddrmapNode, FieldNode, RegfileNode, RegNode

from asic_model import descriptors
from asic_model.registers import descriptor_header

SOURCE = Path(__file__).with_name("tasic.rdl")
PROJECT_DIR = SOURCE.parents[2]
NOTICE = "Made by `python -m asic_model.registers.generate` from asic_model/registers/tasic.rdl; do not edit."


def elaborate() -> AddrmapNode:
    """Compile the SystemRDL source and return its top address map."""
    from peakrdl_regblock.udps import ALL_UDPS

    compiler = RDLCompiler()
    for definition in ALL_UDPS:
        compiler.register_udp(definition)
    compiler.compile_file(str(SOURCE))
    return compiler.elaborate().top


def registers(top: AddrmapNode) -> Iterator[tuple[RegfileNode | None, RegNode]]:
    """All registers in address order, those of an array of register files once, with their file."""
    for child in top.children(unroll=False):
        if isinstance(child, RegNode):
            yield None, child
        elif isinstance(child, RegfileNode):
            for register in child.registers(unroll=False):
                yield child, register


def offset_of(register_file: RegfileNode | None, register: RegNode) -> int:
    """Byte address of a register; in an array, of its first element."""
    return int(register.address_offset + (register_file.raw_address_offset if register_file is not None else 0))


def constant_name(register_file: RegfileNode | None, register: RegNode) -> str:
    prefix = f"{register_file.inst_name}_" if register_file is not None else ""
    return f"{prefix}{register.inst_name}".upper()


def access_of(field: FieldNode) -> str:
    """How software reaches a field: r, w, rw, or w1c for bits cleared by writing 1."""
    on_write = field.get_property("onwrite")
    if on_write is not None and on_write.name == "woclr":
        return "w1c"
    return str(field.get_property("sw").name)


def reset_of(register: RegNode) -> int:
    return sum(int(field.get_property("reset") or 0) << field.low for field in register.fields())


def host_access(register: RegNode) -> str:
    kinds = {access_of(field) for field in register.fields()}
    if register.get_property("host_write"):
        return "/".join(sorted(kinds))
    return "r"


def enumerations(top: AddrmapNode) -> Iterator[tuple[str, Any]]:
    """Enumerations of the map, with a CamelCase name each."""
    for _, register in registers(top):
        for field in register.fields():
            encoding = field.get_property("encode")
            if encoding is not None:
                stem = encoding.type_name.removesuffix("_e")
                yield "".join(word.capitalize() for word in stem.split("_")), encoding


def python_map(top: AddrmapNode) -> str:
    """The register map as a Python module without dependencies."""
    lines = [
        '"""Register map of the chip: byte addresses, fields, enumerations.',
        "",
        NOTICE,
        "",
        "In arrays (`QUEUES_*`, `CORES_*`) the address is that of element 0; add `n * QUEUES_STRIDE`.",
        '"""',
        "",
        "from enum import IntEnum",
        "from typing import NamedTuple",
        "",
        "",
        "class Field(NamedTuple):",
        '    """A bit field of a 32-bit register."""',
        "",
        "    low: int",
        "    width: int",
        "",
        "    @property",
        "    def mask(self) -> int:",
        "        return ((1 << self.width) - 1) << self.low",
        "",
        "    def get(self, word: int) -> int:",
        '        """The field\'s value in the register value `word`."""',
        "        return (word >> self.low) & ((1 << self.width) - 1)",
        "",
        "    def put(self, value: int, word: int = 0) -> int:",
        '        """`word` with the field set to `value`."""',
        "        if value >> self.width:",
        '            raise ValueError(f"{value} does not fit {self.width} bits")',
        "        return word & ~self.mask | value << self.low",
        "",
        "",
        "class Register(NamedTuple):",
        '    """What a register is: `write_mask` bits are stored, `clear_mask` bits are cleared by writing 1."""',
        "",
        "    name: str",
        "    reset: int",
        "    write_mask: int",
        "    clear_mask: int",
        "    host_write: bool",
        "",
    ]
    for name, encoding in enumerations(top):
        lines += ["", f"class {name}(IntEnum):"]
        lines += [f"    {member.name} = {member.value}" for member in encoding]
        lines += [""]
    lines += ["", f"SIZE_BYTES = {_hex(top.size)}"]
    for child in top.children(unroll=False):
        if isinstance(child, RegfileNode):
            name = child.inst_name.upper()
            lines += [f"{name}_COUNT = {child.array_dimensions[0]}", f"{name}_STRIDE = {_hex(child.array_stride)}"]
    for register_file, register in registers(top):
        name = constant_name(register_file, register)
        lines += [
            "",
            *textwrap.wrap(str(register.get_property("desc")), 110, initial_indent="# ", subsequent_indent="# "),
        ]
        lines += [f"{name} = {_hex(offset_of(register_file, register))}"]
        lines += [f"{name}_{f.inst_name.upper()} = Field({f.low}, {f.width})" for f in register.fields()]
    lines += ["", "# By address; in arrays, of element 0.", "REGISTERS: dict[int, Register] = {"]
    for register_file, register in registers(top):
        name = constant_name(register_file, register)
        write = sum(_mask(f) for f in register.fields() if access_of(f) == "rw")
        clear = sum(_mask(f) for f in register.fields() if access_of(f) == "w1c")
        path = f"{register_file.inst_name}.{register.inst_name}" if register_file is not None else register.inst_name
        lines.append(
            f'    {name}: Register("{path}", {_hex(reset_of(register))}, {_hex(write)}, {_hex(clear)}, '
            f"{bool(register.get_property('host_write'))}),"
        )
    lines += ["}", ""]
    return "\n".join(lines)


def _hex(value: int) -> str:
    return f"0x{value:03X}"


def _mask(field: FieldNode) -> int:
    return ((1 << field.width) - 1) << field.low


def reference_page(top: AddrmapNode) -> str:
    """The register reference as Markdown."""
    lines = [
        "# Registers",
        "",
        NOTICE,
        "",
        f"{top.size} bytes, 32-bit registers. Access is given for the host; the control processor may also write what "
        "is listed as `r` for the host, unless the hardware owns it (marked `hardware`). `w1c` clears the bits that "
        "are written as 1. Ring indices are free-running 32-bit counters: slot = index mod size.",
        "",
    ]
    for register_file, register in registers(top):
        path = register.inst_name
        place = f"{offset_of(register_file, register):#05x}"
        if register_file is not None:
            path = f"{register_file.inst_name}[n].{path}"
            place += f" + n * {register_file.array_stride:#x}, n < {register_file.array_dimensions[0]}"
        writable = any(access_of(f) != "r" for f in register.fields())
        owner = "" if writable else ", hardware"
        lines += [f"## {path}", "", f"`{place}` · host {host_access(register)}{owner}", ""]
        lines += [str(register.get_property("desc")), "", "| bits | field | reset | meaning |", "|---|---|---|---|"]
        for field in sorted(register.fields(), key=lambda f: f.low):
            bits = f"{field.high}:{field.low}" if field.width > 1 else f"{field.low}"
            reset = field.get_property("reset")
            meaning = str(field.get_property("desc"))
            encoding = field.get_property("encode")
            if encoding is not None:
                meaning += " " + " ".join(f"{m.value} `{m.name}`: {m.rdl_desc}" for m in encoding)
            lines.append(f"| {bits} | {field.inst_name} | {'' if reset is None else hex(reset)} | {meaning} |")
        lines.append("")
    return "\n".join(lines)


def host_access_package(top: AddrmapNode) -> str:
    """SystemVerilog function that the host bridge asks before it forwards a write."""
    lines = [
        f"// {NOTICE}",
        "",
        "// Which registers the host may write; the bridge drops and counts other writes.",
        "package host_access_pkg;",
        f"    function automatic logic host_may_write(input logic [{(top.size - 1).bit_length() - 1}:0] address);",
        "        casez (address)",
    ]
    width = (top.size - 1).bit_length()
    for register_file, register in registers(top):
        if not register.get_property("host_write"):
            continue
        address = offset_of(register_file, register)
        count = register_file.array_dimensions[0] if register_file is not None else 1
        stride = register_file.array_stride if register_file is not None else 0
        lines += [f"            {width}'h{address + n * stride:03x}: return 1'b1;" for n in range(count)]
    lines += ["            default: return 1'b0;", "        endcase", "    endfunction", "endpackage", ""]
    return "\n".join(lines)


def address_package(top: AddrmapNode) -> str:
    """SystemVerilog constants for the registers with an effect outside of the generated block."""
    width = (top.size - 1).bit_length()
    lines = [
        f"// {NOTICE}",
        "",
        "// Byte addresses of registers, in arrays of element 0, the arrays' strides, and the status of jobs.",
        "// The whole map stands here, few modules need much of it:",
        "// verilator lint_off UNUSEDPARAM",
        "package register_map_pkg;",
    ]
    for child in top.children(unroll=False):
        if isinstance(child, RegfileNode):
            name = child.inst_name.upper()
            lines.append(f"    localparam logic [{width - 1}:0] {name}_STRIDE = {width}'h{child.array_stride:03x};")
    for register_file, register in registers(top):
        name, address = constant_name(register_file, register), offset_of(register_file, register)
        lines.append(f"    localparam logic [{width - 1}:0] {name} = {width}'h{address:03x};")
    lines += [f"    localparam logic [7:0] STATUS_{s.name} = 8'd{s.value};" for s in descriptors.Status]
    lines += ["endpackage", "// verilator lint_on UNUSEDPARAM", ""]
    return "\n".join(lines)


def verilog_block(top: AddrmapNode) -> dict[str, str]:
    """PeakRDL's register block and its package, by file name."""
    from peakrdl_regblock import RegblockExporter
    from peakrdl_regblock.cpuif.axi4lite import AXI4Lite_Cpuif_flattened

    with tempfile.TemporaryDirectory() as folder:
        RegblockExporter().export(
            top,
            folder,
            cpuif_cls=AXI4Lite_Cpuif_flattened,
            module_name="tasic_registers",
            default_reset_activelow=True,
            reuse_hwif_typedefs=False,
        )
        return {path.name: _tidy(path.read_text()) for path in sorted(Path(folder).iterdir())}


def c_header(top: AddrmapNode) -> str:
    """PeakRDL's C header with the enumerations added; offsets by `offsetof(tasic_t, member)`."""
    from peakrdl_cheader.exporter import CHeaderExporter

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tasic_registers.h"
        CHeaderExporter().export(top, str(path), reuse_typedefs=False, generate_bitfields=False)
        text = _tidy(path.read_text())
    # A freestanding compiler need not have <assert.h>; _Static_assert is in the language.
    text = text.replace("#include <assert.h>\n", "").replace("static_assert(", "_Static_assert(")
    lines = ["// Enumerations"]
    for name, encoding in enumerations(top):
        lines += [f"#define {encoding.type_name.removesuffix('_e').upper()}_{m.name} {m.value}u" for m in encoding]
        lines += [""]
        del name
    mark = "// reg - tasic.id"
    return f"// {NOTICE}\n" + text.replace(mark, "\n".join(lines) + mark, 1)


def _tidy(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def outputs() -> dict[Path, str]:
    """Text of every generated file, by path in the project."""
    top = elaborate()
    made = {
        Path("asic_model/registers/map.py"): python_map(top),
        Path("docs/registers.md"): reference_page(top),
        Path("rtl_tests/rtl/control/host_access_pkg.sv"): host_access_package(top),
        Path("rtl_tests/rtl/control/register_map_pkg.sv"): address_package(top),
        Path("firmware/include/tasic_registers.h"): c_header(top),
        Path("firmware/include/tasic_descriptors.h"): descriptor_header.c_header(),
    }
    for name, text in verilog_block(top).items():
        made[Path("rtl_tests/rtl/control") / name] = text
    return made


def main(arguments: list[str]) -> int:
    """Write the files, or with --check compare them; returns the exit status."""
    check = arguments == ["--check"]
    if arguments and not check:
        print("usage: python -m asic_model.registers.generate [--check]", file=sys.stderr)
        return 2
    stale = 0
    for name, text in outputs().items():
        path = PROJECT_DIR / name
        present = path.read_text() if path.is_file() else ""
        if present == text:
            continue
        if check:
            stale += 1
            difference = difflib.unified_diff(
                present.splitlines(), text.splitlines(), str(name), f"{name} (from source)", lineterm="", n=1
            )
            print(f"{name}: differs from its source", *list(difference)[:12], sep="\n", file=sys.stderr)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            print(f"wrote {name}")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
