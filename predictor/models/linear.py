"""A linear model on the chance-corrected logit scale, with a partly pooled level for every target set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from predictor.errors import FitError
from predictor.models.base import Floats, family, feature_matrix, require_features, usable
from predictor.models.case import SPREADS, Case
from predictor.models.evaluate import evaluator, feature_values
from predictor.models.features import reported
from predictor.models.links import expit
from predictor.models.pooled import Pooled, pooled_runs
from predictor.models.rows import Row

# Never all of log N, log H and log V: they are one equation (N = H V).
FEATURES = (
    "mean_log_count", "log n_classes", "power_difficulty@0.5", "left_skew@5", "log image_steps", "log passes",
    *SPREADS,
)  # fmt: skip
VARYING = ("mean_log_count", "power_difficulty@0.5")  # slopes that differ between target sets
# Runs of which only indicators were published have none of the class counts behind `mean_log_count`.
REPORTED_FEATURES = ("log n_samples", "log n_classes", "left_skew@5", "long_tail@100", "long_tail@500")


def fit_linear(
    rows: Sequence[Row], features: Sequence[str], *, shrink: bool, strict: bool = False, varying: Sequence[str] = ()
) -> dict[str, Any]:
    """Parameters of kind 'linear'. Features that do not vary are left out; strict: a missing one is an error."""
    if strict:
        require_features(rows, features, "linear")
    names = usable(rows, features)
    return pooled_runs(names, feature_matrix(rows, names), rows, varying=varying, shrink=shrink)


@family("linear")
def linear(rows: Sequence[Row]) -> dict[str, Any]:
    """Shrunken linear model of a few indicators on the chance-corrected logit scale."""
    features = usable(rows, FEATURES)
    if all(row.case.distribution is None for row in rows):
        features = reported(rows)
    elif not {"mean_log_count", "power_difficulty@0.5"} & set(features):
        features = usable(rows, REPORTED_FEATURES)
    if not features:
        raise FitError("family linear finds no indicator that every run has and that varies")
    return fit_linear(rows, features, shrink=True, varying=VARYING)


@evaluator("linear", ready=Pooled.of)
def evaluate_linear(model: Pooled, cases: Sequence[Case], clip: bool) -> Floats:
    """p = 1/C + (1 - 1/C) sigmoid(eta), eta linear in the features."""
    return linear_in(model, cases, feature_values(cases, model.features), clip)


def linear_in(model: Pooled, cases: Sequence[Case], values: Floats, clip: bool) -> Floats:
    """(n,) accuracies from the values (n, p) of the features."""
    intercepts, slopes = model.own(cases)
    eta = intercepts + np.sum(model.standardised(values, clip) * slopes, axis=1)
    chance = np.array([case.chance for case in cases])
    return chance + (1 - chance) * expit(eta)
