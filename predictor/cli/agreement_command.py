"""`predictor agreement`: registry in, rank agreement of indicators with outcomes out."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from predictor.cli.common import FORMAT, OUTCOMES, RUNS, STUDIES
from predictor.render.tables import json_text, rows_text

ALL_STATISTICS = ("spearman", "kendall_tau_b", "gamma", "somers_d", "decision_accuracy")


@click.command(name="agreement")
@RUNS
@STUDIES
@OUTCOMES
@click.option("--indicator", "indicators", multiple=True, metavar="NAME", help="Only this; may be repeated.")
@click.option("--given", metavar="NAME", help="Also partial Spearman with this indicator held fixed, e.g. n_samples.")
@click.option("--all", "everything", is_flag=True, help="Every statistic, and indicators that never vary.")
@click.option("--level", type=click.FloatRange(0.5, 0.999), default=0.95, show_default=True, help="Of the intervals.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of bootstrap and permutation.")
@FORMAT
def command(
    runs: Path,
    studies: tuple[str, ...],
    outcomes: tuple[str, ...],
    indicators: tuple[str, ...],
    given: str | None,
    everything: bool,
    level: float,
    seed: int,
    form: str,
) -> None:
    """Say how well each indicator ranks each outcome of the registry RUNS."""
    from predictor.agreement import DEFAULT_STATISTICS, Agreement, agreement
    from predictor.records import frame, read_registry

    table = agreement(
        frame(read_registry(runs, list(studies) or None)),
        indicators=indicators or None,
        outcomes=outcomes or None,
        statistics=ALL_STATISTICS if everything else DEFAULT_STATISTICS,
        given=given,
        level=level,
        seed=seed,
    )
    if form == "json":
        click.echo(json_text({"schema_version": 1, "rows": [asdict(row) for row in table.rows]}))
        return
    if form == "csv":
        click.echo(rows_text([asdict(row) for row in table.rows], "csv", list(Agreement.__dataclass_fields__)))
        return
    every = table.summary_rows()
    rows = [row for row in every if everything or indicators or row.get("spearman") is not None]
    from predictor.render.agreement import agreement_text

    click.echo(agreement_text(rows, form, level))
    notes = list(table.notes)
    if hidden := len(every) - len(rows):
        notes.append(f"{hidden} rows without a value (never varying or missing) are left out; --all says why")
    for note in notes:
        click.echo(note, err=form == "markdown")
