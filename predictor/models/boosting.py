"""Monotone gradient boosting: small trees on what a regression leaves, in the directions that indicators expect.

eta = class-wise curve + sum of trees; each tree is monotone in every indicator whose direction is known, so that no
correction learnt from few runs says that more images of every class hurt. scikit-learn grows the trees; they are stored
as lists of numbers, and `predictor.models.evaluate` walks them with numpy alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from predictor.models.base import Floats, family, finite
from predictor.models.corrections import correction
from predictor.models.features import direction
from predictor.models.rows import Row

FEWEST = 30  # configurations: below, a tree of two splits has leaves of a few runs
TREES, RATE, LEAVES, RIDGE = 20, 0.25, 8, 1.0


@family("boosting")
def boosting(rows: Sequence[Row]) -> dict[str, Any]:
    """Class-wise curve corrected by small monotone trees (gradient boosting)."""
    left = correction(rows, "boosting", fewest=FEWEST)
    trees, start = _grow(left.x, left.working, left.weight, [direction(name) for name in left.names])
    return {
        "kind": "boosted",
        "features": left.features,
        "tree_features": left.names,
        "base": left.base,
        "start": finite(start),
        "trees": trees,
    }


def _grow(x: Floats, y: Floats, weight: Floats, directions: Sequence[int]) -> tuple[list[dict[str, Any]], float]:
    """Trees as plain lists, and the constant that they are added to."""
    from sklearn import config_context
    from sklearn.ensemble import HistGradientBoostingRegressor

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
    # more threads cost more than they bring on a few hundred rows, and change the last bits
    with _threads().limit(limits=1), config_context(assume_finite=True, skip_parameter_validation=True):
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


@cache
def _threads() -> Any:
    """What limits the threads of the libraries that are loaded: to find them takes longer than to grow the trees."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
