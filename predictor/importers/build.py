"""Table + map -> run records, and what each column became."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from predictor.errors import RegistryError, listed
from predictor.importers.effective import Line, with_effective
from predictor.importers.mapping import Map, needed_parts, without_meaning
from predictor.importers.rows import TableRows
from predictor.importers.table import ImportedTable, is_missing, shown
from predictor.records.schema import RunRecord

MAP = "name them in a map (--map MAP.yaml), or list them there under ignore"


@dataclass(frozen=True)
class Became:
    """One column: what it became, how many cells had a value, and the first of them."""

    column: str
    becomes: str
    filled: int
    example: str


@dataclass(frozen=True)
class Imported:
    """Run records of a table.

    notes : rows that were left out, and why; cells that cannot be right
    lines : what effective robustness was measured against, one a shift
    """

    source: str
    n_rows: int
    study: str
    records: tuple[RunRecord, ...]
    became: tuple[Became, ...]
    notes: tuple[str, ...]
    lines: tuple[Line, ...] = ()


def became(table: ImportedTable, plan: Map) -> list[Became]:
    """What each column becomes, in the order of the table; '-' where nothing says."""
    meaning: dict[str, list[str]] = {}
    for column, what in plan.named():
        meaning.setdefault(column, []).append(what)
    open_columns = set(without_meaning(table, plan))
    found = []
    for position, name in enumerate(table.columns):
        cells = [row[position] for row in table.rows if not is_missing(row[position], plan.missing)]
        what = "; ".join(meaning.get(name, [])) or ("-" if name in open_columns else "nothing (ignored)")
        found.append(Became(name, what, len(cells), shown(cells[0]) if cells else ""))
    return found


def build(table: ImportedTable, plan: Map) -> Imported:
    """One record a row.

    Raises RegistryError for columns without a meaning, for what the map has to say and does not, for cells that are not
    what the map says they are (each with row and column), and for rows that are one run and say different things.
    """
    columns = without_meaning(table, plan)
    if columns:
        raise RegistryError(
            f"{len(columns)} columns have no meaning: {listed([repr(name) for name in columns])}",
            where=table.source,
            remedy=MAP,
        )
    faults = needed_parts(plan)
    if faults:
        raise RegistryError(
            f"the map does not say {listed(faults)}", where=table.source, remedy="add them as docs/import.md shows"
        )
    rows = TableRows(table, plan)
    records = rows.records()
    lines: Sequence[Line] = ()
    if plan.effective_robustness:
        records, lines = _effective(plan, rows, records)
    notes = (*table.notes, *rows.notes)
    kept = tuple(record for record, _ in records)
    return Imported(table.source, len(table.rows), plan.study or "", kept, tuple(became(table, plan)), notes,
                    tuple(lines))  # fmt: skip


def _effective(
    plan: Map, rows: TableRows, records: list[tuple[RunRecord, int]]
) -> tuple[list[tuple[RunRecord, int]], Sequence[Line]]:
    rule = plan.effective_robustness
    assert rule is not None
    reference = [n in rows.reference for _, n in records]
    found, lines = with_effective([record for record, _ in records], reference, clean=rule.clean, name=rule.name)
    return [(record, n) for record, (_, n) in zip(found, records, strict=True)], lines
