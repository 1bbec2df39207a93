"""Builds a wrapped block and runs vectors through it, in Verilator or in Icarus; reads the log back."""

import os
import re
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rtl_tests.foreign import wrapper
from rtl_tests.foreign.description import Adapter
from rtl_tests.foreign.sources import AdapterFault, SourceSet, first_errors, refuse_findings, verilator_command
from rtl_tests.simulator import build_base, content_digest, locked, tool_environment

WALL_SECONDS = 3600

# One period of the first clock: it falls at 5,000, outputs are sampled at 9,000, it rises at 10,000 ps. Edge n of a
# further clock, the even ones rising, comes at phase + n * half a period, rounded down.
_MAIN = f"""#include "V{wrapper.TOP}.h"
#include "verilated.h"
struct Clock {{{{ uint64_t num, den, phase, edge; }}}};
int main(int argc, char** argv) {{{{
    VerilatedContext context;
    context.commandArgs(argc, argv);
    context.traceEverOn(true);
    V{wrapper.TOP} top{{{{&context}}}};
    static Clock clocks[] = {{{{{{clocks}}{{{{0, 0, 0, 0}}}}}}}};
    uint64_t now = 0, step = 0;
    const uint64_t steps[] = {{{{5000, 9000, 10000}}}};
    while (!context.gotFinish()) {{{{
        const uint64_t next = step / 3 * 10000 + steps[step % 3];
        uint64_t at = next;
        auto due = [](const Clock& c) {{{{ return 10000 + c.phase + c.edge * 5000 * c.den / c.num; }}}};
        for (Clock* c = clocks; c->num; c++) if (due(*c) < at) at = due(*c);
        context.timeInc(at - now);
        now = at;
        for (Clock* c = clocks; c->num; c++)
            if (due(*c) == at) {{{{
                const uint64_t bit = uint64_t(1) << (c - clocks);
                top.tb_other = c->edge % 2 ? top.tb_other & ~bit : top.tb_other | bit;
                c->edge++;
            }}}}
        if (at == next) {{{{
            if (step % 3 == 0) top.tb_clk = 0;
            if (step % 3 == 1) top.tb_sample = 1;
            if (step % 3 == 2) {{{{ top.tb_sample = 0; top.tb_clk = 1; }}}}
            step++;
        }}}}
        top.eval();
    }}}}
    top.final();
    return 0;
}}}}
"""


def _main_program(adapter: Adapter) -> str:
    """The C++ program around a Verilated bench."""
    clocks = "".join(
        f"{{{top}, {bottom}, {round(10_000 * clock.phase)}, 0}}, "
        for clock, (top, bottom) in ((each, each.fraction) for each in adapter.clocks.values())
    )
    return _MAIN.format(clocks=clocks)


def _clock_module(adapter: Adapter) -> str:
    """The same clocks in Verilog, for simulators without a main program."""
    lines = []
    for number, clock in enumerate(adapter.clocks.values()):
        top, bottom = clock.fraction
        n, half = f"edge{number}", f"64'd{5000 * bottom}"
        lines += [
            f"reg [63:0] {n}; initial begin {n} = 0; #{10_000 + round(10_000 * clock.phase)};",
            f"  forever begin tb_other[{number}] = ~{n}[0];",
            f"    #(({n} + 1) * {half} / {top} - {n} * {half} / {top}); {n} = {n} + 1; end end",
        ]
    return "\n".join([
        "`timescale 1ps/1ps", "module tasic_clock;",
        f"reg tb_clk, tb_sample; reg [{max(len(adapter.clocks), 1) - 1}:0] tb_other;",
        "initial begin tb_clk = 0; tb_sample = 0; tb_other = 0; end",
        "always begin #5000 tb_clk = 0; #4000 tb_sample = 1; #1000 tb_sample = 0; tb_clk = 1; end", *lines,
        f"{wrapper.TOP} bench (.tb_clk(tb_clk), .tb_sample(tb_sample), .tb_other(tb_other));", "endmodule", "",
    ])  # fmt: skip


@dataclass
class Vectors:
    """What one run is fed with: per transaction the configuration word, the beats of each input, beats to expect."""

    config: list[int] = field(default_factory=list)
    config_width: int = 0
    inputs: dict[str, list[list[int]]] = field(default_factory=dict)
    widths: dict[str, int] = field(default_factory=dict)  # hexadecimal digits follow from these
    outputs: dict[str, list[int]] = field(default_factory=dict)
    planes: list[tuple[int, int, int]] = field(default_factory=list)  # base, width, height
    images: list[list[tuple[int, bytes]]] = field(default_factory=list)  # per transaction: address, bytes
    axi: dict[str, list[str]] = field(default_factory=dict)  # memory -> text of each transaction (axi_regions.image)
    streamed: bool = False

    @property
    def count(self) -> int:
        """Transactions."""
        lists: list[list[Any]] = [*self.inputs.values(), *self.outputs.values(), self.config, self.images,
                                 *self.axi.values()]  # fmt: skip
        return max(len(each) for each in lists)

    def write(self, folder: Path) -> None:
        digits = -(-max(self.config_width, 1) // 4)
        (folder / "config.hex").write_text("".join(f"{word:0{digits}x}\n" for word in self.config))
        for name, transactions in self.inputs.items():
            digits = -(-max(self.widths[name], 1) // 4)
            lines = []
            for beats in transactions:
                lines.append(f"{len(beats)}\n")
                lines += [f"{beat:0{digits}x}\n" for beat in beats]
            (folder / f"in_{name}.txt").write_text("".join(lines))
        for name, counts in self.outputs.items():
            head = [sum(counts)] if self.streamed else []
            (folder / f"out_{name}.txt").write_text("".join(f"{count}\n" for count in [*head, *counts]))
        for name, texts in self.axi.items():
            (folder / f"axi_{name}.txt").write_text("".join(texts))
        if self.planes:
            lines = [f"{base} {width} {height}\n" for base, width, height in self.planes]
            for pieces in self.images:
                for address, data in pieces:
                    for at in range(0, len(data), 16):
                        lines.append(f"{address + at}\n{data[at : at + 16].ljust(16, bytes(1)).hex()}\n")
                lines.append("-1\n")
            (folder / "planes.txt").write_text("".join(lines))


@dataclass
class Beat:
    transaction: int
    cycle: int
    text: str  # hexadecimal, with x where a simulator says so
    length: int | None = None

    @property
    def known(self) -> bool:
        return not set(self.text) & set("xXzZ")

    @property
    def value(self) -> int:
        return int(self.text, 16)


@dataclass
class Log:
    """What a run left: all times in cycles."""

    outputs: dict[int, list[Beat]] = field(default_factory=lambda: defaultdict(list))
    writes: dict[int, list[tuple[int, int, str]]] = field(
        default_factory=lambda: defaultdict(list)
    )  # transaction, address
    taken: dict[int, dict[int, tuple[int, int]]] = field(default_factory=lambda: defaultdict(dict))
    spans: dict[int, tuple[int, int]] = field(default_factory=dict)  # transaction -> start, done
    rows: dict[tuple[int, int], list[bytes]] = field(default_factory=lambda: defaultdict(list))  # plane, transaction
    spills: list[tuple[int, int, int, int]] = field(default_factory=list)
    answers: dict[tuple[int, int, int], bytes] = field(default_factory=dict)  # memory, region, transaction
    broken: list[tuple[int, int, int, int]] = field(default_factory=list)  # memory, transaction, rule, address
    gave_up: tuple[int, int] | None = None
    waiting: list[tuple[str, int, int, int]] = field(default_factory=list)  # kind, number, two figures
    cycles: int = 0
    lines: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> "Log":
        log = cls()
        with path.open(encoding="ascii", errors="replace") as stream:
            for line in stream:
                log._line(line.split())
                log.lines.append(line)
        return log

    def _line(self, words: list[str]) -> None:
        match words:
            case ["o", stream, transaction, cycle, data, *length]:
                count = int(length[0]) if length and length[0].isdigit() else None
                self.outputs[int(stream)].append(Beat(int(transaction), int(cycle), data, count))
            case ["w", stream, transaction, address, data]:
                if address.isdigit():
                    self.writes[int(stream)].append((int(transaction), int(address), data))
            case ["i", stream, transaction, first, last]:
                self.taken[int(stream)][int(transaction)] = int(first), int(last)
            case ["d", transaction, begin, done]:
                self.spans[int(transaction)] = int(begin), int(done)
            case ["p", plane, transaction, _row, data]:
                self.rows[int(plane), int(transaction)].append(bytes.fromhex(data.replace("x", "0")))
            case ["s", port, transaction, x, y]:
                self.spills.append((int(port), int(transaction), int(x), int(y)))
            case ["x", transaction, state]:
                self.gave_up = int(transaction), int(state)
            case ["a", memory, region, transaction, *data]:
                text = re.sub("[xXzZ]", "0", "".join(data))
                self.answers[int(memory), int(region), int(transaction)] = bytes.fromhex(text)
            case ["v", memory, transaction, rule, address]:
                self.broken.append((int(memory), int(transaction), int(rule), int(address) if address.isdigit() else 0))
            case ["y", kind, number, first, second]:
                # A value that is unknown counts as 0.
                figures = [int(text) if text.lstrip("-").isdigit() else 0 for text in (first, second)]
                self.waiting.append((kind, int(number), figures[0], figures[1]))
            case ["e", cycles]:
                self.cycles = int(cycles)


def icarus_path() -> str | None:
    """The compiler of Icarus Verilog, where it is installed."""
    return shutil.which("iverilog")


def build(adapter: Adapter, sources: SourceSet, text: str, simulator: str, *, waves: bool = False) -> Path:
    """Build the wrapped block in a folder named by content, or take the one that stands; return the folder."""
    # Verilog's names may be SystemVerilog's keywords; arrays in ports ask for SystemVerilog.
    suffix = "v" if adapter.tool.language.startswith("1364") and "tb_array_" not in text else "sv"
    key = (
        sources.digest(),
        text,
        simulator,
        waves,
        adapter.tool.model_dump_json(),
        sorted(adapter.sources.parameters.items()),
        _main_program(adapter),
    )
    folder = build_base() / f"foreign-{adapter.block.name}-{content_digest([], key)}"
    done = folder / ".built"
    with locked(folder.with_suffix(".lock")):
        if done.exists():
            return folder
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        bench = folder / f"{wrapper.TOP}.{suffix}"
        bench.write_text(text, encoding="utf-8")
        (folder / "tasic_clock.v").write_text(_clock_module(adapter), encoding="utf-8")
        if simulator == "icarus":
            _build_icarus(adapter, sources, bench, folder)
        else:
            _build_verilator(adapter, sources, bench, folder, waves)
        done.touch()
    return folder


def _build_verilator(adapter: Adapter, sources: SourceSet, bench: Path, folder: Path, waves: bool) -> None:
    timing = adapter.tool.timing
    top = "tasic_clock" if timing else wrapper.TOP
    (folder / "main.cpp").write_text(_main_program(adapter), encoding="utf-8")
    zero = adapter.tool.undefined is not None and adapter.tool.undefined.value == "zero"
    undefined = ["--x-assign", "0", "--x-initial", "0"] if zero else ["--x-assign", "unique", "--x-initial", "unique"]
    command = [
        *verilator_command(adapter), *(["--binary"] if timing else ["--cc", "--exe", "--build"]), "-j", "2",
        "--top-module", top,
        "--Mdir", str(folder / "model"), "-o", "simulation", *undefined,
        *(["-CFLAGS", "-std=c++20 -fcoroutines"] if timing else []), *(["--trace"] if waves else []),
        *sources.arguments(), *map(str, sources.files), str(bench),
        str(folder / "tasic_clock.v") if timing else str(folder / "main.cpp"),
    ]  # fmt: skip
    environment = tool_environment()
    # What the wheel's makefile asks of a newer gcc for its precompiled header.
    command += ["-MAKEFLAGS", environment["MAKEFLAGS"]]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=WALL_SECONDS, cwd=folder)
    (folder / "build.log").write_text(done.stdout + done.stderr, encoding="utf-8")
    if done.returncode:
        raise AdapterFault(f"{adapter.block.name}: Verilator could not build it:\n{first_errors(done.stderr)}")
    refuse_findings(adapter, done.stderr)


def _build_icarus(adapter: Adapter, sources: SourceSet, bench: Path, folder: Path) -> None:
    command = [
        icarus_path() or "iverilog", "-g2005" if bench.suffix == ".v" else "-g2012",
        "-o", str(folder / "simulation.vvp"), "-s", "tasic_clock",
        *adapter.tool.icarus.args, *sources.arguments(), *map(str, sources.files), str(bench),
        str(folder / "tasic_clock.v"),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=WALL_SECONDS, cwd=folder)
    (folder / "build.log").write_text(done.stdout + done.stderr, encoding="utf-8")
    if done.returncode:
        raise AdapterFault(f"{adapter.block.name}: Icarus could not build it:\n{(done.stderr or done.stdout)[-1500:]}")


def run(
    folder: Path, adapter: Adapter, vectors: Vectors, simulator: str, *, seed: int, bubble: int = 0, pressure: int = 0,
    waves: Path | None = None, latencies: Mapping[int, int] | None = None, flip_reset: bool = False,
) -> Log:  # fmt: skip
    """Run `vectors` in the built folder; runs side by side each have a folder of their own.

    latencies: cycles of outputs of kind latency, by their number, where they differ from the adapter's.
    flip_reset: the reset is given at the other level than the adapter says.
    """
    place = folder / f"run-{os.getpid()}-{seed}-{bubble}-{pressure}"
    place.mkdir(exist_ok=True)
    try:
        vectors.write(place)
        plusargs = [f"+total={vectors.count}", f"+seed={seed}", f"+bubble={bubble}", f"+pressure={pressure}"]
        plusargs += [f"+latency{number}={cycles}" for number, cycles in (latencies or {}).items()]
        plusargs += ["+waves"] * (waves is not None) + ["+flip"] * flip_reset
        if simulator == "icarus":
            command: Sequence[str] = ["vvp", str(folder / "simulation.vvp"), *plusargs]
        else:
            command = [
                str(folder / "model" / "simulation"),
                "+verilator+rand+reset+2",
                f"+verilator+seed+{seed}",
                *plusargs,
            ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=WALL_SECONDS, cwd=place)
        log = place / "log.txt"
        if not log.exists() or (done.returncode and not log.stat().st_size):
            raise AdapterFault(
                f"{adapter.block.name}: the simulation ended without a log: {(done.stderr or done.stdout)[-500:]}"
            )
        found = Log.read(log)
        if found.cycles == 0:
            raise AdapterFault(
                f"{adapter.block.name}: the simulation stopped before its end: {(done.stderr or done.stdout)[-500:]}"
            )
        if waves is not None and (place / "waves.vcd").exists():
            shutil.move(place / "waves.vcd", waves)
        return found
    except subprocess.TimeoutExpired:
        raise AdapterFault(f"{adapter.block.name}: the simulation took more than {WALL_SECONDS} s") from None
    finally:
        shutil.rmtree(place, ignore_errors=True)
