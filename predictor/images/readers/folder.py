"""A folder of images: `class/image.jpg`, or `split/class/image.jpg`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from predictor.errors import DataError, listed
from predictor.images.digests import files_digest
from predictor.images.listing import Images
from predictor.manifest.readers.folder_tree import IMAGE_ENDINGS
from predictor.reading import MIB, read_bytes
from predictor.text import visible

MAX_IMAGE = 1024 * MIB  # bytes of one encoded image


def read(path: Path) -> Images:
    """List the folder; file names are sorted, so the order is the same everywhere.

    Raises DataError where its images do not lie at one depth.
    """
    files = sorted(file for file in path.rglob("*") if file.suffix.lower().removeprefix(".") in IMAGE_ENDINGS)
    parts = [file.relative_to(path).parts for file in files]
    depths = {len(part) for part in parts}
    if not files or not depths <= {2, 3} or len(depths) != 1:
        raise DataError(
            f"found {len(files)} images at depths {sorted(depths)}",
            where=str(path),
            remedy="an image folder is class/image.jpg or split/class/image.jpg throughout",
        )
    split = ["train"] * len(files) if depths == {2} else [part[0] for part in parts]
    return of_files(path, files, [part[-2] for part in parts], split, ["/".join(part) for part in parts])


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def of_files(
    path: Path,
    files: Sequence[Path],
    labels: Sequence[str],
    splits: Sequence[str],
    ids: Sequence[str],
    groups: Sequence[str] | None = None,
) -> Images:
    """Images that are files of their own.

    ids : what each is called, also in errors and records: its path below the source, wherever that lies
    Raises DataError for a label or split that is no text.
    """
    unnamed = sorted({name for name in (*labels, *splits) if not _is_text(name)})
    if unnamed:
        raise DataError(
            f"names of folders that are not UTF-8: {listed([visible(name) for name in unnamed])}",
            where=str(path),
            remedy="rename them; they are the names of classes",
        )
    ids = [visible(name) for name in ids]
    words = [f"{label}\0{split}" for label, split in zip(labels, splits, strict=True)]
    if groups is not None:  # they decide derived splits, so they are content
        words = [f"{word}\0{group}" for word, group in zip(words, groups, strict=True)]

    def bytes_of(rows: Sequence[int]) -> Iterator[bytes]:
        for row in rows:
            try:
                yield read_bytes(files[row], limit=MAX_IMAGE)
            except OSError as error:
                raise DataError(f"cannot be read: {error.strerror}", where=str(files[row])) from None

    return Images(
        path,
        np.array(labels, dtype=str),
        np.array(splits, dtype=str),
        bytes_of,
        lambda row: ids[row],
        lambda: files_digest(files, words),
        ids=np.array(ids, dtype=str),
        groups=None if groups is None else np.array(groups, dtype=str),
    )
