"""A fit of one's own runs on top of another one: level, slope and hard classes of own target sets, partly pooled.

Own runs are kept inside the fit, and what they tell is learned as from pilots (`predictor.planning.pilots.predict`):
level and slope of a target set under its recipe are drawn towards what the base predicts of it, as far as left-out
target sets of the base differ from what was predicted for them; so are its classes. What the base says of any other
images stays as it is, to the last digit.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pydantic import ValidationError

from predictor.errors import FitError, PredictorError
from predictor.fitting.left_out import STAGES
from predictor.fitting.rows import recipe_of
from predictor.fitting.settings import differing, in_words, recipe_text, usual_of
from predictor.fitting.several import ENTERS
from predictor.models.case import recipe_name
from predictor.models.fit import FIT_AGAIN, Fit
from predictor.planning.pilots.predict import PilotPredictor, pilot_predictor
from predictor.planning.pilots.read import MOST, read_pilots
from predictor.prediction.results import Predictions
from predictor.records.schema import Counted, RunRecord
from predictor.text import command

OWN = "own_runs"


@dataclass(frozen=True, kw_only=True)
class Added:
    """What own runs of a target set bring: each configuration predicted by the base with the others.

    mae, mae_base : of held-out configurations (fractions), with the other own runs and without any
    covered : [covered, n] of their 90 % intervals
    """

    target_set: str
    domain: str
    recipe: str
    n_configurations: int
    n_runs: int
    mae: float
    mae_base: float
    covered: tuple[int, int]


def fit_on_top(base: Fit, records: Iterable[RunRecord]) -> tuple[Fit, list[Added], list[str]]:
    """(the base with own target sets, what each of them brings, what was left out).

    Raises FitError where no target set that the base does not know has enough configurations under one network.
    """
    groups: dict[tuple[str, str], list[RunRecord]] = defaultdict(list)
    for record in records:
        if record.status == "completed" and isinstance(record.data, Counted) and "accuracy" in record.outcomes:
            groups[record.target_set, recipe_name(*recipe_of(record)[:2])].append(record)
    known = {name for own in base.recipe_families.values() for name in own.target_sets}
    kept: list[RunRecord] = []
    added, notes = [], []
    for (target_set, recipe), every in sorted(groups.items()):
        own, others = _of_one_recipe(every)
        notes += [f"{target_set} with {recipe}: {line}" for line in others]
        if not own:
            continue
        pilots = read_pilots(own)
        n, silent = pilots.n_configurations, len(pilots.at_chance)
        if target_set in known:
            notes.append(f"{target_set} with {recipe}: {n + silent} configurations of a target set that the base "
                         "knows: fit both registries instead: predictor fit RUNS MINE")  # fmt: skip
        elif n < ENTERS:
            told = f"{n} configurations" + (f" and {silent} at chance, which tell nothing" if silent else "")
            fewer = "; fewer are pilots: predictor predict MANIFEST --pilot MINE" if n and not others else ""
            notes.append(f"{target_set} with {recipe}: {told}; {ENTERS} are needed{fewer}")
        elif n > MOST:
            notes.append(f"{target_set} with {recipe}: {n} configurations; more than {MOST} are a registry to fit on")
        elif any(item.target_set == target_set for item in added):
            notes.append(f"{target_set} with {recipe}: another network of the same target set; name it apart")
        else:
            added.append(_added(base, pilots.records, recipe))
            kept += own
    if not kept:
        raise FitError(
            "no own target set to add to the base" + (f" ({'; '.join(notes)})" if notes else ""),
            remedy=f"train {ENTERS} configurations or more of one: "
            + command("predictor", "pilots", "MANIFEST", "--next", ENTERS),
        )
    content = {**base.content, OWN: [record.model_dump(mode="json") for record in kept]}
    content["left_out"] = [*base.left_out, *notes]
    return replace(base, content=content), added, notes


def _of_one_recipe(records: Sequence[RunRecord]) -> tuple[list[RunRecord], list[str]]:
    """(runs of one stage and of the most frequent recipe, in words how many others there are)."""
    single = [record for record in records if isinstance(record.data, Counted) and len(record.data.stages) == 1]
    staged = len(records) - len(single)
    notes = [f"{staged} run{'s' * (staged > 1)} {STAGES.why}"] if staged else []
    texts = [recipe_text(record, actions=False) for record in single]
    usual = usual_of(texts) if texts else ""
    others = Counter(in_words(differing(text, usual)) for text in texts if text != usual)
    notes += [f"{n} run{'s' * (n > 1)} of another recipe than most: {told}" for told, n in sorted(others.items())]
    return [record for record, text in zip(single, texts, strict=True) if text == usual], notes


def _added(base: Fit, records: Sequence[RunRecord], recipe: str) -> Added:
    """What own runs bring, each configuration held out in turn."""
    by_configuration: dict[str, list[RunRecord]] = defaultdict(list)
    for record in records:
        by_configuration[record.configuration_id].append(record)
    errors, alone, inside = [], [], 0
    for held, own in sorted(by_configuration.items()):
        rest = [record for name, items in by_configuration.items() if name != held for record in items]
        first = own[0]
        measured = float(np.mean([record.outcomes["accuracy"].value for record in own]))
        assert first.distribution is not None
        steps = recipe_of(first)[2]
        learned = pilot_predictor(base, rest, target_set=first.target_set, image_steps=steps, outcomes=["accuracy"])
        outcome = learned.predict({"held out": first.distribution}, outcomes=["accuracy"], explain=False)
        one = outcome.predictions[0].outcome("accuracy")
        before = _base_value(learned, first)
        assert one.value is not None and one.low is not None and one.high is not None
        errors.append(abs(one.value - measured))
        alone.append(abs(before - measured))
        inside += one.low <= measured <= one.high
    return Added(
        target_set=records[0].target_set, domain=records[0].domain, recipe=recipe,
        n_configurations=len(by_configuration), n_runs=len(records), mae=float(np.mean(errors)),
        mae_base=float(np.mean(alone)), covered=(inside, len(errors)),
    )  # fmt: skip


def _base_value(learned: PilotPredictor, record: RunRecord) -> float:
    own = learned.found["accuracy"].objective
    assert record.distribution is not None
    return float(own.at(recipe_of(record)[2]).values([record.distribution])[0])


def own_records(fit: Fit, target_set: str) -> list[RunRecord] | None:
    """Runs of a target set that were added to a fit; None where there are none of it.

    Raises FitError for a fit whose runs are damaged.
    """
    own = [item for item in fit.content.get(OWN, ()) if item.get("target_set") == target_set]
    if not own:
        return None
    try:
        return [RunRecord.model_validate(item) for item in own]
    except (ValidationError, PredictorError) as fault:
        raise FitError(f"its own runs are damaged: {fault}", where=fit.where, remedy=FIT_AGAIN) from None


def predict_own(fit: Fit, manifests: Any, records: Sequence[RunRecord], **asked: Any) -> Predictions:
    """Predictions for a target set that was added to the fit."""
    from predictor.planning.pilots.predict import predict_with_pilots

    read_pilots(records)
    recipe = asked.pop("recipe", None)
    if recipe is not None:
        raise FitError("the runs of this target set state their recipe themselves", remedy="leave --recipe out")
    return predict_with_pilots(fit, manifests, records, **asked)
