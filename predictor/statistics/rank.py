"""Rank correlation between an indicator and an outcome over configurations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from predictor.statistics.pairs import PairCounts, pair_counts, permuted_pairs

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Statistic:
    """A rank statistic: its value, and its values over bootstrap weights and over permutations of y.

    value : (x, y) -> number, nan where it is undefined
    resampled : (x, y, indices (B, n)) -> (B,)
    permuted : (x, y, orders (P, n)) -> (P,)
    """

    name: str
    value: Callable[[Floats, Floats], float]
    resampled: Callable[[Floats, Floats, NDArray[np.int64]], Floats]
    permuted: Callable[[Floats, Floats, NDArray[np.int64]], Floats]


def spearman(x: Floats, y: Floats) -> float:
    """Spearman's rho: Pearson correlation of mid-ranks (Spearman 1904; ties by scipy.stats.rankdata).

    >>> round(spearman(np.array([1.0, 2, 3, 4]), np.array([1.0, 3, 2, 4])), 3)
    0.8
    """
    return float(_row_correlation(stats.rankdata(x)[None], stats.rankdata(y)[None])[0])


def partial_spearman(x: Floats, y: Floats, given: Floats) -> float:
    """Partial Spearman of x and y given z: (r_xy - r_xz r_yz) / sqrt((1 - r_xz^2)(1 - r_yz^2)), on ranks.

    nan where z determines x or y.

    >>> z = np.array([1.0, 2, 3, 4, 5])
    >>> round(partial_spearman(np.array([2.0, 1, 4, 3, 5]), np.array([1.0, 2, 4, 5, 3]), z), 4)
    -0.14
    """
    return float(_partial(*(stats.rankdata(v)[None] for v in (x, y, given)))[0])


def partial_statistic(given: Floats) -> Statistic:
    """Partial Spearman given z as a Statistic; a permutation moves y against both x and z."""
    rank_z = stats.rankdata(given)[None]

    def resampled(x: Floats, y: Floats, indices: NDArray[np.int64]) -> Floats:
        return _partial(*(stats.rankdata(v[indices], axis=1) for v in (x, y, given)))

    def permuted(x: Floats, y: Floats, orders: NDArray[np.int64]) -> Floats:
        shape = orders.shape
        return _partial(
            np.broadcast_to(stats.rankdata(x), shape), stats.rankdata(y)[orders], np.broadcast_to(rank_z, shape)
        )

    return Statistic(
        name="partial_spearman",
        value=lambda x, y: partial_spearman(x, y, given),
        resampled=resampled,
        permuted=permuted,
    )


def pairwise(name: str, of: Callable[[PairCounts], Floats]) -> Statistic:
    """A statistic that is a function of the pair counts."""

    def resampled(x: Floats, y: Floats, indices: NDArray[np.int64]) -> Floats:
        n = len(x)
        weights = np.zeros((len(indices), n))
        np.add.at(weights, (np.arange(len(indices))[:, None], indices), 1.0)
        return of(pair_counts(x, y, weights))

    return Statistic(
        name=name,
        value=lambda x, y: float(of(pair_counts(x, y))),
        resampled=resampled,
        permuted=lambda x, y, orders: of(permuted_pairs(x, y, orders)),
    )


SPEARMAN = Statistic(
    name="spearman",
    value=spearman,
    resampled=lambda x, y, i: _row_correlation(stats.rankdata(x[i], axis=1), stats.rankdata(y[i], axis=1)),
    permuted=lambda x, y, orders: _row_correlation(
        np.broadcast_to(stats.rankdata(x), orders.shape), stats.rankdata(y)[orders]
    ),
)
KENDALL = pairwise("kendall_tau_b", lambda pairs: pairs.tau_b)
GAMMA = pairwise("gamma", lambda pairs: pairs.gamma)
SOMERS = pairwise("somers_d", lambda pairs: pairs.somers_d)
DECISION = pairwise("decision_accuracy", lambda pairs: pairs.decision_accuracy)
STATISTICS = {s.name: s for s in (SPEARMAN, KENDALL, GAMMA, SOMERS, DECISION)}


def _row_correlation(a: Floats, b: Floats) -> Floats:
    a = a - a.mean(1, keepdims=True)
    b = b - b.mean(1, keepdims=True)
    below = np.sqrt((a * a).sum(1) * (b * b).sum(1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(below > 0, np.clip((a * b).sum(1) / below, -1, 1), np.nan)


def _partial(x: Floats, y: Floats, z: Floats) -> Floats:
    xy, xz, yz = _row_correlation(x, y), _row_correlation(x, z), _row_correlation(y, z)
    below = (1 - xz**2) * (1 - yz**2)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(below > 1e-12, np.clip((xy - xz * yz) / np.sqrt(below), -1, 1), np.nan)
