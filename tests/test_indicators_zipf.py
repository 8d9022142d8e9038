"""Zipf's exponent against general optimisers, a Poisson regression, and data drawn from the law itself."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from predictor.distribution import LabelDistribution
from predictor.indicators import compute

COUNTS = st.lists(st.integers(1, 100_000), min_size=2, max_size=50).filter(lambda counts: len(set(counts)) > 1)


def fitted(counts, targets=None) -> tuple[float, float]:
    distribution = LabelDistribution.from_counts({f"c{i:06d}": int(n) for i, n in enumerate(counts)}, targets=targets)
    found = compute(distribution, ["zipf_exponent", "zipf_exponent_se"])
    return found["zipf_exponent"].value, found["zipf_exponent_se"].value


@given(COUNTS)
def test_the_likelihood_has_its_maximum_there(counts) -> None:
    """scipy 1.17, bounded Brent on the log likelihood written as in the definition."""
    ranked = np.sort(counts)[::-1]
    logs = np.log(np.arange(1, len(ranked) + 1))

    def loss(s: float) -> float:
        return s * (ranked * logs).sum() / ranked.sum() + np.log(np.exp(-s * logs).sum())

    best = minimize_scalar(loss, bounds=(0, 60), method="bounded", options={"xatol": 1e-10})
    s, _ = fitted(counts)
    assert s == pytest.approx(best.x, abs=1e-4)
    assert loss(s) <= best.fun + 1e-14


@pytest.mark.parametrize("counts", [[600, 310, 190, 150], [9, 5, 5, 1], [10**6, 10, 3, 2, 1, 1], list(range(1, 400))])
def test_exponent_and_error_are_those_of_a_poisson_regression(counts) -> None:
    """statsmodels 0.15: a Poisson regression of the counts on log rank has the same slope and Fisher information."""
    ranked = np.sort(counts)[::-1].astype(float)
    design = sm.add_constant(np.log(np.arange(1, len(ranked) + 1)))
    model = sm.GLM(ranked, design, family=sm.families.Poisson()).fit(tol=1e-13, maxiter=200)
    s, error = fitted(counts)
    assert s == pytest.approx(-model.params[1], rel=1e-8)
    assert error == pytest.approx(model.bse[1], rel=1e-6)


def test_draws_from_the_law_give_its_exponent_within_the_error() -> None:
    generator = np.random.default_rng(0)
    share = np.arange(1, 31) ** -1.2
    draws = [fitted(generator.multinomial(200_000, share / share.sum())) for _ in range(300)]
    s, error = np.array(draws).T
    assert s.mean() == pytest.approx(1.2, abs=4 * error.mean() / 300**0.5)
    assert 0.88 < s.std() / error.mean() < 1.12  # 300 draws: the spread itself is known within 4 %


@given(st.integers(2, 40), st.integers(1, 1000))
def test_equal_classes_have_exponent_zero(n_classes, size) -> None:
    s, error = fitted([size] * n_classes)
    assert s == pytest.approx(0, abs=1e-9) and error > 0


@pytest.mark.parametrize("counts", [[2**62, 1], [2**61, 2**61], [10**15] * 5 + [1] * 5, [10**9, *[1] * 5000]])
def test_extreme_counts_end(counts) -> None:
    s, error = fitted(counts)
    assert 0 <= s < 70 and 0 < error < 10


def test_only_tested_classes_with_images_count() -> None:
    assert fitted([600, 300, 200, 9999], ["c000000", "c000001", "c000002", "none"]) == fitted([600, 300, 200])
    alone = LabelDistribution.from_counts({"a": 5, "b": 7}, targets=["a", "none"])
    assert compute(alone, ["zipf_exponent"])["zipf_exponent"].reason == "only one target class has an image"
