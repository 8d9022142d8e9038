"""Which images of a source a run is trained on and which it is tested on, where the source may have no test split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from predictor.errors import DataError, ManifestError, listed
from predictor.images.listing import Images
from predictor.images.parts import PARTS, content_group, in_validation
from predictor.manifest.counted import ManifestRequest
from predictor.manifest.splits import chosen_splits

NO_TEST = "name the split to test on with --test-split, or lay one out: test/CLASS/image.jpg, or a column 'split'"
LEAVE_OUT = "add images, or leave the class out: --targets FILE, a file with one tested class a line"
ELSEWHERE = f"{LEAVE_OUT}; to test on another split: predictor pilots --test-split NAME"


@dataclass(frozen=True)
class Sides:
    """The splits of a source as a grid names them.

    counts : {class: images to train on}, None where nobody looked; note : what was done, in words
    n_unreadable : images that are not counted, where all were looked at to keep some for testing
    """

    train_split: str = "train"
    test_split: str = "test"
    counts: dict[str, int] | None = None
    note: str | None = None
    n_unreadable: int = 0


def sides_of(images: Images, classes: Iterable[str], split: str | None, wanted: str | None) -> Sides:
    """The splits to train and test on: 'test' or what means the same, else an eighth of the training images.

    split : to train on, by default 'train' or what means the same; wanted : to test on, None: as above

    Raises DataError where a split is not there, several are asked for, or a class has no image on one of the sides.
    """
    where, names = str(images.path), Counter(name for name in images.splits.tolist() if name)
    taken, _ = chosen_splits(names, ManifestRequest(split=split), where)
    if len(taken) > 1:
        raise DataError(
            f"splits {listed([repr(name) for name in sorted(taken)])} together; a grid trains on one of them",
            where=where,
            remedy="name it: --split NAME",
        )  # fmt: skip
    (train,) = taken
    there = [name for name in names if name != train]
    if wanted is not None and wanted not in there:
        raise DataError(f"no split {wanted!r} beside {train!r}; found {sorted(there)}", where=where, remedy=NO_TEST)
    test = wanted if wanted is not None else _tested(there, where)
    classes = sorted(classes)
    rows = np.flatnonzero((images.splits == train) & np.isin(images.labels, classes))
    labels = images.labels[rows]
    if test is not None:
        tested = Counter(images.labels[images.splits == test].tolist())
        _check(classes, tested, where, test)
        return Sides(train, test, dict(Counter(labels.tolist())))
    kept, readable = _kept_back(images, rows.tolist())
    fit, validation = (f"{train}:{part}" for part in PARTS)
    tested, trained = Counter(labels[kept & readable].tolist()), Counter(labels[~kept & readable].tolist())
    n = int(readable.sum())
    _check_parts(classes, trained, tested, where, " that can be read" if n < len(rows) else "")
    note = f"no test split: {tested.total():,} of {n:,} training images are kept for testing ({validation})"
    if n < len(rows):
        note += f"; {len(rows) - n:,} more cannot be read and are left out"
    return Sides(fit, validation, dict(trained), note, len(rows) - n)


def _tested(there: Sequence[str], where: str) -> str | None:
    """The split that means 'test', else 'val'; None where none does."""
    for word in ("test", "val"):
        try:
            found, _ = chosen_splits(dict.fromkeys(there), ManifestRequest(split=word), where)
        except ManifestError:
            continue
        if len(found) == 1:
            return next(iter(found))
    return None


def _kept_back(images: Images, rows: Sequence[int]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(n,) whether each image is in the validation part, as the trainer derives it, and (n,) whether it can be read."""
    found = list(_looked_at(images, rows))
    groups = [group or "" for group in found] if images.groups is None else images.groups[list(rows)].tolist()
    kept = [in_validation(group) for group in groups]
    return np.array(kept, dtype=bool), np.array([group is not None for group in found], dtype=bool)


def _looked_at(images: Images, rows: Sequence[int]) -> Iterator[str | None]:
    """The group of each image by its content, None where it cannot be read; one after the other: they may be many."""
    encoded = images.read(rows)
    try:
        from predictor.images.decoding import BadImage, for_each, open_rgb
    except ImportError:  # without Pillow nothing is decoded, and every image counts
        yield from map(content_group, encoded)
        return

    def content(data: bytes) -> str:
        open_rgb(data, at_least=1)  # as small as its codec can: it is looked at, not kept
        return content_group(data)

    for _, done in for_each(content, lambda _: next(encoded), rows):
        yield None if isinstance(done, BadImage) else done


def _check(classes: Sequence[str], there: Counter[str], where: str, split: str) -> None:
    if missing := [repr(name) for name in classes if not there[name]]:
        raise DataError(f"no image of {listed(missing)} in {split!r}", where=where, remedy=ELSEWHERE)


def _check_parts(
    classes: Sequence[str], trained: Counter[str], tested: Counter[str], where: str, which: str = ""
) -> None:
    """Raise DataError where a class has too few images for both parts of the training images. which : in words"""
    faults = []
    for there, what in ((tested, "test"), (trained, "train")):
        for name in classes:
            n = trained[name] + tested[name]
            if not there[name]:
                faults.append(
                    f"class {name!r} has {n:,} image{'' if n == 1 else 's'}{which}: none is left to {what} on"
                )
    if faults:
        raise DataError(
            f"{listed(faults)}; an eighth of the training images is kept for testing", where=where, remedy=LEAVE_OUT
        )
