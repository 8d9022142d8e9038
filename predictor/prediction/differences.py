"""How far the predicted difference of two manifests may be off: errors of earlier comparisons; numpy alone.

Two held-out configurations of one target set, predicted logits x_a and x_b, were off by r_a and r_b: their comparison
was off by r_a - r_b, and the level of the target set, which both share, drops out. Where the target set is known, each
error has the size that is expected of it (`predictor.statistics.error_scale`: it grows where models disagree, in short
trainings, towards accuracies of 0 and 1): sd^2 ~ s_a^2 + s_b^2 + (slope (x_a - x_b))^2, as a slope of a target set does
not drop out. Of left-out target sets s grows towards 0 and 1 alone. How much, and the slope, the pairs themselves say.
Errors over that are what all comparisons have in common. They calibrate the interval; P(a is better) is that of
Student's t with 4 degrees of freedom, whose tails are as heavy, of a width that makes the same 90 % interval.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictor.models.case import Floats
from predictor.models.links import expit, logit
from predictor.statistics.conformal import Residuals, t_quantile
from predictor.statistics.error_scale import NOTHING, ErrorScale, Signs
from predictor.statistics.ties import first_least

TAILS = tuple(step / 10 for step in range(11))
SLOPES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5)  # of the typical size of an error
FEW = 20  # pairs: fewer cannot tell how errors grow
MEASURABLE = 5  # target sets from which coverage is stated
LEAST = 1e-9  # logits: a model that errs nowhere is still not certain
DF, AT = 4.0, 0.9  # of Student's t, and the level at which its interval is the calibrated one
BINS = 10  # of P, from one half to 1, in a table of how often it was right


@dataclass(frozen=True, eq=False)
class Side:
    """One manifest of a comparison: its predicted logit, and what tells how large its error is likely to be."""

    logit: float
    signs: Signs = NOTHING


@dataclass(frozen=True, eq=False)
class Differences:
    """Errors of comparisons of held-out configurations, over their scale.

    errors, guesses : (P,) ascending |r_a - r_b| and the predicted difference of each pair, over their scale
    right : (P,) whether the predicted difference had the measured sign; 1/2 of ties
    weights : (P,) of each pair; sum 1
    owners : (P,) number of the target set of each pair
    units : independent pieces of evidence: configurations where the target set is known, else target sets
    size, slope : how errors grow, and with the difference itself
    """

    errors: Floats
    guesses: Floats
    right: Floats
    weights: Floats
    owners: Floats
    units: int
    size: ErrorScale
    slope: float

    def scale(self, a: Side | float, b: Side | float) -> float:
        """Expected error of a comparison, up to a factor."""
        a, b = _side(a), _side(b)
        own = (float(np.ravel(self.size(float(expit(side.logit)), side.signs))[0]) for side in (a, b))
        return math.hypot(*own, self.slope * (a.logit - b.logit))

    def half_width(self, a: Side | float, b: Side | float, level: float) -> float | None:
        """Half the width of the interval of the difference, in logits; None where there was nothing to compare."""
        factor = self.factor(level)
        return None if factor is None else factor * self.scale(a, b)

    def probability(self, a: Side | float, b: Side | float) -> float:
        """P(a is better than b); one half where nothing is known."""
        a, b = _side(a), _side(b)
        if not len(self.errors):
            return 0.5
        return float(self._better((a.logit - b.logit) / self.scale(a, b)))

    def _better(self, guess: Floats | float) -> Floats:
        width = max(self.factor(AT) or LEAST, LEAST) / t_quantile(0.5 + AT / 2, DF)
        return _t4(np.asarray(guess) / width)

    def covered(self, level: float) -> tuple[int, int] | None:
        """(covered, n): pairs of each target set inside intervals that the others make; None for too few of them."""
        found = [self.errors[self.owners == name] <= (others.factor(level) or 0.0) for name, others in self._left_out()]
        return (int(sum(inside.sum() for inside in found)), len(self.errors)) if found else None

    def reliability(self) -> list[dict[str, float]]:
        """How often P was right: [{stated, observed, n}] in bins of P, every target set judged by the others.

        Empty where there are too few target sets.
        """
        stated, right = [], []
        for name, others in self._left_out():
            own = self.owners == name
            p = others._better(np.abs(self.guesses[own]))
            stated.append(p)
            right.append(self.right[own])
        return binned(np.concatenate(stated), np.concatenate(right)) if stated else []

    def judged(
        self, predicted: Floats, measured: Floats, signs: Signs, groups: NDArray[Any], level: float
    ) -> tuple[NDArray[np.bool_], Floats, Floats, NDArray[np.int64]]:
        """All pairs of one group of new configurations: whether the interval held, stated P, whether it was right.

        predicted, measured : (n,) accuracies, and measured logits; signs : (n,) of the predictions
        And the first configuration of each pair.
        """
        x = logit(predicted)
        a, b = _all_pairs(groups)
        each, guess, truth = self.size(predicted, signs), x[a] - x[b], measured[a] - measured[b]
        scale = _together(each[a], each[b], guess, self.slope)
        inside = np.abs(truth - guess) <= (self.factor(level) or 0.0) * scale
        return inside, self._better(np.abs(guess) / scale), 0.5 * (1 + np.sign(guess) * np.sign(truth)), a

    def _left_out(self) -> list[tuple[int, Differences]]:
        names = np.unique(self.owners)
        if len(names) < MEASURABLE:
            return []
        made = []
        for name in names.tolist():
            rest = self.owners != name
            units = max(1, self.units * (len(names) - 1) // len(names))
            own = {key: getattr(self, key)[rest] for key in ("errors", "guesses", "right", "owners")}
            made.append(
                (name, replace(self, **own, weights=self.weights[rest] / self.weights[rest].sum(), units=units))
            )
        return made

    def factor(self, level: float) -> float | None:
        """Quantile of the errors, wider where few units stand behind it: as Student's t is than the normal."""
        if not len(self.errors) or level <= 0:
            return 0.0 if len(self.errors) else None
        reached = self._cumulated >= level - 1e-9
        at = int(np.argmax(reached))
        few = t_quantile(0.5 + level / 2, self.units) / NormalDist().inv_cdf(0.5 + level / 2)
        return float(max(self.errors[at], LEAST)) * few

    @cached_property
    def _cumulated(self) -> Floats:
        return np.cumsum(self.weights)


def binned(stated: Floats, right: Floats) -> list[dict[str, float]]:
    """Mean stated P and share that was right, in bins of equal width from one half to 1; empty bins are left out.

    >>> binned(np.array([0.96, 0.98]), np.array([1.0, 0.5]))
    [{'stated': 0.97, 'observed': 0.75, 'n': 2}]
    """
    place = np.clip(((stated - 0.5) * 2 * BINS).astype(np.int64), 0, BINS - 1)
    return [
        {"stated": float(stated[place == k].mean()), "observed": float(right[place == k].mean()),
         "n": int((place == k).sum())}
        for k in range(BINS)
        if (place == k).any()
    ]  # fmt: skip


def differences(held: Residuals, *, known: bool) -> Differences:
    """All pairs of held-out configurations of one target set.

    held : errors of held-out configurations; grouped by target set
    known : whether the comparison is on a target set of the fit: then every configuration weighs the same and is
        evidence of its own, else every target set is

    >>> stored = {"residuals": [0.1, -0.1, 0.1, 0.3, 0.1], "predicted": [0.5] * 5, "groups": ["a", "a", "b", "b", "b"]}
    >>> found = differences(Residuals.of(stored), known=False)
    >>> found.units, len(found.errors), round(found.half_width(0.0, 0.0, 0.9), 2)
    (2, 4, 0.36)
    """
    own = held.calibrating() if known else held
    residuals, x = own.residuals, logit(own.predicted)
    _, index, sizes = np.unique(own.groups, return_inverse=True, return_counts=True)
    a, b = _all_pairs(own.groups)
    error, owners, several = residuals[a] - residuals[b], index[a], sizes[sizes > 1]
    guess, truth = x[a] - x[b], (x + residuals)[a] - (x + residuals)[b]
    signs, size = (own.signs, own.scale) if known else (NOTHING, ErrorScale())
    size = replace(size, tail=_tail(error, a, b, own.predicted, signs, size))
    each = size(own.predicted, signs)
    slope = _slope(error, each[a], each[b], guess)
    scale = _together(each[a], each[b], guess, slope)
    n = sizes[owners]
    weights = 1 / (n - 1) if known else 2 / (n * (n - 1))  # of a configuration's pairs, of a target set's
    scores = np.abs(error) / scale * (own.inflation if known else 1.0)
    order = np.argsort(scores, kind="stable")
    return Differences(
        errors=scores[order],
        guesses=(guess / scale)[order],
        right=(0.5 * (1 + np.sign(guess) * np.sign(truth)))[order],
        weights=(weights / weights.sum())[order] if len(weights) else weights,
        owners=owners[order],
        units=int(several.sum()) if known else len(several),
        size=size,
        slope=slope,
    )


def _all_pairs(groups: NDArray[Any]) -> np.ndarray[Any, Any]:
    """(2, P) all pairs of configurations of one group."""
    _, index = np.unique(groups, return_inverse=True)
    pairs = [_pairs(np.flatnonzero(index == g)) for g in range(int(index.max(initial=-1)) + 1)]
    return np.concatenate(pairs, axis=1) if pairs else np.empty((2, 0), dtype=np.int64)


def _pairs(own: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    upper = np.triu_indices(len(own), k=1)
    return np.stack([own[upper[0]], own[upper[1]]])


def _together(a: Floats, b: Floats, difference: Floats, slope: float) -> Floats:
    return np.sqrt(a**2 + b**2 + (slope * difference) ** 2)


def _side(side: Side | float) -> Side:
    return side if isinstance(side, Side) else Side(float(side))


def _tail(
    error: Floats, a: np.ndarray[Any, Any], b: np.ndarray[Any, Any], p: Floats, signs: Signs, size: ErrorScale
) -> float:
    """Tail of the error scale under which normal errors are most likely; 0.5 for too few pairs to tell."""

    def scale(tail: float) -> Floats:
        each = replace(size, tail=tail)(p, signs)
        return np.hypot(each[a], each[b])

    return _least(TAILS, 0.5, error, scale)


def _slope(error: Floats, a: Floats, b: Floats, difference: Floats) -> float:
    return _least(SLOPES, 0.0, error, lambda slope: _together(a, b, difference, slope))


def _least(values: Sequence[float], few: float, error: Floats, scale: Callable[[float], Floats]) -> float:
    """The value under whose scale normal errors are most likely; `few` where there are too few to tell."""
    if len(error) < FEW:
        return few

    def deviance(value: float) -> float:
        own = scale(value)
        return float(np.log(np.mean((error / own) ** 2) + 1e-12) / 2 + np.mean(np.log(own)))

    return values[int(first_least([deviance(value) for value in values]))]


@lru_cache(maxsize=1)
def _table() -> tuple[Floats, Floats]:
    """Student's t with DF degrees of freedom: its quantiles at rising probabilities."""
    p = np.concatenate([np.linspace(0.5, 0.99, 50), [0.995, 0.999, 0.9995, 0.9999]])
    return np.array([t_quantile(float(at), DF) for at in p]), p


def _t4(score: Floats) -> Floats:
    """Distribution function of Student's t with DF degrees of freedom."""
    quantiles, p = _table()
    half = np.interp(np.abs(score), quantiles, p)
    return np.where(np.asarray(score) < 0, 1 - half, half)
