"""How diverse images are once their likeness counts: effective numbers of unlike images, and of unlike classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PER_CLASS = 20  # images a class that are compared, the same number of each


@dataclass(frozen=True, kw_only=True)
class Diversity:
    """Effective numbers, of the same number of images of each class.

    per_class : images compared; within : unlike images of a class (geometric mean over classes)
    total : unlike images of all classes together; classes : total / within, unlike classes
    """

    per_class: int
    within: float
    total: float
    classes: float


def effective_number(similarity: NDArray[np.floating]) -> float:
    """Diversity of order 1 of equally frequent images: exp(-mean log of each image's mean likeness to all), 1 to n.

    similarity : (n, n) 0 to 1, 1 on the diagonal
    Source: Leinster and Cobbold (2012), Measuring diversity: the importance of species similarity.

    >>> round(effective_number(np.eye(4)), 12), effective_number(np.ones((4, 4)))
    (4.0, 1.0)
    """
    return float(np.exp(-np.log(similarity.mean(1)).mean()))


def diversity(kernel: NDArray[np.floating], rows: list[NDArray[np.int64]]) -> Diversity | None:
    """The diversity of some images of each class; None where a class has a single image.

    kernel : (R, R) inner products of the features; rows : of each class
    Likeness is exp(-distance / median distance): without unit, so that only the shape of the cloud counts.
    """
    per_class = min([PER_CLASS, *map(len, rows)])
    if per_class < 2:
        return None
    chosen = np.concatenate([of_class[:per_class] for of_class in rows])
    inside = kernel[np.ix_(chosen, chosen)].astype(np.float64)
    norms = np.diag(inside)
    distances = np.sqrt(np.maximum(norms[:, None] + norms - 2 * inside, 0))
    middle = float(np.median(distances[np.triu_indices(len(chosen), 1)])) or 1.0
    similarity = np.exp(-distances / middle)
    np.fill_diagonal(similarity, 1.0)
    blocks = [slice(i, i + per_class) for i in range(0, len(chosen), per_class)]
    within = float(np.exp(np.mean([np.log(effective_number(similarity[b, b])) for b in blocks])))
    total = effective_number(similarity)
    return Diversity(per_class=per_class, within=within, total=total, classes=total / within)
