"""Draws: configurations with replacement, orders inside blocks; p-values from orders."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from predictor.statistics.ties import at_least, tied

Floats = NDArray[np.float64]
MOST_ORDERS = 400_000  # all orders are taken up to this many: 9 configurations in one block
LOST = 1e3  # partial correlations of an order and of the runs as they stand are sums that differ in three more digits
MOST_LEFT_OUT = 500  # rows of the jackknife
HELD = 4_000_000  # places of orders held at once: 32 MB


def resample_weights(n: int, draws: int, generator: np.random.Generator) -> Floats:
    """(draws, n) how often each configuration is drawn, with replacement.

    >>> resample_weights(4, 2, np.random.default_rng(0)).sum(1).tolist()
    [4.0, 4.0]
    """
    drawn = generator.integers(n, size=(draws, n)) + n * np.arange(draws)[:, None]
    return np.bincount(drawn.ravel(), minlength=draws * n).reshape(draws, n).astype(float)


def without_each(n: int) -> Floats:
    """(n, n) weights that leave one configuration out each; beyond 500 configurations, 500 groups of them.

    >>> without_each(3).tolist()
    [[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0]]
    """
    groups = np.arange(n) % MOST_LEFT_OUT
    return (groups[None] != np.arange(min(n, MOST_LEFT_OUT))[:, None]).astype(float)


def neighbours(values: Floats, size: int = 4) -> NDArray[np.int64]:
    """(n,) blocks of about `size` configurations that are alike in one variable; equal ones share a block.

    >>> neighbours(np.array([1.0, 9, 2, 8, 3, 7, 4, 6])).tolist()
    [0, 1, 0, 1, 0, 1, 0, 1]
    """
    n = len(values)
    return np.floor((stats.rankdata(tied(values)) - 0.5) * max(1, round(n / size)) / n).astype(np.int64)


class Orders:
    """Orders to take the outcome in: all there are where they are few, else random ones; an iterable of arrays (p, n).

    blocks : (n,) block of each configuration, values move only inside their block; None: one block
    most : all orders are taken up to this many
    exact : whether these are all orders, the identity among them

    >>> orders = Orders(3, 10, seed=0)
    >>> orders.exact, len(orders), [part.shape for part in orders]
    (True, 6, [(6, 3)])
    """

    def __init__(
        self,
        n: int,
        draws: int,
        *,
        seed: int | np.random.SeedSequence,
        blocks: NDArray | None = None,
        most: int = MOST_ORDERS,
    ):
        names = np.zeros(n, int) if blocks is None else np.asarray(blocks)
        self.blocks = [np.flatnonzero(names == name) for name in dict.fromkeys(names.tolist())]
        self.n, self.seed = n, seed
        every = math.prod(math.factorial(len(block)) for block in self.blocks)
        self.exact = every <= most
        self.size = every if self.exact else draws

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[NDArray[np.int64]]:
        if self.exact:
            yield self._all()
            return
        generator = np.random.default_rng(self.seed)  # anew, so that every reader sees the same orders
        chunk = max(1, HELD // max(self.n, 1))
        for first in range(0, self.size, chunk):
            orders = np.tile(np.arange(self.n), (min(chunk, self.size - first), 1))
            for block in self.blocks:
                orders[:, block] = generator.permuted(orders[:, block], axis=1)
            yield orders

    def _all(self) -> NDArray[np.int64]:
        orders = np.arange(self.n)[None]
        for block in self.blocks:
            inside = block[_permutations(len(block))]
            orders = np.repeat(orders, len(inside), axis=0)
            orders[:, block] = np.tile(inside, (len(orders) // len(inside), 1))
        return orders


def permutation_p(
    observed: Floats, drawn: Iterable[Floats], *, exact: bool, largest: list[Floats] | None = None
) -> Floats:
    """Two-sided p-values, never 0: all orders hold the identity, random ones count the observed order too.

    observed : (K, M); drawn : parts (p, K, M) of the same statistic under the orders, 0 in the middle of its range
    largest : the greatest absolute value of each order is appended, for `MaxT`
    (b + 1) / (m + 1) for random orders: Phipson and Smyth 2010. An order without a value is no evidence against
    chance; nan where the observed value is undefined.

    >>> permutation_p(np.array([[0.9]]), [np.array([[[0.1]], [[-0.95]], [[0.2]]])], exact=False).tolist()
    [[0.5]]
    """
    distance = np.abs(observed)
    as_extreme, n = np.zeros(observed.shape), 0
    for part in drawn:
        size = np.abs(part)
        as_extreme += (at_least(size, distance, of=LOST) | np.isnan(size)).sum(0)
        n += len(part)
        if largest is not None:
            largest.append(np.nan_to_num(size).reshape(len(part), -1).max(axis=1, initial=0.0))
    p = as_extreme / n if exact else (as_extreme + 1) / (n + 1)
    return np.where(np.isnan(observed), np.nan, p)


def _permutations(n: int) -> NDArray[np.int64]:
    """(n!, n) every order of n, built by inserting one number after the other."""
    found = np.zeros((1, min(n, 1)), int)
    for last in range(1, n):
        grown = np.empty((last + 1, len(found), last + 1), int)
        for place in range(last + 1):
            grown[place, :, :place], grown[place, :, place] = found[:, :place], last
            grown[place, :, place + 1 :] = found[:, place:]
        found = grown.reshape(-1, last + 1)
    return found
