"""Tables -> counted labels: a row is a sample, or a class where there is a count column."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import repeat

from predictor.errors import SHOWN, ManifestError
from predictor.manifest.count_tables import count_rows
from predictor.manifest.counted import Counted, Request
from predictor.manifest.engine import quoted, quoted_name
from predictor.manifest.table import JSON, LIST, LOOKED_AT, MAX_KEYS, MAX_NAME, Table, check_keys, of_rows, shown
from predictor.manifest.where import with_condition

ALL_SPLITS = "all"
FILE_IDS = 100  # that many sources, a new one in most rows: the column holds file ids, not sources

Counts = dict[tuple[str, str], float]  # (label, source) -> labels


@dataclass
class Tally:
    """Labels counted in the tables of one manifest, each split for itself until all of them are known."""

    labels: dict[str, Counts] = field(default_factory=dict)  # by split
    further: Counter[str] = field(default_factory=Counter)  # split -> labels beyond the first one of their image
    missing: Counter[str] = field(default_factory=Counter)  # split -> rows without one
    places: list[str] = field(default_factory=list)  # where the first of these stand
    notes: list[str] = field(default_factory=list)
    has_splits: bool = False
    has_lists: bool = False
    several: str = "all"  # see `Request`

    def of(self, split: str) -> Counts:
        """The counts of a split, to be added to."""
        if split not in self.labels:
            self.labels[split] = {}
        return self.labels[split]

    def samples(self, split: str) -> float:
        """Images of a split that have a label."""
        return sum(self.labels.get(split, {}).values()) - self.further[split]


def count_labels(where: str, tables: Iterable[Table], request: Request) -> Counted:
    """Count the labels of one manifest's tables.

    where : name of the manifest, for messages

    Raises ManifestError for a column, split or cell that cannot be used; all bad cells of a file are collected.
    """
    tally = Tally(several=request.several)
    for table in tables:
        _add(table, request, tally)
    taken, notes = _split(tally, request, where)
    if missing := sum(tally.missing[split] for split in taken):
        if request.missing == "error":
            raise ManifestError(
                f"{of_rows(missing)} without a label: {shown(tally.places, missing)}",
                where=where,
                remedy="label them, or leave them out with --missing drop",
            )
        notes.append(f"{of_rows(missing)} without a label left out")
    n_samples = whole(sum(tally.samples(split) for split in taken))
    parts = [tally.labels[split] for split in taken if split in tally.labels]
    counts = dict(parts[0]) if parts else {}
    for part in parts[1:]:
        for key, n in part.items():
            counts[key] = counts.get(key, 0) + n
    fractions = sum(n != int(n) for n in counts.values()) if request.weight else 0
    if fractions:
        noun = "class" if fractions == 1 else "classes"
        notes.append(f"images of {fractions:,} {noun} rounded: their weights add up to no whole number")
    rows = [(*key, whole(n) if request.weight else n) for key, n in counts.items()]
    n_labels = sum([n for _, _, n in rows])
    if tally.has_lists:
        notes.append(several_note(n_labels, n_samples, request))
    elif fractions:
        n_samples = None
    return Counted(rows=rows, n_samples=n_samples, notes=(*dict.fromkeys([*tally.notes, *notes]),))


def several_note(n_labels: int, n_samples: int, request: Request) -> str:
    """How images that carry several labels were counted."""
    how = "each counts once, under its first label"
    if request.several == "all":
        how = "each counts once for every label it has; with --several first, once in all"
    return f"{n_labels:,} labels on {n_samples:,} images: {how}"


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
    table, rows = with_condition(table, request.where, {label, "source", "split"})
    split = "coalesce(trim(split::VARCHAR), '')" if "split" in table.columns and label != "split" else "''"
    tally.has_splits |= split != "''"
    source = _source(table, label, rows, counted=count is not None, tally=tally)
    if count:
        found, missing = count_rows(table, label, source, split, count, rows)
        for (name, origin, part), n in found.items():
            counts = tally.of(part)
            counts[name, origin] = counts.get((name, origin), 0) + n
        tally.missing.update(missing)
    else:
        _sample_rows(table, label, source, split, weight, rows, tally)
    if request.missing == "error" and tally.missing.total() and len(tally.places) < SHOWN:
        taken = "true" if request.split == ALL_SPLITS else f"{split} IN ('', {quoted(request.split or 'train')})"
        empty = f"{rows} AND {taken} AND coalesce(trim({quoted_name(label)}::VARCHAR), '') IN ('', '[]')"
        tally.places += [place for place, _ in table.first_rows(empty)[1]]


def _usual(table: Table, name: str) -> str | None:
    return name if name in table.columns else None


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
    kind, cell = table.labels(label)
    if kind == LIST:
        _list_rows(table, label, cell, source, split, n, rows, tally)
        return
    text, nested = cell, "''"
    if kind == JSON:
        text = f"CASE WHEN json_type({cell}) NOT IN ('ARRAY', 'OBJECT') THEN {cell}->>'$' END"
        nested = f"CASE WHEN json_type({cell}) IN ('ARRAY', 'OBJECT') THEN json_type({cell}) ELSE '' END"
    keys = (text, nested, source, split)
    varying = {place: key for place, key in enumerate(keys) if key != "''"}  # others would be hashed and fetched too
    named = ", ".join(f"{key} AS key{place}" for place, key in varying.items())
    cut = ", ".join(f"left(key{place}, {MAX_NAME + 1}) AS key{place}" for place in varying)
    places = ", ".join(str(place) for place in range(1, len(varying) + 1))
    found = table.connection.execute(
        f"SELECT {cut}, n FROM (SELECT {named}, {n} AS n FROM {table.relation} WHERE {rows} "
        f"GROUP BY {places} LIMIT {MAX_KEYS + 1})"
    ).fetchnumpy()
    columns = {name: cells.tolist() for name, cells in found.items()}  # rows as tuples would cost twice the time
    check_keys(columns["key0"], str(table.path), label)
    names, inner, sources, splits = (columns.get(f"key{place}", repeat("")) for place in range(len(keys)))
    inside = set()
    for name, kind_inside, origin, part, n_rows in zip(names, inner, sources, splits, columns["n"]):  # noqa: B905
        if name and (name := name.strip()):
            counts, key = tally.of(part), (name, origin)
            counts[key] = counts.get(key, 0) + n_rows
        elif not kind_inside:
            tally.missing[part] += n_rows
        else:
            inside.add(kind_inside)
    if "OBJECT" in inside:
        wrong, places = table.first_rows(f"{rows} AND json_type({cell}) = 'OBJECT'", f"left({cell}::VARCHAR, 50)")
        bad = shown([f"{place}: {text}" for place, text in places], wrong)
        raise ManifestError(
            f"{wrong:,} bad {'label' if wrong == 1 else 'labels'}, first at {bad}",
            where=str(table.path),
            remedy="a label is text, a number, or a list of them",
        )
    if "ARRAY" in inside:
        lists = f"from_json({cell}, '[\"VARCHAR\"]')"
        _list_rows(table, label, lists, source, split, n, f"{rows} AND json_type({cell}) = 'ARRAY'", tally)


def _list_rows(table: Table, label: str, cell: str, source: str, split: str, n: str, rows: str, tally: Tally) -> None:
    """Rows whose cell is a list of labels: a repeated one counts once."""
    tally.has_lists = True
    names = f"[trim(name) FOR name IN ({cell}) IF trim(name) <> '']"
    names = f"{names}[1:1]" if tally.several == "first" else f"list_distinct({names})"
    weight = "1" if n == "count(*)" else n.removeprefix("sum(").removesuffix(")")
    lists = (
        f"(SELECT coalesce({names}, []) AS names, {source} AS source, {split} AS split, {weight} AS weight "
        f"FROM {table.relation} WHERE {rows})"
    )
    found = table.connection.execute(
        f"SELECT left(name, {MAX_NAME + 1}), source, split, sum(weight) FROM "
        f"(SELECT unnest(names) AS name, source, split, weight FROM {lists}) GROUP BY ALL LIMIT {MAX_KEYS + 1}"
    ).fetchall()
    check_keys([name for name, *_ in found], str(table.path), label)
    for name, origin, part, n_rows in found:
        counts, key = tally.of(part), (name.strip(), origin)
        counts[key] = counts.get(key, 0) + n_rows
        tally.further[part] += n_rows
    for part, empty, n_rows in table.connection.execute(
        f"SELECT split, len(names) = 0, sum(weight) FROM {lists} GROUP BY ALL"
    ).fetchall():
        if empty:
            tally.missing[part] += n_rows
        else:
            tally.further[part] -= n_rows


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
    sizes = Counter({split: tally.samples(split) + tally.missing[split] for split in {*tally.labels, *tally.missing}})
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
    return {wanted}, [] if quiet else [f"split {wanted!r} taken, {of_rows(left)} of other splits left out"]
