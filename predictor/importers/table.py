"""Somebody's results as rows and columns, whatever file they came from; and what a cell may hold."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from predictor.errors import RegistryError, listed, with_near
from predictor.text import PLAIN

Cell = str | int | float | bool | dict[str, Any] | None
MAX_ROWS = 1_000_000
MAX_COLUMNS = 5_000
MISSING = ("", "nan", "na", "n/a", "null", "none")  # words for no value, in any capitals; a map may name more
MAX_COUNT = 2**53  # as of manifests: beyond it a count read from a float is not exact
MAX_TEXT = 200  # characters of a wrong cell that a message shows


class BadCell(ValueError):
    """What is wrong with a cell, in words."""


@dataclass(frozen=True)
class ImportedTable:
    """Rows of somebody's file, as they stand there.

    source : the file, for messages
    rows : a cell a column; text of CSV files, numbers where the file has types
    places : what each row is called, e.g. 'line 17'
    notes : what the reader left out
    """

    source: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    places: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, source: str, columns: Sequence[str], rows: Iterable[tuple[str, Sequence[Cell]]], notes: Sequence[str] = ()
    ) -> ImportedTable:
        """A table from (place, cells).

        Raises RegistryError for columns of one name, no column, rows of another length, too many of either, none.
        """
        twice = (
            sorted({name for name in columns if columns.count(name) > 1}) if len(set(columns)) < len(columns) else []
        )
        if twice:
            raise RegistryError(f"columns stand there twice: {listed([repr(name) for name in twice])}", where=source,
                                remedy="rename one of them")  # fmt: skip
        if len(columns) > MAX_COLUMNS:
            raise RegistryError(f"{len(columns):,} columns; at most {MAX_COLUMNS:,} are read", where=source)
        places, kept, short = [], [], []
        for place, cells in rows:
            if len(cells) != len(columns):
                short.append(f"{place} has {len(cells)} cells; the header has {len(columns)}")
                continue
            places.append(place)
            kept.append(tuple(cells))
            if len(kept) > MAX_ROWS:
                raise RegistryError(f"more than {MAX_ROWS:,} rows", where=source, remedy="import it in parts")
        if short:
            raise RegistryError(listed(short), where=source, remedy="give every row as many cells as the header")
        if not kept:
            raise RegistryError("no rows", where=source, remedy="name a table with a header and rows below it")
        return cls(source, tuple(columns), tuple(kept), tuple(places), tuple(notes))

    @classmethod
    def of_records(
        cls, source: str, records: Iterable[tuple[str, dict[str, Cell]]], notes: Sequence[str] = ()
    ) -> ImportedTable:
        """A table from (place, {column: cell}); a record that lacks a column has no value there."""
        found = list(records)
        columns = list(dict.fromkeys(name for _, record in found for name in record))
        return cls.of(
            source, columns, ((place, [record.get(name) for name in columns]) for place, record in found), notes
        )

    def index(self, column: str) -> int:
        """The position of a column. Raises RegistryError for an unknown one, with what looks like it."""
        try:
            return self.columns.index(column)
        except ValueError:
            raise RegistryError(
                f"no column {with_near([column], self.columns)}",
                where=self.source,
                remedy=f"choose of {listed([repr(name) for name in self.columns])}",
            ) from None


def is_missing(cell: Cell, words: Sequence[str] = ()) -> bool:
    """Whether a cell holds no value.

    >>> is_missing(" NaN "), is_missing(float("nan")), is_missing(0), is_missing("-", ["-"]), is_missing(-1, ["-1"])
    (True, True, False, True, True)
    """
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return True
    if isinstance(cell, str) and cell.strip().casefold() in MISSING:
        return True
    return not isinstance(cell, dict) and any(same(cell, word) for word in words)


def same(cell: Cell, value: Cell) -> bool:
    """Whether a cell is what a map says: 10, 10.0 and the text 10 are one, and so are true, True and the text true.

    Raises BadCell for a mapping.

    >>> same("10", 10.0), same(True, "True"), same("true", True), same("a", "A")
    (True, True, True, False)
    """
    if isinstance(cell, bool) or isinstance(value, bool):
        return text(cell).casefold() == text(value).casefold()
    if is_number(cell) and is_number(value):
        return number(cell) == number(value)
    return text(cell) == text(value)


def number(cell: Cell) -> float:
    """The number in a cell.

    Raises BadCell for what two readers could read in two ways: leading zeros, thousands apart, per cent signs.

    >>> number("-1.5e3"), number(7)
    (-1500.0, 7.0)
    >>> number("030282.63")
    Traceback (most recent call last):
    predictor.importers.table.BadCell: '030282.63' is no plain number: it begins with 0
    """
    if isinstance(cell, bool) or cell is None or isinstance(cell, dict):
        raise BadCell(f"{shown(cell)} is no number")
    if not isinstance(cell, str):
        try:
            value = float(cell)
        except OverflowError:
            value = math.inf
        except TypeError:  # a date or a list of a map
            raise BadCell(f"{shown(cell)} is no number") from None
    else:
        text = cell.strip()
        if not PLAIN.fullmatch(text):
            raise BadCell(f"{shown(cell)} is no plain number" + _reason(text))
        value = float(text)
    if not math.isfinite(value):
        raise BadCell(f"{shown(cell)} is no finite number")
    return value


def _reason(text: str) -> str:
    if re.fullmatch(r"[+-]?0[0-9][0-9.]*", text):
        return ": it begins with 0"
    if re.fullmatch(r"[+-]?[0-9]+(,[0-9]+)+(\.[0-9]+)?", text):
        return ": a comma parts thousands or decimals, nothing says which"
    if text.endswith("%"):
        return ": write it without %, and per_cent: true in the map"
    return ""


def whole(cell: Cell) -> int:
    """The whole number in a cell, 0 or more. Raises BadCell.

    >>> whole("25"), whole(25.0)
    (25, 25)
    """
    value = number(cell)
    if value < 0 or not value.is_integer():
        raise BadCell(f"{shown(cell)} is no whole number of 0 or more")
    return int(value)


def images(cell: Cell) -> int:
    """A number of images. Raises BadCell where it is no whole number, or so large that a number cell is not exact."""
    value = whole(cell)
    if value > MAX_COUNT:
        raise BadCell(f"{shown(cell)} is more than {MAX_COUNT:,}; that many images cannot be meant")
    return value


def is_number(cell: Cell) -> bool:
    """Whether `number` takes the cell."""
    try:
        number(cell)
    except BadCell:
        return False
    return True


def text(cell: Cell) -> str:
    """A cell as text: blanks around it left out, 3.0 of a workbook as 3. Raises BadCell for a mapping.

    >>> text(" a "), text(3.0), text(True)
    ('a', '3', 'true')
    """
    if isinstance(cell, dict) or cell is None:
        raise BadCell(f"{shown(cell)} is no text")
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return str(int(cell))
    return str(cell).strip()


def parsed(content: str) -> Any:
    """What a JSON text holds. Raises ValueError; BadCell where a mapping has a key twice, of which one would be lost.

    >>> parsed('{"a": 1, "a": 2}')
    Traceback (most recent call last):
    predictor.importers.table.BadCell: the key 'a' stands twice in {'a': 2}
    """
    return json.loads(content, object_pairs_hook=_distinct)


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(name for name, n in Counter(name for name, _ in pairs).items() if n > 1)
        raise BadCell(f"the key {twice!r} stands twice in {shown(found)}")
    return found


def shown(cell: Cell) -> str:
    """A cell in a message."""
    written = repr(cell)
    return written if len(written) <= MAX_TEXT else f"{written[:MAX_TEXT]}..."
