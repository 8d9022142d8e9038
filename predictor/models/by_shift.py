"""Robustness, shift by shift: the mean of what is predicted for each shift that a case is tested on.

Shifts behave differently, and a run whose training images come from one of them loses it: its robustness is a mean over
the others. So each shift has a model of its own, and their mean is taken over those of the case.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from predictor.errors import FitError
from predictor.models.base import Family
from predictor.models.case import Case, Floats
from predictor.models.evaluate import ReadyModel, evaluator
from predictor.models.rows import Row

NAME = "by_shift"


def _refused(rows: Sequence[Row]) -> dict[str, Any]:
    raise FitError("family by_shift is made of the shifts' own models")


BY_SHIFT = Family(NAME, _refused, doc="Mean over the shifts, each predicted by its own model.")


def by_shift(parts: Mapping[str, dict[str, Any]], tested: Mapping[str, Mapping[str, Sequence[str]]]) -> dict[str, Any]:
    """Parameters: of each shift its model, and {level: the classes that its test set covers, where not all}."""
    features = dict.fromkeys(name for part in parts.values() for name in part["features"])
    return {
        "kind": NAME,
        "features": list(features),
        "parts": dict(parts),
        "tested": {shift: {level: list(names) for level, names in own.items()} for shift, own in tested.items()},
    }


@dataclass(frozen=True, eq=False)
class Shifts:
    """The models of the shifts, ready to be evaluated; tested : {shift: {level: classes}}."""

    models: Mapping[str, ReadyModel]
    tested: Mapping[str, Mapping[str, frozenset[str]]]

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> Shifts:
        """What `by_shift` made."""
        return cls(
            {shift: ReadyModel(part) for shift, part in parameters["parts"].items()},
            {
                shift: {level: frozenset(names) for level, names in own.items()}
                for shift, own in parameters["tested"].items()
            },
        )


@evaluator(NAME, ready=Shifts.of)
def evaluate_by_shift(model: Shifts, cases: Sequence[Case], clip: bool) -> Floats:
    """Mean over the shifts of each case; nan where it states none, or one that has no model."""
    total, n = np.zeros(len(cases)), np.array([len(case.shifts) for case in cases], dtype=np.float64)
    for shift in sorted({shift for case in cases for shift in case.shifts}):
        own = [i for i, case in enumerate(cases) if shift in case.shifts]
        if shift not in model.models:
            total[own] = np.nan
            continue
        there = [_covered(cases[i], model.tested.get(shift, {})) for i in own]
        total[own] += model.models[shift].evaluate(there, clip=clip)
    with np.errstate(invalid="ignore"):
        return np.where(n > 0, total / n, np.nan)


def _covered(case: Case, tested: Mapping[str, frozenset[str]]) -> Case:
    """The case with the classes that the shift's test set covers."""
    names = tested.get(case.level or "")
    return case if names == case.tested else replace(case, tested=names)
