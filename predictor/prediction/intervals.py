"""The interval around a predicted accuracy, for every kind of question; nested in its level by construction.

One value, from one family, has one interval: its width comes from errors of that family on what was held out as the
question is new (configurations, target sets), and beyond the fitted range on the largest runs predicted from smaller
ones. Less known is never narrower: outside against inside, a new domain against a new target set.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from predictor.models.links import measured_within
from predictor.models.scales import Scale
from predictor.prediction.request import Request
from predictor.statistics.conformal import (
    grouped_quantile,
    nested,
    outside_half_width,
    residual_half_width,
    t_quantile,
)

UNKNOWN_TESTED = 1000  # test images of a fit that does not state them
UNCALIBRATED = "outside the fitted range: the interval is uncalibrated"


@dataclass(frozen=True)
class Interval:
    """Bounds of what will be measured, how many of how many such intervals held, and what is missing of that."""

    low: float
    high: float
    covered: tuple[int, int] | None
    reason: str | None


@dataclass(frozen=True, eq=False)
class Question:
    """One outcome, asked at a level.

    entry : what the fit holds of the outcome
    doubt : how far the models disagree, in logits
    """

    entry: Mapping[str, Any]
    request: Request
    level: float
    doubt: float

    @cached_property
    def tested(self) -> float:
        """Test images behind what will be measured; infinite of an outcome that counts none."""
        if not Scale.stored(self.entry).is_share:
            return math.inf
        known = self.entry.get("n_tested", {})
        return float(known.get(self.request.target_set, known.get("new", UNKNOWN_TESTED)))

    def interval(self, value: float) -> Interval:
        """Around a value inside the fitted range."""
        half, covered, reason = self._inside(value)
        return self._made(value, half, covered, reason)

    def outside(self, value: float, *, only_larger: bool) -> Interval:
        """Around a value outside of it; only_larger: with more images than any run, and else like them."""
        half, _, reason = self._inside(value)
        own = self.entry["extrapolation"] if only_larger and self.request.level is not None else None
        wide = outside_half_width(half, own, value, self.level, self.doubt)
        if half is None:
            return self._made(value, None, None, reason)
        if own is None:
            return self._made(value, wide, None, f"{UNCALIBRATED}, twice as wide as inside")
        covered = own["covered"].get(f"{self.level:g}")
        told = f"{covered[0]} of {covered[1]} covered" if covered else "coverage not measured"
        how = "made as for the largest fifth of the runs from smaller ones"
        return self._made(value, wide, None, f"{UNCALIBRATED} this far out; {how}: {told}")

    def _made(self, value: float, half: float | None, covered: tuple[int, int] | None, reason: str | None) -> Interval:
        if half is None:
            return Interval(0.0, 1.0, None, reason)
        low, high = measured_within(value, half, self.tested)
        return Interval(float(low), float(high), covered, reason)

    def _inside(self, value: float) -> tuple[float | None, tuple[int, int] | None, str | None]:
        """(half the width in logits, covered, reason)."""
        basis, level = self.request.basis, self.level
        if basis == "in_domain":
            own = self.entry["configuration"]
            half = residual_half_width(own, value, level, doubt=self.doubt)
            if half is None:
                return None, None, f"{len(own['residuals'])} configurations are too few for a {level:.0%} interval"
            return float(half), *self._evidence("configuration")
        half, calibrated = self._of_target_set()
        if basis == "new_target_set" and calibrated:
            return half, *self._evidence("target_set")
        spread = self.entry["target_set"]["spread"][basis]
        reason = f"coverage not measured: {spread['reason']}"
        if basis == "new_target_set":
            return half, None, reason
        return max(half, t_quantile(0.5 + level / 2, spread["df"]) * spread["sd"]), None, reason

    def _of_target_set(self) -> tuple[float, bool]:
        """(half the width for a new target set, whether left-out ones calibrate it); else Student's t."""
        own = self.entry["target_set"]
        residuals, spread = np.array(own["residuals"]), own["spread"]["new_target_set"]
        found = grouped_quantile(residuals, own["groups"], self.level)
        student = t_quantile(0.5 + self.level / 2, spread["df"]) * spread["sd"]
        return nested(found, residuals, student), found is not None

    def _evidence(self, split: str) -> tuple[tuple[int, int] | None, str | None]:
        covered = self.entry[split]["covered"].get(f"{self.level:g}")
        return (tuple(covered), None) if covered else (None, "coverage not measured at this level")
