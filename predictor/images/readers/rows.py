"""The images of a source as the manifest's readers list them, so that what is trained on is what is counted.

Labels, splits, roles of columns, junk and notes are theirs; here is only what an image needs besides: one label, and a
place where its bytes are.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from predictor.errors import DataError, ManifestError, listed
from predictor.manifest import ManifestSample, list_samples

NO_SPLIT = "train"  # images that no split is named for
UNNAMED = (  # what lists images is read without the options of a manifest, such as --label
    "rename the column of the classes to 'label'; where the first line is data, write one above it that names the "
    "columns: path,label"
)
NO_LABEL = "name a folder class/image.jpg, a Parquet file image,label, or a CSV list path,label"
LEFT_OUT = ""  # label and split of a row that has no label: it belongs to no class and no split


@dataclass(frozen=True)
class Rows:
    """The images of a source. groups : None where none is named; notes : what was left out or taken how"""

    samples: list[ManifestSample]
    notes: tuple[str, ...]

    @property
    def labels(self) -> list[str]:
        """The class of each image."""
        return [sample.labels[0] for sample in self.samples]

    @property
    def splits(self) -> list[str]:
        """The split of each image."""
        return [sample.split or NO_SPLIT for sample in self.samples]

    @property
    def groups(self) -> list[str] | None:
        """The group of each image."""
        groups = [sample.group for sample in self.samples]
        return groups if any(groups) else None

    def padded(self, n: int) -> tuple[NDArray[np.str_], NDArray[np.str_], NDArray[np.str_] | None]:
        """Labels, splits and groups of all n rows of one file, each at the row's number; LEFT_OUT where it is none.

        A row keeps its number whatever stands before it: that is what orders and choices are drawn by.
        """
        rows = np.array([sample.row for sample in self.samples], dtype=np.int64)

        def placed(words: list[str]) -> NDArray[np.str_]:
            found = np.full(n, LEFT_OUT, dtype=f"<U{max(map(len, words), default=1) or 1}")
            found[rows] = words
            return found

        groups = self.groups
        return placed(self.labels), placed(self.splits), None if groups is None else placed(groups)


def rows_of(path: Path, label: str | None = None) -> Rows:
    """Every labelled image of a manifest, of all splits.

    label : column of the labels; None: the format's own default
    Raises DataError for a manifest that cannot be read, lists no image, or gives an image several labels.
    """
    try:
        listing = list_samples(path, split="all", label=label)
    except ManifestError as error:
        unnamed = label is None and "--label" in (error.remedy or "")
        raise DataError(error.problem, where=error.where, remedy=UNNAMED if unnamed else error.remedy) from None
    if not listing.samples:
        raise DataError("lists no image with a label", where=str(path), remedy=NO_LABEL)
    if several := [sample for sample in listing.samples if len(sample.labels) > 1]:
        found = [f"row {s.row + 1}: {', '.join(map(repr, s.labels))}" for s in several]
        raise DataError(
            f"{len(several)} images of several labels, where training takes one: {listed(found)}",
            where=str(path),
            remedy="keep one label of each image",
        )
    notes = tuple(note for note in listing.notes if not note.startswith(("splits joined", "column 'source' differs")))
    return Rows(listing.samples, notes)
