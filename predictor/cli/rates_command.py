"""`predictor rates`: a grid -> the small grid that finds its learning rate; the runs of that -> the rate."""

from __future__ import annotations

from pathlib import Path

import click

from predictor.cli.common import FORMAT, say_result, write_text
from predictor.text import command as in_words


@click.command(name="rates")
@click.argument("grid_file", metavar="GRID.yaml", type=click.Path(path_type=Path))
@click.option(
    "--runs", type=click.Path(path_type=Path), metavar="RUNS", help="Registry with the runs of the small grid."
)
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), default="rates.yaml", show_default=True)
@click.option(
    "--rate",
    "rates",
    type=click.FloatRange(min=0, min_open=True),
    multiple=True,
    help="Learning rate to try; may be repeated.",
)
@click.option(
    "--image-steps",
    type=click.IntRange(1, 10**15),
    multiple=True,
    metavar="N",
    help="Image-steps to try the rates at; may be repeated.",
)
@click.option("--samples-per-class", type=click.IntRange(1, 10**9), default=100, show_default=True, metavar="N")
@click.option(
    "--neighbours",
    type=click.IntRange(2, 10**9),
    metavar="N",
    help="Images with so many numbers in a row are one group, on one side of the split.",
)
@click.option("--seeds", type=click.IntRange(1, 10), default=2, show_default=True, help="Runs of each rate.")
@FORMAT
def command(
    grid_file: Path,
    runs: Path | None,
    output: Path,
    rates: tuple[float, ...],
    image_steps: tuple[int, ...],
    samples_per_class: int,
    neighbours: int | None,
    seeds: int,
    form: str,
) -> None:
    """Which learning rate GRID.yaml shall have, chosen on a validation split of its training data.

    Without --runs writes the small grid to train first. With --runs reads what it reached, and prints the line for the
    recipe: one rate, or a smooth function of image-steps where the runs show that it depends on them.
    """
    from predictor.grids.write import check_grid, grid_text
    from predictor.planning.design.learning_rates import ENDING, choose_rate, rates_grid
    from predictor.render import rates as pages
    from predictor.render.tables import json_text, rows_text

    if runs is None:
        content = rates_grid(
            str(grid_file), samples_per_class=samples_per_class, rates=rates, image_steps=image_steps,
            neighbours=neighbours, n_seeds=seeds,
        )  # fmt: skip
        train = in_words("trainer", "run", output, "--data", "DIR")
        comment = [f"Learning rates of {grid_file.name}, on validation splits of its training data: predictor rates",
                   f"Train them:  {train}"]  # fmt: skip
        n_runs = check_grid(content, str(output))
        write_text(output, grid_text(content, comment), keep=True)
        click.echo(f"wrote {output}: {n_runs} runs", err=True)
        if form == "json":
            click.echo(json_text({"schema_version": 1, "output": str(output), "n_runs": n_runs}))
        elif form == "csv":
            click.echo(rows_text([{"output": str(output), "n_runs": n_runs}], form))
        else:
            click.echo(f"next   {train}; {in_words('predictor', 'rates', grid_file, '--runs', 'runs/')}")
        return
    from predictor.grids import load_grid
    from predictor.records import read_registry

    found = choose_rate(read_registry(runs, [load_grid(grid_file).study + ENDING]))
    say_result(pages, found, form)
