"""Subsamples of a manifest that could be trained as pilots, and which of them are forecast to tell anything."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from predictor.distribution import LabelDistribution
from predictor.statistics.shares import apportion

FRACTIONS = tuple(0.5**k for k in range(1, 9))  # of the manifest's images
TELLS = 0.1  # of the way from chance to 1: a pilot that is forecast to reach less may tell nothing
ERRORS = 3  # standard errors of the test above chance, for the same reason


@dataclass(frozen=True)
class Subsample:
    """A subsample of the targets that could be trained. x : its predicted logit"""

    shape: str
    counts: NDArray[np.int64]
    distribution: LabelDistribution
    image_steps: int
    x: float = 0.0
    forecast: float = 0.0

    @property
    def key(self) -> tuple[tuple[int, ...], int]:
        """Equal for pilots that are the same."""
        return tuple(sorted(self.counts.tolist())), self.image_steps


def candidates(now: LabelDistribution, room: NDArray[np.int64], steps: int, least: int, most: float) -> list[Subsample]:
    """Subsamples of the targets, each different.

    room : (T,) images of each class that may be trained on, no more than the manifest has
    least, most : image-steps of a pilot; between them it shows an image as often as the whole run
    """
    total, classes = int(now.target_counts.sum()), len(room)
    found: dict[tuple[int, ...], Subsample] = {}
    for fraction in FRACTIONS:
        size = max(round(fraction * int(room.sum())), 2 * classes)
        if size >= room.sum():
            continue
        for shape in ("in proportion", "head cut"):
            thinned = _thinned(room, size) if shape == "in proportion" else np.minimum(room, _cap(room, size))
            own_steps = min(max(round(steps * thinned.sum() / total), least), math.floor(most))
            rows = [(name, "", int(c)) for name, c in zip(now.target_names, thinned, strict=True)]
            item = LabelDistribution.from_counts(rows, targets=now.target_names)
            found.setdefault(tuple(sorted(thinned.tolist())), Subsample(shape, thinned, item, own_steps))
    return list(found.values())


def _thinned(counts: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """`size` images in proportion, at least one of each class and never more than it has."""
    return np.minimum(apportion(counts.astype(np.float64), size), counts)


def _cap(counts: NDArray[np.int64], size: int) -> int:
    """The largest cap under which at most `size` images remain."""
    low, high = 1, int(counts.max())
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if np.minimum(counts, middle).sum() <= size else (low, middle - 1)
    return low


def least_telling(chance: float, tested: float) -> float:
    """The forecast from which a pilot is taken to leave chance. tested : images of its test

    >>> round(least_telling(0.25, 400), 3)
    0.325
    """
    return chance + max(TELLS * (1 - chance), ERRORS * math.sqrt(chance * (1 - chance) / tested))


def telling(found: Sequence[Subsample], least: float) -> list[Subsample]:
    """Those that are forecast to leave chance. least : see `least_telling`"""
    return [item for item in found if item.forecast >= least]
