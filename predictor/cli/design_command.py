"""`predictor design`: run records and their grids -> what to train next, as a grid YAML."""

from __future__ import annotations

from pathlib import Path

import click

from predictor.cli.common import FORMAT, LEVEL, RUNS, STUDIES, check_asked, repeated, say_result, write_text
from predictor.entry import as_given
from predictor.text import command as in_words


@click.command(name="design")
@RUNS
@click.option(
    "--next", "n", type=click.IntRange(1, 1_000), required=True, metavar="N", help="How many configurations to plan."
)
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), default="design.yaml", show_default=True)
@click.option("--name", default="design", show_default=True, metavar="NAME", help="Name of the study that is written.")
@click.option(
    "--outcome", default="accuracy", show_default=True, metavar="NAME", help="Outcome whose intervals shall narrow."
)
@LEVEL
@STUDIES
@FORMAT
def command(
    runs: Path, n: int, output: Path, name: str, outcome: str, level: float, studies: tuple[str, ...], form: str
) -> None:
    """Which configurations to train next, so that the intervals of a fit on RUNS shrink most for each hour.

    Candidates are what the grids in RUNS plan and nobody trained, and their levels crossed anew.
    """
    from predictor.grids.write import check_grid, grid_text
    from predictor.planning.design.choose import design_registry
    from predictor.render import design as pages

    question = f"What to train next:  {in_words('predictor', 'design', as_given(runs), *repeated('design'))}"
    check_asked(output, question)
    found = design_registry(runs, n, studies=list(studies) or None, outcome=outcome, study=name, level=level)
    n_runs = check_grid(found.content, str(output))
    train = in_words("trainer", "run", output, "--data", "DIR", "--runs", as_given(runs))
    write_text(output, grid_text(found.content, [question, f"Train it:  {train}"]), keep=True)
    click.echo(f"wrote {output}: {len(found.choices)} configurations, {n_runs} runs", err=True)
    say_result(pages, found, form, output=output, runs=as_given(runs))
