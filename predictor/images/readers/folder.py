"""Images that are files of their own: those of a folder `class/image.jpg` or `split/class/image.jpg`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from predictor.errors import DataError, listed
from predictor.images.digests import MAX_IMAGE, files_digest
from predictor.images.listing import Images
from predictor.images.readers.rows import rows_of
from predictor.manifest.readers.folder_tree import text
from predictor.reading import read_bytes


def read(path: Path) -> Images:
    """List the folder; names are sorted, so the order is the same everywhere.

    Raises DataError for a folder that the manifest's readers refuse, and for one whose images are no files of it.
    """
    whole = Path(os.path.abspath(path))
    try:
        rows = rows_of(whole)
    except DataError as error:  # names the folder as it was asked for
        problem, where = ((part or "").replace(str(whole), str(path)) for part in (error.problem, error.where))
        raise DataError(problem, where=where, remedy=error.remedy) from None
    files = [whole / sample.image for sample in rows.samples]  # some readers give paths from the root on
    if missing := [sample.image for sample, file in zip(rows.samples, files, strict=True) if not file.is_file()]:
        found = listed([text(name) or "a row without a path" for name in missing])
        raise DataError(
            f"{len(missing)} images are no files below it: {found}",
            where=str(path),
            remedy="name a folder class/image.jpg or split/class/image.jpg, a CSV list path,label, or one Parquet file",
        )
    ids = [text(str(file.relative_to(whole))) for file in files]
    return of_files(path, files, rows.labels, rows.splits, ids, rows.groups, notes=rows.notes)


def of_files(
    path: Path,
    files: Sequence[Path],
    labels: Sequence[str],
    splits: Sequence[str],
    ids: Sequence[str],
    groups: Sequence[str] | None = None,
    notes: tuple[str, ...] = (),
) -> Images:
    """Images that are files of their own.

    ids : what each is called, also in errors and records: its path below the source, wherever that lies
    """
    words = [f"{label}\0{split}" for label, split in zip(labels, splits, strict=True)]
    if groups is not None:  # they decide derived splits, so they are content
        words = [f"{word}\0{group}" for word, group in zip(words, groups, strict=True)]

    def bytes_of(rows: Sequence[int]) -> Iterator[bytes]:
        for row in rows:
            try:
                yield read_bytes(files[row], limit=MAX_IMAGE)
            except OSError as error:
                raise DataError(
                    f"cannot be read: {error.strerror}", where=text(str(files[row])), remedy="make it readable"
                ) from None

    return Images(
        path,
        np.array(labels, dtype=str),
        np.array(splits, dtype=str),
        bytes_of,
        lambda row: ids[row],
        lambda: files_digest(files, words),
        ids=np.array(ids, dtype=str),
        groups=None if groups is None else np.array(groups, dtype=str),
        notes=notes,
    )
