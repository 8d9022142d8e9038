"""Sources that are written here, whole or not at all: Parquet files, and Arrow files, which are mapped to be read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from predictor.errors import DataError
from predictor.files import publish
from predictor.images.digests import file_digest

COLUMNS = ("label", "split", "source", "group")
GROUP = 8  # rows of a row group of Parquet, which is unpacked whole: training asks for images in random order

Rows = Iterable[list[dict[str, Any]]]


def write_parquet(out: Path, batches: Rows) -> str:
    """Write rows of encoded `image` and COLUMNS, as batches come; the digest as a grid states it.

    What the batches raise ends it without a file; an existing file is never overwritten.
    Raises DataError where the file cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = _schema()
    how: dict[str, Any] = {"compression": "zstd", "use_dictionary": ["label", "split"]}
    with _whole(out) as file, pq.ParquetWriter(file, schema, **how) as writer:
        for batch in batches:
            writer.write_table(pa.Table.from_pylist(batch, schema), row_group_size=GROUP)
    return file_digest(out)


def write_arrow(out: Path, batches: Rows, said: Callable[[], Mapping[str, str]]) -> None:
    """Write the same rows as an Arrow file: an image is read where it lies, whatever its neighbours.

    said : what the file says of itself, asked for once the last batch is written; `said_by` reads it
    Ends, and raises, as `write_parquet`.
    """
    import pyarrow as pa

    schema = _schema()
    with _whole(out) as file, pa.ipc.new_file(file, schema) as writer:
        for batch in batches:
            writer.write_table(pa.Table.from_pylist(batch, schema))
        nothing = pa.RecordBatch.from_pylist([], schema)  # a batch has words of its own, and comes last
        writer.write_batch(nothing, custom_metadata=said())


def said_by(file: Path) -> dict[str, str]:
    """What an Arrow file says of itself. Raises OSError or ValueError where it is none, or is not whole."""
    import pyarrow as pa

    with pa.memory_map(str(file)) as mapped:
        reader = pa.ipc.open_file(mapped)
        if not reader.num_record_batches:
            return {}
        words = reader.get_batch_with_custom_metadata(reader.num_record_batches - 1).custom_metadata or {}
        return {key.decode(): value.decode() for key, value in words.items()}


def _schema() -> Any:
    import pyarrow as pa

    return pa.schema([("image", pa.binary()), *((name, pa.string()) for name in COLUMNS)])


@contextmanager
def _whole(out: Path) -> Iterator[IO[bytes]]:
    """A file that has its name once it is written to the end. Raises DataError where it cannot be written."""
    refuse_existing(out)
    temporary = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(temporary, "xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            if not publish(temporary, out):
                raise DataError("appeared while it was written", where=str(out), remedy="choose another name")
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(out, error) from None


def refuse_existing(out: Path) -> None:
    """Raise DataError where something has that name."""
    if out.exists():
        raise DataError("is there already", where=str(out), remedy="remove it or choose another name")


def unwritable(out: Path, error: OSError) -> DataError:
    """The error of a full disk or a read-only folder, in words."""
    return DataError(f"cannot be written: {error.strerror or error}", where=str(out))
