"""What a regression leaves: the part of an outcome that boosting learns, and the regression itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from predictor.errors import FitError
from predictor.models.base import Floats, families, feature_matrix, fitted
from predictor.models.evaluate import evaluate
from predictor.models.features import features_of
from predictor.models.rows import Row, Sample

BELOW = ("classwise", "elastic_net", "linear")


@dataclass(frozen=True, eq=False)
class Correction:
    """Configurations, and how far each lies from the regression below.

    base : its parameters: the class-wise curve; an elastic net where class counts are not known
    x : (n, p) the features `names`
    working : (n,) measured - predicted, in logits of the chance-corrected accuracy (one step of Fisher scoring)
    weight : (n,) binomial information of each
    """

    base: dict[str, Any]
    names: list[str]
    x: Floats
    working: Floats
    weight: Floats

    @property
    def features(self) -> list[str]:
        """Features of the correction and of the regression below."""
        return [*self.names, *(name for name in self.base["features"] if name not in self.names)]


def correction(rows: Sequence[Row], family_name: str, *, fewest: int) -> Correction:
    """Seeds averaged, the regression below fitted, and what it leaves.

    Raises FitError for fewer configurations than the family takes, and where no indicator varies.
    """
    rows = Sample.of(rows)
    _, first, index = rows.labelled("configuration, level")
    if len(first) < fewest:
        raise FitError(f"family {family_name} needs {fewest} configurations; found {len(first)}")
    names = features_of(rows)
    if not names:
        raise FitError(f"family {family_name} finds no indicator that every run has and that varies")
    base = below(rows)
    measured = np.bincount(index, weights=rows.values) / np.bincount(index)
    chance = rows.chance[first]
    p = np.clip(evaluate(base, [rows[i].case for i in first.tolist()]), chance + 0.01, 0.99)
    slope = (p - chance) * (1 - p) / (1 - chance)  # dp / deta
    working, weight = np.clip((measured - p) / slope, -3, 3), slope**2 / (p * (1 - p))
    return Correction(base, names, feature_matrix(rows, names)[first], working, weight)


def below(rows: Sequence[Row]) -> dict[str, Any]:
    """The first regression that these runs can feed: by class counts, by indicators, by a few of them."""
    known = families()
    for name in BELOW[:-1]:
        try:
            return fitted(known[name], rows)
        except FitError:  # no class counts, or too few configurations
            continue
    return fitted(known[BELOW[-1]], rows)
