"""Monotone gradient boosting: small trees on what the linear model leaves, in the directions that indicators expect.

eta = linear model + sum of trees; each tree is monotone in every indicator whose direction is known, so that no
correction learnt from few runs says that more images of every class hurt. scikit-learn grows the trees; they are stored
as lists of numbers, and `predictor.inference.evaluate` walks them with numpy alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from predictor.errors import FitError, PredictorError
from predictor.indicators import known
from predictor.inference.evaluate import evaluate
from predictor.models.base import Floats, Row, families, family, feature_matrix, finite, usable

FEATURES = (
    "mean_log_count", "log n_classes", "log n_samples", "power_difficulty@0.5", "left_skew@5", "gini",
    "log1p n_other_classes", "log image_steps", "log passes",
)  # fmt: skip
RECIPE_DIRECTIONS = {"image_steps": 1, "passes": 0}
OPEN = ("n_classes", "n_samples")  # at a fixed number of images per class, more of other classes may help or hurt
FEWEST = 30  # configurations: below, a tree of two splits has leaves of a few runs
TREES, RATE, LEAVES, RIDGE = 40, 0.12, 4, 1.0


@family("boosting")
def boosting(rows: Sequence[Row]) -> dict[str, Any]:
    """Linear model corrected by small monotone trees (gradient boosting)."""
    ids, first, index = np.unique(
        [f"{row.configuration_id} {row.case.level}" for row in rows], return_index=True, return_inverse=True
    )
    if len(ids) < FEWEST:
        raise FitError(f"family boosting needs {FEWEST} configurations; found {len(ids)}")
    names = usable(rows, FEATURES)
    if not names:
        raise FitError("family boosting finds no indicator that every run has and that varies")
    base = families()["linear"].fit(rows)
    own = [rows[i] for i in first]
    measured = np.bincount(index, weights=[row.value for row in rows]) / np.bincount(index)
    chance = np.array([row.case.chance for row in own])
    p = np.clip(evaluate(base, [row.case for row in own]), chance + 0.01, 0.99)
    slope = (p - chance) * (1 - p) / (1 - chance)  # dp / deta
    working, weight = np.clip((measured - p) / slope, -3, 3), slope**2 / (p * (1 - p))
    trees, start = _grow(feature_matrix(own, names), working, weight, [direction(name) for name in names])
    return {
        "kind": "boosted",
        "features": [*names, *(name for name in base["features"] if name not in names)],
        "tree_features": names,
        "base": base,
        "start": finite(start),
        "trees": trees,
    }


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


def _grow(x: Floats, y: Floats, weight: Floats, directions: Sequence[int]) -> tuple[list[dict[str, Any]], float]:
    """Trees as plain lists, and the constant that they are added to."""
    from sklearn.ensemble import HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits

    model = HistGradientBoostingRegressor(
        max_iter=TREES,
        learning_rate=RATE,
        max_leaf_nodes=LEAVES,
        min_samples_leaf=max(5, len(y) // 25),
        l2_regularization=RIDGE * float(weight.mean()),
        monotonic_cst=list(directions),
        early_stopping=False,
        random_state=0,
    )
    with threadpool_limits(1):  # threads cost more than they bring on a few hundred rows, and change the last bits
        model.fit(x, y, sample_weight=weight / weight.mean())
    trees = []
    for (predictor,) in model._predictors:
        nodes = predictor.nodes
        if len(nodes) == 1:
            continue
        leaf = nodes["is_leaf"].astype(bool)
        trees.append(
            {
                "feature": np.where(leaf, -1, nodes["feature_idx"].astype(np.int64)).tolist(),
                "threshold": np.where(leaf, 0.0, nodes["num_threshold"]).tolist(),
                "left": np.where(leaf, 0, nodes["left"].astype(np.int64)).tolist(),
                "right": np.where(leaf, 0, nodes["right"].astype(np.int64)).tolist(),
                "value": np.where(leaf, nodes["value"], 0.0).tolist(),
            }
        )
    return trees, float(np.ravel(model._baseline_prediction)[0])
