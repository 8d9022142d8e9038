"""The rows of a table as run records: every bad cell is named by row and column."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from statistics import fmean
from typing import Any, TypeVar

from pydantic import ValidationError

from predictor.errors import RegistryError, listed
from predictor.importers.mapping import MOST_CLASSES, Constant, Map, MappedClasses
from predictor.importers.table import (
    BadCell,
    Cell,
    ImportedTable,
    images,
    is_missing,
    is_number,
    number,
    parsed,
    same,
    shown,
    text,
    whole,
)
from predictor.records.schema import Counted, Outcome, Reported, RunRecord, Scalar, StageCounts, imported_id
from predictor.records.shift_rows import SHIFT
from predictor.statistics.outcome_scales import SHARES, impossible, needed

Value = TypeVar("Value")
SEED = "seed"  # the axis that tells replicates apart
MOST_WORDS = 500  # of a column of words


class TableRows:
    """The rows of a table, read one after the other; faults are collected.

    notes : rows that were left out, and why
    reference : numbers of the rows that effective robustness is measured against
    """

    def __init__(self, table: ImportedTable, plan: Map) -> None:
        self._table, self._plan = table, plan
        self._at = {name: position for position, name in enumerate(table.columns)}
        self._bad: list[str] = []
        self._without: list[str] = []
        self.notes: list[str] = []
        self.reference: set[int] = set()
        self._words = {column: self._words_of(column) for column in plan.words}
        axes = {**{column: column for column in plan.identity}, **plan.recipe}
        self._axes = {name: (column, self._all_numbers(column)) for name, column in axes.items()}

    def records(self) -> list[tuple[RunRecord, int]]:
        """Each record with the number of its row."""
        made, left = [], 0
        for number_, cells in enumerate(self._table.rows):
            if not self._among(number_, cells, self._plan.only):
                left += 1
            elif (record := self._record(number_, cells)) is not None:
                made.append((record, number_))
        if self._bad:
            raise RegistryError(
                f"{len(self._bad)} cells cannot be read: {listed(self._bad)}",
                where=self._table.source,
                remedy="mend them there, or leave their rows out in the map (only)",
            )
        if left:
            self.notes.append(f"{left:,} rows left out: {self._only()}")
        if self._without:
            n = len(self._without)
            self.notes.append(f"{n:,} rows left out: no outcome has a value there ({listed(self._without)})")
        made = self._plausible(made)
        if not made:
            raise RegistryError(f"no row is left; {'; '.join(self.notes)}", where=self._table.source,
                                remedy="check `only`, `outcomes` and `at_least` in the map")  # fmt: skip
        return self._distinct(made)

    def _only(self) -> str:
        return "; ".join(f"{name} is not {' or '.join(map(str, values))}" for name, values in self._plan.only.items())

    def _cell(self, cells: Sequence[Cell], column: str) -> Cell:
        cell = cells[self._at[column]]
        return None if is_missing(cell, self._plan.missing) else cell

    def _among(self, number_: int, cells: Sequence[Cell], wanted: Mapping[str, Sequence[Any]]) -> bool:
        """Whether a row has one of the stated values in each of these columns."""
        return all([self._has(number_, cells, column, values) for column, values in wanted.items()])

    def _has(self, number_: int, cells: Sequence[Cell], column: str, values: Sequence[Any]) -> bool:
        if self._cell(cells, column) is None:
            return None in values
        stated = [value for value in values if value is not None]
        return bool(self._read(number_, cells, column, lambda cell: any(same(cell, value) for value in stated)))

    def _all_numbers(self, column: str) -> bool:
        """Whether every filled cell of a column is a plain number; else all of them are words."""
        place = self._at[column]
        cells = [row[place] for row in self._table.rows]
        return all(is_number(cell) for cell in cells if not is_missing(cell, self._plan.missing))

    def _words_of(self, column: str) -> list[str]:
        place = self._at[column]
        cells = [row[place] for row in self._table.rows if not isinstance(row[place], dict)]
        found = {text(cell) for cell in cells if not is_missing(cell, self._plan.missing)}
        if len(found) > MOST_WORDS:
            raise RegistryError(
                f"column {column!r} has {len(found):,} different words; at most {MOST_WORDS} become indicators",
                where=self._table.source,
                remedy="make it recipe or identity",
            )
        return sorted(found)

    def _read(self, number_: int, cells: Sequence[Cell], column: str, how: Callable[[Cell], Value]) -> Value | None:
        """A cell as `how` reads it; None where it has no value, or cannot be read, which is noted."""
        cell = self._cell(cells, column)
        if cell is None:
            return None
        try:
            return how(cell)
        except BadCell as fault:
            self._fault(number_, column, str(fault))
            return None

    def _needed(
        self, number_: int, cells: Sequence[Cell], column: str, how: Callable[[Cell], Value], hint: str = ""
    ) -> Value | None:
        """What `_read` gives, of a cell that must have a value. hint : what to write there"""
        if self._cell(cells, column) is None:
            self._fault(number_, column, f"is empty{hint}")
        return self._read(number_, cells, column, how)

    def _fault(self, number_: int, column: str, what: str) -> None:
        self._bad.append(f"{self._table.places[number_]}, column {column!r}: {what}")

    def _stated(self, number_: int, cells: Sequence[Cell], said: str | Constant | None) -> str:
        if not isinstance(said, Constant):
            return said or ""
        return self._needed(number_, cells, said.column, text) or ""

    def _record(self, number_: int, cells: Sequence[Cell]) -> RunRecord | None:
        plan, bad = self._plan, len(self._bad)
        outcomes = self._outcomes(number_, cells)
        if not outcomes and len(self._bad) == bad:
            self._without.append(self._table.places[number_])
            return None
        axes: dict[str, Scalar] = {}
        for name, (column, numbers) in self._axes.items():
            read = self._needed if column in plan.identity else self._read
            value = read(number_, cells, column, _scalar if numbers else text)
            if value is not None:
                axes[name] = value
        if plan.seed:
            seed = self._needed(number_, cells, plan.seed, whole)
            if seed is not None:
                axes[SEED] = seed
        if plan.effective_robustness and self._among(number_, cells, plan.effective_robustness.reference):
            self.reference.add(number_)
        target_set = self._stated(number_, cells, plan.target_set)
        domain = self._stated(number_, cells, plan.domain)
        data = self._data(number_, cells)
        if self._bad or data is None or not outcomes:
            return None
        shared = {"study": plan.study or "", "target_set": target_set, "domain": domain, "data": data}
        configuration = {name: value for name, value in axes.items() if name != SEED}
        try:
            return RunRecord(
                run_id=imported_id(axes=axes, **shared), configuration_id=imported_id(axes=configuration, **shared),
                provenance="imported", axes=axes, outcomes=outcomes, citation=plan.citation, **shared,
            )  # fmt: skip
        except ValidationError as error:
            first = error.errors()[0]
            self._bad.append(f"{self._table.places[number_]}: {'.'.join(map(str, first['loc']))}: {first['msg']}")
            return None

    def _outcomes(self, number_: int, cells: Sequence[Cell]) -> dict[str, Outcome]:
        found = {}
        for name, item in self._plan.outcomes.items():
            value = self._measured(number_, cells, item.column, item.scale, item.per_cent)
            clean = self._measured(number_, cells, item.clean, item.scale, item.per_cent) if item.clean else None
            if value is not None:
                found[name] = Outcome(value=value, scale=item.scale, chance=item.chance, clean_value=clean)
        shifts = [found.get(f"{SHIFT}{name}") for name in self._plan.robustness or ()]
        if shifts and None not in shifts:
            found["robustness"] = Outcome(value=fmean(shift.value for shift in shifts if shift), scale="accuracy")
        return found

    def _measured(self, number_: int, cells: Sequence[Cell], column: str, scale: str, per_cent: bool) -> float | None:
        value = self._read(number_, cells, column, number)
        if value is None:
            return None
        value = value / 100 if per_cent else value
        if bool(impossible(scale, [value])[0]):
            cell = shown(self._cell(cells, column))
            hint = "; per_cent: true where the whole column is per cent" if scale in SHARES and not per_cent else ""
            unit = "per cent of a fraction, 0 to 100" if per_cent else needed(scale)
            self._fault(number_, column, f"{cell} is outside the scale {scale}; needed {unit}{hint}")
            return None
        return value

    def _data(self, number_: int, cells: Sequence[Cell]) -> Counted | Reported | None:
        plan = self._plan
        if plan.counts is None:
            values = {name: self._read(number_, cells, item.column, number) for name, item in plan.indicators.items()}
            indicators = {name: value for name, value in values.items() if value is not None}
            for column, words in self._words.items():
                cell = self._read(number_, cells, column, text)
                indicators |= {f"{column}={word}": float(cell == word) for word in words if cell is not None}
            return Reported(indicators=indicators, citation=plan.citation or "")
        counts = self._counts(number_, cells)
        steps = self._needed(number_, cells, plan.image_steps, whole) if plan.image_steps else 0
        if counts is None:
            return None
        kept = {name: n for name, n in counts.items() if n}
        if len(kept) < 2:
            self._bad.append(f"{self._table.places[number_]}: {len(kept)} classes have images; needed 2 or more")
            return None
        names = tuple(kept)
        stage = StageCounts(classes=names, sources=("",) * len(names), counts=tuple(kept.values()), targets=None,
                            image_steps=steps or 0)  # fmt: skip
        return Counted(stages=(stage,))

    def _counts(self, number_: int, cells: Sequence[Cell]) -> dict[str, int] | None:
        """{class: images} of a row; None where a cell is empty or cannot be read, which is noted."""
        counts = self._plan.counts
        assert counts is not None
        if counts.columns is not None:
            found = {
                name: self._needed(number_, cells, column, images, "; write 0 where a class has no images")
                for name, column in counts.columns.items()
            }
            whole_ones = {name: n for name, n in found.items() if n is not None}
            return whole_ones if len(whole_ones) == len(found) else None
        if counts.cell is not None:
            return self._needed(number_, cells, counts.cell, _count_cell)
        assert counts.k is not None
        k = self._needed(number_, cells, counts.k, images)
        n = self._n_classes(number_, cells)
        if k is None or n is None:
            return None
        digits = len(str(n))
        return {f"class {i:0{digits}d}": k for i in range(1, n + 1)}

    def _n_classes(self, number_: int, cells: Sequence[Cell]) -> int | None:
        classes = self._plan.counts.classes if self._plan.counts else None
        if isinstance(classes, Constant):
            return self._needed(number_, cells, classes.column, _class_number)
        if isinstance(classes, MappedClasses):
            return self._needed(number_, cells, classes.by, partial(_stated_classes, classes.of))
        return classes

    def _plausible(self, made: list[tuple[RunRecord, int]]) -> list[tuple[RunRecord, int]]:
        """Names the rows whose outcome lies below another one that it cannot lie below."""
        for rule in self._plan.at_least:
            strange = {
                number_: f"{self._table.places[number_]} ({_name_of(record)}): {a.value:g} < {b.value:g}"
                for record, number_ in made
                if (a := record.outcomes.get(rule.outcome)) and (b := record.outcomes.get(rule.than))
                and a.value < b.value
            }  # fmt: skip
            if not strange:
                continue
            done = "left out" if rule.drop else "kept; `drop: true` leaves them out"
            lines = "\n  ".join(strange.values())
            self.notes.append(f"{len(strange)} rows say that {rule.outcome} is below {rule.than} ({done}):\n  {lines}")
            made = [item for item in made if not rule.drop or item[1] not in strange]
        return made

    def _distinct(self, made: list[tuple[RunRecord, int]]) -> list[tuple[RunRecord, int]]:
        """Rows that repeat one are counted; rows of one run that say different things are an error."""
        first: dict[object, tuple[RunRecord, int]] = {}
        differing: list[str] = []
        contradicted: set[object] = set()
        repeated = 0
        for record, number_ in made:
            by_name = tuple(str(record.axes.get(name)) for name in (*self._plan.identity, SEED))
            key: object = (record.target_set, by_name) if self._plan.identity else record.run_id
            before = first.setdefault(key, (record, number_))
            if before[1] == number_:
                continue
            if before[0] == record:
                repeated += 1
            else:
                what = _difference(before[0], record)
                differing.append(f"{self._table.places[before[1]]} and {self._table.places[number_]}: {what}")
                contradicted.add(key)
        if differing and self._plan.contradictions == "drop":
            lines = "\n  ".join(differing)
            self.notes.append(f"{len(contradicted)} runs left out, whose rows tell different things:\n  {lines}")
        elif differing:
            raise RegistryError(
                f"{len(differing)} rows give a run other values than another row does: {listed(differing)}",
                where=self._table.source,
                remedy="add the columns that tell them apart to identity or seed, or leave such runs out in the map "
                "(contradictions: drop)",
            )
        if repeated:
            self.notes.append(f"{repeated:,} rows repeat another one")
        return [item for key, item in first.items() if key not in contradicted]


def _name_of(record: RunRecord) -> str:
    return next((str(value) for name, value in record.axes.items() if name != SEED), record.target_set)


def _difference(a: RunRecord, b: RunRecord) -> str:
    told = Counter(name for name in {*a.outcomes, *b.outcomes} if a.outcomes.get(name) != b.outcomes.get(name))
    other = [name for name in ("target_set", "domain", "axes", "data") if getattr(a, name) != getattr(b, name)]
    return f"they differ in {', '.join([*sorted(told), *other]) or 'nothing that is kept'}"


def _scalar(cell: Cell) -> Scalar:
    value = number(cell)
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def _stated_classes(of: Mapping[str, int], cell: Cell) -> int:
    for value, n in of.items():
        if same(cell, value):
            return n
    raise BadCell(f"{text(cell)!r} has no number of classes in the map (counts.classes.of)")


def _class_number(cell: Cell) -> int:
    n = whole(cell)
    if n > MOST_CLASSES:
        raise BadCell(f"{n:,} classes; at most {MOST_CLASSES:,} are read")
    return n


def _count_cell(cell: Cell) -> dict[str, int]:
    """{class: images} of a mapping, or of its JSON in a file of text; a class without a value has no images."""
    found = cell
    if isinstance(cell, str):
        try:
            found = parsed(cell)
        except BadCell:
            raise
        except (ValueError, RecursionError):
            found = None
    if not isinstance(found, dict):
        raise BadCell(f'{shown(cell)} is no mapping of class names to images, as in {{"bee": 5, "bus": 7}}')
    return {str(name): images(n) for name, n in found.items() if n is not None}
