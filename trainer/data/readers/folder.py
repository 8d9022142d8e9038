"""A folder of images: `class/image.jpg`, or `split/class/image.jpg`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from predictor.errors import DataError
from trainer.data.readers.digests import files_digest
from trainer.data.source import Source

IMAGE_ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm"}


def read(name: str, path: Path) -> Source:
    """Open the folder; file names are sorted, so the order is the same everywhere.

    Raises DataError where its images do not lie at one depth.
    """
    files = sorted(file for file in path.rglob("*") if file.suffix.lower() in IMAGE_ENDINGS)
    parts = [file.relative_to(path).parts for file in files]
    depths = {len(part) for part in parts}
    if not files or not depths <= {2, 3} or len(depths) != 1:
        raise DataError(
            f"found {len(files)} images at depths {sorted(depths)}",
            where=str(path),
            remedy="an image folder is class/image.jpg or split/class/image.jpg throughout",
        )
    split = ["train"] * len(files) if depths == {2} else [part[0] for part in parts]
    return of_files(name, files, [part[-2] for part in parts], split, ["/".join(part) for part in parts])


def of_files(
    name: str,
    files: Sequence[Path],
    labels: Sequence[str],
    splits: Sequence[str],
    ids: Sequence[str],
    groups: Sequence[str] | None = None,
) -> Source:
    """A source whose images are files of their own.

    ids : what each is called, also in errors and records: its path below the source, wherever that lies
    """
    words = [f"{label}\0{split}" for label, split in zip(labels, splits, strict=True)]
    if groups is not None:  # they decide derived splits, so they are content
        words = [f"{word}\0{group}" for word, group in zip(words, groups, strict=True)]
    return Source(
        name,
        files_digest(files, words),
        np.array(labels, dtype=str),
        np.array(splits, dtype=str),
        lambda row: files[row].read_bytes(),
        lambda row: ids[row],
        ids=np.array(ids, dtype=str),
        groups=None if groups is None else np.array(groups, dtype=str),
    )
