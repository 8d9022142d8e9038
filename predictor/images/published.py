"""Published data sets by name: their real layouts, and what is checked instead of the digest of every byte.

A grid that states `digest: named:imagenet-v2` means that set wherever it lies, so that the ids of its runs are known to
everybody before anybody has the images. Its bytes are not hashed. What is checked is what can tell another set: the
names of its classes, that none is empty, and the number of images where every copy has the same number; where copies
differ (links that died), a note says how many there are.

| name | below the source's folder | classes | images |
|---|---|---|---|
| imagenet-1k | train/WNID/*.JPEG, val/WNID/*.JPEG | imagenet-1k | val 50,000; train 1,281,167 |
| imagenet-100 | the same, 100 of its folders | imagenet-100 | val 5,000; train about 126,700 |
| imagenet-v2 | 0/*.jpeg ... 999/*.jpeg, folders are whole numbers | imagenet-1k, by position | 10,000 |
| imagenet-sketch | WNID/*.JPEG | imagenet-1k | 50,889 |
| imagenet-r | WNID/*.jpg | imagenet-r | 30,000 |
| imagenet-a | WNID/*.jpg | imagenet-a | 7,500 |
| openimages-100 | any source with WNIDs as labels, such as a view of JANuS | imagenet-100 | train, about 136,175 |
| openimages | any source of other classes | its own | train, as many as there are |
| imagenet-21k | WNID/*.JPEG | its own, 10,000 or more | train, about 14,200,000 |

Sources: Russakovsky et al. 2015; Recht et al. 2019 (matched frequency); Wang et al. 2019; Hendrycks et al. 2021 (R, A);
Feuer et al. 2023 (JANuS); Kuznetsova et al. 2020; Deng et al. 2009.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from predictor.class_lists import class_list
from predictor.errors import DataError, listed, with_near
from predictor.images.listing import Images, open_images
from predictor.images.readers.rows import LEFT_OUT
from predictor.manifest.splits import KIND
from predictor.text import command

NAMED = "named:"  # how such a digest begins


@dataclass(frozen=True, kw_only=True)
class Published:
    """What every copy of a set has.

    classes : a list that ships; None: its own names, at least `least` of them
    positions : labels are positions in that list
    split : of all images; None: as its folders say
    exact : {split: images of every copy}; about : {split: images that were published, of which copies lack some}
    """

    classes: str | None = None
    positions: bool = False
    least: int = 2
    split: str | None = None
    exact: Mapping[str, int] = field(default_factory=dict)
    about: Mapping[str, int] = field(default_factory=dict)


SETS = {
    "imagenet-1k": Published(classes="imagenet-1k", exact={"val": 50_000}, about={"train": 1_281_167}),
    "imagenet-100": Published(classes="imagenet-100", exact={"val": 5_000}, about={"train": 126_689}),
    "imagenet-v2": Published(classes="imagenet-1k", positions=True, split="test", exact={"test": 10_000}),
    "imagenet-sketch": Published(classes="imagenet-1k", split="test", exact={"test": 50_889}),
    "imagenet-r": Published(classes="imagenet-r", split="test", exact={"test": 30_000}),
    "imagenet-a": Published(classes="imagenet-a", split="test", exact={"test": 7_500}),
    "openimages-100": Published(classes="imagenet-100", split="train", about={"train": 136_175}),
    "openimages": Published(split="train"),
    "imagenet-21k": Published(split="train", least=10_000, about={"train": 14_197_122}),
}


def open_stated(path: Path, digest: str) -> Images:
    """What lies at a path as a grid states it by a digest, which is still to be compared unless it is a name.

    Raises DataError as `read_published` and `open_images`.
    """
    return read_published(digest, path) if digest.startswith(NAMED) else open_images(path)


def read_published(digest: str, path: Path) -> Images:
    """A copy of a published set. Raises DataError for an unknown name, and for what is another set."""
    name = digest.removeprefix(NAMED)
    if name not in SETS:
        raise DataError(
            f"knows no published set {with_near([name], list(SETS))}",
            where=digest,
            remedy=f"name one of {', '.join(SETS)}, or state the digest of the content: "
            + command("predictor", "digest", path),
        )
    said = SETS[name]
    images = open_images(path)
    there = images.labels != LEFT_OUT
    labels, splits = images.labels, images.splits
    if said.positions:
        labels = _named_by_position(name, path, images, class_list(said.classes or ""))
    splits = np.where(there, said.split or [_plain(split) for split in splits.tolist()], LEFT_OUT)
    notes = images.notes + tuple(_check(name, said, path, labels[there], splits[there]))
    return replace(images, labels=labels, splits=splits, content=lambda: digest, notes=notes)


def _plain(split: str) -> str:
    """'validation' is 'val', whatever a copy calls it.

    >>> _plain("validation"), _plain("extra")
    ('val', 'extra')
    """
    return KIND.get(split.lower(), split)


def _named_by_position(name: str, path: Path, images: Images, classes: tuple[str, ...]) -> np.ndarray:
    """Folders 0, 1, ..., 999 as the classes at these places of the list: '10' is the eleventh, not the third."""
    labels = sorted(set(images.labels.tolist()) - {LEFT_OUT})
    if set(labels) <= set(classes):  # a copy whose folders somebody renamed
        return images.labels
    if wrong := [label for label in labels if not (label.isascii() and label.isdigit() and int(label) < len(classes))]:
        raise DataError(
            f"is no {name}: {len(wrong)} folders are no whole number from 0 to {len(classes) - 1}: "
            f"{listed([repr(label) for label in wrong])}",
            where=str(path),
            remedy="name the folder that holds the folders 0 to 999",
        )
    names = np.array([LEFT_OUT, *classes])
    place = {label: int(label) + 1 for label in labels} | {LEFT_OUT: 0}
    return names[[place[label] for label in images.labels.tolist()]]


def _check(name: str, said: Published, path: Path, labels: np.ndarray, splits: np.ndarray) -> list[str]:
    """Notes. Raises DataError where this is another set."""
    found = set(labels.tolist())
    faults = []
    if said.classes is None:
        if len(found) < said.least:
            faults.append(f"{len(found):,} classes; it has {said.least:,} or more")
    else:
        wanted = set(class_list(said.classes))
        for split in {*said.exact, *said.about} & set(splits.tolist()):
            if missing := wanted - set(labels[splits == split].tolist()):
                some = listed([repr(label) for label in sorted(missing)])
                faults.append(f"{split} has no image of {len(missing):,} of its {len(wanted):,} classes: {some}")
        if strange := found - wanted:
            faults.append(f"{len(strange):,} classes are none of its own: {listed([repr(n) for n in sorted(strange)])}")
    sizes = {split: int((splits == split).sum()) for split in (*said.exact, *said.about)}
    faults += [
        f"{split} has {sizes[split]:,} images; every copy has {n:,}"
        for split, n in said.exact.items()
        if sizes[split] not in (0, n)
    ]
    if faults:
        raise DataError(
            f"is no {name}: {'; '.join(faults)}",
            where=str(path),
            remedy="name the folder of the set, whole, or state the digest of this content instead: "
            + command("predictor", "digest", path),
        )
    return [
        f"{split} has {sizes[split]:,} images; {n:,} were published"
        for split, n in said.about.items()
        if sizes[split] not in (0, n)
    ]
