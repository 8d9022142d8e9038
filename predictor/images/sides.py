"""Which images of a source a run is trained on and which it is tested on, where the source may have no test split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from predictor.errors import DataError, ManifestError, listed
from predictor.images.listing import Images
from predictor.images.parts import PARTS, content_groups, in_validation
from predictor.manifest.counted import ManifestRequest
from predictor.manifest.splits import chosen_splits

NO_TEST = "name the split to test on with --test-split, or lay one out: test/CLASS/image.jpg, or a column 'split'"
LEAVE_OUT = "add images, or leave the class out: --targets FILE, a file with one tested class a line"
ELSEWHERE = f"{LEAVE_OUT}; to test on another split: predictor pilots --test-split NAME"


@dataclass(frozen=True)
class Sides:
    """The splits of a source as a grid names them.

    counts : {class: images to train on}, None where nobody looked; note : what was done, in words
    """

    train_split: str = "train"
    test_split: str = "test"
    counts: dict[str, int] | None = None
    note: str | None = None


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
    kept = _kept_back(images, rows.tolist())
    fit, validation = (f"{train}:{part}" for part in PARTS)
    tested, trained = Counter(labels[kept].tolist()), Counter(labels[~kept].tolist())
    _check_parts(classes, trained, tested, where)
    note = f"no test split: {int(kept.sum()):,} of {len(rows):,} training images are kept for testing ({validation})"
    return Sides(fit, validation, dict(trained), note)


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


def _kept_back(images: Images, rows: Sequence[int]) -> NDArray[np.bool_]:
    """(n,) whether each image is in the validation part, as the trainer derives it."""
    chosen = np.array(rows, dtype=np.int64)
    if images.groups is not None:
        groups = images.groups[chosen].tolist()
    else:
        encoded = images.read(rows)  # one after the other: they may be many
        groups = content_groups(lambda row: next(encoded), chosen)
    return np.array([in_validation(group) for group in groups], dtype=bool)


def _check(classes: Sequence[str], there: Counter[str], where: str, split: str) -> None:
    if missing := [repr(name) for name in classes if not there[name]]:
        raise DataError(f"no image of {listed(missing)} in {split!r}", where=where, remedy=ELSEWHERE)


def _check_parts(classes: Sequence[str], trained: Counter[str], tested: Counter[str], where: str) -> None:
    """Raise DataError where a class has too few images for both parts of the training images."""
    faults = []
    for there, what in ((tested, "test"), (trained, "train")):
        for name in classes:
            n = trained[name] + tested[name]
            if not there[name]:
                faults.append(f"class {name!r} has {n:,} image{'' if n == 1 else 's'}: none is left to {what} on")
    if faults:
        raise DataError(
            f"{listed(faults)}; an eighth of the training images is kept for testing", where=where, remedy=LEAVE_OUT
        )
