"""Tests of a mean against a margin: reference values, and what "no effect" needs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.weightstats import ttost_paired

from predictor.errors import PredictorError
from predictor.statistics.equivalence import MeanTest, ratio_interval
from predictor.statistics.multiplicity import adjusted


def exact(mean: float, sd: float, n: int) -> tuple[float, ...]:
    """n values with exactly this mean and standard deviation."""
    z = stats.norm.ppf((np.arange(n) + 0.5) / n)
    return tuple(mean + sd * (z - z.mean()) / z.std(ddof=1))


def test_toster() -> None:
    """R, TOSTER: TOSTone(m = 0.54, mu = 0.5, sd = 1.2, n = 100, low_eqbound_d = -0.3, high_eqbound_d = 0.3).

    Bounds of d = .3 are .36 raw; documented: t(99) = 3.333 and -2.667, larger p = .00448.
    """
    test = MeanTest(exact(0.54 - 0.5, 1.2, 100))
    assert test.p_above(-0.36) == pytest.approx(stats.t(99).sf(10 / 3), rel=1e-9)
    assert test.p_below(0.36) == pytest.approx(stats.t(99).cdf(-8 / 3), rel=1e-9)
    assert test.p_equivalent(0.36) == pytest.approx(0.00448, abs=1e-5)
    low, high = test.interval(0.90)
    assert -0.36 < low < high < 0.36, "the 90 % interval lies inside the margin where TOST holds at 5 %"


def test_paired_equals_statsmodels() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(0.6, 0.02, 12), rng.normal(0.6, 0.02, 12)
    p, *_ = ttost_paired(a, b, -0.01, 0.01)
    assert MeanTest(tuple(a - b)).p_equivalent(0.01) == pytest.approx(p, rel=1e-9)


@given(st.lists(st.floats(-1, 1), min_size=3, max_size=20), st.floats(0.001, 0.5))
def test_equivalence_agrees_with_its_interval(values, margin) -> None:
    try:
        test = MeanTest(tuple(values))
    except PredictorError:
        assert np.ptp(values) < 1e-9
        return
    low, high = test.interval(0.90)
    inside = -margin < low and high < margin
    assert inside == (test.p_equivalent(margin) < 0.05) or min(abs(low + margin), abs(high - margin)) < 1e-9
    assert 0 < test.p_equivalent(margin) <= 1 and 0 < test.p_beyond(margin) <= 1


def test_no_evidence_is_no_equivalence() -> None:
    noisy = MeanTest((-0.05, 0.06, -0.04, 0.03, 0.01, -0.01))
    assert min(1.0, 2 * noisy.p_above(0), 2 * noisy.p_below(0)) > 0.5, "not significant"
    assert noisy.p_equivalent(0.01) > 0.2, "and no evidence of no effect"


def test_equivalence_is_rarely_claimed_at_the_margin() -> None:
    """Where the true effect is the margin itself, TOST at 5 % is wrong in at most 5 %."""
    rng = np.random.default_rng(1)
    wrong = sum(MeanTest(tuple(rng.normal(0.01, 0.004, 6))).p_equivalent(0.01) < 0.05 for _ in range(400))
    assert wrong <= 33  # binomial(400, .05): more in one of 300


def test_fieller() -> None:
    """Against the bootstrap where the denominator is far from 0."""
    rng = np.random.default_rng(2)
    whole = rng.normal(10, 1, 400)
    part = 0.4 * whole + rng.normal(0, 0.5, 400)
    low, high = ratio_interval(part, whole)
    draws = rng.integers(0, 400, (2000, 400))
    ratios = part[draws].mean(1) / whole[draws].mean(1)
    assert (low, high) == pytest.approx(np.quantile(ratios, [0.025, 0.975]), abs=0.001)
    assert ratio_interval([1.0, -1.0, 0.5], [1.0, -1.2, 0.4]) is None


@pytest.mark.parametrize("values", [(), (0.1,), (0.1, 0.1), (0.1, float("nan")), (0.1, float("inf"))])
def test_values_that_cannot_be_tested(values) -> None:
    with pytest.raises(PredictorError):
        MeanTest(values)


def test_holm_by_hand() -> None:
    assert adjusted([0.01, 0.04, 0.03], "holm") == pytest.approx([0.03, 0.06, 0.06])
