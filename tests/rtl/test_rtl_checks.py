"""What the report calls "checked against RTL" is what a bench asserts."""

from pathlib import Path

import pytest

from asic_model import stats
from asic_model.cores import scale
from asic_model.cores.decode import account as decode_account
from asic_model.cores.encode import account as encode_account
from asic_model.rtl_checks import RTL_CHECKS, RtlCheck

BENCHES = Path(__file__).resolve().parents[2] / "rtl_tests"


@pytest.mark.parametrize("stage", RTL_CHECKS)
def test_each_claim_has_its_bench(stage: str) -> None:
    """A bench of that name exists; one that vouches for all cycles calls the law and records it beside the RTL's."""
    check = RTL_CHECKS[stage]
    text = "".join(path.read_text() for path in (BENCHES / check.bench).glob("bench_*.py"))
    assert "@cocotb.test" in text
    if check.whole:
        assert "record.cycles(" in text
        assert f"{stage}" in text


def test_claims_name_stages_of_cores() -> None:
    """A misspelt stage would claim nothing and go unnoticed."""
    stages = {*encode_account.STAGES, *decode_account.STAGES, *scale.STAGES}
    assert set(RTL_CHECKS) <= stages


def test_only_a_whole_check_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RTL_CHECKS, "deblock", RtlCheck("deblock", True, "cycles(config, work)"))
    monkeypatch.delitem(RTL_CHECKS, "entropy")
    assert stats.exactness_of("deblock") == stats.CHECKED
    assert stats.exactness_of("transform") == stats.APPROXIMATE
    assert stats.exactness_of("entropy") == stats.APPROXIMATE
