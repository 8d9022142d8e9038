"""JSON lines, plain or packed with gzip or zstd: an object a line, or one array of objects."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from predictor.errors import SHOWN, ManifestError, listed
from predictor.manifest.counted import ManifestRequest
from predictor.manifest.engine import connected, quoted, quoted_name, quoted_path
from predictor.manifest.parts import Opened
from predictor.manifest.readers.files import ChosenFile, chosen_files
from predictor.manifest.readers.limits import refuse
from predictor.manifest.readers.paths import HEAD_BYTES, files_of, head_of
from predictor.manifest.readers.text import check_unpacked, compression, filled_lines, text_head
from predictor.manifest.table import JSON, TEXT, Table, is_file, shown
from predictor.manifest.table_parts import TablePart, with_columns

if TYPE_CHECKING:
    import duckdb

KEYS_OF = 10_000  # rows that show which keys there are
ROW = "*"  # the column that holds the whole object
REMEDY = 'write one JSON object a line, as in {"label": "cat"}'


def recognises(path: Path, head: bytes) -> bool:
    """Text that begins as an object or as an array of objects does."""
    text = (text_head(path, head) or b"").removeprefix(b"\xef\xbb\xbf").split()
    start = b"".join(text[:3])[:2]
    return start[:1] == b"{" or start == b"[{"


@contextmanager
def opened(path: Path, request: ManifestRequest) -> Iterator[Opened]:
    """A file, or all files of a pattern.

    A label is text, a number, or a list of them: such an image carries several labels. Keys 'count', 'source' and
    'split' have the meaning of the columns of a table.

    Raises ManifestError for text that is no JSON, and for a key or cell that cannot be used.
    """
    refuse(request, "JSON lines", str(path), "header", "sheet")
    files, notes = chosen_files(path, files_of(path), request)
    import duckdb

    with connected([file.path for file in files], str(path), "JSON lines file", REMEDY) as connection:
        try:
            yield Opened([TablePart(_table(file, connection), request) for file in files], notes)
        except duckdb.InvalidInputException:  # which names the first bad line
            for file in files:
                _check_lines(file.path, connection)
            raise


def _check_lines(file: Path, connection: duckdb.DuckDBPyConnection) -> None:
    """Raise ManifestError for lines that are no JSON object, all of them. An array is whole or it is none."""
    head = head_of(file)
    if _is_array(file, head):
        return
    found = connection.execute(
        f"SELECT row, CASE WHEN json IS NULL THEN 'no JSON' ELSE 'no object' END, count(*) OVER () FROM "
        f"(SELECT row_number() OVER () AS row, json FROM {_objects(file, head, ', ignore_errors = true')}) "
        f"WHERE coalesce(json_type(json), '') <> 'OBJECT' ORDER BY row LIMIT {SHOWN}"
    ).fetchall()
    if found:
        n = found[0][2]
        places = filled_lines(file, head, [row for row, _, _ in found])
        bad = [f"{place}: {what}" for place, (_, what, _) in zip(places, found, strict=True)]
        raise ManifestError(
            f"{n:,} bad {'line' if n == 1 else 'lines'}, first at {shown(bad, n)}", where=str(file), remedy=REMEDY
        )


def _table(chosen: ChosenFile, connection: duckdb.DuckDBPyConnection) -> Table:
    file = chosen.path
    head = head_of(file)
    check_unpacked(file, head)
    _check_one_object(file, head)
    rows = _objects(file, head)
    found = connection.execute(
        f"SELECT key, min(row) AS first FROM (SELECT row, unnest(json_keys(json)) AS key FROM "
        f"(SELECT row_number() OVER () AS row, json FROM {rows} LIMIT {KEYS_OF}) WHERE json_type(json) = 'OBJECT') "
        "GROUP BY key"
    ).fetchall()
    found.sort(key=lambda row: (row[1], row[0].swapcase()))  # small letters first
    usable = [key for key, _ in found if key and key != ROW and key[0] not in "$/"]  # these would be read as paths
    keys = list({key.lower(): key for key in reversed(usable)}.values())[::-1]  # the engine knows no capitals
    cells = "".join(f", json->>{quoted(key)} AS {quoted_name(key)}" for key in keys)
    table = Table(
        path=file,
        connection=connection,
        relation=f"(SELECT json AS {quoted_name(ROW)}{cells} FROM {rows})",
        columns=dict.fromkeys(keys, "VARCHAR"),
        split=chosen.split,
        label=lambda name: _cell(name, keys),
        places=_numbered if _is_array(file, head) else partial(filled_lines, file, head),
    )
    return with_columns(table, **chosen.columns)


def _check_one_object(file: Path, head: bytes) -> None:
    """Raise ManifestError where a short text is one object that is no row: of columns, of files, or anything else."""
    text = text_head(file, head) or b""
    if len(text) >= HEAD_BYTES or not text.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{"):
        return
    try:
        value = json.loads(text.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return  # several lines, or none that is JSON, which is told of each
    cells = list(value.values())
    lists = [cell for cell in cells if isinstance(cell, list)]
    objects = [cell for cell in cells if isinstance(cell, dict)]
    names = listed(list(map(repr, value)))
    if cells and (
        (len(lists) == len(cells) and len({len(cell) for cell in lists}) == 1 and len(lists[0]) > 1)
        or (len(objects) == len(cells) and len({tuple(cell) for cell in objects}) == 1)
    ):
        raise ManifestError(
            f"is one object of columns: {names}",
            where=str(file),
            remedy='write an object a row: frame.to_json(FILE, orient="records", lines=True) in pandas',
        )
    if len(cells) > 1 and all(map(is_file, value)):
        raise ManifestError(
            f"is one object of files and their labels: {names}",
            where=str(file),
            remedy='write an object a row: {"path": FILE, "label": LABEL}',
        )
    if b"\n" in text.strip():
        raise ManifestError(f"is one object over several lines, with keys {names}", where=str(file), remedy=REMEDY)


def _cell(name: str, keys: Sequence[str]) -> tuple[str, str]:
    if name not in keys:  # a column that folders say
        return TEXT, quoted_name(name)
    return JSON, f"({quoted_name(ROW)}->{quoted(name)})::VARCHAR"


def _is_array(file: Path, head: bytes) -> bool:
    return (text_head(file, head) or b"").lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"["


def _objects(file: Path, head: bytes, options: str = "") -> str:
    form = "array" if _is_array(file, head) else "newline_delimited"
    packed = "uncompressed" if compression(head) == "none" else compression(head)  # as all versions call it here
    return f"read_json_objects({quoted_path(file)}, format = '{form}', compression = '{packed}'{options})"


def _numbered(rows: Sequence[int]) -> list[str]:
    return [f"object {row}" for row in rows]
