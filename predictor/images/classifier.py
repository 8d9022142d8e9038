"""Ridge regression on class indicators in its dual form: a classifier that is solved, not trained."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve

PENALTY = 0.3


def scores(
    kernel: NDArray[np.float32],
    training: NDArray[np.int64],
    classes: NDArray[np.int64],
    test: NDArray[np.int64],
    n: int,
    penalty: float = PENALTY,
) -> NDArray[np.float64]:
    """(m, n) scores of test rows for each class, -1 to 1 where a row is like the others.

    kernel : (R, R) inner products of the features; training, test : rows of it; classes : of the training rows
    penalty : on the weights, in units of the mean diagonal element of the training rows' kernel
    """
    inside = kernel[np.ix_(training, training)].astype(np.float64)
    inside[np.diag_indices(len(training))] += penalty * np.trace(inside) / len(training)
    wanted = np.where(classes[:, None] == np.arange(n), 1.0, -1.0)
    mean = wanted.mean(0)
    weights = solve(inside, wanted - mean, assume_a="pos", overwrite_a=True)
    return kernel[np.ix_(test, training)] @ weights + mean


def confusion(found: NDArray[np.float64], classes: NDArray[np.int64]) -> NDArray[np.float64]:
    """(n, n) share of the test images of each class (row) that are taken for each class (column).

    >>> confusion(np.array([[1, 0], [0, 1], [1, 0.5]]), np.array([0, 1, 1])).tolist()
    [[1.0, 0.0], [0.5, 0.5]]
    """
    n = found.shape[1]
    counts = np.zeros((n, n))
    np.add.at(counts, (classes, found.argmax(1)), 1)
    return counts / np.maximum(counts.sum(1, keepdims=True), 1)


def margin(found: NDArray[np.float64], classes: NDArray[np.int64]) -> float:
    """Mean of the score of the right class above the best of the others, half of the range of the indicators each.

    >>> margin(np.array([[1.0, -1.0], [-0.5, 0.5]]), np.array([0, 0]))
    0.25
    """
    rows = np.arange(len(found))
    right = found[rows, classes]
    others = found.copy()
    others[rows, classes] = -np.inf
    return float((right - others.max(1)).mean() / 2)


def standard_error(values: Sequence[float], share: float) -> float:
    """Of the mean over random splits of the same images, which have images in common and so are not independent.

    share : of the images that one split uses; two splits have that part of theirs in common, on average
    Source: Nadeau and Bengio (2003), Inference for the generalization error: variance x (1/J + r/(1 - r)) for splits
    that correlate r; here r is the share in common.

    >>> round(standard_error([0.5, 0.6, 0.7], 0.25), 3)
    0.082
    """
    n = len(values)
    common = min(share, 0.99)
    return float(np.std(values, ddof=1) * np.sqrt(1 / n + common / (1 - common)))
