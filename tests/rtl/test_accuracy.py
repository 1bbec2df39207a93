"""Does the accuracy table say what the benches recorded?"""

import json

import pytest

from asic_model import rtl_checks
from benchmarks import accuracy as benchmark
from rtl_tests import accuracy, simulator


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(accuracy.FOLDER_VARIABLE, str(tmp_path / "run"))
    (tmp_path / "run").mkdir()
    return tmp_path


def test_record_becomes_a_line(folder):
    """99 exact vectors of 10 cycles and one that the model puts 3 too low: mean 0.03, p99 0, max 3, total -3/1000+3."""
    record = accuracy.Record("deblock", "random")
    record.bins("strength", range(3))
    for _ in range(99):
        record.cycles(model=10, rtl=10)
    record.cycles(model=10, rtl=13)
    record.hit("strength", 0)
    record.hit("strength", 2)
    assert record.open_bins() == ["strength.1"]
    record.write()
    accuracy.collect(folder / "run", folder / "kept")
    (line,) = accuracy.summary(folder / "kept")
    assert (line.engine, line.vectors, line.mean_error, line.p99_error, line.max_error) == ("deblock", 100, 0.03, 0, 3)
    assert line.total_error == pytest.approx(-3 / 1003)
    assert (line.bins, line.open_bins) == (3, ["strength.1"])
    assert not list((folder / "run").iterdir())


def test_an_engine_in_another_size_has_its_own_line(folder):
    """The same test of two benches: two lines, and neither overwrites the other."""
    for bench, cycles in (("entropy", 10), ("entropy_two_bins", 6)):
        record = accuracy.Record("entropy", "random")
        record.cycles(model=cycles, rtl=cycles)
        record.write()
        accuracy.collect(folder / "run", folder / "kept", bench)
    assert [line.engine for line in accuracy.summary(folder / "kept")] == ["entropy", "entropy_two_bins"]
    assert set(accuracy.errors_of_tests(folder / "kept")) == {"entropy", "entropy_two_bins"}


def test_bins_close_over_tests_and_seeds(folder):
    """A bin that one seed missed and another hit is closed."""
    for seed, name in ((1, "a"), (2, "b")):
        record = accuracy.Record("entropy", "random")
        record.bins("kind", "ab")
        record.hit("kind", name)
        record.write()
        path = folder / "run" / "random.record.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"seed": seed}))
        accuracy.collect(folder / "run", folder / "kept")
    (line,) = accuracy.summary(folder / "kept")
    assert (line.bins, line.open_bins, line.vectors) == (2, [], 0)


def test_misspelt_bin_is_an_error():
    record = accuracy.Record("entropy", "random")
    record.bins("kind", "ab")
    with pytest.raises(KeyError, match="no bin 'c'"):
        record.hit("kind", "c")


def test_record_of_another_format_is_refused(folder):
    (folder / "kept" / "x").mkdir(parents=True)
    (folder / "kept" / "x" / "a-1.json").write_text('{"format": 99}')
    with pytest.raises(ValueError, match="format 99"):
        accuracy.summary(folder / "kept")


def test_a_test_beyond_what_is_claimed_is_named(folder):
    """1000 cycles of the model, 1020 of the RTL: -1.96 %. Within -2 % it is, within -1 % it is not."""
    record = accuracy.Record("entropy", "random")
    for _ in range(100):
        record.cycles(model=1000, rtl=1020)
    record.write()
    accuracy.collect(folder / "run", folder / "kept")
    assert accuracy.beyond(folder / "kept", {"entropy": (-0.02, 0.0), "deblock": (0.0, 0.0)}) == []
    (said,) = accuracy.beyond(folder / "kept", {"entropy": (-0.01, 0.0)})
    assert said == "entropy, random, seed 0: -1.96%, claimed -1.00% to +0.00%"


def test_what_was_recorded_is_what_the_model_reads(folder, monkeypatch):
    """1003 cycles of RTL, 1000 of the model: -0.2991 %, widened to -0.3 %; the largest error of a vector is 3. An
    engine that was not run keeps its line."""
    record = accuracy.Record("deblock", "random")
    for rtl in [10] * 99 + [13]:
        record.cycles(model=10, rtl=rtl)
    record.write()
    accuracy.collect(folder / "run", folder / "kept")
    path = folder / "errors.json"
    path.write_text('{"engines": {"entropy": {"vectors": 1, "max_error_cycles": 0, "low": 0.0, "high": 0.0}}}')
    accuracy.record_errors(folder / "kept", path)
    engines = json.loads(path.read_text())["engines"]
    assert engines["deblock"] == {"vectors": 100, "max_error_cycles": 3, "low": -0.003, "high": -0.002}
    assert engines["entropy"]["vectors"] == 1
    monkeypatch.setattr(rtl_checks, "ERRORS", path)
    assert rtl_checks.recorded() == {"deblock": (-0.003, -0.002), "entropy": (0.0, 0.0)}
    assert accuracy.beyond(folder / "kept", rtl_checks.recorded()) == []


def test_a_bench_that_fails_is_one_line_and_an_exit_code(monkeypatch, capsys, tmp_path):
    """No traceback: the engine, what failed and the command that runs it again; the other benches still run."""

    def run(bench, *, seed, log):
        if bench.engine == "control" and seed == 2:
            raise simulator.BenchFault("control: programs failed; rerun: tasic rtl run control --seed 2")
        return 4

    monkeypatch.setattr(simulator, "run", run)
    monkeypatch.setenv("TASIC_RTL_BUILD", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["accuracy", "control", "deblock"])
    with pytest.raises(SystemExit) as ended:
        benchmark.main()
    assert ended.value.code == 1
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "control: seed 1: 4 tests passed",
        "accuracy: control: programs failed; rerun: tasic rtl run control --seed 2",
        "deblock: seed 1: 4 tests passed",
        "deblock: seed 2: 4 tests passed",
    ]
