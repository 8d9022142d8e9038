"""Outcomes that are no accuracy: a declared scale makes them shares, on which everything else works.

share = expit((g(y) - center) / (WIDTH spread)),  g = log or identity

so that a logit of a share is linear in g(y). An accuracy is its own share. Center and spread are only the unit: the
runs' mean and standard deviation of g(y); with twice the spread a share stays where the logistic curve is nearly
straight. More is better on every scale but `loss`, whose shares are turned round.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from predictor.errors import FitError
from predictor.models.case import Floats
from predictor.models.links import expit, logit
from predictor.statistics.outcome_scales import KNOWN, LOGS, SHARES, direction, impossible, needed
from predictor.statistics.ties import varies

WIDTH = 2.0  # of a standard deviation: one unit of a logit


@dataclass(frozen=True)
class Scale:
    """A declared outcome scale, and the unit of its logits.

    >>> scale = Scale.of("log", [1.0, 10.0, 100.0])
    >>> scale.shares([10.0]).tolist(), scale.values(scale.shares([1.0, 100.0])).round(6).tolist()
    ([0.5], [1.0, 100.0])
    """

    name: str = "accuracy"
    center: float = 0.0
    spread: float = 1.0

    @classmethod
    def of(cls, name: str, values: Sequence[float]) -> Scale:
        """The scale of these values.

        Raises FitError for a scale that is not known and for values that it cannot hold.
        """
        if name not in KNOWN:
            raise FitError(f"unknown outcome scale {name!r}; known: {', '.join(KNOWN)}")
        y = np.asarray(values, dtype=np.float64)
        bad = y[impossible(name, y)]
        if len(bad):
            found = f"{len(bad)} values that scale {name!r} cannot hold (first: {bad[0]:g})"
            raise FitError(f"{found}; needed: {needed(name)}")
        if name in SHARES:
            return cls(name)
        g = np.log(y) if name in LOGS else y
        return cls(name, float(g.mean()), float(g.std()) if varies(y) else 1.0)

    @property
    def is_share(self) -> bool:
        """Values are fractions: printed as per cent, errors as points."""
        return self.name in SHARES

    @property
    def _unit(self) -> float:
        return direction(self.name) * WIDTH * self.spread

    @property
    def logs(self) -> float:
        """How far the logarithm of a loss falls, or of a positive number rises, as its logit rises by one; else 1."""
        return WIDTH * self.spread if self.name in LOGS else 1.0

    def interval(self, low: Floats, high: Floats) -> tuple[Floats, Floats]:
        """(low, high) of shares -> of values, in their order."""
        first, second = self.values(low), self.values(high)
        return np.minimum(first, second), np.maximum(first, second)

    def shares(self, values: Sequence[float] | Floats) -> Floats:
        """(n,) values -> shares in (0, 1)."""
        y = np.asarray(values, dtype=np.float64)
        if self.is_share:
            return y
        return expit(((np.log(y) if self.name in LOGS else y) - self.center) / self._unit)

    def values(self, shares: Floats | float) -> Floats:
        """(n,) shares -> values in the outcome's own unit."""
        p = np.asarray(shares, dtype=np.float64)
        if self.is_share:
            return p
        g = self.center + self._unit * logit(p)
        return np.exp(g) if self.name in LOGS else np.asarray(g)

    def slopes(self, shares: Sequence[float] | Floats) -> Floats:
        """(n,) how far a value moves when the logit of its share moves by one: errors of logits in the outcome's unit.

        >>> ACCURACY.slopes([0.5, 0.01]).round(4).tolist()
        [0.25, 0.0099]
        """
        p = np.asarray(shares, dtype=np.float64)
        if self.is_share:
            return p * (1 - p)
        return abs(self._unit) * (self.values(p) if self.name in LOGS else np.ones_like(p))

    def plain(self) -> dict[str, Any]:
        """Plain data for a fit."""
        return asdict(self)


ACCURACY = Scale()
