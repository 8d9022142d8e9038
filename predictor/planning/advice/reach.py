"""The smallest number of images for a wanted accuracy, where the fit can tell: read from the curve of the advice."""

from __future__ import annotations

import math
from dataclasses import dataclass

from predictor.planning.advice.curve import Curve, Point


@dataclass(frozen=True, kw_only=True)
class Reach:
    """Images to collect, spread as advised, for a wanted accuracy.

    images : smallest number whose predicted value reaches it; 0: reached now; None: not within the domain of the fit
    cost : of those images
    low, high : smallest numbers whose upper and lower bound reach it; None as above
    most : largest number of images to collect that stays inside the fit's range
    value : predicted accuracy with that many
    reason : why it is not reached
    """

    wanted: float
    images: int | None
    cost: float | None
    low: int | None
    high: int | None
    most: int
    value: float | None
    reason: str | None


def reach(curve: Curve, wanted: float, budget: int) -> Reach:
    """Search the curve up to the end of what the fit saw."""
    most = max(room(curve), budget)
    points = curve.points(curve.sizes(most))
    if not points:
        reason = "the manifest lies outside the range of the fit, whatever is added"
        return _nothing(wanted, 0, reason)
    if not points[0].backed:
        return _nothing(wanted, points[-1].images, "no level is known, so no size is known to reach it")
    high, value, low = (
        curve.first(most, lambda point, end=end: bool(getattr(point, end) >= wanted))
        for end in ("high", "value", "low")
    )
    return Reach(
        wanted=wanted,
        images=_images(value),
        cost=None if value is None else value.cost,
        low=_images(high),
        high=_images(low),
        most=points[-1].images,
        value=points[-1].value,
        reason="not reached inside of what the fit saw" if value is None else None,
    )


def _nothing(wanted: float, most: int, reason: str) -> Reach:
    return Reach(wanted=wanted, images=None, cost=None, low=None, high=None, most=most, value=None, reason=reason)


def _images(point: Point | None) -> int | None:
    return None if point is None else point.images


def room(curve: Curve) -> int:
    """What can be spent before the manifest is larger than what the fit saw."""
    ranges = curve.objective.fit.ranges
    counts = curve.targets
    now = {"n_samples": counts.distribution.n_samples, "n_target_samples": int(counts.counts.sum())}
    images = min((math.floor(ranges[name][1]) - size for name, size in now.items() if name in ranges), default=0)
    dearest = 1.0 if curve.prices is None else float(curve.prices.max())
    return max(0, math.floor(images * dearest))
