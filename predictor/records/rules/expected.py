"""Outcomes of a trained run against the tests that its spec names: what is missing, and what is beyond them."""

from __future__ import annotations

from predictor.records.rules.outcomes import Outcomes, clean_value, countable, covered_classes, told_plain
from predictor.records.schema import Outcome
from predictor.spec import TargetSet


def expected_names(target: TargetSet) -> list[str]:
    """Every outcome of a completed run.

    >>> target = {"name": "a", "classes": ["x", "y"], "test": {"source": "s"}, "shifts": {"web": {"source": "w"}}}
    >>> expected_names(TargetSet.model_validate(target))
    ['accuracy', 'shift:web', 'robustness']
    """
    shifts = [f"shift:{name}" for name in target.shifts]
    return ["accuracy", *shifts, *(["robustness"] if shifts else [])]


def invented_faults(outcomes: Outcomes, target: TargetSet) -> list[str]:
    """Outcomes that no test of the spec gives."""
    expected = expected_names(target)
    if outcomes.keys() <= set(expected):
        return []
    return [f"{name}: the spec gives no such outcome; it gives {', '.join(expected)}" for name in outcomes
            if name not in expected]  # fmt: skip


def missing_faults(outcomes: Outcomes, target: TargetSet) -> list[str]:
    """Outcomes, and parts of outcomes, that a completed run of the spec has."""
    faults = []
    for name in expected_names(target):
        outcome = outcomes.get(name)
        if outcome is None:
            faults.append(f"{name}: missing; the spec asks for it")
            continue
        found = _form_faults(outcome, len(target.classes))
        if name == "robustness":
            found += _mean_faults(outcome)
        elif outcome.classes:
            found += _class_faults(outcome, target.classes, whole=name == "accuracy")
            found += _part_faults(outcome, outcomes.get("accuracy"), target.classes, clean=name == "accuracy")
        else:
            found.append("no counts per class; a trained run has those of every class tested")
        faults += [f"{name}: {fault}" for fault in found]
    return faults


def _form_faults(outcome: Outcome, n_targets: int) -> list[str]:
    faults = []
    if outcome.scale != "accuracy":
        faults.append(f"scale is {outcome.scale!r}; a trained run measures 'accuracy'")
    if outcome.chance is None:
        faults.append(f"chance is missing; {n_targets} targets give {1 / n_targets!r}")
    return faults


def _mean_faults(outcome: Outcome) -> list[str]:
    parts = {
        "plain": outcome.plain is not None,
        "classes": bool(outcome.classes),
        "clean_value": outcome.clean_value is not None,
        "intersection": outcome.intersection is not None,
    }
    return [f"{name} is there; a mean over shifts has none" for name, there in parts.items() if there]


def _class_faults(outcome: Outcome, targets: tuple[str, ...], *, whole: bool) -> list[str]:
    """Which targets were tested, and in what order."""
    if outcome.classes == targets and (not whole or all(outcome.tested)):
        return []
    faults = []
    if whole:
        covered = set(covered_classes(outcome))
        faults += [f"class {name!r} has no clean test image" for name in targets if name not in covered]
    place = {name: number for number, name in enumerate(targets)}
    places = [place[name] for name in dict.fromkeys(outcome.classes) if name in place]
    if places != sorted(places):
        faults.append("the classes do not stand in the order of the spec's targets")
    return faults


def _part_faults(outcome: Outcome, accuracy: Outcome | None, targets: tuple[str, ...], *, clean: bool) -> list[str]:
    """plain, clean_value and intersection: there where they must be, and nowhere else."""
    faults = []
    if outcome.plain is None and (plain := told_plain(outcome)) is not None:
        faults.append(f"plain is missing; its counts give {plain!r}")
    if clean:
        if outcome.clean_value is not None:
            faults.append(f"clean_value is {outcome.clean_value!r}; only a shift has one")
        if outcome.intersection is not None:
            faults.append("intersection is there; only a shift has one")
        return faults
    wanted = clean_value(outcome, accuracy) if outcome.clean_value is None and accuracy else None
    if wanted is not None:
        faults.append(f"clean_value is missing; the clean counts give {wanted!r}")
    if not countable(outcome):  # which classes are covered is unknown
        return faults
    covered = len(set(covered_classes(outcome)) & set(targets))
    if covered < len(targets) and outcome.intersection is None:
        faults.append(f"intersection is missing; the shift covers {covered} of {len(targets)} targets")
    elif covered == len(targets) and outcome.intersection is not None:
        faults.append("intersection is there; the shift covers every target")
    return faults
