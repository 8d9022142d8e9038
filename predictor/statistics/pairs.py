"""Statistics over pairs of configurations: concordant, discordant, tied; for many indicators and outcomes at once.

Signs of differences are held in chunks (at most `HELD` numbers), never n^2 at a time beyond `SMALL` configurations.
Counts are sums of small integers, exact in single precision.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from predictor.statistics.ties import tied

Floats = NDArray[np.float64]
HELD = 8_000_000  # signs held at once: 32 MB
SMALL = 200  # configurations up to which all pairs are held at once, to draw from them


@dataclass(frozen=True, kw_only=True)
class PairCounts:
    """Pairs of configurations (scalars, or arrays over indicators, outcomes or resamples).

    concordant, discordant : ordered alike, ordered against each other
    tied_x, tied_y, tied_both : tied in the indicator alone, the outcome alone, both
    """

    concordant: Floats
    discordant: Floats
    tied_x: Floats
    tied_y: Floats
    tied_both: Floats

    @classmethod
    def of(cls, net: Floats, untied: Floats, untied_x: Floats, untied_y: Floats, total: Floats) -> PairCounts:
        """From sums over pairs: concordant less discordant, untied in both, in x, in y, and all pairs."""
        return cls(
            concordant=(untied + net) / 2,
            discordant=(untied - net) / 2,
            tied_x=untied_y - untied,
            tied_y=untied_x - untied,
            tied_both=total - untied_x - untied_y + untied,
        )

    @property
    def tau_b(self) -> Floats:
        """Kendall's tau-b (Kendall 1945): (C - D) / sqrt((C + D + Tx)(C + D + Ty)); nan where all are tied."""
        untied = self.concordant + self.discordant
        return _ratio(self.concordant - self.discordant, np.sqrt((untied + self.tied_x) * (untied + self.tied_y)))

    @property
    def gamma(self) -> Floats:
        """Goodman and Kruskal's gamma (1954): (C - D) / (C + D); ignores ties; nan where every pair is tied."""
        return _ratio(self.concordant - self.discordant, self.concordant + self.discordant)

    @property
    def somers_d(self) -> Floats:
        """Somers' d (1962) of y given x, ties in x left out: (C - D) / (C + D + Ty)."""
        return _ratio(self.concordant - self.discordant, self.concordant + self.discordant + self.tied_y)

    @property
    def tied_share(self) -> Floats:
        """Share of the pairs that are tied in the indicator or the outcome."""
        tied = self.tied_x + self.tied_y + self.tied_both
        return _ratio(tied, tied + self.concordant + self.discordant)

    @property
    def decision_accuracy(self) -> Floats:
        """Share of the pairs with distinct outcomes that x orders right; a tie in x counts 1/2 (DataDecide 2025)."""
        return _ratio(self.concordant + 0.5 * self.tied_x, self.concordant + self.discordant + self.tied_x)

    @property
    def decision_coverage(self) -> Floats:
        """Share of the pairs with distinct outcomes on which x decides at all."""
        decided = self.concordant + self.discordant
        return _ratio(decided, decided + self.tied_x)


@dataclass(frozen=True, kw_only=True)
class PairSums:
    """Over the pairs of each configuration with all others.

    net, untied : (K, M, n) concordant less discordant; untied in both
    untied_x, untied_y, partners : (K, 1, n), (1, M, n), (1, 1, n)
    """

    net: Floats
    untied: Floats
    untied_x: Floats
    untied_y: Floats
    partners: Floats

    @property
    def counts(self) -> PairCounts:
        """(K, M) counts over all pairs; a pair stands with both of its configurations."""
        return PairCounts.of(*(part.sum(-1) / 2 for part in vars(self).values()))

    @property
    def left_out(self) -> PairCounts:
        """(K, M, n) counts without each configuration."""
        return PairCounts.of(*(part.sum(-1, keepdims=True) / 2 - part for part in vars(self).values()))


def pair_sums(x: Floats, y: Floats, strata: NDArray[np.int64] | None = None) -> PairSums:
    """Compare every configuration with every other one, in chunks.

    x, y : (K, n) and (M, n) finite, one row a variable
    strata : (n,) only pairs inside a stratum count; None: all pairs

    >>> sums = pair_sums(np.array([[1.0, 2, 2, 3]]), np.array([[1.0, 3, 2, 2]]))
    >>> sums.net.tolist(), float(sums.counts.gamma[0, 0])
    ([[[3.0, 0.0, 1.0, 0.0]]], 0.5)
    """
    x, y = tied(x), tied(y)
    (k, n), m = x.shape, len(y)
    net, untied = np.empty((2, k, m, n))
    untied_x, untied_y, partners = np.empty((k, 1, n)), np.empty((1, m, n)), np.full((1, 1, n), n - 1.0)
    chunk = max(1, HELD // max((k + m) * n, 1))
    for first in range(0, n, chunk):
        rows = slice(first, min(first + chunk, n))
        sx, sy = (np.sign(v[:, rows].T[:, :, None] - v[None]).astype(np.float32) for v in (x, y))  # (rows, K or M, n)
        if strata is not None:
            inside = strata[rows, None] == strata[None]
            partners[0, 0, rows] = inside.sum(1) - 1
            sx, sy = sx * inside[:, None], sy * inside[:, None]
        net[:, :, rows] = (sx @ sy.transpose(0, 2, 1)).transpose(1, 2, 0)
        sx, sy = np.abs(sx, out=sx), np.abs(sy, out=sy)
        untied[:, :, rows] = (sx @ sy.transpose(0, 2, 1)).transpose(1, 2, 0)
        untied_x[:, 0, rows], untied_y[0, :, rows] = sx.sum(2).T, sy.sum(2).T
    return PairSums(net=net, untied=untied, untied_x=untied_x, untied_y=untied_y, partners=partners)


def pair_counts(x: Floats, y: Floats) -> PairCounts:
    """Count the pairs of n configurations in two variables (n,).

    >>> p = pair_counts(np.array([1.0, 2, 2, 3]), np.array([1.0, 3, 2, 2]))
    >>> int(p.concordant), int(p.discordant), int(p.tied_x), int(p.tied_y), float(p.gamma)
    (3, 1, 1, 1, 0.5)
    """
    counts = pair_sums(np.atleast_2d(x), np.atleast_2d(y)).counts
    return PairCounts(**{name: value[0, 0] for name, value in vars(counts).items()})


def pairs_inside(strata: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(pairs,) first and second configuration of every pair inside a stratum, stratum after stratum.

    >>> [part.tolist() for part in pairs_inside(np.array([0, 1, 0, 1, 1]))]
    [[0, 1, 1, 3], [2, 3, 4, 4]]
    """
    order = np.argsort(strata, kind="stable")
    left, right = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for members in np.split(order, np.flatnonzero(np.diff(strata[order])) + 1):
        i, j = np.triu_indices(len(members), 1)
        left.append(members[i])
        right.append(members[j])
    return np.concatenate(left), np.concatenate(right)


def weighted_pairs(x: Floats, y: Floats, weights: Floats) -> PairCounts:
    """(B, K, M) counts where each configuration stands as often as its weight says.

    A pair weighs the product of its weights; a configuration drawn twice forms a pair tied in both with itself.
    """
    x, y = tied(x), tied(y)
    i, j = np.triu_indices(x.shape[1], 1)
    signs_x, signs_y = (np.sign(v[:, i] - v[:, j]).astype(np.float32) for v in (x, y))
    products = (signs_x[:, None] * signs_y[None]).reshape(len(x) * len(y), -1)
    columns = np.concatenate([products, np.abs(products), np.abs(signs_x), np.abs(signs_y)]).T
    sums = np.empty((len(weights), columns.shape[1]))
    size = max(1, HELD // max(len(i), 1))
    for first in range(0, len(weights), size):
        w = weights[first : first + size].astype(np.float32)
        sums[first : first + size] = (w[:, i] * w[:, j]) @ columns
    both, k = len(products), len(x)
    net, untied = (sums[:, first : first + both].reshape(-1, k, len(y)) for first in (0, both))
    untied_x, untied_y = sums[:, 2 * both : 2 * both + k, None], sums[:, None, 2 * both + k :]
    total = weights.sum(1)[:, None, None]
    return PairCounts.of(net, untied, untied_x, untied_y, total * (total - 1) / 2)


def permuted_net(
    x: Floats, y: Floats, orders: Iterable[NDArray[np.int64]], strata: NDArray[np.int64] | None = None
) -> Iterator[Floats]:
    """Parts (p, K, M) of the concordant less the discordant pairs inside the strata, y taken in each order.

    With the ties of x and of y fixed, tau-b, Somers' d and decision accuracy are increasing functions of it, and gamma
    has its sign: one permutation test serves them all (Kendall's S).
    """
    x, y = tied(x), tied(y)
    i, j = pairs_inside(np.zeros(x.shape[1], np.int64) if strata is None else strata)
    signs = np.sign(x[:, i] - x[:, j]).astype(np.float32)
    places = stats.rankdata(y, method="dense", axis=1).astype(np.int32)  # whole numbers compare faster
    size = max(1, HELD // max(len(y) * len(i), 1))
    for block in orders:
        for first in range(0, len(block), size):
            part = block[first : first + size]
            moved = np.sign(places[:, part[:, i]] - places[:, part[:, j]]).astype(np.float32)  # (M, p, pairs)
            yield (moved @ signs.T).transpose(1, 2, 0).astype(float)


def _ratio(above: Floats, below: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(below > 0, above / below, np.nan)
