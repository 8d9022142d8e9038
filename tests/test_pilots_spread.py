"""The spread between target sets that pilots are judged by, planted and found again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from predictor.models.links import expit
from predictor.planning.pilots.spread import Errors, calibrate, cheap, learn, repeated
from predictor.statistics.conformal import grouped_quantile


def planted(n_sets=40, n=24, sd_level=1.0, sd_slope=0.2, noise=0.1, seed=0):
    """Residuals of left-out target sets with a known spread."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-2, 2, (n_sets, n))
    level, slope = rng.normal(0, sd_level, (n_sets, 1)), rng.normal(0, sd_slope, (n_sets, 1))
    residuals = level + slope * x + rng.normal(0, noise, x.shape)
    return x, residuals, np.repeat([f"set {i:02d}" for i in range(n_sets)], n)


def errors_of(x, residuals, groups, units=None):
    groups = np.array(groups)
    kind = "target sets" if units is None else "domains"
    return Errors(x.ravel(), residuals.ravel(), groups, groups if units is None else np.array(units), kind)


def test_the_planted_spread_between_target_sets_is_found():
    x, residuals, groups = planted(n_sets=200)
    found = learn(x.ravel(), residuals.ravel(), groups.tolist())
    assert np.sqrt(np.diag(found.covariance)) == pytest.approx([1.0, 0.2], rel=0.12)
    assert np.sqrt(found.noise) == pytest.approx(0.1, rel=0.05)


def test_the_posterior_is_that_of_the_exact_normal_model():
    """Against conditioning the joint normal distribution of pilots and target (numpy, written out)."""
    found = replace(learn(*(part.ravel() for part in planted()[:2]), planted()[2].tolist()), tail=0.4)
    x, residuals, new = np.array([-1.0, 0.2]), np.array([0.9, 0.6]), 1.5
    every = np.column_stack([np.ones(3), np.array([*x, new]) - found.centre])
    own = (1 - found.tail) + found.tail / (4 * expit(every[:, 1] + found.centre) * expit(-every[:, 1] - found.centre))
    joint = every @ found.covariance @ every.T + found.noise * np.diag(own)
    gain = joint[2, :2] @ np.linalg.inv(joint[:2, :2])
    mean, sd = found.posterior(x, residuals).at(np.array([new]))
    assert mean[0] == pytest.approx(gain @ residuals) and sd[0] == pytest.approx(
        np.sqrt(joint[2, 2] - gain @ joint[:2, 2])
    )  # fmt: skip


def test_error_and_width_fall_with_the_number_of_pilots():
    x, residuals, groups = planted(n_sets=60)
    spread = learn(x[30:].ravel(), residuals[30:].ravel(), groups[30 * x.shape[1] :].tolist())  # the others are new
    errors, widths = [], []
    for k in (0, 1, 3, 8):
        parts, sds = [], []
        for own, error in zip(x[:30], residuals[:30], strict=True):
            pilots = cheap(own, k)
            rest = np.setdiff1d(np.arange(len(own)), pilots)
            moved, sd = spread.posterior(own[pilots], error[pilots]).at(own[rest])
            parts.append(np.abs(error[rest] - moved))
            sds.append(sd)
        errors.append(float(np.mean(parts)))
        widths.append(float(np.mean(sds)))
    assert errors[1] < errors[0] / 2 and errors[3] < errors[2] < errors[1]
    assert widths[0] > widths[1] > widths[2] > widths[3] > 0.1  # never below a configuration's own noise


@pytest.mark.parametrize("k", [1, 3])
def test_calibrated_intervals_cover_new_target_sets(k):
    """Also where errors have heavy tails, which the normal model does not know."""
    measured, inside = [], []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        x, residuals, groups = planted(n_sets=30, n=12, seed=seed)
        residuals = residuals + 0.15 * rng.standard_t(2, residuals.shape)
        found = calibrate(errors_of(x, residuals, groups), k)
        covered, reason = found.evidence(0.9)
        assert reason is None and covered is not None
        measured.append(covered[0] / covered[1])
        fresh, errors, _ = planted(n_sets=200, n=12, seed=100 + seed)
        errors = errors + 0.15 * rng.standard_t(2, errors.shape)
        scores = [repeated(found.spread, own, error, k) for own, error in zip(fresh, errors, strict=True)]
        inside.append(float(np.mean(np.abs(np.concatenate(scores)) <= found.factor(0.9))))
    assert 0.87 <= np.mean(inside) <= 0.94, inside  # each draw of 30 sets varies around it
    assert np.mean(measured) == pytest.approx(np.mean(inside), abs=0.03), "what is said is what holds"


def test_too_few_target_sets_are_said_and_widen():
    x, residuals, groups = planted(n_sets=4)
    found = calibrate(errors_of(x, residuals, groups), 3)
    covered, reason = found.evidence(0.9)
    assert covered is None and "4 left-out target sets; 5 are needed" in reason
    assert found.factor(0.9) == pytest.approx(2.132, abs=1e-3)  # t at 0.95, 4 degrees of freedom (scipy)


def test_coverage_is_measured_on_a_few_target_sets_too():
    """Below nine of them intervals come from Student's t, which never saw the target set that is counted."""
    inside = []
    for seed in range(12):
        x, residuals, groups = planted(n_sets=8, n=12, seed=seed)
        found = calibrate(errors_of(x, residuals, groups), 3)
        covered, reason = found.evidence(0.9)
        assert reason is None and covered[1] == 8 * (12 - 3)
        assert found.factor(0.9) == pytest.approx(1.860, abs=1e-3)  # Student's t at 0.95 with 8 degrees of freedom
        inside.append(covered[0] / covered[1])
    assert 0.85 <= np.mean(inside) <= 0.97, inside


@pytest.mark.parametrize("n_domains", [6, 14])
def test_left_out_domains_calibrate_another_one(n_domains):
    """Two target sets a domain share its level: judged by domains, intervals cover those of domains never seen."""
    measured, inside = [], []
    for seed in range(8):
        x, residuals, groups = planted(n_sets=2 * n_domains, n=12, sd_level=0.3, seed=seed)
        shared = np.repeat(np.random.default_rng(seed).normal(0, 1.0, n_domains), 2)[:, None]
        units = np.repeat([f"domain {i:02d}" for i in range(n_domains)], 24)
        found = calibrate(errors_of(x, residuals + shared, groups, units), 3)
        covered, reason = found.evidence(0.9)
        assert reason is None and covered[1] == 2 * n_domains * 9 and found.times == 1.0
        measured.append(covered[0] / covered[1])
        fresh, errors, _ = planted(n_sets=200, n=12, sd_level=1.05, seed=100 + seed)
        scores = [repeated(found.spread, own, error, 3) for own, error in zip(fresh, errors, strict=True)]
        inside.append(float(np.mean(np.abs(np.concatenate(scores)) <= found.factor(0.9))))
    assert 0.88 <= np.mean(inside) <= 0.97 and np.mean(measured) == pytest.approx(np.mean(inside), abs=0.04)


def test_ten_target_sets_are_no_reason_to_cover_nearly_everything():
    """The quantile for a new one of ten is nearly the largest score; intervals are as wide as what they say needs."""
    inside, exact = [], []
    for seed in range(12):
        x, residuals, groups = planted(n_sets=10, n=12, seed=seed)
        found = calibrate(errors_of(x, residuals, groups), 3)
        covered, _ = found.evidence(0.9)
        inside.append(covered[0] / covered[1])
        exact.append(found.factor(0.9) / grouped_quantile(found.scores, found.owners, 0.9))
    assert 0.87 <= np.mean(inside) <= 0.96 and np.mean(exact) < 0.8, (inside, exact)


def test_a_new_domain_is_wider_and_claims_no_coverage():
    x, residuals, groups = planted(n_sets=20, sd_slope=0.1)
    stored = errors_of(x, residuals, groups)
    known, new = calibrate(stored, 3), calibrate(stored, 3, extra_variance=2.0)
    assert known.evidence(0.9)[0] and new.evidence(0.9)[0] is None
    assert "coverage not measured for a new domain" in new.evidence(0.9)[1]
    assert new.factor(0.9) == 2 * known.factor(0.9)
    level, slope = np.diag(new.spread.covariance - known.spread.covariance)
    assert level == pytest.approx(2.0) and 0 < slope <= 0.3**2
