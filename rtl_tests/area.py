"""Gate counts of the engines' RTL from Yosys: NAND2 equivalents, SRAM bits, and the longest path in gates.

Needs `pyosys` (pip install 'tasic[area]'), Yosys with its SystemVerilog front end as a Python module; the WebAssembly
build of the same version does not get through an engine of this size. Mapped to two-input gates, AOI and OAI; weights
below. Memories in modules called `sram_*` count as SRAM bits, all others become flip-flops; paths end at an SRAM, which
reads on the clock. Engines inside of an engine are synthesised alone, in their default parameters, and added: paths are
not followed from one into another, and SRAM bits are those of the sizes that stand there. Results are kept by content
in `sim_build/area/`.
"""

import hashlib
import importlib.metadata
import importlib.util
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from asic_model.area import table as table_of_model
from rtl_tests.campaign import chosen
from rtl_tests.simulator import BENCHES, Bench, BenchFault, build_base, content_digest, locked

WALL_SECONDS = 3600
# Area of a cell in NAND2 equivalents, in the proportions of an open 45 nm library.
WEIGHTS = {
    "NOT": 0.67, "NAND": 1.0, "NOR": 1.0, "AND": 1.33, "OR": 1.33, "AOI3": 1.33, "OAI3": 1.33, "MUX": 2.33, "XOR": 2.0,
    "XNOR": 2.0,
}  # fmt: skip
FLIP_FLOP, ENABLE, RESET = 5.67, 2.33, 1.33  # a flip-flop; a multiplexer, a gate more where it has them
# Gate counts of published parts, for orientation: whole encoders and decoders, each of another scope.
PUBLISHED = (
    ("HEVC encoder, 4K30, 28 nm", 2_880_000, 117, "ISLPED18"),
    ("H.264 encoder, 1080p30, 180 nm, with its processor", 1_140_000, 108.3, "JSSC09"),
    ("H.264 decoder, 8K60, 65 nm", 1_338_000, 79.9, "zhou"),
    ("H.264 decoder, 4K60, 90 nm", 662_000, 59.6, "zhou"),
)

# What is counted: the tops of the benches, and engines that only stand inside of one.
DESIGNS = {
    **BENCHES,
    "mode_decision": replace(
        BENCHES["encode_core"],
        engine="mode_decision",
        top="mode_decision",
        sources=tuple(
            source
            for source in BENCHES["encode_core"].sources
            if source.endswith("_pkg.sv")
            or source.split("/")[0]
            in (
                "common",
                "transform",
                "intra_prediction",
                "motion_search",
                "inter_prediction",
                "fractional_search",
                "mode_decision",
            )
        ),
    ),
}

_SCRIPT = """
read_slang --keep-hierarchy --ignore-assertions --top {top} {arguments}
tee -o {folder}/{engine}.memories.json stat -json
{blackbox}
synth -flatten -noabc -top {top}
abc -g AND,NAND,OR,NOR,XOR,XNOR,MUX,AOI3,OAI3
opt_clean
tee -o {folder}/{engine}.gates.json stat -json
{delete}
tee -o {folder}/{engine}.path.txt ltp -noff
"""
# Runs in a process of its own: Yosys ends the process that it fails in.
RUNNER = """import sys
from pyosys import libyosys
design = libyosys.Design()
for line in sys.stdin:
    if line.strip():
        libyosys.run_pass(line.strip(), design)
"""


@dataclass(frozen=True)
class Area:
    """What one engine's RTL becomes."""

    engine: str
    gates: float  # NAND2 equivalents, flip-flops included, SRAM not
    flip_flops: int
    sram_bits: int
    depth: int  # gates on the longest path between registers
    parts: dict[str, int] = field(default_factory=dict)  # engines inside, counted above, and how many of each


def measure(bench: Bench) -> Area:
    """An engine with those inside of it. Raises BenchFault with Yosys' own words."""
    own = _alone(bench)
    parts = [(_recorded(name) or measure(DESIGNS[name]), number) for name, number in own.parts.items()]
    return replace(
        own,
        gates=own.gates + sum(part.gates * number for part, number in parts),
        flip_flops=own.flip_flops + sum(part.flip_flops * number for part, number in parts),
        depth=max([own.depth, *(part.depth for part, _ in parts)]),
    )


def _recorded(name: str) -> Area | None:
    """What the model's table says of an engine, if it was counted on these sources by this version of the tool."""
    known = table_of_model()
    found = known["engines"].get(name)
    if found is None or known["tool"] != tool() or found["sources"] != sources_digest(DESIGNS[name]):
        return None
    return Area(name, **{key: value for key, value in found.items() if key != "sources"})


def tool() -> str:
    return f"pyosys {importlib.metadata.version('pyosys')}"


def _alone(bench: Bench) -> Area:
    """Synthesise an engine without those inside of it, or take the result that stands; SRAM bits are all of them."""
    if importlib.util.find_spec("pyosys") is None:
        raise BenchFault("pyosys is not installed: pip install 'tasic[area]'")
    folder = build_base() / "area"
    key = content_digest(bench.source_paths(), sorted(bench.parameters.items()), _SCRIPT, WEIGHTS)
    place = folder / f"{bench.engine}-{key}.json"
    with locked(folder / f"{bench.engine}.lock"):
        if not place.exists():
            found = _synthesise(bench, folder)
            place.write_text(json.dumps(asdict(found)), encoding="utf-8")
    return Area(**json.loads(place.read_text(encoding="utf-8")))


def inside(bench: Bench) -> list[str]:
    """Engines among the sources of another: black boxes to it."""
    return [
        name
        for name, design in DESIGNS.items()
        if name == design.top != bench.top and f"{name}/{name}.sv" in bench.sources
    ]


def sources(bench: Bench) -> list[Path]:
    """What Yosys reads of a bench's sources: no waivers for Verilator."""
    return [path for path in bench.source_paths() if path.suffix != ".vlt"]


def _synthesise(bench: Bench, folder: Path) -> Area:
    folder.mkdir(parents=True, exist_ok=True)
    arguments = [f"-G {name}={value}" for name, value in sorted(bench.parameters.items())]
    arguments += [str(path) for path in sources(bench)]
    srams = sorted({path.stem for path in sources(bench) if path.stem.startswith("sram_")})
    black_boxes = [f"{name}*" for name in srams] + [f"{name}$*" for name in inside(bench)]
    script = _SCRIPT.format(
        top=bench.top, arguments=" ".join(arguments), folder=folder, engine=bench.engine,
        blackbox="\n".join(f"blackbox {pattern}" for pattern in black_boxes),
        delete="\n".join(f"delete t:{pattern}" for pattern in black_boxes),
    )  # fmt: skip
    try:
        done = subprocess.run(
            [sys.executable, "-c", RUNNER], input=script, capture_output=True, text=True, timeout=WALL_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise BenchFault(f"{bench.engine}: Yosys took more than {WALL_SECONDS} s") from None
    if done.returncode:
        errors = [line for line in (done.stdout + done.stderr).splitlines() if "ERROR" in line or "error:" in line]
        raise BenchFault(f"{bench.engine}: Yosys: {'; '.join(errors[:3]) or done.stderr[-500:]}")
    return read(bench.engine, folder, srams, inside(bench))


def read(engine: str, folder: Path, srams: Sequence[str], engines: Sequence[str] = ()) -> Area:
    """Add up what Yosys wrote about an engine in which `engines` may stand."""
    memories = json.loads((folder / f"{engine}.memories.json").read_text(encoding="utf-8"))["modules"]
    cells = json.loads((folder / f"{engine}.gates.json").read_text(encoding="utf-8"))["design"]["num_cells_by_type"]
    path = re.search(r"length=(\d+)", (folder / f"{engine}.path.txt").read_text(encoding="utf-8"))
    bits = sum(module["num_memory_bits"] for name, module in memories.items() if any(sram in name for sram in srams))
    parts: Counter[str] = Counter()
    for name in list(cells):
        if (module := name.lstrip("\\").split("$")[0]) in engines:
            parts[module] += cells.pop(name)
    gates, flip_flops = count(cells)
    return Area(engine, gates, flip_flops, bits, int(path[1]) if path else 0, dict(parts))


def count(cells: Mapping[str, int]) -> tuple[float, int]:
    """NAND2 equivalents and flip-flops of {Yosys' cell type: number}. Raises BenchFault for a cell without a weight."""
    gates, flip_flops = 0.0, 0
    for name, number in cells.items():
        kind = name.strip("$\\").strip("_")
        family = kind.split("_")[0]
        if family in WEIGHTS:
            gates += WEIGHTS[family] * number
        elif "DFF" in family:
            flip_flops += number
            gates += number * (FLIP_FLOP + ENABLE * ("E" in family.split("DFF")[1]) + RESET * (family != "DFF" and
                               family != "DFFE"))  # fmt: skip
        elif "sram" not in name and family not in ("scopeinfo", "print", "check"):
            raise BenchFault(f"Yosys left {number} cells of type {name}, which have no weight")
    return gates, flip_flops


def sources_digest(bench: Bench) -> str:
    """Twelve digits of what was counted: the engine's RTL and its parameters."""
    digest = hashlib.sha256(repr(sorted(bench.parameters.items())).encode())
    for path in sources(bench):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def record(engines: Sequence[str], path: Path) -> None:
    """Enter the counts of the named engines (all) in the table that the model reads."""
    known = json.loads(path.read_text(encoding="utf-8"))["engines"] if path.exists() else {}
    for bench in chosen(engines, DESIGNS):
        counted = {name: value for name, value in asdict(measure(bench)).items() if name != "engine"}
        known[bench.engine] = {**counted, "sources": sources_digest(bench)}
    found = {
        "made_by": "tasic rtl area --record",
        "tool": tool(),
        "date": datetime.now(UTC).date().isoformat(),
        "engines": dict(sorted(known.items())),
    }
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def table(engines: Sequence[str]) -> str:
    """The table of the named engines (all), and the published figures beside it."""
    rows = [f"{'engine':24}{'NAND2 eq.':>12}{'flip-flops':>12}{'SRAM bits':>12}{'depth':>8}  counted in"]
    for bench in chosen(engines, DESIGNS):
        area = measure(bench)
        parts = ", ".join(name if number == 1 else f"{number} {name}" for name, number in area.parts.items())
        figures = f"{area.gates:12,.0f}{area.flip_flops:12,}{area.sram_bits:12,}{area.depth:8}"
        rows.append(f"{area.engine:24}{figures}  {parts}".rstrip())
    rows.append("published, whole parts:")
    rows += [f"  {name:52}{gates:12,} gates, {sram:g} KB SRAM  {source}" for name, gates, sram, source in PUBLISHED]
    return "\n".join(rows)
