"""A table as a part of a manifest: DuckDB counts its different cells, or lists its rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from itertools import repeat
from shlex import quote

from predictor.errors import ManifestError
from predictor.manifest.cells import MAX_CELL, NO_SEPARATOR, Cells, decoded
from predictor.manifest.count_tables import count_cells
from predictor.manifest.counted import ManifestRequest
from predictor.manifest.engine import message, quoted, quoted_name
from predictor.manifest.one_hot import one_hot_table
from predictor.manifest.parts import Cell, Labels, Row
from predictor.manifest.repeated_header import repeated_header
from predictor.manifest.roles import COUNTS, roles_of
from predictor.manifest.table import JSON, LOOKED_AT, MAX_KEYS, Table, of_rows, shown
from predictor.manifest.where import with_condition
from predictor.text import MAX_NAME

FILE_IDS = 100  # that many sources, a new one in most rows: the column holds file ids, not sources
FILE_END = r"(?i)\.(jpe?g|png|webp|bmp|gif|tiff?|ppm|pgm)$"
CHUNK = 100_000  # rows fetched at once


class Label(str):
    """A label that was read before."""

    __slots__ = ()


class TablePart:
    """One table under the roles of its columns; see `parts.Part`."""

    def __init__(self, table: Table, request: ManifestRequest):
        self.where, self.file, self.split = str(table.path), table.path, table.split
        self.request, self.remedy = request, table.remedy
        roles = roles_of(table, request)
        self.notes = list(roles.notes)
        if request.one_hot and not roles.label:
            table, roles = one_hot_table(table, roles, self.notes)
        self.roles = roles
        self.table, self.taken = with_condition(table, request.where, roles.kept())
        if roles.confidence:
            self.taken = self._confident()
        self.kind, self.cell = self.table.labels(roles.label)
        self.names = table.names.get(roles.label, ())
        self.named = bool(self.names)
        self.has_splits = roles.split is not None
        self._split = _text(roles.split)
        self._source = self._sources()
        if roles.weight:
            self._check_weights()
        if not (roles.by_image or roles.count or roles.weight or request.instances):
            self._repeated_images()
        if roles.by_image:
            self.notes.append(
                "rows of one image taken together: each of its classes counts once; with --instances, every row"
            )

    # cells

    def cells(self, labels: Labels) -> Iterator[Cell]:
        import duckdb

        try:
            yield from self._counted(labels) if self.roles.count else self._sampled(labels)
        except duckdb.DataError as error:
            if self.request.where is None:
                raise
            raise ManifestError(
                f"{self.request.where!r} does not fit: {message(error)}",
                where="--where",
                remedy=f"use the columns of {self.where}: {', '.join(map(quoted_name, self.table.columns))}",
            ) from None

    def _counted(self, labels: Labels) -> Iterator[Cell]:
        how = (self.kind, self.cell, self._source, self._split, self.taken)
        return count_cells(self.table, self.roles, *how, labels, self.notes)

    def _sampled(self, labels: Labels) -> list[Cell]:
        found = list(self._pairs() if self.roles.by_image else self._groups())
        if self.table.text and (
            headers := repeated_header(
                self.table, self.taken, self.roles.label, [cell for cell, *_ in found], self.notes
            )
        ):
            self.taken = f"{self.taken} AND NOT ({headers})"
            found = list(self._pairs() if self.roles.by_image else self._groups())
        self._check_classes(found, labels)
        return self._once(found, labels) if self.roles.by_image else found

    def _once(self, found: list[Cell], labels: Labels) -> list[Cell]:
        """The same, where a label of an image may be written in two ways: the image counts once for it all the same."""
        try:
            read = {cell: labels(cell) for cell in dict.fromkeys(cell for cell, *_ in found)}
        except ValueError:  # told by the one who asks for all cells
            return found
        written = Counter(name for names in read.values() for name in names)
        if not written or max(written.values()) == 1:
            return found
        engine = self.table.connection
        engine.execute("CREATE OR REPLACE TEMP TABLE readings (cell VARCHAR, label VARCHAR)")
        engine.executemany(
            "INSERT INTO readings VALUES (?, ?)", [[cell, name] for cell, names in read.items() for name in names]
        )
        cells = f"SELECT {self._cut('cell', 0)}, image, source, split FROM pairs"
        counts = engine.execute(
            f"SELECT label, source, split, count(DISTINCT image) FROM ({cells}) JOIN readings USING (cell) GROUP BY ALL"
        ).fetchall()
        return [*((Label(label), source, split, n) for label, source, split, n in counts), *self._missing]

    def _groups(self) -> Iterator[Cell]:
        n = f"sum(TRY_CAST({quoted_name(self.roles.weight)} AS DOUBLE))" if self.roles.weight else "count(*)"
        keys = (self.cell, self._source, self._split)
        varying = {
            place: key for place, key in enumerate(keys) if key != "''"
        }  # others would be hashed and fetched too
        named = ", ".join(f"{key} AS key{place}" for place, key in varying.items())
        cut = ", ".join(self._cut(f"key{place}", place) for place in varying)
        places = ", ".join(str(place) for place in range(1, len(varying) + 1))
        with self.table.query(
            f"SELECT {cut}, n FROM (SELECT {named}, {n} AS n FROM {self.table.relation} WHERE {self.taken} "
            f"GROUP BY {places} LIMIT {MAX_KEYS + 1})"
        ) as result:
            columns = {
                name: cells.tolist() for name, cells in result.fetchnumpy().items()
            }  # rows would cost twice the time
        if len(columns["n"]) > MAX_KEYS:
            raise self._too_many()
        cells, sources, splits = (columns.get(f"key{place}", repeat("")) for place in range(len(keys)))
        yield from zip(cells, sources, splits, columns["n"])  # noqa: B905

    def _pairs(self) -> Iterator[Cell]:
        """Every label of an image once; the engine keeps the pairs where memory does not suffice."""
        cell = self.cell if self.kind == JSON else f"trim({self.cell})"
        image, row = f"trim({quoted_name(self.roles.image)}::VARCHAR)", "row_number() OVER ()"
        rows = (
            f"SELECT {image} AS image, {cell} AS cell, {self._source} AS source, {self._split} AS split, "
            f"{row} AS row FROM {self.table.relation} WHERE {self.taken}"
        )
        filled = (
            "coalesce(trim(cell::VARCHAR), '') NOT IN ('', 'null')"
            if self.kind == JSON
            else "coalesce(trim(cell), '') <> ''"
        )
        if self.request.several == "first":
            one = "SELECT image, arg_min(cell, row) AS cell, source, split"
            pairs = f"{one} FROM ({rows}) WHERE {filled} GROUP BY image, source, split"
        else:
            pairs = f"SELECT DISTINCT image, cell, source, split FROM ({rows}) WHERE {filled}"
        with self.table.query(f"CREATE OR REPLACE TEMP TABLE pairs AS {pairs}"):
            pass
        self._missing = self.table.fetch(
            f"SELECT NULL, '', split, count(*) FROM ({rows}) WHERE NOT {filled} GROUP BY split"
        )
        found = self.table.connection.execute(
            f"SELECT {self._cut('cell', 0)}, source, split, count(*) FROM pairs GROUP BY ALL LIMIT {MAX_KEYS + 1}"
        ).fetchall()
        if len(found) > MAX_KEYS:
            raise self._too_many()
        yield from found
        yield from self._missing

    def images(self, labels: Labels) -> dict[str, int] | None:
        if not self.roles.by_image or self.roles.count:
            return None
        return dict(
            self.table.connection.execute("SELECT split, count(DISTINCT image) FROM pairs GROUP BY split").fetchall()
        )

    def _cut(self, key: str, place: int) -> str:
        if place == 0 and self.kind == JSON:
            return f"{key} AS {key}"
        several = self.request.one_hot or self.request.several_separator not in (None, NO_SEPARATOR)
        return f"left({key}, {(MAX_CELL if several else MAX_NAME) + 1}) AS {key}"

    def labels(self, cell: object, cells: Cells) -> tuple[str, ...]:
        if isinstance(cell, Label):
            return (str(cell),)
        if self.roles.one_hot:
            return cells.of_names(decoded(cell))
        if self.table.refused and isinstance(cell, str) and cell.startswith(self.table.refused):
            raise ValueError(cell.removeprefix(self.table.refused))
        return cells.of(decoded(cell) if self.kind == JSON else cell, self.names)

    # rows

    def rows(self) -> Iterator[Row]:
        if self.roles.count:
            raise ManifestError(
                "lists classes and their counts, no images",
                where=self.where,
                remedy="name a manifest with a row per image",
            )
        image = _text(self.roles.image) if self.roles.image and self._is_text(self.roles.image) else "''"
        select = (
            f"SELECT cell, source, split, image, row, team FROM "
            f"(SELECT row_number() OVER () - 1 AS row, {self.cell} AS cell, "
            f"{self._source} AS source, {self._split} AS split, {image} AS image, "
            f"{_text(self.roles.group)} AS team, {self.taken} AS taken "
            f"FROM {self.table.relation}) WHERE taken"
        )
        if self.roles.by_image:
            select = (
                f"SELECT to_json(list(cell ORDER BY row))::VARCHAR, any_value(source), split, image, min(row), "
                f"any_value(team) FROM ({select}) GROUP BY image, split ORDER BY min(row)"
            )
        with self.table.query(select) as result:
            while found := result.fetchmany(CHUNK):
                yield from found

    def row_labels(self, cell: object, cells: Cells) -> tuple[str, ...]:
        """The labels of one of `rows`."""
        if not self.roles.by_image:
            return self.labels(cell, cells)
        found = [name for each in decoded(cell) or [] for name in self.labels(each, cells)]
        return tuple(dict.fromkeys(found))[: 1 if self.request.several == "first" else None]

    def places(
        self, bad: Sequence[object], splits: Collection[str] | None = None
    ) -> tuple[int, list[tuple[str, object]]]:
        cells = ", ".join(quoted(cell or "") for cell in bad)
        cut = self._cut(self.cell, 0).removesuffix(f" AS {self.cell}")
        taken = "true" if splits is None else f"{self._split} IN ({', '.join(map(quoted, splits))})"
        return self.table.first_rows(f"{self.taken} AND {taken} AND coalesce({cut}, '') IN ({cells})", cut)

    # what the rows are

    def _is_text(self, column: str) -> bool:
        return self.table.columns[column] in ("VARCHAR", "BIGINT", "INTEGER", "UUID")

    def _sources(self) -> str:
        """SQL of the source; '' where there is none or where the column only names files."""
        source = self.roles.source
        if source is None:
            return "''"
        if not self.roles.count:
            n_rows, n_sources, n_files = self.table.fetch(
                f"SELECT count(*), count(DISTINCT source), count(*) FILTER (regexp_matches(source, '{FILE_END}')) "
                f"FROM (SELECT {quoted_name(source)}::VARCHAR AS source "
                f"FROM {self.table.relation} WHERE {self.taken} LIMIT {LOOKED_AT})"
            )[0]
            if n_sources > n_rows / 2 and (n_sources > FILE_IDS or n_files > n_rows / 2 > 1):
                self.notes.append("column 'source' differs in nearly every row: taken for file names, not for sources")
                return "''"
        return _text(source)

    def _repeated_images(self) -> None:
        """Note that images are named in several rows, as far as the first rows show it."""
        image = self.roles.image
        if image is None or image.lower() in WEAK or not self._is_text(image):
            return
        ((n, different),) = self.table.fetch(
            f"SELECT count(image), count(DISTINCT image) FROM (SELECT {quoted_name(image)} AS image "
            f"FROM {self.table.relation} WHERE {self.taken} LIMIT {CHUNK // 10})"
        )
        if different < n:
            self.notes.append(f"column {image!r} names {n - different:,} images again: every row counts as an image")

    def _confident(self) -> str:
        """SQL of the rows whose label is there. Raises ManifestError for confidences that are no numbers."""
        cell = quoted_name(self.roles.confidence or "")
        number = f"TRY_CAST({cell} AS DOUBLE)"
        n, found = self.table.first_rows(
            f"{self.taken} AND NOT coalesce({number} BETWEEN 0 AND 1, false)", f"{cell}::VARCHAR"
        )
        if n:
            bad = [f"{place}: {cell!r}" for place, cell in found]
            raise ManifestError(
                f"{n:,} bad {'confidence' if n == 1 else 'confidences'}, first at {shown(bad, n)}",
                where=self.where,
                remedy="write a number from 0 (the label is absent) to 1",
            )
        ((absent,),) = self.table.fetch(
            f"SELECT count(*) FROM {self.table.relation} WHERE {self.taken} AND {number} = 0"
        )
        if absent:
            self.notes.append(f"{of_rows(absent)} of confidence 0 left out: the label is absent")
        return f"{self.taken} AND {cell}::DOUBLE > 0"

    def _check_classes(self, found: Sequence[Cell], labels: Labels) -> None:
        """Raise ManifestError for a table of classes whose column of counts nobody named."""
        roles = self.roles
        if roles.weight or roles.by_image or self.request.count or len(found) < 2 or any(n != 1 for *_, n in found):
            return
        if roles.image and roles.image.lower() not in WEAK:
            return
        looked = f"(SELECT * FROM {self.table.relation} LIMIT {LOOKED_AT})"
        if self.request.where:  # of rows that were chosen, every label may stand once by chance
            ((n, different),) = self.table.fetch(
                f"SELECT count({self.cell}), count(DISTINCT {self.cell}) FROM {looked}"
            )
            if different < n:
                return
        used = (roles.label, roles.split, roles.source, roles.image)
        free = [name for name in self.table.columns if name not in used and name.lower() not in NO_COUNTS]
        for name in sorted(free, key=lambda name: name.lower() not in COUNTS):
            number = f"TRY_CAST({quoted_name(name)}::VARCHAR AS DOUBLE)"
            n, whole, low, high, distinct = self.table.fetch(
                f"SELECT count(*), count({number}) FILTER ({number} >= 0 AND {number} = trunc({number})), "
                f"min({number}), max({number}), count(DISTINCT {number}) FROM {looked}"
            )[0]
            index = low in (0, 1) and distinct == n and high - low == n - 1
            if n and n == whole and not index:
                raise ManifestError(
                    f"every label stands once, beside whole numbers in column {name!r}: a row seems to be a class",
                    where=self.where,
                    remedy=f"name the column of images per class with --count {quote(name)}; "
                    "where a row is an image, say --count none",
                )

    def _check_weights(self) -> None:
        cell = f"{quoted_name(self.roles.weight or '')}::VARCHAR"
        number = f"TRY_CAST({cell} AS DOUBLE)"
        wrong = f"NOT coalesce({number} >= 0 AND isfinite({number}), false)"
        if self.table.text:  # a header that stands again is told elsewhere
            wrong += f" AND coalesce(lower(trim({cell})), '') <> {quoted((self.roles.weight or '').lower())}"
        if self.table.semicolons:
            wrong = f"({wrong} OR regexp_full_match(trim({cell}), '[1-9]\\d{{0,2}}(\\.\\d{{3}})+'))"
        n, found = self.table.first_rows(f"{self.taken} AND {wrong}", f"{cell}::VARCHAR")
        if n:
            bad = [f"{place}: {cell!r}" for place, cell in found]
            raise ManifestError(
                f"{n:,} bad {'weight' if n == 1 else 'weights'}, first at {shown(bad, n)}",
                where=self.where,
                remedy="write a finite number, 0 or more, without marks of thousands",
            )

    def _too_many(self) -> ManifestError:
        return ManifestError(
            f"more than {MAX_KEYS:,} different labels",
            where=self.where,
            remedy=f"name another column than {self.roles.label!r} with --label, or check its quotes",
        )


WEAK = ("url", "id", "name")
NO_COUNTS = frozenset(
    (
        "index",
        "id",
        "idx",
        "row",
        "class_id",
        "label_id",
        "category_id",
        "width",
        "height",
        "year",
        "number",
        "no",
        "line",
    )
)  # whole numbers that are no counts


def _text(column: str | None) -> str:
    return f"coalesce(trim({quoted_name(column)}::VARCHAR), '')" if column else "''"


def with_columns(table: Table, **constant: str) -> Table:
    """The table with constant columns beside its own; one that it has itself stays."""
    new = {name: value for name, value in constant.items() if name not in table.columns}
    if not new:
        return table
    more = "".join(f", {quoted(value)} AS {quoted_name(name)}" for name, value in new.items())
    return replace(
        table,
        relation=f"(SELECT *{more} FROM {table.relation})",
        columns={**table.columns, **dict.fromkeys(new, "VARCHAR")},
    )
