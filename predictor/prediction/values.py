"""What the models of a fit say of manifests: each model is asked once for each manifest, of all of them together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from predictor.distribution import LabelDistribution
from predictor.models.case import Case
from predictor.models.evaluate import evaluate
from predictor.models.fit import Fit
from predictor.models.links import disagreement
from predictor.prediction.request import Request

Known = dict[tuple[int, int, bool], float]  # (model's parameters, case, clip): its value


@dataclass(frozen=True)
class Manifest:
    name: str
    distribution: LabelDistribution
    case: Case
    indicators: tuple[dict[str, Any], ...]
    outside: tuple[dict[str, Any], ...]
    cases: dict[str, Case] = field(default_factory=dict)  # by outcome, with the classes that its test set covers
    known: Known = field(default_factory=dict)  # see `evaluated`


def tested_case(fit: Fit, outcome: str, manifest: Manifest, request: Request) -> Case:
    """The case with the classes that the outcome's test set covers."""
    if outcome not in manifest.cases:
        tested = fit.outcomes[outcome]["tested"].get(request.target_set)
        case = manifest.case if tested is None else replace(manifest.case, tested=frozenset(tested))
        manifest.cases[outcome] = case
    return manifest.cases[outcome]


def evaluate_together(fit: Fit, manifests: Sequence[Manifest], request: Request, also: Sequence[str] = ()) -> None:
    """What is asked of every manifest, for all of them at once: the chosen family, the models, and `also`."""
    for outcome in shown_outcomes(fit, request):
        entry = fit.outcomes[outcome]
        cases = [tested_case(fit, outcome, item, request) for item in manifests]
        asked = (chosen_models(fit, outcome, request)[0], *entry.get("models", ()), *also)
        for name in dict.fromkeys(name for name in asked if name in entry["families"]):
            parameters = entry["families"][name]
            for item, case, value in zip(manifests, cases, evaluate(parameters, cases).tolist(), strict=True):
                item.known[id(parameters), id(case), False] = value


def evaluated(parameters: Mapping[str, Any], case: Case, known: Known, clip: bool) -> float:
    """Value of one model for one case, found once."""
    key = id(parameters), id(case), clip
    if key not in known:
        known[key] = float(evaluate(parameters, [case], clip=clip)[0])
    return known[key]


def shown_outcomes(fit: Fit, request: Request) -> list[str]:
    """Outcomes of the target set, or of the domain; accuracy first, robustness always named."""

    def applies(entry: Mapping[str, Any]) -> bool:
        if request.target_set != "new":
            return request.target_set in entry["target_sets"]
        return request.domain in entry["domains"]

    names = [name for name, entry in fit.outcomes.items() if name in ("accuracy", "robustness") or applies(entry)]
    order = {"accuracy": 0, "robustness": 1}
    names = [name for name in names if not request.only or name in request.only]
    return sorted(names, key=lambda name: (order.get(name, 2), name))


def chosen_models(fit: Fit, outcome: str, request: Request) -> list[str]:
    """The chosen family first, then what can stand in where it cannot be evaluated."""
    entry = fit.outcomes[outcome]
    split = "configuration" if request.basis == "in_domain" else "target_set"
    names = [entry[split]["family"], "classwise", "linear", "log_n_log_h", "log_n", "mean"]
    return [name for name in dict.fromkeys(names) if name in entry["families"]]


def value_of(
    fit: Fit,
    outcome: str,
    names: list[str],
    case: Case,
    known: Known,
    *,
    clip: bool = False,
) -> tuple[float, str]:
    """(value, name) of the first of these families that can be evaluated."""
    families = fit.outcomes[outcome]["families"]
    for name in names:
        value = evaluated(families[name], case, known, clip)
        if math.isfinite(value):
            return value, name
    return math.nan, names[-1]


def doubt_of(entry: Mapping[str, Any], case: Case, known: Known) -> float:
    """How far the models of the fit disagree, in logits; 0 where fewer than two can be evaluated."""
    found = [evaluated(entry["families"][name], case, known, False) for name in entry.get("models", ())]
    found = [value for value in found if math.isfinite(value)]
    return float(disagreement(np.array(found)[:, None])[0]) if found else 0.0
