"""How unevenly the images are spread over the tested classes."""

from __future__ import annotations

import numpy as np

from predictor.distribution import LabelDistribution
from predictor.indicators.registry import Undefined, indicator


def _present(distribution: LabelDistribution) -> np.ndarray:
    """(T,) counts of the tested classes; undefined where none has an image."""
    counts = distribution.target_counts
    if not counts.any():
        raise Undefined("no target class has an image")
    return counts


def _percent(text: str) -> tuple[float]:
    value = float(text)
    if not 0 < value <= 100:
        raise ValueError(text)
    return (value,)


@indicator(
    unit="share",
    bounds=(0, 1),
    source="Feuer & Hegde 2023, section 4.2.1 (k = 5 %), Lorenz-interpolated",
    parse=_percent,
    defaults=("5",),
)
def left_skew(distribution: LabelDistribution, percent: float) -> float:
    """Share of the target samples that lies in the most common p % of the target classes; balanced: p %.

    p % need not be a whole number of classes: the next class counts with its fraction.

    >>> left_skew(LabelDistribution.from_counts({"a": 70, "b": 20, "c": 10}), 50.0)
    0.8
    """
    counts = np.sort(_present(distribution))[::-1]
    wanted = percent / 100 * len(counts)
    whole = min(int(wanted), len(counts))
    part = (wanted - whole) * counts[whole] if whole < len(counts) else 0.0
    return float((counts[:whole].sum() + part) / counts.sum())


@indicator(unit="ratio", bounds=(1, None), direction=-1, source="standard")
def imbalance_ratio(distribution: LabelDistribution) -> float:
    """Images of the largest over images of the smallest tested class.

    >>> imbalance_ratio(LabelDistribution.from_counts({"a": 50, "b": 10}))
    5.0
    """
    counts = _present(distribution)
    if counts.min() == 0:
        raise Undefined(f"{int((counts == 0).sum())} target classes have no image")
    return float(counts.max() / counts.min())


@indicator(unit="coefficient", bounds=(0, 1), direction=-1, source="Gini 1912")
def gini(distribution: LabelDistribution) -> float:
    """Gini coefficient of the target class sizes; 0 where all are equal.

    >>> gini(LabelDistribution.from_counts({"a": 30, "b": 10}))
    0.25
    """
    counts = np.sort(_present(distribution)).astype(float)
    n = len(counts)
    return float(((2 * np.arange(1, n + 1) - n - 1) * counts).sum() / (n * counts.sum()))


@indicator(unit="classes", bounds=(1, None), direction=1, source="Hill 1973, order 1")
def effective_classes(distribution: LabelDistribution) -> float:
    """Exponential of the entropy of the target class shares: that many equal classes would be as diverse.

    >>> round(effective_classes(LabelDistribution.from_counts({"a": 10, "b": 10})), 6)
    2.0
    """
    counts = _present(distribution)
    share = counts[counts > 0] / counts.sum()
    return float(np.exp(-(share * np.log(share)).sum()))
