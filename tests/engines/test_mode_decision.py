"""Rates and choice of levels of mode decision, against sums written from the standard in plain Python."""

from itertools import pairwise
from math import log2

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asic_model.codecs.h264.cabac_contexts import (
    CAT_LUMA_8X8,
    CONTEXTS,
    CTX_ABS_LEVEL,
    CTX_LAST,
    CTX_SIGNIFICANT,
    initial_states,
)
from asic_model.codecs.h264.tables import table
from asic_model.engines.mode_decision import ModeDecisionConfig, cycles
from asic_model.engines.mode_decision.levels import FRACTION_BITS, LAMBDA_STEPS, choose_levels
from asic_model.engines.mode_decision.rate import (
    COSTS,
    ONE_BIT,
    STATE_COSTS,
    block_rate_cabac,
    block_rate_cavlc,
    mvd_rate_cabac,
    se_rate,
    set_bin_costs,
    ue_rate,
)
from asic_model.engines.transform import quantiser
from asic_model.engines.transform.quantiser import SHIFT_4X4, SHIFT_8X8
from asic_model.work import encode_work


def _costs(qp: int = 27, kind: int = 1) -> np.ndarray:
    states, costs = np.zeros(CONTEXTS, np.uint8), np.zeros(COSTS, np.int32)
    initial_states(states, kind, qp)
    set_bin_costs(costs, states)
    return costs


def _exp_golomb(value: int, k: int) -> int:
    bits = 0
    while value >= 1 << k:
        value, k, bits = value - (1 << k), k + 1, bits + 1
    return bits + 1 + k


def slow_cabac(costs: np.ndarray, levels: list[int], cat: int) -> int:
    """Rate of significance map, levels and signs of a block (7.3.5.3.3, 9.3.3.1.3)."""
    rate = 0
    last = max(i for i, level in enumerate(levels) if level)
    for i in range(min(last + 1, len(levels) - 1)):
        rate += int(costs[2 * (CTX_SIGNIFICANT[0][cat] + i) + (levels[i] != 0)])
        if levels[i]:
            rate += int(costs[2 * (CTX_LAST[0][cat] + i) + (i == last)])
    ones = larger = 0
    for level in reversed(levels):
        if not level:
            continue
        bins = min(abs(level) - 1, 14)
        first = CTX_ABS_LEVEL[cat] + (0 if larger else min(4, 1 + ones))
        rest = CTX_ABS_LEVEL[cat] + 5 + min(4 - (cat == 3), larger)
        for k in range(bins):
            rate += int(costs[2 * (rest if k else first) + 1])
        if bins < 14:
            rate += int(costs[2 * (rest if bins else first)])
        else:
            rate += ONE_BIT * _exp_golomb(abs(level) - 15, 0)
        rate += ONE_BIT
        ones, larger = ones + (abs(level) == 1), larger + (abs(level) > 1)
    return rate


def slow_cavlc(levels: list[int], column: str, most: int) -> int:
    """Bits of residual_block_cavlc (9.2) from the standard's tables."""
    coded = [level for level in reversed(levels) if level]
    total = len(coded)
    ones = 0
    while ones < min(3, total) and abs(coded[ones]) == 1:
        ones += 1
    bits = len(table("table_9_5_coeff_token")[column][f"{ones},{total}"])
    if not total:
        return bits
    bits += ones
    suffix = 1 if total > 10 and ones < 3 else 0
    for index, level in enumerate(coded[ones:]):
        code = 2 * abs(level) - 2 + (level < 0)
        if index == 0 and ones < 3:
            code -= 2
        if suffix == 0:
            bits += code + 1 if code < 14 else 19 if code < 30 else 28
        else:
            bits += (code >> suffix) + 1 + suffix if code < 15 << suffix else 28
        suffix = max(suffix, 1)
        if suffix < 6 and abs(level) > 3 << (suffix - 1):
            suffix += 1
    last = max(i for i, level in enumerate(levels) if level)
    zeros = last + 1 - total
    if total < most:
        name = "table_9_9a_total_zeros_chroma_dc_420" if most == 4 else "table_9_7_9_8_total_zeros_4x4"
        bits += len(table(name)[str(total)][str(zeros)])
    places = [i for i in range(last, -1, -1) if levels[i]]
    for one, two in pairwise(places):
        if zeros <= 0:
            break
        run = one - two - 1
        bits += len(table("table_9_10_run_before")[str(min(zeros, 7))][str(run)])
        zeros -= run
    return bits


blocks = st.lists(
    st.one_of(st.just(0), st.integers(-3, 3), st.sampled_from([-40, -16, -15, 14, 15, 16, 29, 300])),
    min_size=16, max_size=16,
)  # fmt: skip


@settings(max_examples=150, deadline=None, derandomize=True)
@given(levels=blocks, shape=st.sampled_from([(0, 16), (1, 15), (2, 16), (3, 4), (4, 15)]), qp=st.integers(0, 51))
def test_cabac_rate_is_the_sum_of_its_bins(levels, shape, qp):
    cat, count = shape
    levels = levels[:count]
    if not any(levels):
        levels[0] = 1
    costs = _costs(qp)
    stored = np.zeros(32, np.int16)
    stored[5 : 5 + count] = levels
    assert block_rate_cabac(costs, stored, 4, 1, count, cat) == slow_cabac(costs, levels, cat)


COLUMNS = ("0<=nC<2", "2<=nC<4", "4<=nC<8", "8<=nC", "nC==-1 (4:2:0 chroma DC)")


@settings(max_examples=150, deadline=None, derandomize=True)
@given(levels=blocks, count=st.sampled_from([4, 15, 16]), column=st.integers(0, 3))
def test_cavlc_rate_is_the_length_of_the_codewords(levels, count, column):
    column = 4 if count == 4 else column
    stored = np.zeros(32, np.int16)
    stored[7 : 7 + count] = levels[:count]
    expected = slow_cavlc(levels[:count], COLUMNS[column], count)
    assert block_rate_cavlc(stored, 7, 0, count, column) == ONE_BIT * expected


def test_bin_costs_are_logarithms_of_the_states_probabilities():
    """A bin of probability p costs -log2 p; both bins of a state together carry probability 1; bypass is one bit."""
    for state in range(126):
        total = sum(2 ** (-int(STATE_COSTS[2 * state + value]) / ONE_BIT) for value in (0, 1))
        assert total == pytest.approx(1, abs=0.01)
    assert STATE_COSTS[2 * 0] == STATE_COSTS[2 * 0 + 1] == ONE_BIT
    assert STATE_COSTS[2 * 128] == ONE_BIT
    assert STATE_COSTS[2 * (2 * 62) + 1] == pytest.approx(-ONE_BIT * log2(0.01875 * 1.0533), abs=3)


def test_golomb_rates():
    for value in range(100):
        assert ue_rate(value) == ONE_BIT * (2 * (value + 1).bit_length() - 1)
    assert [se_rate(value) // ONE_BIT for value in (0, 1, -1, 2, -2, 4)] == [1, 3, 3, 5, 5, 7]


def test_mvd_rate():
    """UEG3 with nine context bins: small values by context, from 9 on an Exp-Golomb suffix of order 3 (9.3.2.3)."""
    costs = np.full(2 * CONTEXTS, ONE_BIT, np.int32)
    for value in (0, 1, 5, 8, 9, 16, 17, 200, -200):
        size = abs(value)
        bits = 1 if size == 0 else min(size, 9) + (size < 9) + 1
        bits += _exp_golomb(size - 9, 3) if size >= 9 else 0
        assert mvd_rate_cabac(costs, 40, value, 0) == ONE_BIT * bits


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    coefs=st.lists(st.one_of(st.integers(-40, 40), st.integers(-4000, 4000)), min_size=16, max_size=16),
    qp=st.integers(0, 51), weight=st.integers(0, 80), shape=st.sampled_from([(0, 16, 2), (1, 15, 1)]),
    flag=st.integers(-300, 900),
)  # fmt: skip
def test_levels_gain_what_they_claim(coefs, qp, weight, shape, flag):
    """The gain is the cost of the empty block less that of the chosen levels, exactly; each level is the nearest one,
    one nearer to zero, or zero; no block is coded at a loss."""
    first, count, cat = shape
    costs, q = _costs(qp), quantiser()
    factor = np.ascontiguousarray(q.factor_4x4[(qp % 6) * 16 : (qp % 6) * 16 + 16])
    levels, stored = np.zeros(32, np.int16), np.zeros(32, np.int16)
    stored[:16] = coefs
    shift = SHIFT_4X4 + qp // 6
    number, gain, rate = choose_levels(
        levels, 0, stored, 0, factor, 0, shift, first, count, cat, costs, weight, flag, 0
    )  # fmt: skip
    chosen = levels[first : first + count].tolist()
    scaled = [(abs(coefs[i]) * int(factor[i])) >> (shift - FRACTION_BITS) for i in range(first, first + count)]
    for level, value, coef in zip(chosen, scaled, coefs[first:], strict=False):
        nearest = (value + 128) >> FRACTION_BITS
        if nearest <= 2063:
            assert abs(level) in (nearest, nearest - 1, 0)
        assert level == 0 or (level < 0) == (coef < 0)
    assert number == sum(level != 0 for level in chosen)
    if number and max(abs(level) for level in chosen) < 2063:
        distortion = sum((v - (abs(c) << 8)) ** 2 - v * v for v, c in zip(scaled, chosen, strict=True))
        assert gain == -(distortion + weight * (slow_cabac(costs, chosen, cat) + flag))
        assert gain > 0
        assert rate == slow_cabac(costs, chosen, cat)
    elif not number:
        assert gain == 0


@pytest.mark.parametrize("spread", [3, 30, 300, 4000])
def test_choice_of_an_8x8_block_tells_its_rate(spread):
    """The rate that the choice has added up is the one of the block that it chose, signs too."""
    costs, q, rng = _costs(30), quantiser(), np.random.default_rng(spread)
    factor = np.ascontiguousarray(q.factor_8x8[:64])
    for _ in range(100):
        coefs = np.zeros(80, np.int16)
        coefs[:64] = rng.laplace(0, spread / (1 + np.arange(64) / 8), 64).clip(-8000, 8000)
        levels = np.zeros(80, np.int16)
        number, _, rate = choose_levels(
            levels, 0, coefs, 0, factor, 0, SHIFT_8X8 + 30 // 6, 0, 64, CAT_LUMA_8X8, costs, LAMBDA_STEPS, 0, 0
        )  # fmt: skip
        if number and np.abs(levels).max() < 2063:
            assert rate == block_rate_cabac(costs, levels, 0, 0, 64, CAT_LUMA_8X8)
        elif not number:
            assert rate == 0


def test_lambda_of_the_levels_is_that_of_the_modes():
    """0.85 * 2^((QP - 12) / 3) / (0.625 * 2^(QP / 6))^2, errors in (1/256 step)^2 and rates in 1/256 bit."""
    for qp in (0, 12, 27, 51):
        ratio = 0.85 * 2 ** ((qp - 12) / 3) / (0.625 * 2 ** (qp / 6)) ** 2
        assert round(ratio * 65536 / 256) == LAMBDA_STEPS


def test_cycles():
    """Two trials of 26 blocks at 4 a cycle: 13 cycles, two fills of 24, 16 for neighbours and decision."""
    work = encode_work(1)
    work["transform_blocks"], work["mode_decision_trials"] = 52, 2
    assert cycles(ModeDecisionConfig(), work).tolist() == [13 + 2 * 24 + 16]
