"""A Parquet file with columns `image` (encoded bytes), `label` and, if wanted, `split`, `source` and `group`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from predictor.errors import DataError
from predictor.images.digests import file_digest
from trainer.data.source import Source


def read(name: str, path: Path) -> Source:
    """Open the file. Raises DataError where it is no Parquet file, lacks a column or a class name."""
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (OSError, ValueError) as error:
        raise DataError(f"is not a readable Parquet file: {error}", where=str(path)) from None
    if missing := {"image", "label"} - set(table.column_names):
        raise DataError(
            f"missing column {', '.join(map(repr, sorted(missing)))}; found {', '.join(map(repr, table.column_names))}",
            where=str(path),
            remedy="a source has columns image (encoded bytes), label and, if wanted, split, source and group",
        )
    n = table.num_rows
    columns = {column: table.column(column).to_pylist() for column in table.column_names if column != "image"}
    images = table.column("image").combine_chunks()
    ids = columns.get("source")
    groups = columns.get("group")
    return Source(
        name,
        file_digest(path),
        _words(columns["label"]),
        _words(columns.get("split") or ["train"] * n),
        lambda row: images[row].as_py() or b"",
        lambda row: f"row {row + 1}" + (f" ({ids[row]})" if ids else ""),
        ids=_words(ids) if ids else None,
        groups=_words(groups) if groups else None,
        ids_are_content=True,
    )


def _words(values: list[Any]) -> np.ndarray:
    return np.array([str(value) for value in values], dtype=str)
