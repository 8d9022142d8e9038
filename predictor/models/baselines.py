"""The baselines that are always shown: mean, log N, log N + log H, nearest run.

They know the target set's level like the models do, so that skill over them is not skill at knowing the level.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from predictor.errors import FitError
from predictor.models.base import Row, family, feature_matrix, named, usable
from predictor.models.features import reported
from predictor.models.linear import fit_linear

NEAREST_FEATURES = ("log n_samples", "log n_classes", "left_skew@5", "mean_log_count", "log image_steps")


@family("mean", baseline=True)
def mean(rows: Sequence[Row]) -> dict[str, Any]:
    """The mean of the target set."""
    return fit_linear(rows, (), shrink=False)


@family("log_n", baseline=True)
def log_n(rows: Sequence[Row]) -> dict[str, Any]:
    """Number of images alone."""
    return fit_linear(rows, ("log n_samples",), shrink=False, strict=True)


@family("log_n_log_h", baseline=True)
def log_n_log_h(rows: Sequence[Row]) -> dict[str, Any]:
    """Number of images and number of classes."""
    return fit_linear(rows, ("log n_samples", "log n_classes"), shrink=False, strict=True)


@family("nearest", baseline=True)
def nearest(rows: Sequence[Row]) -> dict[str, Any]:
    """The configuration that is nearest in size, classes, skew and tail."""
    unknown = all(row.case.distribution is None for row in rows)
    names = reported(rows) if unknown else usable(rows, NEAREST_FEATURES)
    if not names:
        raise FitError("family nearest finds no indicator that every run has and that varies")
    values = feature_matrix(rows, names)
    ids, index = named([row.configuration_id for row in rows])
    runs_of = np.split(np.argsort(index, kind="stable"), np.cumsum(np.bincount(index))[:-1])
    # one point for each configuration and level: a configuration names its target set, so the level is its own
    points, accuracies, owners, labels = [], [], [], []
    for name, own in zip(ids, runs_of, strict=True):
        points.append(values[own].mean(axis=0).tolist())
        accuracies.append(float(np.mean([rows[i].value for i in own])))
        owners.append(rows[own[0]].case.level)
        labels.append(name)
    return {
        "kind": "nearest",
        "features": names,
        "scale": values.std(axis=0).tolist(),
        "points": points,
        "values": accuracies,
        "owners": owners,
        "names": labels,
    }
