"""How good held-out predictions are: errors, ranks, decisions, coverage, noise."""

from __future__ import annotations

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
    return right / pairs if pairs else None


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


def noise(configs: Configurations) -> tuple[float | None, float | None]:
    """(noise ceiling, noise floor): the best rank agreement and the least MAE that seed noise allows.

    Ceiling: square root of the reliability of a configuration's mean inside its target set (Spearman 1904).
    Floor: mean absolute deviation of a normal with the standard error of that mean. None without replicates.
    """
    known = np.isfinite(configs.sd2)
    if not known.any():
        return None, None
    weight = (configs.seeds - 1)[known]
    one_run = float(np.average(configs.sd2[known], weights=weight))
    of_mean = float(np.mean(one_run / configs.seeds))
    inside = [
        configs.values[configs.target_sets == name] - configs.values[configs.target_sets == name].mean()
        for name in np.unique(configs.target_sets)
    ]
    size = float(np.abs(configs.values).max())  # what the deviations inside are the rest of
    total = float(np.sum(np.concatenate(inside) ** 2)) / max(len(configs.ids) - len(inside), 1)
    ceiling = float(np.sqrt(max(0.0, 1 - of_mean / total))) if varies(np.concatenate(inside), of=size) else None
    return ceiling, float(np.sqrt(2 / np.pi * of_mean))
