"""Parameters + cases -> accuracies. Each family registers how its kind of parameters is evaluated; numpy alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from predictor.errors import FitError
from predictor.models.case import Case, Floats

Parameters = Mapping[str, Any]
Evaluate = Callable[[Any, Sequence[Case], bool], Floats]


@dataclass(frozen=True)
class Evaluator:
    """How a kind of parameters is evaluated.

    function : (what `ready` made, cases, clip) -> (n,) accuracies
    ready : plain parameters -> what the function takes: lists as arrays, made once for a model
    """

    function: Evaluate
    ready: Callable[[Parameters], Any]


EVALUATORS: dict[str, Evaluator] = {}


def evaluator(
    kind: str, ready: Callable[[Parameters], Any] = lambda parameters: parameters
) -> Callable[[Evaluate], Evaluate]:
    """Register the evaluation of a kind of parameters: function(parameters, cases, clip) -> (n,) accuracies.

    ready : makes of the parameters, as fit.json keeps them, what the function takes; as they are unless given

    Raises FitError for a kind that is taken.

    >>> @evaluator("linear")
    ... def again(parameters, cases, clip):
    ...     return np.zeros(len(cases))
    Traceback (most recent call last):
        ...
    predictor.errors.FitError: kind of parameters 'linear' is registered already. choose another name
    """

    def register(function: Evaluate) -> Evaluate:
        if kind in EVALUATORS:
            raise FitError(f"kind of parameters {kind!r} is registered already", remedy="choose another name")
        EVALUATORS[kind] = Evaluator(function, ready)
        return function

    return register


@dataclass(frozen=True, eq=False)
class ReadyModel:
    """A fitted model: its parameters, and the arrays that they make when it is first evaluated.

    parameters : plain data of a kind that some family has registered, as fit.json keeps it

    >>> mean = {"kind": "linear", "features": [], "center": [], "scale": [], "coefficients": [], "low": [],
    ...         "high": [], "intercept": 0.0, "levels": {}}
    >>> ReadyModel(mean).evaluate([Case(None, {}, chance=0.2)]).round(3).tolist()
    [0.6]
    """

    parameters: Parameters

    @cached_property
    def _evaluator(self) -> Evaluator:
        kind = self.parameters.get("kind")
        if kind not in EVALUATORS:
            raise FitError(
                f"unknown kind of parameters {kind!r}; known: {', '.join(sorted(EVALUATORS))}",
                remedy="load what registers a family of your own: predictor --load FILE.py predict",
            )
        return EVALUATORS[kind]

    @cached_property
    def ready(self) -> Any:
        """What the kind makes of the parameters."""
        return self._evaluator.ready(self.parameters)

    @property
    def features(self) -> list[str]:
        """Names of the features that it asks of a case."""
        return list(self.parameters["features"])

    def evaluate(self, cases: Sequence[Case], *, clip: bool = False) -> Floats:
        """(n,) predicted accuracies; nan where a case lacks what the model needs.

        clip : take features at the edge of the fitted range where they lie outside of it

        Raises FitError for a kind of parameters that no family has registered.
        """
        return self._evaluator.function(self.ready, cases, clip)


def evaluate(parameters: Parameters, cases: Sequence[Case], *, clip: bool = False) -> Floats:
    """(n,) predicted accuracies of parameters that are asked once, see `Model.evaluate`."""
    return ReadyModel(parameters).evaluate(cases, clip=clip)


def feature_values(cases: Sequence[Case], names: Sequence[str]) -> Floats:
    """(n, p) features; nan where a case lacks one."""
    return np.array([case.features(names) for case in cases]).reshape(len(cases), len(names))
