"""Intervals of the difference of two manifests: in worlds with a known truth they cover at about their level."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from synthetic import registry

from predictor.fitting import fit_registry
from predictor.models.links import expit, logit
from predictor.prediction import predict
from predictor.prediction.differences import Differences, differences
from predictor.statistics.conformal import Residuals, error_scale

LEVEL = 0.9


def world(generator, n_sets, n, slope_sd, tail):
    """Held-out residuals as fit.json keeps them: a level and a slope of each target set, noise that grows outwards."""
    x = generator.uniform(-3, 4, (n_sets, n))
    level, slope = generator.normal(0, 1, (n_sets, 1)), generator.normal(0, slope_sd, (n_sets, 1))
    noise = 0.15 * error_scale(expit(x), tail) * generator.normal(size=x.shape)
    names = np.repeat([f"set {i}" for i in range(n_sets)], n)
    return {
        "residuals": (level + slope * x + noise).ravel().tolist(),
        "predicted": expit(x).ravel().tolist(),
        "groups": names.tolist(),
    }


def hits(n_sets, n, slope_sd, tail, *, known, worlds=200):
    """(worlds,) whether the true error of one new pair of one new target set is inside, and its largest |logit|."""
    generator = np.random.default_rng(7)
    inside, farthest = [], []
    for _ in range(worlds):
        found = differences(Residuals.of(world(generator, n_sets, n, slope_sd, tail)), known=known)
        new = world(generator, 1, 2, slope_sd, tail)
        x = logit(np.array(new["predicted"]))
        half = found.half_width(x[0], x[1], LEVEL)
        inside.append(abs(new["residuals"][0] - new["residuals"][1]) <= half)
        farthest.append(np.abs(x).max())
    return np.array(inside), np.array(farthest)


def nominal_inside(inside, level=LEVEL):
    """Whether the exact 99 % binomial interval of the measured coverage holds the stated level."""
    low, high = stats.binomtest(int(inside.sum()), len(inside)).proportion_ci(0.99)
    return low <= level <= high


@pytest.mark.parametrize(
    ("n_sets", "n", "slope_sd", "tail", "known"),
    [(12, 8, 0.0, 1.0, True), (1, 40, 0.0, 1.0, True), (16, 8, 0.2, 0.7, False), (12, 8, 0.0, 0.0, False)],
    ids=["grows to 0 and 1", "one target set", "slopes differ", "the same everywhere"],
)
def test_a_new_pair_is_covered_at_about_the_level_at_one_half_and_near_0_and_1(n_sets, n, slope_sd, tail, known):
    inside, farthest = hits(n_sets, n, slope_sd, tail, known=known)
    assert nominal_inside(inside), inside.mean()
    near, far = inside[farthest < 2.2], inside[farthest > 3]
    assert len(near) > 40 and nominal_inside(near), near.mean()
    assert len(far) > 40 and nominal_inside(far), far.mean()


def test_one_width_for_all_pairs_fails_near_0_and_1():
    """What the scaled errors mend: the plain quantile of all differences is right on average alone."""
    generator = np.random.default_rng(3)
    inside, farthest = [], []
    for _ in range(250):
        own, new = world(generator, 12, 8, 0.0, 1.0), world(generator, 1, 2, 0.0, 1.0)
        residuals = np.array(own["residuals"]).reshape(12, 8)
        a, b = np.triu_indices(8, k=1)
        half = np.quantile(np.abs(residuals[:, a] - residuals[:, b]), LEVEL)
        inside.append(abs(new["residuals"][0] - new["residuals"][1]) <= half)
        farthest.append(np.abs(logit(np.array(new["predicted"]))).max())
    inside, farthest = np.array(inside), np.array(farthest)
    assert not nominal_inside(inside[farthest > 3]) and inside[farthest > 3].mean() < 0.85


@pytest.mark.parametrize("n_sets", [2, 5])
def test_few_target_sets_cover_too(n_sets):
    inside, _ = hits(n_sets, 10, 0.15, 0.5, known=False, worlds=120)
    assert inside.mean() > 0.84


def test_probability_and_interval_agree():
    found = differences(Residuals.of(world(np.random.default_rng(0), 10, 8, 0.1, 0.5)), known=False)
    for a, b in ((0.4, 0.0), (1.0, -1.0), (0.0, 0.1), (3.0, 2.6)):
        half = found.half_width(a, b, LEVEL)
        assert (found.probability(a, b) > 0.95) == (a - b > half) or abs(a - b - half) < 0.02
        assert found.probability(a, b) + found.probability(b, a) == pytest.approx(1)
    assert found.probability(0.7, 0.7) == 0.5
    widths = [found.half_width(1.0, 0.0, level) for level in (0.5, 0.8, 0.9, 0.95, 0.99)]
    assert widths == sorted(widths)


@pytest.mark.parametrize(("known", "wanted", "units"), [(False, [1 / 2, 1 / 2], 2), (True, [2 / 6, 4 / 6], 6)])
def test_pairs_weigh_as_what_is_evidence(known, wanted, units):
    """Every configuration of a target set that is known; else every target set, however many it has."""
    held = {"residuals": [0.1, -0.1, 0.1, 0.3, 0.1, 0.2], "predicted": [0.5] * 6, "groups": list("aabbbb")}
    found = differences(Residuals.of(held), known=known)
    assert np.bincount(found.owners, found.weights) == pytest.approx(wanted) and found.units == units


def test_nothing_to_compare_says_nothing():
    found = differences(
        Residuals.of({"residuals": [0.1, 0.2], "predicted": [0.5, 0.6], "groups": ["a", "b"]}), known=False
    )
    assert isinstance(found, Differences) and found.half_width(0.0, 1.0, LEVEL) is None
    assert found.probability(5.0, 0.0) == 0.5 and found.covered(LEVEL) is None


def test_the_measured_coverage_is_near_the_level():
    found = differences(Residuals.of(world(np.random.default_rng(1), 20, 10, 0.1, 0.7)), known=False)
    covered, n = found.covered(LEVEL)
    assert n == 20 * 45 and 0.85 < covered / n < 0.96


def planted(seed, n_sets, n_configurations, study, first=0):
    """Runs of target sets whose levels and data effect are known."""
    levels = np.random.default_rng(99).normal(-1.6, 1.2, 40)  # from 20 % to 95 %
    sets = tuple((f"set/{i:02d}", ("photographs", 10, float(levels[i]))) for i in range(first, first + n_sets))
    return registry(
        n_configurations=n_configurations,
        n_seeds=1,
        seed=seed,
        tested=60,
        noise=0.12,
        study=study,
        target_sets=sets,
        image_steps=(30_000,),
    )


@pytest.fixture(scope="module")
def fit():
    return fit_registry(planted(0, 12, 96, "fit"), outcomes=["accuracy"], family_names=["linear"])


@pytest.mark.parametrize("known", [True, False], ids=["target set of the fit", "left-out target sets"])
def test_pairs_of_a_planted_registry_that_the_fit_never_saw(fit, known):
    """From runs to `predict`: 12 target sets, and disjoint pairs of held-out runs of them or of 20 others."""
    held = planted(1, 12 if known else 20, 160, "held", first=0 if known else 12)
    inside, true = [], []
    for name in sorted({record.target_set for record in held}):
        own = [record for record in held if record.target_set == name]
        for a, b in zip(own[::2], own[1::2], strict=False):
            asked = {"target_set": name} if known else {"domain": "photographs"}
            found = predict(fit, {"a": a.distribution, "b": b.distribution}, image_steps=30_000, **asked)
            (row,) = [item for item in found.comparisons if item.outcome == "accuracy"]
            sign = 1 if row.a == "a" else -1
            measured = sign * (counted(a) - counted(b))
            inside.append(row.low <= measured <= row.high)
            true.append((row.p_a_better > 0.5) == (measured > 0))
    assert len(inside) >= 70 and nominal_inside(np.array(inside)), np.mean(inside)
    assert np.mean(true) > 0.8


def counted(record):
    outcome = record.outcomes["accuracy"]
    return float(logit((sum(outcome.correct) + 0.5) / (sum(outcome.tested) + 1)))
