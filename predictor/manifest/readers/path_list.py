"""Lists of paths and labels, as those of ImageNet-LT: `train/cat/1 (2).jpg 0`, with or without a header.

A tab parts path and label where there is one; else the path ends with the ending of an image that a blank follows, or,
without such an ending, at the only blank. What is left is one label.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from predictor.manifest.cells import NO_SEPARATOR
from predictor.manifest.counted import ManifestRequest
from predictor.manifest.engine import connected, quoted_path
from predictor.manifest.parts import Opened
from predictor.manifest.readers.files import ChosenFile, chosen_files
from predictor.manifest.readers.limits import refuse
from predictor.manifest.readers.paths import files_of, head_of
from predictor.manifest.readers.text import (
    ONE_COLUMN,
    check_unpacked,
    compression,
    first_lines,
    text_head,
)
from predictor.manifest.readers.text import (
    opened as opened_text,
)
from predictor.manifest.roles import IMAGES
from predictor.manifest.splits import KIND, is_split
from predictor.manifest.table import MAX_LINES, USUAL, Table, row_numbers
from predictor.manifest.table_parts import TablePart

if TYPE_CHECKING:
    import duckdb

ENDINGS = "jpg|jpeg|jpe|png|webp|bmp|gif|tif|tiff|ppm|pgm|npy|heic|avif|jp2|dcm|svg|mp4|avi|npz"
_PATH = rf"^(.*?\.(?:{ENDINGS}))(?:\s+(.*))?$"  # the first ending that a blank or the end of the line follows
_IMAGE = re.compile(_PATH, re.IGNORECASE)
_FILE = re.compile(r"\.[A-Za-z]\w{1,4}$|^[^,;\t]*/[^,;\t]*$")
_ROW = re.compile(r",\s|,.*\s")  # what follows a path in a row of a table
REFUSED = "\x02"  # begins what stands in place of the label of a line that is not read
REMEDY = "write a path, a tab or a blank, and one label a line"
OPTIONS = (
    'several labels are read with --several-separator " ", a vector of 0 and 1 with --one-hot; '
    "more columns need a header, or --no-header and --label NUMBER, with commas or tabs between them"
)


def recognises(path: Path, head: bytes) -> bool:
    """Text whose first lines each are the name of a file and what follows it, or the name alone."""
    lines = first_lines(text_head(path, head) or b"")
    if lines and is_header(lines[0]):
        if "\t" in lines[0]:  # a table
            return False
        lines = lines[1:]
    cut = [_cut(line) for line in lines]
    return any(label for _, label in cut) and all(name for name, _ in cut)


@contextmanager
def opened(path: Path, request: ManifestRequest) -> Iterator[Opened]:
    """A list, or all lists of a pattern; a line that is a path alone has no label.

    In --where the columns are called path and label.

    Raises ManifestError for text that cannot be read, and for lines with more, or less, than a path and a label.
    """
    refuse(request, "a list of paths and labels", str(path), "label", "count", "weight", "header", "sheet", "instances")
    files, notes = chosen_files(path, files_of(path), request)
    with connected(
        [f.path for f in files], str(path), "list of paths and labels", "it is UTF-8 text, 'path label' a line"
    ) as engine:
        yield Opened([TablePart(_table(file, engine, request), request) for file in files], notes)


def is_header(line: str) -> bool:
    """Whether a line names columns.

    >>> is_header("path label"), is_header("a.jpg cat")
    (True, False)
    """
    words = line.strip().lower().split()
    known = {*USUAL, "labels", *IMAGES}
    return 1 < len(words) < 4 and all(word in known or is_split(word) or word == "split" for word in words)


def _cut(line: str) -> tuple[str, str | None]:
    """(path, label) of a line; ('', None) where it begins with no name of a file, or is a row of a table."""
    line = line.strip()
    if "\t" in line:
        name, _, label = (part.strip() for part in re.sub(r"\t+", "\t", line).partition("\t"))
        return ("", None) if "\t" in label or not _FILE.search(name) else (name, label or None)
    if found := _IMAGE.match(line):
        return ("", None) if _ROW.search(found[2] or "") else (found[1], found[2])
    name, _, label = line.rpartition(" ")
    if not name:
        return (line if _FILE.search(line) else ""), None
    return ("", None) if set(label) & set(",/;") or not _FILE.search(name.rstrip()) else (name, label)


def _table(chosen: ChosenFile, connection: duckdb.DuckDBPyConnection, request: ManifestRequest) -> Table:
    file = chosen.path
    head = head_of(file)
    check_unpacked(file, head)
    text = (text_head(file, head) or b"").decode("utf-8-sig", "replace")
    first = first_lines(text.encode(), 1)
    if skipped := int(bool(first) and is_header(first[0])):
        skipped += next(number for number, line in enumerate(text.splitlines()) if line.strip())
    return Table(
        path=file,
        connection=connection,
        relation=_relation(file, compression(head), skipped, request),
        columns=dict.fromkeys(("path", "label"), "VARCHAR"),
        split=chosen.split,
        text=True,
        refused=REFUSED,
        remedy=f"{REMEDY}; {OPTIONS}",
        places=partial(_places, file, compression(head), skipped),
    )


def _relation(file: Path, packed: str, skipped: int, request: ManifestRequest) -> str:
    """SQL of the rows (path, label). The label of a line that is not a path and one label says why, after a mark.

    Nearly all lines are two words, which costs no regular expression.
    """
    lines = f"read_csv({quoted_path(file)}, {ONE_COLUMN}, skip = {skipped}, compression = '{packed}')"
    words = (
        "SELECT line AS whole, split_part(line, ' ', 1) AS first, split_part(line, ' ', 2) AS second FROM "
        f"{lines} WHERE line <> ''"
    )
    plain = " AND ".join(f"NOT contains(second, {_text(mark)})" for mark in (".", "/", ";", ",", "\t", "\r"))
    simple = (
        f"second <> '' AND split_part(whole, ' ', 3) = '' AND {plain} AND NOT contains(first, chr(9)) "
        "AND (contains(first, '/') OR regexp_matches(first, '\\.[A-Za-z]\\w{1,4}$'))"
    )
    line = "trim(whole, ' ' || chr(9) || chr(13))"  # which takes longer than all the rest
    cut = (
        "CASE WHEN line IS NULL THEN NULL "
        "WHEN contains(line, chr(9)) THEN {'path': trim(split_part(line, chr(9), 1)), "
        "'label': trim(substr(line, strpos(line, chr(9)) + 1), ' ' || chr(9))} "
        f"WHEN regexp_matches(line, '(?i){_PATH}') THEN regexp_extract(line, '(?i){_PATH}', ['path', 'label']) "
        "WHEN contains(line, ' ') THEN {'path': trim(regexp_replace(line, '\\S+$', '')), "
        "'label': split_part(line, ' ', -1)} ELSE {'path': line, 'label': ''} END"
    )
    wrong = " ".join(f"WHEN {sql} THEN {_text(REFUSED + what)}" for what, sql in _wrong(request).items())
    return (
        f"(SELECT CASE WHEN simple THEN second {wrong} ELSE nullif(cut.label, '') END AS label, "
        f"CASE WHEN simple THEN first ELSE cut.path END AS path FROM (SELECT *, {cut} AS cut FROM "
        f"(SELECT *, CASE WHEN NOT simple THEN {line} END AS line FROM (SELECT *, {simple} AS simple FROM ({words})) "
        "WHERE simple OR line <> '')))"
    )


def _wrong(request: ManifestRequest) -> dict[str, str]:
    """{what is wrong with a line: SQL}"""
    path = {"the line begins with no path": "NOT regexp_matches(cut.path, '\\.[A-Za-z]\\w{1,4}$|/')"}
    if request.one_hot or request.several_separator not in (None, NO_SEPARATOR):
        return path
    return path | {
        "several numbers follow the path": r"regexp_full_match(cut.label, '[-+.\d]+([\s,;]+[-+.\d]+)+')",
        "another file follows the path": rf"regexp_matches(cut.label, '(?i)\.({ENDINGS})(\s|$)')",
        "several labels or columns follow the path": r"regexp_matches(cut.label, '[\t;,]')",
        "names and numbers follow the path": r"contains(cut.label, ' ') AND "
        r"regexp_matches(cut.label, '(^|\s)[-+]?\d+(\.\d+)?(\s|$)')",
        "a label and a split follow the path": rf"regexp_matches(lower(cut.label), '\s({'|'.join(KIND)})$')",
    }


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _places(path: Path, kind: str, skipped: int, rows: Sequence[int]) -> list[str]:
    if kind == "zstd" or not rows or max(rows) > MAX_LINES:
        return row_numbers(rows)
    with opened_text(path, kind) as stream:
        lines = [number for number, line in enumerate(stream, 1) if number > skipped and line.strip()]
    return [f"line {lines[row - 1]}" if row <= len(lines) else f"row {row}" for row in rows]
