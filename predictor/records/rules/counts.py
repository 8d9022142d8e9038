"""The class counts of a record: by themselves, and against what its spec asks for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from predictor.errors import PredictorError
from predictor.records.rules.specs import WrittenConfiguration
from predictor.records.schema import Counted, StageCounts
from predictor.spec import RunSpec, Seeds, StageData, planned_counts

# {(target class, source): images}, and {source: images of its other classes, largest first}: no spec knows their names
Sizes = tuple[dict[tuple[str, str], int], dict[str, tuple[int, ...]]]


def count_faults(data: Counted, configuration: WrittenConfiguration | None, seeds: Seeds | None) -> list[str]:
    """Every stage of a record, also where bad images were passed over: others took their place."""
    if configuration is None or configuration.spec is None:
        return [fault for number, stage in enumerate(data.stages) for fault in _named(number, _own_faults(stage))]
    if configuration.last and configuration.last[0] == data:
        return configuration.last[1]
    faults = list(_all_faults(data, configuration, configuration.spec, seeds))
    if configuration.seedless:
        configuration.last = data, faults
    return faults


def _all_faults(
    data: Counted, configuration: WrittenConfiguration, spec: RunSpec, seeds: Seeds | None
) -> Iterator[str]:
    aligned = len(data.stages) == len(spec.stages)
    if not aligned:
        yield f"{len(data.stages)} stages of counts; the spec has {len(spec.stages)}"
    for number, stage in enumerate(data.stages):
        yield from _named(number, _own_faults(stage))
        if not aligned:
            continue
        wanted = spec.stages[number].image_steps
        if stage.image_steps != wanted:
            yield from _named(number, [f"{stage.image_steps} image_steps; the spec asks for {wanted}"])
        if stage.targets is None or set(stage.targets) != set(spec.target.classes):
            yield from _named(number, [_target_fault(stage.targets, spec.target.classes)])
        if sum(stage.counts):
            try:
                planned = _planned(configuration, spec, number, seeds)
            except (PredictorError, ValueError) as error:
                yield from _named(number, [f"the spec's counts cannot be planned ({error})"])
            else:
                targets = frozenset(spec.target.classes)
                data_of = spec.stages[number].data
                loose = data_of.ranks == "source" or data_of.short == "take"
                faults = _loose_faults(stage, planned, data_of) if loose else _size_faults(stage, planned, targets)
                yield from _named(number, faults)


def _named(number: int, faults: Iterable[str]) -> Iterator[str]:
    return (f"stage {number + 1}: {fault}" for fault in faults)


def _own_faults(stage: StageCounts) -> list[str]:
    faults = [f"class {name!r} of source {source!r} stands there twice" for name, source in _twice(stage)]
    if not sum(stage.counts):
        faults.append("no images")
    return faults


def _twice(stage: StageCounts) -> list[tuple[str, str]]:
    keys = list(zip(stage.classes, stage.sources, strict=True))
    return [] if len(set(keys)) == len(keys) else [key for key, n in Counter(keys).items() if n > 1]


def _target_fault(found: tuple[str, ...] | None, wanted: tuple[str, ...]) -> str:
    if found is None:
        return f"the targets are not the spec's: every class is one; the spec has {len(wanted)}"
    lacking, strange = sorted(set(wanted) - set(found)), sorted(set(found) - set(wanted))
    parts = [f"{', '.join(map(repr, names))} {word}" for names, word in ((lacking, "missing"), (strange, "beyond it"))
             if names]  # fmt: skip
    return f"the targets are not the spec's: {'; '.join(parts)}"


def _planned(configuration: WrittenConfiguration, spec: RunSpec, number: int, seeds: Seeds | None) -> Sizes | None:
    """What a stage should have been trained on; None where that depends on seeds that are none."""
    if number in configuration.planned:
        return configuration.planned[number]
    if seeds is None and not configuration.seedless:
        return None
    whole = spec if seeds is None else spec.model_copy(update={"seeds": seeds})
    sizes = _sizes(planned_counts(whole, number).rows(), frozenset(spec.target.classes))
    if configuration.seedless:
        configuration.planned[number] = sizes
    return sizes


def _loose_faults(stage: StageCounts, planned: Sizes | None, data: StageData) -> list[str]:
    """Where names or sizes follow the source: each source's class sizes by their order, none above what was asked."""
    if planned is None:
        return []
    asked: dict[str, list[int]] = {source: list(sizes) for source, sizes in planned[1].items()}
    for (_, source), n in planned[0].items():
        asked.setdefault(source, []).append(n)
    found: dict[str, list[int]] = {}
    for source, n in zip(stage.sources, stage.counts, strict=True):
        if n:
            found.setdefault(source, []).append(n)
    faults = []
    for source in sorted(asked.keys() | found.keys()):
        sizes, wanted = (sorted(each.get(source, []), reverse=True) for each in (found, asked))
        if len(sizes) != len(wanted):
            faults.append(f"{len(sizes)} classes from {source!r}; the spec asks for {len(wanted)}")
            continue
        for rank, (n, most) in enumerate(zip(sizes, wanted, strict=True), start=1):
            if n > most or (n < most and data.short == "error"):
                faults.append(f"{n} images of class {rank} by size from {source!r}; the spec asks for {most}")
    return faults


def _size_faults(stage: StageCounts, planned: Sizes | None, targets: frozenset[str]) -> list[str]:
    if planned is None:
        return []
    found = _sizes(zip(stage.classes, stage.sources, stage.counts, strict=True), targets)
    if found == planned:
        return []
    faults = []
    for key in sorted((found[0].keys() | planned[0].keys()) - set(_twice(stage))):
        n, wanted = found[0].get(key, 0), planned[0].get(key, 0)
        if n != wanted:
            faults.append(f"{n} images of class {key[0]!r} from {key[1]!r}; the spec asks for {wanted}")
    for source in sorted(found[1].keys() | planned[1].keys()):
        faults += _other_faults(source, found[1].get(source, ()), planned[1].get(source, ()))
    return faults


def _other_faults(source: str, found: tuple[int, ...], wanted: tuple[int, ...]) -> list[str]:
    if len(found) != len(wanted):
        return [f"{len(found)} other classes from {source!r}; the spec asks for {len(wanted)}"]
    return [
        f"{n} images of other class {rank} by size from {source!r}; the spec asks for {asked}"
        for rank, (n, asked) in enumerate(zip(found, wanted, strict=True), start=1)
        if n != asked
    ]


def _sizes(rows: Iterable[tuple[str, str, int]], targets: frozenset[str]) -> Sizes:
    total: dict[tuple[str, str], int] = {}
    for name, source, count in rows:
        if count:
            total[name, source] = total.get((name, source), 0) + count
    others: dict[str, list[int]] = {}
    for key in [key for key in total if key[0] not in targets]:
        others.setdefault(key[1], []).append(total.pop(key))
    return total, {source: tuple(sorted(sizes, reverse=True)) for source, sizes in others.items()}
