"""Classes that are columns of 0 and 1: `image,cat,dog` with a 1 under each class that the image has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from predictor.errors import ManifestError, listed
from predictor.manifest.engine import quoted, quoted_name
from predictor.manifest.table import JSON, LOOKED_AT, Table

if TYPE_CHECKING:
    from predictor.manifest.roles import Roles

LABEL = "labels of an image"  # the column that is made of them
_TRUE = "('1', '1.0', 'true')"
_BITS = "('0', '0.0', 'false', '1', '1.0', 'true')"


def one_hot_table(table: Table, roles: Roles, notes: list[str]) -> tuple[Table, Roles]:
    """The table with a column of lists of classes, one for every column of 0 and 1.

    Raises ManifestError where fewer than two columns hold 0 and 1 alone, and where one also holds other numbers.
    """
    where = str(table.path)
    used = (roles.count, roles.weight, roles.split, roles.source, roles.image)
    free = [name for name in table.columns if name not in used]
    looked = _looked_at(table, free, table.relation)
    unsure = [name for name, (filled, bits, near) in looked.items() if bits < filled and near == filled and bits]
    if unsure:
        raise ManifestError(
            f"columns of 0 and 1 that also hold -1: {listed(list(map(repr, unsure)))}",
            where=where,
            remedy="write 0 or 1 there: -1 says neither that the class is in the image nor that it is not",
        )
    classes = [name for name, (filled, bits, _) in looked.items() if filled and bits == filled]
    if len(classes) < 2:
        raise ManifestError(
            f"{len(classes)} columns hold 0 and 1 alone; found {', '.join(map(repr, table.columns))}",
            where=where,
            remedy="give it a column of 0 and 1 for every class",
        )
    left = [name for name in free if name not in classes]
    notes.append(f"{len(classes):,} columns of 0 and 1 are classes" + (f"; left out: {_names(left)}" if left else ""))
    total = max(filled for filled, _, _ in looked.values())
    if blank := sum(total - looked[name][0] for name in classes):
        notes.append(f"{blank:,} empty cells in them count as 0")
    cells = ", ".join(f"CASE WHEN {_cell(name)} IN {_TRUE} THEN {quoted(name)} END" for name in classes)
    relation = (
        f"(SELECT *, to_json(list_filter([{cells}], lambda x: x IS NOT NULL))::VARCHAR AS {quoted_name(LABEL)} "
        f"FROM {table.relation})"
    )
    columns = {**table.columns, LABEL: "VARCHAR"}
    table = replace(table, relation=relation, columns=columns, label=lambda name: (JSON, quoted_name(name)))
    return table, replace(roles, label=LABEL, one_hot=tuple(classes), by_image=False)


def bit_columns(table: Table, names: Iterable[str]) -> list[str]:
    """Those of these columns whose first rows hold 0 and 1 alone, both of them in at least one."""
    rows = f"(SELECT * FROM {table.relation} LIMIT {LOOKED_AT})"
    return [
        name for name, (filled, bits, _) in _looked_at(table, list(names), rows).items() if filled and filled == bits
    ]


def _looked_at(table: Table, names: Sequence[str], rows: str) -> dict[str, tuple[int, int, int]]:
    """{column: (cells that are filled, that are 0 or 1, that are -1, 0 or 1)}"""
    if not names:
        return {}
    asked = ", ".join(
        f"count(*) FILTER ({_cell(name)} <> ''), count(*) FILTER ({_cell(name)} IN {_BITS}), "
        f"count(*) FILTER ({_cell(name)} IN {_BITS} OR {_cell(name)} IN ('-1', '-1.0'))"
        for name in names
    )
    found = table.fetch(f"SELECT {asked} FROM {rows}")[0]
    return {name: tuple(found[3 * i : 3 * i + 3]) for i, name in enumerate(names)}


def _cell(name: str) -> str:
    return f"lower(trim({quoted_name(name)}::VARCHAR))"


def _names(names: Sequence[str]) -> str:
    return listed(list(map(repr, names)))
