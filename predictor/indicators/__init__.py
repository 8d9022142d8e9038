"""Cheap numbers computed from a label distribution before training. One family a file; all in one registry.

>>> from predictor.distribution import LabelDistribution
>>> d = LabelDistribution.from_counts({"cat": 60, "dog": 20})
>>> compute(d, ["n_samples", "long_tail@0.8mean"])["n_samples"].value
80.0
"""

from predictor.indicators import scale, imbalance, tail, zipf, sources, probed  # noqa: F401, I001 - they register, in this order
from predictor.indicators.registry import (
    DEFAULT_NAMES,
    Context,
    Indicator,
    IndicatorValue,
    Undefined,
    compute,
    default_names,
    indicator,
    known,
    listing,
    with_errors,
)
from predictor.indicators.sources import SYNTHETIC, source_names

__all__ = [
    "DEFAULT_NAMES",
    "SYNTHETIC",
    "Context",
    "Indicator",
    "IndicatorValue",
    "Undefined",
    "compute",
    "default_names",
    "indicator",
    "known",
    "listing",
    "source_names",
    "with_errors",
]
