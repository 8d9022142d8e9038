"""How small the small tested classes are."""

from __future__ import annotations

import numpy as np

from predictor.distribution import LabelDistribution
from predictor.indicators.common import PAPER, all_tested, limit, positive, tested, threshold
from predictor.indicators.registry import Undefined, indicator


@indicator(
    unit="share",
    bounds=(0, 1),
    direction=-1,
    source=f"{PAPER}, section 4.2.1 (k = 500 and 100; relative: against their mean of 1,250)",
    parse=threshold,
    parameter="k",
    defaults=("500", "100", "0.4mean", "0.08mean"),
)
def long_tail(distribution: LabelDistribution, k: float, relative: bool = False) -> float:
    """Share of the target classes with fewer than k samples, or fewer than k times the mean target class size.

    >>> d = LabelDistribution.from_counts({"a": 500, "b": 100, "c": 99, "d": 99})
    >>> long_tail(d, 100), long_tail(d, 0.5, relative=True)
    (0.5, 0.5)
    """
    counts = tested(distribution)
    return float((counts < limit(counts, k, relative)).mean())


@indicator(
    unit="share",
    bounds=(0, 1),
    direction=-1,
    source=f"the classes of long_tail, {PAPER}, weighted by their samples",
    parse=threshold,
    parameter="k",
    defaults=("100", "0.4mean"),
)
def tail_mass(distribution: LabelDistribution, k: float, relative: bool = False) -> float:
    """Share of the target samples in classes with fewer than k samples, or fewer than k times the mean class size.

    >>> tail_mass(LabelDistribution.from_counts({"a": 60, "b": 30, "c": 10}), 50)
    0.4
    """
    counts = tested(distribution)
    return float(counts[counts < limit(counts, k, relative)].sum() / counts.sum())


@indicator(
    unit="share",
    bounds=(0, 1),
    direction=1,
    source="many-, medium- and few-shot classes of Liu et al. 2019 (more than 100, 20 to 100, fewer than 20)",
    parse=threshold,
    parameter="k",
    defaults=("1", "20"),
)
def coverage(distribution: LabelDistribution, k: float, relative: bool = False) -> float:
    """Share of the target classes with at least k samples, or at least k times the mean target class size.

    >>> coverage(LabelDistribution.from_counts({"a": 60, "b": 20}, targets=["a", "b", "c", "d"]), 20)
    0.5
    """
    counts = distribution.ranked_target_counts
    if not len(counts):
        raise Undefined("there is no target class")
    return float((counts >= limit(counts, k, relative)).mean())


@indicator(unit="log images", bounds=(0, None), direction=1, source="mean of log n_c")
def mean_log_count(distribution: LabelDistribution) -> float:
    """Mean over the target classes of the natural log of their images: the log of the geometric mean size.

    >>> round(mean_log_count(LabelDistribution.from_counts({"a": 100, "b": 1})), 4)
    2.3026
    """
    return float(np.log(all_tested(distribution)).mean())


@indicator(
    unit="mean error scale",
    bounds=(0, 1),
    direction=-1,
    source="power-law learning curves, Hestness et al. 2017; exponent .5 by default",
    parse=positive,
    parameter="b",
    defaults=("0.5",),
)
def power_difficulty(distribution: LabelDistribution, b: float) -> float:
    """Mean over the target classes of n_c^-b: what a power-law learning curve says of the mean error.

    >>> power_difficulty(LabelDistribution.from_counts({"a": 100, "b": 25}), 0.5)
    0.15000000000000002
    """
    return float((all_tested(distribution) ** -float(b)).mean())
