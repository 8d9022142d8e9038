"""What `trainer plan` and `trainer status` print, in every format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from predictor.render.page import Block, PageTable, Said, kinds_text, page_text
from predictor.render.tables import json_text
from trainer.plan import OWN_COLUMNS, indicator_columns
from trainer.printing import plan_lines, status_lines

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class TrainerPage:
    """A table and what is said below it. content : the JSON object; kinds : rows of each kind for CSV"""

    table: PageTable
    lines: Sequence[str]
    content: Mapping[str, Any]
    kinds: Mapping[str, Sequence[Mapping[str, Any]]]

    def text(self, form: str) -> str:
        """The page in 'table', 'markdown', 'csv' or 'json'."""
        if form == "json":
            return json_text({"schema_version": SCHEMA_VERSION, **self.content})
        if form == "csv":
            return kinds_text(self.kinds)
        blocks: list[Block] = [Said(line, "" if form == "markdown" else None, indent="  ") for line in self.lines]
        return page_text([[self.table], blocks] if form == "markdown" else [[self.table, *blocks]], form)


def plan_page(
    study: str,
    rows: Sequence[Mapping[str, Any]],
    summary: Mapping[str, Any],
    hours: Sequence[Mapping[str, Any]],
    runs_dir: Path,
) -> TrainerPage:
    """The runs of a grid, the indicators of their data, and what they cost."""
    first = (
        f"{study}: {summary['n_configurations']} configurations, {summary['n_runs']} runs, "
        f"{summary['n_finished']} of them in {runs_dir}; {summary['image_steps']:,} image-steps still to train"
    )
    lines = [first, *plan_lines(summary, hours)]
    optional = (*reversed(indicator_columns(rows)), "configuration_id", *OWN_COLUMNS, "training_seed", "data_seed")
    content = {"study": study, "summary": summary, "hours": hours, "runs": rows}
    kinds = {"run": rows, "hours": hours, "note": [{"note": line} for line in lines]}
    return TrainerPage(PageTable(rows, optional=optional), lines, content, kinds)


def status_page(study: str, rows: Sequence[Mapping[str, Any]], summary: Mapping[str, Any]) -> TrainerPage:
    """How far a grid is, axis by axis."""
    lines = status_lines(study, summary)
    content = {"study": study, "summary": summary, "axes": rows}
    kinds = {"level": rows, "note": [{"note": line} for line in lines]}
    return TrainerPage(PageTable(rows), lines, content, kinds)
