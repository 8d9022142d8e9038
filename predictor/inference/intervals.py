"""Intervals from held-out residuals. Everything here is on the logit scale; numpy alone."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from predictor.inference.cases import Floats


def cv_plus(centres: Floats, residuals: Floats, level: float) -> tuple[float, float] | None:
    """CV+ interval (Barber et al. 2021, Predictive inference with the jackknife+, section 3).

    centres : (n,) for each held-out configuration, the new case as predicted by the fit that left it out
    residuals : (n,) that configuration's absolute residual
    Returns None where n is too small for the level.

    >>> cv_plus(np.zeros(9), np.arange(1.0, 10.0), 0.9)
    (-9.0, 9.0)
    >>> cv_plus(np.zeros(8), np.ones(8), 0.9) is None
    True
    """
    n = len(residuals)
    rank = math.ceil(level * (n + 1) - 1e-9)
    if n == 0 or rank > n:
        return None
    low = np.sort(centres - residuals)[n - rank]
    high = np.sort(centres + residuals)[rank - 1]
    return float(min(low, high)), float(max(low, high))


def grouped_quantile(residuals: Floats, groups: Sequence[str], level: float) -> float | None:
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


def pair_differences(residuals: Sequence[float], groups: Sequence[str]) -> Floats:
    """All differences of two residuals of the same group, both signs, sorted.

    The level of a target set drops out of them: they are the errors of a comparison of two manifests.

    >>> pair_differences([1.0, 3.0, 10.0], ["a", "a", "b"]).tolist()
    [-2.0, 2.0]
    """
    parts = []
    values, names = np.array(residuals, dtype=np.float64), np.array(groups)
    for name in np.unique(names):
        own = values[names == name]
        upper = np.triu_indices(len(own), k=1)
        parts.append((own[:, None] - own[None, :])[upper])
    one_sided = np.concatenate(parts) if parts else np.empty(0)
    return np.sort(np.concatenate([one_sided, -one_sided]))


def difference_interval(difference: float, errors: Floats, level: float) -> tuple[float, float]:
    """Interval of a predicted logit difference, from sorted errors of earlier comparisons."""
    if not len(errors):
        return -math.inf, math.inf
    half = float(np.quantile(errors, 0.5 + level / 2, method="higher"))
    return difference - half, difference + half


def probability_positive(difference: float, errors: Floats) -> float:
    """P(true difference > 0): share of earlier comparisons' errors that leave the sign as it is.

    >>> probability_positive(0.0, np.array([-1.0, 1.0]))
    0.5
    """
    n = len(errors)
    below = np.searchsorted(errors, difference, side="left")
    up_to = np.searchsorted(errors, difference, side="right")
    return float((0.5 * (below + up_to) + 0.5) / (n + 1))
