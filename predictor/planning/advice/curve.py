"""What any number of images reaches, up to the budget: one curve, from which plans, advice and reach are read.

The sizes are the same whatever the budget, and each allocation starts from the one before it, so that a larger size
never reaches less than a smaller one: what is not spent is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from predictor.distribution import LabelDistribution
from predictor.planning.advice.allocation import Counts, best
from predictor.planning.objective import Floats, Objective, Targets
from predictor.prediction.results import Predictions

PREFERRED = (10, 12, 15, 20, 25, 30, 40, 50, 60, 80)  # sizes, times powers of ten: those that people name
FINE = 16  # sizes between two of them
LEAST = 0.01  # of the images that there are: the first size

Predicted = Callable[..., Predictions]


@dataclass(frozen=True, kw_only=True)
class Point:
    """One size of the curve: what is spent, and what that is predicted to reach (fractions).

    spend : what may be spent; cost : what is; images : that are collected with it
    p_better : probability that it beats what there is now
    backed : whether anything says a level, see `predictor.prediction.OutcomePrediction`
    """

    spend: int
    cost: float
    images: int
    n_samples: int
    image_steps: int | None
    value: float
    low: float
    high: float
    p_better: float | None
    backed: bool = True


@dataclass(frozen=True, eq=False)
class Curve:
    """Allocations of growing size.

    predicted : manifests, steps -> predictions of the objective's outcome, compared with what is named
    prices : (T,) of one image of each class; None: 1
    """

    objective: Objective
    targets: Targets
    predicted: Predicted
    prices: Floats | None = None
    _values: dict[bytes, float] = field(default_factory=dict, repr=False)
    _found: dict[int, Counts] = field(default_factory=dict, repr=False)
    _points: dict[int, Point | None] = field(default_factory=dict, repr=False)

    def values(self, many: Sequence[Counts], others: Sequence[tuple[str, str, int]] = ()) -> Floats:
        """(n,) predicted values of class counts, with new other classes."""
        if others:
            return self.objective.values(self.targets.with_counts(item, others) for item in many)
        keys = [item.tobytes() for item in many]  # a search comes back to what it has asked before
        if new := {key: item for key, item in zip(keys, many, strict=True) if key not in self._values}:
            found = self.objective.values(map(self.targets.with_counts, new.values()))
            self._values.update(zip(new, found.tolist(), strict=True))
        return np.array([self._values[key] for key in keys])

    def cost(self, counts: Counts) -> float:
        """What the images beyond those of now cost."""
        added = np.maximum(counts - self.targets.counts, 0)
        return float(added.sum() if self.prices is None else self.prices @ added)

    @cached_property
    def _first(self) -> float:
        first = LEAST * float(self.targets.distribution.n_samples)
        return max(1.0, first if self.prices is None else first * float(self.prices.min()))

    def _coarse(self, beyond: int) -> list[int]:
        """Nothing, and the sizes up to the first one that is not below `beyond`."""
        sizes, power = [0], 0
        while sizes[-1] < beyond:
            for number in PREFERRED:
                size = number * 10**power // 10
                if size >= self._first and size > sizes[-1] and sizes[-1] < beyond:
                    sizes.append(size)
            power += 1
        return sizes

    def within(self, budget: int) -> int:
        """The largest size up to the budget: at most a fiftieth of it is not spent."""
        coarse = self._coarse(budget)
        if coarse[-1] == budget:
            return budget
        below, above = coarse[-2], coarse[-1]
        return max(size for size in (below, *_between(below, above)) if size <= budget)

    def coarse(self, most: int) -> list[int]:
        """Nothing, and sizes up to `most` in about equal ratios that no budget moves."""
        return [size for size in self._coarse(most) if size <= most]

    def sizes(self, most: int) -> list[int]:
        """The coarse sizes, and the largest fine one up to `most`."""
        return sorted({*self.coarse(most), self.within(most)})

    def inside(self, most: int) -> int | None:
        """The largest size up to `most` that lies inside of what the fit saw; None: none does."""
        points = self.points(self.coarse(most))
        if not points:
            return None
        coarse = self._coarse(most)
        last = points[-1].spend
        above = coarse[coarse.index(last) + 1] if last < coarse[-1] else last
        return self.points([last, *(size for size in _between(last, above) if size <= most)])[-1].spend

    def allocation(self, size: int) -> Counts:
        """(T,) counts of the best way found to spend up to a size: no worse than what any smaller size found."""
        coarse = self._coarse(size)
        for below, above in zip([0, *coarse], coarse, strict=False):
            if above not in self._found:
                self._search(below, above)
        return self._found[size]

    def _search(self, below: int, above: int) -> None:
        """Find the allocation of a size, and those of the fine sizes below it, on the way from the size before."""
        counts = self.targets.counts
        if not above:
            self._found[0] = counts
            return
        start = self._found[below]
        end = best(self.values, counts, above, prices=self.prices, starts=[start])
        fine = _between(below, above)
        way = [start, *(self._part(start, end, size) for size in fine), end]
        values = self.values(way)
        for i, size in enumerate([*fine, above], start=1):
            self._found[size] = way[int(np.argmax(values[: i + 1]))]

    def _part(self, start: Counts, end: Counts, size: int) -> Counts:
        """From one allocation towards another, as far as the size pays for."""
        added = np.maximum(end - start, 0)
        cost = self.cost(start + added) - self.cost(start)
        if not cost:
            return start
        n = int(added.sum() * min(1.0, (size - self.cost(start)) / cost))
        part = np.floor(added * (n / added.sum())).astype(np.int64)  # rounded down: never above the size
        return start + part

    def points(self, sizes: Sequence[int]) -> list[Point]:
        """Sizes with their predictions, those alone that lie inside of what the fit saw; predicted together."""
        new = [size for size in sizes if size not in self._points]
        if new:
            plans = {str(size): self.targets.with_counts(self.allocation(size)) for size in new}
            found = self._ask(plans)
            self._points.update({size: self._point(size, plans, found) for size in new})
        return [point for size in sizes if (point := self._points[size]) is not None]

    @cached_property
    def now(self) -> LabelDistribution:
        """What there is."""
        return self.targets.distribution

    def _ask(self, plans: Mapping[str, LabelDistribution]) -> Predictions:
        return self.predicted({"now": self.now, **plans}, against=["now"])

    def _point(self, size: int, plans: Mapping[str, LabelDistribution], found: Predictions) -> Point | None:
        name, counts = str(size), self._found[size]
        prediction = next(item for item in found.predictions if item.manifest == name)
        own = prediction.outcome(self.objective.outcome)
        if prediction.outside or own.value is None or own.low is None or own.high is None:
            return None
        p = [row for row in found.comparisons if name in (row.a, row.b)]
        return Point(
            spend=size,
            cost=self.cost(counts),
            images=int((counts - self.targets.counts).sum()),
            n_samples=plans[name].n_samples,
            image_steps=self.objective.steps(plans[name]),
            value=own.value,
            low=own.low,
            high=own.high,
            p_better=(p[0].p_a_better if p[0].a == name else 1 - p[0].p_a_better) if p and size else None,
            backed=own.backed,
        )

    def first(self, most: int, reached: Callable[[Point], bool]) -> Point | None:
        """The smallest size, up to about `most`, whose point reaches it; None: none does."""
        coarse = self._coarse(most)
        self.points(coarse)
        for below, above in zip([0, *coarse], coarse, strict=False):
            point = self._points[above]
            if point is not None and reached(point):
                return next(point for point in self.points([*_between(below, above), above]) if reached(point))
        return None


def _between(below: int, above: int) -> list[int]:
    """Sizes between two neighbours in equal steps, of whole numbers.

    >>> _between(0, 3), len(_between(1000, 1200))
    ([1, 2], 15)
    """
    return sorted({below + (above - below) * k // FINE for k in range(1, FINE)} - {below, above})
