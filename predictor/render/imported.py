"""What an import made of a table: its columns, its first rows, what was left out, and what was written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from predictor.importers.build import Became
from predictor.importers.results import ImportResult
from predictor.records.schema import Counted, RunRecord
from predictor.render.page import Block, Page, PageTable, Said, page_text
from predictor.render.tables import number, percent
from predictor.statistics.outcome_scales import SHARES

FIRST = 3  # rows that a dry run shows
LONGEST = 40  # characters of an example
DIFFERING = 5  # runs with other outcomes that are named


def columns_text(columns: Sequence[Became]) -> str:
    """A table: each column, what it became, how many cells had a value, the first of them."""
    return _columns(columns).text("table")


def page(made: ImportResult) -> Page:
    """What each column becomes and the first runs, of a dry run; what was measured against; what was written."""
    found, added = made.found, made.added
    sections: list[list[Block]] = []
    if added is None:
        sections = [
            [Said(f"{found.source}: {found.n_rows:,} rows, {len(found.became)} columns"), _columns(found.became)],
            *(_record(record) for record in found.records[:FIRST]),
        ]
    if found.lines:
        name = found.lines[0].reference
        rows = [
            {"shift": line.shift, "a": f"{line.intercept:+.2f}", "b": f"{line.slope:.2f}", "R²": f"{line.r2:.3f}",
             "reference runs": line.n_reference, "runs": line.n}
            for line in found.lines
        ]  # fmt: skip
        head = f"effective robustness: logit shift = a + b logit clean, fitted on the reference set {name!r}"
        sections.append([Said(head), PageTable(rows)])
    sections += [_note(note) for note in found.notes]
    n = f"{len(found.records):,} runs, {_n_configurations(made):,} configurations"
    if added is None:
        return [*sections, [Said(f"dry run: {n}; nothing was written")]]
    there = f"; {added.there:,} were there already" if added.there else ""
    last = [Said(f"{made.runs}/{found.study}: {added.new:,} runs added{there} (of {n})", indent="  ")]
    if added.differing:
        told = f"{len(added.differing):,} of these have other outcomes now, which were not taken: "
        told += ", ".join(added.differing[:DIFFERING])
        files = ", ".join(f"{made.runs}/{found.study}/{name}" for name in added.differing_in)
        last.append(Said(f"{told}; delete {files}, which holds them, and import again", "warning"))
    return [*sections, last]


def content(made: ImportResult) -> dict[str, Any]:
    """One object for JSON."""
    found, added = made.found, made.added
    return {
        "schema_version": 1,
        "source": found.source,
        **_sizes(made),
        "columns": [asdict(item) for item in found.became],
        "effective_robustness": [asdict(line) for line in found.lines],
        "first_runs": [] if added else [_first(record) for record in found.records[:FIRST]],
        "notes": list(found.notes),
        "added": None
        if added is None
        else {
            "new": added.new,
            "there": added.there,
            "differing": added.differing,
            "differing_in": added.differing_in,
        },
    }


def rows(made: ImportResult) -> list[dict[str, Any]]:
    """One row a column of the table."""
    return [asdict(item) for item in made.found.became]


def kinds(made: ImportResult) -> dict[str, list[dict[str, Any]]]:
    """Rows of each kind for CSV."""
    found, added = made.found, made.added
    written: dict[str, Any] = {"dry_run": added is None, **_sizes(made)}
    if added is not None:
        written |= {"registry": made.runs, "new": added.new, "there": added.there}
    return {
        "column": rows(made),
        "effective robustness": [asdict(line) for line in found.lines],
        "first run": [] if added else [_first(record) for record in found.records[:FIRST]],
        "note": [{"note": note} for note in found.notes],
        "import": [written],
        "other outcomes": [{"run": run_id} for run_id in (added.differing if added else ())],
    }


def summary(made: ImportResult, fmt: str = "table") -> str:
    """What the command prints."""
    return page_text(page(made), fmt)


def _note(note: str) -> list[Block]:
    """A note, and what it lists, below it."""
    first, *others = note.split("\n")
    return [Said(first, indent="  "), *(Said(line.strip(), "") for line in others)]


def _sizes(made: ImportResult) -> dict[str, Any]:
    found = made.found
    n = {"n_rows": found.n_rows, "n_runs": len(found.records), "n_configurations": _n_configurations(made)}
    return {"study": found.study, **n}


def _n_configurations(made: ImportResult) -> int:
    return len({record.configuration_id for record in made.found.records})


def _columns(columns: Sequence[Became]) -> PageTable:
    return PageTable([_column(item) for item in columns], ["column", "becomes", "filled", "first"], optional=("first",))


def _record(record: RunRecord) -> list[Block]:
    """A run, a line each part."""
    told = _first(record)
    lines = {
        "run": f"{told['run']}   {told['target_set']}, {told['domain']}",
        **{name: told[name] for name in ("recipe", "data", "outcomes")},
    }
    return [Said(text, name) for name, text in lines.items() if text]


def _first(record: RunRecord) -> dict[str, str]:
    return {
        "run": record.run_id,
        "target_set": record.target_set,
        "domain": record.domain,
        "recipe": _pairs(record.axes),
        "data": _data(record),
        "outcomes": ", ".join(
            f"{name} {percent(item.value) if item.scale in SHARES else number(item.value)}"
            for name, item in record.outcomes.items()
        ),
    }


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
    return ", ".join(f"{name} {number(value)}" for name, value in values.items())


def _column(item: Became) -> dict[str, Any]:
    first = item.example if len(item.example) <= LONGEST else item.example[: LONGEST - 3] + "..."
    return {"column": item.column, "becomes": item.becomes, "filled": item.filled, "first": first}
