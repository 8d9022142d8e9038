"""Parquet: a file, a folder of files at any depth, or a pattern."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from predictor.errors import ManifestError, listed
from predictor.manifest.counted import ManifestRequest
from predictor.manifest.engine import connected, quoted_path
from predictor.manifest.parts import Opened
from predictor.manifest.readers.files import ChosenFile, chosen_files, joined_folders
from predictor.manifest.readers.limits import refuse
from predictor.manifest.readers.paths import files_of
from predictor.manifest.readers.text import check_growth
from predictor.manifest.table import Table
from predictor.manifest.table_parts import TablePart, with_columns

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


@contextmanager
def opened(path: Path, request: ManifestRequest) -> Iterator[Opened]:
    """A file, a folder or a pattern, each file for itself.

    Folders and file names say splits ('val/0.parquet', 'train.parquet'), folders `name=value` say columns.

    Raises ManifestError for a file that cannot be read, and for a column that cannot be used.
    """
    refuse(request, "Parquet", str(path), "header", "sheet")
    files, notes = chosen_files(path, files_of(path, ENDING), request)
    if joined := joined_folders(path, [file.path for file in files]):
        notes.append(f"folders joined: {listed(list(map(repr, joined)))}")
    with connected(
        [file.path for file in files], str(path), "Parquet file", "write it again, or name another"
    ) as engine:
        yield Opened([TablePart(_table(file, engine), request) for file in files], notes)


def _table(file: ChosenFile, connection: duckdb.DuckDBPyConnection) -> Table:
    relation = f"read_parquet({quoted_path(file.path)}, hive_partitioning = false)"
    check_size(file.path, connection)
    described = connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
    table = Table(
        path=file.path,
        connection=connection,
        relation=relation,
        columns={row[0]: row[1] for row in described},
        split=file.split,
    )
    return with_columns(table, **file.columns)


def check_size(file: Path, connection: duckdb.DuckDBPyConnection) -> None:
    """Raise ManifestError for a file that grows beyond every list of labels, by what it says itself."""
    n_rows, size = connection.execute(
        f"SELECT (SELECT sum(num_rows) FROM parquet_file_metadata({quoted_path(file)})), "
        f"(SELECT sum(total_uncompressed_size) FROM parquet_metadata({quoted_path(file)}))"
    ).fetchone()
    if (n_rows or 0) > MAX_ROWS:
        raise ManifestError(f"says that it has {n_rows:,} rows; at most {MAX_ROWS:,} are counted", where=str(file))
    check_growth(file, size or 0)
