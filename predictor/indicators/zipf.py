"""Zipf's law over the tested classes: the class of rank r holds a share proportional to r^-s.

Ranks 1..C are of the C target classes with images, the largest first. The log likelihood of n_r images of rank r,

    l(s) = -s sum_r n_r log r - N log sum_r r^-s,

is concave: its slope is N (E_s[log r] - mean log rank of the images), its curvature -N Var_s[log r].
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from predictor.distribution import LabelDistribution
from predictor.indicators.common import tested
from predictor.indicators.registry import Undefined, indicator

TOLERANCE = 1e-12  # of the exponent, relative above 1
MAX_STEPS = 200  # each at least halves an interval
SOURCE = "Zipf 1949; rank-frequency maximum likelihood, e.g. Clauset et al. 2009, section 3"


@indicator(unit="exponent", bounds=(0, None), direction=-1, source=SOURCE)
def zipf_exponent(distribution: LabelDistribution) -> float:
    """Exponent s of Zipf's law, share of rank r proportional to r^-s, by maximum likelihood; 0 where all are equal.

    Over the target classes with images; undefined for fewer than two.

    >>> round(zipf_exponent(LabelDistribution.from_counts({"a": 600, "b": 300, "c": 200, "d": 150})), 4)
    1.0
    """
    return _fit(distribution)[0]


@indicator(unit="exponent", bounds=(0, None), source=SOURCE + "; Fisher information", error_of="zipf_exponent")
def zipf_exponent_se(distribution: LabelDistribution) -> float:
    """Standard error of `zipf_exponent`, 1 / sqrt(N Var_s[log r]): as if the images were drawn one by one.

    It does not say that Zipf's law holds.

    >>> round(zipf_exponent_se(LabelDistribution.from_counts({"a": 600, "b": 300, "c": 200, "d": 150})), 4)
    0.0534
    """
    return _fit(distribution)[1]


def _fit(distribution: LabelDistribution) -> tuple[float, float]:
    counts = tested(distribution)
    counts = counts[: np.count_nonzero(counts)]
    if len(counts) == 1:
        raise Undefined("only one target class has an image")
    return _exponent(counts.tobytes())


@lru_cache(maxsize=1)  # both indicators of one distribution
def _exponent(ranked: bytes) -> tuple[float, float]:
    """(s, standard error) of counts from the largest to the smallest, by Newton's method inside a bracket."""
    counts = np.frombuffer(ranked, dtype=np.int64)
    logs = np.log(np.arange(1, len(counts) + 1))
    total = float(counts.sum(dtype=float))
    wanted = float((logs * counts).sum()) / total
    s, low, high = 0.0, 0.0, math.inf  # the largest first: the slope at 0 is never negative
    for _ in range(MAX_STEPS):
        mean, variance = _moments(s, logs)
        low, high = (s, high) if mean > wanted else (low, s)
        new = s + (mean - wanted) / variance
        if not low <= new <= high:
            new = (low + high) / 2 if math.isfinite(high) else 2 * s + 1
        if abs(new - s) <= TOLERANCE * max(1.0, s):
            break
        s = new
    return s, 1 / math.sqrt(total * _moments(s, logs)[1])


def _moments(s: float, logs: NDArray[np.float64]) -> tuple[float, float]:
    """Mean and variance of log r where rank r has a share proportional to r^-s.

    Sums of products: the threads of a matrix product cost more than they save on a busy machine.
    """
    share = np.exp(-s * logs)
    share /= share.sum()
    mean = float((share * logs).sum())
    return mean, float((share * (logs - mean) ** 2).sum())
