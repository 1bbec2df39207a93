"""One adapter from file to verdict: gather, wrap, build, run, judge, time."""

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from rtl_tests import simulator as benches
from rtl_tests.foreign import expressions, simulate, sources, wrapper
from rtl_tests.foreign.description import Adapter, Packed
from rtl_tests.foreign.layout import beat_bits, mask
from rtl_tests.foreign.parts import STATES
from rtl_tests.foreign.plan import InputPlan, OutputPlan, Plan
from rtl_tests.foreign.reading import load_adapter
from rtl_tests.foreign.results import Result, RunResult, timing_table
from rtl_tests.foreign.simulate import Beat, Log, Vectors
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
        self.ports = sources.read_ports(self.adapter, self.sources, self.scratch)
        names = list(self.transaction.planes)
        copies = [(names.index(a), names.index(b)) for a, b in self.transaction.copies]
        self.plan = Plan(self.adapter, self.ports, names, copies, self._store_bytes())
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
        for name, value in self.adapter.config.items():
            for text in [member.value for member in value.members] if isinstance(value, Packed) else [value]:
                self._names(f"config.{name}", text, set(fields))

    @staticmethod
    def _names(where: str, text: int | str, fields: set[str]) -> None:
        unknown = expressions.names(text) - fields
        if unknown:
            raise AdapterFault(f"{where}: no field {min(unknown)!r}; there are {', '.join(sorted(fields))}")

    # ---- vectors

    def _encode(self, vectors: list[Vector]) -> Vectors:
        plan = self.plan
        found = Vectors(streamed=self.adapter.control is None)
        found.config_width = sum(plan.ports[name].width for name in self.adapter.config)
        for each in plan.inputs:
            plane = each.stream.kind == "samples" and each.layout is not None
            found.inputs[each.name] = []
            found.widths[each.name] = max(16, each.layout.lanes[0].width) if plane and each.layout else each.width
        for out in plan.outputs:
            found.outputs[out.name] = []
        self._planes(vectors, found)
        for vector in vectors:
            if self.adapter.config:
                found.config.append(self._config_word(vector))
            for each in plan.inputs:
                if each.stream.written_by is not None:
                    continue
                if each.stream.kind == "bit_window":
                    found.widths[each.name] = each.stream.depth
                    bits = str(vector.fields[each.stream.fields[0]])
                    if len(bits) > each.stream.depth:
                        raise AdapterFault(f"inputs.{each.name}.depth: {len(bits)} bits do not fit {each.stream.depth}")
                    word = int((bits + "0" * each.stream.depth)[: each.stream.depth], 2)
                    found.inputs[each.name].append([word])
                else:
                    found.inputs[each.name].append(self._beats(each, vector))
            for out in plan.outputs:
                expected = _expected(out, vector)
                unknown = isinstance(expected, str) or out.stream.kind == "ram"
                count = 1 if out.stream.kind == "hold" else -1 if unknown else _beats_of(out, vector)
                found.outputs[out.name].append(count)
        return found

    def _config_word(self, vector: Vector) -> int:
        word = at = 0
        for name, value in self.adapter.config.items():
            port = self.plan.ports[name]
            where = f"config.{name}"
            if isinstance(value, Packed):
                total = sum(member.width for member in value.members)
                if total != port.width:
                    raise AdapterFault(f"{where}: the members have {total} bits, the port {port.width}")
                packed = 0
                for member in value.members if value.first == "high" else value.members[::-1]:
                    number = expressions.evaluate(member.value, _scalars(vector))
                    packed = packed << member.width | mask(number, member.width, where)
            else:
                packed = mask(expressions.evaluate(value, _scalars(vector)), port.width, where)
            word |= packed << at
            at += port.width
        return word

    def _beats(self, plan: InputPlan, vector: Vector) -> list[int]:
        stream = plan.stream
        if stream.writes:
            names = list(stream.writes[0])
            return [
                self._extra(plan, vector, {name: each[name] for name in names}, n)
                for n, each in enumerate(stream.writes)
            ]
        values = [_array(vector.fields[name]) for name in stream.fields]
        if plan.layout is None:
            count = sum(each.size for each in values)
            return [self._extra(plan, vector, stream.set, n) for n in range(min(count, stream.take or count))]
        if stream.kind == "samples":
            return self._plane(plan, values[0])
        beats = plan.layout.pack(values, vector.size)
        if stream.kind == "ram" and len(beats) > stream.depth:
            raise AdapterFault(f"inputs.{plan.name}.depth: {len(beats)} words do not fit {stream.depth}")
        if not stream.set and not stream.strobe:
            return beats
        parts = plan.layout.parts([each.shape for each in values], vector.size)
        return [
            beat | self._extra(plan, vector, stream.set, n, parts[n]) << plan.layout.width
            for n, beat in enumerate(beats)
        ]

    def _plane(self, plan: InputPlan, field: np.ndarray) -> list[int]:
        """Rows, columns and the elements of a field that the block addresses by place."""
        assert plan.layout is not None
        where, width = f"inputs.{plan.name}", plan.layout.lanes[0].width
        if field.ndim != 2:
            raise AdapterFault(f"{where}.field: {plan.stream.field} has no rows and columns, kind samples needs them")
        if field.size > plan.stream.depth:
            raise AdapterFault(f"{where}.depth: {field.size} samples do not fit {plan.stream.depth}")
        return [*field.shape, *(mask(int(value), width, where) for value in field.ravel())]

    def _extra(self, plan: InputPlan, vector: Vector, ports: dict[str, Any], beat: int, part: int = 0) -> int:
        word = at = 0
        ports = ports | plan.stream.strobe
        fields = {name: (value.ravel()[beat % value.size] if isinstance(value, np.ndarray) else value)
                  for name, value in vector.fields.items() if not isinstance(value, str)}  # fmt: skip
        fields |= {"beat": beat, "part": part}
        for port in (*plan.extra, *plan.strobes):
            number = expressions.evaluate(ports[port.name], fields)
            word |= mask(number, port.width, f"inputs.{plan.name}.{port.name}") << at
            at += port.width
        return word

    def _planes(self, vectors: list[Vector], found: Vectors) -> None:
        if not self.adapter.memory_ports:
            return
        names = self.plan.planes
        sizes = self.transaction.plane_sizes() if isinstance(self.transaction, FrameEncode) else {}
        for name in names:
            if name not in sizes:
                sizes[name] = max(((each.planes[name].shape[1], each.planes[name].shape[0]) for each in vectors
                                   if name in each.planes), default=(16, 16))  # fmt: skip
        base = 0
        bases = {}
        for name in names:
            bases[name] = base
            found.planes.append((base, *sizes[name]))
            base += -(-(sizes[name][0] * sizes[name][1] + 16) // 16) * 16
        if base > self.plan.store_bytes:
            raise AdapterFault(f"memory_ports: planes of {base} bytes do not fit the wrapper's {self.plan.store_bytes}")
        for vector in vectors:
            pieces = []
            for name, plane in vector.planes.items():
                width, height = sizes[name]
                whole = np.pad(plane, ((0, height - plane.shape[0]), (0, width - plane.shape[1])), mode="edge")
                pieces.append((bases[name], whole.astype(np.uint8).tobytes()))
            found.images.append(pieces)

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
            self._encode(vectors),
            simulator,
            seed=seed,
            bubble=bubbles,
            pressure=pressure,
            waves=waves,
            latencies=latencies,
            flip_reset=flip_reset,
        )
        result = RunResult(simulator, bubbles, pressure)
        self._judge(vectors, log, result)
        self._time(vectors, log, result)
        return result

    def _judge(self, vectors: list[Vector], log: Log, result: RunResult) -> None:
        if log.spills:
            port, transaction, x, y = log.spills[0]
            name = list(self.adapter.memory_ports)[port]
            what = {(-1, -1): "a command came while one was under way", (-2, -2): "no command's `when` holds"}.get(
                (x, y), f"stored outside its plane, at x {x}, y {y}"
            )
            result.failure = f"memory port {name}, transaction {transaction}: {what} ({len(log.spills)} times)"
            return
        beats = [self._by_transaction(number, vectors, log) for number in range(len(self.plan.outputs))]
        if isinstance(self.transaction, FrameEncode):
            self._judge_frames(vectors, beats, log, result)
            return
        self.transaction.start_judging()
        for n, vector in enumerate(vectors):
            text = self._one(n, vector, beats, log)
            if text is None:
                result.checked += 1
            elif self._known(vector):
                result.waived += 1
            else:
                result.failure = f"vector {n}: {vector}: {text}"
                break
        if log.gave_up is not None and result.failure is None:
            result.failure = self._stuck(log)
        if result.failure is None:
            result.failure = self.transaction.judge_sum()
            result.figures |= self.transaction.figures()

    def find_latencies(
        self, vectors: list[Vector], seed: int, numbers: list[int], simulator: str
    ) -> dict[int, int] | None:
        """One latency for the outputs `numbers` with which the answers to `vectors` come out right, if there is one."""
        for cycles in range(LATENCIES_TRIED):
            latencies = dict.fromkeys(numbers, cycles)
            if self.run(simulator, seed, vectors=vectors, latencies=latencies).failure is None:
                return latencies
        return None

    def _stuck(self, log: Log) -> str:
        assert log.gave_up is not None
        awaited = "; ".join(filter(None, (self._awaited(*each) for each in log.waiting)))
        serial = self.adapter.control is not None
        where = f" in transaction {log.gave_up[0]} ({STATES[log.gave_up[1]]})" if serial else ""
        return (
            f"no progress for {self.adapter.timeout_cycles} cycles (timeout_cycles){where}"
            f"{f': {awaited}' if awaited else ''}"
        )

    def _awaited(self, kind: str, number: int, first: int, second: int) -> str:
        """What a run that was given up waited for."""
        if kind == "o":
            out = self.plan.outputs[number]
            signal = f", `{out.stream.valid}` is awaited" if out.stream.valid else ""
            wanted = f" of {second}" if second >= 0 else ""
            return f"output {out.name} gave {first}{wanted} beats{signal}" if first < second or second < 0 else ""
        if kind == "i":
            each = self.plan.inputs[number]
            return f"input {each.name} has beat {first + 1} of {second} standing, `{each.stream.ready}` is awaited"
        if kind == "m":
            name = list(self.adapter.memory_ports)[number]
            return f"memory port {name} is at beat {first} of {second} of a command"
        assert self.adapter.control is not None
        assert self.adapter.control.done is not None
        done = self.adapter.control.done
        return f"control.done `{done.port}` ({done.style}) is {first}"

    def _one(self, n: int, vector: Vector, beats: list[list[list[Beat]]], log: Log) -> str | None:
        answer: dict[str, Any] = {}
        for number, out in enumerate(self.plan.outputs):
            if not out.stream.fields:
                continue  # a memory of the block's own
            expected = _expected(out, vector)
            if isinstance(expected, str):
                came = beats[number][n] if n < len(beats[number]) else []
                answer[out.stream.fields[0]] = self._bits(out, came)
                continue
            words = (
                self._memory(number, n, out, vector, log)
                if out.stream.kind == "ram"
                else self._words(number, n, out, vector, beats, log)
            )
            if isinstance(words, str):
                return words
            answer |= zip(out.stream.fields, out.layout.unpack(words, vector.size, expected), strict=True)
        return self.transaction.judge(vector, answer)

    def _words(self, number: int, n: int, out: OutputPlan, vector: Vector, beats: list[list[list[Beat]]],
               log: Log) -> list[int] | str:  # fmt: skip
        """An output's beats of one transaction, or what is wrong with them."""
        came = beats[number][n] if n < len(beats[number]) else []
        wanted = 1 if out.stream.kind == "hold" else _beats_of(out, vector)
        if not came and log.gave_up and out.stream.kind in ("hold", "read"):
            return self._stuck(log)
        if len(came) < wanted:
            stuck = f"; {self._stuck(log)}" if log.gave_up else ""
            return f"output {out.name}: {len(came)} beats came, {wanted} were expected{stuck}"
        unknown = [beat for beat in came[:wanted] if not beat.known]
        if unknown:
            return f"output {out.name}: unknown bits at cycle {unknown[0].cycle}: {unknown[0].text}"
        return [beat.value for beat in came[:wanted]]

    def _memory(self, number: int, n: int, out: OutputPlan, vector: Vector, log: Log) -> list[int] | str:
        count = _beats_of(out, vector)
        image: list[int | None] = [out.stream.fill] * count
        for transaction, address, text in log.writes[number]:
            if transaction == n:
                if address >= count:
                    return f"output {out.name}: address {address} was written, the field has {count} words"
                if set(text) & set("xXzZ"):
                    return f"output {out.name}: unknown bits written to address {address}: {text}"
                image[address] = int(text, 16)
        missing = [address for address, word in enumerate(image) if word is None]
        if missing:
            return f"output {out.name}: address {missing[0]} was never written ({len(missing)} of {count})"
        return [word for word in image if word is not None]

    @staticmethod
    def _bits(out: OutputPlan, came: list[Beat]) -> str:
        stream = out.stream
        return "".join(
            beat_bits(out.layout, beat.value if beat.known else 0, beat.length, stream.align, stream.reversed)
            for beat in came
        )

    def _by_transaction(self, number: int, vectors: list[Vector], log: Log) -> list[list[Beat]]:
        beats = log.outputs[number]
        if self.adapter.control is not None:
            found: list[list[Beat]] = [[] for _ in vectors]
            for beat in beats:
                if beat.transaction < len(found):
                    found[beat.transaction].append(beat)
            return found
        out, at, streamed = self.plan.outputs[number], 0, []
        for vector in vectors if out.stream.fields else []:
            count = _beats_of(out, vector)
            streamed.append(beats[at : at + count])
            at += count
        return streamed

    def _known(self, vector: Vector) -> bool:
        fields = {**_scalars(vector), "op": vector.op, "kind": vector.kind}
        return any(bug.waive and all(fields.get(name) == value for name, value in bug.waive.items())
                   for bug in self.adapter.known_bugs)  # fmt: skip

    def _judge_frames(self, vectors: list[Vector], beats: list[list[list[Beat]]], log: Log, result: RunResult) -> None:
        if log.gave_up is not None:
            result.failure = self._stuck(log)
            return
        assert isinstance(self.transaction, FrameEncode)
        number = next((n for n, out in enumerate(self.plan.outputs) if "bits" in out.stream.fields), None)
        if number is None:
            raise AdapterFault("outputs: frame_encode needs an output with `field: bits`")
        payloads = [self._bits(self.plan.outputs[number], each) for each in beats[number]]
        stored: list[dict[str, np.ndarray]] = [{} for _ in vectors]
        for (plane, transaction), rows in log.rows.items():
            if transaction < len(stored):
                stored[transaction][self.plan.planes[plane]] = np.array([list(row) for row in rows], np.uint8)
        result.failure, result.figures = self.transaction.judge_all(vectors, payloads, stored)
        result.checked = len(vectors) if result.failure is None else 0

    def _time(self, vectors: list[Vector], log: Log, result: RunResult) -> None:
        """Cycles of each transaction, and between them where they stream."""
        spans = dict(log.spans)
        if not spans and self.adapter.control is None and log.taken[0]:
            ends = [self._by_transaction(number, vectors, log) for number in range(len(self.plan.outputs))]
            for n, (first, _) in sorted(log.taken[0].items()):
                last = [each[n][-1].cycle for each in ends if n < len(each) and each[n]]
                if last:
                    spans[n] = first, max(last)
        result.transaction_cycles = [done - begin + 1 for begin, done in spans.values()]
        groups: dict[str, list[int]] = {}
        for n, (begin, done) in spans.items():
            vector = vectors[n]
            groups.setdefault(f"{vector.op} {vector.kind} {vector.size}", []).append(done - begin + 1)
        result.by_kind = {name: float(np.mean(each)) for name, each in sorted(groups.items())}
        if not spans:
            return
        if self.adapter.control is None and len(spans) > 1:
            order = sorted(spans)
            result.interval_cycles = (spans[order[-1]][1] - spans[order[0]][1]) / (len(order) - 1)
        else:
            result.interval_cycles = float(np.mean(result.transaction_cycles))


def _array(value: Any) -> np.ndarray:
    return value if isinstance(value, np.ndarray) else np.array([value])


def _expected(out: OutputPlan, vector: Vector) -> Any:
    """What an output has to show: text of bits, or an array for each of its fields."""
    found = [vector.expected[name] for name in out.stream.fields]
    return found[0] if found and isinstance(found[0], str) else found


def _beats_of(out: OutputPlan, vector: Vector) -> int:
    return out.layout.beats_for([vector.expected[name].shape for name in out.stream.fields], vector.size)


def _scalars(vector: Vector) -> dict[str, int]:
    return {name: int(value) for name, value in vector.fields.items() if isinstance(value, (int, np.integer))}


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
                hint = hint or (_other_reset(work, few, seed, tool) if not unknown and not bubbles else "")
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
    return any(each.kind == "valid_ready" or each.bubbles for each in adapter.inputs.values()) or any(
        each.kind == "valid_ready" for each in adapter.outputs.values()
    )


def wrapper_text(path: Path) -> str:
    """The wrapper around the block that an adapter describes."""
    work = Check(path)
    shutil.rmtree(work.scratch, ignore_errors=True)
    return work.text
