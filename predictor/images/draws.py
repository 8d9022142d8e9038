"""Training and test part of a probe, drawn several times: by group, some images a class in each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SIZES = (5, 10, 20, 40)  # training images a class
TESTED = 30  # test images a class, where that leaves two thirds for training
FEWEST_TESTED = 2


@dataclass(frozen=True)
class Draw:
    """One split. training : rows of each class, in random order; test : (m,) rows"""

    training: tuple[NDArray[np.int64], ...]
    test: NDArray[np.int64]


def draws(
    classes: NDArray[np.int64], groups: NDArray[np.int64], n: int, generator: np.random.Generator
) -> Iterator[Draw]:
    """n random splits in which no group is on both sides, whatever the class of its images.

    classes : (R,) 0 to C - 1; groups : (R,)
    Groups are taken in one random order for all classes until a class has its test images. Training images are drawn
    one by one from what is left, not group by group, as a training set is.
    """
    n_classes = int(classes.max()) + 1 if len(classes) else 0
    for _ in range(n):
        place = generator.permutation(int(groups.max()) + 1)[groups]
        test = []
        for c in range(n_classes):
            rows = np.flatnonzero(classes == c)
            rows = rows[np.argsort(place[rows], kind="stable")]
            test.append(rows[: min(TESTED, len(rows) // 3)])
        tested = np.concatenate(test)
        free = ~np.isin(groups, groups[tested])
        training = tuple(generator.permutation(np.flatnonzero((classes == c) & free)) for c in range(n_classes))
        yield Draw(training, tested)


def able(found: list[Draw], classes: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """The classes that have `size` training images, and images to test, in every draw."""
    n_classes = len(found[0].training)
    fits = [
        all(len(draw.training[c]) >= size and int((classes[draw.test] == c).sum()) >= FEWEST_TESTED for draw in found)
        for c in range(n_classes)
    ]
    return np.flatnonzero(fits)
