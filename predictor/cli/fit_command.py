"""`predictor fit`: run records -> fit.json and the validation table."""

from __future__ import annotations

from pathlib import Path

import click

from predictor.cli.common import FORMAT, OUTCOMES, RUNS, STUDIES, check_writable, shown_progress


@click.command(name="fit")
@RUNS
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Default: RUNS/fit.json.")
@STUDIES
@OUTCOMES
@click.option("--family", "families", multiple=True, metavar="NAME", help="Only this model; may be repeated.")
@click.option(
    "--all", "everything", is_flag=True, help="Every family on every kind of held-out run, and how often P was right."
)
@FORMAT
def command(
    runs: Path,
    output: Path | None,
    studies: tuple[str, ...],
    outcomes: tuple[str, ...],
    families: tuple[str, ...],
    everything: bool,
    form: str,
) -> None:
    """Learn from the registry RUNS to predict accuracies from labels; print how well that works on held-out runs."""
    from predictor.fitting import fit_registry, score_held_out, select
    from predictor.records import read_registry
    from predictor.records.indicator_inputs import probes_of
    from predictor.render.tables import json_text, rows_text
    from predictor.render.validation import flat_row, validation_text
    from predictor.render.validation_screen import screen_text

    records = read_registry(runs, studies or None)
    output = runs / "fit.json" if output is None else output
    check_writable(output)
    with shown_progress("fit") as progress:
        fit = fit_registry(
            records, outcomes or None, families or None, studies or None, probes=probes_of(runs), progress=progress
        )
    written = fit.save(output)
    scored = score_held_out(fit, records)
    if form == "json":
        click.echo(
            json_text({"schema_version": 1, "rows": fit.validation, "held_out": scored, "left_out": fit.left_out})
        )
    elif form == "csv":
        rows = [flat_row(row) for row in fit.validation]
        click.echo(rows_text(rows, form, list(rows[0]) if rows else [], {}))
    elif everything:
        click.echo(validation_text(fit, form, scored=scored, written=written))
    else:
        dropped = select(records, studies or None).dropped
        click.echo(screen_text(fit, form, scored=scored, dropped=dropped, written=written))
