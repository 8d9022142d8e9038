"""Predict outcomes of manifests from a fit: values, intervals, comparisons, warnings."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from predictor.distribution import LabelDistribution
from predictor.errors import FitError
from predictor.images.results import Probe
from predictor.models.by_shift import NAME as BY_SHIFT
from predictor.models.case import Case, base_of
from predictor.models.fit import Fit
from predictor.models.links import expit, logit
from predictor.models.outcome import BASELINES, Asked, OutcomeFit
from predictor.prediction.classes import predict_classes
from predictor.prediction.contributions import contributions
from predictor.prediction.differences import Side, differences
from predictor.prediction.fewer import fewer_is_better
from predictor.prediction.intervals import OutcomeInterval, Question
from predictor.prediction.outside import only_larger, outside, outside_warning
from predictor.prediction.probed import check_classes, method_known, with_probe
from predictor.prediction.recipes import Named, beside, named_recipe, weights_told
from predictor.prediction.request import (
    NEW,
    PredictionRequest,
    make_case,
    named_manifests,
    resolve,
    share_between,
    with_roles,
    without_images,
)
from predictor.prediction.results import (
    ClassPredictions,
    Comparison,
    OutcomePrediction,
    Prediction,
    Predictions,
    RecipePrediction,
    in_unit,
)
from predictor.recipes import NONE

NEAREST = 3  # real runs that are shown beside a prediction
WORST = 3  # classes that are named where not all are asked for
ALL_PAIRS = 20  # more manifests than this are compared with the best one only


def predict(
    fit: Fit,
    manifests: LabelDistribution | Mapping[str, LabelDistribution],
    *,
    target_set: str = "new",
    domain: str = "new",
    model: str | None = None,
    image_size: int | None = None,
    image_steps: int | None = None,
    recipe: str | Path | Named | None = None,
    level: float = 0.9,
    all_classes: bool = False,
    steps: Mapping[str, int] | None = None,
    outcomes: Sequence[str] = (),
    explain: bool = True,
    against: Sequence[str] | None = None,
    probe: Probe | None = None,
) -> Predictions:
    """Predict every outcome of every manifest; best accuracy first.

    manifests : {name: label distribution}, or one of them
    target_set, domain : names that the fit knows, or 'new'
    model, image_size, image_steps : recipe; the fit's most frequent one where left out
    recipe : name of one that the fit knows, or a grid, see `predictor.prediction.recipes`; where neither it nor a
        network is named, the main recipes of other families stand beside the answer
    level : nominal coverage of the intervals, inside (0, 1)
    all_classes : every class of every outcome; else those with the lowest accuracy
    steps : {name: its image-steps}, where they are not those of all
    outcomes : those that are wanted; (): all
    explain : also why, classes, baselines and the runs that are most alike
    probe : of the training images of what the manifests list, where the target set is new
    against : names that every manifest is compared with; None: every pair, of more than 20 manifests the best with each

    Raises FitError for names and recipes that the fit does not know, for manifests without any target class, and for a
    probe of other classes or of another kind than the fit learnt from.
    """
    share_between("level", level, remedy="use e.g. --level 0.9")
    manifests = named_manifests(manifests)
    if not manifests:
        raise FitError("no manifest to predict", remedy="name at least one")
    whole = fit
    named = named_recipe(fit, recipe, model=model, image_size=image_size, image_steps=image_steps)
    fit = named.fit
    request = replace(resolve(fit, target_set, domain, **named.asked), only=tuple(outcomes))
    told = None
    if probe is not None and request.basis != "in_domain":
        fit = with_probe(fit, probe, domain=request.domain)
        told = {"key": probe.key, "level": probe.level(), "slope": probe.slope, "n_images": probe.n_images}
        for name, distribution in manifests.items():
            check_classes(probe, name, with_roles(name, distribution, request).target_names)
    own = {name: request.with_steps((steps or {}).get(name)) for name in manifests}
    read = [_read(fit, name, distribution, own[name]) for name, distribution in manifests.items()]
    known = _asked(fit, read, request, BASELINES[:1] if explain else ())
    ranked = sorted((_predict_one(fit, item, own[item.name], level, all_classes, explain) for item in known), key=_rank)
    by_name = {item.name: item for item in known}
    order = [by_name[item.manifest] for item in ranked]
    ranked = [replace(item, probe=told) for item in ranked]
    if explain:
        evidence = named.evidence or next(
            (item for item in fit.evidence if item.model == request.recipe["model"]), None
        )
        places = {"target_set": target_set, "domain": domain}
        others = recipe is None and model is None and image_size is None and not outcomes
        ranked = [
            replace(
                item,
                weights=weights_told(evidence, by_name[item.manifest].distribution.target_names),
                recipes=tuple(_beside(whole, item.manifest, manifests[item.manifest], places, level, probe))
                if others
                else (),
            )
            for item in ranked
        ]
    return Predictions(
        predictions=tuple(ranked),
        comparisons=tuple(in_points(row, ranked) for row in _compare(fit, order, request, level, against)),
        fit=fit.where,
        n_target_sets=len(fit.target_sets),
        n_domains=len(fit.domains),
    )


def _beside(
    fit: Fit, name: str, distribution: LabelDistribution, places: Mapping[str, str], level: float, probe: Probe | None
) -> Iterator[RecipePrediction]:
    """What the main recipes of other families reach with a manifest."""

    def predicted(named: Named, target_set: str, domain: str) -> RecipePrediction:
        evidence = named.evidence
        assert evidence is not None
        told = {key: getattr(evidence, key) for key in
                ("model", "image_size", "n_configurations", "n_runs", "n_target_sets", "n_domains")}  # fmt: skip
        shown = evidence.name + ("" if named.action == NONE else f"+{named.action.name}")
        request = replace(resolve(named.fit, target_set, domain, **named.asked), only=("accuracy",))
        try:
            own = named.fit
            if probe is not None and request.basis != "in_domain" and probe.method == method_known(own):
                own = with_probe(own, probe, domain=request.domain)
            (asked,) = _asked(own, [_read(own, name, distribution, request)], request, ())
            found = _predict_one(own, asked, request, level, False, False)
        except FitError as fault:
            return RecipePrediction(
                name=shown, status="outside", basis=request.basis, value=None, low=None, high=None, level=level,
                covered=None, reason=fault.problem, **told,
            )  # fmt: skip
        one = found.outcomes[0]
        return RecipePrediction(
            name=shown, status=found.status, basis=found.basis, value=one.value, low=one.low, high=one.high,
            level=level, covered=one.covered, reason=one.reason, backed=one.backed,
            weights=weights_told(evidence, asked.distribution.target_names), **told,
        )  # fmt: skip

    yield from beside(fit, distribution, places, predicted)


@dataclass(frozen=True, eq=False)
class _Manifest:
    """A manifest, its case and indicators, where it lies outside the fitted range, and the case put to each outcome."""

    name: str
    distribution: LabelDistribution
    case: Case
    indicators: tuple[dict[str, Any], ...]
    outside: tuple[dict[str, Any], ...]
    asked: Mapping[str, Asked] = field(default_factory=dict)


def shown_outcomes(fit: Fit, request: PredictionRequest) -> list[OutcomeFit]:
    """Outcomes of the target set, or of the domain; accuracy first, robustness always named."""

    def applies(fitted: OutcomeFit) -> bool:
        if request.target_set != NEW:
            return request.target_set in fitted.target_sets
        return request.domain in fitted.domains

    found = [item for item in fit.outcomes.values() if item.name in ("accuracy", "robustness") or applies(item)]
    found = [item for item in found if not request.only or item.name in request.only]
    order = {"accuracy": 0, "robustness": 1}
    return sorted(found, key=lambda item: (order.get(item.name, 2), item.name))


def _asked(
    fit: Fit, manifests: Sequence[_Manifest], request: PredictionRequest, also: Sequence[str]
) -> list[_Manifest]:
    """The manifests, put to all outcomes; each model that is always asked is evaluated once, on all of them together.

    also : families that are asked beside the models
    A case that is put to an outcome has the classes that its test set covers.
    """
    by_outcome = {}
    for fitted in shown_outcomes(fit, request):
        tested = fitted.tested.get(request.target_set)
        cases = [item.case if tested is None else replace(item.case, tested=tested) for item in manifests]
        families = [*fitted.candidates(request.basis)[:1], *fitted.models, *also]
        by_outcome[fitted.name] = fitted.ask_together(cases, families)
    return [
        replace(item, asked={name: asked[i] for name, asked in by_outcome.items()}) for i, item in enumerate(manifests)
    ]


def _rank(prediction: Prediction) -> float:
    first = prediction.outcomes[0]
    return math.inf if first.value is None else first.value if first.scale == "loss" else -first.value


def _read(fit: Fit, name: str, distribution: LabelDistribution, request: PredictionRequest) -> _Manifest:
    distribution = with_roles(name, distribution, request)
    case, computed = make_case(distribution, request)
    shown = tuple(
        {"name": key, "value": item.value, "unit": item.unit, "reason": item.reason} for key, item in computed.items()
    )
    return _Manifest(name, distribution, case, shown, tuple(outside(fit, case)))


def _predict_one(
    fit: Fit, manifest: _Manifest, request: PredictionRequest, level: float, all_classes: bool, explain: bool
) -> Prediction:
    shown = shown_outcomes(fit, request)
    outcomes = tuple(in_unit(_outcome(item, manifest, request, level), item.scale) for item in shown)
    first = shown[0]
    whole = manifest.asked[first.name]
    if whole.case is not manifest.case:  # why and beside what are told of all the target classes
        whole = first.ask(manifest.case)
    absent = without_images(manifest.distribution)
    warnings = [f"{manifest.name}: {absent}"] if absent else []
    warnings += [*request.warnings, *(outside_warning(item, manifest.name) for item in manifest.outside)]
    if explain and not manifest.outside:
        told = [
            (item, manifest.asked[item.name])
            for item, own in zip(shown, outcomes, strict=True)
            if own.value is not None
        ]
        shares = [(item, asked.value(item.candidates(request.basis))[0]) for item, asked in told]
        warnings += fewer_is_better(
            fit, manifest.name, manifest.distribution, request, shares, lambda case: not outside(fit, case),
            {item["name"] for item in manifest.indicators},
        )  # fmt: skip
    why = []
    if outcomes[0].value is not None and explain:
        names = first.candidates(request.basis)
        needed = _indicators(first, names, manifest)

        def value(distribution: LabelDistribution) -> float:
            case, _ = make_case(distribution, request, names=needed)
            return float(first.scale.values(first.ask(case).value(names)[0]))

        found = contributions(manifest.distribution, value, float(first.scale.values(whole.value(names)[0])))
        why = [{"outcome": first.name, "name": key, "value": points} for key, points in found if math.isfinite(points)]
    return Prediction(
        manifest=manifest.name,
        status="outside" if manifest.outside or request.unknown else request.basis,
        basis=request.basis,
        target_set=request.target_set,
        domain=request.domain,
        recipe=request.recipe,
        outcomes=outcomes,
        indicators=manifest.indicators,
        contributions=tuple(why),
        baselines=tuple(whole.baselines()) if explain else (),
        nearest=tuple(whole.nearest(NEAREST)) if explain else (),
        outside=manifest.outside,
        unknown=request.unknown,
        chance=manifest.case.chance,
        warnings=tuple(warnings),
        classes=tuple(_classes(manifest, request, outcomes if all_classes else outcomes[:1], all_classes))
        if explain
        else (),
    )


def _classes(
    manifest: _Manifest, request: PredictionRequest, outcomes: Sequence[OutcomePrediction], every: bool
) -> Iterator[ClassPredictions]:
    for outcome in outcomes:
        asked = manifest.asked[outcome.outcome]
        found = predict_classes(asked.outcome, outcome, asked.case, request.basis, most=None if every else WORST)
        if found is not None:
            yield found


def _indicators(fitted: OutcomeFit, names: Sequence[str], manifest: _Manifest) -> list[str]:
    """Names of the indicators that these families ask for."""
    asked = {"n_samples", *(base_of(key) for name in names for key in fitted.families[name].features)}
    return [item["name"] for item in manifest.indicators if item["name"] in asked]


def _outcome(fitted: OutcomeFit, manifest: _Manifest, request: PredictionRequest, level: float) -> OutcomePrediction:
    def nothing(reason: str) -> OutcomePrediction:
        return OutcomePrediction(outcome=fitted.name, value=None, low=None, high=None, level=level, reason=reason)

    if fitted.name == "robustness" and request.domain not in fitted.domains:
        return nothing("your shift was never tested")
    if request.target_set != NEW and request.target_set not in fitted.target_sets:
        return nothing(f"{fitted.name} was never measured on {request.target_set}")
    if fitted.name in request.shifts and fitted.name not in request.tested_shifts(manifest.distribution):
        return nothing(f"its source, {request.shifts[fitted.name]}, gives training images: it is no test of them")
    asked = manifest.asked[fitted.name]
    value, family = asked.value(fitted.candidates(request.basis))
    if not math.isfinite(value):
        return nothing("no model of the fit can be evaluated: indicators are missing")
    judge = _judge(manifest, asked, family)
    question = Question(judge.outcome, request, level, judge.signs())
    found, edge = question.interval(value), None
    if manifest.outside:
        at_edge = question.interval(asked.of(family, clip=True))
        edge = (asked.of(family, clip=True), at_edge.low, at_edge.high)
        found = question.outside(value, only_larger=only_larger(manifest.outside))
        found = replace(found, low=min(found.low, at_edge.low), high=max(found.high, at_edge.high))
    if request.unknown is not None:  # nothing held out says how far another network or resolution is off
        reason = f"no interval: no run had recipe {request.recipe_name}; runs with it, as pilots, give one"
        found, edge = OutcomeInterval(0.0, 1.0, None, reason, backed=False), None
    return OutcomePrediction(
        outcome=fitted.name, value=value, low=found.low, high=found.high, level=level, reason=found.reason,
        family=family, covered=found.covered, edge=edge,
        covered_on=judge.outcome.configuration.covered_on if found.covered and request.basis == "in_domain" else (),
        shifts=tuple(name.removeprefix("shift:") for name in asked.case.shifts) if family == BY_SHIFT else (),
        backed=found.backed,
    )  # fmt: skip


def _judge(manifest: _Manifest, asked: Asked, family: str) -> Asked:
    """Whose errors say how far off a value is: of robustness that is one shift alone, those of the shift."""
    if family == BY_SHIFT and len(asked.case.shifts) == 1:
        return manifest.asked.get(asked.case.shifts[0], asked)
    return asked


def _compare(
    fit: Fit, ranked: list[_Manifest], request: PredictionRequest, level: float, against: Sequence[str] | None
) -> list[Comparison]:
    """Every pair (or the best against each, where there are many), for every outcome with a value."""
    rows = []
    for fitted in shown_outcomes(fit, request):
        if not fitted.scale.is_share:  # a level of one half or nine tenths means nothing there
            continue
        if fitted.name == "robustness" and request.domain not in fitted.domains:
            continue
        if request.target_set != NEW and request.target_set not in fitted.target_sets:
            continue
        names = fitted.candidates(request.basis)
        found = [item.asked[fitted.name].value(names) for item in ranked]
        values = logit(np.array([value for value, _ in found])).tolist()
        judges = [_judge(item, item.asked[fitted.name], own) for item, (_, own) in zip(ranked, found, strict=True)]
        if len({judge.outcome.name for judge in judges}) > 1:  # of robustness with other shifts: its own errors
            judges = [item.asked[fitted.name] for item in ranked]
        errors = differences(judges[0].outcome.split(request.basis), known=request.basis == "in_domain")
        covered = errors.covered(level)
        sides = [Side(x, judge.signs()) for x, judge in zip(values, judges, strict=True)]
        heads = range(len(ranked)) if against is not None or len(ranked) <= ALL_PAIRS else range(1)
        for i in heads:
            for j in range(i + 1, len(ranked)):
                if against is not None and not {ranked[i].name, ranked[j].name} & set(against):
                    continue
                difference = values[i] - values[j]
                if not math.isfinite(difference):
                    continue
                half = errors.half_width(sides[i], sides[j], level)
                at = {base: float(expit(logit(base) + difference)) - base for base in (0.5, 0.9)}
                rows.append(
                    Comparison(
                        a=ranked[i].name,
                        b=ranked[j].name,
                        outcome=fitted.name,
                        logit_difference=difference,
                        low=None if half is None else difference - half,
                        high=None if half is None else difference + half,
                        p_a_better=errors.probability(sides[i], sides[j]),
                        level=level,
                        covered=covered,
                        points_at_half=at[0.5],
                        points_at_ninety=at[0.9],
                    )
                )
    return rows


def in_points(row: Comparison, predictions: Sequence[Prediction]) -> Comparison:
    """The comparison with what it means in points at the predicted levels, where these are backed."""
    a, b = (next(item for item in predictions if item.manifest == name).outcome(row.outcome) for name in (row.a, row.b))
    if a.value is None or b.value is None or not (a.backed and b.backed):
        return replace(row, points=None, points_low=None, points_high=None)
    base = logit(b.value)
    low, high = (None if end is None else float(expit(base + end)) - b.value for end in (row.low, row.high))
    return replace(row, points=a.value - b.value, points_low=low, points_high=high)
