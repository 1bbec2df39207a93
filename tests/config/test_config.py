"""Chip descriptions load, carry a source for every figure, and whatever is wrong in one is named on one line."""

import json
import subprocess
import sys
from contextlib import suppress
from importlib import resources
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from asic_model.chips.reader import MARKS, MAX_BYTES, ConfigError
from asic_model.config import (
    ChipConfig,
    field_info,
    figures,
    json_schema,
    list_chips,
    load_chip,
    parse_chip,
    with_changes,
)

VCU = resources.files("asic_model.chips").joinpath("vcu.yaml").read_text()


def complaint(text: str | bytes) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_chip(text.encode() if isinstance(text, str) else text, "vcu.yaml")
    return str(caught.value)


def changed(old: str, new: str) -> str:
    assert old in VCU
    return VCU.replace(old, new, 1)


@pytest.mark.parametrize("name", list_chips())
def test_every_figure_of_every_chip_has_a_source(name: str) -> None:
    config = load_chip(name)
    assert config.name == name
    assert set(config.sources) == set(figures(config))
    for path, source in config.sources.items():
        assert source.mark in MARKS, path
        assert source.text, path
        assert source.text != "the model's default", f"{path} is not in {name}.yaml"


def test_published_figures_of_the_vcu() -> None:
    """ASPLOS 2021 as the calibration tables have it: 10 cores, 4 x 32-bit LPDDR4-3200 (47.7 GiB/s), 8 GB."""
    config = load_chip("vcu")
    assert config.encode.cores == 10
    assert round(config.memory.peak_bytes_s / 2**30, 1) == 47.7
    assert config.memory.capacity_bytes == 8 << 30
    assert config.limits.encode_mpix_s == pytest.approx(10 * 3840 * 2160 * 60 / 1e6)
    assert config.sources["encode.cores"].mark == "published"
    assert config.sources["decode.cores"].mark == "assumption"  # three is recalled only


def test_msvp_bandwidth_is_the_published_88_gb_s() -> None:
    assert load_chip("msvp").memory.peak_bytes_s == pytest.approx(88e9, rel=1e-3)


def test_a_chip_is_frozen_and_periods_are_whole_picoseconds() -> None:
    config = load_chip("vcu")
    with pytest.raises(ValidationError):
        config.name = "other"  # type: ignore[misc]
    assert (config.clocks.core_ps, config.clocks.control_ps) == (1250, 2500)


def test_every_numeric_field_has_range_and_unit() -> None:
    for path in figures(load_chip("vcu")):
        info = field_info(path)
        assert info is not None, path
        assert info.description, path
        if info.annotation in (int, float):
            bounds = {name for entry in info.metadata for name in ("ge", "le") if hasattr(entry, name)}
            assert bounds == {"ge", "le"}, path


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("core_mhz: 800", "core_mhz: 80000", ["vcu.yaml:10", "clocks.core_mhz", "80000", "10..5000", "MHz"]),
        ("core_mhz: 800", 'core_mhz: "0.8 GHz"', ["clocks.core_mhz", "'0.8 GHz'", "text", "MHz"]),
        ("core_mhz: 800", "core_mhz: 0.8 GHz", ["clocks.core_mhz", "'0.8 GHz'", "text", "MHz"]),
        ("core_mhz: 800", "core_ghz: 0.8", ["clocks.core_ghz", "did you mean 'core_mhz'"]),
        ("core_mhz: 800", "core_mhz: true", ["clocks.core_mhz", "True"]),
        ("core_mhz: 800", "core_mhz: [800]", ["clocks.core_mhz"]),
        ("core_mhz: 800", "core_mhz:", ["clocks.core_mhz", "None"]),
        ("cores: {value: 10", "coers: {value: 10", ["encode.coers", "did you mean 'cores'", "1..64"]),
        ("cores: {value: 10", "cores: {value: 10.5", ["encode.cores", "10.5", "integer"]),
        ("{value: LPDDR4-3200,", "{value: LPDRR4-3200,", ["memory.standard", "did you mean 'LPDDR4-3200'"]),
        ("  ranks: 1\n", "  ranks: 1\n  ranks: 2\n", ["memory.ranks", "given twice"]),
        ("mark: derived", "mark: derive", ["memory.channels", "'derive'", "published, derived"]),
        ("  ranks: 1\n", "  ranks: {value: 1}\n", ["memory.ranks", "`mark`"]),
        ("  ranks: 1\n", "  ranks: {value: 1, mark: published}\n", ["memory.ranks", "`source`"]),
        ("interleave_bytes: 256", "interleave_bytes: 250", ["memory", "250", "power of two"]),
        ("interleave_bytes: 256", "interleave_bytes: 4096", ["memory", "burst (32)", "row (2048)"]),
        ("capacity_mib: {value: 8192", "capacity_mib: {value: 262144", ["capacity_mib", "do not fit"]),
        ("noc:\n", "nox:\n", ["noc: is missing", "nox: unknown field; did you mean 'noc'"]),
        ("mode: {value: fifo", "mode: {value: fife", ["encode.pipeline.mode", "fifo, lockstep"]),
        ("lanes: 352", "lanes: 35", ["encode.core.motion_search.lanes", "64..16384"]),
        ("name: vcu", "name: VCU!", ["name", "VCU!"]),
        ("core_mhz: 800", "core_mhz: &a 800", ["anchors"]),
        ("core_mhz: 800", "core_mhz: !!python/object:os.system 800", ["tags"]),
        ("core_mhz: 800", "core_mhz: 800\n\tx: 1", ["vcu.yaml:11"]),
    ],
)
def test_names_what_is_wrong(old: str, new: str, words: list[str]) -> None:
    text = complaint(changed(old, new))
    for word in words:
        assert word in text


def test_plain_figures_need_an_assumption() -> None:
    clocks = VCU[VCU.index("clocks:") : VCU.index("encode:")]
    without = "\n".join(line for line in clocks.splitlines() if "assumption" not in line) + "\n\n"
    text = complaint(VCU.replace(clocks, without))
    assert "clocks.core_mhz: has no source" in text
    assert "clocks.noc_mhz: has no source" in text


def test_two_switches_for_compression_must_agree() -> None:
    text = changed("    fetch_bytes_per_cycle: 16", "    fetch_bytes_per_cycle: 16\n    frame_compression: false")
    assert "memory.frame_compression" in complaint(text)


@pytest.mark.parametrize(
    "text",
    [b"", b"- 1\n", b"\xff\xfe", b"a: [", b"a: b: c", b"{" * 5000, b"x" * (MAX_BYTES + 1), b"? [1]\n: 2", b"a: *b"],
)
def test_what_is_no_description_is_refused(text: bytes) -> None:
    assert complaint(text).startswith("vcu.yaml")


def test_unknown_chips_and_files() -> None:
    with pytest.raises(ConfigError, match="did you mean 'vcu'"):
        load_chip("vcuu")
    with pytest.raises(ConfigError, match="No such file"):
        load_chip("missing.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_chip("/")
    with pytest.raises(ConfigError):
        load_chip("a\0b.yaml")


def test_a_file_is_a_chip_too(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(changed("name: vcu", "name: mine"))
    assert load_chip(file).name == "mine"


def test_changes_are_checked_like_files() -> None:
    config = load_chip("vcu")
    smaller = with_changes(config, {"encode.cores": 4, "memory.frame_compression": False})
    assert smaller.encode.cores == 4
    assert not smaller.encode.core.frame_compression
    assert smaller.sources["encode.cores"].mark == "assumption"
    assert config.encode.cores == 10
    for bad in ({"encode.cores": 0}, {"encode.corse": 1}, {"encode.cores.x": 1}, {"nothing": {}}):
        with pytest.raises(ConfigError):
            with_changes(config, bad)


@given(st.binary(max_size=400))
@settings(max_examples=300, deadline=None)
def test_any_bytes_give_a_chip_or_a_config_error(text: bytes) -> None:
    with pytest.raises(ConfigError):
        parse_chip(text)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_any_damage_to_a_description_gives_a_chip_or_a_config_error(data: st.DataObject) -> None:
    text = bytearray(VCU.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text) - 1))
        kind = data.draw(st.sampled_from(["flip", "cut", "insert"]))
        if kind == "flip":
            text[at] = data.draw(st.integers(0, 255))
        elif kind == "cut":
            del text[at : at + data.draw(st.integers(1, 200))]
        else:
            text[at:at] = data.draw(
                st.sampled_from([b"{", b"[", b": ", b"\n", b"- ", b"'", b"1e999", b"0x", b"~", b"&"])
            )
        if not text:
            break
    with suppress(ConfigError):
        parse_chip(bytes(text))


def _leaves(value: st.SearchStrategy) -> st.SearchStrategy:
    return st.dictionaries(
        st.sampled_from([*ChipConfig.model_fields, "cores", "value", "mark", "x"]), value, max_size=4
    )


@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.dates()), _leaves
    )
)
@settings(max_examples=200, deadline=None)
def test_any_yaml_gives_a_config_error(tree: object) -> None:
    with pytest.raises(ConfigError):
        parse_chip(yaml.safe_dump(tree).encode())


def test_the_schema_takes_both_ways_to_write_a_figure() -> None:
    schema = json.loads(json.dumps(json_schema()))
    clock = schema["$defs"]["ClockConfig"]["properties"]["core_mhz"]["anyOf"]
    assert clock[0]["maximum"] == 5000
    assert set(clock[1]["required"]) == {"value", "mark", "source"}
    assert "assumption" in schema["$defs"]["ClockConfig"]["properties"]
    assert "sources" not in schema["properties"]


def test_reading_text_does_not_need_the_kernels() -> None:
    """The reader and the timing tables import neither numba nor numpy."""
    code = (
        "import sys, asic_model.chips.reader, asic_model.memory.timings; "
        "sys.exit(bool({'numba', 'numpy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
