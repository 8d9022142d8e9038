"""Lists of paths and labels, as those of ImageNet-LT: `train/cat/1 (2).jpg 0`, no header, split at the last blank."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from predictor.manifest.counted import Counted, Request
from predictor.manifest.counting import count_labels
from predictor.manifest.engine import connected, quoted_path
from predictor.manifest.readers.limits import refuse
from predictor.manifest.readers.paths import files_of, head_of
from predictor.manifest.readers.text import (
    ONE_COLUMN,
    check_unpacked,
    compression,
    first_lines,
    opened,
    text_head,
)
from predictor.manifest.table import MAX_LINES, Table, row_numbers

if TYPE_CHECKING:
    import duckdb

_FILE = re.compile(
    r"\.\w{2,5}$|^[^,;\t]*/[^,;\t]*$"
)  # the name of a file: an ending, or a folder and nothing of a table


def recognises(path: Path, head: bytes) -> bool:
    """Text whose first lines are the name of a file, a blank and one word; the word may be missing."""
    lines = first_lines(text_head(path, head) or b"")
    return any(map(_is_row, lines)) and all(_is_row(line) or _is_file(line) for line in lines)


def read(path: Path, request: Request) -> Counted:
    """Count the labels of a list, or of all lists of a pattern; a line without a blank has no label.

    The first line is data. In --where the columns are called path and label.

    Raises ManifestError for text that cannot be read.
    """
    refuse(request, "a list of paths and labels", str(path), "label", "count", "weight")
    files = files_of(path)
    with connected(files, str(path), "list of paths and labels", "it is UTF-8 text, 'path label' a line") as connection:
        return count_labels(str(path), (_table(file, connection) for file in files), request)


def _is_row(line: str) -> bool:
    name, _, label = line.strip().replace("\t", " ").rpartition(" ")
    return bool(_FILE.search(name.rstrip())) and "," not in label and "/" not in label


def _is_file(line: str) -> bool:
    return " " not in line.strip() and bool(_FILE.search(line.strip()))


def _table(file: Path, connection: duckdb.DuckDBPyConnection) -> Table:
    head = head_of(file)
    check_unpacked(file, head)
    lines = f"read_csv({quoted_path(file)}, {ONE_COLUMN}, compression = '{compression(head)}')"
    row = "(SELECT trim(replace(line, chr(9), ' ')) AS line FROM " + lines + ")"
    label = "CASE WHEN contains(line, ' ') THEN split_part(line, ' ', -1) END"
    return Table(
        path=file,
        connection=connection,
        relation=f"(SELECT {label} AS label, trim(left(line, -length({label}))) AS path FROM {row} WHERE line <> '')",
        columns=dict.fromkeys(("path", "label"), "VARCHAR"),
        places=partial(_places, file, compression(head)),
    )


def _places(path: Path, kind: str, rows: Sequence[int]) -> list[str]:
    if kind == "zstd" or not rows or max(rows) > MAX_LINES:
        return row_numbers(rows)
    with opened(path, kind) as stream:
        lines = [number for number, line in enumerate(stream, 1) if line.strip()]
    return [f"line {lines[row - 1]}" for row in rows]
