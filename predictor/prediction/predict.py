"""Predict outcomes of manifests from a fit: values, intervals, comparisons, warnings."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from predictor.distribution import LabelDistribution
from predictor.errors import FitError
from predictor.models.case import Case
from predictor.models.fit import Fit
from predictor.models.links import expit, logit
from predictor.models.nearest import Neighbours
from predictor.models.scales import Scale
from predictor.prediction.classes import predict_classes
from predictor.prediction.contributions import contributions
from predictor.prediction.differences import differences
from predictor.prediction.intervals import Question
from predictor.prediction.request import Request, make_case, resolve, share_between, with_roles, without_images
from predictor.prediction.results import ClassPredictions, Comparison, OutcomePrediction, Prediction, Predictions
from predictor.prediction.values import (
    Known,
    Manifest,
    chosen_models,
    doubt_of,
    evaluate_together,
    evaluated,
    shown_outcomes,
    tested_case,
    value_of,
)

NEAREST = 3  # real runs that are shown beside a prediction
WORST = 3  # classes that are named where not all are asked for
ALL_PAIRS = 20  # more manifests than this are compared with the best one only
BASELINES = ("log_n_log_h", "nearest")
SIZES = ("n_samples", "n_target_samples", "mean_log_count")  # of the fitted ranges: those that grow with the images
TOGETHER = "all indicators together"
SLACK = 1.1  # a design as far out as the farthest run is still inside
SHRINK = ("power_difficulty@0.5",)  # and those that shrink with them


def predict(
    fit: Fit,
    manifests: Mapping[str, LabelDistribution],
    *,
    target_set: str = "new",
    domain: str = "new",
    model: str | None = None,
    image_size: int | None = None,
    image_steps: int | None = None,
    level: float = 0.9,
    all_classes: bool = False,
    steps: Mapping[str, int] | None = None,
    outcomes: Sequence[str] = (),
    explain: bool = True,
    against: Sequence[str] | None = None,
) -> Predictions:
    """Predict every outcome of every manifest; best accuracy first.

    manifests : {name: label distribution}
    target_set, domain : names that the fit knows, or 'new'
    model, image_size, image_steps : recipe; the fit's most frequent one where left out
    level : nominal coverage of the intervals, inside (0, 1)
    all_classes : every class of every outcome; else those with the lowest accuracy
    steps : {name: its image-steps}, where they are not those of all
    outcomes : those that are wanted; (): all
    explain : also why, classes, baselines and the runs that are most alike
    against : names that every manifest is compared with; None: every pair, of more than 20 manifests the best with each

    Raises FitError for names that the fit does not know and for manifests without any target class.
    """
    share_between("level", level, remedy="Use e.g. --level 0.9")
    if not manifests:
        raise FitError("no manifest to predict", remedy="Name at least one")
    request = replace(resolve(fit, target_set, domain, model, image_size, image_steps), only=tuple(outcomes))
    own = {name: request.with_steps((steps or {}).get(name)) for name in manifests}
    known = [_read(fit, name, distribution, own[name]) for name, distribution in manifests.items()]
    evaluate_together(fit, known, request, BASELINES[:1] if explain else ())
    ranked = sorted((_predict_one(fit, item, own[item.name], level, all_classes, explain) for item in known), key=_rank)
    by_name = {item.name: item for item in known}
    order = [by_name[item.manifest] for item in ranked]
    return Predictions(predictions=tuple(ranked), comparisons=tuple(_compare(fit, order, request, level, against)))


def _rank(prediction: Prediction) -> float:
    first = prediction.outcomes[0]
    return math.inf if first.value is None else first.value if first.scale == "loss" else -first.value


def _read(fit: Fit, name: str, distribution: LabelDistribution, request: Request) -> Manifest:
    distribution = with_roles(name, distribution, request)
    case, computed = make_case(distribution, request)
    outside = []
    for indicator, (low, high) in fit.content["ranges"].items():
        value = case.feature(indicator)
        slack = 1e-9 * max(abs(low), abs(high), 1.0)  # stored ranges are rounded
        if math.isfinite(value) and not low - slack <= value <= high + slack:
            outside.append({"indicator": indicator, "value": value, "low": low, "high": high})
    if not outside:
        outside = _jointly_outside(fit, case)
    shown = tuple(
        {"name": key, "value": item.value, "unit": item.unit, "reason": item.reason} for key, item in computed.items()
    )
    return Manifest(name, distribution, case, shown, tuple(outside))


def _jointly_outside(fit: Fit, case: Case) -> list[dict[str, Any]]:
    """Each indicator alone is inside, but no run had such values together: squared Mahalanobis distance."""
    joint = fit.content["joint"]
    if joint is None:
        return []
    z = (np.array(case.features(joint["features"])) - np.array(joint["center"])) / np.array(joint["scale"])
    distance = float(z @ np.array(joint["precision"]) @ z)
    if not distance > SLACK * joint["largest"]:
        return []
    return [{"indicator": TOGETHER, "value": distance, "low": 0.0, "high": joint["largest"]}]


def _predict_one(
    fit: Fit, manifest: Manifest, request: Request, level: float, all_classes: bool, explain: bool
) -> Prediction:
    outcomes = tuple(
        _in_unit(_outcome(fit, name, manifest, request, level), Scale.stored(fit.outcomes[name]))
        for name in shown_outcomes(fit, request)
    )
    first = outcomes[0].outcome
    scale = Scale.stored(fit.outcomes[first])
    absent = without_images(manifest.distribution)
    warnings = [f"{manifest.name}: {absent}"] if absent else []
    warnings += [*request.warnings, *(_outside_warning(item, manifest.name) for item in manifest.outside)]
    why = []
    if outcomes[0].value is not None and explain:
        names = chosen_models(fit, first, request)
        needed = _indicators(fit, first, names, manifest)

        def value(distribution: LabelDistribution) -> float:
            case, _ = make_case(distribution, request, names=needed)
            return float(scale.values(value_of(fit, first, names, case, {})[0]))

        whole = value_of(fit, first, names, manifest.case, manifest.known)[0]
        found = contributions(manifest.distribution, value, float(scale.values(whole)))
        why = [{"outcome": first, "name": key, "value": points} for key, points in found if math.isfinite(points)]
    return Prediction(
        manifest=manifest.name,
        status="outside" if manifest.outside else request.basis,
        basis=request.basis,
        target_set=request.target_set,
        domain=request.domain,
        recipe=request.recipe,
        outcomes=outcomes,
        indicators=manifest.indicators,
        contributions=tuple(why),
        baselines=tuple(_baselines(fit, first, manifest.case, manifest.known)) if explain else (),
        nearest=tuple(_nearest(fit, first, manifest.case)) if explain else (),
        outside=manifest.outside,
        warnings=tuple(warnings),
        classes=tuple(_classes(fit, manifest, request, outcomes if all_classes else outcomes[:1], all_classes))
        if explain
        else (),
    )


def _in_unit(found: OutcomePrediction, scale: Scale) -> OutcomePrediction:
    """The prediction in the outcome's own unit, where it is no accuracy."""
    if scale.is_share or found.value is None:
        return replace(found, scale=scale.name)
    low, high = scale.interval(np.array([found.low]), np.array([found.high]))
    edge = found.edge
    if edge is not None:
        ends = scale.interval(np.array([edge[1]]), np.array([edge[2]]))
        edge = (float(scale.values(edge[0])), float(ends[0][0]), float(ends[1][0]))
    value = float(scale.values(found.value))
    return replace(found, scale=scale.name, value=value, low=float(low[0]), high=float(high[0]), edge=edge)


def _classes(
    fit: Fit, manifest: Manifest, request: Request, outcomes: Sequence[OutcomePrediction], every: bool
) -> Iterator[ClassPredictions]:
    for outcome in outcomes:
        case = tested_case(fit, outcome.outcome, manifest, request)
        found = predict_classes(
            fit.outcomes[outcome.outcome], outcome, case, request.basis, most=None if every else WORST
        )
        if found is not None:
            yield found


def _indicators(fit: Fit, outcome: str, names: Sequence[str], manifest: Manifest) -> list[str]:
    """Names of the indicators that these families ask for."""
    families = fit.outcomes[outcome]["families"]
    asked = {"n_samples", *(key.rpartition(" ")[2] for name in names for key in families[name]["features"])}
    return [item["name"] for item in manifest.indicators if item["name"] in asked]


def _outcome(fit: Fit, outcome: str, manifest: Manifest, request: Request, level: float) -> OutcomePrediction:
    entry = fit.outcomes[outcome]
    if outcome == "robustness" and request.domain not in entry["domains"]:
        return OutcomePrediction(
            outcome=outcome, value=None, low=None, high=None, level=level, reason="your shift was never tested"
        )
    if request.target_set != "new" and request.target_set not in entry["target_sets"]:
        reason = f"{outcome} was never measured on {request.target_set}"
        return OutcomePrediction(outcome=outcome, value=None, low=None, high=None, level=level, reason=reason)
    case = tested_case(fit, outcome, manifest, request)
    names = chosen_models(fit, outcome, request)
    value, family = value_of(fit, outcome, names, case, manifest.known)
    if not math.isfinite(value):
        reason = "no model of the fit can be evaluated: indicators are missing"
        return OutcomePrediction(outcome=outcome, value=None, low=None, high=None, level=level, reason=reason)
    question = Question(entry, request, level, doubt_of(entry, case, manifest.known))
    found, edge = question.interval(value), None
    if manifest.outside:
        inside = value_of(fit, outcome, [family], case, manifest.known, clip=True)[0]
        at_edge = question.interval(inside)
        edge = (inside, at_edge.low, at_edge.high)
        found = question.outside(value, only_larger=_only_larger(manifest.outside))
        found = replace(found, low=min(found.low, at_edge.low), high=max(found.high, at_edge.high))
    return OutcomePrediction(
        outcome=outcome, value=value, low=found.low, high=found.high, level=level, reason=found.reason, family=family,
        covered=found.covered, edge=edge,
    )  # fmt: skip


def _only_larger(outside: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the manifest has more images than any run, and is like them otherwise."""
    return all(
        item["value"] > item["high"] if item["indicator"] in SIZES else item["indicator"] in SHRINK for item in outside
    )


def _baselines(fit: Fit, outcome: str, case: Case, known: Known) -> list[dict[str, Any]]:
    families = fit.outcomes[outcome]["families"]
    rows = []
    for family in BASELINES:
        if family not in families:
            continue
        found: dict[str, Any] = {}
        if family == "nearest":
            index = Neighbours.of(families[family]).index([case])[0]
            share = families[family]["values"][index] if index >= 0 else math.nan
            found = {"configuration_id": families[family]["names"][index] if index >= 0 else None}
        else:
            share = evaluated(families[family], case, known, False)
        value = float(Scale.stored(fit.outcomes[outcome]).values(share))
        rows.append({"outcome": outcome, "family": family, "value": value if math.isfinite(value) else None, **found})
    return rows


def _nearest(fit: Fit, outcome: str, case: Case) -> Iterator[dict[str, Any]]:
    """The real runs that are most like the manifest, nearest first; of its target set where that is known."""
    parameters = fit.outcomes[outcome]["families"].get("nearest")
    if parameters is None:
        return
    scale = Scale.stored(fit.outcomes[outcome])
    for index, distance in Neighbours.of(parameters).several(case, NEAREST):
        target_set, _, recipe = parameters["owners"][index].partition(" | ")
        yield {
            "outcome": outcome, "configuration_id": parameters["names"][index], "target_set": target_set,
            "recipe": recipe, "value": float(scale.values(parameters["values"][index])), "distance": distance,
        }  # fmt: skip


def _compare(
    fit: Fit, ranked: list[Manifest], request: Request, level: float, against: Sequence[str] | None
) -> list[Comparison]:
    """Every pair (or the best against each, where there are many), for every outcome with a value."""
    rows = []
    for outcome in shown_outcomes(fit, request):
        entry = fit.outcomes[outcome]
        if not Scale.stored(entry).is_share:  # a level of one half or nine tenths means nothing there
            continue
        if outcome == "robustness" and request.domain not in entry["domains"]:
            continue
        if request.target_set != "new" and request.target_set not in entry["target_sets"]:
            continue
        known = request.basis == "in_domain"
        errors = differences(entry["configuration" if known else "target_set"], known=known)
        covered = errors.covered(level)
        names = chosen_models(fit, outcome, request)
        found = [value_of(fit, outcome, names, tested_case(fit, outcome, m, request), m.known)[0] for m in ranked]
        values = logit(np.array(found)).tolist()
        heads = range(len(ranked)) if against is not None or len(ranked) <= ALL_PAIRS else range(1)
        for i in heads:
            for j in range(i + 1, len(ranked)):
                if against is not None and not {ranked[i].name, ranked[j].name} & set(against):
                    continue
                difference = values[i] - values[j]
                if not math.isfinite(difference):
                    continue
                half = errors.half_width(values[i], values[j], level)
                at = {base: float(expit(logit(base) + difference)) - base for base in (0.5, 0.9)}
                rows.append(
                    Comparison(
                        a=ranked[i].name,
                        b=ranked[j].name,
                        outcome=outcome,
                        logit_difference=difference,
                        low=None if half is None else difference - half,
                        high=None if half is None else difference + half,
                        p_a_better=errors.probability(values[i], values[j]),
                        level=level,
                        covered=covered,
                        points_at_half=at[0.5],
                        points_at_ninety=at[0.9],
                    )
                )
    return rows


def _outside_warning(item: Mapping[str, Any], manifest: str) -> str:
    """Measured value, good range, what it means, the fix."""
    value, low, high = (f"{item[key]:.4g}" for key in ("value", "low", "high"))
    return (
        f"{item['indicator']} is {value}; the fit saw {low} to {high}; beyond that the interval is uncalibrated; "
        f"pilots at 3 sizes fix it: predictor pilots {manifest} --next 3"
    )
