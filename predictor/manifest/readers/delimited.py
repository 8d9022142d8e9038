"""CSV and TSV, plain or packed with gzip or zstd: a header, and a row per sample or per class."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from predictor.errors import SHOWN, ManifestError
from predictor.manifest.counted import ManifestRequest
from predictor.manifest.engine import TABLES, connected, quoted, quoted_name, quoted_path
from predictor.manifest.parts import Opened
from predictor.manifest.readers.files import ChosenFile, chosen_files
from predictor.manifest.readers.limits import refuse
from predictor.manifest.readers.paths import files_of, head_of
from predictor.manifest.readers.text import (
    UTF8,
    check_line_ends,
    check_unpacked,
    compression,
    first_line,
    line_places,
    text_head,
)
from predictor.manifest.table import UNNAMED, Table, label_of, looks_like_data, row_numbers, shown
from predictor.manifest.table_parts import TablePart, with_columns

if TYPE_CHECKING:
    import duckdb

MAX_REJECTS = 100_000  # bad rows that are counted
DELIMITERS = (b",", b"\t", b";", b"|")


def recognises(path: Path, head: bytes) -> bool:
    """Any text: readers of other texts are asked before."""
    return bool(head) and head[:4] != b"PAR1" and text_head(path, head) is not None


@contextmanager
def opened(path: Path, request: ManifestRequest) -> Iterator[Opened]:
    """A file, or all files of a pattern.

    Columns 'label' (needed), 'count', 'source' and 'split' have their meaning; blanks around cells are dropped.

    Raises ManifestError for a header, row or cell that cannot be used.
    """
    refuse(request, "a delimited text", str(path), "sheet")
    files, notes = chosen_files(path, files_of(path), request)
    import duckdb

    with connected([file.path for file in files], str(path)) as connection:
        try:
            tables = [text_table(file, connection, request) for file in files]
            parts = [TablePart(table, request) for table in tables]
            if len(parts) > 1 and all(part.roles.by_image for part in parts):  # an image may stand in several files
                parts = [TablePart(_joined(path, tables), request)]
            yield Opened(parts, notes)
        except duckdb.InvalidInputException:  # which names the first bad row
            for file in files:
                check_line_ends(file.path)
                _check_rows(text_table(ChosenFile(path=file.path), connection, request))
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


def text_table(chosen: ChosenFile, connection: duckdb.DuckDBPyConnection, request: ManifestRequest) -> Table:
    """A delimited text file as a table; without a header its columns are called 1, 2, ..."""
    file = chosen.path
    head = head_of(file)
    check_unpacked(file, head)
    first = first_line(file, head)
    if not first.strip():
        raise ManifestError(
            "has no header in its first line",
            where=str(file),
            remedy="give it a header line with a column 'label'",
        )
    delimiter = _delimiter(first)
    names = _header(file, first, delimiter, request.header)
    # with the columns stated nothing is guessed: a guess would skip rows that do not fit
    columns = ", ".join(f"{quoted(name)}: 'VARCHAR'" for name in names)
    table = Table(
        path=file,
        connection=connection,
        relation=f"read_csv({quoted_path(file)}, delim = {_escaped(delimiter)}, header = {request.header}, "
        f"quote = '\"', escape = '\"', compression = '{compression(head)}', null_padding = false, strict_mode = true, "
        f"auto_detect = false, columns = {{{columns}}})",
        columns=dict.fromkeys(names, "VARCHAR"),
        split=chosen.split,
        text=True,
        semicolons=delimiter == ";",
        places=line_places(file, head, delimiter, header=request.header),
    )
    if not request.header and not request.label:
        table = replace(table, default_label=label_of(first.decode("utf-8-sig", "replace").split(delimiter)))
    return with_columns(table, **chosen.columns)


def _joined(path: Path, tables: list[Table]) -> Table:
    columns = [name for name in tables[0].columns if all(name in table.columns for table in tables)]
    named = ", ".join(map(quoted_name, columns))
    rows = " UNION ALL ".join(f"SELECT {named} FROM {table.relation}" for table in tables)
    return replace(
        tables[0], path=path, relation=f"({rows})", columns=dict.fromkeys(columns, "VARCHAR"), places=row_numbers
    )


def _delimiter(first: bytes) -> str:
    best = max(DELIMITERS, key=first.count)
    return best.decode() if best in first else ","


def _escaped(delimiter: str) -> str:
    return "E'\\t'" if delimiter == "\t" else quoted(delimiter)


def _header(path: Path, first: bytes, delimiter: str, named: bool) -> list[str]:
    try:
        names = next(csv.reader([first.decode("utf-8-sig").rstrip("\r")], delimiter=delimiter))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ManifestError(f"has a header that cannot be read: {error}", where=str(path), remedy=UTF8) from None
    if not named:
        return [str(number) for number in range(1, len(names) + 1)]
    # pandas writes its index under no name
    names = [name.strip() or f"{UNNAMED} {number}" for number, name in enumerate(names, 1)]
    small = [name.lower() for name in names]  # as the engine compares them
    if twice := {name for name, key in zip(names, small, strict=True) if small.count(key) > 1}:
        raise ManifestError(
            f"names column {sorted(twice)[0]!r} twice in its header",
            where=str(path),
            remedy="rename one of them" + (", or say --no-header if it is data" if looks_like_data(names) else ""),
        )
    return names
