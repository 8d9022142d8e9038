"""Monotone gradient boosting: small trees on what a regression leaves, in the directions that indicators expect.

eta = class-wise curve + sum of trees; each tree is monotone in every indicator whose direction is known, so that no
correction learnt from few runs says that more images of every class hurt. scikit-learn grows the trees; they are stored
as lists of numbers and walked with numpy alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictor.models.base import Floats, family, finite
from predictor.models.case import Case
from predictor.models.corrections import correction
from predictor.models.evaluate import ReadyModel, evaluator, feature_values
from predictor.models.features import direction
from predictor.models.links import moved
from predictor.models.rows import Indices, Row
from predictor.statistics.ties import tied

FEWEST = 30  # configurations: below, a tree of two splits has leaves of a few runs
TREES, RATE, LEAVES = 20, 0.25, 8
DEEP_TREES, DEEP_RATE, DEEP_LEAVES = (
    150,
    0.1,
    12,
)  # where no direction is known nothing else keeps trees from small steps
LIGHTEST = 0.01  # share of the weight below which no leaf is made
STEPS, WEIGHT_STEPS = 2.0**20, 2.0**8  # residuals are multiples of 1 / STEPS logits, weights of 1 / WEIGHT_STEPS


@family("boosting")
def boosting(rows: Sequence[Row]) -> dict[str, Any]:
    """Class-wise curve corrected by small monotone trees (gradient boosting)."""
    left = correction(rows, "boosting", fewest=FEWEST)
    directions = [direction(name) for name in left.names]
    size = (TREES, RATE, LEAVES) if any(directions) else (DEEP_TREES, DEEP_RATE, DEEP_LEAVES)
    trees, start = _grow(left.x, left.working, left.weight, directions, *size)
    return {
        "kind": "boosted",
        "features": left.features,
        "tree_features": left.names,
        "base": left.base,
        "start": finite(start),
        "trees": trees,
    }


def _grow(
    x: Floats,
    y: Floats,
    weight: Floats,
    directions: Sequence[int],
    n_trees: int = TREES,
    rate: float = RATE,
    leaves: int = LEAVES,
) -> tuple[list[dict[str, Any]], float]:
    """Trees as plain lists, and the constant that they are added to.

    Two features often part the runs in the same way, and last bits differ between processors. So trees see what last
    bits cannot change: the order of the runs, and residuals and weights on grids, whose sums are exact in any order.
    Splits that are as good are as good to the last bit, and the same one is taken everywhere.
    """
    from sklearn import config_context
    from sklearn.tree import DecisionTreeRegressor

    codes, cuts = zip(*(_ranks(column) for column in x.T), strict=True)
    order = np.column_stack(codes).astype(np.float32)
    weight = np.maximum(np.rint(weight / weight.mean() * WEIGHT_STEPS), 1.0)
    start = float(np.average(y, weights=weight))
    left = y - start
    model = DecisionTreeRegressor(
        max_leaf_nodes=leaves,
        min_samples_leaf=max(5, len(y) // 25),
        min_weight_fraction_leaf=LIGHTEST,
        monotonic_cst=list(directions),
        random_state=0,  # which of two equal splits is taken
    )
    trees = []
    with config_context(assume_finite=True, skip_parameter_validation=True):
        for _ in range(n_trees):
            target = np.rint(left * STEPS) / STEPS
            grown = model.fit(order, target, sample_weight=weight, check_input=False).tree_
            if grown.node_count == 1:
                break
            value = rate * grown.value[:, 0, 0]
            left -= value[grown.apply(order)]
            trees.append(_plain(grown, cuts, value))
    return trees, start


def _ranks(values: Floats) -> tuple[Indices, Floats]:
    """(n,) position of each value among the distinct ones, and where to cut between two of these.

    Values that only last digits tell apart are one. A cut lies a hair beyond the middle, on which values do fall.

    >>> _ranks(np.array([3.0, 1.0, 1.0 + 1e-13]))
    (array([1, 0, 0]), array([2.0000002]))
    """
    order = np.argsort(values, kind="stable")
    own = values[order]
    new = np.diff(tied(own)) > 0
    rank = np.empty(len(values), dtype=np.int64)
    rank[order] = np.append(0, np.cumsum(new))
    low, high = own[:-1][new], own[1:][new]
    return rank, low + (0.5 + 1e-7) * (high - low)


def _plain(tree: Any, cuts: Sequence[Floats], value: Floats) -> dict[str, Any]:
    """A tree over ranks as lists over values."""
    leaf = tree.children_left < 0
    feature, cut = np.where(leaf, -1, tree.feature), np.where(leaf, 0, tree.threshold).astype(np.int64)
    return {
        "feature": feature.tolist(),
        "threshold": [float(cuts[j][k]) if j >= 0 else 0.0 for j, k in zip(feature, cut, strict=True)],
        "left": np.where(leaf, 0, tree.children_left).tolist(),
        "right": np.where(leaf, 0, tree.children_right).tolist(),
        "value": np.where(leaf, value, 0.0).tolist(),
    }


@dataclass(frozen=True, eq=False)
class Boosted:
    """Trees as arrays, and the regression that they correct.

    feature, left, right : (trees, nodes) numbers of columns and nodes; a leaf has no feature: -1
    threshold, value : (trees, nodes)
    """

    base: ReadyModel
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
            ReadyModel(parameters["base"]), tuple(parameters["tree_features"]), float(parameters["start"]),
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
