"""The baselines that are always shown: mean, log N, log N + log H, nearest run.

They know the target set's level like the models do, so that skill over them is not skill at knowing the level.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from predictor.errors import FitError
from predictor.models.base import family, feature_matrix, usable
from predictor.models.features import reported
from predictor.models.linear import fit_linear
from predictor.models.rows import Row, Sample

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
