"""Images that lie many to a file: what WebDataset shards and Hugging Face data sets share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from predictor.images.digests import packed_digest
from predictor.images.listing import Images
from predictor.images.readers.rows import Rows


def of_files(path: Path, rows: Rows, names: Sequence[str], read: Callable[[int], bytes], *, named: bool) -> Images:
    """Images of the files that their rows name.

    names : what errors and records call each image; read : number of an image -> its bytes, from any thread
    named : whether the names are the images' own, not their places
    """
    labels, splits, groups = rows.labels, rows.splits, rows.groups
    files = list(dict.fromkeys(sample.file for sample in rows.samples))
    base = path if path.is_dir() else path.parent

    def bytes_of(wanted: Sequence[int]) -> Iterator[bytes]:
        yield from (read(int(row)) for row in wanted)

    words = [f"{label}\0{split}" for label, split in zip(labels, splits, strict=True)]
    if groups is not None:
        words = [f"{word}\0{group}" for word, group in zip(words, groups, strict=True)]
    return Images(
        path,
        np.array(labels, dtype=str),
        np.array(splits, dtype=str),
        bytes_of,
        lambda row: names[row],
        lambda: packed_digest(files, [os.path.relpath(file, base) for file in files], words),
        ids=np.array(names, dtype=str) if named else None,
        groups=None if groups is None else np.array(groups, dtype=str),
        ids_are_content=named,
        notes=rows.notes,
    )
