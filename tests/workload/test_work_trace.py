"""Work traces: what is written is read; what is damaged, foreign or of another age is refused by name."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asic_model.work import ENCODE_WORK
from asic_model.workload import work_trace
from asic_model.workload.errors import TraceError
from asic_model.workload.work_trace import JOB, WorkTrace, parse, read


def small_trace() -> WorkTrace:
    work = np.zeros(6, ENCODE_WORK)
    work["entropy_bits"] = [1, 20, 300, 4000, 5, 6]
    tiles = np.arange(2, dtype=np.uint16).reshape(1, 2)
    row = (1, 0, 3, 0, 77, 5, 0, 6, 1000, 2000)
    return WorkTrace(
        meta={"chip": "tiny", "note": "é"},
        jobs=np.array([row, row], JOB),
        job_fields=[{"width": 48, "height": 32}, {"width": 48, "height": 32}],
        job_work=[work, work],
        job_facts=[{"tiles": tiles}, {}],
        job_counters=[{"bits": 9}, {}],
        job_after=[[], [0]],
    )


def written(trace: WorkTrace) -> bytes:
    out = io.BytesIO()
    trace.write(out)
    return out.getvalue()


def test_what_is_written_is_read() -> None:
    trace = small_trace()
    back = parse(written(trace))
    assert back.meta == trace.meta
    assert np.array_equal(back.jobs, trace.jobs)
    assert back.job_fields == trace.job_fields
    assert back.job_after == trace.job_after
    assert back.job_counters == trace.job_counters
    for number in range(2):
        assert np.array_equal(back.work(number), trace.work(number))
        assert back.facts(number).keys() == trace.facts(number).keys()
    assert np.array_equal(back.facts(0)["tiles"], trace.facts(0)["tiles"])


def test_the_same_trace_gives_the_same_bytes() -> None:
    assert written(small_trace()) == written(parse(written(small_trace())))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is no work trace"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "is no work trace"),
        (work_trace.MAGIC, "is cut short"),
        (work_trace.MAGIC + struct.pack("<IIQ", 0, 0, 0) + bytes(32), "of version 0, older than version 1"),
        (work_trace.MAGIC + struct.pack("<IIQ", 9, 0, 0) + bytes(32), "of version 9, newer than version 1"),
        (work_trace.MAGIC + struct.pack("<IIQ", 1, 0, 0) + bytes(32), "the index's checksum"),
    ],
)
def test_foreign_and_old_files_are_refused_by_name(data: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "x.work"
    path.write_bytes(data)
    with pytest.raises(TraceError, match=said) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"no\.work: No such file"):
        read(tmp_path / "no.work")


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_damage_passes_unseen(data: st.DataObject) -> None:
    """Any changed byte, any cut, any tail: TraceError and nothing else."""
    whole = written(small_trace())
    how = data.draw(st.sampled_from(("flip", "cut", "tail")))
    if how == "flip":
        place = data.draw(st.integers(0, len(whole) - 1))
        bad = bytearray(whole)
        bad[place] ^= data.draw(st.integers(1, 255))
        damaged = bytes(bad)
    elif how == "cut":
        damaged = whole[: data.draw(st.integers(0, len(whole) - 1))]
    else:
        damaged = whole + data.draw(st.binary(min_size=1, max_size=9))
    with pytest.raises(TraceError):
        parse(damaged)


def test_a_record_without_a_needed_field_is_refused_and_a_longer_one_is_read() -> None:
    trace = small_trace()
    shorter = np.dtype([item for item in ENCODE_WORK.descr if item[0] != "entropy_bins"])
    longer = np.dtype([*ENCODE_WORK.descr, ("later_field", "u1")])
    for dtype in (shorter, longer):
        other = np.zeros(6, dtype)
        other["entropy_bits"] = trace.work(0)["entropy_bits"]
        trace.job_work = [other, other]
        data = written(trace)
        if dtype is shorter:
            with pytest.raises(TraceError, match="lacks field 'entropy_bins'"):
                parse(data)
        else:
            assert np.array_equal(parse(data).work(0)["entropy_bits"], other["entropy_bits"])
