"""One manifest file -> LabelDistribution: rows are samples, or classes where there is a count column."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from predictor.distribution import LabelDistribution
from predictor.errors import SHOWN, ManifestError, listed
from predictor.manifest.tables import Table, open_table, quoted_name, row_lines

ALL_SPLITS = "all"
MAX_COUNT = 2**53  # beyond it a count read from a float is not exact
MAX_LINES = 2_000_000  # rows of a count file whose lines are looked up for messages
FILE_IDS = 100  # that many sources, a new one in most rows: the column holds file ids, not sources


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a file says, and what a reader should know about how it was read."""

    path: Path
    distribution: LabelDistribution
    notes: tuple[str, ...]


def read_manifest(
    path: str | Path,
    *,
    label: str | None = None,
    count: str | None = None,
    split: str | None = None,
    targets: Iterable[str] | None = None,
) -> LabelDistribution:
    """The label distribution of a manifest; see `open_manifest`."""
    return open_manifest(path, label=label, count=count, split=split, targets=targets).distribution


def open_manifest(
    path: str | Path,
    *,
    label: str | None = None,
    count: str | None = None,
    split: str | None = None,
    targets: Iterable[str] | None = None,
) -> Manifest:
    """Read a CSV, TSV (plain, gzip or zstd) or Parquet manifest.

    label : column of the class names, by default 'label'
    count : column of images per class, by default 'count' where there is one; without it every row is a sample
    split : rows to take where there is a column 'split', by default 'train'; 'all' takes every row
    targets : names of the tested classes; None: every class is a target
    A column 'source' keeps the sources apart. Blanks around cells are dropped; rows without a label are left out
    and counted in the notes.

    Raises ManifestError for a file, column or cell that cannot be used; all bad cells are collected.
    """
    path = Path(path)
    with open_table(path) as table:
        label_column = _column(table, label or "label", "--label", given=label is not None)
        count_column = _column(table, count, "--count", given=True) if count else _optional(table, "count")
        if count_column == label_column:
            raise ManifestError(f"column {label_column!r} cannot hold both labels and counts", where=str(path))
        where, notes = _split(table, split)
        source = _source(table, label_column, where, counted=count_column is not None, notes=notes)
        if count_column:
            rows = _count_rows(table, label_column, source, count_column, where, notes)
        else:
            rows = _sample_rows(table, label_column, source, where, notes)
    if not rows:
        raise ManifestError("lists no image", where=str(path), remedy="it needs at least one row with a label")
    distribution = LabelDistribution.from_counts(rows, targets=targets)
    if targets is not None and not distribution.target_counts.any():
        some = ", ".join(map(repr, distribution.class_names[:3]))
        raise ManifestError(
            f"has no image of any of the {len(distribution.target_names)} target classes; its classes begin {some}",
            where=str(path),
            remedy="give --targets the names as the manifest writes them",
        )
    return Manifest(path=path, distribution=distribution, notes=tuple(notes))


def _column(table: Table, name: str, option: str, *, given: bool) -> str:
    if name in table.columns:
        return name
    found = ", ".join(map(repr, table.columns))
    candidates = [
        c for c in table.columns if c.lower() in ("label", "class", "class_name", "category", "target", "wnid")
    ]
    near = difflib.get_close_matches(name, table.columns, n=1) or candidates[:1]
    remedy = f"Name it with {option} {near[0]}, or rename it" if near else f"Name it with {option} COLUMN"
    raise ManifestError(f"missing column {name!r}; found {found}", where=str(table.path), remedy=remedy)


def _optional(table: Table, name: str) -> str | None:
    return name if name in table.columns else None


def _split(table: Table, split: str | None) -> tuple[str, list[str]]:
    """SQL condition that picks the split, and a note where the default picked it."""
    if "split" not in table.columns:
        if split not in (None, ALL_SPLITS):
            raise ManifestError(
                f"has no column 'split' to take {split!r} from", where=str(table.path), remedy="leave --split out"
            )
        return "true", []
    if split == ALL_SPLITS:
        return "true", []
    wanted = split or "train"
    sizes = dict(
        table.connection.execute(
            f"SELECT trim(split::VARCHAR), count(*) FROM {table.relation} GROUP BY 1 ORDER BY 2 DESC"
        ).fetchall()
    )
    if wanted not in sizes:
        found = ", ".join(repr(name) for name in list(sizes)[:SHOWN])
        raise ManifestError(
            f"no row of split {wanted!r}; found {found}",
            where=str(table.path),
            remedy="choose one with --split, or 'all'",
        )
    left = sum(sizes.values()) - sizes[wanted]
    notes = [f"split {wanted!r} taken, {left:,} rows of other splits left out"] if split is None and left else []
    return "trim(split::VARCHAR) = '" + wanted.replace("'", "''") + "'", notes


def _source(table: Table, label: str, where: str, *, counted: bool, notes: list[str]) -> str:
    """SQL of the source; '' where there is none or where the column only names files."""
    if "source" not in table.columns or label == "source":
        return "''"
    if not counted:
        n_rows, n_sources = table.connection.execute(
            f"SELECT count(*), approx_count_distinct(source::VARCHAR) FROM {table.relation} WHERE {where}"
        ).fetchone()
        if n_sources > FILE_IDS and n_sources > n_rows / 2:
            notes.append("column 'source' differs in nearly every row: taken for file names, not for sources")
            return "''"
    return "coalesce(trim(source::VARCHAR), '')"


def _sample_rows(table: Table, label: str, source: str, where: str, notes: list[str]) -> list[tuple[str, str, int]]:
    rows = table.connection.execute(
        f"SELECT nullif(trim({quoted_name(label)}::VARCHAR), ''), {source}, count(*) FROM {table.relation} "
        f"WHERE {where} GROUP BY 1, 2"
    ).fetchall()
    missing = sum(n for name, _, n in rows if name is None)
    if missing:
        notes.append(f"{missing:,} rows without a label left out")
    return [row for row in rows if row[0] is not None]


def _count_rows(
    table: Table, label: str, source: str, count: str, where: str, notes: list[str]
) -> list[tuple[str, str, int]]:
    found = table.connection.execute(
        f"SELECT row, nullif(trim(label), ''), source, trim(n) FROM (SELECT row_number() OVER () AS row, "
        f"{quoted_name(label)}::VARCHAR AS label, {source} AS source, {quoted_name(count)}::VARCHAR AS n, "
        f"{where} AS taken FROM {table.relation}) WHERE taken ORDER BY row"
    ).fetchall()
    bad: list[str] = []
    twice: list[str] = []
    rows: dict[tuple[str, str], tuple[int, str]] = {}
    missing = 0
    lines = row_lines(table.path) if table.first_line is not None and len(found) <= MAX_LINES else None
    for row, name, origin, text in found:
        place = f"line {lines[row - 1]}" if lines and row <= len(lines) else f"row {row}"
        if name is None:
            missing += 1
            continue
        number, problem = _whole(text)
        if problem:
            bad.append(f"{place}: {problem}")
            continue
        if (name, origin) in rows:
            who = f"{name!r}" + (f" of source {origin!r}" if origin else "")
            twice.append(f"{place}: {who} stands already in {rows[name, origin][1]}")
            continue
        rows[name, origin] = number, place
    if bad:
        kind = "bad count" if len(bad) == 1 else "bad counts"
        raise ManifestError(
            f"{len(bad)} {kind}, first at {listed(bad)}",
            where=str(table.path),
            remedy="a count is a whole number of images, 0 or more",
        )
    if twice:
        raise ManifestError(
            f"{len(twice)} (label, source) named twice: {listed(twice)}",
            where=str(table.path),
            remedy="add the rows up, or tell them apart by a column 'source'",
        )
    if missing:
        notes.append(f"{missing:,} rows without a label left out")
    return [(name, origin, number) for (name, origin), (number, _) in rows.items()]


def _whole(text: str | None) -> tuple[int, str | None]:
    """(count, None), or (0, what is wrong)."""
    if text is None or text == "":
        return 0, "the count is missing"
    try:
        if "_" in text:  # Python reads 1_000 as a number, a manifest does not
            raise ValueError
        number = int(text) if text.lstrip("+-").isdecimal() else float(text)
    except ValueError:
        return 0, f"{text!r} is not a whole number"
    if number != number or number in (float("inf"), float("-inf")) or number != int(number):
        return 0, f"{text!r} is not a whole number"
    if number < 0:
        return 0, f"{text!r} is negative"
    return (0, f"{text!r} is more than {MAX_COUNT:,}") if number > MAX_COUNT else (int(number), None)
