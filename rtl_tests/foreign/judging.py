"""What a log says of the block: which answers are right, what the run waited for, how long each transaction took."""

from typing import Any

import numpy as np

from rtl_tests.foreign import axi_regions
from rtl_tests.foreign.encoding import beats_of, expected_of, scalars, shapes_of
from rtl_tests.foreign.layout import beat_bits
from rtl_tests.foreign.memories import Region
from rtl_tests.foreign.parts import STATES
from rtl_tests.foreign.plan import OutputPlan, Plan
from rtl_tests.foreign.results import RunResult
from rtl_tests.foreign.simulate import Beat, Log
from rtl_tests.foreign.transactions import Transaction, Vector
from rtl_tests.foreign.transactions.frame_encode import FrameEncode


class Judge:
    """Answers of a transaction in the logs of a plan."""

    def __init__(self, plan: Plan, transaction: Transaction) -> None:
        self.plan, self.transaction, self.adapter = plan, transaction, plan.adapter

    def judge(self, vectors: list[Vector], log: Log, result: RunResult) -> None:
        if log.spills:
            port, transaction, x, y = log.spills[0]
            name = list(self.adapter.memory_ports)[port]
            what = {(-1, -1): "a command came while one was under way", (-2, -2): "no command's `when` holds"}.get(
                (x, y), f"stored outside its plane, at x {x}, y {y}"
            )
            result.failure = f"memory port {name}, transaction {transaction}: {what} ({len(log.spills)} times)"
            return
        if log.broken:
            result.failure = f"{axi_regions.broken(self.adapter, log.broken[0])} ({len(log.broken)} times)"
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
        if kind in "rw":
            name, what = list(self.adapter.axi)[number], "reads" if kind == "r" else "writes"
            return f"axi memory {name} has {second} bursts of {what} open, at beat {first} of the first"
        if kind == "m":
            name = list(self.adapter.memory_ports)[number]
            return f"memory port {name} is at beat {first} of {second} of a command"
        assert self.adapter.control is not None
        if kind == "s":
            return f"control.ready `{self.adapter.control.ready}` is {first}"
        assert self.adapter.control.done is not None
        done = self.adapter.control.done
        return f"control.done `{done.port}` ({done.style}) is {first}"

    def _one(self, n: int, vector: Vector, beats: list[list[list[Beat]]], log: Log) -> str | None:
        answer: dict[str, Any] = {}
        for number, out in enumerate(self.plan.outputs):
            if not out.stream.fields:
                continue  # a memory of the block's own
            expected = expected_of(out, vector)
            if isinstance(expected, str):
                text = self._string(number, n, beats, log)
                if text.strip("01"):
                    return f"output {text}"
                answer[out.stream.fields[0]] = text
                continue
            words = (
                self._memory(number, n, out, vector, log)
                if out.stream.kind == "ram"
                else self._words(number, n, out, vector, beats, log)
            )
            if isinstance(words, str):
                return words
            answer |= zip(out.stream.fields, out.layout.unpack(words, vector.size, expected), strict=True)
        for region, data in self._axi_answers(n, log):
            if data is None:
                return self._stuck(log) if log.gave_up else "the transaction was not finished"
            if region.field == "bits":
                answer["bits"] = axi_regions.bits(region, data)
            else:
                answer[region.field] = axi_regions.unpack(region, data, shapes_of(vector)[region.field])
        return self.transaction.judge(vector, answer)

    def _axi_answers(self, n: int, log: Log) -> list[tuple[Region, bytes | None]]:
        """Bytes of each region that the block wrote in transaction `n`, None where it did not come to an end."""
        names = list(self.adapter.axi)
        return [(region, log.answers.get((names.index(name), number, n)))
                for name, number, _, region in axi_regions.regions(self.adapter, "out")]  # fmt: skip

    def _words(self, number: int, n: int, out: OutputPlan, vector: Vector, beats: list[list[list[Beat]]],
               log: Log) -> list[int] | str:  # fmt: skip
        """An output's beats of one transaction, or what is wrong with them."""
        came = beats[number][n] if n < len(beats[number]) else []
        wanted = 1 if out.stream.kind == "hold" else beats_of(out, vector)
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
        count = beats_of(out, vector)
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

    def _string(self, number: int, n: int, beats: list[list[list[Beat]]], log: Log) -> str:
        """Bits of one transaction; or the output's name and what is wrong with them."""
        out = self.plan.outputs[number]
        if out.stream.kind != "ram":
            return self._bits(out, beats[number][n] if n < len(beats[number]) else [])
        # Words of a memory, from the lowest address of this transaction on.
        words = {address: text for transaction, address, text in log.writes[number] if transaction == n}
        first = min(words, default=0)
        missing = next((address for address in range(first, first + len(words)) if address not in words), None)
        if missing is not None:
            return f"{out.name}: address {missing} was never written between {first} and {max(words)}"
        return self._bits(out, [Beat(n, 0, words[first + at]) for at in range(len(words))])

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
            count = beats_of(out, vector)
            streamed.append(beats[at : at + count])
            at += count
        return streamed

    def _known(self, vector: Vector) -> bool:
        fields = {**scalars(vector), "op": vector.op, "kind": vector.kind}
        return any(bug.waive and all(fields.get(name) == value for name, value in bug.waive.items())
                   for bug in self.adapter.known_bugs)  # fmt: skip

    def _judge_frames(self, vectors: list[Vector], beats: list[list[list[Beat]]], log: Log, result: RunResult) -> None:
        if log.gave_up is not None:
            result.failure = self._stuck(log)
            return
        assert isinstance(self.transaction, FrameEncode)
        number = next((n for n, out in enumerate(self.plan.outputs) if "bits" in out.stream.fields), None)
        payloads = [""] * len(vectors)
        if number is not None:
            payloads = [self._string(number, n, beats, log) for n in range(len(vectors))]
            wrong = next((n for n, text in enumerate(payloads) if text.strip("01")), None)
            if wrong is not None:
                result.failure = f"frame {wrong}: output {payloads[wrong]}"
                return
        stored: list[dict[str, np.ndarray]] = [{} for _ in vectors]
        for n, vector in enumerate(vectors):
            for region, data in self._axi_answers(n, log):
                if region.field == "bits":
                    payloads[n] = axi_regions.bits(region, data or b"")
                else:
                    whole = axi_regions.unpack(region, data or b"", shapes_of(vector)[region.field])
                    stored[n][region.field] = whole.astype(np.uint8)
        for (plane, transaction), rows in log.rows.items():
            if transaction < len(stored):
                stored[transaction][self.plan.planes[plane]] = np.array([list(row) for row in rows], np.uint8)
        result.failure, result.figures = self.transaction.judge_all(vectors, payloads, stored)
        result.checked = len(vectors) if result.failure is None else 0

    def time(self, vectors: list[Vector], log: Log, result: RunResult) -> None:
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
