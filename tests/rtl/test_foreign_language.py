"""Is an adapter read as it is meant, and is everything else refused in one clear line?"""

import contextlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asic_model import timing_table
from asic_model.chips.reader import ConfigError
from rtl_tests.foreign import expressions, sources
from rtl_tests.foreign.description import json_schema
from rtl_tests.foreign.layout import Layout, beat_bits, order_of, zigzag_scan, zscan
from rtl_tests.foreign.reading import parse_adapter
from rtl_tests.foreign.sources import Port, SourceSet
from rtl_tests.foreign.streams import Input
from rtl_tests.foreign.transactions import TRANSACTIONS
from rtl_tests.foreign.transactions.block_transform import hevc_forward, hevc_inverse, hevc_matrix
from rtl_tests.foreign.transactions.intra_predict import hevc_predict
from rtl_tests.foreign.words import expand, ranges

GOOD = """adapter: 1
block: {name: b, standard: h264, transaction: transform}
top: dut
sources: {files: [a.v]}
clock: {port: clk}
supports: {forward: {core: [4]}}
inputs:
  rows: {field: block, kind: valid, valid: en, ports: "x{0..3}"}
outputs:
  rows: {field: block, kind: valid, valid: vld, ports: [y0, y1]}
"""


def message(text):
    with pytest.raises(ConfigError) as caught:
        parse_adapter(text.encode(), "b.yaml")
    return str(caught.value)


def test_names_of_the_engines_are_transactions():
    """The issue's and the engines' names stand for the transactions."""
    assert parse_adapter(GOOD.encode()).block.transaction == "block_transform"
    assert parse_adapter(GOOD.replace("transform}", "cabac}").encode()).block.transaction == "residual_code"


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("top: dut\n", "", "b.yaml:1: top: is missing; needed: module to instantiate"),
        ("top: dut", "topp: dut", "b.yaml:3: topp: unknown field; did you mean 'top'?"),
        ("standard: h264", "standard: h265", "b.yaml:2: block.standard: 'h265' is not allowed"),
        ("standard: h264", "standard: h265", "one of h264, hevc, jpeg, mpeg2, none"),
        ("transaction: transform", "transaction: transfrom", "did you mean 'transform'?"),
        ("kind: valid, valid: en", "kind: vaild, valid: en", "inputs.rows.kind: 'vaild' is not allowed"),
        ("kind: valid, valid: en", "kind: valid_ready, valid: en", "inputs.rows: kind valid_ready needs `ready`"),
        ("{port: clk}", "{port: clk, edge: up}", "clock.edge: 'up' is not allowed"),
        ("adapter: 1", "adapter: 2", "adapter: 2 is not allowed"),
        ("files: [a.v]", "files: []", "sources.files: [] is not allowed"),
        ("top: dut", "top: dut\ntop: dut2", "b.yaml:4: top: is given twice"),
        ("top: dut", "top: &x dut", "anchors and aliases are not used here"),
        ("top: dut", "top: dut\nconfig: {qp: qp}", "`config` needs a `control` section"),
        ("top: dut", "top: dut\ntimeout_cycles: 1", "10..1073741824"),
        ("valid: en", "valid: en, set: {q: 'qp +'}", "'qp +' is not an expression"),
        ("valid: en", "valid: en, set: {q: '__import__(1)'}", "functions are min, max, abs, log2"),
        ("kind: valid, valid: en", "kind: ram, address: 'a; $finish'", "is not an expression over ports"),
        ("valid: en", "valid: '!!en'", "inputs.rows.valid: '!!en' is not allowed"),
        ("valid: vld", "valid: 'vld; x'", "is not an expression over ports"),
        ("field: block, kind: valid, valid: en", "field: [block, Ab], kind: valid, valid: en", "'Ab' is not a field"),
        ("valid: en", "valid: en, columns: 0..x", "is not a list of numbers and ranges"),
        ("valid: en", "valid: en, after: rows", "needs a `control` section"),
        ("valid: vld", "valid: vld, latency: unknown", "only kind latency looks for its latency"),
        ("kind: valid, valid: en", "kind: hold, strobe: {a: 1}", "`strobe` belongs to kinds valid and valid_ready"),
        ("{files: [a.v]}", "{files: [a.v], overlay: [{file: a, replace: ['(', x], why: w}]}", "not a regular exp"),
    ],
)  # fmt: skip
def test_mistakes_are_explained(old, new, found):
    """Line, field, value, what is allowed, and the nearest right word."""
    assert old in GOOD
    assert found in message(GOOD.replace(old, new, 1))


@given(st.binary(max_size=400))
def test_any_bytes_are_refused_or_read(data):
    """Whatever the file holds: an adapter or a ConfigError, never anything else."""
    with contextlib.suppress(ConfigError):
        parse_adapter(data)


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_mutated_adapters_are_refused_or_read(data):
    """Lines dropped, doubled and swapped, words replaced by odd ones: the same."""
    lines = GOOD.splitlines()
    odd = ["1", "-1", "null", "[]", "{}", "true", "''", "1e400", "0x" + "f" * 40, "{a: {b: [1, {c: 2}]}}", "x" * 3000]
    for _ in range(data.draw(st.integers(1, 4))):
        n = data.draw(st.integers(0, len(lines) - 1))
        kind = data.draw(st.integers(0, 3))
        if kind == 0 and len(lines) > 1:
            del lines[n]
        elif kind == 1:
            lines.insert(n, lines[n])
        elif kind == 2:
            lines[n], lines[-1] = lines[-1], lines[n]
        else:
            words = re.split(r"(: |, |\{|\})", lines[n])
            words[data.draw(st.integers(0, len(words) - 1))] = data.draw(st.sampled_from(odd))
            lines[n] = "".join(words)
    try:
        parse_adapter("\n".join(lines).encode())
    except ConfigError as error:
        said = [str(problem) for problem in error.problems]
    else:
        return
    assert said
    assert not any("\n" in line for line in said)


@given(st.text(max_size=60), st.dictionaries(st.sampled_from("abqp"), st.integers(-1000, 1000)))
def test_any_expression_is_refused_or_computed(text, fields):
    with contextlib.suppress(expressions.ExpressionError):
        assert isinstance(expressions.evaluate(text, fields), int)


@pytest.mark.parametrize(
    ("text", "value"),
    [("qp // 6 + 15", 19), ("log2(size) - 2", 1), ("1 if intra else 0", 1), ("(qp % 6) << 4 | 3", 0x23), ("-qp", -26),
     ("min(qp, 12, 40) * 2", 24), ("~0 & 0xff", 255), ("not intra", 0), ("2 < size <= 8 and qp > 3", 1), (7, 7)],
)  # fmt: skip
def test_expressions(text, value):
    """Values worked out by hand for qp 26, size 8, intra 1."""
    assert expressions.evaluate(text, {"qp": 26, "size": 8, "intra": 1}) == value


@pytest.mark.parametrize("text", ["1 << 99999", "9 ** 9", "qp.real", "[1]", "'a'", "1.5", "f(1)", "10 // 0", "x"])
def test_expressions_refused(text):
    with pytest.raises(expressions.ExpressionError):
        expressions.evaluate(text, {"qp": 1})


def test_ports_are_counted_out():
    assert expand("i_{0..3}") == ["i_0", "i_1", "i_2", "i_3"]
    assert expand("a{08..10}_b") == ["a08_b", "a09_b", "a10_b"]
    assert expand("r{1..0}c{0..1}") == ["r1c0", "r1c1", "r0c0", "r0c1"]


def stream(**fields):
    return Input(field="block", kind="hold", ports="p", **fields)


def test_lanes_of_a_descending_and_an_ascending_port():
    """[3:0][7:0] carries element 0 in the low byte, [0:3][7:0] in the high one."""
    values = np.array([[1, 2], [3, 4]])
    down, up = Port("p", "INPUT", 32), Port("p", "INPUT", 32, ascending=True)
    assert Layout("s", stream(width=8), [down]).pack([values], 2) == [0x04030201]
    assert Layout("s", stream(width=8), [up]).pack([values], 2) == [0x01020304]
    assert Layout("s", stream(width=8, first="high"), [down]).pack([values], 2) == [0x01020304]
    assert Layout("s", stream(width=8, order="transposed"), [down]).pack([values], 2) == [0x04020301]


def test_lanes_of_an_unpacked_port_and_of_several_ports():
    """An unpacked array comes with its first index lowest; several ports come in the order given."""
    values = np.array([1, 2, 3, 4])
    unpacked = Port("p", "INPUT", 32, dimensions=((0, 3),))
    assert Layout("s", stream(), [unpacked]).pack([values], 4) == [0x04030201]
    four = [Port(f"p{n}", "INPUT", 8) for n in range(4)]
    assert Layout("s", stream(), four).pack([values], 4) == [0x04030201]
    chosen = stream(width=4, per_beat=2, lanes=[0, 3])
    assert Layout("s", chosen, [Port("p", "INPUT", 16)]).pack([values], 4) == [0x2001, 0x4003]


@given(
    st.integers(1, 4), st.integers(1, 4), st.booleans(), st.booleans(),
    st.sampled_from(["raster", "transposed", "zigzag", "inverse_zigzag"]), st.randoms(),
)  # fmt: skip
def test_packing_is_undone_by_unpacking(rows, per_beat, ascending, signed, order, random):
    size = 2 * rows
    values = np.array(
        [[random.randint(-8, 7) if signed else random.randint(0, 15) for _ in range(size)] for _ in range(size)]
    )
    layout = Layout(
        "s", stream(width=4, signed=signed, order=order, per_beat=per_beat), [Port("p", "INPUT", 16, ascending)]
    )
    beats = layout.pack([values], size)
    assert len(beats) == layout.beats_for([values.shape], size) == -(-size * size // per_beat)
    assert (layout.unpack(beats, size, [0 * values])[0] == values).all()


def test_numbers_are_counted_out():
    assert ranges("0..3 8, 11..9") == [0, 1, 2, 3, 8, 11, 10, 9]
    assert ranges("1..7:2 6..0:3") == [1, 3, 5, 7, 6, 3, 0]
    with pytest.raises(ValueError, match="not a list of numbers"):
        ranges("0-3")


def test_blocks_in_scan_order():
    """The 4x4 blocks of a macroblock as figure 6-10 of H.264 numbers them; samples block by block."""
    assert zscan((4, 4)).tolist() == [0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15]
    samples = np.arange(64).reshape(8, 8)
    order = order_of("zscan", samples.shape, 4)
    assert order[:8].tolist() == [0, 1, 2, 3, 8, 9, 10, 11]
    assert order[16:20].tolist() == [4, 5, 6, 7]
    assert order[32:36].tolist() == [32, 33, 34, 35]
    with pytest.raises(sources.AdapterFault, match="tile: 3 does not divide a field of 8x8"):
        order_of("raster", samples.shape, 3)


def test_bits_of_a_beat():
    """Bytes of a word low or high first, bits of a byte low first, and a count at either end."""

    def bits(length=None, align="low", reverse=False, **fields):
        return beat_bits(Layout("s", stream(**fields), [Port("p", "OUTPUT", 16)]), 0x80F1, length, align, reverse)

    assert bits() == "1000000011110001"
    assert bits(width=8) == "1111000110000000"
    assert bits(width=8, first="high") == "1000000011110001"
    assert bits(width=8, first="high", reverse=True) == "0000000110001111"
    assert bits(3) == "001"
    assert bits(3, "high") == "100"


def test_rows_at_a_pitch():
    """Lanes 0, 1 and 4, 5 of eight: a 2x2 block in the corner of two rows of four."""
    layout = Layout("s", stream(width=4, pitch={2: 4, 4: 4}), [Port("p", "INPUT", 32)])
    assert layout.pack([np.array([[1, 2], [3, 4]])], 2) == [0x00430021]
    four = np.arange(16).reshape(4, 4)
    assert layout.pack([four], 4) == [0x76543210, 0xFEDCBA98]
    assert (layout.unpack([0x76543210, 0xFEDCBA98], 4, [0 * four])[0] == four).all()


def test_columns_and_several_fields():
    """Columns 2 and 1 of each row; of two fields the second follows the first, also within a beat."""
    block = np.array([[1, 2, 3], [4, 5, 6]])
    layout = Layout("s", stream(width=4, columns="2..1"), [Port("p", "INPUT", 8)])
    assert layout.pack([block], 2) == [0x23, 0x56]
    right = np.array([[9, 0, 0], [9, 0, 0]])
    assert layout.unpack([0x23, 0x56], 2, [right])[0].tolist() == [[9, 2, 3], [9, 5, 6]]
    two = Layout("s", stream(width=4, per_beat=2), [Port("p", "INPUT", 8)])
    fields = [np.array([1, 2, 3]), np.array([4])]
    assert two.pack(fields, 4) == [0x21, 0x43]
    assert two.parts([each.shape for each in fields], 4) == [0, 0]
    assert [each.tolist() for each in two.unpack([0x21, 0x43], 4, [0 * fields[0], 0 * fields[1]])] == [[1, 2, 3], [4]]


def test_zigzag_is_figure_8_8():
    """The 4x4 frame scan of H.264, written out from the figure; `inverse_zigzag` undoes it."""
    assert zigzag_scan((4, 4)).tolist() == [0, 1, 4, 8, 5, 2, 3, 6, 9, 12, 13, 10, 7, 11, 14, 15]
    scan = order_of("zigzag", (4, 4))
    assert scan[order_of("inverse_zigzag", (4, 4))].tolist() == list(range(16))


@pytest.mark.parametrize("size", [4, 8, 16, 32])
def test_hevc_transform_is_a_cosine_transform(size):
    """Rows are orthogonal to a few per mille, the first column is the published one, and the pair nearly inverts."""
    matrix = hevc_matrix(size)
    gram = matrix @ matrix.T / (64 * 64 * size)
    assert np.abs(gram - np.eye(size)).max() < 0.01
    assert matrix[0].tolist() == [64] * size
    assert matrix[1, 0] == {4: 83, 8: 89, 16: 90, 32: 90}[size]
    block = np.random.default_rng(1).integers(-255, 256, (size, size))
    # Coefficients are rounded to whole numbers on the way: a few steps at most, less than one on average.
    error = np.abs(hevc_inverse(hevc_forward(block, matrix), matrix) - block)
    assert error.max() <= 4
    assert error.mean() < 1


def test_hevc_intra_simple_cases():
    """A flat line predicts itself in every mode; pure vertical copies the row above; planar of a corner by hand."""
    flat = np.full(33, 90)
    for mode in range(35):
        assert (hevc_predict(flat, 8, mode) == 90).all()
    line = np.concatenate([np.full(8, 10), [10], np.arange(20, 28)])  # left bottom ... corner ... above right, size 4
    vertical = hevc_predict(line, 4, 26)
    assert vertical[:, 1:].tolist() == [[21, 22, 23]] * 4
    # 4x4, planar, (0, 0): (3 * left[0] + 1 * above[4] + 3 * above[0] + 1 * left[4] + 4) >> 3
    assert hevc_predict(line, 4, 0)[0, 0] == (3 * 10 + 24 + 3 * 20 + 10 + 4) >> 3
    # mode 34: 45 degrees from the upper right, pixel (0, 0) is above[1]
    assert hevc_predict(line, 4, 34)[0].tolist() == [21, 22, 23, 24]


def test_file_lists(tmp_path):
    """Names, include folders, macros, nested lists and comments, relative to the list's own folder."""
    (tmp_path / "sub").mkdir()
    for name in ("a.v", "b.v", "sub/c.v"):
        (tmp_path / name).write_text("module m; endmodule\n")
    (tmp_path / "top.f").write_text(
        "a.v // first\n+incdir+sub+.\n# nothing\n-f sub/more.f\n/* b.v\n*/ +define+W=8+FAST\n"
    )
    (tmp_path / "sub" / "more.f").write_text("c.v\n-v ../b.v\n")
    found = SourceSet()
    sources._file_list(tmp_path / "top.f", found, 0)
    assert [path.name for path in found.files] == ["a.v", "c.v", "b.v"]
    assert found.incdirs == [tmp_path / "sub", tmp_path]
    assert found.defines == {"W": "8", "FAST": ""}
    (tmp_path / "bad.f").write_text("--unknown\n")
    with pytest.raises(sources.AdapterFault, match="--unknown is not understood"):
        sources._file_list(tmp_path / "bad.f", found, 0)


def test_schema_names_every_section():
    schema = json.loads(json_schema())
    assert {"block", "sources", "inputs", "outputs", "memory_ports", "control"} <= schema["properties"].keys()


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"kind": "other"}, "is no timing table"),
        ({"format": 2}, "format: 2 is not understood"),
        ({"stage": "transfrom"}, "stage: 'transfrom' is not one of"),
        ({"law": {"per": {"bins": 1.0}}}, "'bins' is no field of the work record"),
        ({"law": {"constant": -1.0}}, "law.constant: -1.0 is not allowed"),
        ({"law": 3}, "law: is missing"),
        ({"law": {"extra": 1}}, "law.extra"),
    ],
)
def test_timing_tables_are_checked(tmp_path, change, found):
    table = {"kind": "tasic-timing", "format": 1, "stage": "deblock", "block": "x", "law": {"constant": 5.0}} | change
    path = tmp_path / "t.json"
    path.write_text(json.dumps(table))
    with pytest.raises(timing_table.TimingError) as caught:
        timing_table.load(path)
    assert found in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_page_names_every_word():
    """Every field of the language and every option of a transaction stands in docs/rtl_check.md."""
    page = (Path(__file__).parents[2] / "docs" / "rtl_check.md").read_text()
    schema = json.loads(json_schema())
    fields = {name for part in [schema, *schema["$defs"].values()] for name in part.get("properties", {})}
    options = {name for transaction in TRANSACTIONS.values() for name in transaction.options}
    bounds = {name for transaction in TRANSACTIONS.values() for name in transaction.bounds}
    fences = re.findall(r"```.*?```", page, re.DOTALL)
    spans = [span for _, span in re.findall(r"(`+)(.+?)\1", re.sub(r"```.*?```", "", page, flags=re.DOTALL))]
    words = set(re.findall(r"[A-Za-z0-9_]+", " ".join([*fences, *spans])))
    assert sorted((fields | options | bounds) - words) == []
