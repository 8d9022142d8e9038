"""CSV, TSV and Parquet files as DuckDB relations whose columns are known and whose cells are text."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from predictor.errors import ManifestError

if TYPE_CHECKING:
    import duckdb

HEAD_BYTES = 65_536  # of a text file, to see its delimiter


@dataclass(frozen=True, kw_only=True)
class Table:
    """A file as SQL: `relation` gives its rows in file order; every cell is text or NULL.

    first_line : line of the file on which the first row stands; None where rows have no lines (Parquet)
    """

    path: Path
    connection: duckdb.DuckDBPyConnection
    relation: str
    columns: tuple[str, ...]
    first_line: int | None


@contextmanager
def open_table(path: Path) -> Iterator[Table]:
    """Open a table file. Raises ManifestError where it is missing, empty or no table."""
    if not path.exists():
        raise ManifestError("no such file", where=str(path), remedy="name a CSV or Parquet file")
    if path.is_dir():
        raise ManifestError("is a folder", where=str(path), remedy="name a CSV or Parquet file")
    if path.stat().st_size == 0:
        raise ManifestError("is empty", where=str(path), remedy="it needs a header line with a column 'label'")
    import duckdb

    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    parquet = head[:4] == b"PAR1"
    source = f"read_parquet({_quoted(path)})" if parquet else _csv(path, head)
    try:
        with duckdb.connect(config={"preserve_insertion_order": True}) as connection:
            names = [row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()]
            yield Table(
                path=path,
                connection=connection,
                relation=source,
                columns=tuple(names),
                first_line=None if parquet else 2,
            )
    except duckdb.Error as error:
        kind = "Parquet file" if parquet else "table"
        raise ManifestError(
            f"is not a readable {kind}: {_first_line(error)}",
            where=str(path),
            remedy="check that every row has as many cells as the header, and that the text is UTF-8",
        ) from None


def quoted_name(name: str) -> str:
    """A column name in SQL.

    >>> quoted_name('a"b')
    '"a""b"'
    """
    return '"' + name.replace('"', '""') + '"'


def row_lines(path: Path) -> list[int] | None:
    """The line on which each row of a CSV ends: blank lines hold no row, a quoted cell may span several lines.

    None for a compressed file.
    """
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    if head[:2] == b"\x1f\x8b" or head[:4] == b"\x28\xb5\x2f\xfd":
        return None
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as stream:
        reader = csv.reader(stream, delimiter=_delimiter(head.split(b"\n", 1)[0]))
        next(reader, None)
        return [reader.line_num for row in reader if row]


def _delimiter(first: bytes) -> str:
    best = max((b",", b"\t", b";"), key=first.count)
    return best.decode() if best in first else ","


def _quoted(path: Path) -> str:
    # DuckDB takes *, ? and [ in a path for a pattern; in brackets they are themselves
    text = "".join(f"[{c}]" if c in "*?[" else c for c in str(path))
    return "'" + text.replace("'", "''") + "'"


def _csv(path: Path, head: bytes) -> str:
    compression = "none"
    if head[:2] == b"\x1f\x8b":
        compression = "gzip"
        try:
            with gzip.open(path) as stream:
                head = stream.read(HEAD_BYTES)
        except (OSError, EOFError) as error:
            raise ManifestError(f"is not a whole gzip file: {error}", where=str(path)) from None
    elif head[:4] == b"\x28\xb5\x2f\xfd":
        compression, head = "zstd", b""
    if b"\0" in head:
        raise ManifestError("is neither text nor Parquet", where=str(path), remedy="name a CSV or Parquet file")
    first = head.split(b"\n", 1)[0]
    if compression != "zstd" and not first.strip():
        raise ManifestError(
            "has no header in its first line", where=str(path), remedy="it needs a header line with a column 'label'"
        )
    delimiter = _delimiter(first)
    escaped = delimiter.replace("\t", "\\t")
    shape = "all_varchar = true"
    if first:  # with the columns stated nothing is guessed: a guess would skip rows that do not fit
        names = _header(path, first, delimiter)
        columns = ", ".join("'" + name.replace("'", "''") + "': 'VARCHAR'" for name in names)
        shape = f"auto_detect = false, columns = {{{columns}}}"
    return (
        f"read_csv({_quoted(path)}, delim = E'{escaped}', header = true, quote = '\"', escape = '\"', "
        f"compression = '{compression}', null_padding = false, strict_mode = true, {shape})"
    )


def _header(path: Path, first: bytes, delimiter: str) -> list[str]:
    try:
        names = next(csv.reader([first.decode("utf-8-sig").rstrip("\r")], delimiter=delimiter))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ManifestError(f"has a header that cannot be read: {error}", where=str(path)) from None
    names = [name.strip() for name in names]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ManifestError(
            f"names column {sorted(twice)[0]!r} twice in its header", where=str(path), remedy="rename one of them"
        )
    return names


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:2])[:300]
