"""The nearest run: a baseline, and the evidence that is shown beside every prediction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictor.errors import FitError
from predictor.models.base import Floats, family, feature_matrix, usable
from predictor.models.case import Case
from predictor.models.evaluate import evaluator, feature_values
from predictor.models.features import reported
from predictor.models.rows import Row, Sample
from predictor.statistics.ties import first_least, tied

NEAREST_FEATURES = ("log n_samples", "log n_classes", "left_skew@5", "mean_log_count", "log image_steps")


@family("nearest", baseline=True)
def nearest(rows: Sequence[Row]) -> dict[str, Any]:
    """The configuration that is nearest in size, classes, skew and tail."""
    rows = Sample.of(rows)
    unknown = all(row.case.distribution is None for row in rows)
    names = reported(rows) if unknown else usable(rows, NEAREST_FEATURES)
    if not names:
        raise FitError("family nearest finds no indicator that every run has and that varies")
    values = feature_matrix(rows, names)
    # one point for each configuration and level: a configuration names its target set, so the level is its own
    ids, first, index = rows.labelled("configuration")
    seeds = np.bincount(index)
    points = np.column_stack([np.bincount(index, weights=column) / seeds for column in values.T])
    return {
        "kind": "nearest",
        "features": names,
        "scale": values.std(axis=0).tolist(),
        "points": points.tolist(),
        "values": (np.bincount(index, weights=rows.values) / seeds).tolist(),
        "owners": [rows[i].case.level for i in first.tolist()],
        "names": ids,
    }


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Configurations as points.

    points : (m, p); scale : (p,) standard deviations; values : (m,) their accuracies
    numbers : {target set and recipe: its number}; owner : (m,) that of each point, -1 of none
    names, levels : (m,) ids of the configurations, and keys of their levels
    """

    features: tuple[str, ...]
    points: Floats
    scale: Floats
    values: Floats
    numbers: Mapping[str, int]
    owner: NDArray[np.int64]
    names: tuple[str, ...]
    levels: tuple[str, ...]

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> Neighbours:
        """What `nearest` made, as arrays."""
        owners = parameters["owners"]
        numbers = {name: i for i, name in enumerate(owners) if name is not None}
        points = np.array(parameters["points"], dtype=np.float64).reshape(len(owners), -1)
        return cls(
            features=tuple(parameters["features"]), points=points, scale=np.array(parameters["scale"]),
            values=np.array(parameters["values"]), numbers=numbers,
            owner=np.array([numbers.get(name, -1) for name in owners], dtype=np.int64),
            names=tuple(parameters["names"]), levels=tuple(owners),
        )  # fmt: skip

    def index(self, cases: Sequence[Case]) -> list[int]:
        """Index of the nearest configuration of each case; -1 where the case lacks a feature."""
        distance = self._distances(cases)
        known = np.isfinite(distance).any(axis=1)
        return np.where(known, first_least(distance, of=1.0), -1).tolist()

    def several(self, case: Case, n: int) -> list[tuple[int, float]]:
        """(index, distance in standard deviations) of the n nearest; [] where the case lacks a feature."""
        distance = self._distances([case])[0]
        order = np.argsort(tied(distance, of=1.0), kind="stable")[:n]
        return [(int(i), float(np.sqrt(distance[i]))) for i in order if np.isfinite(distance[i])]

    def _distances(self, cases: Sequence[Case]) -> Floats:
        """(n, m) squares; infinite to other target sets than a case's own, where that is known."""
        here = feature_values(cases, self.features)
        distance = np.zeros((len(cases), len(self.points)))
        for own, point, scale in zip(here.T, self.points.T, self.scale, strict=True):
            distance += np.square((point - own[:, None]) / scale)
        if all(case.level is None for case in cases):
            return distance
        level = np.array([self.numbers.get(case.level, -1) if case.level is not None else -1 for case in cases])
        distance[(level[:, None] >= 0) & (level[:, None] != self.owner)] = np.inf
        return distance


@evaluator("nearest", ready=Neighbours.of)
def evaluate_nearest(model: Neighbours, cases: Sequence[Case], clip: bool) -> Floats:
    """Accuracy of the nearest run, of the same target set where it is known."""
    return np.array([model.values[index] if index >= 0 else np.nan for index in model.index(cases)])
