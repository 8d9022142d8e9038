"""Tables in files: CSV, TSV, JSON records, JSON lines, Parquet, workbooks; by the ending of the name."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import Any

from predictor.errors import RegistryError
from predictor.files import literal
from predictor.importers.table import MAX_ROWS, BadCell, Cell, ImportedTable, parsed
from predictor.manifest.readers.workbook import sheet_of, workbook
from predictor.reading import MIB, check_regular, opened_text, read_text

MAX_FILE = 1024 * MIB
SEPARATORS = {".csv": ",", ".tsv": "\t"}
SHEET = "in the map, as in  sheet: '{}'"
ENDINGS = (*SEPARATORS, ".json", ".jsonl", ".parquet", ".xlsx")


def read_table(path: str | Path, *, separator: str | None = None, sheet: str | None = None) -> ImportedTable:
    """The table in a file.

    separator : of a CSV file; a comma where left out, a tab in .tsv
    sheet : of a workbook; its only one where left out

    Raises RegistryError for a missing or damaged file, and for an ending that no reader takes; ManifestError for a
    damaged workbook.
    """
    path = Path(path)
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        problem = f"ends in {ending!r}" if ending else "has no ending"
        raise RegistryError(f"{problem}; read are {', '.join(ENDINGS)}", where=str(path),
                            remedy="save it as one of these")  # fmt: skip
    try:
        size = check_regular(path).stat().st_size
        if size > MAX_FILE:
            raise RegistryError(f"has {size:,} bytes; at most {MAX_FILE:,} are read", where=str(path))
        if ending in SEPARATORS:
            return _delimited(path, separator or SEPARATORS[ending])
        if ending in (".json", ".jsonl"):
            return _json(path, lines=ending == ".jsonl")
        return _parquet(path) if ending == ".parquet" else _workbook(path, sheet)
    except FileNotFoundError:
        raise RegistryError("no such file", where=str(path), remedy="name an existing table") from None
    except IsADirectoryError:
        raise RegistryError("is a folder", where=str(path), remedy="name a table in it") from None
    except UnicodeDecodeError as error:
        raise RegistryError(f"is no UTF-8 text ({error.reason})", where=str(path), remedy="save it as UTF-8") from None
    except OSError as error:
        raise RegistryError(f"cannot be read: {error.strerror}", where=str(path),
                            remedy="name a readable table") from None  # fmt: skip


def _delimited(path: Path, separator: str) -> ImportedTable:
    with opened_text(path) as stream:
        reader = csv.reader(stream, delimiter=separator, strict=True)
        try:
            header = [name.strip() for name in next(reader, [])]
            if not any(header):
                raise RegistryError("no header", where=str(path), remedy="name the columns in the first line")
            if len(header) == 1 and any(mark in header[0] for mark in ";\t|"):
                raise RegistryError(
                    f"one column, {header[0]!r}; cells are parted by {separator!r}",
                    where=str(path),
                    remedy="name what parts them in the map, as in  separator: ';'",
                )
            rows = ((f"line {reader.line_num}", cells) for cells in reader if cells)
            return ImportedTable.of(str(path), header, rows)
        except csv.Error as error:
            raise RegistryError(f"line {reader.line_num}: {error}", where=str(path), remedy="save it again") from None


def _json(path: Path, *, lines: bool) -> ImportedTable:
    if lines:
        with opened_text(path) as stream:
            found = [
                (f"line {n}", _parsed(line, f"{path}, line {n}")) for n, line in enumerate(stream, 1) if line.strip()
            ]
    else:
        content = _parsed(read_text(path, limit=MAX_FILE), str(path))
        if not isinstance(content, list):
            raise RegistryError(
                f"holds a {type(content).__name__}, no list of records",
                where=str(path),
                remedy='write it as [{"column": value, ...}, ...]; with pandas: frame.to_json(FILE, orient="records")',
            )
        found = [(f"record {n}", record) for n, record in enumerate(content, 1)]
    if not found:
        raise RegistryError("holds no record", where=str(path), remedy="name a file with a record a run")
    for place, record in found:
        if not isinstance(record, dict):
            raise RegistryError(f"is a {type(record).__name__}; needed a mapping", where=f"{path}, {place}")
    return ImportedTable.of_records(
        str(path), ((place, {k: plain(v) for k, v in record.items()}) for place, record in found)
    )


def _parsed(content: str, where: str) -> Any:
    try:
        return parsed(content)
    except BadCell as error:
        raise RegistryError(str(error), where=where, remedy="leave one of them") from None
    except (ValueError, RecursionError) as error:
        raise RegistryError(f"is no JSON: {error}", where=where, remedy="save it again") from None


def _parquet(path: Path) -> ImportedTable:
    import duckdb

    try:
        with duckdb.connect() as connection:
            source = literal(path)
            ((n,),) = connection.execute("SELECT sum(num_rows) FROM parquet_file_metadata($1)", [source]).fetchall()
            if (n or 0) > MAX_ROWS:
                raise RegistryError(f"{n:,} rows; at most {MAX_ROWS:,} are read", where=str(path))
            found = connection.execute("SELECT * FROM read_parquet($1)", [source])
            names = [column[0] for column in found.description]
            rows = found.fetchall()
            tree = connection.execute("SELECT name, num_children FROM parquet_schema($1)", [source]).fetchall()
            own = _columns(tree)
            names[: len(own)] = own
    except duckdb.Error as error:
        problem = str(error).splitlines()[0]
        raise RegistryError(
            f"is no readable Parquet file: {problem}", where=str(path), remedy="save it again"
        ) from None
    return ImportedTable.of(str(path), names, ((f"row {n}", [plain(c) for c in row]) for n, row in enumerate(rows, 1)))


def _columns(tree: list[tuple[str, int | None]]) -> list[str]:
    """The columns of a Parquet file; the engine renames those that differ in capitals alone."""
    names, inner = [], 0
    for name, children in tree[1:]:  # the first one is the root; inner ones follow their column
        if inner == 0:
            names.append(name)
        inner += (children or 0) - (inner > 0)
    return names


def _workbook(path: Path, sheet: str | None) -> ImportedTable:
    with workbook(path) as book:
        rows = list(_filled(sheet_of(book, path, sheet, SHEET).iter_rows(values_only=True)))
    if not rows:
        raise RegistryError("is empty", where=str(path), remedy="name another sheet")
    _, header = rows[0]
    while header and header[-1] is None:  # a sheet may be wider than what is written in it
        header = header[:-1]
    names = ["" if cell is None else str(cell).strip() for cell in header]
    cells = ((f"row {n}", row[: len(names)] if not any(c is not None for c in row[len(names) :]) else row)
             for n, row in rows[1:])  # fmt: skip
    return ImportedTable.of(str(path), names, cells)


def _filled(rows: Any) -> Iterator[tuple[int, list[Cell]]]:
    for number, cells in enumerate(rows, 1):
        if any(cell is not None for cell in cells):
            yield number, [plain(cell) for cell in cells]


def plain(value: Any) -> Cell:
    """A value of a file's own types as a cell; dates and lists become text."""
    if value is None or isinstance(value, str | bool | int | float | dict):
        return value
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, date | time):
        return value.isoformat()
    item = getattr(value, "item", None)
    return item() if callable(item) else json.dumps(value, default=str) if isinstance(value, list) else str(value)
