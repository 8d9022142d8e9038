"""A file as SQL rows: the columns it has, which of them is which, and where a row stands."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from predictor.errors import SHOWN, ManifestError
from predictor.manifest.engine import quoted_name

if TYPE_CHECKING:
    import duckdb

USUAL = ("label", "class", "class_name", "category", "target", "wnid")  # names of a column of labels
TEXT, LIST, JSON = "text", "list", "json"  # what a cell of labels is
LOOKED_AT = 100_000  # rows that show what a column holds
MAX_KEYS = 5_000_000  # different (label, source, split) of one file
MAX_NAME = 1_000  # characters of a label; a longer one is a text, or a quote that was never closed
MAX_LINES = 2_000_000  # rows of a file whose lines are looked up for messages


def row_numbers(rows: Sequence[int]) -> list[str]:
    """What rows are called where a file has no lines."""
    return [f"row {row}" for row in rows]


def of_rows(n: int) -> str:
    """A number of rows in words.

    >>> of_rows(1), of_rows(1234)
    ('1 row', '1,234 rows')
    """
    return "1 row" if n == 1 else f"{n:,} rows"


def shown(problems: Sequence[str], n: int) -> str:
    """The first problems of n; the rest is counted.

    >>> shown(["line 2", "line 5"], 2000)
    'line 2; line 5; and 1,998 more'
    """
    first = list(problems[:SHOWN])
    return "; ".join(first) + (f"; and {n - len(first):,} more" if n > len(first) else "")


def check_keys(names: Sequence[str | None], where: str, label: str) -> None:
    """Raise ManifestError for more, or longer, labels than classes have."""
    if len(names) > MAX_KEYS:
        problem = f"more than {MAX_KEYS:,} different labels"
    elif max(map(len, filter(None, names)), default=0) > MAX_NAME:
        long = [name for name in names if name and len(name) > MAX_NAME]
        problem = f"{len(long):,} labels of more than {MAX_NAME:,} characters, one begins {long[0][:50]!r}"
    else:
        return
    raise ManifestError(
        problem,
        where=where,
        remedy=f"column {label!r} seems to hold no classes: name another with --label, or check the quotes",
    )


@dataclass(frozen=True, kw_only=True)
class Table:
    """A file as SQL.

    relation : gives its rows in file order
    columns : {name: type as the engine writes it}
    label : {column: (how its cells hold labels, SQL of them)}; None: the type of the column tells
    places : where rows stand in the file, by their numbers from 1
    """

    path: Path
    connection: duckdb.DuckDBPyConnection
    relation: str
    columns: Mapping[str, str]
    label: Callable[[str], tuple[str, str]] | None = None
    places: Callable[[Sequence[int]], list[str]] = field(default=row_numbers)

    def column(self, name: str, option: str) -> str:
        """The name itself. Raises ManifestError, with a near name, where there is no such column."""
        if name in self.columns:
            return name
        found = ", ".join(map(repr, self.columns)) or "none"
        candidates = [c for c in self.columns if c.lower() in USUAL]
        near = difflib.get_close_matches(name, self.columns, n=1) or candidates[:1]
        remedy = f"Name it with {option} {near[0]}, or rename it" if near else f"Name it with {option} COLUMN"
        raise ManifestError(f"missing column {name!r}; found {found}", where=str(self.path), remedy=remedy)

    def labels(self, column: str) -> tuple[str, str]:
        """(TEXT, LIST or JSON, SQL of the cells)."""
        if self.label:
            return self.label(column)
        cell = quoted_name(column)
        return (LIST, f"{cell}::VARCHAR[]") if self.columns[column].endswith("[]") else (TEXT, f"{cell}::VARCHAR")

    def first_rows(self, wrong: str, columns: str = "NULL") -> tuple[int, list[tuple[str, object]]]:
        """(number of the rows for which the SQL `wrong` holds, place and `columns` of the first ten)."""
        found = self.connection.execute(
            f"SELECT row, cell, total FROM (SELECT row, cell, count(*) OVER () AS total FROM "
            f"(SELECT row_number() OVER () AS row, {columns} AS cell, ({wrong}) AS wrong FROM {self.relation}) "
            f"WHERE wrong) ORDER BY row LIMIT {SHOWN}"
        ).fetchall()
        places = self.places([row for row, _, _ in found])
        return (found[0][2] if found else 0), list(zip(places, (cell for _, cell, _ in found), strict=True))
