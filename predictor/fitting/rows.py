"""Run records -> rows for one outcome. Says which runs it left out, and why."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from predictor.distribution import LabelDistribution
from predictor.errors import FitError
from predictor.fitting.left_out import TWICE, LeftOut, Reason, other_recipe, reason_of
from predictor.fitting.settings import EVERY, check_settings, differing, in_words, recipe_text, usual_of
from predictor.indicators import compute
from predictor.models.base import Floats
from predictor.models.case import Case, level_key, recipe_name
from predictor.models.rows import Row
from predictor.models.scales import ACCURACY, Scale
from predictor.recipes import FAMILIES, FROZEN, SCRATCH, Action, family_of
from predictor.records.gate import pass_gate
from predictor.records.indicator_inputs import indicator_context, indicator_key
from predictor.records.schema import Outcome, Reported, RunRecord
from predictor.spec import network_name

DEFAULT_IMAGE_SIZE = 32  # what predictor.spec leaves out of a stored spec


@dataclass(frozen=True)
class Selection:
    """The runs that enter a fit, and in words what did not and why.

    dropped : what did not enter, by study and reason
    family : of recipes, see `predictor.recipes`
    variants : {run id: settings in which its recipe differs from most runs of its network}, of those asked for
    """

    records: tuple[RunRecord, ...]
    named: tuple[str, ...] = ()
    dropped: tuple[LeftOut, ...] = ()
    family: str = SCRATCH
    variants: Mapping[str, str] = field(default_factory=dict)
    _computed: dict[Hashable, dict[str, float]] = field(default_factory=dict, compare=False)
    _shared: dict[Hashable, Any] = field(default_factory=dict, compare=False)

    @property
    def left_out(self) -> tuple[str, ...]:
        """The same in words."""
        return tuple(map(str, self.dropped))

    def distribution(self, record: RunRecord) -> LabelDistribution | None:
        """Label distribution of a run's last stage, one object for all that trained on the same; None of a table."""
        if isinstance(record.data, Reported):
            return None
        stage = record.data.stages[-1]
        key = (stage.classes, stage.sources, stage.counts, stage.targets)
        if key not in self._shared:
            self._shared[key] = stage.distribution
        return self._shared[key]

    @cached_property
    def units(self) -> dict[str, str]:
        """{configuration id: id of its unit}: what trained on the same is one, however it is written.

        A profile and the same counts written out, or a head of another size, are one piece of evidence: held out apart,
        one of them would tell what the other one gives. The unit has the first of their ids.
        """
        first: dict[str, str] = {record.configuration_id: record.configuration_id for record in self.records}

        def root(name: str) -> str:
            while first[name] != name:
                name = first[name]
            return name

        seen: dict[Hashable, str] = {}
        for record in self.records:
            own = root(record.configuration_id)
            other = root(seen.setdefault(self._trained(record), own))
            first[max(own, other)] = min(own, other)
        return {name: root(name) for name in first}

    def _trained(self, record: RunRecord) -> Hashable:
        """What a run was trained on and how: sorted counts by source and role, steps, network and recipe."""
        if isinstance(record.data, Reported):
            values = tuple(sorted((name, f"{value:.12g}") for name, value in record.data.indicators.items()))
            return record.target_set, values
        distribution = self.distribution(record)
        assert distribution is not None
        key = "trained", id(distribution)
        if key not in self._shared:
            targets = set(distribution.target_names)
            rows = ((name in targets, source, n) for name, source, n in distribution.rows())
            self._shared[key] = tuple(sorted(rows))
        return record.target_set, self._shared[key], recipe_of(record), recipe_text(record)

    def recipe(self, record: RunRecord) -> tuple[str | None, int | None, int | None]:
        """(network, image size, image-steps), as `recipe_of`; settings that differ stand behind the network's name."""
        model, size, steps = recipe_of(record)
        variant = self.variants.get(record.run_id)
        return f"{model} ({variant})" if variant else model, size, steps

    def case(
        self, record: RunRecord, chance: float, tested: frozenset[str] | None, shifts: tuple[str, ...] = ()
    ) -> Case:
        """A run as models see it, one object for all runs that they cannot tell apart."""
        model, size, steps = self.recipe(record)
        level = level_key(record.target_set, model, size)
        distribution, indicators = self.distribution(record), self.indicators(record)
        apart = self.family == SCRATCH and not self.variants  # each level then stands for itself, below its domain's
        action = action_of(record)
        made = Case(
            distribution, indicators, {"image_steps": float(steps)} if steps else {}, level, chance, tested,
            record.domain, shifts, action, None if apart else recipe_name(model, size),
        )  # fmt: skip
        if distribution is None:
            return made
        key = (id(distribution), id(indicators), steps, level, chance, tested, record.domain, shifts, action)
        return self._shared.setdefault(key, made)

    def indicators(self, record: RunRecord) -> dict[str, float]:
        """Indicators of a run's label distribution, computed once for each distinct one."""
        if isinstance(record.data, Reported):
            return dict(record.data.indicators)
        key = indicator_key(record)
        if key not in self._computed:
            distribution = self.distribution(record)
            assert distribution is not None
            found = compute(distribution, context=indicator_context(record))
            self._computed[key] = {name: item.value for name, item in found.items() if item.value is not None}
        return self._computed[key]


def select(
    records: Iterable[RunRecord],
    studies: Sequence[str] | None = None,
    *,
    family: str | None = None,
    take: Sequence[str] = (),
) -> Selection:
    """The runs to fit on: one stage each. Held-out studies and reported tables enter only when `studies` names them.

    family : of recipes, which are fitted apart; None: from scratch, or the most frequent one where no run is
    take : of each network and image size the runs of its most frequent recipe are kept, whatever they do about
        imbalance; and those that differ from it in these settings alone, e.g. ("augmentation=none",) or ("all",)

    Raises FitError where nothing is left, or a named study or setting does not exist; RegistryError for outcomes that
    their scale cannot hold.
    """
    records = sorted(records, key=lambda record: (record.study, record.configuration_id, record.run_id))
    known = sorted({record.study for record in records})
    unknown = sorted(set(studies or ()) - set(known))
    if unknown:
        raise FitError(f"no study {', '.join(unknown)}; found: {', '.join(known) or 'none'}", remedy="check --study")
    asked = [record for record in records if not studies or record.study in studies]
    reasons = [reason_of(record, studies) for record in asked]
    able = [record for record, reason in zip(asked, reasons, strict=True) if reason is None]
    check_settings(take, able)
    if family is None:
        family = main_family(able)
    kept: list[RunRecord] = []
    dropped: Counter[tuple[str, Reason]] = Counter()
    seen: set[str] = set()
    for record, reason in zip(asked, reasons, strict=True):
        if record_family(record) != family:
            continue
        if reason is None and record.run_id in seen:
            reason = TWICE
        if reason is None:
            seen.add(record.run_id)
            kept.append(record)
        else:
            dropped[record.study, reason] += 1
    kept, variants, others = _recipes(kept, take)
    for record, reason in others:
        dropped[record.study, reason] += 1
    left_out = tuple(LeftOut(study, reason, n) for (study, reason), n in sorted(dropped.items()))
    if not kept:
        found = "; ".join(map(str, left_out)) or "no run"
        raise FitError(
            f"no run to fit on ({found})", remedy="name studies with --study, or train some: trainer run GRID.yaml"
        )
    pass_gate(kept)
    named = tuple(study for study in sorted(set(studies or ())) if any(_special(r) for r in kept if r.study == study))
    return Selection(tuple(kept), named, left_out, family, variants)


def entering(records: Sequence[RunRecord], studies: Sequence[str] | None, take: Sequence[str]) -> set[str]:
    """Ids of the runs that `select` keeps, of whatever recipe family."""
    kept, _, _ = _recipes([record for record in records if reason_of(record, studies) is None], take)
    return {record.run_id for record in kept}


def main_family(records: Iterable[RunRecord]) -> str:
    """From scratch, where any run is; else the most frequent family."""
    found = Counter(map(record_family, records))
    return SCRATCH if SCRATCH in found or not found else max(FAMILIES, key=lambda name: found[name])


def record_family(record: RunRecord) -> str:
    """The recipe family of a run; a reported one that does not say is taken for one from scratch."""
    return family_of(record.spec["model"]) if record.spec else SCRATCH


def action_of(record: RunRecord) -> Action:
    """What a run's training did about imbalance."""
    return Action.of((record.spec or {}).get("recipe", {}))


def _recipes(
    records: Sequence[RunRecord], take: Sequence[str]
) -> tuple[list[RunRecord], dict[str, str], list[tuple[RunRecord, Reason]]]:
    """(runs that are kept, the settings in which those that were asked for differ, the others with the reason).

    Kept is the most frequent recipe of each network and image size; flips go by the images, actions are factors.
    """
    recipes: dict[str, list[str]] = defaultdict(list)
    keys = []
    for record in records:
        model, size, _ = recipe_of(record)
        keys.append((recipe_name(model, size), recipe_text(record, actions=False)))
        recipes[keys[-1][0]].append(keys[-1][1])
    usual = {name: usual_of(found) for name, found in recipes.items()}
    kept, variants, others = [], {}, []
    for record, (name, own) in zip(records, keys, strict=True):
        if own == usual[name]:
            kept.append(record)
            continue
        found = differing(own, usual[name])
        asked = [f"{key}={value}" for key, (value, _) in found.items()]
        if EVERY in take or all(item in take for item in asked):
            variants[record.run_id] = ", ".join(f"{key} {value}" for key, (value, _) in found.items())
            kept.append(record)
            continue
        options = " ".join(f"--recipe {item}" for item in asked)
        others.append((record, other_recipe(name, in_words(found), options)))
    return kept, variants, others


def _special(record: RunRecord) -> bool:
    return record.held_out or isinstance(record.data, Reported)


def outcome_names(selection: Selection) -> list[str]:
    """Outcomes that any run measured: accuracy, robustness, then the shifts and others."""
    names = {name for record in selection.records for name in record.outcomes}
    order = {"accuracy": 0, "robustness": 1}
    return sorted(names, key=lambda name: (order.get(name, 2), name))


def recipe_of(record: RunRecord) -> tuple[str | None, int | None, int | None]:
    """(network, image size, image-steps of the last stage); None where the record does not say, or there are none."""
    steps = None if isinstance(record.data, Reported) else record.data.stages[-1].image_steps
    if record.spec is None:
        return None, None, steps
    if record_family(record) == FROZEN:  # its head is solved for
        steps = None
    model = record.spec["model"]
    return network_name(model), model.get("image_size", DEFAULT_IMAGE_SIZE), steps


def data_seed_of(record: RunRecord) -> int | None:
    """The seed that drew the images; None where the record does not say."""
    seed = (record.spec or {}).get("seeds", {}).get("data")
    return seed if isinstance(seed, int) else None


def scale_of(selection: Selection, outcome: str) -> Scale:
    """The scale that the runs declare for the outcome.

    Raises FitError for a scale that is not known, and for values that it cannot hold.
    """
    found = [record.outcomes[outcome] for record in selection.records if outcome in record.outcomes]
    if not found or found[0].scale == "accuracy":
        return ACCURACY
    return Scale.of(found[0].scale, [item.value for item in found])  # one scale for all: see `pass_gate`


def rows_for(selection: Selection, outcome: str, scale: Scale | None = None) -> list[Row]:
    """One row for each run that measured the outcome on the scale; `scale_of` the runs where none is given.

    Raises FitError as `scale_of` does.
    """
    rows = []
    scale = scale_of(selection, outcome) if scale is None else scale
    for record in selection.records:
        measured = record.outcomes.get(outcome)
        if measured is None or measured.scale != scale.name:
            continue
        distribution = selection.distribution(record)
        tested, correct, subset = _per_class(record, outcome, measured, distribution)
        rows.append(
            Row(
                case=selection.case(record, _chance(measured, distribution), subset, _shifts(record, outcome)),
                run_id=record.run_id,
                configuration_id=selection.units[record.configuration_id],
                study=record.study,
                target_set=record.target_set,
                domain=record.domain,
                value=float(scale.shares([measured.value])[0]),
                tested=tested,
                correct=correct,
                scale=scale,
                recipe=recipe_name(*recipe_of(record)[:2]),
                data_seed=data_seed_of(record),
                representative=record.representative,
            )
        )
    return rows


def _chance(measured: Outcome, distribution: LabelDistribution | None) -> float:
    if measured.chance is not None:
        return measured.chance
    return 1 / len(distribution.target_names) if distribution is not None else 0.0


def _shifts(record: RunRecord, outcome: str) -> tuple[str, ...]:
    """The outcomes that robustness is the mean of."""
    if outcome != "robustness":
        return ()
    return tuple(sorted(name for name in record.outcomes if name.startswith("shift:")))


def _per_class(
    record: RunRecord, name: str, measured: Outcome, distribution: LabelDistribution | None
) -> tuple[Floats, Floats, frozenset[str] | None]:
    """(tested, correct) in the order of the target names, and the classes covered where they are not all."""
    parts = [measured]
    if name == "robustness" and not measured.classes:  # a mean over shifts: so are its classes
        parts = [item for key, item in sorted(record.outcomes.items()) if key.startswith("shift:") and item.classes]
    tested: dict[str, float] = {}
    rates: dict[str, list[float]] = {}
    for item in parts:
        for key, n, k in zip(item.classes, item.tested, item.correct, strict=True):
            if n:
                tested[key] = tested.get(key, 0.0) + n
                rates.setdefault(key, []).append(k / n)
    if distribution is None or not tested:
        return np.empty(0), np.empty(0), None
    order = [key for key in distribution.target_names if key in tested]
    trials = np.array([tested[key] for key in order])
    right = np.array([float(np.mean(rates[key])) for key in order]) * trials
    subset = frozenset(order) if len(order) < len(distribution.target_names) else None
    return trials, right, subset


def training_digest(selection: Selection) -> str:
    """SHA-256 over every run's id, labels and outcomes: two fits with one digest saw the same data."""
    state = hashlib.sha256()
    for record in selection.records:
        distribution = selection.distribution(record)
        labels = distribution.digest if distribution else json.dumps(selection.indicators(record))
        outcomes = {name: item.model_dump(mode="json") for name, item in sorted(record.outcomes.items())}
        state.update(json.dumps([record.run_id, labels, outcomes], sort_keys=True).encode())
    return "sha256:" + state.hexdigest()
