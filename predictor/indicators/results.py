"""Indicators of several manifests, as one result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from predictor.distribution import LabelDistribution
from predictor.indicators.registry import IndicatorValue
from predictor.results import Result


@dataclass(frozen=True, eq=False, repr=False)
class Indicators(Result):
    """Indicators of one or more manifests.

    values : {manifest: {indicator: its value, or why it has none}}
    distributions : {manifest: label distribution}
    """

    values: Mapping[str, Mapping[str, IndicatorValue]]
    distributions: Mapping[str, LabelDistribution]
    shown_by: ClassVar[str] = "comparison"

    def __repr__(self) -> str:
        n = len(next(iter(self.values.values()), {}))
        return f"<Indicators: {n} of {', '.join(self.values)}>"
