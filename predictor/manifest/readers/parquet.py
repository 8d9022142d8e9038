"""Parquet: a file, a folder of files at any depth, or a pattern."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from predictor.errors import ManifestError
from predictor.manifest.counted import Counted, Request
from predictor.manifest.counting import count_labels
from predictor.manifest.engine import connected, quoted_path
from predictor.manifest.readers.paths import files_of
from predictor.manifest.readers.text import check_growth
from predictor.manifest.table import Table

if TYPE_CHECKING:
    import duckdb

MARK = b"PAR1"
ENDING = ".parquet"
LOOKED_AT = 10_000  # files and folders of a folder; one of images may hold millions
MAX_ROWS = 10_000_000_000  # few bytes of Parquet can stand for any number of rows


def recognises(path: Path, head: bytes) -> bool:
    """A file that begins as Parquet does, or a folder among whose first files one has this ending."""
    if head or not path.is_dir():
        return head[:4] == MARK
    return any(file.name.endswith(ENDING) for file in islice(path.rglob("*"), LOOKED_AT))


def read(path: Path, request: Request) -> Counted:
    """Count the labels of a file, a folder or a pattern, each file for itself.

    Raises ManifestError for a file that cannot be read, and for a column or cell that cannot be used.
    """
    files = files_of(path, ENDING)
    with connected(files, str(path), "Parquet file", "write it again, or name another") as connection:
        return count_labels(str(path), (_table(file, connection) for file in files), request)


def _table(file: Path, connection: duckdb.DuckDBPyConnection) -> Table:
    relation = f"read_parquet({quoted_path(file)}, hive_partitioning = false)"
    _check_size(file, connection)
    described = connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
    return Table(path=file, connection=connection, relation=relation, columns={row[0]: row[1] for row in described})


def _check_size(file: Path, connection: duckdb.DuckDBPyConnection) -> None:
    """Raise ManifestError for a file that grows beyond every list of labels, by what it says itself."""
    n_rows, size = connection.execute(
        f"SELECT (SELECT sum(num_rows) FROM parquet_file_metadata({quoted_path(file)})), "
        f"(SELECT sum(total_uncompressed_size) FROM parquet_metadata({quoted_path(file)}))"
    ).fetchone()
    if (n_rows or 0) > MAX_ROWS:
        raise ManifestError(f"says that it has {n_rows:,} rows; at most {MAX_ROWS:,} are counted", where=str(file))
    check_growth(file, size or 0)
