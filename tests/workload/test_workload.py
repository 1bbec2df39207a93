"""Workloads in YAML: the mixes that come along, errors that name field, value, range and the near word."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asic_model.config import load_chip, with_changes
from asic_model.workload import capacity, simulation_report, workload
from asic_model.workload.errors import WorkloadError
from asic_model.workload.explain import WORDS, explain
from asic_model.workload.simulation import simulate
from asic_model.workload.workload import WorkloadConfig, load, mixes, parse, parse_rate

GOOD = "sessions:\n  - source: {width: 320, height: 192, fps: 30}\n"


def test_every_mix_is_good_and_says_what_it_is() -> None:
    assert {"live_ladder", "upload_multi", "upload_single", "vod_offline", "training_data"} <= set(mixes())
    assert sum(name.startswith("vbench_") for name in mixes()) == 5
    for name in mixes():
        mix = load(name)
        assert mix.name == name
        assert mix.description


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is a mapping of fields"),
        ("sessions: []", r"sessions: .*at least 1 item"),
        ("sessions:\n  - {}", "sessions.0.source: is missing"),
        (GOOD + "    gop: 0\n", r"sessions\.0\.gop: 0: input should be greater than or equal to 1"),
        (GOOD + "    count: yes\n", r"sessions\.0\.count: true is not a number"),
        (GOOD + "    arrival: {deadline_ms: no}\n", r"sessions\.0\.arrival\.deadline_ms: false is not a number"),
        (GOOD + "    preset: medum\n", "'medum' is not offered; one of fast, medium, slow; did you mean medium?"),
        (GOOD + "    prset: fast\n", r"sessions\.0\.prset: no such field; did you mean preset\?"),
        (GOOD + "    ladder: [721p]\n", "'721p' is no output; .*did you mean 720p?"),
        (GOOD + "    ladder: [720p@fast]\n", "'fast' is not a bit rate"),
        (GOOD + "    arrival: {kind: lve}\n", "'lve' is not offered; one of live, file; did you mean live?"),
        ("sessions:\n  - source: {width: 321, height: 192, fps: 30}\n", "width: 321 is odd"),
        ("sessions:\n  - source: {width: 320}\n", "give clip, trace, or width, height and fps"),
        ("a: &x 1\nb: *x\n", "w.yaml:1: anchors and aliases are not used"),
        ("a: 1\na: 2\n", "a: is given twice"),
        ("a: [", "w.yaml:1"),
        ("\x00", "cannot be read|special characters"),
    ],
)  # fmt: skip
def test_errors_name_field_value_and_what_is_allowed(text: str, said: str) -> None:
    with pytest.raises(WorkloadError, match=said) as caught:
        parse(text.encode(), "w.yaml")
    assert "w.yaml" in str(caught.value)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    try:
        parse(data)
    except WorkloadError:
        return


@pytest.mark.parametrize(("text", "rate"), [("5M", 5e6), ("800k", 8e5), ("1.5m", 1.5e6), (1000, 1000.0), ("7", 7.0)])
def test_rates_as_people_write_them(text: object, rate: float) -> None:
    assert parse_rate(text) == rate


def test_streams_are_shared_out_in_proportion() -> None:
    assert capacity.shares([1, 1, 2], 8) == [2, 2, 4]
    assert capacity.shares([3, 1], 5) == [4, 1]
    assert sum(capacity.shares([5, 7, 11], 100)) == 100


def small(**changes: object) -> WorkloadConfig:
    session = {
        "source": {"width": 320, "height": 192, "fps": 30}, "ladder": ["320x192@400k"], "gop": 8, "b_frames": 0,
        **changes,
    }  # fmt: skip
    return WorkloadConfig.model_validate({"sessions": [session], "name": "small"})


def test_capacity_finds_the_limit_of_sessions_and_what_comes_next() -> None:
    """More than tiny's assumed number of sessions fit, one lane each; where the caller sets that number, it binds."""
    config = load_chip("tiny")
    found = capacity.capacity(small(), config, duration_s=0.2, warm_up_s=0.05)
    assert found.set_aside == {"sessions": 16.0}  # tiny's description assumes them
    assert 16 < found.streams <= min(found.limits[name].streams for name in found.limits if name != "sessions") + 1e-6
    assert found.binds in found.limits or found.binds == "deadline"
    assert found.next_limit[0] != found.binds
    assert all(trial.holds for trial in found.trials if trial.streams <= found.streams)
    assert f"tiny holds {found.streams} streams" in found.explain()
    assert "an assumed number of sessions would have stopped it at 16" in found.explain()
    found = capacity.capacity(small(), with_changes(config, {"limits.sessions": 5}), duration_s=0.2, warm_up_s=0.05)
    assert (found.streams, found.binds, found.set_aside) == (5, "sessions", {})


def test_a_tighter_deadline_never_holds_more() -> None:
    config = load_chip("tiny")
    held = [
        capacity.capacity(small(), config, deadline_ms=ms, duration_s=0.2, warm_up_s=0.05).streams
        for ms in (5, 20, 200)
    ]
    assert held == sorted(held)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(WorkloadError, match=r"percentile: 1\.5 is not in 0\.5\.\.1"):
        capacity.capacity(small(), "vcu", percentile=1.5)
    with pytest.raises(WorkloadError, match="must be recorded first"):
        workload.place(WorkloadConfig.model_validate({"sessions": [{"source": {"clip": "a.mp4"}}]}), load_chip("vcu"))


# One figure of the chip made so small that it, and nothing else, stops the next stream.
BOTTLENECKS = {
    "encode": {"clocks.core_mhz": 20, "decode.cores": 8, "scale.cores": 8, "encode.cores": 1},
    "scale": {"clocks.core_mhz": 15, "encode.cores": 32, "decode.cores": 16, "scale.cores": 1},
    "decode": {"clocks.core_mhz": 60, "encode.cores": 32, "scale.cores": 16, "decode.cores": 1},
    "memory": {"memory.channels": 1, "memory.standard": "LPDDR4-2400", "memory.capacity_mib": 1024, "encode.cores": 32},
    "noc": {"noc.width_bits": 32, "clocks.noc_mhz": 30, "encode.cores": 1, "scale.cores": 8, "decode.cores": 8},
    "link up": {"host_link.bandwidth_mb_s": 30},
    "link down": {"host_link.bandwidth_mb_s": 1},
    "firmware": {"clocks.control_mhz": 12},
    "memory size": {"memory.capacity_mib": 64},
    "sessions": {"limits.sessions": 8},
}
"""By what binds: changes to `vcu`."""


@pytest.mark.parametrize("what", BOTTLENECKS)
def test_each_resource_can_be_what_binds(what: str) -> None:
    """The search names it, explains it, and the report's words do."""
    config = with_changes(load_chip("vcu"), BOTTLENECKS[what])
    others = {
        "link up": {"decode": "host"},
        "scale": {"decode": "chip", "ladder": ["160x96@400k"]},
        "memory": {"source": {"width": 1280, "height": 704, "fps": 60}, "ladder": ["1280x704@4M"]},
    }
    mix = small(**others.get(what, {"decode": "chip"}))
    found = capacity.capacity(mix, config, duration_s=0.15, warm_up_s=0.05, percentile=0.95, deadline_ms=150)
    assert found.streams > 0
    assert found.binds == what, found.explain()
    assert found.outcome is not None
    said = explain(simulation_report.report(config, found.outcome))
    assert WORDS[what] in " ".join(said[:3]), said


def test_late_pictures_are_not_said_to_leave_room() -> None:
    """A deadline of 10 us that no picture can keep, on a chip that is hardly used."""
    config = load_chip("vcu")
    placed = [
        replace(each, arrival=replace(each.arrival, deadline_ms=0.01)) for each in workload.place(small(), config)
    ]
    outcome = simulate(config, placed, duration_s=0.2)
    assert outcome.late_share == 1
    said = " ".join(explain(simulation_report.report(config, outcome)))
    assert "100.0% of the pictures come late" in said
    assert "Nothing is full on average" in said
    assert "More streams would fit" not in said


def test_a_port_is_used_by_its_fuller_way() -> None:
    """The most that cores of a kind read, or wrote, over what their ports carry one way; never beyond 1."""
    config = with_changes(load_chip("tiny"), {"noc.width_bits": 32})
    outcome = simulate(config, workload.place(small(decode="chip"), config), duration_s=0.2)
    port = 32 / 8 * config.clocks.noc_mhz * 1e6 * outcome.fabric.now_ps * 1e-12
    ways = []
    for core, clients in outcome.fabric.traffic().items():
        if core != "other":  # tiny has one core of each kind
            ways += [sum(each[way] for each in clients.values()) / port for way in ("read", "write")]
    assert outcome.limits["noc"] == pytest.approx(max(ways))
    assert max(ways) <= 1
