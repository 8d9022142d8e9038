"""A file as SQL rows: the columns it has, which of them is which, and where a row stands."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from predictor.errors import SHOWN, ManifestError
from predictor.manifest.cells import REMEDY
from predictor.manifest.engine import quoted_name

if TYPE_CHECKING:
    import duckdb

USUAL = ("label", "class", "class_name", "category", "target", "wnid")  # names of a column of labels
TEXT, JSON = "text", "json"  # what a cell of labels is
PLAIN = (
    "VARCHAR",
    "BOOLEAN",
    "TINYINT",
    "SMALLINT",
    "INTEGER",
    "BIGINT",
    "HUGEINT",
    "UTINYINT",
    "USMALLINT",
    "UINTEGER",
    "UBIGINT",
    "UHUGEINT",
    "UUID",
    "DATE",
)  # types whose text is what they say
UNNAMED = "column"  # a column without a name is called so, with its number
LOOKED_AT = 100_000  # rows that show what a column holds
MAX_KEYS = 5_000_000  # different (label, source, split) of one file
MAX_LINES = 2_000_000  # rows of a file whose lines are looked up for messages


_FILE = re.compile(r"\.[A-Za-z]\w{1,4}$|^[^,;\t]*[/\\][^,;\t]*$")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")


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


@dataclass(frozen=True, kw_only=True)
class Table:
    """A file as SQL.

    path : the file, in messages; relation : gives its rows in file order
    columns : {name: type as the engine writes it}
    split : what the file's name or folder says of its rows
    names : {column: classes behind its numbers}, as a description of the file says
    default_label : the column of labels where the file itself tells which it is
    text : its cells are text in which nobody marked numbers, and a header may stand again among its rows
    semicolons : they part its cells, so a comma may be the mark of decimals and a point that of thousands
    label : {column: (how its cells hold labels, SQL of them)}; None: the type of the column tells
    refused : cells of labels that begin so say what is wrong with their row; remedy : of labels that are refused
    places : where rows stand in the file, by their numbers from 1
    opening : makes the relation readable for one query, as of an Arrow file, which is read once
    """

    path: Path
    connection: duckdb.DuckDBPyConnection
    relation: str
    columns: Mapping[str, str]
    split: str = ""
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    default_label: str | None = None
    text: bool = False
    semicolons: bool = False
    refused: str = ""
    remedy: str = REMEDY
    label: Callable[[str], tuple[str, str]] | None = None
    places: Callable[[Sequence[int]], list[str]] = field(default=row_numbers)
    opening: Callable[[str], AbstractContextManager[object]] | None = None

    @contextmanager
    def query(self, sql: str) -> Iterator[duckdb.DuckDBPyConnection]:
        """The result of SQL on this table, while the block runs."""
        with self.opening(sql) if self.opening else nullcontext():
            yield self.connection.execute(sql)

    def fetch(self, sql: str) -> list[tuple]:
        """All rows of a result."""
        with self.query(sql) as result:
            return result.fetchall()

    def column(self, name: str, option: str) -> str:
        """The name itself. Raises ManifestError, with a near name, where there is no such column."""
        if name in self.columns:
            return name
        found = ", ".join(map(repr, self.columns)) or "none"
        candidates = [c for c in self.columns if c.lower() in USUAL]
        near = difflib.get_close_matches(name, self.columns, n=1) or candidates[:1]
        remedy = f"name it with {option} {quote(near[0])}, or rename it" if near else f"name it with {option} COLUMN"
        if self.text and not near:
            remedy += f"; if the first line is data, say --no-header and {option} NUMBER"
        if self.text and looks_like_data(self.columns):
            remedy = f"say --no-header and {option} NUMBER if there is no header: the first line looks like data"
            if number := label_of(list(self.columns)):
                remedy = remedy.replace("NUMBER", number)
        raise ManifestError(f"missing column {name!r}; found {found}", where=str(self.path), remedy=remedy)

    def labels(self, column: str) -> tuple[str, str]:
        """(TEXT or JSON, SQL of the cells)."""
        if self.label:
            return self.label(column)
        cell, kind = quoted_name(column), self.columns[column].upper()
        if kind == "BLOB":
            return TEXT, f"decode({cell})"
        plain = kind in PLAIN or kind.startswith("ENUM")
        return (TEXT, f"{cell}::VARCHAR") if plain else (JSON, f"to_json({cell})::VARCHAR")

    def first_rows(self, wrong: str, columns: str = "NULL") -> tuple[int, list[tuple[str, object]]]:
        """(number of the rows for which the SQL `wrong` holds, place and `columns` of the first ten)."""
        found = self.fetch(
            f"SELECT row, cell, total FROM (SELECT row, cell, count(*) OVER () AS total FROM "
            f"(SELECT row_number() OVER () AS row, {columns} AS cell, ({wrong}) AS wrong FROM {self.relation}) "
            f"WHERE wrong) ORDER BY row LIMIT {SHOWN}"
        )
        places = self.places([row for row, _, _ in found])
        return (found[0][2] if found else 0), list(zip(places, (cell for _, cell, _ in found), strict=True))


def is_file(text: str) -> bool:
    """Whether a text names a file: it has an ending, or folders.

    >>> is_file("img/1.jpg"), is_file("cat"), is_file("1.5"), is_file("a/b")
    (True, False, False, True)
    """
    return bool(_FILE.search(text.strip()))


def label_of(row: Sequence[str]) -> str | None:
    """The number of the cell that holds the label: the one beside the only file of two; None where that is not so.

    >>> label_of(["img/1.jpg", "cat"]), label_of(["a", "b", "c"])
    ('2', None)
    """
    files = [is_file(cell) for cell in row]
    return str(files.index(False) + 1) if len(row) == 2 and sum(files) == 1 else None


def looks_like_data(header: Iterable[str]) -> bool:
    """Whether a header looks like a row: it names a file, or holds a number.

    >>> looks_like_data(["img/1.jpg", "cat"]), looks_like_data(["path", "label"]), looks_like_data(["wnid", "0"])
    (True, False, True)
    """
    return any(is_file(name) or _NUMBER.fullmatch(name) for name in header)
