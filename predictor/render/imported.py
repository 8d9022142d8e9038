"""What an import made of a table: its columns, its first rows, what was left out, and what was written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from predictor.importers.build import Became, Imported
from predictor.records.adding import AddedRuns
from predictor.records.schema import Counted, RunRecord
from predictor.render.tables import number, percent, rows_text
from predictor.statistics.outcome_scales import SHARES
from predictor.text import visible

FIRST = 3  # rows that a dry run shows
LONGEST = 40  # characters of an example


def columns_text(columns: Sequence[Became]) -> str:
    """A table: each column, what it became, how many cells had a value, the first of them."""
    return rows_text([_column(item) for item in columns], "table", ["column", "becomes", "filled", "first"])


def imported_text(found: Imported, added: AddedRuns | None, runs: str) -> str:
    """In words. added : what was written; None after a dry run"""
    parts = []
    if added is None:
        parts = [f"{found.source}: {found.n_rows:,} rows, {len(found.became)} columns", columns_text(found.became),
                 first_text(found.records)]  # fmt: skip
    if found.lines:
        name = found.lines[0].reference
        head = f"effective robustness: logit shift = a + b logit clean, fitted on the reference set {visible(name)!r}"
        rows = [
            {"shift": line.shift, "a": f"{line.intercept:+.2f}", "b": f"{line.slope:.2f}", "R²": f"{line.r2:.3f}",
             "reference runs": line.n_reference, "runs": line.n}
            for line in found.lines
        ]  # fmt: skip
        parts.append(f"{head}\n{rows_text(rows, 'table')}")
    parts += [visible(note, keep="\n") for note in found.notes]
    n = f"{len(found.records):,} runs, {len({r.configuration_id for r in found.records}):,} configurations"
    if added is None:
        parts.append(f"dry run: {n}; nothing was written")
    else:
        there = f"; {added.there:,} were there already" if added.there else ""
        parts.append(f"{visible(runs)}/{found.study}: {added.new:,} runs added{there} (of {n})")
        if added.differing:
            parts.append(f"{len(added.differing):,} of these have other outcomes now, which were not taken: "
                         f"{', '.join(added.differing[:5])}; delete the study's part to import them anew")  # fmt: skip
    return "\n\n".join(parts)


def imported_json(found: Imported, added: AddedRuns | None) -> dict[str, Any]:
    """One object for JSON."""
    return {
        "schema_version": 1,
        "source": found.source,
        "study": found.study,
        "n_rows": found.n_rows,
        "n_runs": len(found.records),
        "n_configurations": len({record.configuration_id for record in found.records}),
        "columns": [asdict(item) for item in found.became],
        "effective_robustness": [asdict(line) for line in found.lines],
        "notes": list(found.notes),
        "added": None if added is None else {"new": added.new, "there": added.there, "differing": added.differing},
    }


def first_text(records: Sequence[RunRecord]) -> str:
    """The first runs, a line each part."""
    blocks = []
    for record in records[:FIRST]:
        lines = {
            "run": f"{record.run_id}   {visible(record.target_set)}, {visible(record.domain)}",
            "recipe": _pairs(record.axes),
            "data": _data(record),
            "outcomes": ", ".join(
                f"{visible(name)} {percent(item.value) if item.scale in SHARES else number(item.value)}"
                for name, item in record.outcomes.items()
            ),
        }
        blocks.append("\n".join(f"{name:9} {text}" for name, text in lines.items() if text))
    return "\n".join(blocks)


def _data(record: RunRecord) -> str:
    if isinstance(record.data, Counted):
        stage = record.data.stages[-1]
        span = (
            f"{min(stage.counts):,} to {max(stage.counts):,}" if len(set(stage.counts)) > 1 else f"{stage.counts[0]:,}"
        )
        steps = f", {stage.image_steps:,} image-steps" if stage.image_steps else ""
        return f"{len(stage.classes):,} classes of {span} images{steps}"
    return _pairs({name: value for name, value in record.data.indicators.items() if "=" not in name or value})


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{visible(name)} {visible(number(value))}" for name, value in values.items())


def _column(item: Became) -> dict[str, Any]:
    first = item.example if len(item.example) <= LONGEST else item.example[: LONGEST - 3] + "..."
    return {"column": item.column, "becomes": item.becomes, "filled": item.filled, "first": first}
