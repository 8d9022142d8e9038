"""Noise of a measured accuracy, and how well a perfect predictor could rank it.

Two sources: finite test images (binomial) and the training seed. Replicates show both at once where the seeds share
no test-set luck; the binomial part alone follows from the counts.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from predictor.errors import PredictorError
from predictor.statistics.ties import varies


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


def exact_interval(inside: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Exact binomial interval of a share (Clopper and Pearson 1934), e.g. of a measured coverage.

    >>> [round(bound, 4) for bound in exact_interval(134, 150)]
    [0.8326, 0.9378]
    """
    from scipy import stats  # heavy: whoever asks for noise alone does without

    if not 0 <= inside <= n or n < 1:
        raise PredictorError(f"{inside} of {n} is not a share")
    bounds = stats.binomtest(inside, n).proportion_ci(level, method="exact")
    return float(bounds.low), float(bounds.high)


def seed_noise(values: ArrayLike, configurations: Sequence[Hashable]) -> float | None:
    """Standard deviation of one run around its configuration, pooled; None where nothing was repeated.

    values, configurations : (n_runs,) outcome and configuration of each run

    >>> round(seed_noise([0.50, 0.52, 0.70, 0.74, 0.9], ["a", "a", "b", "b", "c"]), 4)
    0.0224
    """
    groups = _groups(values, configurations)
    freedom = sum(len(group) - 1 for group in groups)
    return math.sqrt(sum(((g - g.mean()) ** 2).sum() for g in groups) / freedom) if freedom else None


def noise_ceiling(values: ArrayLike, configurations: Sequence[Hashable]) -> float | None:
    """Correlation that the true values of one target set would reach with the measured means of its configurations.

    The square root of the reliability, 1 - (noise of a mean) / (variance of the means) (Spearman 1904); 0 where noise
    explains all of the spread; None without replicates or spread, or for fewer than 3 configurations.

    >>> noise_ceiling([0.1, 0.2, 0.4, 0.5, 0.8, 0.9], list("aabbcc")).__round__(3)
    0.99
    """
    groups = _groups(values, configurations)
    noise = seed_noise(values, configurations)
    means = np.array([group.mean() for group in groups])
    if noise is None or len(means) < 3 or not varies(means):
        return None
    of_means = noise**2 * np.mean([1 / len(group) for group in groups])
    return math.sqrt(max(0.0, 1 - of_means / float(means.var(ddof=1))))


def _groups(values: ArrayLike, configurations: Sequence[Hashable]) -> list[NDArray[np.float64]]:
    numbers = np.asarray(values, float)
    if len(numbers) != len(configurations) or not np.isfinite(numbers).all():
        raise PredictorError("every run needs one finite value and one configuration")
    members: dict[Hashable, list[float]] = {}
    for value, name in zip(numbers.tolist(), configurations, strict=True):
        members.setdefault(name, []).append(value)
    return [np.array(group) for group in members.values()]
