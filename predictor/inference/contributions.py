"""Why: what the tail and the other classes cost or bring, in points, against balanced targets at the same N."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from predictor.distribution import LabelDistribution


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


def contributions(
    distribution: LabelDistribution, value: Callable[[LabelDistribution], float]
) -> list[tuple[str, float]]:
    """Exact Shapley values of two changes away from balanced targets alone: the tail, and the other classes.

    value : predicted accuracy of a label distribution
    They sum to value(distribution) - value(balanced targets, same number of images).
    """
    names, counts = distribution.target_names, distribution.target_counts
    held = int(counts.sum())
    total = held + int(distribution.other_counts.sum())
    targets = set(names)
    everything = zip(distribution.class_names, distribution.class_counts.tolist(), strict=True)
    others = [(name, "", n) for name, n in everything if name not in targets]

    def variant(tail: bool, other_classes: bool) -> float:
        shape = counts.astype(np.float64) if tail else np.ones(len(names))
        own = shared_out(shape, held if other_classes else total)
        rows = [(name, "", int(n)) for name, n in zip(names, own, strict=True)]
        return value(LabelDistribution.from_counts(rows + (others if other_classes else []), targets=names))

    both = variant(True, True)
    if not others:
        return [("tail", both - variant(False, True))]
    tail_only, others_only, neither = variant(True, False), variant(False, True), variant(False, False)
    tail = (tail_only - neither + both - others_only) / 2
    return [("tail", tail), ("other classes", both - neither - tail)]
