"""Which training images a probe looks at: some of each tested class, the same ones every time, decoded once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from predictor.errors import DataError, listed, with_near
from predictor.images.groups import named_groups, numbered_groups
from predictor.images.listing import Images
from predictor.manifest.counted import ManifestRequest
from predictor.manifest.splits import chosen_splits

MOST, FEWEST = 120, 50  # images of a class that are looked at: few classes, many classes
ALL = 6_000  # of all classes together, where that leaves FEWEST
SEED = 0
UNGROUPED = "leave --group out, or state the groups in a column 'group'"
Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class ImageSample:
    """Decoded training images of some classes.

    pixels : (n, S, S, 3) uint8; classes : (n,) index into `names`; groups : (n,) images that belong together
    rows : (n,) which images of the source they are
    names : (C,) sorted; counts : {class: training images there are}; notes : what was left out
    described : (n,) what each image is called
    """

    pixels: NDArray[np.uint8]
    classes: NDArray[np.int64]
    groups: NDArray[np.int64]
    rows: NDArray[np.int64]
    names: tuple[str, ...]
    counts: dict[str, int]
    described: tuple[str, ...]
    split: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class TrainingImages:
    """The training images of the tested classes, undecoded. rows : {class: rows}; groups : (R,) or None"""

    rows: dict[str, NDArray[np.int64]]
    groups: NDArray[np.str_] | None
    split: str
    notes: tuple[str, ...]


def training_images(
    images: Images, *, classes: Iterable[str] | None = None, split: str | None = None, group: str | int | None = None
) -> TrainingImages:
    """The rows of each class in the training split.

    classes : the tested ones; None: all
    split : by default 'train' or what means the same, or the only one there is
    group : images belong together whose names share what this regular expression finds, or, for a number, whose
        numbers (the last in their names) lie in one run of so many; None: as the source says

    Raises DataError for a class or split that is not there, and where images have no numbers.
    """
    taken, notes = chosen_splits(dict.fromkeys(images.splits.tolist()), ManifestRequest(split=split), str(images.path))
    there = np.flatnonzero(np.isin(images.splits, sorted(taken)))
    labels = images.labels[there]
    known = sorted(set(labels.tolist()))
    wanted = known if classes is None else sorted(set(classes))
    if missing := [name for name in wanted if name not in set(known)]:
        raise DataError(
            f"has no training image of {with_near(missing, known)}",
            where=str(images.path),
            remedy="name images of all tested classes, with the labels that the manifest writes",
        )
    groups = images.groups
    if group is not None:
        groups = np.full(len(images.labels), "")
        if images.ids is None:
            raise DataError("its images have no names to group them by", where=str(images.path), remedy=UNGROUPED)
        try:
            own = images.ids[there]
            groups = groups.astype(object)
            groups[there] = numbered_groups(own, group) if isinstance(group, int) else named_groups(own, group)
        except (ValueError, re.error) as error:
            raise DataError(str(error), where=str(images.path), remedy=UNGROUPED) from None
    rows = {name: there[labels == name] for name in wanted}
    return TrainingImages(rows, groups, ", ".join(sorted(taken)), notes)


def decoded_sample(
    images: Images, training: TrainingImages, size: int, *, progress: Progress | None = None
) -> ImageSample:
    """Decode some images of each class at size x size. Unreadable ones are left out and named in the notes.

    Raises DataError where no image can be read, or Pillow is missing.
    """
    try:
        from predictor.images.decoding import BadImage, decode, for_each
    except ImportError:
        raise DataError(
            "Pillow, which decodes images, is not installed", remedy='install it: pip install "predictor[images]"'
        ) from None

    names = tuple(training.rows)
    generator = np.random.default_rng(SEED)
    most = int(np.clip(ALL // max(len(names), 1), FEWEST, MOST))
    wanted = [np.sort(generator.permutation(rows)[:most]) for rows in training.rows.values()]
    flat = np.concatenate(wanted) if wanted else np.zeros(0, np.int64)
    of_class = np.repeat(np.arange(len(names)), [len(rows) for rows in wanted])
    encoded = dict(zip(flat.tolist(), images.read(flat.tolist()), strict=True))
    pixels, kept, bad = [], [], []
    for at, (row, done) in enumerate(for_each(lambda data: decode(data, size), encoded.__getitem__, flat.tolist())):
        if isinstance(done, BadImage):
            bad.append(f"{images.describe(row)}: {done}")
        else:
            pixels.append(done.transpose(1, 2, 0))
            kept.append(at)
        if progress and at % 100 == 0:
            progress("decoding", (at + 1) / len(flat))
    if not pixels:
        found = listed(bad) if bad else "it lists no training image"
        raise DataError(f"no image can be read: {found}", where=str(images.path), remedy="mend them, or name others")
    rows = flat[kept]
    groups = np.arange(len(rows))
    if training.groups is not None:
        groups = np.unique(training.groups[rows], return_inverse=True)[1].astype(np.int64)
    notes = training.notes
    if bad:
        notes += (f"{len(bad)} unreadable images left out: {listed(bad)}",)
    return ImageSample(
        np.stack(pixels),
        of_class[kept],
        groups,
        rows,
        names,
        {name: len(rows) for name, rows in training.rows.items()},
        tuple(images.describe(row) for row in rows.tolist()),
        training.split,
        notes,
    )


def read_list(images: Path, manifest: Path | None, label: str | None = None) -> tuple[Images, tuple[str, ...] | None]:
    """(images, the classes to probe; None: all of them) of a place and a manifest.

    A manifest of paths lists the images, which lie below `images`; any other names the classes.
    label : column of the labels, of the manifest where there is one
    Raises DataError or ManifestError for what cannot be read.
    """
    from predictor.images.listing import open_images, opened
    from predictor.images.readers import manifest as lists

    if manifest is None:
        return opened(images, label), None
    if images.is_dir() and lists.lists_paths(manifest, label, images):
        return lists.read(manifest, images, label=label), None
    from predictor.manifest import read_manifest

    found = read_manifest(manifest, label=label)
    return open_images(images), found.target_names
