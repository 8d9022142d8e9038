"""A registry for a reader: its studies, and its runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from predictor.render.layout import wrapped
from predictor.render.tables import percent, rows_text

if TYPE_CHECKING:
    from predictor.records import RunRecord
    from predictor.records.columns import Columns


def study_rows(columns: Columns) -> list[dict[str, Any]]:
    """One row per study and provenance, in order of appearance."""
    groups: dict[tuple[str, str], list[int]] = {}
    for number in dict.fromkeys(columns.like.tolist()):
        example = columns.examples[number]
        groups.setdefault((example.study, example.provenance), []).append(number)
    n_runs = np.bincount(columns.like, minlength=len(columns.examples))
    rows = []
    for (study, provenance), numbers in groups.items():
        examples = [columns.examples[number] for number in numbers]
        own = columns.own["configuration_id"].to_numpy()[np.isin(columns.like, numbers)]
        statuses: Counter[str] = Counter()
        for number in numbers:
            statuses[columns.examples[number].status] += int(n_runs[number])
        rows.append(
            {
                "study": study,
                "provenance": provenance,
                "n_runs": int(n_runs[numbers].sum()),
                "n_configurations": len(set(own.tolist())),
                "target_sets": sorted({record.target_set for record in examples}),
                "outcomes": sorted({name for record in examples for name in record.outcomes}),
                "devices": sorted({record.environment.device for record in examples if record.environment}),
                "statuses": dict(sorted(statuses.items())),
            }
        )
    return rows


def run_row(record: RunRecord) -> dict[str, Any]:
    """What is told of one run."""
    return {
        "run_id": record.run_id,
        "study": record.study,
        "provenance": record.provenance,
        "status": record.status,
        "target_set": record.target_set,
        "axes": dict(record.axes),
        "outcomes": {name: outcome.value for name, outcome in record.outcomes.items()},
        "device": record.environment.device if record.environment else None,
        "seconds": record.seconds.total if record.seconds else None,
    }


LISTED = 3  # names of a list in a table; CSV, JSON and Markdown have all
OF_STUDIES = ("statuses", "devices", "outcomes", "target_sets", "provenance")  # that a narrow table leaves out
OF_SHIFTS = ("study", "among_covered", "target_set", "difference")
OF_RUNS = ("device", "provenance", "seconds", "axes", "outcomes", "study")

LEGEND_OF_SHIFTS = (
    "covered: the tested classes that a shift has; clean: accuracy on these; effective: points above the line of the "
    "other runs read of the target set (Taori et al. 2020)"
)


def _cell(value: Any, form: str) -> Any:
    """What a cell says of a value: numbers as they are, lists and mappings in words."""
    if value is None or isinstance(value, int | float):
        return value
    separator = ";" if form == "csv" else ", "
    if isinstance(value, Mapping):
        value = [f"{name}={_text(item, form)}" for name, item in value.items()]
    if isinstance(value, list | tuple):
        names = [_text(item, form) for item in value]
        more = len(names) - LISTED
        if form == "table" and more > 1:
            return f"{', '.join(names[:LISTED])} and {more} more"
        return separator.join(names)
    return str(value)


def _text(value: Any, form: str) -> str:
    if isinstance(value, float) and form != "csv":
        return f"{value:.4g}"
    return str(_cell(value, form))


def runs_text(rows: Sequence[Mapping[str, Any]], fmt: str, columns: Sequence[str] | None = None) -> str:
    """Rows in 'table', 'csv' or 'markdown', lists and mappings in words; nothing where there is nothing.

    columns : of an empty table

    >>> print(runs_text([{"study": "a", "axes": {"n": 5}, "devices": ["cpu", "cuda"]}], "csv"))
    study,axes,devices
    a,n=5,cpu;cuda
    """
    names = list(columns or dict.fromkeys(name for row in rows for name in row))
    cells = [{name: _cell(row.get(name), fmt) for name in names} for row in rows]
    return rows_text(cells, fmt, names, optional=OF_RUNS if "run_id" in names else OF_STUDIES)


def shifts_text(rows: Sequence[Mapping[str, Any]], fmt: str) -> str:
    """Rows of `predictor.records.shift_rows` in 'table', 'csv' or 'markdown'; per cent and points but in CSV."""
    if fmt == "csv":
        return rows_text(rows, fmt)
    shown = [
        {name: value for name, value in row.items() if name != "targets"} | {"covered": _covered(row)} for row in rows
    ]
    formats = {name: percent for name in ("chance", "accuracy", "among_covered", "clean")} | {
        "difference": "{:+.2f}".format,
        "effective": lambda value: f"{round(100 * value, 1) + 0.0:+.1f}",  # never -0.0
    }
    text = rows_text(shown, fmt, formats=formats, optional=OF_SHIFTS)
    return f"{text}\n{wrapped(LEGEND_OF_SHIFTS)}" if fmt == "table" else text


def _covered(row: Mapping[str, Any]) -> str | None:
    if row["covered"] is None:
        return None
    return f"{row['covered']} of {row['targets']}" if row["targets"] else str(row["covered"])
