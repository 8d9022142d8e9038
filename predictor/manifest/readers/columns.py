"""Columns of an Arrow or a Parquet file, counted by DuckDB a chunk at a time; nothing else can be read meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from predictor.errors import ManifestError, listed
from predictor.manifest.counted import Request
from predictor.manifest.engine import quoted_name, quoted_path
from predictor.manifest.readers.features import UNLABELLED, LabelColumn, of_schema
from predictor.manifest.table import MAX_KEYS, MAX_NAME, check_keys
from predictor.manifest.where import condition

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

MAX_BATCH = 1 << 30  # bytes of the needed columns of one Arrow batch, once unpacked
ROWS = "samples"  # what the table is called in SQL


@dataclass(frozen=True)
class Columns:
    """An open file. features : {} where its schema says nothing of them"""

    path: Path
    names: tuple[str, ...]
    features: dict[str, object]
    connection: duckdb.DuckDBPyConnection
    schema: pa.Schema | None = None  # of an Arrow file

    def count(self, column: LabelColumn, request: Request) -> tuple[list[tuple[str | None, int]], int, int | None]:
        """((cell, count), images, images with a label); the last is None where a cell is one label."""
        name, rows = quoted_name(column.name), condition(request.where)
        cells = f"SELECT {name}::VARCHAR AS cell FROM {ROWS} WHERE {rows}"
        lists = ""
        if column.many:
            missing = "''" if column.names is None else f"'{UNLABELLED}'"
            known = f"[cell FOR cell IN ({name}::VARCHAR[]) IF trim(cell) <> {missing}]"
            lists = f"SELECT {known} AS cells FROM {ROWS} WHERE {rows}"
            cells = f"SELECT {'unnest(cells)' if request.several == 'all' else 'cells[1]'} AS cell FROM ({lists})"
        counts = f"SELECT left(cell, {MAX_NAME + 1}), count(*) FROM ({cells}) GROUP BY cell LIMIT {MAX_KEYS + 1}"
        found = self._query(counts, column, request)
        check_keys([cell for cell, _ in found], str(self.path), column.name)
        if not column.many:
            return found, sum(n for _, n in found), None
        totals = f"SELECT count(*), count(*) FILTER (len(cells) > 0) FROM ({lists})"
        ((n, labelled),) = self._query(totals, column, request)
        return [row for row in found if row[0] is not None], n, labelled

    def _query(self, sql: str, column: LabelColumn, request: Request) -> list[tuple]:
        import duckdb

        try:
            if self.schema is None:
                return self.connection.execute(sql).fetchall()
            return self._of_stream(sql, column, request)
        except (duckdb.ProgrammingError, duckdb.PermissionException, duckdb.DataError) as error:
            if request.where is None:
                raise
            opens = isinstance(error, duckdb.PermissionException)
            problem = "opens something" if opens else f"does not fit: {_first_line(error)}"
            raise ManifestError(
                f"{request.where!r} {problem}",
                where="--where",
                remedy=f"columns of {self.path}: {listed(list(map(quoted_name, self.names)))}",
            ) from None

    def _of_stream(self, sql: str, column: LabelColumn, request: Request) -> list[tuple]:
        import pyarrow as pa

        said = (request.where or "").lower()
        needed = [i for i, name in enumerate(self.names) if name == column.name or name.lower() in said]
        failed: list[Exception] = []
        with _stream(self.path, needed) as (schema, batches):  # which is read once: every query opens its own
            stream = pa.RecordBatchReader.from_batches(schema, _checked(batches, failed))
            self.connection.register(ROWS, stream)
            try:
                return self.connection.execute(sql).fetchall()
            except Exception:
                if failed:  # instead of what DuckDB makes of it
                    raise failed[0] from None
                raise
            finally:
                self.connection.unregister(ROWS)


@contextmanager
def open_columns(path: Path, connection: duckdb.DuckDBPyConnection) -> Iterator[Columns]:
    """Open an Arrow (stream or file) or a Parquet file. Raises ManifestError for what cannot be read."""
    import duckdb

    try:
        with path.open("rb") as file:
            parquet = file.read(4) == b"PAR1"
        with connection.cursor() as cursor:
            yield _parquet(path, cursor) if parquet else _arrow(path, cursor)
    except (duckdb.Error, MemoryError, OverflowError) as error:
        raise _unreadable(path, error) from None
    except OSError as error:
        raise ManifestError(f"cannot be read: {error.strerror or error}", where=str(path)) from None


def _parquet(path: Path, connection: duckdb.DuckDBPyConnection) -> Columns:
    file = quoted_path(path)
    metadata = dict(connection.execute(f"SELECT key, value FROM parquet_kv_metadata({file})").fetchall())
    connection.execute(f"CREATE TEMP VIEW {ROWS} AS SELECT * FROM read_parquet({file}, hive_partitioning = false)")
    names = [row[0] for row in connection.execute(f"DESCRIBE {ROWS}").fetchall()]
    return Columns(path, tuple(names), of_schema(metadata, str(path)), connection)


def _arrow(path: Path, connection: duckdb.DuckDBPyConnection) -> Columns:
    with _stream(path, None) as (schema, _):
        return Columns(path, tuple(schema.names), of_schema(schema.metadata, str(path)), connection, schema)


@contextmanager
def _stream(path: Path, needed: list[int] | None) -> Iterator[tuple[pa.Schema, Iterator[pa.RecordBatch]]]:
    """(schema, batches) with the needed columns only; the file is mapped, so the others are not even read."""
    try:
        import pyarrow as pa
    except ImportError:
        raise ManifestError(
            "is an Arrow file, which pyarrow reads", where=str(path), remedy="pip install pyarrow"
        ) from None
    try:
        with pa.memory_map(str(path)) as file:
            whole = file.read(6) == b"ARROW1"
            file.seek(0)
            options = pa.ipc.IpcReadOptions(included_fields=needed or [], use_threads=False)
            reader = (pa.ipc.open_file if whole else pa.ipc.open_stream)(file, options=options)
            batches = (reader.get_batch(i) for i in range(reader.num_record_batches)) if whole else iter(reader)
            yield reader.schema, batches
    except (pa.ArrowException, OSError, MemoryError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from None


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


def _unreadable(path: Path, error: Exception) -> ManifestError:
    return ManifestError(
        f"is not readable: {_first_line(error)}", where=str(path), remedy="copy or write the file again"
    )


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300].rstrip(".!") if lines else type(error).__name__
