"""CSV and TSV, plain or packed with gzip or zstd: a header, and a row per sample or per class."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from predictor.errors import SHOWN, ManifestError
from predictor.manifest.counted import Counted, Request
from predictor.manifest.counting import count_labels
from predictor.manifest.engine import TABLES, connected, quoted, quoted_path
from predictor.manifest.readers.paths import files_of, head_of
from predictor.manifest.readers.text import check_unpacked, compression, line_places, text_head
from predictor.manifest.table import Table, shown

if TYPE_CHECKING:
    import duckdb

MAX_REJECTS = 100_000  # bad rows that are counted
DELIMITERS = (b",", b"\t", b";")


def recognises(path: Path, head: bytes) -> bool:
    """Any text: readers of other texts are asked before."""
    return bool(head) and head[:4] != b"PAR1" and text_head(path, head) is not None


def read(path: Path, request: Request) -> Counted:
    """Count the labels of a file, or of all files of a pattern.

    Columns 'label' (needed), 'count', 'source' and 'split' have their meaning; blanks around cells are dropped.

    Raises ManifestError for a header, row or cell that cannot be used.
    """
    files = files_of(path)
    import duckdb

    with connected(files, str(path)) as connection:
        try:
            return count_labels(str(path), tables(files, connection), request)
        except duckdb.InvalidInputException:  # which names the first bad row
            for table in tables(files, connection):
                _check_rows(table)
            raise


def _check_rows(table: Table) -> None:
    """Raise ManifestError for rows that do not fit the header, all of them."""
    options = f", store_rejects = true, rejects_limit = {MAX_REJECTS})"
    table.connection.execute(f"SELECT count(*) FROM {table.relation.removesuffix(')')}{options}").fetchall()
    found = table.connection.execute(
        f"SELECT line, error_message, count(*) OVER () FROM reject_errors ORDER BY line LIMIT {SHOWN}"
    ).fetchall()
    if not found:
        return
    n = found[0][2]
    bad = shown([f"line {line}: {problem.strip().splitlines()[0].rstrip('.')}" for line, problem, _ in found], n)
    more = " or more" if n >= MAX_REJECTS else ""
    raise ManifestError(
        f"{n:,}{more} bad {'row' if n == 1 else 'rows'}, first at {bad}",
        where=str(table.path),
        remedy=TABLES,
    )


def tables(files: list[Path], connection: duckdb.DuckDBPyConnection) -> Iterator[Table]:
    """The tables of delimited text files."""
    for file in files:
        head = head_of(file)
        check_unpacked(file, head)
        first = (text_head(file, head) or b"").split(b"\n", 1)[0]
        if not first.strip():
            raise ManifestError(
                "has no header in its first line",
                where=str(file),
                remedy="it needs a header line with a column 'label'",
            )
        delimiter = _delimiter(first)
        names = _header(file, first, delimiter)
        # with the columns stated nothing is guessed: a guess would skip rows that do not fit
        columns = ", ".join(f"{quoted(name)}: 'VARCHAR'" for name in names)
        yield Table(
            path=file,
            connection=connection,
            relation=f"read_csv({quoted_path(file)}, delim = {_escaped(delimiter)}, header = true, quote = '\"', "
            f"escape = '\"', compression = '{compression(head)}', null_padding = false, strict_mode = true, "
            f"auto_detect = false, columns = {{{columns}}})",
            columns=dict.fromkeys(names, "VARCHAR"),
            places=line_places(file, head, delimiter, header=True),
        )


def _delimiter(first: bytes) -> str:
    best = max(DELIMITERS, key=first.count)
    return best.decode() if best in first else ","


def _escaped(delimiter: str) -> str:
    return "E'\\t'" if delimiter == "\t" else quoted(delimiter)


def _header(path: Path, first: bytes, delimiter: str) -> list[str]:
    try:
        names = next(csv.reader([first.decode("utf-8-sig").rstrip("\r")], delimiter=delimiter))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ManifestError(f"has a header that cannot be read: {error}", where=str(path)) from None
    names = [name.strip() for name in names]
    small = [name.lower() for name in names]  # as the engine compares them
    if twice := {name for name, key in zip(names, small, strict=True) if small.count(key) > 1}:
        raise ManifestError(
            f"names column {sorted(twice)[0]!r} twice in its header", where=str(path), remedy="rename one of them"
        )
    return names
