"""Whether a manifest lies outside of what the fit saw, in which indicator, and how that is said."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from predictor.models.case import Case
from predictor.models.fit import Fit
from predictor.text import command

SIZES = ("n_samples", "n_target_samples", "mean_log_count")  # of the fitted ranges: those that grow with the images
SHRINK = ("power_difficulty@0.5",)  # and those that shrink with them
EMPTY = "target classes without images"
TOGETHER = "all indicators together"
SLACK = 1.1  # a design as far out as the farthest run is still inside


def outside(fit: Fit, case: Case) -> list[dict[str, Any]]:
    """Indicators that lie outside of what the fit saw."""
    outside = []
    for indicator, (low, high) in fit.ranges.items():
        value = case.feature(indicator)
        slack = 1e-9 * max(abs(low), abs(high), 1.0)  # stored ranges are rounded
        if math.isfinite(value) and not low - slack <= value <= high + slack:
            outside.append({"indicator": indicator, "value": value, "low": low, "high": high})
    counts = case.distribution.target_counts if case.distribution is not None else np.empty(0)
    empty = int((counts == 0).sum())
    if 2 * empty > len(counts):  # no run left more than a few targets without images
        outside.append({"indicator": EMPTY, "value": float(empty), "low": 0.0, "high": 0.0})
    return outside or _jointly_outside(fit, case)


def _jointly_outside(fit: Fit, case: Case) -> list[dict[str, Any]]:
    """Each indicator alone is inside, but no run had such values together: squared Mahalanobis distance."""
    joint = fit.joint
    distance = math.nan if joint is None else joint.distance(case)
    if joint is None or not distance > SLACK * joint.largest:
        return []
    return [{"indicator": TOGETHER, "value": distance, "low": 0.0, "high": joint.largest}]


def only_larger(outside: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the manifest has more images than any run, and is like them otherwise."""
    return all(
        item["value"] > item["high"] if item["indicator"] in SIZES else item["indicator"] in SHRINK for item in outside
    )


def outside_warning(item: Mapping[str, Any], manifest: str) -> str:
    """Measured value, good range, what it means, the fix."""
    return f"{outside_fact(item)}; pilots at 3 sizes fix it: {command('predictor', 'pilots', manifest)} --next 3"


def outside_fact(item: Mapping[str, Any]) -> str:
    """The same without the fix: for a prediction that has pilots already."""
    value, low, high = (f"{item[key]:.4g}" for key in ("value", "low", "high"))
    return f"{item['indicator']} is {value}; the fit saw {low} to {high}; beyond that the interval is uncalibrated"
