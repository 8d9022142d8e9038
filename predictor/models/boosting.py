"""Monotone gradient boosting: small trees on what a regression leaves, in the directions that indicators expect.

eta = class-wise curve + sum of trees; each tree is monotone in every indicator whose direction is known, so that no
correction learnt from few runs says that more images of every class hurt. scikit-learn grows the trees; they are stored
as lists of numbers and walked with numpy alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictor.models.base import Floats, family, finite
from predictor.models.case import Case
from predictor.models.corrections import correction
from predictor.models.evaluate import Model, evaluator, feature_values
from predictor.models.features import direction
from predictor.models.links import moved
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


@dataclass(frozen=True, eq=False)
class Boosted:
    """Trees as arrays, and the regression that they correct.

    feature, left, right : (trees, nodes) numbers of columns and nodes; a leaf has no feature: -1
    threshold, value : (trees, nodes)
    """

    base: Model
    features: tuple[str, ...]
    start: float
    feature: NDArray[np.int64]
    threshold: Floats
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    value: Floats

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> Boosted:
        """What `boosting` made, as arrays."""
        trees = parameters["trees"]
        nodes = max((len(tree["feature"]) for tree in trees), default=0)

        def table(key: str) -> NDArray[Any]:
            return np.array([[*tree[key], *[-1] * (nodes - len(tree[key]))] for tree in trees])

        return cls(
            Model(parameters["base"]), tuple(parameters["tree_features"]), float(parameters["start"]),
            *(table(key) for key in ("feature", "threshold", "left", "right", "value")),
        )  # fmt: skip

    def total(self, values: Floats) -> Floats:
        """(n,) sum of the leaves that each row falls into: left where its feature is at most the threshold."""
        if not len(self.feature):
            return np.zeros(len(values))
        every, tree = np.arange(len(values))[:, None], np.arange(len(self.feature))
        node = np.zeros((len(values), len(tree)), dtype=np.int64)
        for _ in range(self.feature.shape[1]):  # one level of all trees at a time
            feature = self.feature[tree, node]
            if not (feature >= 0).any():
                break
            goes_left = values[every, np.maximum(feature, 0)] <= self.threshold[tree, node]
            child = np.where(goes_left, self.left[tree, node], self.right[tree, node])
            node = np.where(feature >= 0, child, node)
        return self.value[tree, node].sum(axis=1)


@evaluator("boosted", ready=Boosted.of)
def evaluate_boosting(model: Boosted, cases: Sequence[Case], clip: bool) -> Floats:
    """The regression below, moved on its scale by the sum of the trees."""
    values = feature_values(cases, model.features)
    by = np.where(np.isnan(values).any(axis=1), np.nan, model.start + model.total(values))
    return moved(model.base.evaluate(cases, clip=clip), np.array([case.chance for case in cases]), by)
