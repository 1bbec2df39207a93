"""What the report calls "checked against RTL" is what a bench asserts."""

import json
from pathlib import Path

import pytest

from asic_model import stats
from asic_model.config import load_chip, with_changes
from asic_model.cores import scale
from asic_model.cores.decode import account as decode_account
from asic_model.cores.encode import account as encode_account
from asic_model.rtl_checks import ERRORS, RTL_CHECKS

BENCHES = Path(__file__).resolve().parents[2] / "rtl_tests"


@pytest.mark.parametrize("stage", RTL_CHECKS)
def test_each_claim_has_its_bench(stage: str) -> None:
    """A bench of that name exists; one that vouches for all cycles calls the law and recorded no vector that is off."""
    check = RTL_CHECKS[stage]
    text = "".join(path.read_text() for path in (BENCHES / check.bench).glob("bench_*.py"))
    assert "@cocotb.test" in text
    if check.whole:
        assert "record.cycles(" in text
        assert "assert rtl == law" in text
        found = json.loads(ERRORS.read_text())["engines"][check.bench]
        assert (found["max_error_cycles"], check.total_error) == (0, (0.0, 0.0))
        assert found["vectors"] > 0


def test_claims_name_stages_of_cores() -> None:
    """A misspelt stage would claim nothing and go unnoticed."""
    stages = {*encode_account.STAGES, *decode_account.STAGES, *scale.STAGES}
    assert set(RTL_CHECKS) <= stages


def test_only_a_whole_check_of_such_an_engine_counts() -> None:
    """Deblocking of `tiny` is what the bench ran; with another latency, or in a decode core, it is not. Entropy's bench
    allows a few cycles, mode decision with trials has none."""
    tiny = load_chip("tiny")
    field = next(name for name in type(tiny.encode.core.deblock).model_fields if "cycles" in name)
    other = with_changes(tiny, {f"encode.core.deblock.{field}": getattr(tiny.encode.core.deblock, field) + 1})
    assert stats.exactness_of(tiny, "encode", "deblock") == stats.CHECKED
    assert stats.exactness_of(other, "encode", "deblock") == stats.APPROXIMATE
    assert stats.exactness_of(tiny, "decode", "deblock") == stats.APPROXIMATE
    assert stats.exactness_of(tiny, "encode", "transform") == stats.CHECKED
    assert stats.exactness_of(tiny, "encode", "entropy") == stats.APPROXIMATE
    assert stats.exactness_of(tiny, "encode", "mode_decision") == stats.APPROXIMATE
