"""Cheap numbers computed from a label distribution before training. One family a file; all in one registry.

>>> from predictor.distribution import LabelDistribution
>>> d = LabelDistribution.from_counts({"cat": 60, "dog": 20})
>>> compute(d, ["n_samples", "long_tail@0.8mean"])["n_samples"].value
80.0
"""

from predictor.indicators import imbalance, scale, tail  # noqa: F401 - they register their indicators
from predictor.indicators.registry import (
    DEFAULT_NAMES,
    Indicator,
    IndicatorValue,
    compute,
    indicator,
    known,
    listing,
)

__all__ = ["DEFAULT_NAMES", "Indicator", "IndicatorValue", "compute", "indicator", "known", "listing"]
