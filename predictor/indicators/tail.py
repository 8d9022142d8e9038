"""How small the small tested classes are."""

from __future__ import annotations

import numpy as np

from predictor.distribution import LabelDistribution
from predictor.indicators.imbalance import _present
from predictor.indicators.registry import Undefined, indicator


def _threshold(text: str) -> tuple[float, bool]:
    relative = text.endswith("mean")
    value = float(text.removesuffix("mean"))
    if not 0 < value < float("inf"):
        raise ValueError(text)
    return value, relative


def _exponent(text: str) -> tuple[float]:
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError(text)
    return (value,)


@indicator(
    unit="share",
    bounds=(0, 1),
    direction=-1,
    source="Feuer & Hegde 2023, section 4.2.1 (k = 500 and 100; relative: against their mean of 1,250)",
    parse=_threshold,
    defaults=("500", "100", "0.4mean", "0.08mean"),
)
def long_tail(distribution: LabelDistribution, k: float, relative: bool = False) -> float:
    """Share of the target classes with fewer than k samples, or fewer than k times the mean target class size.

    >>> d = LabelDistribution.from_counts({"a": 500, "b": 100, "c": 99, "d": 99})
    >>> long_tail(d, 100), long_tail(d, 0.5, relative=True)
    (0.5, 0.5)
    """
    counts = _present(distribution)
    return float((counts < (k * counts.mean() if relative else k)).mean())


@indicator(unit="log images", bounds=(0, None), direction=1, source="mean of log n_c")
def mean_log_count(distribution: LabelDistribution) -> float:
    """Mean over the target classes of the natural log of their images: the log of the geometric mean size.

    >>> round(mean_log_count(LabelDistribution.from_counts({"a": 100, "b": 1})), 4)
    2.3026
    """
    counts = _present(distribution)
    if counts.min() == 0:
        raise Undefined(f"{int((counts == 0).sum())} target classes have no image")
    return float(np.log(counts).mean())


@indicator(
    unit="mean error scale",
    bounds=(0, 1),
    direction=-1,
    source="power-law learning curves, Hestness et al. 2017; exponent .5 by default",
    parse=_exponent,
    defaults=("0.5",),
)
def power_difficulty(distribution: LabelDistribution, b: float) -> float:
    """Mean over the target classes of n_c^-b: what a power-law learning curve says of the mean error.

    >>> power_difficulty(LabelDistribution.from_counts({"a": 100, "b": 25}), 0.5)
    0.15000000000000002
    """
    counts = _present(distribution)
    if counts.min() == 0:
        raise Undefined(f"{int((counts == 0).sum())} target classes have no image")
    return float((counts ** -float(b)).mean())
