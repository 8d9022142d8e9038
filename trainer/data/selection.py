"""Which images a spec trains on: nested by class size, paired by data seed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from predictor.distribution import LabelDistribution
from predictor.errors import DataError, listed
from predictor.spec import RunSpec, blended_count, seeded, target_counts
from trainer.data.sources import Pixels, Source
from trainer.data.splits import derived, overlapping


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """Images of one class from one source."""

    label: str
    source: str
    rows: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class TrainingSet:
    """pixels (N, 3, S, S) uint8, labels (N,) int64 into `classes` (targets first), keys (N,) uint64 of each image."""

    pixels: Pixels
    labels: NDArray[np.int64]
    keys: NDArray[np.uint64]
    classes: list[str]
    distribution: LabelDistribution


def choose(spec: RunSpec, stage: int, source_of: Callable[[str], Source]) -> list[Chosen]:
    """The images of one stage. Raises DataError listing every class that is not there or has fewer images than asked
    for, or where two parts of the recipe would take the same images: a record counts images, each once.

    Within a class images are taken in a random order that depends on the data seed alone, so a smaller class is a
    subset of a larger one. Bad images that are to be left out are passed over in that order.
    Other classes are drawn by the data seed from the source's classes that are no targets.
    """
    data, seed = spec.stages[stage].data, spec.seeds.data
    chosen: list[Chosen] = []
    short: list[str] = []
    unknown: list[str] = []
    taken: dict[tuple[str, str], list[str]] = defaultdict(list)

    def take(label: str, source: str, split: str, count: int) -> None:
        if not count:
            return
        if any(overlapping(split, other) for other in taken[label, source]):
            raise DataError(
                f"two parts of the recipe take class {label!r} from {source} ({split}), so the same images twice",
                where=f"run {spec.run_id}",
                remedy="blend with another source or split, and name each source of other classes once",
            )
        taken[label, source].append(split)
        _check_untested(spec, label, source, split)
        images = source_of(source)
        if lack := images.lacks(label, split):
            unknown.append(lack)
            return
        rows = images.rows(label, split)
        order = seeded("images", seed, source, label).permutation(len(rows))
        usable = images.usable(rows[order], spec.model.image_size, at_most=count)
        if len(usable) < count:
            bad = len(rows) - len(usable) if images.bad_images == "skip" else 0
            short.append(
                f"{label!r} of {source} ({split}): {count} asked, {len(usable)} there"
                + (f" and {bad} that cannot be used" if bad else "")
            )
        chosen.append(Chosen(label=label, source=source, rows=usable))

    for label, count in target_counts(spec, stage).items():
        blended = blended_count(count, data.blend)
        take(label, data.source, data.split, count - blended)
        if data.blend:
            take(label, data.blend.source, data.blend.split, blended)
    for other in data.others:
        names = [name for name in source_of(other.source).classes(other.split) if name not in spec.target.classes]
        if len(names) < other.n_classes:
            short.append(f"other classes of {other.source}: {other.n_classes} asked, {len(names)} there")
            continue
        order = seeded("others", seed, other.source).permutation(len(names))
        for i in order[: other.n_classes].tolist():
            take(names[i], other.source, other.split, other.samples_per_class)
    if unknown:
        raise DataError(
            listed(list(dict.fromkeys(unknown))), where=f"run {spec.run_id}", remedy="name the class as the source does"
        )
    if short:
        raise DataError(
            f"more images asked for than there are: {listed(sorted(short))}",
            where=f"run {spec.run_id}",
            remedy="ask for fewer samples per class, fewer other classes, or a milder profile",
        )
    return chosen


def _check_untested(spec: RunSpec, label: str, source: str, split: str) -> None:
    """Refuse to train on what is tested, as far as names tell: a derived split lies inside the one it comes from."""
    for test in (spec.target.test, *spec.target.shifts.values()):
        between = derived(split) or derived(test.split)
        if label in spec.target.classes and test.source == source and between and overlapping(split, test.split):
            raise DataError(
                f"trains on {source} ({split}) and tests on {source} ({test.split}), which share images",
                where=f"run {spec.run_id}",
                remedy="train on SPLIT:fit where SPLIT:validation is tested, with the same groups",
            )


def training_sets(spec: RunSpec, source_of: Callable[[str], Source]) -> list[TrainingSet]:
    """Decode the chosen images of every stage. A class has one place in the head through all stages."""
    stages = [choose(spec, stage, source_of) for stage in range(len(spec.stages))]
    every = {(part.source, part.label) for chosen in stages for part in chosen}
    others = sorted(key for key in every if key[1] not in spec.target.classes)
    return [_training_set(spec, chosen, others, source_of) for chosen in stages]


def _training_set(
    spec: RunSpec, chosen: list[Chosen], others: list[tuple[str, str]], source_of: Callable[[str], Source]
) -> TrainingSet:
    position = {("", label): i for i, label in enumerate(spec.target.classes)}
    position |= {key: len(spec.target.classes) + i for i, key in enumerate(others)}
    for name in sorted({part.source for part in chosen}):  # each source at once: one error names all its bad images
        rows = np.concatenate([part.rows for part in chosen if part.source == name])
        source_of(name).load(rows, spec.model.image_size)
    pixels = [source_of(part.source).pixels(part.rows, spec.model.image_size) for part in chosen]
    labels = [position.get(("", part.label), position.get((part.source, part.label), -1)) for part in chosen]
    sizes = [len(part.rows) for part in chosen]
    keys = [_keys(part) for part in chosen]
    return TrainingSet(
        pixels=np.concatenate(pixels),
        labels=np.repeat(np.array(labels, dtype=np.int64), sizes),
        keys=np.concatenate(keys),
        classes=[*spec.target.classes, *(label for _, label in others)],
        distribution=LabelDistribution.from_counts(
            [(part.label, part.source, len(part.rows)) for part in chosen], targets=spec.target.classes
        ),
    )


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


def epoch_order(keys: NDArray[np.uint64], training_seed: int, epoch: int) -> NDArray[np.int64]:
    """Order of the images in one epoch, from (seed, epoch) alone.

    Images sort by a random number of their own, so the order of a subset is that of the whole set, thinned.
    """
    salt = np.uint64(seeded("order", training_seed, epoch).integers(2**63))
    return np.argsort(mixed(keys ^ salt), kind="stable")
