"""How far the predicted difference of two manifests may be off: errors of earlier comparisons; numpy alone.

Two held-out configurations of one target set, predicted logits x_a and x_b, were off by r_a and r_b: their comparison
was off by r_a - r_b, and the level of the target set, which both share, drops out. Such errors grow towards accuracies
of 0 and 1 (`error_scale`), and with x_a - x_b, as a slope of a target set does not drop out:
sd^2 ~ c_a^2 + c_b^2 + (slope (x_a - x_b))^2. Errors over that are what all comparisons have in common.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import NormalDist

import numpy as np

from predictor.models.case import Floats
from predictor.models.links import expit, logit
from predictor.statistics.conformal import Residuals, error_scale, t_quantile
from predictor.statistics.ties import first_least

TAILS = tuple(step / 10 for step in range(11))
SLOPES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0)
GRID = np.concatenate([np.arange(0, 0.995, 0.01), [0.995, 0.999]])  # levels
FEW = 20  # pairs: fewer cannot tell how errors grow
MEASURABLE = 5  # target sets from which coverage is stated
LEAST = 1e-9  # logits: a model that errs nowhere is still not certain


@dataclass(frozen=True, eq=False)
class Differences:
    """Errors of comparisons of held-out configurations, over their scale.

    scores : (P,) ascending |r_a - r_b| / scale
    weights : (P,) of each pair; sum 1
    owners : (P,) number of the target set of each pair
    units : independent pieces of evidence: configurations where the target set is known, else target sets
    tail, slope : how errors grow towards 0 and 1, and with the difference itself
    """

    scores: Floats
    weights: Floats
    owners: Floats
    units: int
    tail: float
    slope: float

    def scale(self, x_a: Floats | float, x_b: Floats | float) -> Floats:
        """Expected error of the comparison of two predicted logits, up to a factor."""
        return _scale(np.asarray(x_a), np.asarray(x_b), self.tail, self.slope)

    def half_width(self, x_a: float, x_b: float, level: float) -> float | None:
        """Half the width of the interval of x_a - x_b, in logits; None where there was nothing to compare."""
        factor = self._factor(level)
        return None if factor is None else factor * float(self.scale(x_a, x_b))

    def probability(self, x_a: float, x_b: float) -> float:
        """P(a is better than b): the level at which the interval just excludes 0; one half where nothing is known."""
        if not len(self.scores):
            return 0.5
        score = (x_a - x_b) / float(self.scale(x_a, x_b))
        inside = float(np.interp(abs(score), self._factors, GRID))
        return 0.5 + math.copysign(inside / 2, score)

    @cached_property
    def _factors(self) -> Floats:
        return np.maximum.accumulate([self._factor(float(level)) or 0.0 for level in GRID])

    def covered(self, level: float) -> tuple[int, int] | None:
        """(covered, n): pairs of each target set inside intervals that the others make; None for too few of them."""
        names = np.unique(self.owners)
        if len(names) < MEASURABLE:
            return None
        inside = 0
        for name in names:
            rest = self.owners != name
            weights = self.weights[rest] / self.weights[rest].sum()
            units = max(1, self.units * (len(names) - 1) // len(names))
            others = replace(self, scores=self.scores[rest], weights=weights, owners=self.owners[rest], units=units)
            inside += int((self.scores[~rest] <= (others._factor(level) or 0.0)).sum())
        return inside, len(self.scores)

    def _factor(self, level: float) -> float | None:
        """Quantile of the scores, wider where few units stand behind it: as Student's t is than the normal."""
        if not len(self.scores) or level <= 0:
            return 0.0 if len(self.scores) else None
        at = int(np.argmax(np.cumsum(self.weights) >= level - 1e-9))
        few = t_quantile(0.5 + level / 2, self.units) / NormalDist().inv_cdf(0.5 + level / 2)
        return float(max(self.scores[at], LEAST)) * few


def differences(own: Residuals, *, known: bool) -> Differences:
    """All pairs of held-out configurations of one target set.

    own : errors of held-out configurations; grouped by target set
    known : whether the comparison is on a target set of the fit: then every configuration weighs the same and is
        evidence of its own, else every target set is

    >>> stored = {"residuals": [0.1, -0.1, 0.1, 0.3, 0.1], "predicted": [0.5] * 5, "groups": ["a", "a", "b", "b", "b"]}
    >>> own = Residuals.of(stored)
    >>> found = differences(own, known=False)
    >>> found.units, len(found.scores), round(found.half_width(0.0, 0.0, 0.9), 2)
    (2, 4, 0.36)
    """
    residuals, x = own.residuals, logit(own.predicted)
    _, index, sizes = np.unique(own.groups, return_inverse=True, return_counts=True)
    pairs = [_pairs(np.flatnonzero(index == g)) for g in range(len(sizes))]
    a, b = np.concatenate(pairs, axis=1) if pairs else np.empty((2, 0), dtype=np.int64)
    error, owners, several = residuals[a] - residuals[b], index[a], sizes[sizes > 1]
    tail, slope = _growth(error, x[a], x[b])
    n = sizes[owners]
    weights = 1 / (n - 1) if known else 2 / (n * (n - 1))  # of a configuration's pairs, of a target set's
    scores = np.abs(error) / _scale(x[a], x[b], tail, slope)
    order = np.argsort(scores, kind="stable")
    return Differences(
        scores=scores[order],
        weights=(weights / weights.sum())[order] if len(weights) else weights,
        owners=owners[order],
        units=int(several.sum()) if known else len(several),
        tail=tail,
        slope=slope,
    )


def _pairs(own: np.ndarray) -> np.ndarray:
    upper = np.triu_indices(len(own), k=1)
    return np.stack([own[upper[0]], own[upper[1]]])


def _scale(x_a: Floats, x_b: Floats, tail: float, slope: float) -> Floats:
    squares = error_scale(expit(x_a), tail) ** 2 + error_scale(expit(x_b), tail) ** 2
    return np.sqrt(squares + (slope * (x_a - x_b)) ** 2)


def _growth(error: Floats, x_a: Floats, x_b: Floats) -> tuple[float, float]:
    """(tail, slope) under which normal errors are most likely; (0.5, 0) for too few pairs to tell."""
    if len(error) < FEW:
        return 0.5, 0.0

    def deviance(tail: float, slope: float) -> float:
        scale = _scale(x_a, x_b, tail, slope)
        return float(np.log(np.mean((error / scale) ** 2) + 1e-12) / 2 + np.mean(np.log(scale)))

    return _least(deviance)


def _least(deviance: Callable[[float, float], float]) -> tuple[float, float]:
    tail, slope = 0.5, 0.0
    for _ in range(2):  # one after the other: each is nearly independent of the other
        slope = SLOPES[int(first_least([deviance(tail, value) for value in SLOPES]))]
        tail = TAILS[int(first_least([deviance(value, slope) for value in TAILS]))]
    return tail, slope
