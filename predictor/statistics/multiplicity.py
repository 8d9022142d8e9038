"""Many tests at once: false discoveries, family-wise error, and what a number of configurations can show at all."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from predictor.statistics.resampling import LOST
from predictor.statistics.ties import at_least

Floats = NDArray[np.float64]


def adjusted(p_values: Sequence[float | None], method: str = "benjamini_hochberg") -> list[float | None]:
    """Adjusted p-values; None stays None.

    method : benjamini_hochberg (1995, false-discovery rate) or holm (1979, family-wise error)

    >>> adjusted([0.01, None, 0.04]), adjusted([0.01, None, 0.04], "holm")
    ([0.02, None, 0.04], [0.02, None, 0.04])
    """
    given = [p for p in p_values if p is not None]
    if not given:
        return list(p_values)
    q = iter((_holm(np.array(given)) if method == "holm" else stats.false_discovery_control(given)).tolist())
    return [None if p is None else next(q) for p in p_values]


def _holm(p_values: Floats) -> Floats:
    """(n,) each p times how many are left, never less than one before; statsmodels collects garbage twice a call."""
    order = np.argsort(p_values, kind="stable")
    result = np.empty(len(order))
    result[order] = np.minimum(np.maximum.accumulate(p_values[order] * np.arange(len(order), 0, -1)), 1.0)
    return result


class MaxT:
    """Family-wise adjustment by the largest statistic of each permutation (Westfall and Young 1993, single step).

    Groups of tests (target sets) are permuted independently of each other, the tests of a group together. A rank
    correlation of n configurations is multiplied by sqrt(n - 1), its exact spread under permutation, so that few
    configurations weigh like many.

    >>> joint = MaxT(3)
    >>> joint.add(np.array([0.2, 0.9, 0.4]), n=5, generator=np.random.default_rng(0))
    >>> joint.adjusted(0.5, n=5)
    0.5
    """

    def __init__(self, draws: int):
        self.largest = np.zeros(draws)

    def add(self, largest: Floats, *, n: int, generator: np.random.Generator) -> None:
        """The greatest |r| of each order of a group; where these are all orders, as many are drawn from them."""
        if len(largest) != len(self.largest):
            largest = largest[generator.integers(len(largest), size=len(self.largest))]
        self.largest = np.maximum(self.largest, largest * math.sqrt(n - 1))

    def adjusted(self, value: float, *, n: int) -> float:
        """Share of the permutations whose largest statistic reaches this one; never 0 (Phipson and Smyth 2010)."""
        reached = np.sum(at_least(self.largest, abs(value) * math.sqrt(n - 1), of=LOST))
        return float((reached + 1) / (len(self.largest) + 1))


def detectable_rho(n: int) -> float | None:
    """Smallest |rho| found with 80 % power at the 5 % level: about tanh(2.80 / sqrt(n - 3)).

    >>> [round(detectable_rho(n), 2) for n in (7, 17, 30)]
    [0.89, 0.63, 0.49]
    """
    return math.tanh(2.80 / math.sqrt(n - 3)) if n > 3 else None
