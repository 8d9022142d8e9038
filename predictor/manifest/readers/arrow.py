"""Arrow files as tables: DuckDB counts them a batch at a time; columns that are not needed are not read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from predictor.errors import ManifestError
from predictor.manifest.readers.features import of_schema
from predictor.manifest.table import Table

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

MAX_BATCH = 1 << 30  # bytes of the needed columns of one Arrow batch, once unpacked


def arrow_table(path: Path, connection: duckdb.DuckDBPyConnection, name: str) -> tuple[Table, dict[str, object]]:
    """(the file as a table, the features in its schema). name : of the relation in SQL

    Raises ManifestError for what cannot be read.
    """
    import pyarrow as pa

    with _opening(path, described=True), _stream(path, None) as (schema, _):
        features = of_schema(schema.metadata, str(path))
        connection.register(name, pa.RecordBatchReader.from_batches(schema, []))
        columns = {row[0]: row[1] for row in connection.execute(f"DESCRIBE SELECT * FROM {name}").fetchall()}
        connection.unregister(name)

    @contextmanager
    def opening(sql: str) -> Iterator[None]:
        needed = [i for i, column in enumerate(columns) if re.search(rf"(?<!\w){re.escape(column)}(?!\w)", sql, re.I)]
        failed: list[Exception] = []
        with _opening(path), _stream(path, needed) as (schema, batches):  # read once: every query its own
            connection.register(name, pa.RecordBatchReader.from_batches(schema, _checked(batches, failed)))
            try:
                yield
            except Exception:
                if failed:  # instead of what DuckDB makes of it
                    raise failed[0] from None
                raise
            finally:
                connection.unregister(name)

    return Table(path=path, connection=connection, relation=name, columns=columns, opening=opening), features


@contextmanager
def _opening(path: Path, described: bool = False) -> Iterator[None]:
    import duckdb

    try:
        yield
    except (
        duckdb.ProgrammingError,
        duckdb.PermissionException,
        duckdb.DataError,
        duckdb.OutOfMemoryException,
    ) as error:
        if described:
            raise unreadable(path, error) from None
        raise  # of a condition, or of the engine
    except (duckdb.Error, MemoryError, OverflowError) as error:
        raise unreadable(path, error) from None
    except OSError as error:
        raise ManifestError(f"cannot be read: {error.strerror or error}", where=str(path)) from None


@contextmanager
def _stream(path: Path, needed: list[int] | None) -> Iterator[tuple[pa.Schema, Iterator[pa.RecordBatch]]]:
    """(schema, batches) with the needed columns only; the file is mapped, so the others are not even read."""
    import pyarrow as pa

    try:
        with pa.memory_map(str(path)) as file:
            whole = file.read(6) == b"ARROW1"
            file.seek(0)
            options = pa.ipc.IpcReadOptions(included_fields=needed or [], use_threads=False)
            reader = (pa.ipc.open_file if whole else pa.ipc.open_stream)(file, options=options)
            batches = (reader.get_batch(i) for i in range(reader.num_record_batches)) if whole else iter(reader)
            yield reader.schema, batches
    except (pa.ArrowException, OSError, MemoryError, UnicodeDecodeError) as error:
        raise unreadable(path, error) from None


def _checked(batches: Iterator[pa.RecordBatch], failed: list[Exception]) -> Iterator[pa.RecordBatch]:
    """The batches, each of them valid: the engine trusts what it is given."""
    try:
        for batch in batches:
            batch.validate(full=True)
            if batch.nbytes > MAX_BATCH:
                raise ManifestError(f"a batch of {batch.nbytes:,} bytes of labels; the limit is {MAX_BATCH:,}")
            yield batch
    except Exception as error:
        failed.append(error)
        raise


def check_pyarrow(path: Path) -> None:
    """Raise ManifestError where what reads Arrow files is not there."""
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise ManifestError(
            "is an Arrow file, which pyarrow reads", where=str(path), remedy="install it: pip install pyarrow"
        ) from None


def unreadable(path: Path, error: Exception) -> ManifestError:
    """What to say of a damaged file."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    first = lines[0][:300].rstrip(".!") if lines else type(error).__name__
    return ManifestError(f"is not readable: {first}", where=str(path), remedy="copy or write the file again")
