"""What the encode core's bench says when RTL and model differ: macroblock, field, both values."""

import pytest

from tests.cores import encoding

cocotb = pytest.importorskip("cocotb", reason="cocotb is not installed: pip install 'tasic[rtl]'")


@pytest.mark.parametrize("entropy", [0, 1])
def test_a_difference_names_macroblock_field_and_values(entropy, monkeypatch):
    """A slice coded one QP coarser, in the RTL's place."""
    from rtl_tests.encode_core.picture import Picture, compare

    monkeypatch.setattr(cocotb, "RANDOM_SEED", 1, raising=False)
    planes = encoding.natural(48, 32, 1)[0]
    picture, other = (Picture(planes, qp=qp, entropy=entropy) for qp in (27, 28))
    found = picture.expected.copy()
    compare(picture, found, picture.result.output_bytes, "itself")
    found[:] = other.expected
    with pytest.raises(AssertionError, match=r"macroblock 0, \w[\w ]*: record .*, stream .*; byte \d+ of the slice"):
        compare(picture, found, other.result.output_bytes, "coarser")


def test_a_wrong_sample_and_a_stray_byte_are_named(monkeypatch):
    from rtl_tests.encode_core.picture import Picture, compare

    monkeypatch.setattr(cocotb, "RANDOM_SEED", 1, raising=False)
    picture = Picture(encoding.natural(48, 32, 1)[0], qp=27)
    size = picture.result.output_bytes
    found = picture.expected.copy()
    picture.reconstruction(found)[1][9, 17] ^= 1
    with pytest.raises(AssertionError, match=r"macroblock \(2, 1\), reconstruction of Cb, sample \(1, 1\): RTL"):
        compare(picture, found, size, "a sample")
    found = picture.expected.copy()
    found[7] = 1
    with pytest.raises(AssertionError, match="byte 0x7, neither stream nor reconstruction"):
        compare(picture, found, size, "a byte")
