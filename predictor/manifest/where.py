"""`--where`: one SQL condition on the rows of a table, which can use nothing but that table."""

from __future__ import annotations

from dataclasses import replace
from itertools import compress

from predictor.errors import ManifestError
from predictor.manifest.engine import message, quoted_name
from predictor.manifest.table import LOOKED_AT, Table

SHOWN = 200  # characters of a condition in a message


def with_condition(table: Table, where: str | None, kept: set[str]) -> tuple[Table, str]:
    """The table, and the SQL of its rows to take.

    Where every cell is text, columns of numbers become numbers, so that they compare as such. kept : columns that stay
    as they are.

    Raises ManifestError for what is no condition on these columns, and for what would open anything.
    """
    rows = condition(where)
    if where is None:
        return table, rows
    _refuse_queries(table, where)
    table = _typed(table, where, kept)
    _check(table, rows, where)
    return table, rows


def condition(where: str | None) -> str:
    """`--where` as one SQL expression, 'true' where there is none. Raises ManifestError for anything else.

    >>> condition("width > 32 -- large")
    '(width > 32)'
    """
    if where is None:
        return "true"
    import duckdb

    try:
        where.encode()  # an argument need not be Unicode
        return f"({duckdb.SQLExpression(where)})"
    except (duckdb.Error, UnicodeEncodeError) as error:
        raise ManifestError(
            f"{_short(where)} is not one SQL condition: {message(error)}",
            where="--where",
            remedy="write a condition on columns, as in \"width >= 64 AND source <> 'web'\"",
        ) from None


def _refuse_queries(table: Table, where: str) -> None:
    """Raise ManifestError for a query inside the condition: one over `range(...)` needs no file, and need not end."""
    ((parsed,),) = table.connection.execute("SELECT json_serialize_sql($1)", [f"SELECT {where}"]).fetchall()
    if '"class":"SUBQUERY"' in parsed:  # a text of the user's has its quotation marks escaped there
        raise ManifestError(
            f"{_short(where)} holds a query (SELECT, FROM)",
            where="--where",
            remedy="write a condition on the columns of one row",
        )


def _short(where: str) -> str:
    return repr(where if len(where) <= SHOWN else f"{where[:SHOWN]}...")


def _typed(table: Table, where: str, kept: set[str]) -> Table:
    """The table with the columns of numbers as numbers that `where` may name; a text format has only text.

    kept : columns that stay as they are
    """
    texts = [
        name
        for name, kind in table.columns.items()
        if kind == "VARCHAR" and name not in kept and name.lower() in where.lower()
    ]
    if not texts:
        return table
    numbers = ", ".join(
        f"count({cell}) > 0 AND count({cell}) = count(TRY_CAST({cell} AS DOUBLE))" for cell in map(quoted_name, texts)
    )
    looked = f"SELECT {numbers} FROM (SELECT * FROM {table.relation} LIMIT {LOOKED_AT})"
    found = compress(texts, table.fetch(looked)[0])
    casts = ", ".join(f"{cell}::DOUBLE AS {cell}" for cell in map(quoted_name, found))
    return replace(table, relation=f"(SELECT * REPLACE ({casts}) FROM {table.relation})") if casts else table


def _check(table: Table, rows: str, where: str) -> None:
    """Raise ManifestError for a condition that does not fit the columns, or that opens anything."""
    import duckdb

    try:
        table.fetch(f"SELECT 1 FROM {table.relation} WHERE {rows} LIMIT 0")
        table.fetch(f"EXPLAIN SELECT 1 FROM {table.relation} WHERE {rows}")
    except duckdb.PermissionException:  # the connection says what that means
        raise
    except duckdb.Error as error:
        raise ManifestError(
            f"{_short(where)} does not fit: {message(error)}",
            where="--where",
            remedy=f"use the columns of {table.path}: {', '.join(map(quoted_name, table.columns))}",
        ) from None
