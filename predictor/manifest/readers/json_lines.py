"""JSON lines, plain or packed with gzip or zstd: an object a line, or one array of objects."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from predictor.manifest.counted import Counted, Request
from predictor.manifest.counting import count_labels
from predictor.manifest.engine import connected, quoted, quoted_name, quoted_path
from predictor.manifest.readers.paths import files_of, head_of
from predictor.manifest.readers.text import check_unpacked, compression, text_head
from predictor.manifest.table import JSON, Table

if TYPE_CHECKING:
    import duckdb

KEYS_OF = 10_000  # rows that show which keys there are
ROW = "*"  # the column that holds the whole object
REMEDY = 'every line is one JSON object, as in {"label": "cat"}'


def recognises(path: Path, head: bytes) -> bool:
    """Text that begins as an object or as an array of objects does."""
    text = (text_head(path, head) or b"").removeprefix(b"\xef\xbb\xbf").split()
    start = b"".join(text[:3])[:2]
    return start[:1] == b"{" or start == b"[{"


def read(path: Path, request: Request) -> Counted:
    """Count the labels of a file, or of all files of a pattern.

    A label is text, a number, or a list of them: such an image carries several labels. Keys 'count', 'source' and
    'split' have the meaning of the columns of a table.

    Raises ManifestError for text that is no JSON, and for a key or cell that cannot be used.
    """
    files = files_of(path)
    with connected(files, str(path), "JSON lines file", REMEDY) as connection:
        return count_labels(str(path), (_table(file, connection) for file in files), request)


def _table(file: Path, connection: duckdb.DuckDBPyConnection) -> Table:
    head = head_of(file)
    check_unpacked(file, head)
    array = (text_head(file, head) or b"").lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"["
    rows = (
        f"read_json_objects({quoted_path(file)}, format = '{'array' if array else 'newline_delimited'}', "
        f"compression = '{compression(head)}')"
    )
    found = connection.execute(
        f"SELECT key, min(row) AS first FROM (SELECT row, unnest(json_keys(json)) AS key FROM "
        f"(SELECT row_number() OVER () AS row, json FROM {rows} LIMIT {KEYS_OF}) WHERE json_type(json) = 'OBJECT') "
        "GROUP BY key"
    ).fetchall()
    found.sort(key=lambda row: (row[1], row[0].swapcase()))  # small letters first
    usable = [key for key, _ in found if key and key != ROW and key[0] not in "$/"]  # these would be read as paths
    keys = list({key.lower(): key for key in reversed(usable)}.values())[::-1]  # the engine knows no capitals
    cells = "".join(f", json->>{quoted(key)} AS {quoted_name(key)}" for key in keys)
    return Table(
        path=file,
        connection=connection,
        relation=f"(SELECT json AS {quoted_name(ROW)}{cells} FROM {rows})",
        columns=dict.fromkeys(keys, "VARCHAR"),
        label=lambda name: (JSON, f"{quoted_name(ROW)}->{quoted(name)}"),
        places=partial(_places, array),
    )


def _places(array: bool, rows: Sequence[int]) -> list[str]:
    return [f"{'object' if array else 'row'} {row}" for row in rows]
