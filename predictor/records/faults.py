"""What is wrong inside one record: its id, counts and outcomes must agree with each other. Pure."""

from __future__ import annotations

from collections import Counter
from math import isclose

from pydantic import ValidationError

from predictor.distribution import LabelDistribution
from predictor.errors import PredictorError
from predictor.records.schema import Counted, Outcome, Reported, RunRecord, StageCounts, content_id
from predictor.spec import RunSpec, canonical_json, planned_counts, spec_id

TOLERANCE = 1e-9  # of a value recomputed from its counts


def record_faults(record: RunRecord) -> list[str]:
    """Every contradiction inside a record, in words; [] where there is none."""
    faults = _id_faults(record)
    if isinstance(record.data, Counted):
        for number, stage in enumerate(record.data.stages, start=1):
            faults += [f"stage {number}: {fault}" for fault in _stage_faults(stage)]
        if not faults and record.spec is not None:
            faults += _recipe_faults(record, record.data)
    elif record.provenance == "trained":
        faults.append("a trained run has class counts; found reported indicators")
    for name, outcome in record.outcomes.items():
        faults += [f"{name}: {fault}" for fault in _outcome_faults(outcome)]
    if not faults:
        faults += _joint_faults(record)
    if record.status == "completed" and not record.outcomes:
        faults.append("completed, and has no outcome")
    return faults


def _id_faults(record: RunRecord) -> list[str]:
    if record.provenance == "trained" and record.spec is None:
        return ["a trained run has a spec; found none"]
    if record.spec is None:
        if not isinstance(record.data, Reported):
            return []
        values = {name: outcome.value for name, outcome in record.outcomes.items()}
        needed = content_id(record.study, record.axes, record.data.indicators, values)
        return [] if needed == record.run_id else [f"run_id {record.run_id} is not the hash of its content, {needed}"]
    # the spec as first written decides; one written with its defaults is hashed without them
    hashes = [_hashes(record.spec)]
    try:
        spec = RunSpec.model_validate(record.spec)
    except ValidationError:
        pass
    else:
        hashes.append((spec.run_id, spec.configuration_id))
        if record.target_set != spec.target.name:
            return [f"target_set {record.target_set!r} is not the spec's, {spec.target.name!r}"]
    if (record.run_id, record.configuration_id) in hashes:
        return []
    run_id, configuration_id = hashes[-1]
    if record.run_id not in {pair[0] for pair in hashes}:
        return [f"run_id {record.run_id} is not the hash of its spec, {run_id}"]
    return [f"configuration_id {record.configuration_id} is not the hash of its spec without seeds, {configuration_id}"]


def _hashes(spec: dict[str, object]) -> tuple[str, str]:
    without_seeds = {key: value for key, value in spec.items() if key != "seeds"}
    return spec_id(canonical_json(spec)), spec_id(canonical_json(without_seeds))


def _stage_faults(stage: StageCounts) -> list[str]:
    faults = []
    twice = [key for key, n in Counter(zip(stage.classes, stage.sources, strict=True)).items() if n > 1]
    if twice:
        faults.append(f"class {twice[0][0]!r} of source {twice[0][1]!r} stands there twice")
    if not sum(stage.counts):
        faults.append("no images")
    return faults


def _recipe_faults(record: RunRecord, data: Counted) -> list[str]:
    """The class counts must be the ones that the spec asks for, also where bad images were passed over."""
    try:
        spec = RunSpec.model_validate(record.spec)
    except ValidationError as error:
        return [f"the spec is not one ({error.error_count()} faults, first: {error.errors()[0]['msg']})"]
    if len(spec.stages) != len(data.stages):
        return [f"{len(data.stages)} stages of counts; the spec has {len(spec.stages)}"]
    faults = []
    for number, (planned, stage) in enumerate(zip(spec.stages, data.stages, strict=True)):
        where = f"stage {number + 1}"
        if stage.image_steps != planned.image_steps:
            faults.append(f"{where}: {stage.image_steps} image_steps; the spec asks for {planned.image_steps}")
        try:
            wanted = planned_counts(spec, number)
        except PredictorError as error:
            faults.append(f"{where}: the spec's counts cannot be planned ({error})")
            continue
        if stage.targets is None or set(stage.targets) != wanted.targets:
            faults.append(f"{where}: the targets are not the spec's")
            continue
        found_counts, wanted_counts = _comparable(stage.distribution), _comparable(wanted)
        if found_counts == wanted_counts:
            continue
        key = min(k for k in found_counts | wanted_counts if found_counts.get(k, 0) != wanted_counts.get(k, 0))
        found, asked = found_counts.get(key, 0), wanted_counts.get(key, 0)
        faults.append(f"{where}: {found} images of {key[0]} from {key[1]!r}; the spec asks for {asked}")
    return faults


def _comparable(distribution: LabelDistribution) -> dict[tuple[str, str], int]:
    """Counts by (target class, source); other classes by size rank, because a spec does not know their names."""
    targets = distribution.targets or frozenset()
    counts: dict[tuple[str, str], int] = {}
    others: dict[str, list[int]] = {}
    for name, source, count in distribution.rows():
        if name in targets:
            counts[f"class {name!r}", source] = count
        else:
            others.setdefault(source, []).append(count)
    for source, sizes in others.items():
        for rank, count in enumerate(sorted(sizes, reverse=True), start=1):
            counts[f"other class {rank} by size", source] = count
    return counts


def _outcome_faults(outcome: Outcome) -> list[str]:
    faults = []
    numbers = {"value": outcome.value, "plain": outcome.plain, "clean_value": outcome.clean_value}
    if outcome.scale == "accuracy":
        faults += [
            f"{name} is {x!r}; needed 0 to 1" for name, x in numbers.items() if x is not None and not 0 <= x <= 1
        ]
    if outcome.chance is not None and not 0 < outcome.chance <= 1:
        faults.append(f"chance is {outcome.chance!r}; needed above 0, up to 1")
    if len(set(outcome.classes)) < len(outcome.classes):
        return [*faults, "a class stands there twice"]
    if not outcome.classes:
        return faults
    both = zip(outcome.classes, outcome.tested, outcome.correct, strict=True)
    too_many = [f"class {name!r} has {k} correct of {n} tested" for name, n, k in both if k > n]
    if too_many or not sum(outcome.tested):
        return [*faults, *(too_many or ["no image was tested"])]
    if outcome.scale != "accuracy":
        return faults
    balanced = _balanced(outcome.tested, outcome.correct)
    plain = sum(outcome.correct) / sum(outcome.tested)
    if not isclose(outcome.value, balanced, abs_tol=TOLERANCE):
        faults.append(f"value is {outcome.value!r}; its counts give {balanced!r}")
    if outcome.plain is not None and not isclose(outcome.plain, plain, abs_tol=TOLERANCE):
        faults.append(f"plain is {outcome.plain!r}; its counts give {plain!r}")
    if outcome.intersection is not None:
        faults += _intersection_faults(outcome)
    return faults


def _intersection_faults(outcome: Outcome) -> list[str]:
    inner = outcome.intersection
    assert inner is not None
    if len(inner.correct) != len(outcome.tested):
        return [f"intersection has {len(inner.correct)} classes of correct counts; needed {len(outcome.tested)}"]
    if any(k > n for k, n in zip(inner.correct, outcome.tested, strict=True)):
        return ["intersection has more correct than tested"]
    tested = sum(n > 0 for n in outcome.tested)
    if inner.n_classes != tested:
        return [f"intersection has n_classes {inner.n_classes}; {tested} classes were tested"]
    balanced = _balanced(outcome.tested, inner.correct)
    if not isclose(inner.value, balanced, abs_tol=TOLERANCE):
        return [f"intersection has value {inner.value!r}; its counts give {balanced!r}"]
    return []


def _joint_faults(record: RunRecord) -> list[str]:
    """Outcomes against each other and against the targets."""
    faults = []
    shifts = {name: outcome for name, outcome in record.outcomes.items() if name.startswith("shift:")}
    robustness = record.outcomes.get("robustness")
    if robustness and shifts:
        mean = sum(outcome.value for outcome in shifts.values()) / len(shifts)
        if not isclose(robustness.value, mean, abs_tol=TOLERANCE):
            faults.append(f"robustness: value is {robustness.value!r}; the mean over the shifts is {mean!r}")
    targets = record.data.stages[-1].targets if isinstance(record.data, Counted) else None
    if targets is None:
        return faults
    for name, outcome in record.outcomes.items():
        strange = sorted(set(outcome.classes) - set(targets))
        if strange:
            faults.append(f"{name}: class {strange[0]!r} is tested and is no target")
        if outcome.chance is not None and not isclose(outcome.chance, 1 / len(targets), abs_tol=TOLERANCE):
            faults.append(f"{name}: chance is {outcome.chance!r}; {len(targets)} targets give {1 / len(targets)!r}")
    clean = record.outcomes.get("accuracy")
    for name, shift in shifts.items():
        if not clean or not clean.classes or not shift.classes or shift.clean_value is None:
            continue
        known = {c: (n, k) for c, n, k in zip(clean.classes, clean.tested, clean.correct, strict=True)}
        covered = [c for c, n in zip(shift.classes, shift.tested, strict=True) if n]
        if not all(known.get(c, (0, 0))[0] for c in covered):
            faults.append(f"{name}: a class of the shift has no clean test image")
            continue
        matched = sum(known[c][1] / known[c][0] for c in covered) / len(covered)
        if not isclose(shift.clean_value, matched, abs_tol=TOLERANCE):
            faults.append(f"{name}: clean_value is {shift.clean_value!r}; the clean counts give {matched!r}")
    return faults


def _balanced(tested: tuple[int, ...], correct: tuple[int, ...]) -> float:
    """Mean of the per-class accuracies over the classes that have test images."""
    shares = [k / n for n, k in zip(tested, correct, strict=True) if n]
    return sum(shares) / len(shares)
