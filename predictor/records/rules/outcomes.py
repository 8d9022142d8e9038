"""Outcomes of a record against their own counts, against each other and against the targets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from math import isclose

from predictor.records.schema import Intersection, Outcome

TOLERANCE = 1e-9  # of a value recomputed from its counts
Outcomes = Mapping[str, Outcome]


def own_faults(outcome: Outcome) -> list[str]:
    """What one outcome says against itself."""
    faults = [f"class {name!r} stands there twice" for name in _twice(outcome.classes)]
    if outcome.chance is not None and not 0 < outcome.chance <= 1:
        faults.append(f"chance is {outcome.chance!r}; needed above 0, up to 1")
    numbers = {"value": outcome.value, "plain": outcome.plain, "clean_value": outcome.clean_value}
    outside = {name for name, x in numbers.items() if x is not None and not 0 <= x <= 1}
    if outcome.scale == "accuracy":
        faults += [f"{name} is {numbers[name]!r}; needed 0 to 1" for name in numbers if name in outside]
    too_many = _too_many(outcome)
    faults += [f"class {name!r} has {k} correct of {n} tested" for name, k, n in too_many]
    if outcome.classes and not sum(outcome.tested):
        faults.append("no image was tested")
    elif outcome.classes and not too_many and outcome.scale == "accuracy":
        told = {"value": _balanced(outcome.tested, outcome.correct), "plain": _plain(outcome)}
        for name, x in told.items():
            stated = numbers[name]
            if stated is not None and name not in outside and not _same(stated, x):
                faults.append(f"{name} is {stated!r}; its counts give {x!r}")
    if outcome.intersection is not None:
        faults += [f"intersection {fault}" for fault in _intersection_faults(outcome, outcome.intersection)]
    return faults


def _intersection_faults(outcome: Outcome, inner: Intersection) -> list[str]:
    faults = []
    covered = sum(n > 0 for n in outcome.tested)
    if inner.n_classes != covered:
        faults.append(f"has n_classes {inner.n_classes}; {covered} classes were tested")
    if len(inner.correct) != len(outcome.tested):
        return [*faults, f"has {len(inner.correct)} classes of correct counts; needed {len(outcome.tested)}"]
    rows = list(zip(outcome.classes, inner.correct, outcome.correct, outcome.tested, strict=True))
    impossible = [f"has {k} correct of {n} tested for class {name!r}" for name, k, _, n in rows if k > n]
    lost = [  # fewer classes to choose from: what is right among all targets is right among them
        f"has {k} correct for class {name!r}; {right} are right among all targets already"
        for name, k, right, n in rows
        if k < right <= n
    ]
    faults += impossible + lost
    if not impossible and covered:
        balanced = _balanced(outcome.tested, inner.correct)
        if not _same(inner.value, balanced):
            faults.append(f"has value {inner.value!r}; its counts give {balanced!r}")
    return faults


def joint_faults(outcomes: Outcomes, targets: tuple[str, ...] | None, shifts: list[str]) -> list[str]:
    """What the outcomes say against each other.

    targets : None where they are unknown
    shifts : names of the outcomes that robustness is the mean of; nothing can be said where one of them is missing
    """
    faults = []
    robustness = outcomes.get("robustness")
    if robustness and shifts and all(name in outcomes for name in shifts):
        mean = sum(outcomes[name].value for name in shifts) / len(shifts)
        if not _same(robustness.value, mean):
            faults.append(f"robustness: value is {robustness.value!r}; the mean over the shifts is {mean!r}")
    for name, outcome in outcomes.items():
        if targets is not None:
            faults += [f"{name}: {fault}" for fault in _target_faults(outcome, targets)]
        if name.startswith("shift:") and "accuracy" in outcomes:
            faults += [f"{name}: {fault}" for fault in _clean_faults(outcome, outcomes["accuracy"])]
    return faults


def _target_faults(outcome: Outcome, targets: tuple[str, ...]) -> list[str]:
    faults = []
    if outcome.classes != targets:
        known = set(targets)
        strange = [name for name in dict.fromkeys(outcome.classes) if name not in known]
        faults += [f"class {name!r} is tested and is no target" for name in strange]
    if outcome.chance is not None and 0 < outcome.chance <= 1 and not _same(outcome.chance, 1 / len(targets)):
        faults.append(f"chance is {outcome.chance!r}; {len(targets)} targets give {1 / len(targets)!r}")
    return faults


def _clean_faults(shift: Outcome, clean: Outcome) -> list[str]:
    wanted = clean_value(shift, clean)
    found = shift.clean_value
    if wanted is None or found is None or not 0 <= found <= 1 or _same(found, wanted):
        return []
    return [f"clean_value is {found!r}; the clean counts give {wanted!r}"]


def clean_value(shift: Outcome, clean: Outcome) -> float | None:
    """Mean of the clean per-class accuracies over the classes of a shift; None where the counts do not tell."""
    if not countable(clean) or not countable(shift):
        return None
    if shift.classes == clean.classes and all(shift.tested) and all(clean.tested):
        return _balanced(clean.tested, clean.correct)
    known = {c: k / n for c, n, k in zip(clean.classes, clean.tested, clean.correct, strict=True) if n}
    covered = covered_classes(shift)
    return sum(known[c] for c in covered) / len(covered) if all(c in known for c in covered) else None


def covered_classes(outcome: Outcome) -> list[str]:
    """Classes that an outcome has test images of."""
    return [name for name, n in zip(outcome.classes, outcome.tested, strict=True) if n]


def countable(outcome: Outcome) -> bool:
    """Whether there are counts, and possible ones."""
    return bool(sum(outcome.tested)) and not _too_many(outcome) and not _twice(outcome.classes)


def told_plain(outcome: Outcome) -> float | None:
    """Share of all test images that is right; None where the counts do not tell."""
    return _plain(outcome) if sum(outcome.tested) and not _too_many(outcome) else None


def _plain(outcome: Outcome) -> float:
    return sum(outcome.correct) / sum(outcome.tested)


def _too_many(outcome: Outcome) -> list[tuple[str, int, int]]:
    rows = zip(outcome.classes, outcome.correct, outcome.tested, strict=True)
    return [(name, k, n) for name, k, n in rows if k > n]


def _twice(names: tuple[str, ...]) -> list[str]:
    return [] if len(set(names)) == len(names) else [name for name, n in Counter(names).items() if n > 1]


def _balanced(tested: tuple[int, ...], correct: tuple[int, ...]) -> float:
    """Mean of the per-class accuracies over the classes that have test images."""
    shares = [k / n for n, k in zip(tested, correct, strict=True) if n]
    return sum(shares) / len(shares)


def _same(a: float, b: float) -> bool:
    return isclose(a, b, abs_tol=TOLERANCE)
