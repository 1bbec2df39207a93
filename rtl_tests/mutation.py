"""Seeds faults, one at a time, in the RTL and in the model's kernels, and sees whether the benches notice.

RTL: an assignment's right side is changed; all changes of an engine are built into one model, `+mutant=N` switches the
Nth on, so that fifty faults cost one build. Model: one line of an engine's kernels is changed in a copy of the package,
and the bench runs with the JIT off. A fault is caught when a test of the bench fails, or never ends; what is left of
the bench is not run then. Two run at a time.

Kinds of faults: another operator, another constant, a comparison off by one, a dropped clip or sign, swapped operands.
"""

import contextlib
import dataclasses
import multiprocessing
import os
import random
import re
import resource
import shutil
import signal
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from rtl_tests.campaign import chosen
from rtl_tests.simulator import BENCHES, RTL, Bench, BenchFault, build_base, content_digest
from rtl_tests.simulator import run as run_bench

PACKAGE = RTL.parent.parent / "asic_model"
SWITCH = """package tasic_mutation_pkg;
  int unsigned mutant = 0;
endpackage
"""
# Where the kernels of an engine stand, by bench.
KERNELS = {
    "transform": ("engines/transform/blocks.py", "engines/transform/quantiser.py", "simd/transforms.py"),
    "intra_prediction": ("engines/intra_prediction.py", "simd/intra.py", "simd/blocks.py"),
    "entropy": (
        "engines/entropy/binarization.py", "engines/entropy/cabac.py", "engines/entropy/cavlc.py",
        "engines/entropy/arithmetic.py", "engines/entropy/elements.py",
    ),
    "deblock": ("engines/deblock/edges.py", "engines/deblock/picture.py", "simd/deblock.py"),
    "motion_search": ("engines/motion_search.py", "simd/search.py"),
    "fractional_search": ("engines/fractional_search.py", "simd/search.py"),
}  # fmt: skip
# Engines whose RTL is seeded: those with a bench of their own.
SEEDED = (*KERNELS, "transform_8x8", "encode_core", "control")
# Engines that get so many times as many faults as another one: this one brings mode decision and all of P pictures.
PORTIONS = {"encode_core": 3}
# Tests that look for faults in RTL where the whole bench takes minutes: without the firmware's boot.
TESTS = {"control": "host|programs|traps|reset_in"}
# Benches of the same RTL in another size: with 64 lanes a candidate takes several passes.
ALSO_AS = {"motion_search": ("motion_search_64_lanes",)}
# Benches that look at these kernels besides the engine's own.
ALSO_BY = {
    "transform": ("transform_8x8",),
    "motion_search": ("fractional_search", "motion_search_128_lanes"),
    "fractional_search": ("motion_search",),
}
# Changes without effect that a campaign met: (file, before, after) as far as they differ, and why nobody can see them.
EQUIVALENT = {
    ("engines/entropy/cavlc.py", "(level < 0)", "(level <= 0)"): "a coded level is never 0",
    ("engines/motion_search.py", "!= mb_x + 1:", "!= mb_x + 2:"): "a candidate that comes again loses every tie",
    ("engines/motion_search.py", "np.empty(_CANDIDATES_MAX + 1,", "np.empty(_CANDIDATES_MAX + 2,"): "room to spare",
    ("engines/motion_search.py", "VECTOR_BITS[VECTOR_SPAN + ", "VECTOR_BITS[VECTOR_SPAN - "): "se(v) is as long for -v",
    ("engines/transform/blocks.py", "(value + 32768)", "(value - 32768)"): "the same modulo 65536",
    # SATD adds magnitudes
    ("simd/search.py", "work[1, x] - work[3, x]", "work[3, x] - work[1, x]"): "-a + b, -a - b for a + b, a - b",
    ("simd/search.py", "abs(s - t)", "abs(t - s)"): "a magnitude",
    ("fractional_search/fractional_search.sv", "v[0] - v[2]", "v[2] - v[0]"): "-a + b, -a - b for a + b, a - b",
    (
        "motion_search/motion_search.sv",
        "$signed(cmd_above_left_i[1])",
        "cmd_above_left_i[1]",
    ): "as wide as the argument",
    (
        "motion_search/motion_search.sv",
        "$signed(cmd_colocated_i[1])",
        "cmd_colocated_i[1]",
    ): "bit 16 has no part",
    ("encode_core/encode_core_fetch.sv", "y < last ? y : last", "y <= last ? y : last"): "a minimum",
}
# Kernels of these files that no RTL has a twin of, so that no bench compares them with anything.
WITHOUT_TWIN = {
    "engines/deblock/edges.py": ("filter_samples",),  # left edges of MBAFF pairs
    # vector differences and what a stream may hold: inputs of the RTL
    "engines/entropy/elements.py": (
        "_set_difference", "set_differences", "clear_differences", "type_fault", "skip_fault", "may_use_8x8",
    ),
}  # fmt: skip
# (kind, pattern, replacements): the first match on a line after a chosen place is changed.
_RTL_CHANGES = (
    ("operator", r"(?<=[\w\])]) \+ (?=[\w(])", (" - ",)),
    ("operator", r"(?<=[\w\])]) - (?=[\w(])", (" + ",)),
    ("operator", r" & ", (" | ",)),
    ("operator", r" \| ", (" & ",)),
    ("operator", r" && ", (" || ",)),
    ("operator", r" \|\| ", (" && ",)),
    ("operator", r" \^ ", (" | ",)),
    ("operator", r" << | <<< ", (" >> ",)),
    ("operator", r" >>> ", (" << ",)),
    ("comparison", r" == ", (" != ",)),
    # not a clip's own bound: x < 0 ? 0 and x <= 0 ? 0 are the same
    ("comparison", r" < (?!0 \?)", (" <= ", " > ")),
    ("comparison", r" >= ", (" > ",)),
    ("constant", r"(?<=[ (+\-])(\d+)'d(\d+)\b", (r"\1'd\g<2>_plus",)),
    ("sign", r"(?<=[=(?:] )-(?=[\w(])", ("",)),
    ("sign", r"\$signed\((\w+(?:\[[^\]]*\])*)\)", (r"\1",)),
    ("clip", r"(?<== )(\w+(?:\[[^\]]*\])*) < 0 \? [^:]+ : ", ("",)),
    ("operands", r"(?<![\w'.])(\w+(?:\[[^\]]*\])*) - (\w+(?:\[[^\]]*\])*)(?![\w'(.\[])", (r"\2 - \1",)),
)  # fmt: skip
_MODEL_CHANGES = (
    ("operator", r"(?<=[\w\])]) \+ (?=[\w(])", (" - ",)),
    ("operator", r"(?<=[\w\])]) - (?=[\w(])", (" + ",)),
    ("operator", r" & ", (" | ",)),
    ("operator", r" \| ", (" & ",)),
    ("operator", r" >> ", (" << ",)),
    ("operator", r" << ", (" >> ",)),
    ("operator", r" and ", (" or ",)),
    ("operator", r" or ", (" and ",)),
    ("comparison", r" == ", (" != ",)),
    ("comparison", r" < ", (" <= ",)),
    ("comparison", r" > ", (" >= ",)),
    ("comparison", r" <= ", (" < ",)),
    ("constant", r"(?<=[+*] )(\d+)\b(?!\.)", (r"\g<1>_plus",)),
    ("clip", r"min\(max\((.+?), 0\), \d+\)", (r"\1",)),
    ("operands", r"(\w+(?:\[[^\]]*\])*) - (\w+(?:\[[^\]]*\])*)", (r"\2 - \1",)),
)  # fmt: skip
WITHOUT_CLIPS = r"^(?!.*clip)"
# what stands before (assign, or a condition), the left side, the right side, the rest
_ASSIGNMENT = re.compile(r"^(\s*(?:assign\s+)?(?:if \([^;]*?\) )?)([\w.]+(?:\[[^=<>]*\])?\s*(?:<=|=)\s*)([^;=]+)(;.*)$")


@dataclass(frozen=True)
class Fault:
    """One change of one line."""

    side: str  # rtl or model
    engine: str
    file: str
    line: int
    kind: str
    before: str
    after: str


def equivalent(fault: Fault) -> str | None:
    """Why the change has no effect, where that is known."""
    for (file, before, after), reason in EQUIVALENT.items():
        if fault.file == file and fault.before.replace(before, after, 1) == fault.after:
            return reason
    return None


def _plus(text: str) -> str:
    """A constant marked `_plus` is one larger."""
    return re.sub(r"(\d+)_plus", lambda match: str(int(match[1]) + 1), text)


def _changed(text: str, changes: Sequence[tuple[str, str, tuple[str, ...]]]) -> list[tuple[str, str]]:
    """All (kind, text with one change)."""
    found = []
    for kind, pattern, replacements in changes:
        for match in re.finditer(pattern, text):
            for replacement in replacements:
                after = text[: match.start()] + match.expand(replacement) + text[match.end() :]
                if _plus(after) != text:
                    found.append((kind, _plus(after)))
    return found


def rtl_faults(bench: Bench) -> list[Fault]:
    """Every fault that can be seeded in the engine's own assignments (constants of packages are the model's)."""
    found = []
    for source, path in zip(bench.sources, bench.source_paths(), strict=True):
        folder = source.split("/", 1)[0]
        elsewhere = folder in BENCHES and f"{folder}/{bench.top}.sv" not in bench.sources  # a part of this one
        if source.endswith(("_pkg.sv", ".vlt")) or folder == "common" or folder.startswith("pythondata_") or elsewhere:
            continue
        if "enerated by" in path.read_text(encoding="utf-8").split("\n", 1)[0]:
            continue
        constant = False  # inside a function, whose value may be needed at elaboration
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines()):
            code = line.split("//")[0]
            constant = (constant or "localparam" in code or "parameter" in code) and ";" not in code
            match = None if constant else _ASSIGNMENT.match(code)
            if match is None or re.search(
                r"\b(localparam|parameter|genvar|for|initial|typedef|assert|\$fatal)\b", code
            ):
                continue
            for kind, after in _changed(match[3], _RTL_CHANGES):
                if kind == "sign" and "assign" in match[1]:
                    continue  # both alternatives stand in one expression there, and share their sign
                found.append(Fault("rtl", bench.engine, source, number + 1, kind, match[3].strip(), after.strip()))
    return found


def model_faults(bench: Bench, package: Path) -> list[Fault]:
    """Every fault that can be seeded in the kernels that the bench compares with."""
    found = []
    for name in KERNELS.get(bench.engine, ()):
        path = package / name
        if not path.exists():
            continue
        inside = said = False  # of a kernel; of a docstring
        alone = WITHOUT_TWIN.get(name, ())
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines()):
            if line.startswith(("@kernel", "def ", "@")):
                inside = line.startswith("@kernel") or (inside and line.startswith("def "))
                inside = inside and not re.match(rf"def ({'|'.join(alone)})\(", line) if alone else inside
            code = line.split("  #")[0]
            quotes = line.count('"""')
            if said or quotes:
                said = said != (quotes == 1)
                continue
            if not inside or not re.match(r"\s+\S", code) or re.match(r'\s*("""|#|def |@|for |import |from )', code):
                continue
            if not re.search(r"[=(]", code) or code.count('"'):
                continue
            for kind, after in _changed(code, _MODEL_CHANGES):
                found.append(Fault("model", bench.engine, name, number + 1, kind, code.strip(), after.strip()))
    return found


def choose(faults: list[Fault], count: int, seed: int) -> list[Fault]:
    """`count` faults on different lines, as far as there are so many."""
    rng = random.Random(seed)
    shuffled = faults[:]
    rng.shuffle(shuffled)
    chosen_lines: set[tuple[str, int]] = set()
    first = []
    for fault in shuffled:
        if (fault.file, fault.line) not in chosen_lines:
            chosen_lines.add((fault.file, fault.line))
            first.append(fault)
    return first[:count]


def schemata(bench: Bench, faults: list[Fault], folder: Path) -> Bench:
    """The bench over copies of its sources with all `faults` built in; 0 switches none on."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tasic_mutation_pkg.sv").write_text(SWITCH, encoding="utf-8")
    sources = [str(folder / "tasic_mutation_pkg.sv")]
    for source, path in zip(bench.sources, bench.source_paths(), strict=True):
        lines = path.read_text(encoding="utf-8").splitlines()
        top = path.stem == bench.top
        for number, fault in enumerate(faults, 1):
            if fault.file == source:
                match = _ASSIGNMENT.match(lines[fault.line - 1].split("//")[0])
                assert match is not None
                switch = f"tasic_mutation_pkg::mutant == {number}"
                if "assign" in match[1]:
                    right = f"({switch}) ? ({fault.after}) : ({fault.before})"
                    lines[fault.line - 1] = f"{match[1]}{match[2]}{right}{match[4]}"
                else:
                    changed, plain = f"{match[2]}{fault.after};", f"{match[2]}{fault.before};"
                    lines[fault.line - 1] = f"{match[1]}begin if ({switch}) {changed} else {plain} end{match[4][1:]}"
        if top:
            at = max(n for n, line in enumerate(lines) if line.strip().startswith("endmodule"))
            lines.insert(at, '  initial void\'($value$plusargs("mutant=%d", tasic_mutation_pkg::mutant));')
        copy = folder / path.name
        copy.write_text("\n".join(lines) + "\n", encoding="utf-8")
        sources.append(str(copy))
    waivers = ("-Wno-fatal", "-Wno-lint", "-Wno-style")
    return dataclasses.replace(bench, sources=tuple(sources), build_args=(*bench.build_args, *waivers))


@dataclass(frozen=True)
class Trial:
    """A bench over one fault, or none: what a process of its own runs."""

    bench: Bench
    seed: int
    tests: str | None
    plusargs: tuple[str, ...] = ()
    model: Fault | None = None  # a fault of the model's
    jit: bool = True

    def run(self) -> str | None:
        """None if the bench passes, else how it failed."""
        environment = {} if self.jit else {"NUMBA_DISABLE_JIT": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        with tempfile.TemporaryDirectory() as folder:
            if self.model is not None:
                _mutated_package(self.model, PACKAGE, Path(folder))
            log = Path(folder) / "log"
            with _ended_at_a_failure(log):
                try:
                    run_bench(self.bench, seed=self.seed, plusargs=self.plusargs, environment=environment, log=log,
                              record=False, package_path=folder if self.model else None, tests=self.tests)  # fmt: skip
                except BenchFault as error:
                    if found := _failed(log):
                        return found
                    return re.split(r"(?: failed)?; rerun", str(error))[0].split(": ", 1)[-1][:33]
        return None


def _failed(log: Path) -> str | None:
    """The first test that failed, as the simulation's log says it."""
    found = (
        re.search(r"cocotb\.regression +(?:\S+\.)?(\w+) failed", log.read_text(errors="replace"))
        if log.exists()
        else None
    )
    return found[1] if found else None


@contextlib.contextmanager
def _ended_at_a_failure(log: Path) -> Iterator[None]:
    """End the simulation that this process runs inside as soon as its log names a failed test."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.3):
            if _failed(log):
                children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
                for child in children.read_text().split() if children.exists() else ():
                    os.kill(int(child), signal.SIGKILL)
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def _mutated_package(fault: Fault, package: Path, folder: Path) -> None:
    """A copy of the model in `folder` with the fault in it."""
    shutil.copytree(package, folder / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    path = folder / package.name / fault.file
    lines = path.read_text(encoding="utf-8").splitlines()
    line = lines[fault.line - 1]
    lines[fault.line - 1] = line.replace(fault.before, fault.after, 1)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _compiles(fault: Fault, package: Path) -> bool:
    line = (package / fault.file).read_text(encoding="utf-8").splitlines()
    line[fault.line - 1] = line[fault.line - 1].replace(fault.before, fault.after, 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # "4if x" is legal with a warning, and nothing that anybody writes
            compile("\n".join(line), fault.file, "exec")
    except (SyntaxError, SyntaxWarning, ValueError):
        return False
    return True


def campaign(
    engines: Sequence[str], *, faults: int, side: str, seed: int, jobs: int = 2
) -> Iterator[tuple[str, float]]:
    """Yield (line of the table, share caught so far); the last line is the sum.

    Raises BenchFault if a bench fails with no fault seeded.
    """
    named = chosen(engines)
    began = time.monotonic()
    yield f"{'side':6}{'engine':18}{'kind':12}{'where':44}{'caught by':34}change", 1.0
    caught = total = 0
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        for which in ("rtl", "model") if side == "both" else (side,):
            benches = [bench for bench in named if bench.engine in (KERNELS if which == "model" else SEEDED)]
            share = _shares(faults, [PORTIONS.get(bench.engine, 1) for bench in benches])
            plans = [_plan(bench, which, count, seed) for bench, count in zip(benches, share, strict=True)]
            sound = [trial for plan in plans for trial in plan.sound]
            for trial, broken in zip(sound, pool.map(Trial.run, sound), strict=True):
                if broken is not None:
                    raise BenchFault(f"{trial.bench.engine}: the bench fails without a fault: {broken}")
            picked = [(fault, trials) for plan in plans for fault, trials in plan.faults]
            for (fault, _), found in zip(picked, pool.map(_first, [trials for _, trials in picked]), strict=True):
                reason = equivalent(fault) if found is None else None
                total += reason is None
                caught += found is not None
                where = f"{fault.file}:{fault.line}"
                change = f"{fault.before[:50]}  ->  {fault.after[:50]}"
                verdict = found or ("no effect" if reason else "NOT CAUGHT")
                yield (
                    f"{which:6}{fault.engine:18}{fault.kind:12}{where:44}{verdict:34}"
                    f"{change}{f'  ({reason})' if reason else ''}",
                    caught / max(1, total),
                )
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = f"{time.monotonic() - began:.0f} s, {used.ru_utime + used.ru_stime:.0f} s of CPU time"
    yield f"{caught} of {total} caught, {caught / max(1, total):.1%}; {spent}", caught / max(1, total)


def _shares(count: int, portions: Sequence[int]) -> list[int]:
    """`count` shared out by portions; what is left goes to the first."""
    share = [count * portion // max(1, sum(portions)) for portion in portions]
    return [part + (n < count - sum(share)) for n, part in enumerate(share)]


class Plan(NamedTuple):
    """What is run of one engine: trials without a fault, and those of each fault until one catches it."""

    sound: list[Trial]
    faults: list[tuple[Fault, list[Trial]]]


def _first(trials: Sequence[Trial]) -> str | None:
    """How the first trial failed that did."""
    return next((found for trial in trials if (found := trial.run()) is not None), None)


def _plan(bench: Bench, side: str, count: int, seed: int) -> Plan:
    if side == "rtl":
        picked = choose(rtl_faults(bench), count, seed)
        folder = build_base() / "mutants" / f"{bench.engine}-{content_digest(bench.source_paths(), picked)}"
        mutated = [schemata(BENCHES[name], picked, folder) for name in (bench.engine, *ALSO_AS.get(bench.engine, ()))]
        trials = [
            [Trial(each, seed, TESTS.get(bench.engine), (f"+mutant={number}",)) for each in mutated]
            for number in range(len(picked) + 1)
        ]
        return Plan(trials[0], list(zip(picked, trials[1:], strict=True)))
    # Clips are encoded by the whole model, which is not the bench's to check and takes hours without the JIT.
    sound = [
        Trial(BENCHES[name], seed, WITHOUT_CLIPS, jit=False) for name in (bench.engine, *ALSO_BY.get(bench.engine, ()))
    ]
    usable = [fault for fault in model_faults(bench, PACKAGE) if _compiles(fault, PACKAGE)]
    return Plan(
        sound,
        [
            (fault, [dataclasses.replace(trial, model=fault) for trial in sound])
            for fault in choose(usable, count, seed)
        ],
    )


def main() -> None:
    """Only for a look at what could be seeded: the number of faults by engine and kind."""
    for bench in chosen(sys.argv[1:]):
        print(bench.engine, len(rtl_faults(bench)), len(model_faults(bench, PACKAGE)))


if __name__ == "__main__":
    main()
