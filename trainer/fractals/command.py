"""`trainer fractals`: parse, one library call, print."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from trainer.options import FORMAT


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--classes", type=int, required=True, help="Number of classes.")
@click.option("--instances", "--per-class", "instances", type=int, required=True, help="Images of each class.")
@click.option("--size", type=int, default=32, show_default=True, help="Pixels of a side.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "--step",
    type=float,
    default=0.1,
    show_default=True,
    help="Share of one parameter by which instances of a class differ: once and twice as much, up and down.",
)
@click.option("--points", type=int, default=100_000, show_default=True, help="Points that draw an image.")
@click.option("--draw", type=click.Choice(["patches", "points"]), default="patches", show_default=True)
@click.option("--palette", type=click.Choice(["grey", "colour"]), default="grey", show_default=True)
@click.option("--threads", type=click.IntRange(1, 1_024), help="Images rendered side by side (default: cores).")
@FORMAT
def fractals(
    out: Path,
    classes: int,
    instances: int,
    size: int,
    seed: int,
    step: float,
    points: int,
    draw: Literal["patches", "points"],
    palette: Literal["grey", "colour"],
    threads: int | None,
    fmt: str,
) -> None:
    """Render a FractalDB (Kataoka et al. 2020) into OUT: a Parquet source where it ends in .parquet, else a folder.

    A grid needs no files: it names the digest that this prints, and each run renders what it trains on.
    """
    from predictor.render.tables import json_text, rows_text
    from trainer.data.readers.fractals import of_parameters
    from trainer.fractals.parameters import Parameters
    from trainer.fractals.write import write_database
    from trainer.machine import usable_cores
    from trainer.printing import counter

    asked = Parameters(
        classes=classes, instances=instances, seed=seed, step=step, points=points, draw=draw, palette=palette
    )
    with counter("images", classes * instances) as progress:
        digest = write_database(
            of_parameters("fractaldb", asked), out, size, threads=threads or usable_cores(), progress=progress
        )
    row = {"output": str(out), "file_digest": digest, "n_images": classes * instances, "digest": asked.digest}
    if fmt == "json":
        click.echo(json_text({"schema_version": 1, **row}))
        return
    click.echo(rows_text([row], fmt))
    if fmt == "table":
        click.echo(f'sources: {{fractaldb: {{digest: "{asked.digest}"}}}}')
