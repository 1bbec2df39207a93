"""One adapter from file to verdict: gather, wrap, build, run, judge, time."""

import os
import shutil
from pathlib import Path

import numpy as np

from rtl_tests import simulator as benches
from rtl_tests.foreign import axi_regions, expressions, interfaces, simulate, sources, wrapper
from rtl_tests.foreign.description import Adapter, Packed
from rtl_tests.foreign.encoding import Encoder, shapes_of
from rtl_tests.foreign.judging import Judge
from rtl_tests.foreign.plan import Plan
from rtl_tests.foreign.reading import load_adapter
from rtl_tests.foreign.results import Result, RunResult, timing_table
from rtl_tests.foreign.sources import AdapterFault
from rtl_tests.foreign.transactions import TRANSACTIONS, Transaction, Vector
from rtl_tests.foreign.transactions.frame_encode import FrameEncode

LATENCIES_TRIED = 128  # cycles, where an adapter leaves the latency open
FEW = 24  # vectors that each of them is tried with


class Check:
    """The check of one adapter. Raises ConfigError or AdapterFault where it cannot be run at all."""

    def __init__(self, path: Path, *, vectors: int | None = None) -> None:
        self.path = path
        adapter = load_adapter(path)
        self.adapter = adapter.model_copy(update={"vectors": vectors}) if vectors else adapter
        self.transaction: Transaction = TRANSACTIONS[self.adapter.block.transaction](self.adapter)
        folder = path.resolve().parent
        # Scratch files of runs side by side do not meet; equal ones are equal builds.
        self.scratch = benches.build_base() / f"foreign-{self.adapter.block.name}-scratch-{os.getpid()}"
        self.scratch.mkdir(parents=True, exist_ok=True)
        self.sources = sources.gather(self.adapter, folder, self.scratch / "overlay")
        plain = bool(self.adapter.interfaces)
        read = interfaces.plain_ports if plain else sources.read_ports
        self.ports = read(self.adapter, self.sources, self.scratch)
        names = list(self.transaction.planes)
        copies = [(names.index(a), names.index(b)) for a, b in self.transaction.copies]
        self.plan = Plan(
            self.adapter, self.ports, names, copies, self._store_bytes(), interfaces.PLAIN if plain else ""
        )
        self._check_fields()
        self.text = wrapper.render(self.plan)

    def _store_bytes(self) -> int:
        if isinstance(self.transaction, FrameEncode):
            need = sum(width * height + 64 for width, height in self.transaction.plane_sizes().values())
        else:
            need = 2 * 256 * 256
        return 1 << max(12, (need - 1).bit_length())

    def _check_fields(self) -> None:
        """Every name that the adapter uses is a field of the transaction."""
        op, kind, size = self.transaction.asked[0]
        corner = self.transaction.vectors(np.random.default_rng(0)) if isinstance(self.transaction, FrameEncode) else (
            self.transaction.corners(op, kind, size))  # fmt: skip
        fields, expected = corner[0].fields, corner[0].expected
        for name, stream in self.adapter.inputs.items():
            for field_name in stream.fields:
                if field_name not in fields:
                    raise AdapterFault(f"inputs.{name}.field: no field {field_name!r}; {self.transaction.name} has "
                                       f"{', '.join(fields)}")  # fmt: skip
            if stream.beats is not None:
                self._names(f"inputs.{name}.beats", stream.beats, set(fields))
            written = (item for each in stream.writes for item in each.items())
            for port, text in [*stream.set.items(), *stream.strobe.items(), *written]:
                self._names(f"inputs.{name}.set.{port}", text, {*fields, "beat", "part"})
        for name, out in self.adapter.outputs.items():
            for field_name in out.fields:
                if field_name not in expected:
                    raise AdapterFault(f"outputs.{name}.field: no answer {field_name!r}; "
                                       f"{self.adapter.block.transaction} {op} has {', '.join(expected)}")  # fmt: skip
            if "bits" in out.fields and (self.adapter.control is None or self.adapter.control.done is None):
                raise AdapterFault(f"outputs.{name}: bits need `control.done`: nobody knows beforehand how many come")
        answers = {*expected, *shapes_of(corner[0])}
        for memory, _, label, region in axi_regions.regions(self.adapter, "in"):
            where = f"axi.{memory}.regions.{label}"
            self._names(f"{where}.address", region.address, set(fields))
            if region.field not in fields:
                raise AdapterFault(
                    f"{where}.field: no field {region.field!r}; {self.transaction.name} has {', '.join(fields)}"
                )
        for memory, _, label, region in axi_regions.regions(self.adapter, "out"):
            where = f"axi.{memory}.regions.{label}"
            self._names(f"{where}.address", region.address, set(fields))
            if region.field not in answers:
                raise AdapterFault(f"{where}.field: no answer {region.field!r}; {op} has {', '.join(sorted(answers))}")
        if isinstance(self.transaction, FrameEncode) and "bits" not in {
            *(name for out in self.adapter.outputs.values() for name in out.fields),
            *(region.field for *_, region in axi_regions.regions(self.adapter, "out")),
        }:
            raise AdapterFault("outputs: frame_encode needs an output, or a region of a memory, with `field: bits`")
        for name, value in self.adapter.config.items():
            for text in [member.value for member in value.members] if isinstance(value, Packed) else [value]:
                self._names(f"config.{name}", text, set(fields))

    @staticmethod
    def _names(where: str, text: int | str, fields: set[str]) -> None:
        unknown = expressions.names(text) - fields
        if unknown:
            raise AdapterFault(f"{where}: no field {min(unknown)!r}; there are {', '.join(sorted(fields))}")

    # ---- one run

    def run(self, simulator: str, seed: int, *, bubbles: int = 0, pressure: int = 0, waves: Path | None = None,
            vectors: list[Vector] | None = None, latencies: dict[int, int] | None = None,
            flip_reset: bool = False) -> RunResult:  # fmt: skip
        """Simulate all vectors once and judge every answer. `latencies`, `flip_reset`: see simulate.run."""
        vectors = vectors if vectors is not None else self.transaction.vectors(np.random.default_rng(seed))
        folder = simulate.build(self.adapter, self.sources, self.text, simulator, waves=waves is not None)
        log = simulate.run(
            folder,
            self.adapter,
            Encoder(self.plan, self.transaction).encode(vectors),
            simulator,
            seed=seed,
            bubble=bubbles,
            pressure=pressure,
            waves=waves,
            latencies=latencies,
            flip_reset=flip_reset,
        )
        result = RunResult(simulator, bubbles, pressure)
        judge = Judge(self.plan, self.transaction)
        judge.judge(vectors, log, result)
        judge.time(vectors, log, result)
        return result

    def find_latencies(
        self, vectors: list[Vector], seed: int, numbers: list[int], simulator: str
    ) -> dict[int, int] | None:
        """One latency for the outputs `numbers` with which the answers to `vectors` come out right, if there is one."""
        for cycles in range(LATENCIES_TRIED):
            latencies = dict.fromkeys(numbers, cycles)
            if self.run(simulator, seed, vectors=vectors, latencies=latencies).failure is None:
                return latencies
        return None


def check(
    path: Path, *, seed: int = 1, vectors: int | None = None, simulator: str = "auto", waves: Path | None = None
) -> Result:
    """Check the block that `path` describes. `simulator`: verilator, icarus, both, or auto (both where both are).

    Raises ConfigError for the adapter's own mistakes, AdapterFault where it does not fit the block.
    """
    work = Check(path, vectors=vectors)
    try:
        return _check(work, path, seed, simulator, waves)
    finally:
        shutil.rmtree(work.scratch, ignore_errors=True)


def _check(work: Check, path: Path, seed: int, simulator: str, waves: Path | None) -> Result:
    adapter = work.adapter
    result = Result(adapter, seed)
    asked = work.transaction.vectors(np.random.default_rng(seed))
    tools = ["verilator"] if simulator in ("auto", "verilator", "both") else []
    if simulator in ("icarus", "both") or (simulator == "auto" and _icarus_wanted(adapter) and simulate.icarus_path()):
        if simulate.icarus_path() is None:
            raise AdapterFault("Icarus Verilog is not installed; leave it out (--simulator verilator)")
        tools.append("icarus")
    again = f"rerun: tasic rtl check --adapter {path} --seed {seed}"
    few = asked[:: max(1, len(asked) // FEW)]
    unknown = [n for n, out in enumerate(work.plan.outputs) if out.stream.latency == "unknown"]
    latencies = work.find_latencies(few, seed, unknown, tools[0]) if unknown else {}
    if latencies is None:
        names = ", ".join(work.plan.outputs[n].name for n in unknown)
        result.failures.append(
            f"outputs.{names}.latency: none of 0..{LATENCIES_TRIED - 1} cycles gives right answers; {again}"
        )
    for number, cycles in (latencies or {}).items():
        result.notes.append(f"outputs.{work.plan.outputs[number].name}.latency: {cycles} was found")
    paused = _pauses(adapter)
    for tool in tools:
        plans = [(0, 0), (30, 30)] if paused and tool == "verilator" else [(0, 0)]
        # Icarus is slower by an order of magnitude: it confirms a part.
        part = (
            asked
            if tool == "verilator" or isinstance(work.transaction, FrameEncode)
            else asked[: max(50, len(asked) // 10)]
        )
        if tool == "icarus" and simulator == "auto":
            try:
                simulate.build(adapter, work.sources, work.text, tool)
            except AdapterFault as error:
                # Icarus understands less of SystemVerilog: no verdict on the block, but said.
                result.notes.append(
                    f"icarus: left out, it could not build the block: {' '.join(str(error).split())[:200]}"
                )
                continue
        for bubbles, pressure in plans:
            run = work.run(
                tool, seed, bubbles=bubbles, pressure=pressure, waves=waves if not bubbles else None, vectors=part,
                latencies=latencies,
            )  # fmt: skip
            result.runs.append(run)
            if run.failure:
                pauses = " under random pauses" if bubbles else ""
                hint = _other_latency(work, few, seed, tool) if not unknown and not bubbles else ""
                # A block that is held in reset answers nothing, or the same to everything.
                still = "no progress" in run.failure or (run.checked < FEW and run.figures == {})
                hint = hint or (_other_reset(work, few, seed, tool) if still and not unknown and not bubbles else "")
                result.failures.append(f"{tool}{pauses}: {run.failure}{hint}; {again}")
    first = result.runs[0]
    expect = adapter.expect
    mean = float(np.mean(first.transaction_cycles)) if first.transaction_cycles else 0.0
    for claim, found, what in (
        (expect.cycles_max, mean, "cycles_max"),
        (expect.interval_max, first.interval_cycles, "interval_max"),
    ):
        if claim is not None and found > claim:
            result.failures.append(
                f"expect.{what}: {found:.1f} cycles were measured, at most {claim:g} claimed; {again}"
            )
    if not first.failure and first.transaction_cycles:
        result.timing = timing_table(adapter, work.transaction, first, asked, seed)
    return result


def _icarus_wanted(adapter: Adapter) -> bool:
    """Icarus keeps undefined bits: it has no word on a block that may read zeros there."""
    undefined = adapter.tool.undefined
    return adapter.tool.icarus.use == "auto" and (undefined is None or undefined.value == "random")


def _other_latency(work: Check, vectors: list[Vector], seed: int, tool: str) -> str:
    """Whether the answers that failed are right at another latency."""
    numbers = [n for n, out in enumerate(work.plan.outputs) if out.stream.kind == "latency"]
    if not numbers or work.adapter.clock is None:
        return ""
    found = work.find_latencies(vectors, seed, numbers, tool)
    return f"; with `latency: {next(iter(found.values()))}` the answers are right" if found else ""


def _other_reset(work: Check, vectors: list[Vector], seed: int, tool: str) -> str:
    """Whether the answers that failed are right with the reset at its other level."""
    reset = work.adapter.reset
    if reset is None or work.run(tool, seed, vectors=vectors, flip_reset=True).failure is not None:
        return ""
    return f"; with `reset.active: {'low' if reset.active == 'high' else 'high'}` the answers are right"


def _pauses(adapter: Adapter) -> bool:
    return (
        bool(adapter.axi)
        or any(each.kind == "valid_ready" or each.bubbles for each in adapter.inputs.values())
        or any(each.kind == "valid_ready" for each in adapter.outputs.values())
    )


def wrapper_text(path: Path) -> str:
    """The wrapper around the block that an adapter describes."""
    work = Check(path)
    shims = [each.read_text(encoding="utf-8") for each in work.sources.files if each.parent == work.scratch]
    shutil.rmtree(work.scratch, ignore_errors=True)
    return "".join([work.text, *shims])
