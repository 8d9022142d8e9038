"""Tables -> counted labels: a row is a sample, or a class where there is a count column."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from predictor.errors import SHOWN, ManifestError
from predictor.manifest.count_tables import count_rows
from predictor.manifest.counted import Counted, Request
from predictor.manifest.engine import condition, quoted_name
from predictor.manifest.table import Table, shown

ALL_SPLITS = "all"
FILE_IDS = 100  # that many sources, a new one in most rows: the column holds file ids, not sources
LOOKED_AT = 100_000  # rows that show whether it does
MAX_KEYS = 5_000_000  # different (label, source, split) of one file

Group = tuple[str, str, str]  # label, source, split


@dataclass
class Tally:
    """Labels counted in the tables of one manifest, each split for itself until all of them are known."""

    labels: Counter[Group] = field(default_factory=Counter)
    samples: Counter[str] = field(default_factory=Counter)  # split -> images with a label
    missing: Counter[str] = field(default_factory=Counter)  # split -> rows without one
    places: list[str] = field(default_factory=list)  # where the first of these stand
    notes: list[str] = field(default_factory=list)
    has_splits: bool = False


def count_labels(where: str, tables: Iterable[Table], request: Request) -> Counted:
    """Count the labels of one manifest's tables.

    where : name of the manifest, for messages

    Raises ManifestError for a column, split or cell that cannot be used; all bad cells of a file are collected.
    """
    tally = Tally()
    for table in tables:
        _add(table, request, tally)
    taken, notes = _split(tally, request, where)
    if missing := sum(tally.missing[split] for split in taken):
        if request.missing == "error":
            raise ManifestError(
                f"{missing:,} rows without a label: {shown(tally.places, missing)}",
                where=where,
                remedy="label them, or leave them out with --missing drop",
            )
        notes.append(f"{missing:,} rows without a label left out")
    rows = [(label, source, whole(n)) for (label, source, split), n in tally.labels.items() if split in taken]
    if fractions := sum(n != int(n) for key, n in tally.labels.items() if key[2] in taken):
        notes.append(f"weights of {fractions:,} classes rounded to whole images")
    n_labels = sum(n for _, _, n in rows)
    n_samples = whole(sum(tally.samples[split] for split in taken))
    if n_labels == n_samples or fractions:
        n_samples = None
    else:
        how = "each counts under its first" if request.several == "first" else "each counts for all of its labels"
        notes.append(f"{n_labels:,} labels on {n_samples:,} images: {how}")
    return Counted(rows=rows, n_samples=n_samples, notes=(*dict.fromkeys([*tally.notes, *notes]),))


def whole(n: float) -> int:
    """A sum of weights as images: rounded, and 1 at least, so that no class is lost."""
    return int(n) if n == int(n) else max(round(n), 1)


def _add(table: Table, request: Request, tally: Tally) -> None:
    label = table.column(request.label or "label", "--label")
    count = table.column(request.count, "--count") if request.count else _usual(table, "count")
    weight = table.column(request.weight, "--weight") if request.weight else None
    if request.weight and not request.count:
        count = None
    for name, option in ((count, "counts"), (weight, "weights")):
        if name == label:
            raise ManifestError(f"column {label!r} cannot hold both labels and {option}", where=str(table.path))
    if count and weight:
        raise ManifestError(
            "--count and --weight together",
            where=str(table.path),
            remedy="a row is a class with its count, or a sample with its weight",
        )
    rows = condition(request.where)
    if request.where:
        check_condition(table, rows, request.where)
    split = "coalesce(trim(split::VARCHAR), '')" if "split" in table.columns and label != "split" else "''"
    tally.has_splits |= split != "''"
    source = _source(table, label, rows, counted=count is not None, tally=tally)
    if count:
        found, missing = count_rows(table, label, source, split, count, rows)
        tally.labels.update(found)
        for (_, _, part), n in found.items():
            tally.samples[part] += n
        tally.missing.update(missing)
    else:
        _sample_rows(table, label, source, split, weight, rows, tally)
    if request.missing == "error" and tally.missing.total() and len(tally.places) < SHOWN:
        empty = f"{rows} AND coalesce(trim({quoted_name(label)}::VARCHAR), '') = ''"
        tally.places += [place for place, _ in table.first_rows(empty)[1]]


def _usual(table: Table, name: str) -> str | None:
    return name if name in table.columns else None


def check_condition(table: Table, rows: str, where: str) -> None:
    """Raise ManifestError for a condition that does not fit the columns, or that opens anything."""
    import duckdb

    try:
        table.connection.execute(f"SELECT 1 FROM {table.relation} WHERE {rows} LIMIT 0")
        table.connection.execute(f"EXPLAIN SELECT 1 FROM {table.relation} WHERE {rows}")
    except duckdb.PermissionException:
        raise ManifestError(
            f"{where!r} opens something", where="--where", remedy="a condition can only use the manifest's own columns"
        ) from None
    except duckdb.Error as error:
        raise ManifestError(
            f"{where!r} does not fit: {_short(error)}",
            where="--where",
            remedy=f"columns of {table.path}: {', '.join(map(quoted_name, table.columns))}",
        ) from None


def _short(error: Exception) -> str:
    return str(error).strip().splitlines()[0]


def _source(table: Table, label: str, rows: str, *, counted: bool, tally: Tally) -> str:
    """SQL of the source; '' where there is none or where the column only names files."""
    if "source" not in table.columns or label == "source":
        return "''"
    if not counted:
        n_rows, n_sources = table.connection.execute(
            f"SELECT count(*), count(DISTINCT source) FROM "
            f"(SELECT source::VARCHAR AS source FROM {table.relation} WHERE {rows} LIMIT {LOOKED_AT})"
        ).fetchone()
        if n_sources > FILE_IDS and n_sources > n_rows / 2:
            tally.notes.append("column 'source' differs in nearly every row: taken for file names, not for sources")
            return "''"
    return "coalesce(trim(source::VARCHAR), '')"


def _sample_rows(
    table: Table, label: str, source: str, split: str, weight: str | None, rows: str, tally: Tally
) -> None:
    n = "count(*)"
    if weight:
        _check_weights(table, weight, rows)
        n = f"sum({quoted_name(weight)}::DOUBLE)"
    found = table.connection.execute(
        f"SELECT {quoted_name(label)}::VARCHAR, {source}, {split}, {n} FROM {table.relation} "
        f"WHERE {rows} GROUP BY ALL LIMIT {MAX_KEYS + 1}"
    ).fetchall()
    if len(found) > MAX_KEYS:
        raise ManifestError(
            f"more than {MAX_KEYS:,} different labels",
            where=str(table.path),
            remedy=f"column {label!r} seems to hold no classes; name another with --label",
        )
    for name, origin, part, n_rows in found:
        name = (name or "").strip()
        if name:
            tally.labels[name, origin, part] += n_rows
            tally.samples[part] += n_rows
        else:
            tally.missing[part] += n_rows


def _check_weights(table: Table, weight: str, rows: str) -> None:
    cell = quoted_name(weight)
    number = f"TRY_CAST({cell} AS DOUBLE)"
    n, found = table.first_rows(
        f"{rows} AND NOT coalesce({number} >= 0 AND isfinite({number}), false)", f"{cell}::VARCHAR"
    )
    if n:
        bad = [f"{place}: {cell!r}" for place, cell in found]
        raise ManifestError(
            f"{n:,} bad {'weight' if n == 1 else 'weights'}, first at {shown(bad, n)}",
            where=str(table.path),
            remedy="a weight is a finite number, 0 or more",
        )


def _split(tally: Tally, request: Request, where: str) -> tuple[set[str], list[str]]:
    """The splits to take, and a note where the default picked one."""
    sizes = tally.samples + tally.missing
    if not tally.has_splits:
        if request.split not in (None, ALL_SPLITS):
            raise ManifestError(
                f"has no column 'split' to take {request.split!r} from", where=where, remedy="leave --split out"
            )
        return set(sizes), []
    if request.split == ALL_SPLITS or not sizes:
        return set(sizes), []
    wanted = request.split or "train"
    if wanted not in sizes:
        found = ", ".join(repr(name) for name, _ in sizes.most_common(SHOWN))
        raise ManifestError(
            f"no row of split {wanted!r}; found {found}", where=where, remedy="choose one with --split, or 'all'"
        )
    left = whole(sizes.total() - sizes[wanted])
    quiet = request.split is not None or not left
    return {wanted}, [] if quiet else [f"split {wanted!r} taken, {left:,} rows of other splits left out"]
