"""The helper process compiles what jobs need, no other versions, and only where something is missing."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from numba.core import event

from asic_model import warm
from asic_model.descriptors import EncodeMode, Kind
from asic_model.kernel_cache import store
from tests.cores.encoding import encode, natural
from tests.cores.test_first_pass import filled, run_all


@contextmanager
def compiled() -> Iterator[list[str]]:
    """Names of the kernels that are compiled inside the block."""
    names: list[str] = []

    class Listener(event.Listener):
        def on_start(self, happened: event.Event) -> None:
            names.append(happened.data["dispatcher"].py_func.__name__)

        def on_end(self, happened: event.Event) -> None:
            pass

    with event.install_listener("numba:compile", Listener()):
        yield names


def test_encode_parts_ask_for_the_versions_that_jobs_use() -> None:
    """After P pictures went through the core, its parts find everything compiled: their arguments have its types."""
    encode(natural(48, 32, 3), transform_8x8=1)
    with compiled() as names:
        for part in warm.encode_parts():
            part()
    # the callee form of mode decision is read from the store, not compiled again
    assert not {"decide_inter", "code_picture", "write_slice_data_cabac", "_filter_rows"} & set(names), names


def test_bipredictive_parts_ask_for_the_versions_that_jobs_use() -> None:
    """The loop over a B picture finds the mode decision that the part before it compiled."""
    decide, loop = warm.bipredictive_parts()
    decide()
    with compiled() as names:
        loop()
    assert "decide_bipredictive" not in names


def test_first_pass_parts_ask_for_the_versions_that_jobs_use() -> None:
    """Jobs of a group of pictures, with both lists and without, leave nothing to compile, and the parts compiled it."""
    for part in warm.first_pass_parts():
        part()
    with compiled() as names:
        run_all(filled())
    assert names == []


@pytest.mark.parametrize("group", warm.GROUPS)
def test_a_compiled_group_is_marked_and_has_nothing_left(group: str) -> None:
    assert warm.compile_group(group)
    assert store.has(warm._mark(group))
    with compiled() as names:
        warm.compile_group(group)
    assert names == []


def test_only_what_is_missing_is_asked_for_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr(warm, "_wanted", set())
    monkeypatch.setattr(warm, "_may_help", lambda: True)
    monkeypatch.setattr(warm, "_ask", asked.append)
    monkeypatch.setattr(store, "has", lambda name: name.startswith("group.time"))
    warm.want(Kind.SCALE, {})
    warm.want(Kind.SCALE, {})
    warm.want(Kind.DECODE, {})
    warm.want(Kind.ENCODE, {"slice_type": 0})
    warm.want(Kind.ENCODE, {"slice_type": 2})
    assert [groups for groups in asked if groups] == [["scale"], ["encode"]]  # no B pictures yet
    warm.want(Kind.ENCODE, {"slice_type": 1})
    assert asked[-1] == ["bipredictive"]
    warm.want(Kind.ENCODE, {"slice_type": 1, "mode": int(EncodeMode.LOOK)})
    assert asked[-1] == ["first_pass"]
    warm._wanted.clear()
    asked.clear()
    warm.want(Kind.ENCODE, {}, functional=False)  # no pixels, no pixel kernels
    assert asked == [[]]


def test_one_processor_or_a_word_of_the_user_turn_it_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _process: {0, 1})
    monkeypatch.delenv("TASIC_WARM", raising=False)
    assert warm._may_help()
    monkeypatch.setenv("TASIC_WARM", "0")
    assert not warm._may_help()
    monkeypatch.delenv("TASIC_WARM")
    monkeypatch.setattr("os.sched_getaffinity", lambda _process: {0})
    assert not warm._may_help()


def test_groups_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert warm.main(["time"]) == 0
    assert capsys.readouterr().out.startswith("time: ")
    assert warm.main(["sound"]) == 2
    assert "'sound' is not a group; one of first_pass, encode, scale, bipredictive, time" in capsys.readouterr().err


def test_a_part_that_fails_is_left_to_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Any:
        raise ValueError("no such kernel")

    monkeypatch.setitem(warm.GROUPS, "scale", lambda: (broken,))
    monkeypatch.setattr(warm, "_mark", lambda group: f"group.{group}-test")
    with pytest.raises(ValueError, match="no such kernel"):
        warm.compile_group("scale")
    assert not store.has("group.scale-test")
