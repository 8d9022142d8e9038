"""Comparisons -> effects: seeds within a pair, pairs within a base, bases within a target set, target sets together.

Evidence counts in target sets. Seeds of a pair, schedules of a base and bases of a target set are averaged first, so
that more of them make a target set's effect more exact, and never one target set into two. Every target set weighs the
same: a variance from two or three seeds is too uncertain to weigh by. The interval is Student's t over target sets,
which is Hartung and Knapp's for a random-effects mean with equal weights (Hartung and Knapp 2001).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from predictor.claims.base import TARGET_SETS, Claim, Contrast, Part
from predictor.claims.configurations import Configuration
from predictor.claims.origins import origin
from predictor.errors import PredictorError
from predictor.statistics.equivalence import MeanTest


@dataclass(frozen=True, kw_only=True)
class PartResult:
    """What the runs say about one part of a claim. A number that is missing has a reason.

    effect : mean over target sets; low, high : its interval at `level`
    supports, contradicts : p for and against the part, before any adjustment; None with too few target sets
    target_sets : {target set: mean effect}; also of one that spans several others, which does not count
    """

    name: str
    outcome: str
    expects: str
    effect: float | None
    low: float | None
    high: float | None
    level: float
    supports: float | None
    contradicts: float | None
    target_sets: Mapping[str, float]
    n_target_sets: int
    n_bases: int
    run_ids: tuple[str, ...]
    reason: str | None


@dataclass
class _Found:
    """Effects of a part by target set and base, and the runs behind them."""

    effects: dict[str, dict[str, list[float]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))
    sizes: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    runs: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))


def part_results(claim: Claim, groups: Sequence[Sequence[Configuration]]) -> list[PartResult]:
    """Every part of a claim, in its order."""
    found: dict[str, list[Contrast]] = defaultdict(list)
    for group in groups:
        for comparison in claim.find(group):
            found[comparison.contrast].append(comparison)
    return [_part(part, found[part.contrast], claim.margin) for part in claim.parts]


def effect(comparison: Contrast, outcome: str) -> tuple[float, tuple[str, ...]] | None:
    """The effect of one comparison and the runs behind it: paired by data seed, seeds averaged.

    Robustness is the mean over the shifts that all arms were tested on and whose images share no origin with classes
    that any of them was trained on in addition. None where the arms share no such shift, or no data seed and may not be
    compared without.
    """
    configurations = [configuration for configuration, _ in comparison.arms]
    names = _shifts(configurations) if outcome == "robustness" else [outcome]
    total, ids = [], set()
    shared = sorted(set.intersection(*(set(each.outcomes) for each in configurations)))
    if comparison.unpaired and not shared:
        return _unpaired(comparison, names)
    for seed in shared:
        if names and all(name in each.outcomes[seed] for each in configurations for name in names):
            sums = [
                weight * sum(each.outcomes[seed][name] for name in names) / len(names)
                for each, weight in comparison.arms
            ]
            total.append(sum(sums) * comparison.scale)
            ids.update(run for each in configurations for run in each.run_ids[seed])
    return (sum(total) / len(total), tuple(sorted(ids))) if total else None


def _unpaired(comparison: Contrast, names: Sequence[str]) -> tuple[float, tuple[str, ...]] | None:
    """The effect from each arm's mean over its seeds: every configuration drew images of its own."""
    total, ids = 0.0, set()
    for each, weight in comparison.arms:
        seeds = [seed for seed, own in each.outcomes.items() if names and all(name in own for name in names)]
        if not seeds:
            return None
        total += weight * _mean([_mean([each.outcomes[seed][name] for name in names]) for seed in seeds])
        ids.update(run for seed in seeds for run in each.run_ids[seed])
    return total * comparison.scale, tuple(sorted(ids))


def clusters(configurations: Sequence[Configuration]) -> dict[str, str]:
    """{target set: the first of its source with which it shares classes}: those are no two pieces of evidence.

    One that shares nothing stands for itself. One that spans others which share nothing with each other (all
    characters, beside digits and letters) would make one piece of evidence of them: it is left out.
    """
    classes: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for each in configurations:
        source = each.spec.target.test.source
        classes[each.target_set] |= {(source, name) for name in each.spec.target.classes}
    sharing = {
        name: {other for other in classes if other != name and classes[name] & classes[other]} for name in classes
    }
    while spanning := [
        name for name, near in sharing.items() if any(b not in sharing[a] for a, b in combinations(sorted(near), 2))
    ]:
        widest = max(spanning, key=lambda name: (len(sharing[name]), name))
        sharing = {name: near - {widest} for name, near in sharing.items() if name != widest}
    return {name: min({name} | near) for name, near in sharing.items()}  # what is left of a cluster shares all in pairs


def _part(part: Part, comparisons: Sequence[Contrast], margin: float) -> PartResult:
    found = _Found()
    for comparison in comparisons:
        measured = effect(comparison, part.outcome)
        if measured is not None:
            name, base = comparison.base.target_set, comparison.base
            found.effects[name][base.id].append(measured[0])
            found.sizes[name].add(base.size)
            found.runs[name].update(measured[1])
    kept = [name for name in sorted(found.effects) if len(found.sizes[name]) >= part.sizes]
    means = {name: _mean([_mean(each) for each in found.effects[name].values()]) for name in kept}
    # among those that give evidence: one without any joins no others, whatever classes it shares with them
    together = clusters([comparison.base for comparison in comparisons if comparison.base.target_set in means])
    kept = [name for name in kept if name in together]
    by_cluster: dict[str, list[float]] = defaultdict(list)
    for name in kept:
        by_cluster[together[name]].append(means[name])
    values = tuple(_mean(each) for each in by_cluster.values())
    test, reason = None, None
    if len(values) < TARGET_SETS:
        reason = f"{len(values)} of {TARGET_SETS} target sets"
    if dropped := len(found.effects) - len(means):
        reason = f"{reason or ''}; {dropped} with fewer than {part.sizes} base sizes".removeprefix("; ")
    try:
        test = MeanTest(values) if len(values) > 1 else None
    except PredictorError as error:
        reason = f"{reason}; {error.problem}" if reason else error.problem
    low, high = test.interval(part.expects.level) if test else (None, None)
    enough = test is not None and len(values) >= TARGET_SETS
    return PartResult(
        name=part.contrast,
        outcome=part.outcome,
        expects=part.expects.name,
        effect=_mean(values) if values else None,
        low=low,
        high=high,
        level=part.expects.level,
        supports=part.expects.supports(test, margin) if enough else None,
        contradicts=part.expects.contradicts(test, margin) if enough else None,
        target_sets=means,
        n_target_sets=len(values),
        n_bases=sum(len(found.effects[name]) for name in kept),
        run_ids=tuple(sorted(set().union(*(found.runs[name] for name in kept)))) if kept else (),
        reason=reason,
    )


def _shifts(configurations: Sequence[Configuration]) -> list[str]:
    added = frozenset().union(*(each.added_origins for each in configurations))
    shared = set.intersection(*(set(each.spec.target.shifts) for each in configurations))
    return [
        f"shift:{name}"
        for name in sorted(shared)
        if len({each.shift(name) for each in configurations}) == 1
        and origin(configurations[0].spec.target.shifts[name].source) not in added
    ]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
