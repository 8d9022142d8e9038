"""Parquet sources, written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from predictor.errors import DataError
from predictor.files import publish
from predictor.images.digests import file_digest

COLUMNS = ("label", "split", "source", "group")
GROUP = 8  # rows of a row group, which is unpacked whole: training asks for images in random order


def write_parquet(
    out: Path, batches: Iterable[list[dict[str, Any]]], said: Callable[[], Mapping[str, str]] | None = None
) -> str:
    """Write rows of encoded `image` and COLUMNS, as batches come; the digest as a grid states it.

    said : what the file says of itself in its metadata, asked for once the last batch is written
    What the batches raise ends it without a file; an existing file is never overwritten.
    Raises DataError where the file cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    refuse_existing(out)
    schema = pa.schema([("image", pa.binary()), *((name, pa.string()) for name in COLUMNS)])
    temporary = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(temporary, "xb") as file:
                with pq.ParquetWriter(file, schema, compression="zstd", use_dictionary=["label", "split"]) as writer:
                    for batch in batches:
                        writer.write_table(pa.Table.from_pylist(batch, schema), row_group_size=GROUP)
                    if said is not None:
                        writer.add_key_value_metadata(said())
                file.flush()
                os.fsync(file.fileno())
            digest = file_digest(temporary)
            if not publish(temporary, out):
                raise DataError("appeared while it was written", where=str(out), remedy="choose another name")
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(out, error) from None
    return digest


def refuse_existing(out: Path) -> None:
    """Raise DataError where something has that name."""
    if out.exists():
        raise DataError("is there already", where=str(out), remedy="remove it or choose another name")


def unwritable(out: Path, error: OSError) -> DataError:
    """The error of a full disk or a read-only folder, in words."""
    return DataError(f"cannot be written: {error.strerror or error}", where=str(out))
