"""What to collect: a manifest, a budget and a fit -> plans, and what each of them is predicted to gain."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from predictor.distribution import LabelDistribution
from predictor.errors import FitError
from predictor.models.fit import Fit
from predictor.models.links import expit, logit
from predictor.models.scales import Scale
from predictor.planning.advice.allocation import Counts, best, proportional, smallest_first, uniform
from predictor.planning.advice.reach import Reach, reach
from predictor.planning.objective import Objective, Targets, named_targets
from predictor.prediction import Prediction, Predictions, predict
from predictor.prediction.request import resolve, share_between, whole_number, with_roles

if TYPE_CHECKING:
    from predictor.records.schema import RunRecord

SCHEMA_VERSION = 1
NOW, ADVISED = "now", "advised"
SHARES = (0.25, 0.5, 0.75)  # of the budget that go to other classes
WORTH = 5e-4  # accuracy that a cut, or other classes, must bring beyond the best plan without: 0.05 points
LIKELY = 0.9  # probability with which leaving images out must beat keeping them


@dataclass(frozen=True, kw_only=True)
class ClassChange:
    """Images of one class: now, to collect (below 0: to leave out), and after. role: target | other."""

    label: str
    role: str
    now: int
    collect: int
    total: int


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One way to spend the budget. Accuracies and gains are fractions.

    name : advised | now | targets | targets and cuts | other classes | both | proportional | uniform | smallest first
    collected, cut : images; other_classes : new classes that are only trained on
    gain, gain_low, gain_high : accuracy against now, at the level that is predicted now
    p_better : probability that the plan beats now
    outside : indicators outside the range that the fit saw: {indicator, value, low, high}
    """

    name: str
    collected: int
    cut: int
    other_classes: int
    n_samples: int
    value: float
    low: float
    high: float
    gain: float
    gain_low: float | None
    gain_high: float | None
    p_better: float | None
    changes: tuple[ClassChange, ...]
    outside: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, kw_only=True)
class Against:
    """What the advised plan gains beyond another one (fractions)."""

    plan: str
    gain: float
    low: float | None
    high: float | None
    p_better: float | None


@dataclass(frozen=True, kw_only=True)
class Advice:
    """What to collect for one manifest.

    plans : all that were compared, the highest prediction first
    advised : name of the plan that is recommended; 'now' where nothing is predicted to help
    against : the advised plan against proportional, uniform and smallest first
    """

    manifest: str
    outcome: str
    status: str
    target_set: str
    domain: str
    recipe: Mapping[str, Any]
    level: float
    family: str
    budget: int
    advised: str
    plans: tuple[Plan, ...]
    against: tuple[Against, ...]
    reach: Reach | None
    notes: tuple[str, ...]

    def plan(self, name: str) -> Plan:
        """A plan by its name; 'advised' stands for the recommended one.

        Raises FitError for a name that no plan has.
        """
        wanted = self.advised if name == ADVISED else name
        for item in self.plans:
            if item.name == wanted:
                return item
        raise FitError(
            f"no plan {name!r}; found: {', '.join(item.name for item in self.plans)}", remedy="Name one of them: --plan"
        )

    def to_dict(self) -> dict[str, Any]:
        """One object for JSON."""
        return {"schema_version": SCHEMA_VERSION, **asdict(self)}


def advise(
    fit: Fit,
    distribution: LabelDistribution,
    budget: int | None = None,
    *,
    wanted: float | None = None,
    manifest: str = "manifest",
    outcome: str = "accuracy",
    target_set: str = "new",
    domain: str = "new",
    model: str | None = None,
    image_size: int | None = None,
    image_steps: int | None = None,
    level: float = 0.9,
    pilots: Iterable[RunRecord] | None = None,
) -> Advice:
    """Plan what to collect.

    budget : images that can be collected; None or 0: only `wanted`, and what leaving images out would bring
    wanted : accuracy to reach, inside (0, 1); gives `Advice.reach`
    pilots : runs of the manifest's target set; predictions and gains are then at the level and slope that they show
    The others as in `predictor.prediction.predict`, or with pilots in `predict_with_pilots`. Image-steps stay as they
    are, whatever is added.

    Raises FitError for a budget or accuracy that is none, an outcome that the fit does not predict for these images,
    and where `predict` would.
    """
    if budget is None and wanted is None:
        raise FitError("neither a budget nor an accuracy to reach", remedy="Say --budget IMAGES or --reach ACCURACY")
    whole_number("budget", budget, remedy="Use e.g. --budget 5000", least=0)
    share_between("level", level, remedy="Use e.g. --level 0.9")
    if wanted is not None:
        share_between("accuracy to reach", wanted, remedy="Use --reach 0.8")
    if outcome not in fit.outcomes:
        raise FitError(
            f"the fit has no outcome {outcome!r}; it has {', '.join(sorted(fit.outcomes))}", remedy="Check --outcome"
        )
    asked = {"target_set": target_set, "domain": domain, "model": model, "image_size": image_size,
             "image_steps": image_steps}  # fmt: skip
    if pilots is None:
        request = resolve(fit, **asked)
        now = named_targets(with_roles(manifest, distribution, request))
        predicted = partial(predict, fit, **asked, level=level)
    else:  # which allocation is best stays the same: level and slope change every accuracy in the same direction
        from predictor.planning.pilots.predict import pilot_predictor

        learned = pilot_predictor(fit, pilots, **asked, level=level, outcomes=[outcome])
        if outcome not in learned.found:
            raise FitError(f"no pilot measured {outcome}", where="pilots", remedy="Advise on accuracy")
        request, predicted = learned.request, learned.predict
        now = named_targets(learned.with_roles(manifest, distribution))
    targets = Targets(now)
    objective = Objective(fit, outcome, request)
    plans, notes = _plans(objective, targets, budget or 0)
    found = predicted(plans)
    base = next(item for item in found.predictions if item.manifest == NOW)
    _require_value(base, outcome, manifest)
    rows = sorted(
        (_plan(name, item, now, found, outcome) for name, item in plans.items()),
        key=lambda row: (-row.value, row.collected),
    )
    advised = _advised(rows, found, outcome)
    basis = [] if base.basis in ("in_domain", "pilot") else [
        "the gains are at the level that is predicted now, which rests on the fit's images: pilots pin it down"
    ]  # fmt: skip
    result = Advice(
        manifest=manifest,
        outcome=outcome,
        status=base.status,
        target_set=base.target_set,
        domain=base.domain,
        recipe=request.recipe,
        level=level,
        family=objective.family,
        budget=budget or 0,
        advised=advised.name,
        plans=tuple(rows),
        against=tuple(
            _against(advised, row, found, outcome)
            for row in rows
            if row.name in ("proportional", "uniform", "smallest first") and advised.name not in (NOW, row.name)
        ),
        reach=None,
        notes=(*request.warnings, *notes, *basis),
    )
    if wanted is None:
        return result
    return replace(result, reach=reach(objective, targets, predicted, wanted))


def _require_value(base: Prediction, outcome: str, manifest: str) -> None:
    own = [item for item in base.outcomes if item.outcome == outcome]
    if not own:
        raise FitError(
            f"{outcome} was not measured on such images", where=manifest, remedy="Name --target-set or --domain"
        )
    if not Scale(own[0].scale).is_share:
        raise FitError(f"{outcome} is on the scale {own[0].scale}; advice is in points of an accuracy", where=manifest,
                       remedy="Advise on accuracy")  # fmt: skip
    if own[0].value is None:
        raise FitError(f"no statement on {outcome}: {own[0].reason}", where=manifest, remedy="Advise on accuracy")


def _plans(objective: Objective, targets: Targets, budget: int) -> tuple[dict[str, LabelDistribution], list[str]]:
    """{name: the manifest after it}, and in words what was not tried."""
    counts, notes = targets.counts, []

    def values(many: Any) -> np.ndarray[Any, Any]:
        return objective.values(targets.with_counts(item) for item in many)

    plans = {NOW: targets.distribution}
    chosen: Counts = counts
    if budget:
        plans["proportional"] = targets.with_counts(proportional(counts, budget))
        plans["uniform"] = targets.with_counts(uniform(counts, budget))
        plans["smallest first"] = targets.with_counts(smallest_first(counts, budget))
        chosen = best(values, counts, budget)
        plans["targets"] = targets.with_counts(chosen)
    least = max(1, _fewest(objective))
    trimmed = best(values, counts, budget, cuts=True, least=least, starts=[chosen])
    if (trimmed < counts).any() and np.subtract(*values([trimmed, chosen])) > WORTH:
        plans["targets and cuts"] = targets.with_counts(trimmed)
    if budget:
        plans |= _with_others(objective, targets, budget, notes)
    return plans, notes


def _fewest(objective: Objective) -> int:
    """Images of the smallest class that the fit saw: nothing is cut below."""
    classwise = objective.fitted.families.get("classwise")
    if classwise is None or "log_count" not in classwise.features:
        return 1
    return round(math.exp(classwise.ready.low[classwise.features.index("log_count")]))


def _with_others(objective: Objective, targets: Targets, budget: int, notes: list[str]) -> dict[str, LabelDistribution]:
    """The budget on new other classes, and the best share of it beside more images of the targets."""
    now = targets.distribution
    seen = objective.fit.ranges.get("n_other_classes")
    if seen is None or seen[1] <= 0:
        notes.append("other classes: not tried; no run of the fit had any")
        return {}
    size = max(1, round(float(targets.counts.mean())))
    room = int(seen[1]) - len(now.other_counts)

    def others(images: int) -> list[tuple[str, str, int]]:
        n = min(images // size, room)
        return [(f"{label}", "", size) for label in _new_names(now, n)]

    everything = others(budget)
    if not everything:
        why = f"the fit saw at most {int(seen[1])}" if room < 1 else f"one of {size} images is beyond the budget"
        notes.append(f"other classes: not tried; {why}")
        return {}
    plans = {"other classes": targets.with_counts(targets.counts, everything)}
    mixed = []
    for share in SHARES:
        extra = others(int(share * budget))
        if extra:
            rest = budget - size * len(extra)
            together = lambda many, extra=extra: objective.values(targets.with_counts(c, extra) for c in many)  # noqa: E731
            mixed.append(targets.with_counts(best(together, targets.counts, rest), extra))
    if mixed:
        plans["both"] = mixed[int(np.argmax(objective.values(mixed)))]
    return plans


def _new_names(now: LabelDistribution, n: int) -> list[str]:
    taken, names, number = set(now.class_names), [], 0
    while len(names) < n:
        number += 1
        name = f"new other class {number}"
        if name not in taken:
            names.append(name)
    return names


def _plan(name: str, after: LabelDistribution, now: LabelDistribution, found: Predictions, outcome: str) -> Plan:
    prediction = next(item for item in found.predictions if item.manifest == name)
    own = prediction.outcome(outcome)
    base = next(item for item in found.predictions if item.manifest == NOW).outcome(outcome)
    gain, low, high, p = _difference(found, outcome, name, NOW, base.value)
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
    return Plan(
        name=name,
        collected=sum(max(change.collect, 0) for change in changes),
        cut=sum(max(-change.collect, 0) for change in changes),
        other_classes=sum(change.role == "other" and not change.now for change in changes),
        n_samples=after.n_samples,
        value=own.value or 0.0,
        low=own.low or 0.0,
        high=1.0 if own.high is None else own.high,
        gain=gain,
        gain_low=low,
        gain_high=high,
        p_better=p,
        changes=tuple(changes),
        outside=prediction.outside,
    )


def _difference(
    found: Predictions, outcome: str, a: str, b: str, level: float
) -> tuple[float, float | None, float | None, float | None]:
    """(gain, low, high, P(a beats b)) of plan a against plan b, where b reaches `level`."""
    for row in found.comparisons:
        if row.outcome == outcome and {row.a, row.b} == {a, b}:
            sign, difference = (1, row.logit_difference) if row.a == a else (-1, -row.logit_difference)
            ends = [None if end is None else sign * end for end in (row.low, row.high)][:: 1 if sign > 0 else -1]
            points = [None if end is None else _points(level, end) for end in ends]
            p = row.p_a_better if row.a == a else 1 - row.p_a_better
            return _points(level, difference), points[0], points[1], p
    return 0.0, None, None, None


def _points(level: float, logits: float) -> float:
    return float(expit(logit(level) + logits)) - level


def _advised(rows: list[Plan], found: Predictions, outcome: str) -> Plan:
    """The highest prediction; among plans that are as good within 0.05 points the simplest.

    Images are left out only where that is likely, not just predicted, to beat the best plan that keeps them all.
    """
    simple = [NOW, "targets", "smallest first", "uniform", "proportional", "other classes", "both"]
    keeping = [row for row in rows if not row.cut]
    top = max(row.value for row in keeping)
    kept = min((row for row in keeping if row.value >= top - WORTH), key=lambda row: simple.index(row.name))
    for row in rows:
        if row.cut and (_difference(found, outcome, row.name, kept.name, kept.value)[3] or 0.0) >= LIKELY:
            return row
    return kept


def _against(advised: Plan, other: Plan, found: Predictions, outcome: str) -> Against:
    if advised.changes == other.changes:
        return Against(plan=other.name, gain=0.0, low=0.0, high=0.0, p_better=0.5)
    gain, low, high, p = _difference(found, outcome, advised.name, other.name, other.value)
    return Against(plan=other.name, gain=gain, low=low, high=high, p_better=p)
