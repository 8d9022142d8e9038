"""What the generic families learn from: indicators and the recipe, and the direction that each should push."""

from __future__ import annotations

from collections.abc import Sequence

from predictor.errors import PredictorError
from predictor.indicators import known
from predictor.models.base import feature_matrix, usable
from predictor.models.rows import Row

FEATURES = (
    "mean_log_count", "log n_classes", "log n_samples", "power_difficulty@0.5", "left_skew@5", "gini",
    "log1p n_other_classes", "log image_steps", "log passes",
)  # fmt: skip
RECIPE_DIRECTIONS = {"image_steps": 1, "passes": 0}
OPEN = ("n_classes", "n_samples")  # at a fixed number of images per class, more of other classes may help or hurt
WIDE = 20.0  # a reported column enters by its log where its largest value is so many times its smallest


def features_of(rows: Sequence[Row]) -> list[str]:
    """The features that every row has and that differ; all reported columns where no class counts are known."""
    if any(row.case.distribution is not None for row in rows):
        return usable(rows, FEATURES)
    return reported(rows)


def reported(rows: Sequence[Row]) -> list[str]:
    """Every column that all rows report and that differs: by its log where it is positive and its range is wide."""
    columns = sorted({name for row in rows for name in row.case.indicators})
    names = usable(rows, columns)
    made = []
    for name, column in zip(names, feature_matrix(rows, names).T, strict=True):
        made.append(f"log {name}" if column.min() > 0 and column.max() >= WIDE * column.min() else name)
    return made


def direction(feature: str) -> int:
    """+1, -1 or 0 (open): what more of the feature should do.

    >>> direction("log image_steps"), direction("gini"), direction("log n_classes")
    (1, -1, 0)
    """
    name = feature.rpartition(" ")[2]
    if name in OPEN:
        return 0
    if name in RECIPE_DIRECTIONS:
        return RECIPE_DIRECTIONS[name]
    try:
        return known(name).direction
    except PredictorError:  # of a reported table, not computed here
        return 0
