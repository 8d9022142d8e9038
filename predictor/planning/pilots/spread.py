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
from predictor.models.outcome import HeldOut
from predictor.statistics.conformal import error_scale, fitted_tail, t_quantile

Floats = NDArray[np.float64]
GRID = np.concatenate([np.arange(0, 0.995, 0.01), [0.995, 0.999]])  # levels
ROUNDS = 300
NEW_DOMAIN = 2.0  # times as wide: nothing calibrates what a fit says of a domain that it does not know
FEWEST = 9  # left-out target sets, or domains, whose errors may widen an interval of 90 %
MEASURABLE = 5  # left-out target sets, or domains, from which the coverage after pilots is stated
EDGE = 0.05  # of an accuracy: errors in logits are taken to be no larger nearer to 0 and 1
SMALLEST = 1e-6  # variance in logits that nothing falls below
UNKNOWN_SLOPE = 0.3  # standard deviation of the slope between target sets where one target set cannot tell
PRIOR_SD = np.array([0.5, 0.15])  # of level and slope between domains, in logits: about what a probe leaves
PRIOR_WEIGHT = 2.0  # domains
TARGET_SETS, DOMAINS = "target sets", "domains"  # what is left out, in words


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
        scale = _scale(x, self.tail)
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
        own = self.spread.noise * _scale(x, self.spread.tail) ** 2
        variance = np.einsum("ij,jk,ik->i", z, self.covariance, z) + own
        return z @ self.mean, np.sqrt(variance)

    def difference(self, x_a: float, x_b: float) -> tuple[float, float]:
        """(logits to add to x_a - x_b, standard deviation of the measured difference): the level drops out."""
        own = self.spread.noise * (_scale(np.array([x_a, x_b]), self.spread.tail) ** 2).sum()
        return (
            float(self.mean[1]) * (x_a - x_b),
            float(np.sqrt(self.covariance[1, 1] * (x_a - x_b) ** 2 + own)),
        )


def _scale(x: Floats, tail: float) -> Floats:
    """`error_scale` at predicted logits, no larger than at EDGE: in logits, noise there has one long side, not two."""
    return error_scale(np.clip(expit(x), EDGE, 1 - EDGE), tail)


def _design(x: Floats, centre: float) -> Floats:
    x = np.atleast_1d(np.asarray(x, dtype=np.float64))
    return np.column_stack([np.ones(len(x)), x - centre])


def learn(x: Floats, residuals: Floats, groups: Sequence[str], n_units: int | None = None) -> SetSpread:
    """Maximum likelihood by expectation-maximisation (Laird & Ware 1982, section 4).

    x, residuals : (n,) predicted logits and residuals of configurations of left-out target sets
    groups : (n,) their target sets
    n_units : domains that they are of, where these were left out: few of them, all of which were met well or badly, say
        little of another one, so that PRIOR_SD counts as PRIOR_WEIGHT further ones; None: no prior

    >>> x = np.tile(np.linspace(-1, 1, 5), 3)
    >>> r = np.repeat([-1.0, 0.0, 1.0], 5) + 0.1 * np.tile([1, -1, 0, -1, 1], 3)
    >>> spread = learn(x, r, list("aaaaabbbbbccccc"))
    >>> spread.n_sets, round(float(spread.covariance[0, 0]), 2)
    (3, 0.66)
    """
    x, residuals = np.asarray(x, dtype=np.float64), np.asarray(residuals, dtype=np.float64)
    names, index = np.unique(np.array(groups), return_inverse=True)
    centre = float(x.mean())
    tail = fitted_tail(_straightened(x, residuals, index), np.clip(expit(x), EDGE, 1 - EDGE))
    scale = _scale(x, tail)
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
        if n_units is not None:
            covariance = (n_units * covariance + PRIOR_WEIGHT * np.diag(PRIOR_SD**2)) / (n_units + PRIOR_WEIGHT)
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
    """What the same procedure does on the target sets, or domains, that the fit left out.

    scores, owners : (n,) absolute errors of left-out runs after pilots, in standard deviations, and the unit that was
        left out with each: its target set, or its domain
    units : of what they are, in words; n_units : left out
    times : as wide: NEW_DOMAIN where nothing calibrates the domain
    """

    spread: SetSpread
    scores: Floats
    owners: tuple[str, ...]
    units: str
    n_units: int
    times: float

    def factor(self, level: float) -> float:
        """Standard deviations on either side of an interval; never less at a higher level."""
        return self.times * self._factor(np.ones(len(self.scores), dtype=bool), level, max(self.n_units, 1))

    @cached_property
    def _factors(self) -> Floats:
        return np.array([self.factor(float(at)) for at in GRID])

    def probability(self, errors: float) -> float:
        """P(a is better than b) where a is predicted so many standard deviations above b, as intervals say.

        It is one half plus half the level at which the interval of the difference just excludes 0.
        """
        return 0.5 + math.copysign(float(np.interp(abs(errors), self._factors, GRID)) / 2, errors)

    def evidence(self, level: float) -> tuple[tuple[int, int] | None, str | None]:
        """((covered, n) single runs of left-out target sets or domains, why that is not stated)."""
        owners = np.array(self.owners)
        names = np.unique(owners)
        if len(names) < MEASURABLE:
            return None, f"coverage not measured: {len(names)} left-out {self.units}; {MEASURABLE} are needed"
        covered = 0
        for name in names:  # each was predicted from the others, and is judged by them
            own = owners == name
            covered += int((self.scores[own] <= self._factor(~own, level, self.n_units - 1)).sum())
        if self.times != 1.0:
            told = f"in known ones {covered} of {len(self.scores)} covered"
            return None, f"coverage not measured for a new domain; {told}"
        return (covered, len(self.scores)), None

    def _factor(self, use: NDArray[np.bool_], level: float, n_units: int) -> float:
        """Student's t, as few units tell the spread between them roughly; from FEWEST on no less than the scores show.

        A new unit counts as half a one beyond those there are. In `statistics.conformal.grouped_quantile` it counts
        as a whole one with the largest error of all: of ten units that is the quantile .99, so that intervals of 90 %
        hold .99 and are half as wide again.
        """
        student = t_quantile(0.5 + level / 2, n_units)
        owners = [owner for owner, own in zip(self.owners, use, strict=True) if own]
        if len(set(self.owners)) < FEWEST:
            return student
        rank = min(level * (1 + 0.5 / len(set(owners))), 1.0)
        return max(student, weighted_quantile(self.scores[use], owners, rank))


def weighted_quantile(scores: Floats, owners: Sequence[str], level: float) -> float:
    """Quantile of scores of which every owner has the same part.

    >>> weighted_quantile(np.array([1.0, 2.0, 3.0, 4.0, 9.0]), list("aaaab"), 0.5)
    4.0
    """
    _, index, sizes = np.unique(np.array(owners), return_inverse=True, return_counts=True)
    order = np.argsort(scores, kind="stable")
    reached = np.cumsum((1 / (len(sizes) * sizes[index]))[order])
    return float(scores[order][min(int(np.searchsorted(reached, level - 1e-9)), len(scores) - 1)])


@dataclass(frozen=True, eq=False)
class Errors:
    """Errors of single runs that nothing of the fit had seen.

    x, residuals : (n,) predicted logits, and measured - predicted
    sets : (n,) target sets, which share a level and a slope; units : (n,) what was left out together
    kind : of what the units are, in words
    """

    x: Floats
    residuals: Floats
    sets: NDArray[np.str_]
    units: NDArray[np.str_]
    kind: str = TARGET_SETS

    @classmethod
    def of(cls, held: HeldOut, *, domains: bool = False) -> Errors:
        """Of what a fit holds. domains : the groups are left-out domains"""
        kind = DOMAINS if domains else TARGET_SETS
        return cls(logit(held.predicted), held.single, held.sets, held.groups, kind)

    def learned(self, chosen: NDArray[np.bool_]) -> SetSpread:
        """How some of the target sets differ."""
        n_units = len(np.unique(self.units[chosen])) if self.kind == DOMAINS else None
        return learn(self.x[chosen], self.residuals[chosen], self.sets[chosen].tolist(), n_units)


def calibrate(held: Errors, n_pilots: int, *, extra_variance: float | None = None) -> Calibration:
    """Learn from the left-out target sets of a fit, or its left-out domains, and repeat there what pilots do.

    n_pilots : pilots of the target set that is asked about, a single run each: each left-out one is given as many, from
        the half of its configurations that is predicted lowest, as pilots are cheap runs
    extra_variance : of the level, beyond that between target sets, for a domain that no left-out one calibrates; the
        slopes of domains are taken to differ more in the same proportion, up to UNKNOWN_SLOPE. Left-out target sets
        knew their domain, so intervals are then twice as wide and claim no coverage. None: they calibrate it
    """
    scores: list[Floats] = []
    owners: list[str] = []
    names = np.unique(held.units)
    for unit in names:
        rest = held.units != unit
        if len(np.unique(held.sets[rest])) < 2:
            continue
        others = held.learned(rest)
        for name in np.unique(held.sets[~rest]):
            own = ~rest & (held.sets == name)
            if own.sum() < n_pilots + 2:
                continue
            found = repeated(others, held.x[own], held.residuals[own], n_pilots)
            scores.append(np.abs(found))
            owners += [str(unit)] * len(found)
    learned = held.learned(np.ones(len(held.x), dtype=bool))
    spread, times = learned, 1.0
    if extra_variance is not None:
        times = NEW_DOMAIN
        spread = replace(learned, covariance=learned.covariance + beyond(learned.covariance, extra_variance))
    every = np.concatenate(scores) if scores else np.empty(0)
    return Calibration(spread, every, tuple(owners), held.kind, len(names), times)


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
