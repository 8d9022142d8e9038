"""How good held-out predictions are: errors, ranks, decisions, coverage, noise."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictor.fitting.configurations import Configurations
from predictor.models.base import Floats
from predictor.statistics.ties import at_least, tied, varies

EQUAL_N = 0.02  # sizes within 2 % count as equal


def errors(measured: Floats, predicted: Floats) -> dict[str, float | None]:
    """MAE, RMSE (fractions) and R^2 of held-out configurations.

    >>> errors(np.array([0.2, 0.4]), np.array([0.3, 0.4]))["mae"].__round__(3)
    0.05
    """
    error = measured - predicted
    total = float(np.sum((measured - measured.mean()) ** 2))
    return {
        "mae": float(np.mean(np.abs(error))),
        "rmse": float(np.sqrt(np.mean(error**2))),
        "r2": 1 - float(np.sum(error**2)) / total if total > 0 and varies(measured) else None,
    }


def spearman_within(measured: Floats, predicted: Floats, groups: NDArray[Any]) -> float | None:
    """Spearman correlation inside each group, averaged by size.

    Groups of fewer than 3, or whose outcome does not vary, are left out: undefined is not 0.
    Pooled over target sets it would reward knowing which target set is hard.
    """
    from scipy import stats  # here, so that a prediction with pilots starts without it

    total, weight = 0.0, 0
    for name in np.unique(groups):
        own = groups == name
        if own.sum() < 3:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", stats.ConstantInputWarning)
            rho = float(stats.spearmanr(tied(measured[own]), tied(predicted[own])).statistic)
        if not np.isfinite(rho):  # a constant prediction orders nothing: that is 0, a constant outcome is undefined
            if not varies(measured[own]):
                continue
            rho = 0.0
        total, weight = total + rho * int(own.sum()), weight + int(own.sum())
    return total / weight if weight else None


def decision_accuracy(
    measured: Floats,
    predicted: Floats,
    groups: NDArray[Any],
    sizes: Floats | None = None,
    standard_errors: Floats | None = None,
) -> float | None:
    """Share of pairs inside a group with distinct outcomes that are ordered correctly; tied predictions count 1/2.

    sizes : given, only pairs whose sizes are equal (within 2 %) count
    standard_errors : given, only pairs that differ by more than two standard errors of their difference count

    >>> decision_accuracy(np.array([0.1, 0.2, 0.3]), np.array([1.0, 1.0, 2.0]), np.array(["a"] * 3)).__round__(3)
    0.833
    """
    right, pairs = _decided(measured, predicted, groups, sizes, standard_errors)
    return right / pairs if pairs else None


def n_decided(
    measured: Floats, groups: NDArray[Any], sizes: Floats | None = None, standard_errors: Floats | None = None
) -> int:
    """How many pairs `decision_accuracy` is a share of."""
    return _decided(measured, measured, groups, sizes, standard_errors)[1]


def _decided(
    measured: Floats, predicted: Floats, groups: NDArray[Any], sizes: Floats | None, standard_errors: Floats | None
) -> tuple[float, int]:
    """(pairs that are ordered correctly, pairs that count)"""
    right, pairs = 0.0, 0
    for name in np.unique(groups):
        own = np.flatnonzero(groups == name)
        i, j = np.triu_indices(len(own), k=1)
        truth, guess = (np.sign(v[i] - v[j]) for v in (tied(measured[own]), tied(predicted[own])))
        keep = truth != 0
        if sizes is not None:
            keep &= np.abs(np.log(sizes[own][i] / sizes[own][j])) <= EQUAL_N
        if standard_errors is not None:
            apart = np.hypot(standard_errors[own][i], standard_errors[own][j])
            keep &= np.abs(measured[own][i] - measured[own][j]) > 2 * apart
        right += float(np.sum(0.5 * (1 + truth[keep] * guess[keep])))
        pairs += int(keep.sum())
    return right, pairs


def interval_quality(measured: Floats, low: Floats, high: Floats, level: float) -> dict[str, Any]:
    """Coverage with its exact binomial 95 % interval, mean width, interval score (Gneiting & Raftery 2007)."""
    from scipy import stats  # here, so that a prediction with pilots starts without it

    inside = int(np.sum(at_least(measured, low) & at_least(high, measured)))
    n = len(measured)
    exact = stats.binomtest(inside, n).proportion_ci(0.95, method="exact")
    miss = np.maximum(low - measured, 0) + np.maximum(measured - high, 0)
    return {
        "covered": [inside, n],
        "coverage": inside / n,
        "coverage_low": float(exact.low),
        "coverage_high": float(exact.high),
        "width": float(np.mean(high - low)),
        "interval_score": float(np.mean(high - low + 2 / (1 - level) * miss)),
    }


def counted(labels: NDArray[Any], inside: NDArray[np.bool_]) -> dict[str, list[int]]:
    """{label: [covered, n]}

    >>> counted(np.array(["a", "b", "a"]), np.array([True, False, False]))
    {'a': [1, 2], 'b': [0, 1]}
    """
    return {str(name): [int(inside[labels == name].sum()), int((labels == name).sum())] for name in np.unique(labels)}


def noise(configs: Configurations, chosen: NDArray[np.int64] | None = None) -> tuple[float | None, float | None]:
    """(noise ceiling, noise floor): the best rank agreement and the least MAE that seed noise allows.

    chosen : of these configurations; None: of all
    Ceiling: square root of the reliability of a configuration's mean inside its target set (Spearman 1904).
    Floor: mean absolute deviation of a normal with each configuration's own standard error, whose small sample is
    corrected for (c4); of those with replicates. None without any.
    """
    own = np.arange(len(configs.ids)) if chosen is None else chosen
    sd2, seeds, values, sets = (item[own] for item in (configs.sd2, configs.seeds, configs.values, configs.target_sets))
    known = np.isfinite(sd2)
    if not known.any():
        return None, None
    replicates = configs.replicates[own][known]
    one_run = float(np.average(sd2[known], weights=replicates - 1))
    of_mean = float(np.mean(one_run / seeds))
    inside = np.concatenate([values[sets == name] - values[sets == name].mean() for name in np.unique(sets)])
    size = float(np.abs(values).max())  # what the deviations inside are the rest of
    total = float(np.sum(inside**2)) / max(len(own) - len(np.unique(sets)), 1)
    ceiling = float(np.sqrt(max(0.0, 1 - of_mean / total))) if varies(inside, of=size) else None
    correction = np.array([_c4(int(n)) for n in replicates])
    deviations = np.sqrt(sd2[known]) / correction / np.sqrt(seeds[known])
    return ceiling, float(np.sqrt(2 / np.pi) * np.mean(deviations))


def _c4(n: int) -> float:
    """Mean of the standard deviation of n normal numbers, over the true one."""
    return math.sqrt(2 / (n - 1)) * math.exp(math.lgamma(n / 2) - math.lgamma((n - 1) / 2))
