"""The smallest number of images for a wanted accuracy, where the fit can tell."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from predictor.distribution import LabelDistribution
from predictor.planning.advice.allocation import best
from predictor.planning.objective import Objective, Targets
from predictor.prediction import OutcomePrediction, Predictions

GRID = 16  # sizes that are tried between nothing and the end of the fit's range
PRECISION = 0.01  # of the number of images

Predicted = Callable[[Mapping[str, LabelDistribution]], Predictions]


@dataclass(frozen=True, kw_only=True)
class Reach:
    """Images to collect, spread as advised, for a wanted accuracy.

    images : smallest number whose predicted value reaches it; 0: reached now; None: not within the domain of the fit
    low, high : smallest numbers whose upper and lower bound reach it; None as above
    most : largest number of images to collect that stays inside the fit's range
    value : predicted accuracy with that many
    reason : why it is not reached
    """

    wanted: float
    images: int | None
    low: int | None
    high: int | None
    most: int
    value: float | None
    reason: str | None


def reach(objective: Objective, targets: Targets, predicted: Predicted, wanted: float) -> Reach:
    """Search the number of images; every size is planned and predicted anew."""
    known: dict[int, tuple[OutcomePrediction, bool]] = {}

    def at(n: int) -> OutcomePrediction:
        return look(n)[0]

    def look(n: int) -> tuple[OutcomePrediction, bool]:
        if n not in known:
            values = lambda many: objective.values(targets.with_counts(item) for item in many)  # noqa: E731
            plan = targets.with_counts(best(values, targets.counts, n))
            found = predicted({"plan": plan}).predictions[0]
            known[n] = found.outcome(objective.outcome), bool(found.outside)
        return known[n]

    sizes = [n for n in _sizes(_room(objective, targets)) if not look(n)[1]]
    if not sizes:
        reason = "the manifest lies outside the range of the fit, whatever is added"
        return Reach(wanted=wanted, images=None, low=None, high=None, most=0, value=None, reason=reason)
    answers = [
        _first(sizes, lambda n, end=end: (_end(at(n), end) or 0.0) >= wanted) for end in ("high", "value", "low")
    ]
    reason = None
    if answers[1] is None:
        reason = "not reachable within the domain of the fit"
    return Reach(
        wanted=wanted, images=answers[1], low=answers[0], high=answers[2], most=sizes[-1], value=at(sizes[-1]).value,
        reason=reason,
    )  # fmt: skip


def _end(outcome: OutcomePrediction, end: str) -> float | None:
    value: Any = getattr(outcome, end)
    return None if value is None else float(value)


def _room(objective: Objective, targets: Targets) -> int:
    """Images that can be added before the manifest is larger than what the fit saw."""
    ranges = objective.fit.ranges
    now = {"n_samples": targets.distribution.n_samples, "n_target_samples": int(targets.counts.sum())}
    return max(0, min((math.floor(ranges[name][1]) - size for name, size in now.items() if name in ranges), default=0))


def _sizes(most: int) -> list[int]:
    """Nothing, and sizes in equal ratios up to the most."""
    if most < 1:
        return [0]
    ratio = most ** (1 / GRID)
    return sorted({0, *(round(ratio**i) for i in range(GRID + 1))})


def _first(sizes: list[int], reached: Callable[[int], bool]) -> int | None:
    """The smallest size that reaches it, to PRECISION; a prediction grows with the size nearly everywhere."""
    good = next((i for i, n in enumerate(sizes) if reached(n)), None)
    if good is None or good == 0:
        return None if good is None else sizes[0]
    below, above = sizes[good - 1], sizes[good]
    while above - below > max(1, PRECISION * above):
        middle = (below + above) // 2
        below, above = (below, middle) if reached(middle) else (middle, above)
    return above
