"""A FractalDB as files: a Parquet source, or a folder with class/instance.png. Written whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from predictor.errors import DataError
from predictor.files import sync_folder
from trainer.data.readers.fractals import SPLIT, Fractals, encoded
from trainer.data.writing import refuse_existing, unwritable, write_parquet

ROWS = 512  # images in memory at a time, and in a row group


def write_database(
    source: Fractals, out: Path, size: int, *, threads: int = 1, progress: Callable[[int], None] | None = None
) -> str | None:
    """Write all images, `size` pixels, as PNG: a Parquet file where `out` ends so, else a new folder.

    The digest of the Parquet file; None for a folder. progress : called with the number of images done
    Raises DataError where `out` exists or cannot be written, or for an impossible size.
    """
    batches = _batches(source, size, threads, progress)
    if out.suffix == ".parquet":
        return write_parquet(out, batches)
    if out.suffix:
        raise DataError(
            "is neither a Parquet file nor a folder",
            where=str(out),
            remedy="end its name in .parquet, or without a dot",
        )
    refuse_existing(out)
    temporary = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        try:
            for batch in batches:
                for row in batch:
                    file = temporary / f"{row['source']}.png"
                    file.parent.mkdir(parents=True, exist_ok=True)
                    file.write_bytes(row["image"])
            os.rename(temporary, out)  # fails where a folder with content has appeared meanwhile
            sync_folder(out.parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise unwritable(out, error) from None
    return None


def _batches(
    source: Fractals, size: int, threads: int, progress: Callable[[int], None] | None
) -> Iterator[list[dict[str, Any]]]:
    for first in range(0, len(source.labels), ROWS):
        rows = np.arange(first, min(first + ROWS, len(source.labels)))
        images, groups = source.render(rows, size, threads=threads), source.group_names(rows)
        yield [
            {
                "image": encoded(image),
                "label": str(source.labels[row]),
                "split": SPLIT,
                "source": source.describe(row),
                "group": group,
            }
            for row, image, group in zip(rows.tolist(), images, groups, strict=True)
        ]
        if progress:
            progress(first + len(rows))
