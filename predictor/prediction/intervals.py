"""The interval around a predicted accuracy, for every kind of question; nested in its level by construction.

One value, from one family, has one interval: its width comes from errors of that family on what was held out as the
question is new (configurations, target sets), and beyond the fitted range on the largest runs predicted from smaller
ones. Less known is never narrower: outside against inside, a new domain against a new target set.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from predictor.models.links import measured_within
from predictor.models.outcome import HeldOut, OutcomeFit
from predictor.prediction.request import PredictionRequest
from predictor.statistics.conformal import (
    grouped_quantile,
    nested,
    outside,
    t_quantile,
)
from predictor.statistics.error_scale import Signs

UNCALIBRATED = "outside the fitted range: the interval is uncalibrated"


@dataclass(frozen=True)
class OutcomeInterval:
    """Bounds of what will be measured, how many of how many such intervals held, and what is missing of that.

    backed : whether held-out runs say anything of the value inside
    """

    low: float
    high: float
    covered: tuple[int, int] | None
    reason: str | None
    backed: bool = True


@dataclass(frozen=True, eq=False)
class Question:
    """One outcome, asked at a level.

    fitted : the outcome's own part of the fit
    signs : what tells how large the error is likely to be
    """

    fitted: OutcomeFit
    request: PredictionRequest
    level: float
    signs: Signs

    @cached_property
    def tested(self) -> float:
        """Test images behind what will be measured; infinite of an outcome that counts none."""
        return self.fitted.tested_images(self.request.target_set)

    def interval(self, value: float) -> OutcomeInterval:
        """Around a value inside the fitted range. Labels alone say no level of a domain that no run had."""
        half, covered, reason = self._inside(value)
        made = self._made(value, half, covered, reason)
        labels_alone = self.request.basis == "new_domain" and self.fitted.domain is None
        return replace(made, backed=made.backed and not labels_alone)

    def outside(self, value: float, *, only_larger: bool) -> OutcomeInterval:
        """Around a value outside of it; only_larger: with more images than any run, and else like them."""
        half, _, reason = self._inside(value)
        own = self.fitted.extrapolation if only_larger and self.request.level is not None else None
        wide = outside(half, own, value, self.level, self.signs)
        if half is None:
            return self._made(value, None, None, reason)
        if own is None:
            return replace(self._made(value, wide, None, f"{UNCALIBRATED}, twice as wide as inside"), backed=False)
        wide, covered = float(np.ravel(wide)[0]), own.covered_at(self.level)
        told = f"{covered[0]} of {covered[1]} covered" if covered else "coverage not measured"
        how = "made from the errors on the largest fifth of the runs, predicted from smaller ones"
        return self._made(value, wide, None, f"{UNCALIBRATED} this far out; {how}: {told}")

    def _made(
        self, value: float, half: float | None, covered: tuple[int, int] | None, reason: str | None
    ) -> OutcomeInterval:
        if half is None:
            return OutcomeInterval(0.0, 1.0, None, reason, backed=False)
        low, high = measured_within(value, half, self.tested)
        return OutcomeInterval(float(low), float(high), covered, reason)

    def _inside(self, value: float) -> tuple[float | None, tuple[int, int] | None, str | None]:
        """(half the width in logits, covered, reason)."""
        basis, level = self.request.basis, self.level
        if basis == "in_domain":
            own = self.fitted.configuration
            half = own.half_width(value, level, signs=self.signs)
            if half is None:
                n = len(own.calibrating().residuals)
                return None, None, f"{n} configurations are too few for a {level:.0%} interval"
            return float(np.ravel(half)[0]), *self._evidence(own)
        half, calibrated = self._of_target_set()
        if basis == "new_target_set" and calibrated:
            return half, *self._evidence(self.fitted.target_set)
        spread = self.fitted.target_set.spread[basis]
        reason = f"coverage not measured: {spread.reason}"
        if basis == "new_target_set":
            return half, None, reason
        if self.fitted.domain is not None:  # left-out domains, each of them one error
            found = grouped_quantile(self.fitted.domain.residuals, self.fitted.domain.groups, level)
            if found is not None:
                return max(half, found), *self._evidence(self.fitted.domain)
        return max(half, t_quantile(0.5 + level / 2, spread.df) * spread.sd), None, reason

    def _of_target_set(self) -> tuple[float, bool]:
        """(half the width for a new target set, whether left-out ones calibrate it); else Student's t."""
        own, spread = self.fitted.target_set, self.fitted.target_set.spread["new_target_set"]
        found = grouped_quantile(own.residuals, own.groups, self.level)
        student = t_quantile(0.5 + self.level / 2, spread.df) * spread.sd
        return nested(found, own.residuals, student), found is not None

    def _evidence(self, held: HeldOut) -> tuple[tuple[int, int] | None, str | None]:
        covered = held.covered_at(self.level)
        return (covered, None) if covered else (None, "coverage not measured at this level")
