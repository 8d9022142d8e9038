"""Intervals from held-out residuals. Everything here is on the logit scale; numpy alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from predictor.statistics.error_scale import DEFAULT, NOTHING, ErrorScale, Signs
from predictor.statistics.ties import first_least

Floats = NDArray[np.float64]


def error_scale(p: Floats | float, tail: float) -> Floats:
    """How large errors in logits are, against those at an accuracy of one half: they grow towards 0 and 1.

    tail : 0: not at all; 1: like binomial noise, 1 / sqrt(4 p (1 - p))

    >>> error_scale(0.5, 1.0).item(), error_scale(0.9, 1.0).round(2).item(), error_scale(0.9, 0.0).item()
    (1.0, 1.67, 1.0)
    """
    inside = np.clip(np.asarray(p, dtype=np.float64), 0.002, 0.998)
    return np.sqrt((1 - tail) + tail / (4 * inside * (1 - inside)))


def fitted_tail(residuals: Floats, predicted: Floats) -> float:
    """The `tail` under which normal errors are most likely, in steps of a tenth; 0.5 for too few residuals to tell.

    >>> fitted_tail(np.tile([0.1, -0.1], 10), np.linspace(0.05, 0.95, 20))
    0.0
    """
    if len(residuals) < 20:
        return 0.5

    def deviance(tail: float) -> float:
        scale = error_scale(predicted, tail)
        return float(np.log(np.mean((residuals / scale) ** 2) + 1e-12) / 2 + np.mean(np.log(scale)))

    tails = [step / 10 for step in range(11)]
    return tails[int(first_least([deviance(tail) for tail in tails]))]


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
    signs : (n,) what tells how large each was likely to be
    scale : how errors grow with that
    calibrates : (n,) those that intervals are made of: designs as a user's would be; None: all
    inflation : of the widths, for new draws of the images

    >>> own = Residuals.of({"residuals": [0.1] * 9, "predicted": [0.5] * 9, "scale": {"tail": 0.0}})
    >>> own.half_width(0.9, 0.9).item(), own.half_width(0.9, 0.95)
    (0.1, None)
    """

    residuals: Floats
    predicted: Floats
    groups: NDArray[np.str_]
    signs: Signs = NOTHING
    scale: ErrorScale = DEFAULT
    calibrates: NDArray[np.bool_] | None = None
    inflation: float = 1.0

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Self:
        """Plain data as arrays."""
        return cls(**cls.numbers(stored))

    @staticmethod
    def numbers(stored: Mapping[str, Any]) -> dict[str, Any]:
        """The fields, from plain data."""
        calibrates, domains = stored.get("calibrates"), stored.get("domains")
        return {
            "residuals": np.array(stored["residuals"], dtype=np.float64),
            "predicted": np.array(stored.get("predicted", ()), dtype=np.float64),
            "groups": np.array(stored.get("groups", ()), dtype=str),
            "signs": Signs(
                np.array(stored.get("doubt", 0.0), dtype=np.float64),
                np.array(stored.get("haste", 0.0), dtype=np.float64),
                None if domains is None else np.array(domains, dtype=str),
            ),
            "scale": ErrorScale.stored(stored.get("scale", {})),
            "calibrates": None if calibrates is None else np.array(calibrates, dtype=bool),
            "inflation": float(stored.get("inflation", 1.0)),
        }

    def part(self, chosen: NDArray[np.bool_]) -> Residuals:
        """Some of the configurations."""
        return Residuals(
            residuals=self.residuals[chosen], predicted=self.predicted[chosen], groups=self.groups[chosen],
            signs=self.signs.part(chosen), scale=self.scale, inflation=self.inflation,
            calibrates=None if self.calibrates is None else self.calibrates[chosen],
        )  # fmt: skip

    def calibrating(self) -> Residuals:
        """Those that intervals are made of."""
        return self if self.calibrates is None else replace(self.part(self.calibrates), calibrates=None)

    @cached_property
    def scores(self) -> Floats:
        """(m,) residuals over their scale, of those that calibrate."""
        own = self.calibrating()
        return own.residuals / own.scale(own.predicted, own.signs)

    def half_width(self, value: Floats | float, level: float, *, signs: Signs = NOTHING) -> Floats | None:
        """Half the width in logits of intervals around predicted accuracies; None where the residuals are too few.

        signs : of the new predictions
        """
        half = split_conformal(self.scores, level)
        return None if half is None else half * self.inflation * self.scale(value, signs)

    def beyond(self, value: Floats | float, level: float, least: Floats, *, signs: Signs = NOTHING) -> Floats:
        """The same beyond the fitted range, where these are errors of the largest runs predicted from smaller ones.

        least : half the width inside the range; it is never less
        """
        scale = self.scale(value, signs)
        half = grouped_quantile(self.scores, self.calibrating().groups, level)
        if half is None:  # no less than any of those errors, so that levels stay nested
            return np.maximum(2 * least, float(np.abs(self.scores).max(initial=0.0)) * scale)
        return np.maximum(least, half * scale)


def outside(
    inside: Floats | None, own: Residuals | None, value: Floats | float, level: float, signs: Signs = NOTHING
) -> Floats | None:
    """Half the width beyond the fitted range, in logits; never less than inside it. None where that has none.

    inside : half the width for the same value inside the range
    own : errors of the largest runs predicted from smaller ones, grouped; None: twice as wide as inside
    """
    if inside is None:
        return None
    return 2 * inside if own is None else own.beyond(value, level, inside, signs=signs)


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
