"""Rank correlation of many indicators with many outcomes at once, over any number of weightings or permutations.

A bootstrap draw is a weight per configuration: how often it was drawn. Mid-ranks under weights are a cumulative sum in
sorted order, so that every draw is ranked anew without sorting anew; the correlations of all columns are one product.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from predictor.statistics.ties import tied

Floats = NDArray[np.float64]
HELD = 1_000_000  # numbers held at once by a chunk, times the few arrays that it needs: about 50 MB
DETERMINED = 1e-12  # 1 - r^2 below this: the third variable determines the ranks


def correlations(x: Floats, y: Floats, weights: Floats | None = None) -> Floats:
    """(B, K, M) Spearman's rho of each x with each y: Pearson correlation of mid-ranks (Spearman 1904).

    x, y : (K, n) and (M, n) finite, one row a variable
    weights : (B, n) how often each configuration counts; None: once, B = 1
    nan where a variable is constant over the configurations that count.

    >>> correlations(np.array([[1.0, 2, 3, 4]]), np.array([[1.0, 3, 2, 4]])).round(3).tolist()
    [[[0.8]]]
    """
    w = np.ones((1, x.shape[1])) if weights is None else np.asarray(weights, float)
    plans = [_plan(row) for row in np.vstack([x, y])]
    found = np.empty((len(w), len(x), len(y)))
    chunk = max(1, min(len(w), HELD // (len(plans) * max(x.shape[1], 1))))
    ranked, weighted = np.empty((2, chunk, len(plans), x.shape[1]))  # once: fresh memory costs more than the sums
    for first in range(0, len(w), chunk):
        part = w[first : first + chunk]
        r, wr = ranked[: len(part)], weighted[: len(part)]
        _weighted_ranks(plans, part, out=r)
        np.multiply(r, part[:, None], out=wr)
        spread = np.einsum("bkn,bkn->bk", r, wr)
        along = r[:, : len(x)] @ wr[:, len(x) :].transpose(0, 2, 1)
        found[first : first + chunk] = _ratio(along, spread[:, : len(x), None] * spread[:, None, len(x) :])
    return found


def permuted_correlations(x: Floats, y: Floats, orders: Iterable[NDArray[np.int64]]) -> Iterator[Floats]:
    """Parts (p, K, M) of the Pearson correlations of x with y taken in each order, both as they stand (say, ranks).

    orders : arrays (p, n)
    """
    a, b = x - x.mean(1, keepdims=True), y - y.mean(1, keepdims=True)
    below = (a * a).sum(1)[:, None] * (b * b).sum(1)[None]
    columns = np.ascontiguousarray(b.T)
    size = max(1, HELD // max(columns.size, 1))
    for block in orders:
        for first in range(0, len(block), size):
            yield _ratio(a @ columns[block[first : first + size]], below)


def ranks(values: Floats) -> Floats:
    """(K, n) mid-ranks of each row.

    >>> ranks(np.array([[3.0, 1, 3]])).tolist()
    [[2.5, 1.0, 2.5]]
    """
    return stats.rankdata(tied(values), axis=1)


def spearman(x: Floats, y: Floats) -> float:
    """Spearman's rho of two variables; nan where one is constant.

    >>> round(spearman(np.array([1.0, 2, 3, 4]), np.array([1.0, 3, 2, 4])), 3)
    0.8
    """
    return float(correlations(np.atleast_2d(x), np.atleast_2d(y))[0, 0, 0])


def partial(xy: Floats, xz: Floats, yz: Floats) -> Floats:
    """Partial correlation of x and y given z: (r_xy - r_xz r_yz) / sqrt((1 - r_xz^2)(1 - r_yz^2)) (Yule 1907).

    Correlations of any shapes that broadcast; nan where z determines x or y. A constant z (nan) holds nothing fixed.

    >>> float(partial(np.array(0.6), np.array(0.5), np.array(0.5)).round(4))
    0.4667
    """
    xz, yz = np.nan_to_num(xz), np.nan_to_num(yz)
    x_left, y_left = 1 - np.square(xz), 1 - np.square(yz)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = np.clip((xy - xz * yz) / np.sqrt(x_left * y_left), -1, 1)
    return np.where((x_left > DETERMINED) & (y_left > DETERMINED), value, np.nan)


def partial_spearman(x: Floats, y: Floats, given: Floats) -> float:
    """Partial Spearman of x and y given z, on ranks; nan where z determines x or y.

    >>> z = np.array([1.0, 2, 3, 4, 5])
    >>> round(partial_spearman(np.array([2.0, 1, 4, 3, 5]), np.array([1.0, 2, 4, 5, 3]), z), 4)
    -0.14
    """
    r = correlations(np.stack([x, given]), np.stack([y, given]))[0]
    return float(partial(r[0, 0], r[0, 1], r[1, 0]))


def permuted_partials(x: Floats, y: Floats, given: Floats, orders: Iterable[NDArray[np.int64]]) -> Iterator[Floats]:
    """Parts (p, K, M) of partial Spearman where what z leaves open of y is permuted (Freedman and Lane 1983).

    x, y, given : (K, n), (M, n), (n,); the identity gives the observed values
    orders : best inside `resampling.neighbours` of z. Ranks bend every relation with z, and the bend is shared by x
    and y: over all configurations a true null was rejected in 10 to 20 % instead of 5 % where size explains nearly
    all of both, inside neighbours in 6 to 12 % (benchmarks/agreement_coverage.py).
    """
    rank_z = ranks(given[None])
    open_x, open_y = (left_open(ranks(v), rank_z) for v in (x, y))
    for moved in permuted_correlations(np.vstack([open_x, rank_z]), open_y, orders):
        yield partial(moved[:, :-1], np.zeros(1), moved[:, -1:])  # z is no part of open x: r_xz = 0


def left_open(values: Floats, given: Floats) -> Floats:
    """(K, n) residuals of each row from its regression on one variable (1, n).

    >>> left_open(np.array([[1.0, 2, 4]]), np.array([[1.0, 2, 3]])).round(3).tolist()
    [[0.167, -0.333, 0.167]]
    """
    v, z = values - values.mean(1, keepdims=True), given - given.mean(1, keepdims=True)
    spread = (z * z).sum()
    residual = v - (v @ z.T / spread if spread > 0 else 0) * z
    residual[(residual**2).sum(1) <= DETERMINED * (v * v).sum(1)] = 0  # rounding must not pass for a rank
    return residual


def _plan(values: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Order, and for each value the first and last place (exclusive) of those tied with it."""
    values = tied(values)
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    return order, np.searchsorted(ordered, values, "left"), np.searchsorted(ordered, values, "right")


def _weighted_ranks(plans: list[tuple[NDArray[np.intp], ...]], weights: Floats, out: Floats) -> None:
    """Twice the mid-ranks under weights, less their mean, into out (B, columns, n)."""
    n_draws, n = weights.shape
    taken, below, last_below = np.empty((n_draws, n)), np.zeros((n_draws, n + 1)), np.empty((n_draws, n))
    for column, (order, first, last) in enumerate(plans):
        np.take(weights, order, axis=1, out=taken, mode="clip")  # clip: raise would copy
        np.cumsum(taken, axis=1, out=below[:, 1:])
        np.take(below, first, axis=1, out=taken, mode="clip")
        np.take(below, last, axis=1, out=last_below, mode="clip")
        np.add(taken, last_below, out=out[:, column])
    out -= below[:, -1:, None]


def _ratio(along: Floats, spread: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(spread > 0, np.clip(along / np.sqrt(spread), -1, 1), np.nan)
