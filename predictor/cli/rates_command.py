"""`predictor rates`: a grid -> the small grid that finds its learning rate; the runs of that -> the rate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from predictor.cli.common import FORMAT, write_text

if TYPE_CHECKING:
    from predictor.planning.design.learning_rates import Chosen

COLUMNS = ("target_set", "image_steps", "rate", "accuracy", "spread", "edge", "runs")


@click.command(name="rates")
@click.argument("grid_file", metavar="GRID.yaml", type=click.Path(path_type=Path))
@click.option("--runs", type=click.Path(path_type=Path), metavar="RUNS", help="Registry with the trained small grid.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), default="rates.yaml", show_default=True)
@click.option("--rate", "rates", type=click.FloatRange(min=0, min_open=True), multiple=True, help="To try; repeat it.")
@click.option("--image-steps", type=click.IntRange(min=1), multiple=True, metavar="N", help="To try at; repeat it.")
@click.option("--samples-per-class", type=click.IntRange(min=1), default=100, show_default=True, metavar="N")
@click.option("--neighbours", type=click.IntRange(min=2), metavar="N", help="Images in a group by their numbers.")
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
    from predictor.render.tables import json_text, rows_text

    if runs is None:
        content = rates_grid(
            str(grid_file), samples_per_class=samples_per_class, rates=rates, image_steps=image_steps,
            neighbours=neighbours, n_seeds=seeds,
        )  # fmt: skip
        comment = [f"Learning rates of {grid_file.name}, on validation splits of its training data: predictor rates",
                   f"Train them:  trainer run {output} --data DIR"]  # fmt: skip
        n_runs = check_grid(content, str(output))
        write_text(output, grid_text(content, comment), keep=True)
        click.echo(f"wrote {output}: {n_runs} runs", err=True)
        if form == "json":
            click.echo(json_text({"schema_version": 1, "output": str(output), "n_runs": n_runs}))
        else:
            click.echo(f"next   trainer run {output} --data DIR; predictor rates {grid_file} --runs runs/")
        return
    from predictor.grids import load_grid
    from predictor.records import read_registry

    found = choose_rate(read_registry(runs, [load_grid(grid_file).study + ENDING]))
    table = rows(found)
    if form == "json":
        click.echo(json_text({"schema_version": 1, "learning_rate": stated(found), "power": found.power,
                              "low": found.low, "high": found.high, "best": table}))  # fmt: skip
    elif form == "table":
        click.echo(text(found, rows_text(table, "table", COLUMNS, FORMATS)))
    else:
        click.echo(rows_text(table, form, COLUMNS))


FORMATS = {
    "rate": lambda value: f"{value:.3g}",
    "accuracy": lambda value: f"{100 * value:.1f} %",
    "spread": lambda value: "" if value is None else f"{100 * value:.1f}",
    "edge": lambda value: "yes" if value else "",
}


def rows(found: Chosen) -> list[dict[str, Any]]:
    """One row for each target set and length of training."""
    names = ("target_set", "image_steps", "rate", "accuracy", "spread", "edge")
    return [{name: getattr(row, name) for name in names} | {"runs": row.n_runs} for row in found.best]


def stated(found: Chosen) -> float | dict[str, float]:
    """The learning rate as a grid states it."""
    return found.rate if isinstance(found.rate, float) else found.rate.model_dump()


def text(found: Chosen, table: str) -> str:
    """The best rates, what they have in common, and the line for the recipe."""
    within = [row for row in found.best if not row.edge]
    power = "not known: too few best rates lie within those tried, or one length of training"
    if found.power is not None:
        power = f"{found.power:+.2f}"
        power += f" [{found.low:+.2f}, {found.high:+.2f}] 95 %" if found.low is not None else ", no interval"
        n_sets = len({row.target_set for row in within})
        power += f"; {len(within)} best rates of {n_sets} target set{'s' if n_sets > 1 else ''}"
    rate = stated(found)
    line = f"{rate:g}" if isinstance(rate, float) else "{" + ", ".join(f"{k}: {v:g}" for k, v in rate.items()) + "}"
    lines = [
        table,
        "",
        f"power         of image-steps in the best rate: {power}",
        f"recipe        learning_rate: {line}",
    ]
    if any(row.edge for row in found.best):
        tried = sorted({rate for row in found.best for rate in row.tried})
        more = [f"--rate {rate:g}" for rate in (tried[0] / 2, *tried, tried[-1] * 2)]
        lines.append("note          a best rate lies at the edge of those tried, and counts for no power; to try more:")
        lines.append(f"              predictor rates GRID.yaml {' '.join(more)} --output FILE")
    return "\n".join(lines)
