"""Noise of a measured accuracy that comes from its finite test images."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from predictor.errors import PredictorError


def binomial_noise(correct: ArrayLike, tested: ArrayLike) -> float:
    """Standard deviation of a class-balanced accuracy from its finite test images.

    correct, tested : (C,) counts per class; sqrt(sum_c p_c (1 - p_c) / n_c) / C, which is sqrt(p (1 - p) / n) where
    all classes are alike

    >>> round(binomial_noise([50, 50], [100, 100]), 4)
    0.0354
    """
    right, of = np.asarray(correct, float), np.asarray(tested, float)
    if right.shape != of.shape or not of.size or (of < 1).any() or (right < 0).any() or (right > of).any():
        raise PredictorError("correct and tested must hold, for each class, 0 <= correct <= tested and tested >= 1")
    share = right / of
    return float(np.sqrt(np.sum(share * (1 - share) / of)) / of.size)
