"""What to collect: a manifest, a budget and a fit -> plans, and what each of them is predicted to gain."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from predictor.distribution import LabelDistribution
from predictor.errors import FitError
from predictor.models.fit import Fit
from predictor.models.links import expit, logit
from predictor.models.scales import Scale
from predictor.planning.advice.allocation import affordable, best, proportional, smallest_first, uniform
from predictor.planning.advice.changes import PLAN, Change, Scorer, changes, relabelled
from predictor.planning.advice.curve import Curve, Predicted
from predictor.planning.advice.prices import ANY, check_priced
from predictor.planning.advice.reach import reach, room
from predictor.planning.advice.results import NOW, Advice, Against, ClassChange, Plan
from predictor.planning.objective import Floats, Objective, Targets, growth_of, named_targets
from predictor.prediction import Prediction, Predictions, predict
from predictor.prediction.predict import shown_outcomes
from predictor.prediction.probed import check_classes, with_probe
from predictor.prediction.recipes import named_recipe
from predictor.prediction.request import NEW, resolve, share_between, whole_number, with_roles
from predictor.statistics.ties import tied

if TYPE_CHECKING:
    from predictor.images.results import Probe
    from predictor.records.schema import RunRecord

INSIDE, CUTS, OTHERS, BOTH = "targets inside", "targets and cuts", "other classes", "both"
RULES = {"proportional": proportional, "uniform": uniform, "smallest first": smallest_first}
WORTH = 5e-4  # accuracy that collecting, cuts or other classes must bring beyond the plan without: 0.05 points
LIKELY = 0.9  # probability with which leaving images out must beat keeping them
FEW, MORE = 1, 2  # new other classes that are tried: 1, 2, 4, ...
POINTS = 0.05  # how much more "5 points more" is


def advise(
    fit: Fit,
    distribution: LabelDistribution,
    budget: int | None = None,
    *,
    wanted: float | None = None,
    cuts: bool = False,
    prices: Mapping[str, float] | None = None,
    manifest: str = "manifest",
    outcome: str = "accuracy",
    target_set: str = "new",
    domain: str = "new",
    model: str | None = None,
    image_size: int | None = None,
    image_steps: int | None = None,
    recipe: str | Path | None = None,
    level: float = 0.9,
    pilots: Iterable[RunRecord] | None = None,
    merge_below: int | None = None,
    drop_below: int | None = None,
    other: str | None = None,
    probe: Probe | None = None,
) -> Advice:
    """Plan what to collect.

    budget : images that can be collected, or money where there are prices; None or 0: only `wanted` and the curve
    wanted : accuracy to reach, inside (0, 1); gives `Advice.reach`
    cuts : whether images may be left out; else no plan deletes any
    prices : of one image of each target class, '*' of those that are not named; other classes are then not tried
    image_steps : fixes them; where left out they grow with the images, up to the most that the fit saw
    pilots : runs of the manifest's target set; predictions and gains are then at the level and slope that they show
    merge_below, drop_below, other : labels that are changed, see `predictor.planning.advice.changes.relabelled`
    probe : of the training images, where the target set is new: it says the level and the growth before any pilot
    The others as in `predictor.prediction.predict`, or with pilots in `predict_with_pilots`.

    Every size is read from one curve (`Advice.curve`): a larger budget never reaches less, but for 0.05 points that
    decide for the simpler plan. A plan outside of what the fit saw is shown, and advised only where the manifest lies
    outside already.

    Raises FitError for a budget, price or accuracy that is none, an outcome that the fit does not predict for these
    images, and where `predict` would.
    """
    if budget is None and wanted is None:
        raise FitError("neither a budget nor an accuracy to reach", remedy="say --budget IMAGES or --reach ACCURACY")
    whole_number("budget", budget, remedy="use e.g. --budget 5000", least=0)
    share_between("level", level, remedy="use e.g. --level 0.9")
    if wanted is not None:
        share_between("accuracy to reach", wanted, remedy="use --reach 0.8")
    if pilots is not None and recipe is not None:
        raise FitError("the pilots state their recipe themselves", remedy="leave --recipe out")
    whole = fit
    named = named_recipe(fit, recipe, model=model, image_size=image_size, image_steps=image_steps)
    fit = fit if pilots is not None else named.fit
    if outcome not in fit.outcomes:
        raise FitError(
            f"the fit has no outcome {outcome!r}; it has {', '.join(sorted(fit.outcomes))}", remedy="check --outcome"
        )
    asked: Any = {"target_set": target_set, "domain": domain}
    how: Any = {"outcomes": [outcome], "explain": False}
    told = probe is not None and (pilots is not None or target_set == NEW)
    if pilots is None:
        if told and probe is not None:
            check_classes(probe, manifest, distribution.target_names)
            fit = with_probe(fit, probe, domain=domain)
            named = replace(named, fit=fit)
        request = resolve(fit, **asked, **named.asked)
        if outcome not in {item.name for item in shown_outcomes(fit, request)}:
            raise FitError(
                f"{outcome} was not measured on such images", where=manifest, remedy="name --target-set or --domain"
            )
        now = named_targets(with_roles(manifest, distribution, request))
        predicted = partial(predict, fit, **asked, recipe=named, level=level, **how)
    else:  # which allocation is best stays the same: level and slope change every accuracy in the same direction
        from predictor.planning.pilots.predict import pilot_predictor

        own = {"model": model, "image_size": image_size, "image_steps": image_steps}
        learned = pilot_predictor(fit, pilots, **asked, **own, level=level, outcomes=[outcome], probe=probe)
        fit = learned.fit
        learned.check_telling()
        if outcome not in learned.found:
            raise FitError(f"no pilot measured {outcome}", where="pilots", remedy="advise on accuracy")
        request, predicted = learned.request, partial(learned.predict, **how)
        now = named_targets(learned.with_roles(manifest, distribution))
    targets = Targets(now)
    fixed = image_steps or named.image_steps or not request.recipe["image_steps"]
    growth = None if fixed else growth_of(fit, now, request.recipe["image_steps"])
    objective = Objective(fit, outcome, request, growth)
    with_steps = partial(_with_steps, objective, predicted)
    curve = Curve(objective, targets, with_steps, _prices(prices, targets))
    base = _base(with_steps({NOW: now}).predictions[0], outcome, manifest)
    plans, notes = _plans(curve, budget or 0, cuts=cuts, outside=bool(base.outside))
    found = with_steps(plans)
    rows = _ranked([_plan(name, item, curve, found) for name, item in plans.items()])
    advised = _advised(rows, found, outcome, outside=bool(base.outside))
    if base.basis not in ("in_domain", "pilot") and base.outcome(outcome).backed:
        on = "a probe of the images" if told else "the fit's images"
        notes.append(f"the gains are at the level that is predicted now, which rests on {on}: pilots measure it")
    labels = relabelled(now, merge_below=merge_below, drop_below=drop_below, other=other)
    if pilots is not None:
        done: tuple[tuple[Change, ...], str | None] = (), "pilots tell nothing of them"
    else:
        network = request.recipe["model"]
        own = named.evidence or next((item for item in fit.evidence if item.model == network), None)
        scorer = Scorer(replace(named, evidence=own), {"target_set": target_set, "domain": domain}, outcome, level)
        after = None if advised.name == NOW else plans[advised.name]
        every = {NOW: now, **labels, **({} if after is None else {PLAN: after})}
        done = changes(scorer, now, {name: objective.steps(item) for name, item in every.items()}, labels, after)
    able = [item.name for item in whole.evidence if len(item.actions) > 1 and item.family != fit.recipe_family]
    why = done[1]
    if why is not None and able:
        names = ", ".join(able)  # pilots state their recipe themselves: --recipe is refused beside them
        why += f"; {names} had: --recipe {able[0]}" if pilots is None else f"; without --pilot they are, for {names}"
    reached = base.outcome(outcome)
    aim = (reached.value or 0.0) + POINTS
    shown = curve.points(curve.sizes(min(budget or room(curve), room(curve))))
    return Advice(
        fit=fit.where,
        manifest=manifest,
        outcome=outcome,
        status=base.status,
        target_set=base.target_set,
        domain=base.domain,
        recipe=request.recipe,
        level=level,
        family=objective.family,
        budget=budget or 0,
        priced=prices is not None,
        steps_fixed=growth is None,
        advised=advised.name,
        plans=tuple(rows),
        against=tuple(
            _against(advised, row, found, outcome)
            for row in rows
            if row.name in RULES and advised.name not in (NOW, row.name)
        ),
        curve=tuple(shown),
        reach=None if wanted is None else reach(curve, wanted, budget or 0),
        five_points=reach(curve, aim, budget or 0) if reached.backed and aim < 1 else None,
        notes=(*request.warnings, *notes),
        changes=done[0],
        no_actions=why,
    )


def _with_steps(
    objective: Objective, predicted: Predicted, plans: Mapping[str, LabelDistribution], **more: Any
) -> Predictions:
    """Predictions of plans, each with the image-steps that it is planned with."""
    steps = {name: own for name, item in plans.items() if (own := objective.steps(item)) is not None}
    return predicted(plans, steps=steps, **more)


def _prices(prices: Mapping[str, float] | None, targets: Targets) -> Floats | None:
    """(T,) price of an image of each target class. Raises FitError for one that is missing or no price."""
    if prices is None:
        return None
    names = targets.distribution.target_names
    check_priced(prices, names, "prices")
    for name, price in prices.items():
        if not (isinstance(price, int | float) and math.isfinite(price) and price > 0):
            raise FitError(f"price {price!r} of {name!r}; needed: a number above 0", where="prices",
                           remedy="give what one image costs")  # fmt: skip
    return np.array([float(prices.get(name, prices.get(ANY, 1.0))) for name in names])


def _base(base: Prediction, outcome: str, manifest: str) -> Prediction:
    own = base.outcome(outcome)
    if not Scale(own.scale).is_share:
        raise FitError(f"{outcome} is on the scale {own.scale}; advice is in points of an accuracy", where=manifest,
                       remedy="advise on accuracy")  # fmt: skip
    if own.value is None:
        raise FitError(f"no statement on {outcome}: {own.reason}", where=manifest, remedy="advise on accuracy")
    return base


def _plans(curve: Curve, budget: int, *, cuts: bool, outside: bool) -> tuple[dict[str, LabelDistribution], list[str]]:
    """{name: the manifest after it}, and in words what was not tried."""
    targets, notes = curve.targets, []
    counts = targets.counts
    plans = {NOW: targets.distribution}
    if budget:
        each = np.ones(len(counts)) if curve.prices is None else curve.prices
        plans |= {name: targets.with_counts(affordable(rule, counts, budget, each)) for name, rule in RULES.items()}
        plans["targets"] = targets.with_counts(curve.allocation(curve.within(budget)))
        inside = None if outside else curve.inside(budget)
        if inside and inside < curve.within(budget):
            plans[INSIDE] = targets.with_counts(curve.allocation(inside))
    if cuts:
        least = max(1, _fewest(curve.objective))
        chosen = curve.allocation(curve.within(budget)) if budget else counts
        trimmed = best(curve.values, counts, budget, prices=curve.prices, cuts=True, least=least, starts=[chosen])
        if (trimmed < counts).any() and np.subtract(*curve.values([trimmed, chosen])) > WORTH:
            plans[CUTS] = targets.with_counts(trimmed)
        else:
            notes.append("cuts: none is predicted to help")
    if budget and curve.prices is None:
        plans |= _with_others(curve, budget, notes, outside=outside)
    elif budget:
        notes.append("other classes: not tried; the prices are of target classes")
    return plans, notes


def _fewest(objective: Objective) -> int:
    """Images of the smallest class that the fit saw: nothing is cut below."""
    classwise = objective.fitted.families.get("classwise")
    if classwise is None or "log_count" not in classwise.features:
        return 1
    return round(math.exp(classwise.ready.low[classwise.features.index("log_count")]))


def _with_others(curve: Curve, budget: int, notes: list[str], *, outside: bool) -> dict[str, LabelDistribution]:
    """The budget on new other classes, and the best number of them beside a size of the curve.

    Numbers and sizes are the same whatever the budget: what a smaller one tries, a larger one tries too.
    """
    targets = curve.targets
    now, ranges = targets.distribution, curve.objective.fit.ranges
    seen = ranges.get("n_other_classes")
    if seen is None or seen[1] <= 0:
        notes.append("other classes: not tried; no run of the fit had any")
        return {}
    size = max(1, round(float(targets.counts.mean())))
    seen_room = int(seen[1]) - len(now.other_counts)
    most = min(budget // size, seen_room)
    if most < 1:
        why = f"the fit saw at most {int(seen[1])}" if seen_room < 1 else f"one of {size} images is beyond the budget"
        notes.append(f"other classes: not tried; {why}")
        return {}
    names = _new_names(now, most)
    plans = {OTHERS: targets.with_counts(targets.counts, [(name, "", size) for name in names])}
    largest = math.inf if outside or "n_samples" not in ranges else ranges["n_samples"][1]
    tried, values = [], []
    n = FEW
    while n <= most:
        extra = [(name, "", size) for name in names[:n]]
        sizes = [own for own in curve.coarse(budget) if own + n * size <= budget]
        many = [targets.with_counts(curve.allocation(own), extra) for own in sizes]
        many = [item for item in many if item.n_samples <= largest]
        tried += many
        values += curve.objective.values(many).tolist() if many else []
        n *= MORE
    if tried:
        plans[BOTH] = tried[int(np.argmax(values))]
    return plans


def _new_names(now: LabelDistribution, n: int) -> list[str]:
    taken, names, number = set(now.class_names), [], 0
    while len(names) < n:
        number += 1
        name = f"new other class {number}"
        if name not in taken:
            names.append(name)
    return names


def _plan(name: str, after: LabelDistribution, curve: Curve, found: Predictions) -> Plan:
    now, outcome = curve.targets.distribution, curve.objective.outcome
    prediction = next(item for item in found.predictions if item.manifest == name)
    own = prediction.outcome(outcome)
    base = next(item for item in found.predictions if item.manifest == NOW).outcome(outcome)
    row = found.compared(name, NOW, outcome)
    low, high, p = _difference(found, outcome, name, NOW, base.value or 0.0)
    backed = own.backed and base.backed
    before, then = (dict(zip(d.class_names, d.class_counts.tolist(), strict=True)) for d in (now, after))
    targets = set(now.target_names)
    changes = [
        ClassChange(
            label=label,
            role="target" if label in targets else "other",
            now=before.get(label, 0),
            collect=then.get(label, 0) - before.get(label, 0),
            total=then.get(label, 0),
        )
        for label in sorted(targets | before.keys() | then.keys())
    ]
    changes.sort(key=lambda change: (-change.collect, change.label))
    others = sum(max(change.collect, 0) for change in changes if change.role == "other")
    return Plan(
        name=name,
        collected=sum(max(change.collect, 0) for change in changes),
        cut=sum(max(-change.collect, 0) for change in changes),
        other_classes=sum(change.role == "other" and not change.now for change in changes),
        cost=curve.cost(after.target_counts) + others,
        n_samples=after.n_samples,
        image_steps=curve.objective.steps(after),
        value=own.value or 0.0,
        low=own.low or 0.0,
        high=1.0 if own.high is None else own.high,
        gain=(own.value or 0.0) - (base.value or 0.0) if backed else None,
        gain_low=low if backed else None,
        gain_high=high if backed else None,
        p_better=p,
        changes=tuple(changes),
        outside=prediction.outside,
        backed=own.backed,
        gain_at_half=None if row is None else row.points_at_half,
    )


def _difference(
    found: Predictions, outcome: str, a: str, b: str, level: float
) -> tuple[float | None, float | None, float | None]:
    """(low, high, P(a beats b)) of what plan a gains beyond plan b, which reaches `level`."""
    for row in found.comparisons:
        if row.outcome == outcome and {row.a, row.b} == {a, b}:
            sign = 1 if row.a == a else -1
            ends = [None if end is None else sign * end for end in (row.low, row.high)][::sign]
            low, high = (None if end is None else float(expit(logit(level) + end)) - level for end in ends)
            return low, high, row.p_a_better if row.a == a else 1 - row.p_a_better
    return None, None, None


def _ranked(rows: Sequence[Plan]) -> list[Plan]:
    """The highest prediction first; of equal ones the one that costs least, and of those the simplest."""
    order = [NOW, "targets", INSIDE, "smallest first", "uniform", "proportional", OTHERS, BOTH, CUTS]
    values = tied([row.value for row in rows]).tolist()
    ranked = sorted(zip(values, rows, strict=True), key=lambda r: (-r[0], r[1].cost, order.index(r[1].name)))
    return [row for _, row in ranked]


def _advised(rows: list[Plan], found: Predictions, outcome: str, *, outside: bool) -> Plan:
    """The plan of target classes with the highest prediction, or nothing where that brings less than 0.05 points.

    Other classes must bring 0.05 points beyond it; images are left out only where that is likely, not just predicted,
    to beat the best plan that keeps them all. Plans outside of what the fit saw count only where all are.
    """
    able = [row for row in rows if outside or not row.outside]
    now = next(row for row in able if row.name == NOW)
    kept = next(row for row in able if row.name in (NOW, "targets", INSIDE, *RULES))
    if kept.value < now.value + WORTH:
        kept = now
    for row in able:
        if row.name in (OTHERS, BOTH) and row.value > kept.value + WORTH:
            kept = row
    for row in able:
        if row.cut and (_difference(found, outcome, row.name, kept.name, kept.value)[2] or 0.0) >= LIKELY:
            return row
    return kept


def _against(advised: Plan, other: Plan, found: Predictions, outcome: str) -> Against:
    if advised.changes == other.changes:
        return Against(plan=other.name, gain=0.0, low=0.0, high=0.0, p_better=0.5)
    low, high, p = _difference(found, outcome, advised.name, other.name, other.value)
    if not (advised.backed and other.backed):
        return Against(plan=other.name, gain=None, low=None, high=None, p_better=p)
    return Against(plan=other.name, gain=advised.value - other.value, low=low, high=high, p_better=p)


__all__ = ["advise"]
