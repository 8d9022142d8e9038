"""Elastic net over indicators and their interactions, none of which may go against a known direction.

eta = a + s z,  z = sum of w_k t_k(u), w_k >= 0;  u: indicators on [0, 1], turned so that more is better

Terms are u_i; u_i u_j (both are needed); 1 - (1 - u_i)(1 - u_j) (either will do). Weights that are not negative keep
eta monotone in every indicator with a direction; one without enters as u and as 1 - u. The weights minimise squared
logits within target sets plus both penalties (Zou and Hastie 2005, Regularization and variable selection via the
elastic net), chosen by cross-validation over configurations; a and s are partly pooled over target sets and domains.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from predictor.errors import FitError
from predictor.models.base import Floats, family, feature_matrix, finite
from predictor.models.evaluate import net_terms
from predictor.models.features import direction, features_of
from predictor.models.links import logit
from predictor.models.pooled import pooled_runs
from predictor.models.rows import Indices, Row, Sample
from predictor.statistics.ties import varies

FEWEST = 30  # configurations
MIX, PENALTIES, SMALLEST, FOLDS = 0.5, 12, 1e-3, 4  # l1 share; penalties down to so much of the largest
INDEX = "index"  # name of z


@family("elastic_net")
def elastic_net(rows: Sequence[Row]) -> dict[str, Any]:
    """Elastic net of indicators and of the interactions that their directions allow."""
    rows = Sample.of(rows)
    _, first, index = rows.labelled("configuration, level")
    if len(first) < FEWEST:
        raise FitError(f"family elastic_net needs {FEWEST} configurations; found {len(first)}")
    names = features_of(rows)
    if not names:
        raise FitError("family elastic_net finds no indicator that every run has and that varies")
    values = feature_matrix(rows, names)
    net = {
        "net_features": names,
        "low": values.min(axis=0).tolist(),
        "high": values.max(axis=0).tolist(),
        "terms": _terms([direction(name) for name in names]),
    }
    measured = np.bincount(index, weights=rows.values) / np.bincount(index)
    terms = net_terms(net, values[first])
    weights = _weights(terms, measured, rows.chance[first], rows.labelled("level")[2][first])
    kept = np.flatnonzero(weights)
    net["terms"] = [net["terms"][k] for k in kept]
    net["weights"] = [finite(weights[k]) for k in kept]
    first, index = rows.replicates()
    z = (net_terms(net, values[first]) @ np.array(net["weights"]))[index].reshape(-1, 1)
    has_index = len(kept) > 0 and varies(z)
    index_values = z if has_index else np.empty((len(rows), 0))
    base = pooled_runs([INDEX] if has_index else [], index_values, rows, varying=(INDEX,), shrink=False)
    return {"kind": "elastic_net", "features": names, "base": base, **net}


def _terms(directions: Sequence[int]) -> list[dict[str, Any]]:
    """Every term over indicators of these directions: indicators `of`, which of them as 1 - u, how they `join`."""
    sides = [(False,) if sign > 0 else (True,) if sign < 0 else (False, True) for sign in directions]
    made = [{"of": [i], "flip": [side], "join": "one"} for i, own in enumerate(sides) for side in own]
    for i, j in combinations(range(len(directions)), 2):
        made += [{"of": [i, j], "flip": [a, b], "join": "both"} for a in sides[i] for b in sides[j]]
        if directions[i] and directions[j]:  # else it is a sum of the terms above
            made.append({"of": [i, j], "flip": [sides[i][0], sides[j][0]], "join": "either"})
    return made


def _weights(terms: Floats, measured: Floats, chance: Floats, level: Indices) -> Floats:
    """(k,) weights of the terms, none negative; level: (n,) target set and recipe of each configuration."""
    p = np.clip(measured, chance + 0.01, 0.99)
    weight = (p - chance) ** 2 * (1 - p) / ((1 - chance) ** 2 * p)  # binomial information on the logit scale
    weight = weight / weight.mean()
    x, y = _within(terms, weight, level), _within(logit((p - chance) / (1 - chance))[:, None], weight, level)[:, 0]
    fold = np.arange(len(y)) % FOLDS  # configurations stand in the order of their ids, which are digests
    rest = [_Squares.of(x[fold != k], y[fold != k], weight[fold != k]) for k in range(FOLDS)]
    everything = _Squares.of(x, y, weight)
    largest = max(float(everything.product.max()), 1e-12) / (len(y) * MIX)  # above it every weight is 0
    penalties = np.geomspace(largest, largest * SMALLEST, PENALTIES)
    error = [
        np.average((x[fold == k] @ own.path(penalties) - y[fold == k, None]) ** 2, axis=0, weights=weight[fold == k])
        for k, own in enumerate(rest)
    ]
    best = penalties[int(np.argmin(np.mean(error, axis=0)))]
    return everything.path(np.array([best]))[:, 0]


@dataclass(frozen=True, eq=False)
class _Squares:
    """A weighted least squares problem: x (n, k) and y (n,) times the roots of the weights, x'x and x'y."""

    x: Floats
    y: Floats
    gram: Floats
    product: Floats

    @classmethod
    def of(cls, x: Floats, y: Floats, weight: Floats) -> _Squares:
        root = np.sqrt(weight / weight.mean())
        x, y = np.asfortranarray(x * root[:, None]), y * root
        return cls(x, y, x.T @ x, x.T @ y)

    def path(self, penalties: Floats) -> Floats:
        """(k, penalties) coefficients, none negative, from the largest penalty to the smallest."""
        from sklearn import config_context
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import enet_path

        with (
            config_context(assume_finite=True, skip_parameter_validation=True),
            warnings.catch_warnings(action="ignore", category=ConvergenceWarning),  # of penalties too small to win
        ):
            _, found, _ = enet_path(
                self.x, self.y, l1_ratio=MIX, alphas=penalties, positive=True, tol=1e-3, precompute=self.gram,
                Xy=self.product, check_input=False,
            )  # fmt: skip
        return np.asarray(found)


def _within(values: Floats, weight: Floats, level: Indices) -> Floats:
    """(n, k) values less the weighted mean of their target set and recipe."""
    sums = np.zeros((int(level.max()) + 1, values.shape[1]))
    np.add.at(sums, level, values * weight[:, None])
    return values - (sums / np.bincount(level, weights=weight)[:, None])[level]
