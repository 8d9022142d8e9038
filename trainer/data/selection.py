"""Which images a spec trains on: nested by class size, paired by data seed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from predictor.distribution import LabelDistribution
from predictor.errors import DataError, all_listed, listed
from predictor.images.decoding import Pixels
from predictor.images.parts import derived, overlapping
from predictor.spec import RunSpec, blended_count, seeded, target_counts
from trainer.data.source import Source
from trainer.data.streamed import Place, Streamed

FIT = "train on SPLIT:fit where SPLIT:validation is tested, with the same groups"
APART = "take the images to train on and those to test on from different splits or sources"


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """Images of one class from one source."""

    label: str
    source: str
    rows: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class TrainingSet:
    """What a stage trains on.

    pixels : (N, 3, S, S) uint8, or how to decode them; labels : (N,) int64 into `classes` (targets first)
    keys : (N,) uint64 of each image
    """

    pixels: Pixels | Streamed
    labels: NDArray[np.int64]
    keys: NDArray[np.uint64]
    classes: list[str]
    distribution: LabelDistribution


def choose(spec: RunSpec, stage: int, source_of: Callable[[str], Source]) -> list[Chosen]:
    """The images of one stage. Raises DataError listing every class that is not there or has fewer images than asked
    for, where a target class would be trained on images that it is tested on, or where two parts of the recipe would
    take the same images: a record counts images, each once. One fault has one text, whatever the data seed.

    Within a class images are taken in a random order that depends on the data seed alone, so a smaller class is a
    subset of a larger one. Bad images that are to be left out are passed over in that order.
    Other classes are drawn by the data seed from the source's classes that are no targets.
    With `short: take` a class that has fewer images than asked for gives all it has.
    """
    _check_untested(spec, stage)
    data, seed = spec.stages[stage].data, spec.seeds.data
    chosen: list[Chosen] = []
    short: list[str] = []
    taken: dict[tuple[str, str], list[str]] = defaultdict(list)
    twice: dict[tuple[str, str], list[str]] = defaultdict(list)
    splits: dict[str, set[str]] = defaultdict(set)

    def take(label: str, source: str, split: str, count: int) -> None:
        if not count:
            return
        if any(overlapping(split, other) for other in taken[label, source]):
            twice[source, split].append(label)
            return
        taken[label, source].append(split)
        splits[source].add(split)
        images = source_of(source)
        rows = images.rows(label, split)
        order = seeded("images", seed, source, label).permutation(len(rows))
        usable = images.usable(rows[order], spec.model.image_size, at_most=count)
        if len(usable) < count and not (data.short == "take" and len(usable)):
            bad = len(rows) - len(usable) if images.bad_images == "skip" else 0
            short.append(
                f"{label!r} of {source} ({split}): {count} asked, {len(usable)} there"
                + (f" and {bad} that cannot be used" if bad else "")
            )
        chosen.append(Chosen(label=label, source=source, rows=usable))

    for label, count in _ranked(spec, stage, source_of).items():
        blended = blended_count(count, data.blend)
        take(label, data.source, data.split, count - blended)
        if data.blend:
            take(label, data.blend.source, data.blend.split, blended)
    for other in data.others:
        splits[other.source].add(other.split)
        names = [name for name in source_of(other.source).classes(other.split) if name not in spec.target.classes]
        if len(names) < other.n_classes:
            short.append(f"other classes of {other.source}: {other.n_classes} asked, {len(names)} there")
            continue
        order = seeded("others", seed, other.source).permutation(len(names))
        for i in order[: other.n_classes].tolist():
            take(names[i], other.source, other.split, other.samples_per_class)
    _check_once(spec, twice)
    labels = {source: [label for label, name in taken if name == source] for source in sorted(splits)}
    if unknown := [lack for source in labels for lack in source_of(source).lacking(labels[source], splits[source])]:
        raise DataError(
            listed(unknown), where=f"run {spec.run_id}", remedy="name classes and splits as the source does"
        )
    if short:
        raise DataError(
            all_listed("more images asked for than there are", sorted(short)),
            where=f"run {spec.run_id}",
            remedy="ask for fewer samples per class, fewer other classes, or a milder profile",
        )
    return chosen


def _ranked(spec: RunSpec, stage: int, source_of: Callable[[str], Source]) -> dict[str, int]:
    """{target class: images wanted}; where ranks are those of the source, its largest class gets the largest size."""
    data, counts = spec.stages[stage].data, target_counts(spec, stage)
    if data.ranks != "source" or not counts:
        return counts
    there = {name: len(source_of(data.source).rows(name, data.split)) for name in spec.target.classes}
    names = sorted(there, key=lambda name: (-there[name], name))
    return dict(zip(names, sorted(counts.values(), reverse=True), strict=True))


def _check_once(spec: RunSpec, twice: Mapping[tuple[str, str], Sequence[str]]) -> None:
    """Refuse to count an image twice. twice : (source, split) -> classes that an earlier part took there already"""
    faults = []
    for (source, split), labels in sorted(twice.items()):
        first, *more = sorted(labels)
        fault = f"two parts of the recipe take class {first!r} from {source} ({split}), so the same images twice"
        faults.append(fault + (f", and so {', '.join(map(repr, more))}" if more else ""))
    if faults:
        raise DataError(
            listed(faults),
            where=f"run {spec.run_id}",
            remedy="blend with another source or split, and name each source of other classes once",
        )


def _check_untested(spec: RunSpec, stage: int) -> None:
    """Refuse to train a target class on images that it is tested on, as far as names and digests tell.

    A derived split lies inside the one it comes from. Other classes are not tested, whatever split they come from.
    """
    tests = {"tests on": spec.target.test}
    tests |= {f"tests the shift {name!r} on": test for name, test in sorted(spec.target.shifts.items())}
    faults, remedies = [], set()
    for source, split in sorted(_target_splits(spec, stage)):
        for words, test in tests.items():
            if spec.sources[source] == spec.sources[test.source] and overlapping(split, test.split):
                faults.append(
                    f"trains on {source} ({split}) and {words} {test.source} ({test.split}), which share images"
                )
                remedies.add(FIT if derived(split) or derived(test.split) else APART)
    if faults:
        raise DataError(listed(faults), where=f"run {spec.run_id}", remedy="; ".join(sorted(remedies)))


def _target_splits(spec: RunSpec, stage: int) -> set[tuple[str, str]]:
    """(source, split) of every image that one stage shows of a target class."""
    data, found = spec.stages[stage].data, set()
    for count in target_counts(spec, stage).values():
        blended = blended_count(count, data.blend)
        if count > blended:
            found.add((data.source, data.split))
        if data.blend and blended:
            found.add((data.blend.source, data.blend.split))
    return found


def training_sets(spec: RunSpec, source_of: Callable[[str], Source], place: Place = "device") -> list[TrainingSet]:
    """Decode the chosen images of every stage. A class has one place in the head through all stages.

    place : with 'files' nothing is decoded before it is shown
    """
    stages = [choose(spec, stage, source_of) for stage in range(len(spec.stages))]
    places = head_places(spec, stages)
    return [_training_set(spec, chosen, places, source_of, place) for chosen in stages]


def head_places(spec: RunSpec, stages: Sequence[Sequence[Chosen]]) -> dict[tuple[str, str], int]:
    """{(source, label): its logit} of all stages: targets first, whatever their source, then other classes, sorted."""
    every = {(part.source, part.label) for chosen in stages for part in chosen}
    target = {label: place for place, label in enumerate(spec.target.classes)}
    others = sorted(key for key in every if key[1] not in target)
    first = len(target)
    return {key: target[key[1]] for key in every if key[1] in target} | {key: first + i for i, key in enumerate(others)}


def _training_set(
    spec: RunSpec,
    chosen: list[Chosen],
    places: Mapping[tuple[str, str], int],
    source_of: Callable[[str], Source],
    place: Place,
) -> TrainingSet:
    for name in sorted({part.source for part in chosen}):  # each source at once: one error names all its bad images
        rows = np.concatenate([part.rows for part in chosen if part.source == name])
        if place == "files":
            source_of(name).met[rows] = True
        else:
            source_of(name).load(rows, spec.model.image_size)
    pixels: Pixels | Streamed
    if place == "files":
        pixels = Streamed([(source_of(part.source), part.rows) for part in chosen], spec.model.image_size)
    else:
        pixels = np.concatenate([source_of(part.source).pixels(part.rows, spec.model.image_size) for part in chosen])
    labels = [places[part.source, part.label] for part in chosen]
    sizes = [len(part.rows) for part in chosen]
    keys = [_keys(part) for part in chosen]
    return TrainingSet(
        pixels=pixels,
        labels=np.repeat(np.array(labels, dtype=np.int64), sizes),
        keys=np.concatenate(keys),
        classes=_names(spec, places),
        distribution=LabelDistribution.from_counts(
            [(part.label, part.source, len(part.rows)) for part in chosen], targets=spec.target.classes
        ),
    )


def _names(spec: RunSpec, places: Mapping[tuple[str, str], int]) -> list[str]:
    """Name of every logit that has one, in their order."""
    others = sorted((place, label) for (_, label), place in places.items() if place >= len(spec.target.classes))
    return [*spec.target.classes, *(label for _, label in others)]


def _keys(part: Chosen) -> NDArray[np.uint64]:
    """A number for each image that depends on nothing but the image: its source and row."""
    base = np.uint64(seeded("key", part.source).integers(2**63))
    return mixed(base + part.rows.astype(np.uint64))


def mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64 finaliser (Steele, Lea, Flood 2014): well-mixed numbers from counters."""
    with np.errstate(over="ignore"):
        z = values + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def epoch_order(keys: NDArray[np.uint64], training_seed: int, epoch: int, stage: int = 0) -> NDArray[np.int64]:
    """Order of the images in one epoch of a stage, from (seed, stage, epoch) alone.

    Images sort by a random number of their own, so the order of a subset is that of the whole set, thinned.
    """
    words = ("order", training_seed, epoch) if stage == 0 else ("order", training_seed, epoch, "stage", stage)
    salt = np.uint64(seeded(*words).integers(2**63))
    return np.argsort(mixed(keys ^ salt), kind="stable")
