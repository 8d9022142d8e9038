"""A few runs of a new target set move what the fit says of it: level and slope, shrunken by how target sets differ.

Laird & Ware 1982, Random-effects models for longitudinal data: the residual of configuration i of target set t is
a_t + b_t (x_i - centre) + e_i, in logits, x_i the predicted logit; (a, b) ~ N(0, D), e_i ~ N(0, s^2 c_i^2), c_i
growing towards accuracies of 0 and 1 (`error_scale`). D, s^2 and how fast c grows come from the target sets that the
fit left out one by one. numpy alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from predictor.models.links import expit, logit
from predictor.statistics.conformal import Residuals, error_scale, fitted_tail, grouped_quantile, nested, t_quantile

Floats = NDArray[np.float64]
GRID = np.concatenate([np.arange(0, 0.995, 0.01), [0.995, 0.999]])  # levels
ROUNDS = 300
NEW_DOMAIN = 2.0  # times as wide: nothing calibrates what a fit says of a domain that it does not know
FEWEST = 9  # left-out target sets from which their quantiles make intervals of 90 %
MEASURABLE = 5  # left-out target sets from which the coverage after pilots is stated
SMALLEST = 1e-6  # variance in logits that nothing falls below
UNKNOWN_SLOPE = 0.3  # standard deviation of the slope between target sets where one target set cannot tell


@dataclass(frozen=True, eq=False)
class SetSpread:
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

    spread: SetSpread
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


def learn(x: Floats, residuals: Floats, groups: Sequence[str]) -> SetSpread:
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
        return SetSpread(centre, np.diag([1.5**2, UNKNOWN_SLOPE**2]), noise, tail, len(names))
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
    return SetSpread(centre, covariance, noise, tail, len(names))


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

    scores, owners : (n,) absolute errors of configurations of left-out target sets after pilots, in standard
        deviations, and their target sets
    times : as wide: NEW_DOMAIN where nothing calibrates the domain
    """

    spread: SetSpread
    scores: Floats
    owners: tuple[str, ...]
    times: float

    def factor(self, level: float) -> float:
        """Standard deviations on either side of an interval; never less at a higher level."""
        return self.times * self._factor(np.ones(len(self.scores), dtype=bool), level, max(self.spread.n_sets, 1))

    @cached_property
    def _factors(self) -> Floats:
        return np.array([self.factor(float(at)) for at in GRID])

    def probability(self, errors: float) -> float:
        """P(a is better than b) where a is predicted so many standard deviations above b, as intervals say.

        It is one half plus half the level at which the interval of the difference just excludes 0.
        """
        return 0.5 + math.copysign(float(np.interp(abs(errors), self._factors, GRID)) / 2, errors)

    def evidence(self, level: float) -> tuple[tuple[int, int] | None, str | None]:
        """((covered, n) configurations of left-out target sets, why that is not stated)."""
        owners = np.array(self.owners)
        names = np.unique(owners)
        if len(names) < MEASURABLE:
            return None, f"coverage not measured: {len(names)} left-out target sets; {MEASURABLE} are needed"
        covered = 0
        for name in names:  # each was predicted from the others, and is judged by them
            own = owners == name
            covered += int((self.scores[own] <= self._factor(~own, level, self.spread.n_sets - 1)).sum())
        if self.times != 1.0:
            told = f"in known ones {covered} of {len(self.scores)} covered"
            return None, f"coverage not measured for a new domain; {told}"
        return (covered, len(self.scores)), None

    def _factor(self, use: NDArray[np.bool_], level: float, n_sets: int) -> float:
        """Quantile over target sets, of some of the scores; Student's t at every level where the sets are few."""
        student = t_quantile(0.5 + level / 2, n_sets)
        owners = [owner for owner, own in zip(self.owners, use, strict=True) if own]
        if len(set(self.owners)) < FEWEST:
            return student
        return nested(grouped_quantile(self.scores[use], owners, level), self.scores[use], student)


def calibrate(held: Residuals, n_pilots: int, *, extra_variance: float = 0.0) -> Calibration:
    """Learn from the left-out target sets of a fit, and repeat there what pilots do.

    held : errors of left-out target sets, which are the groups
    n_pilots : pilots of the target set that is asked about: each left-out one is given as many, from the half of its
        configurations that is predicted lowest, as pilots are cheap runs
    extra_variance : of the level, beyond that between target sets, for a new domain; the slopes of domains are taken to
        differ more in the same proportion, up to UNKNOWN_SLOPE. Left-out target sets knew their domain, so intervals
        of a new one are twice as wide and claim no coverage.
    """
    residuals, groups, x = held.residuals, held.groups, logit(held.predicted)
    names = np.unique(groups)
    scores: list[Floats] = []
    owners: list[str] = []
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
    return Calibration(spread, np.concatenate(scores) if scores else np.empty(0), tuple(owners), times)


def beyond(covariance: Floats, extra: float) -> Floats:
    """(2, 2) what a new domain adds to the covariance between target sets; extra: to the variance of the level."""
    level, slope = np.diag(covariance)
    return np.diag([extra, max(0.0, min(slope * extra / level, UNKNOWN_SLOPE**2 - slope))])


def cheap(x: Floats, n: int) -> NDArray[np.int64]:
    """(n,) which configurations play the pilots: the middles of n equal parts of the half that is predicted lowest.

    >>> cheap(np.array([0.3, 0.1, 0.2, 0.9, 0.8, 0.7]), 1).tolist()
    [2]
    """
    order = np.argsort(x, kind="stable")
    half = order[: max((len(order) + 1) // 2, n)]
    return half[((np.arange(n) + 0.5) / max(n, 1) * len(half)).astype(np.int64)]


def repeated(spread: SetSpread, x: Floats, residuals: Floats, n_pilots: int) -> Floats:
    """Errors of the configurations of one target set after its cheap ones, in standard deviations."""
    pilots = cheap(x, n_pilots)
    rest = np.setdiff1d(np.arange(len(x)), pilots)
    moved, sd = spread.posterior(x[pilots], residuals[pilots]).at(x[rest])
    return (residuals[rest] - moved) / sd
