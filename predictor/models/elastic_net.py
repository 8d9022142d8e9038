"""Elastic net over indicators and their interactions, none of which may go against a known direction.

eta = a + s z,  z = sum of w_k t_k(u), w_k >= 0;  u: indicators on [0, 1], turned so that more is better

Terms are u_i; u_i u_j (both are needed); 1 - (1 - u_i)(1 - u_j) (either will do). Weights that are not negative keep
eta monotone in every indicator with a direction; one without enters as u and as 1 - u. The weights minimise squared
logits within target sets plus both penalties (Zou and Hastie 2005, Regularization and variable selection via the
elastic net), chosen by cross-validation over configurations; a and s are partly pooled over target sets and domains.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from predictor.errors import FitError
from predictor.models.base import Floats, family, feature_matrix, finite
from predictor.models.case import Case
from predictor.models.evaluate import evaluator, feature_values
from predictor.models.features import direction, features_of
from predictor.models.linear import evaluate_linear, linear_in
from predictor.models.links import logit
from predictor.models.pooled import Pooled, pooled_runs
from predictor.models.rows import Indices, Row, Sample
from predictor.statistics.ties import first_least, varies

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
    terms = Terms.of(net).values(values[first])
    weights = _weights(terms, measured, rows.chance[first], rows.labelled("level")[2][first])
    kept = np.flatnonzero(weights)
    net["terms"] = [net["terms"][k] for k in kept]
    net["weights"] = [finite(weights[k]) for k in kept]
    first, index = rows.replicates()
    z = (Terms.of(net).values(values[first]) @ np.array(net["weights"]))[index].reshape(-1, 1)
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
    best = penalties[int(first_least(np.mean(error, axis=0)))]
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


@dataclass(frozen=True, eq=False)
class Terms:
    """The terms of a net: indicators on [0, 1], and products of two of them.

    low, high : (p,) range of the indicators
    joins, first, last, flip_first, flip_last : (k,) of the terms: how they join, which two indicators (the same of a
        single one), and which of these enter as 1 - u
    """

    low: Floats
    high: Floats
    joins: np.ndarray
    first: Indices
    last: Indices
    flip_first: Indices
    flip_last: Indices

    @classmethod
    def of(cls, net: Mapping[str, Any]) -> Terms:
        """What `elastic_net` made, as arrays."""
        joins = np.array([term["join"] for term in net["terms"]])
        (first, flip_first), (last, flip_last) = (
            np.array([(term["of"][end], term["flip"][end]) for term in net["terms"]], dtype=np.int64).reshape(-1, 2).T
            for end in (0, -1)
        )
        return cls(np.array(net["low"]), np.array(net["high"]), joins, first, last, flip_first, flip_last)

    def values(self, values: Floats, clip: bool = False) -> Floats:
        """(n, k) terms of (n, p) indicators.

        Beyond the fitted range single indicators go on in a straight line, products stay where they were.

        >>> net = {"low": [0.0, 0.0], "high": [2.0, 2.0], "terms": [{"of": [0], "flip": [True], "join": "one"},
        ...        {"of": [0, 1], "flip": [False, False], "join": "both"},
        ...        {"of": [0, 1], "flip": [False, False], "join": "either"}]}
        >>> Terms.of(net).values(np.array([[1.0, 1.0]])).tolist()
        [[0.5, 0.25, 0.75]]
        """
        unit = (values - self.low) / (self.high - self.low)
        inside = np.clip(unit, 0.0, 1.0)
        unit = inside if clip else unit
        a = np.where(self.joins == "one", unit[:, self.first], inside[:, self.first])
        a = np.where(self.flip_first, 1 - a, a)
        b = np.where(self.flip_last, 1 - inside[:, self.last], inside[:, self.last])
        return np.where(self.joins == "one", a, np.where(self.joins == "either", 1 - (1 - a) * (1 - b), a * b))


@dataclass(frozen=True, eq=False)
class Net:
    """An elastic net, ready to be evaluated: the regression on one number, the weighted sum of the terms."""

    base: Pooled
    features: tuple[str, ...]
    terms: Terms
    weights: Floats

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> Net:
        """What `elastic_net` made, as arrays."""
        weights = np.array(parameters["weights"])
        return cls(Pooled.of(parameters["base"]), tuple(parameters["net_features"]), Terms.of(parameters), weights)


@evaluator("elastic_net", ready=Net.of)
def evaluate_elastic_net(model: Net, cases: Sequence[Case], clip: bool) -> Floats:
    """A linear model in one number: the weighted terms of the net."""
    values = feature_values(cases, model.features)
    if not model.base.features:
        return evaluate_linear(model.base, cases, clip)
    index = model.terms.values(values, clip) @ model.weights
    return linear_in(model.base, cases, index[:, None], clip)
