"""What the generic families learn from: indicators and the recipe, and the direction that each should push."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from predictor.errors import PredictorError
from predictor.indicators import known
from predictor.models.base import Floats, feature_matrix, usable
from predictor.models.case import SPREADS, base_of
from predictor.models.rows import Row

FEATURES = (
    "mean_log_count", "log n_classes", "log n_samples", "power_difficulty@0.5", "left_skew@5", "gini",
    "log1p n_other_classes", "log image_steps", "log passes", *SPREADS,
)  # fmt: skip
RECIPE_DIRECTIONS = {"image_steps": 1, "passes": 0}
OPEN = ("n_classes", "n_samples")  # at a fixed number of images per class, more of other classes may help or hurt
ROWS, CLOSE = 2, 1e-4  # rows a column that a sum of 1 must hold in; how close
WIDE = 20.0  # a reported column enters by its log where its largest value is so many times its smallest


def features_of(rows: Sequence[Row]) -> list[str]:
    """The features that every row has and that differ; all reported columns where no class counts are known."""
    if any(row.case.distribution is not None for row in rows):
        return usable(rows, FEATURES)
    return reported(rows)


def reported(rows: Sequence[Row]) -> list[str]:
    """Every column that all rows report and that differs: by its log where it is positive and its range is wide.

    Shares of a whole stay as they are.
    """
    columns = sorted({name for row in rows for name in row.case.indicators})
    names = usable(rows, columns)
    values = feature_matrix(rows, names)
    is_share = shares(values)
    made = []
    for name, column, share in zip(names, values.T, is_share, strict=True):
        wide = column.min() > 0 and column.max() >= WIDE * column.min()
        made.append(f"log {name}" if wide and not share else name)
    return made


def shares(values: Floats) -> NDArray[np.bool_]:
    """(p,) which columns are shares of a whole: of numbers from 0 to 1, those that enter a sum that is always 1.

    >>> shares(np.array([[0.2, 0.8, 3.0], [0.5, 0.5, 1.0], [0.3, 0.7, 2.0], [0.9, 0.1, 9.0]])).tolist()
    [True, True, False]
    """
    found = np.zeros(values.shape[1], dtype=bool)
    within = np.flatnonzero((values >= 0).all(axis=0) & (values <= 1).all(axis=0)) if len(values) else np.empty(0, int)
    if len(within) < 2 or len(values) < ROWS * len(within):
        return found
    weights, *_ = np.linalg.lstsq(values[:, within], np.ones(len(values)), rcond=None)
    if np.abs(values[:, within] @ weights - 1).max() < CLOSE:
        found[within[np.abs(weights) > CLOSE]] = True
    return found


def direction(feature: str) -> int:
    """+1, -1 or 0 (open): what more of the feature should do.

    >>> direction("log image_steps"), direction("gini"), direction("log n_classes")
    (1, -1, 0)
    """
    name = base_of(feature)
    if name in OPEN:
        return 0
    if name in SPREADS:  # towards the test, where every class counts as much
        return 1
    if name in RECIPE_DIRECTIONS:
        return RECIPE_DIRECTIONS[name]
    try:
        return known(name).direction
    except PredictorError:  # of a reported table, not computed here
        return 0
