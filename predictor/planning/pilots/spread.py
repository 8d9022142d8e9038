"""A few runs of a new target set move what the fit says of it: level and slope, shrunken by how target sets differ.

Laird & Ware 1982, Random-effects models for longitudinal data: the residual of configuration i of target set t is
a_t + b_t (x_i - centre) + e_i, in logits, x_i the predicted logit; (a, b) ~ N(0, D), e_i ~ N(0, s^2 c_i^2), c_i
growing towards accuracies of 0 and 1 (`error_scale`). D, s^2 and how fast c grows come from the target sets that the
fit left out one by one. numpy alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictor.models.links import expit, logit
from predictor.statistics.conformal import error_scale, fitted_tail, grouped_quantile, t_quantile

Floats = NDArray[np.float64]
ROUNDS = 300
NEW_DOMAIN = 2.0  # times as wide: nothing calibrates what a fit says of a domain that it does not know
MEASURABLE = 5  # left-out target sets from which the coverage after pilots is stated
SMALLEST = 1e-6  # variance in logits that nothing falls below
UNKNOWN_SLOPE = 0.3  # standard deviation of the slope between target sets where one target set cannot tell


@dataclass(frozen=True, eq=False)
class Spread:
    """How target sets differ from what is predicted for them.

    centre : predicted logit at which the level is taken
    covariance : (2, 2) of level and slope between target sets
    noise : variance of one configuration beyond that, at an accuracy of one half
    tail : how much that grows towards 0 and 1, see `predictor.statistics.conformal.error_scale`
    n_sets : target sets behind it
    """

    centre: float
    covariance: Floats
    noise: float
    tail: float
    n_sets: int

    def posterior(self, x: Floats, residuals: Floats) -> Posterior:
        """Level and slope of a target set after its pilots.

        x : (k,) predicted logits of the pilots
        residuals : (k,) measured - predicted, in logits
        """
        scale = error_scale(expit(x), self.tail)
        z = _design(x, self.centre) / scale[:, None]
        information = np.linalg.inv(self.covariance) + z.T @ z / self.noise
        covariance = np.linalg.inv(information)
        return Posterior(self, covariance @ (z.T @ (residuals / scale)) / self.noise, covariance)


@dataclass(frozen=True, eq=False)
class Posterior:
    """(2,) level and slope of one target set, and their (2, 2) covariance."""

    spread: Spread
    mean: Floats
    covariance: Floats

    def at(self, x: Floats) -> tuple[Floats, Floats]:
        """((n,) logits to add to the predicted logits x, (n,) standard deviation of a new configuration there)."""
        z = _design(x, self.spread.centre)
        own = self.spread.noise * error_scale(expit(x), self.spread.tail) ** 2
        variance = np.einsum("ij,jk,ik->i", z, self.covariance, z) + own
        return z @ self.mean, np.sqrt(variance)

    def difference(self, x_a: float, x_b: float) -> tuple[float, float]:
        """(logits to add to x_a - x_b, standard deviation of the measured difference): the level drops out."""
        own = self.spread.noise * (error_scale(expit(np.array([x_a, x_b])), self.spread.tail) ** 2).sum()
        return (
            float(self.mean[1]) * (x_a - x_b),
            float(np.sqrt(self.covariance[1, 1] * (x_a - x_b) ** 2 + own)),
        )


def _design(x: Floats, centre: float) -> Floats:
    x = np.atleast_1d(np.asarray(x, dtype=np.float64))
    return np.column_stack([np.ones(len(x)), x - centre])


def learn(x: Floats, residuals: Floats, groups: Sequence[str]) -> Spread:
    """Maximum likelihood by expectation-maximisation (Laird & Ware 1982, section 4).

    x, residuals : (n,) predicted logits and residuals of configurations of left-out target sets
    groups : (n,) their target sets

    >>> x = np.tile(np.linspace(-1, 1, 5), 3)
    >>> r = np.repeat([-1.0, 0.0, 1.0], 5) + 0.1 * np.tile([1, -1, 0, -1, 1], 3)
    >>> spread = learn(x, r, list("aaaaabbbbbccccc"))
    >>> spread.n_sets, round(float(spread.covariance[0, 0]), 2)
    (3, 0.66)
    """
    x, residuals = np.asarray(x, dtype=np.float64), np.asarray(residuals, dtype=np.float64)
    names, index = np.unique(np.array(groups), return_inverse=True)
    centre = float(x.mean())
    tail = fitted_tail(_straightened(x, residuals, index), expit(x))
    scale = error_scale(expit(x), tail)
    z, residuals = _design(x, centre) / scale[:, None], residuals / scale
    sizes = np.bincount(index)
    products = np.stack([z[index == g].T @ z[index == g] for g in range(len(names))])
    moments = np.stack([z[index == g].T @ residuals[index == g] for g in range(len(names))])
    if len(names) < 2:
        noise = max(float(np.var(residuals)), SMALLEST)
        return Spread(centre, np.diag([1.5**2, UNKNOWN_SLOPE**2]), noise, tail, len(names))
    covariance, noise = np.diag([1.0, 0.1]), max(float(np.var(residuals)) / 2, SMALLEST)
    squares = np.bincount(index, weights=residuals**2)
    for _ in range(ROUNDS):
        before = np.array([*covariance.ravel(), noise])
        spread = np.linalg.inv(np.linalg.inv(covariance) + products / noise)
        mean = np.einsum("gij,gj->gi", spread, moments) / noise
        second = spread + mean[:, :, None] * mean[:, None, :]
        covariance = second.mean(axis=0) + SMALLEST * np.eye(2)
        left = squares - 2 * (mean * moments).sum(axis=1) + np.einsum("gij,gij->g", products, second)
        noise = max(float(left.sum() / sizes.sum()), SMALLEST)
        if np.abs(np.array([*covariance.ravel(), noise]) - before).max() < 1e-7:
            break
    return Spread(centre, covariance, noise, tail, len(names))


def _straightened(x: Floats, residuals: Floats, index: NDArray[np.int64]) -> Floats:
    """(n,) residuals without the least-squares level and slope of their target set."""
    left = residuals.copy()
    for g in range(int(index.max()) + 1):
        own = index == g
        z = _design(x[own], float(x[own].mean()))
        left[own] -= z @ np.linalg.lstsq(z, residuals[own], rcond=None)[0]
    return left


@dataclass(frozen=True, eq=False)
class Calibration:
    """What the same procedure does on the target sets that the fit left out.

    factor : standard deviations on either side of an interval
    covered : [covered, n] configurations of left-out target sets; None where they are too few to say
    reason : why coverage was not measured, else None
    """

    spread: Spread
    factor: float
    covered: tuple[int, int] | None
    reason: str | None


def calibrate(stored: Mapping[str, Any], n_pilots: int, level: float, *, extra_variance: float = 0.0) -> Calibration:
    """Learn from the left-out target sets of a fit, and repeat there what pilots do.

    stored : residuals, groups and predicted of `fit.outcomes[outcome]["target_set"]`
    n_pilots : pilots of the target set that is asked about: each left-out one is given as many, from the half of its
        configurations that is predicted lowest, as pilots are cheap runs
    extra_variance : of the level, beyond that between target sets, for a new domain; the slopes of domains are taken to
        differ more in the same proportion, up to UNKNOWN_SLOPE. Left-out target sets knew their domain, so intervals
        of a new one are twice as wide and claim no coverage.
    """
    residuals, groups = np.array(stored["residuals"]), np.array(stored["groups"])
    x = logit(np.array(stored["predicted"]))
    names = np.unique(groups)
    scores, owners = [], []
    for name in names:
        own = groups == name
        if own.sum() < n_pilots + 2 or len(names) < 3:
            continue
        others = learn(x[~own], residuals[~own], groups[~own].tolist())
        found = repeated(others, x[own], residuals[own], n_pilots)
        scores.append(np.abs(found))
        owners += [str(name)] * len(found)
    learned = learn(x, residuals, groups.tolist())
    spread = replace(learned, covariance=learned.covariance + beyond(learned.covariance, extra_variance))
    times = NEW_DOMAIN if extra_variance else 1.0
    needed = int(np.ceil(level / (1 - level) - 1e-9))
    everyone = np.concatenate(scores) if scores else np.empty(0)
    if len(scores) <= needed:  # Student's t: made without the scores, so they measure its coverage
        half = t_quantile(0.5 + level / 2, max(learned.n_sets, 1))
        if len(scores) < MEASURABLE:
            reason = f"coverage not measured: {len(scores)} left-out target sets; {MEASURABLE} are needed"
            return Calibration(spread, times * half, None, reason)
        limit = t_quantile(0.5 + level / 2, learned.n_sets - 1)  # each of them was predicted from the others
        return _measured(spread, half, times, (int((everyone <= limit).sum()), len(everyone)))
    half = grouped_quantile(everyone, owners, level)
    assert half is not None  # there are more target sets than that needs
    covered = 0
    for i, own_scores in enumerate(scores):
        rest = np.concatenate([part for j, part in enumerate(scores) if j != i])
        name = names_of(owners)[i]
        limit = grouped_quantile(rest, [owner for owner in owners if owner != name], level)
        covered += int((own_scores <= (np.inf if limit is None else limit)).sum())
    return _measured(spread, half, times, (covered, len(everyone)))


def _measured(spread: Spread, half: float, times: float, covered: tuple[int, int]) -> Calibration:
    if times == 1.0:
        return Calibration(spread, half, covered, None)
    reason = f"coverage not measured for a new domain; in known ones {covered[0]} of {covered[1]} covered"
    return Calibration(spread, times * half, None, reason)


def beyond(covariance: Floats, extra: float) -> Floats:
    """(2, 2) what a new domain adds to the covariance between target sets; extra: to the variance of the level."""
    level, slope = np.diag(covariance)
    return np.diag([extra, max(0.0, min(slope * extra / level, UNKNOWN_SLOPE**2 - slope))])


def names_of(owners: Sequence[str]) -> list[str]:
    """The distinct names in order of appearance."""
    return list(dict.fromkeys(owners))


def cheap(x: Floats, n: int) -> NDArray[np.int64]:
    """(n,) which configurations play the pilots: the middles of n equal parts of the half that is predicted lowest.

    >>> cheap(np.array([0.3, 0.1, 0.2, 0.9, 0.8, 0.7]), 1).tolist()
    [2]
    """
    order = np.argsort(x, kind="stable")
    half = order[: max((len(order) + 1) // 2, n)]
    return half[((np.arange(n) + 0.5) / max(n, 1) * len(half)).astype(np.int64)]


def repeated(spread: Spread, x: Floats, residuals: Floats, n_pilots: int) -> Floats:
    """Errors of the configurations of one target set after its cheap ones, in standard deviations."""
    pilots = cheap(x, n_pilots)
    rest = np.setdiff1d(np.arange(len(x)), pilots)
    moved, sd = spread.posterior(x[pilots], residuals[pilots]).at(x[rest])
    return (residuals[rest] - moved) / sd
