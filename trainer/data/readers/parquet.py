"""A Parquet file with columns `image` (encoded bytes), `label` and, if wanted, `split`, `source` and `group`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from predictor.errors import DataError
from predictor.images.digests import file_digest
from predictor.reading import check_regular
from predictor.text import visible
from trainer.data.source import Source

NEEDED = "a source has columns image (encoded bytes), label and, if wanted, split, source and group"


def read(name: str, path: Path) -> Source:
    """Open the file. Raises DataError where it is no Parquet file, lacks a column or holds no encoded images."""
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(check_regular(path))
    except (OSError, ValueError) as error:
        raise DataError(f"is not a readable Parquet file: {error}", where=str(path)) from None
    if missing := {"image", "label"} - set(table.column_names):
        raise DataError(
            f"missing column {', '.join(map(repr, sorted(missing)))}; found {', '.join(map(repr, table.column_names))}",
            where=str(path),
            remedy=NEEDED,
        )
    n = table.num_rows
    columns = {column: table.column(column).to_pylist() for column in table.column_names if column != "image"}
    ids = columns.get("source")
    groups = columns.get("group")
    return Source(
        name,
        file_digest(path),
        _words(columns["label"]),
        _words(columns.get("split") or ["train"] * n),
        bytes_of(table.column("image"), path),
        lambda row: f"row {row + 1}" + (f" ({visible(str(ids[row]))})" if ids else ""),
        ids=_words(ids) if ids else None,
        groups=_words(groups) if groups else None,
        ids_are_content=True,
    )


def bytes_of(column: Any, path: Path) -> Callable[[int], bytes]:
    """Row -> encoded bytes, of a column as pyarrow holds it: in chunks, since one of binary cells ends at 2 GiB.

    A struct with `bytes` is how Hugging Face's datasets write images. Raises DataError for any other type.
    """
    import pyarrow as pa

    kind = column.type
    nested = pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0
    inner = kind.field("bytes").type if nested else kind
    if not any(is_kind(inner) for is_kind in (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view)):
        raise DataError(
            f"column 'image' holds {kind}; needed: the encoded bytes of each image (a PNG or JPEG file's content)",
            where=str(path),
            remedy="write the files' bytes into it, or name the files in a CSV list path,label",
        )
    chunks = column.chunks
    starts = np.cumsum([0, *(len(chunk) for chunk in chunks)])

    def read(row: int) -> bytes:
        number = int(np.searchsorted(starts, row, side="right")) - 1
        cell = chunks[number][int(row - starts[number])].as_py()
        return (cell or {}).get("bytes") or b"" if nested else cell or b""

    return read


def _words(values: list[Any]) -> np.ndarray:
    return np.array([str(value) for value in values], dtype=str)
