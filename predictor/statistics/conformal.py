"""Intervals from held-out residuals. Everything here is on the logit scale; numpy alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from predictor.statistics.ties import first_least

Floats = NDArray[np.float64]

WEIGHTS = (0.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)  # of the models' disagreement, to choose from


def error_scale(p: Floats | float, tail: float, doubt: Floats | float = 0.0, doubt_weight: float = 0.0) -> Floats:
    """How large errors in logits are, against those at an accuracy of one half without doubt.

    They grow towards accuracies of 0 and 1, and where the models disagree: far from the runs they were fitted to, each
    goes on in its own way (the idea of query by committee, Seung, Opper & Sompolinsky 1992).

    tail : 0: not at all; 1: like binomial noise, 1 / sqrt(4 p (1 - p))
    doubt : standard deviation of the models' predictions, in logits; the variance grows by doubt_weight doubt^2

    >>> error_scale(0.5, 1.0).item(), error_scale(0.9, 1.0).round(2).item(), error_scale(0.9, 0.0).item()
    (1.0, 1.67, 1.0)
    >>> error_scale(0.5, 1.0, 0.1, 300.0).item()
    2.0
    """
    inside = np.clip(np.asarray(p, dtype=np.float64), 0.002, 0.998)
    return np.sqrt((1 - tail) + tail / (4 * inside * (1 - inside)) + doubt_weight * np.square(doubt))


def fitted_tail(residuals: Floats, predicted: Floats) -> float:
    """The `tail` under which normal errors are most likely, in steps of a tenth; 0.5 for too few residuals to tell.

    >>> fitted_tail(np.tile([0.1, -0.1], 10), np.linspace(0.05, 0.95, 20))
    0.0
    """
    return fitted_scale(residuals, predicted, np.zeros(len(residuals)))[0]


def fitted_scale(residuals: Floats, predicted: Floats, doubt: Floats) -> tuple[float, float]:
    """(tail, doubt_weight) under which normal errors are most likely; (0.5, 0) for too few residuals to tell.

    >>> doubt = np.tile([0.0, 0.3], 20)
    >>> fitted_scale(np.where(doubt > 0, 0.4, 0.1), np.full(40, 0.5), doubt)
    (0.0, 100.0)
    """
    if len(residuals) < 20:
        return 0.5, 0.0

    def deviance(shape: tuple[float, float]) -> float:
        scale = error_scale(predicted, shape[0], doubt, shape[1])
        return float(np.log(np.mean((residuals / scale) ** 2) + 1e-12) / 2 + np.mean(np.log(scale)))

    weights = WEIGHTS if np.any(doubt > 0) else WEIGHTS[:1]
    shapes = [(step / 10, weight) for weight in weights for step in range(11)]
    return shapes[int(first_least([deviance(shape) for shape in shapes]))]


def split_conformal(scores: Floats, level: float) -> float | None:
    """Half the width, in scores, that covers a new configuration with probability `level`; None where n is too small.

    scores : (n,) held-out residuals over their scale (Lei et al. 2018, Distribution-free predictive inference for
        regression, section 5.2: locally weighted; here the residuals are those of grouped cross-validation)

    >>> split_conformal(np.arange(1.0, 10.0), 0.9), split_conformal(np.ones(8), 0.9)
    (9.0, None)
    """
    n = len(scores)
    rank = math.ceil(level * (n + 1) - 1e-9)
    return None if n == 0 or rank > n else float(np.sort(np.abs(scores))[rank - 1])


def grouped_quantile(residuals: Floats, groups: Sequence[str] | NDArray[np.str_], level: float) -> float | None:
    """Quantile of |residual| for a new group: every group weighs 1 / (G + 1), whatever its size.

    Hierarchical conformal prediction (Lee, Barber & Willett 2023); None where G < level / (1 - level).

    >>> grouped_quantile(np.arange(9.0), list("abcdefghi"), 0.9)
    8.0
    >>> grouped_quantile(np.arange(9.0), list("aaaaaaaaa"), 0.9) is None
    True
    """
    names, index, sizes = np.unique(np.array(groups), return_inverse=True, return_counts=True)
    order = np.argsort(np.abs(residuals), kind="stable")
    weight = 1 / ((len(names) + 1) * sizes[index])
    reached = np.cumsum(weight[order]) >= level - 1e-9
    return float(np.abs(residuals)[order][int(np.argmax(reached))]) if reached.any() else None


def nested(found: float | None, scores: Floats, otherwise: float) -> float:
    """A quantile of the scores; where they are too few for the level, another estimate, and no less than any score.

    A higher level is thus never narrower than one that the scores could still tell.

    >>> scores = np.arange(1.0, 10.0)
    >>> nested(split_conformal(scores, 0.9), scores, 7.0), nested(split_conformal(scores, 0.95), scores, 7.0)
    (9.0, 9.0)
    """
    return max(otherwise, float(np.abs(scores).max(initial=0.0))) if found is None else found


@dataclass(frozen=True, eq=False, kw_only=True)
class Residuals:
    """Errors of held-out configurations, and what they grow with.

    residuals : (n,) measured - predicted, in logits
    predicted : (n,) accuracies
    groups : (n,) what was held out together and shares its error
    doubt, tail, doubt_weight : see `error_scale`; doubt is (n,)

    >>> own = Residuals.of({"residuals": [0.1] * 9, "predicted": [0.5] * 9, "tail": 0.0})
    >>> own.half_width(0.9, 0.9).item(), own.half_width(0.9, 0.95)
    (0.1, None)
    """

    residuals: Floats
    predicted: Floats
    groups: NDArray[np.str_]
    doubt: Floats | float = 0.0
    tail: float = 0.0
    doubt_weight: float = 0.0

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Self:
        """Plain data as arrays."""
        return cls(**cls.numbers(stored))

    @staticmethod
    def numbers(stored: Mapping[str, Any]) -> dict[str, Any]:
        """The fields, from plain data."""
        return {
            "residuals": np.array(stored["residuals"], dtype=np.float64),
            "predicted": np.array(stored.get("predicted", ()), dtype=np.float64),
            "groups": np.array(stored.get("groups", ()), dtype=str),
            "doubt": np.array(stored.get("doubt", 0.0), dtype=np.float64),
            "tail": float(stored.get("tail", 0.0)),
            "doubt_weight": float(stored.get("doubt_weight", 0.0)),
        }

    def part(self, chosen: NDArray[np.bool_]) -> Residuals:
        """Some of the configurations."""
        doubt = np.broadcast_to(self.doubt, len(self.residuals))[chosen]
        return Residuals(
            residuals=self.residuals[chosen], predicted=self.predicted[chosen], groups=self.groups[chosen], doubt=doubt,
            tail=self.tail, doubt_weight=self.doubt_weight,
        )  # fmt: skip

    @cached_property
    def scores(self) -> Floats:
        """(n,) residuals over their scale."""
        return self.residuals / error_scale(self.predicted, self.tail, self.doubt, self.doubt_weight)

    def half_width(self, value: Floats | float, level: float, *, doubt: Floats | float = 0.0) -> Floats | None:
        """Half the width in logits of intervals around predicted accuracies; None where the residuals are too few.

        doubt : of the new predictions
        """
        half = split_conformal(self.scores, level)
        return None if half is None else half * error_scale(value, self.tail, doubt, self.doubt_weight)

    def beyond(self, value: Floats | float, level: float, least: Floats, *, doubt: Floats | float = 0.0) -> Floats:
        """The same beyond the fitted range, where these are errors of the largest runs predicted from smaller ones.

        least : half the width inside the range; it is never less
        """
        scale = error_scale(value, self.tail, doubt, self.doubt_weight)
        half = grouped_quantile(self.scores, self.groups, level)
        if half is None:  # no less than any of those errors, so that levels stay nested
            return np.maximum(2 * least, float(np.abs(self.scores).max(initial=0.0)) * scale)
        return np.maximum(least, half * scale)


def outside(
    inside: Floats | None, own: Residuals | None, value: Floats | float, level: float, doubt: Floats | float = 0.0
) -> Floats | None:
    """Half the width beyond the fitted range, in logits; never less than inside it. None where that has none.

    inside : half the width for the same value inside the range
    own : errors of the largest runs predicted from smaller ones, grouped; None: twice as wide as inside
    """
    if inside is None:
        return None
    return 2 * inside if own is None else own.beyond(value, level, inside, doubt=doubt)


@lru_cache(maxsize=256)
def t_quantile(probability: float, df: float) -> float:
    """Quantile of Student's t, by integrating its density; for predictions, which do without scipy.

    >>> round(t_quantile(0.95, 5), 3), round(t_quantile(0.95, 2), 3)
    (2.015, 2.92)
    """
    # with t = sqrt(df) tan(a) the density becomes cos(a)^(df - 1): bounded, on a finite range
    angle = np.linspace(0, math.pi / 2, 20001)
    density = np.cos(angle) ** (df - 1) if df > 1 else np.ones_like(angle)
    area = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
    wanted = (abs(probability - 0.5) * 2) * area[-1]
    return math.copysign(math.sqrt(df) * math.tan(float(np.interp(wanted, area, angle))), probability - 0.5)
