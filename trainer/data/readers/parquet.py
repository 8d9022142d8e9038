"""A Parquet file with columns `image` (encoded bytes), `label` and, if wanted, `split`, `source` and `group`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from predictor.errors import DataError
from predictor.images.listing import open_images
from predictor.reading import check_regular
from trainer.data.source import Source


def read(name: str, path: Path) -> Source:
    """Open the file. Raises DataError where it is no Parquet file, lacks a column or holds no encoded images."""
    import pyarrow.parquet as pq

    images = open_images(path)
    try:
        column = pq.read_table(check_regular(path), columns=["image"]).column("image")
    except (OSError, ValueError) as error:
        raise DataError(f"is not a readable Parquet file: {error}", where=str(path)) from None
    return Source.of(name, images, bytes_of(column))


def bytes_of(column: Any) -> Callable[[int], bytes]:
    """Row -> encoded bytes, of a column as pyarrow holds it: in chunks, since one of binary cells ends at 2 GiB.

    A struct with `bytes` is how Hugging Face's datasets write images.
    """
    import pyarrow as pa

    nested = pa.types.is_struct(column.type)
    chunks = column.chunks
    starts = np.cumsum([0, *(len(chunk) for chunk in chunks)])

    def read(row: int) -> bytes:
        number = int(np.searchsorted(starts, row, side="right")) - 1
        cell = chunks[number][int(row - starts[number])].as_py()
        return (cell or {}).get("bytes") or b"" if nested else cell or b""

    return read
