"""Uncertainty of a rank statistic: bootstrap over configurations, permutation of whole configurations."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from predictor.statistics.pairs import pair_counts
from predictor.statistics.rank import Statistic

Floats = NDArray[np.float64]
MIN_CONFIGURATIONS = 4
EXACT_UP_TO = 7  # configurations: 5,040 orders
MAX_UNDEFINED = 0.05  # share of resamples in which the statistic may be undefined
EPSILON = 1e-12  # equal but for rounding
MAX_PERFECT = 0.2  # share of resamples at the end of the range: beyond it the inner bound is too near as well


@dataclass(frozen=True, kw_only=True)
class Interval:
    """Bounds at a level, or the reason why there are none."""

    low: float | None
    high: float | None
    method: str
    reason: str | None = None


def bootstrap_interval(
    statistic: Statistic, x: Floats, y: Floats, *, level: float, indices: NDArray[np.int64]
) -> Interval:
    """BCa interval (Efron 1987) over configurations; percentile where the acceleration is undefined.

    x, y : (n,) one value a configuration; indices : (B, n) draws with replacement
    Undefined, with the reason, where resampling cannot show the uncertainty: fewer than 4 configurations, a
    statistic at the end of its range (every resample is as extreme), no discordant or no concordant pair (every
    resample is as ordered, though ties keep rho and tau-b off the end), too many resamples without a value.
    """
    value = statistic.value(x, y)
    if len(x) < MIN_CONFIGURATIONS:
        return _none(f"fewer than {MIN_CONFIGURATIONS} configurations")
    if math.isnan(value):
        return _none("the statistic is undefined")
    ends = (0.0, 1.0) if statistic.name == "decision_accuracy" else (-1.0, 1.0)
    if min(abs(value - end) for end in ends) < EPSILON:
        return _none("perfect agreement: every resample is perfect too, so the bootstrap cannot show its uncertainty")
    pairs = pair_counts(x, y)
    if min(pairs.concordant, pairs.discordant) < EPSILON:  # measured at n = 9 with ties: 59 % covered instead of 95 %
        kind = "discordant" if pairs.discordant < pairs.concordant else "concordant"
        return _none(f"no {kind} pair: every resample is as ordered, so the bootstrap cannot show its uncertainty")
    draws = statistic.resampled(x, y, indices)
    finite = draws[~np.isnan(draws)]
    if len(finite) < (1 - MAX_UNDEFINED) * len(draws):
        share = 1 - len(finite) / len(draws)
        return _none(f"undefined in {share:.0%} of the resamples: too many ties")
    at_end = float(np.mean([np.min(np.abs(finite[:, None] - np.array(ends)), axis=1) < EPSILON]))
    tail = (1 - level) / 2
    if at_end > MAX_PERFECT:
        return _none(f"{at_end:.0%} of the resamples are perfect: a bound at the end of the range would be too narrow")
    below = np.mean(finite < value) + 0.5 * np.mean(np.abs(finite - value) < EPSILON)
    if not 0 < below < 1:
        return _none("the value lies outside its own resamples")
    z0 = stats.norm.ppf(below)
    acceleration = _acceleration(statistic, x, y)
    method, levels = "percentile", np.array([tail, 1 - tail])
    if acceleration is not None:
        z = z0 + stats.norm.ppf(levels)
        if (acceleration * z < 1).all():  # beyond, BCa's levels change their order
            method, levels = "bca", stats.norm.cdf(z0 + z / (1 - acceleration * z))
    low, high = np.quantile(finite, levels)
    return Interval(low=float(low), high=float(high), method=method)


def resample_indices(n: int, draws: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """(draws, n) indices with replacement."""
    return generator.integers(n, size=(draws, n))


def permutation_orders(
    n: int, draws: int, generator: np.random.Generator, blocks: NDArray[np.int64] | None = None
) -> tuple[NDArray[np.int64], bool]:
    """Orders to permute the outcome by, and whether they are all there are.

    blocks : (n,) block of each configuration; values move only inside their block
    Exact (every order, the identity among them) up to 7 configurations in one block, random draws above.

    >>> permutation_orders(3, 10, np.random.default_rng(0))[0].shape
    (6, 3)
    """
    if blocks is None and n <= EXACT_UP_TO:
        return np.array(list(itertools.permutations(range(n)))), True
    orders = np.tile(np.arange(n), (draws, 1))
    for block in [np.arange(n)] if blocks is None else [np.flatnonzero(blocks == b) for b in np.unique(blocks)]:
        orders[:, block] = generator.permuted(np.tile(block, (draws, 1)), axis=1)
    return orders, False


def permutation_p(
    statistic: Statistic, x: Floats, y: Floats, *, orders: NDArray[np.int64], exact: bool
) -> float | None:
    """Two-sided p-value; never 0: exact enumeration holds the identity, random draws count the observed order too.

    (b + 1) / (m + 1): Phipson and Smyth 2010. None where the statistic is undefined.
    """
    centre = 0.5 if statistic.name == "decision_accuracy" else 0.0
    value = statistic.value(x, y)
    if math.isnan(value):
        return None
    draws = statistic.permuted(x, y, orders)
    as_extreme = np.abs(draws - centre) >= abs(value - centre) - 1e-9
    as_extreme |= np.isnan(draws)  # an order without a value is no evidence against chance
    return float(as_extreme.mean()) if exact else float((as_extreme.sum() + 1) / (len(orders) + 1))


def adjusted(p_values: list[float | None]) -> list[float | None]:
    """Benjamini and Hochberg's adjusted p-values (1995); None stays None.

    >>> adjusted([0.01, None, 0.04])
    [0.02, None, 0.04]
    """
    given = [p for p in p_values if p is not None]
    if not given:
        return list(p_values)
    q = iter(stats.false_discovery_control(given).tolist())
    return [None if p is None else next(q) for p in p_values]


def detectable_rho(n: int) -> float | None:
    """Smallest |rho| found with 80 % power at the 5 % level: about tanh(2.80 / sqrt(n - 3)).

    >>> [round(detectable_rho(n), 2) for n in (7, 17, 30)]
    [0.89, 0.63, 0.49]
    """
    return math.tanh(2.80 / math.sqrt(n - 3)) if n > 3 else None


def _acceleration(statistic: Statistic, x: Floats, y: Floats) -> float | None:
    n = len(x)
    left_out = np.array([statistic.value(np.delete(x, i), np.delete(y, i)) for i in range(n)])
    if np.isnan(left_out).any():
        return None
    deviation = left_out.mean() - left_out
    below = (deviation**2).sum() ** 1.5
    return float((deviation**3).sum() / (6 * below)) if below > 0 else None


def _none(reason: str) -> Interval:
    return Interval(low=None, high=None, method="none", reason=reason)
