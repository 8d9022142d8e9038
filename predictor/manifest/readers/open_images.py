"""Image labels and boxes of Open Images: ImageID,Source,LabelName,Confidence; an image carries several labels."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

from predictor.errors import ManifestError
from predictor.manifest.counted import Counted, Request
from predictor.manifest.counting import ALL_SPLITS, several_note
from predictor.manifest.engine import connected, quoted_name
from predictor.manifest.readers import delimited
from predictor.manifest.readers.limits import refuse
from predictor.manifest.readers.paths import files_of
from predictor.manifest.readers.text import first_lines, text_head
from predictor.manifest.table import MAX_KEYS, MAX_NAME, Table, check_keys, of_rows, shown
from predictor.manifest.where import with_condition

if TYPE_CHECKING:
    import duckdb

IMAGE, LABEL, CONFIDENCE = "ImageID", "LabelName", "Confidence"


def recognises(path: Path, head: bytes) -> bool:
    """A header that names an ImageID and a LabelName."""
    header = first_lines(text_head(path, head) or b"", 1)
    return bool(header) and {IMAGE, LABEL} <= {name.strip() for name in next(csv.reader(header), [])}


def read(path: Path, request: Request) -> Counted:
    """Count the labels of a file, or of all files of a pattern as one.

    A confidence of 0 says that the label is absent: such rows are left out. An image counts once for each other label
    it has, however often that is named; with `several='first'` it counts once in all, under the first one.
    Samples are images with a label. Who made a label (Source) is no source of images.

    Raises ManifestError for a confidence that is no number.
    """
    refuse(request, "Open Images labels", str(path), "count", "weight")
    if request.split not in (None, ALL_SPLITS):
        raise ManifestError(
            f"has no column 'split' to take {request.split!r} from", where=str(path), remedy="leave --split out"
        )
    label = request.label or LABEL
    files = files_of(path)
    with connected(files, str(path)) as connection:
        parts, absent = [], 0
        for file, table in zip(files, delimited.tables(files, connection), strict=True):
            table.column(IMAGE, "ImageID")
            table.column(label, "--label")
            table, rows = with_condition(table, request.where, {IMAGE, label})
            positive = "true"
            if CONFIDENCE in table.columns:
                absent += _check_confidence(table, rows, file)
                positive = f"{CONFIDENCE}::DOUBLE > 0"
            parts.append(
                f"SELECT trim({IMAGE}) AS image, coalesce(trim({quoted_name(label)}), '') AS label "
                f"FROM {table.relation} WHERE {rows} AND {positive}"
            )
        return _count(connection, " UNION ALL ".join(parts), absent, request, str(path))


def _check_confidence(table: Table, rows: str, file: Path) -> int:
    """Number of rows whose label is absent. Raises ManifestError for confidences that are no numbers."""
    number = f"TRY_CAST({CONFIDENCE} AS DOUBLE)"
    n, found = table.first_rows(f"{rows} AND NOT coalesce({number} BETWEEN 0 AND 1, false)", f"{CONFIDENCE}::VARCHAR")
    if n:
        bad = [f"{place}: {cell!r}" for place, cell in found]
        raise ManifestError(
            f"{n:,} bad {'confidence' if n == 1 else 'confidences'}, first at {shown(bad, n)}",
            where=str(file),
            remedy="a confidence is a number from 0 (the label is absent) to 1",
        )
    sql = f"SELECT count(*) FROM {table.relation} WHERE {rows} AND {number} = 0"
    return table.connection.execute(sql).fetchone()[0]


def _count(connection: duckdb.DuckDBPyConnection, rows: str, absent: int, request: Request, where: str) -> Counted:
    if request.several == "first":
        one = f"SELECT row_number() OVER () AS row, image, label FROM ({rows})"
        pairs = f"SELECT image, arg_min(label, row) AS label FROM ({one}) WHERE label <> '' GROUP BY image"
    else:
        pairs = f"SELECT DISTINCT image, label FROM ({rows}) WHERE label <> ''"
    (missing,) = connection.execute(f"SELECT count(*) FROM ({rows}) WHERE label = ''").fetchone()
    if missing and request.missing == "error":
        raise ManifestError(
            f"{of_rows(missing)} without a label", where=where, remedy="leave them out with --missing drop"
        )
    connection.execute(f"CREATE TEMP TABLE pairs AS {pairs}")
    counts = connection.execute(
        f"SELECT left(label, {MAX_NAME + 1}), count(*) FROM pairs GROUP BY label LIMIT {MAX_KEYS + 1}"
    ).fetchall()
    check_keys([label for label, _ in counts], where, request.label or LABEL)
    (n_samples,) = connection.execute("SELECT count(DISTINCT image) FROM pairs").fetchone()
    n_labels = sum(n for _, n in counts)
    notes = [several_note(n_labels, n_samples, request)]
    if absent:
        notes.append(f"{of_rows(absent)} of confidence 0 left out: the label is absent")
    if missing:
        notes.append(f"{of_rows(missing)} without a label left out")
    return Counted(rows=[(label, "", n) for label, n in counts], n_samples=n_samples, notes=tuple(notes))
