"""Parameters + cases -> accuracies. One small function for each kind of parameters; numpy alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictor.errors import FitError
from predictor.models.case import CLASS_FEATURES, Case, Floats
from predictor.models.links import expit, logit

Parameters = Mapping[str, Any]
Evaluator = Callable[[Parameters, Sequence[Case], bool], Floats]


def evaluate(parameters: Parameters, cases: Sequence[Case], *, clip: bool = False) -> Floats:
    """(n,) predicted accuracies; nan where a case lacks what the model needs.

    clip : take features at the edge of the fitted range where they lie outside of it

    >>> mean = {"kind": "linear", "features": [], "center": [], "scale": [], "coefficients": [], "low": [],
    ...         "high": [], "intercept": 0.0, "levels": {}}
    >>> evaluate(mean, [Case(None, {}, chance=0.2)]).round(3).tolist()
    [0.6]
    """
    kind = parameters.get("kind")
    if kind not in EVALUATORS:
        raise FitError(
            f"unknown kind of parameters {kind!r}; known: {', '.join(sorted(EVALUATORS))}",
            remedy="Where the fit holds a family of your own, load what registers it: predictor --load FILE.py predict",
        )
    return EVALUATORS[kind](parameters, cases, clip)


def _own(parameters: Parameters, cases: Sequence[Case]) -> tuple[Floats, Floats]:
    """(n,) intercept and (n, p) slopes of each case: its target set's where known, its domain's, or all's."""
    shared = np.array(parameters["coefficients"], dtype=np.float64)
    levels, domains = parameters["levels"], parameters.get("domains", {})
    level_slopes, domain_slopes = parameters.get("level_slopes", {}), parameters.get("domain_slopes", {})
    places = {(case.level, case.domain): 0 for case in cases}  # few, of many cases
    intercepts = np.full(len(places), float(parameters["intercept"]))
    slopes = np.tile(shared, (len(places), 1))
    for i, (level, domain) in enumerate(places):
        places[level, domain] = i
        if level in levels:
            intercepts[i] += levels[level]
            if level_slopes:
                slopes[i] += level_slopes[level]
        elif domain in domains:
            intercepts[i] += domains[domain]
            if domain_slopes:
                slopes[i] += domain_slopes[domain]
    index = np.array([places[case.level, case.domain] for case in cases], dtype=np.int64)
    return intercepts[index], slopes[index]


def _standardised(parameters: Parameters, values: Floats, clip: bool) -> Floats:
    if clip:
        values = np.clip(values, np.array(parameters["low"]), np.array(parameters["high"]))
    return (values - np.array(parameters["center"])) / np.array(parameters["scale"])


def _linear(parameters: Parameters, cases: Sequence[Case], clip: bool) -> Floats:
    """p = 1/C + (1 - 1/C) sigmoid(eta), eta linear in the features."""
    return _linear_in(parameters, cases, _matrix(cases, parameters["features"]), clip)


def _linear_in(parameters: Parameters, cases: Sequence[Case], values: Floats, clip: bool) -> Floats:
    """(n,) accuracies from the values (n, p) of the features."""
    intercepts, slopes = _own(parameters, cases)
    eta = intercepts + np.sum(_standardised(parameters, values, clip) * slopes, axis=1)
    chance = np.array([case.chance for case in cases])
    return chance + (1 - chance) * expit(eta)


def class_logits(parameters: Parameters, cases: Sequence[Case], clip: bool = False) -> tuple[Floats, Floats]:
    """(eta, counts) of every target class of every case, one after the other, by a class-wise curve."""
    columns = [CLASS_FEATURES.index(name) for name in parameters["features"]]
    raw = np.concatenate([case.class_features() for case in cases])
    counts = np.concatenate([case.tested_counts for case in cases])
    values = np.where(np.isneginf(raw), 0.0, raw)[:, columns]
    owner = np.repeat(np.arange(len(cases)), [len(case.tested_counts) for case in cases])
    intercepts, slopes = _own(parameters, cases)
    return intercepts[owner] + np.sum(_standardised(parameters, values, clip) * slopes[owner], axis=1), counts


def _classwise(parameters: Parameters, cases: Sequence[Case], clip: bool) -> Floats:
    """Mean over the target classes of sigmoid(eta_c); a class without images is never predicted: 0."""
    sizes = np.array([len(case.tested_counts) for case in cases])
    result = np.full(len(cases), np.nan)
    if not sizes.sum():
        return result
    eta, counts = class_logits(parameters, cases, clip)
    owner = np.repeat(np.arange(len(cases)), sizes)
    p = np.where(counts > 0, expit(eta), 0.0)
    known = sizes > 0
    result[known] = np.bincount(owner, weights=p, minlength=len(cases))[known] / sizes[known]
    return result


def _boosted(parameters: Parameters, cases: Sequence[Case], clip: bool) -> Floats:
    """The regression below, moved on its scale by the sum of the trees."""
    values = _matrix(cases, parameters["tree_features"])
    total = float(parameters["start"]) + (
        _trees(parameters["trees"], values) if parameters["trees"] else np.zeros(len(cases))
    )
    return _moved(parameters["base"], cases, clip, np.where(np.isnan(values).any(axis=1), np.nan, total))


def net_terms(net: Mapping[str, Any], values: Floats, clip: bool = False) -> Floats:
    """(n, k) terms of an elastic net: indicators on [0, 1], and products of two of them.

    Beyond the fitted range single indicators go on in a straight line, products stay where they were.

    >>> net = {"low": [0.0, 0.0], "high": [2.0, 2.0], "terms": [{"of": [0], "flip": [True], "join": "one"},
    ...        {"of": [0, 1], "flip": [False, False], "join": "both"},
    ...        {"of": [0, 1], "flip": [False, False], "join": "either"}]}
    >>> net_terms(net, np.array([[1.0, 1.0]])).tolist()
    [[0.5, 0.25, 0.75]]
    """
    low, high = np.array(net["low"]), np.array(net["high"])
    unit = (values - low) / (high - low)
    inside = np.clip(unit, 0.0, 1.0)
    unit = inside if clip else unit
    joins = np.array([term["join"] for term in net["terms"]])
    (first, flip_first), (last, flip_last) = (
        np.array([(term["of"][end], term["flip"][end]) for term in net["terms"]], dtype=np.int64).reshape(-1, 2).T
        for end in (0, -1)
    )
    a = np.where(joins == "one", unit[:, first], inside[:, first])
    a, b = np.where(flip_first, 1 - a, a), np.where(flip_last, 1 - inside[:, last], inside[:, last])
    return np.where(joins == "one", a, np.where(joins == "either", 1 - (1 - a) * (1 - b), a * b))


def _elastic_net(parameters: Parameters, cases: Sequence[Case], clip: bool) -> Floats:
    """A linear model in one number: the weighted terms of the net."""
    values = _matrix(cases, parameters["net_features"])
    if not parameters["base"]["features"]:
        return _linear(parameters["base"], cases, clip)
    index = net_terms(parameters, values, clip) @ np.array(parameters["weights"])
    return _linear_in(parameters["base"], cases, index[:, None], clip)


def _gaussian_process(parameters: Parameters, cases: Sequence[Case], clip: bool) -> Floats:
    """The regression below, moved on its scale by the mean of the process."""
    values = _matrix(cases, parameters["gp_features"])
    lengths = np.array(parameters["lengths"])
    here = (values - np.array(parameters["center"])) / np.array(parameters["scale"]) / lengths
    points = np.array(parameters["points"]) / lengths
    squared = np.square(here[:, None, :] - points[None, :, :]).sum(axis=2)
    kernel = float(parameters["amplitude"]) * np.exp(-0.5 * squared)
    total = parameters["mean"] + np.sum(kernel * np.array(parameters["weights"]), axis=1)
    return _moved(parameters["base"], cases, clip, total)


def _matrix(cases: Sequence[Case], names: Sequence[str]) -> Floats:
    """(n, p) features; nan where a case lacks one."""
    return np.array([case.features(names) for case in cases]).reshape(len(cases), len(names))


def _moved(base: Parameters, cases: Sequence[Case], clip: bool, by: Floats) -> Floats:
    """A model's accuracies, moved by so many logits of the chance-corrected accuracy."""
    chance = np.array([case.chance for case in cases])
    share = (evaluate(base, cases, clip=clip) - chance) / (1 - chance)
    return chance + (1 - chance) * expit(logit(share) + by)


def _trees(trees: Sequence[Mapping[str, Sequence[float]]], values: Floats) -> Floats:
    """(n,) sum of the leaves that each row falls into: left where its feature is at most the threshold."""
    table = _tree_table(_Same(trees))
    nodes = table["feature"].shape[1]
    every, tree = np.arange(len(values))[:, None], np.arange(len(trees))
    node = np.zeros((len(values), len(trees)), dtype=np.int64)
    for _ in range(nodes):  # one level of all trees at a time
        feature = table["feature"][tree, node]
        if not (feature >= 0).any():
            break
        goes_left = values[every, np.maximum(feature, 0)] <= table["threshold"][tree, node]
        child = np.where(goes_left, table["left"][tree, node], table["right"][tree, node])
        node = np.where(feature >= 0, child, node)
    return table["value"][tree, node].sum(axis=1)


class _Same:
    """A list of a fit as a key: equal to itself alone, whatever it holds."""

    def __init__(self, it: Any) -> None:
        self.it = it

    def __hash__(self) -> int:
        return id(self.it)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.it is other.it


@lru_cache(maxsize=64)
def _tree_table(trees: _Same) -> dict[str, NDArray[Any]]:
    """{field: (trees, nodes)} of stored trees, made once for many manifests."""
    nodes = max(len(tree["feature"]) for tree in trees.it)
    return {
        key: np.array([[*tree[key], *[-1] * (nodes - len(tree[key]))] for tree in trees.it])
        for key in ("feature", "threshold", "left", "right", "value")
    }


@lru_cache(maxsize=64)
def _point_array(points: _Same) -> Floats:
    """(configurations, p) stored points, made once for many manifests."""
    return np.array(points.it, dtype=np.float64).reshape(len(points.it), -1)


@lru_cache(maxsize=64)
def _owner_array(owners: _Same) -> tuple[dict[str, int], NDArray[np.int64]]:
    """({target set and recipe: its number}, (configurations,) numbers; -1 of none), made once for many manifests."""
    number = {name: i for i, name in enumerate(owners.it) if name is not None}
    return number, np.array([number.get(name, -1) for name in owners.it], dtype=np.int64)


def _average(parameters: Parameters, cases: Sequence[Case], clip: bool) -> Floats:
    """Mean of several models in logits; nan where one of them cannot be evaluated."""
    return expit(np.mean([logit(evaluate(part, cases, clip=clip)) for part in parameters["parts"]], axis=0))


def _nearest(parameters: Parameters, cases: Sequence[Case], clip: bool) -> Floats:
    """Accuracy of the nearest run, of the same target set where it is known."""
    values = np.array(parameters["values"])
    return np.array([values[index] if index >= 0 else np.nan for index in nearest_index(parameters, cases)])


def nearest_index(parameters: Parameters, cases: Sequence[Case]) -> list[int]:
    """Index of the nearest stored configuration of each case; -1 where the case lacks a feature."""
    distance = _distances(parameters, cases)
    known = np.isfinite(distance).any(axis=1)
    return np.where(known, np.argmin(distance, axis=1), -1).tolist()


def nearest_several(parameters: Parameters, case: Case, n: int) -> list[tuple[int, float]]:
    """(index, distance in standard deviations) of the n nearest configurations; [] where the case lacks a feature."""
    distance = _distances(parameters, [case])[0]
    order = np.argsort(distance, kind="stable")[:n]
    return [(int(i), float(np.sqrt(distance[i]))) for i in order if np.isfinite(distance[i])]


def _distances(parameters: Parameters, cases: Sequence[Case]) -> Floats:
    """(n, configurations) squares; infinite to other target sets than a case's own, where that is known."""
    points, here = _point_array(_Same(parameters["points"])), _matrix(cases, parameters["features"])
    distance = np.zeros((len(cases), len(points)))
    for own, point, scale in zip(here.T, points.T, parameters["scale"], strict=True):
        distance += np.square((point - own[:, None]) / scale)
    if all(case.level is None for case in cases):
        return distance
    number, owner = _owner_array(_Same(parameters["owners"]))
    level = np.array([number.get(case.level, -1) for case in cases])
    distance[(level[:, None] >= 0) & (level[:, None] != owner)] = np.inf
    return distance


def evaluator(kind: str) -> Callable[[Evaluator], Evaluator]:
    """Register the evaluation of a family of your own: function(parameters, cases, clip) -> (n,) accuracies.

    Raises FitError for a kind that is taken.

    >>> @evaluator("linear")
    ... def again(parameters, cases, clip):
    ...     return np.zeros(len(cases))
    Traceback (most recent call last):
        ...
    predictor.errors.FitError: kind of parameters 'linear' is registered already. Choose another name
    """

    def register(function: Evaluator) -> Evaluator:
        if kind in EVALUATORS:
            raise FitError(f"kind of parameters {kind!r} is registered already", remedy="Choose another name")
        EVALUATORS[kind] = function
        return function

    return register


EVALUATORS: dict[str, Evaluator] = {
    "linear": _linear,
    "classwise": _classwise,
    "elastic_net": _elastic_net,
    "boosted": _boosted,
    "gaussian_process": _gaussian_process,
    "average": _average,
    "nearest": _nearest,
}
