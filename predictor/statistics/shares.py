"""Whole numbers in proportion to weights, by largest remainder."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def apportion(weights: NDArray[np.float64], total: int) -> NDArray[np.int64]:
    """Share `total` in proportion to weights by largest remainder, every class >= 1.

    >>> apportion(np.array([5.0, 3.0, 0.1]), 8).tolist()
    [4, 3, 1]
    """
    if total < len(weights):
        raise ValueError(f"{total} samples cannot give each of {len(weights)} classes one")
    exact = weights / weights.sum() * total
    low = exact < 1  # those get one image each; the rest share what is left
    while low.any():
        rest = np.where(low, 0.0, weights)
        scaled = rest / rest.sum() * (total - low.sum()) if rest.any() else rest
        exact = np.where(low, 1.0, scaled)
        if not (more := (exact < 1) & ~low).any():
            break
        low |= more
    counts = np.floor(exact + 1e-9).astype(np.int64)
    order = np.argsort(-(exact - counts), kind="stable")
    counts[order[: total - int(counts.sum())]] += 1
    return counts


def shared_out(weights: NDArray[np.float64], total: int) -> NDArray[np.int64]:
    """Whole numbers in proportion to the weights that sum to `total` (largest remainder).

    >>> shared_out(np.array([2.0, 1.0, 1.0]), 10).tolist()
    [5, 3, 2]
    """
    exact = weights / weights.sum() * total
    whole = np.floor(exact).astype(np.int64)
    largest = np.argsort(whole - exact, kind="stable")[: total - int(whole.sum())]
    whole[largest] += 1
    return whole
