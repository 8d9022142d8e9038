"""The paper's three tables: runs/published-table*/table.csv -> reported records.

Write the parts again, after their tables changed and the old parts were deleted, with
`python -m predictor.importers.published runs`.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

from predictor.errors import RegistryError
from predictor.reading import opened_text
from predictor.records import Outcome, Reported, RunRecord, content_id, finished_ids, pack, read_registry, write_record

PAPER = "B. Feuer, C. Hegde: Exploring Dataset-Scale Indicators of Data Quality"
CITATIONS = {f"published-table{number}": f"{PAPER}, Table {number}" for number in (1, 2, 3)}
TARGET_SET, DOMAIN, N_TESTED = "imagenet100", "photographs", 100  # of every row

INDICATORS = ("n_samples", "n_classes", "left_skew@5", "long_tail@500", "long_tail@100")
OUTCOMES = ("accuracy", "robustness")


def published_records(table: str | Path, *, study: str, citation: str) -> list[RunRecord]:
    """One record per row of a table as it was published; all other columns are axes, empty cells are left out.

    Raises RegistryError for a missing table, a bad number (with its line) and a row that stands there twice.
    """
    try:
        with opened_text(table) as file:
            rows = list(csv.DictReader(file, strict=True))
    except (OSError, csv.Error, UnicodeDecodeError) as error:
        raise RegistryError(f"not a readable table ({error})", where=str(table)) from None
    records: dict[str, RunRecord] = {}
    for line, row in enumerate(rows, start=2):
        record = _record(row, f"{table}, line {line}", study, citation)
        if record.run_id in records:
            raise RegistryError("the row stands there twice", where=f"{table}, line {line}", remedy="remove one")
        records[record.run_id] = record
    return list(records.values())


def write_published(runs_dir: str | Path) -> list[Path]:
    """Pack the tables that stand below a registry; returns the new parts. Records already there are not touched.

    Raises RegistryError where a part holds something else than its table.
    """
    parts = []
    for study, citation in CITATIONS.items():
        folder = Path(runs_dir, study)
        records = published_records(folder / "table.csv", study=study, citation=citation)
        strange = finished_ids(folder) - {record.run_id for record in records}
        if strange:
            problem = f"run {min(strange)} is not in table.csv"
            raise RegistryError(problem, where=str(folder), remedy="delete the parts and write them again")
        for record in records:
            write_record(runs_dir, record)
        part = pack(runs_dir, study)
        parts += [part] if part else []
        assert len(read_registry(runs_dir, [study])) == len(records)
    return parts


def _record(row: dict[str, str], where: str, study: str, citation: str) -> RunRecord:
    missing = [name for name in OUTCOMES if not row.get(name)]
    if missing:
        raise RegistryError(f"column {missing[0]!r} is empty or missing", where=where)
    numbers = {name: _number(row[name], name, where) for name in (*INDICATORS, *OUTCOMES) if row.get(name)}
    axes = {name: _scalar(cell) for name, cell in row.items() if name not in (*INDICATORS, *OUTCOMES) and cell}
    indicators = {name: x for name, x in numbers.items() if name in INDICATORS}
    outcomes = {name: x for name, x in numbers.items() if name in OUTCOMES}
    run_id = content_id(study, axes, indicators, outcomes)
    return RunRecord(
        run_id=run_id,
        configuration_id=run_id,  # nothing says that two rows are replicates
        study=study,
        provenance="published",
        target_set=TARGET_SET,
        domain=DOMAIN,
        axes=axes,
        data=Reported(indicators=indicators, citation=citation),
        outcomes={name: Outcome(value=x, chance=1 / N_TESTED) for name, x in outcomes.items()},
        citation=citation,
    )


def _number(cell: str, name: str, where: str) -> float:
    try:
        return float(cell)
    except ValueError:
        raise RegistryError(f"{name} is {cell!r}; needed a number", where=where) from None


def _scalar(cell: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(cell)
        except ValueError:
            continue
    return cell


if __name__ == "__main__":
    for written in write_published(sys.argv[1] if len(sys.argv) > 1 else "runs"):
        print(written)
