"""`predictor start`: from images to a prediction and the runs that sharpen it, each step by its own command."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import click

from predictor.cli.common import ANOTHER, FIT, LEVEL, check_asked, check_writable, manifest_options, repeated
from predictor.cli.pilots_command import GRID, question
from predictor.errors import PredictorError
from predictor.text import command as in_words
from predictor.text import visible

LAST = "pilots"


@click.command(name="start")
@click.argument("images")
@click.option("--next", "n", type=click.IntRange(1, 20), default=3, show_default=True, help="How many pilots to plan.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where to write the grid of the pilots.  [default: pilots.yaml]",
)
@click.option(
    "--keep", type=click.Path(path_type=Path, dir_okay=False), default="probe.json", show_default=True,
    help="Where to write the probe of the images.",
)  # fmt: skip
@click.option(
    "--image-steps", type=click.IntRange(1, 10**15), metavar="N", help="Images shown in training, every repeat counted."
)
@click.option("--flip/--no-flip", default=None, help="Whether images may be mirrored.  [default: they may]")
@FIT
@LEVEL
@manifest_options
def command(
    images: str, n: int, output: Path | None, keep: Path, targets: Path | None, fit_path: Path | None, **_: Any
) -> None:
    """Begin with IMAGES of your own: their digest, a probe, what a network will reach, and which pilots to train first.

    IMAGES is a folder (class/image.jpg or split/class/image.jpg), a Parquet file with the columns image and label, or a
    CSV list with the columns path and label. Every step is shown as the command that does it alone.
    """
    from predictor.images.results import read_probe
    from predictor.models.fit import find_fit
    from predictor.prediction.probed import method_known, why_no_level

    grid = output or Path(GRID)
    if keep.absolute() == grid.absolute():
        raise PredictorError("is named for the grid and for the probe", where=str(grid), remedy=ANOTHER)
    check_writable(keep, "--keep")
    check_asked(grid, question(images, n))
    classes = ["--targets", targets] if targets is not None else []
    where = ["--output", output] if output is not None else []
    told = ["--probe", keep] if method_known(find_fit(fit_path)[0]) else []
    both = ("targets", "output")
    _step("digest", images, *repeated("digest"))
    _step("probe", images, *repeated("probe", but=both), *classes, "--output", keep)
    if told and (why := why_no_level(read_probe(keep))):
        click.echo(f"{images}: predicted without a probe: {visible(why)}", err=True)
        told = ["--no-probe"]
    _step("predict", images, *repeated("predict", but=both), *classes, *told)
    _step(LAST, images, "--next", n, *repeated(LAST, but=(*both, "n")), *classes, *told, *where)


def _step(name: str, *words: object) -> None:
    """Show a command, and run it."""
    click.echo(f"$ {in_words('predictor', name, *words)}")
    command = importlib.import_module(f"predictor.cli.{name}_command").command
    command.main([str(word) for word in words], prog_name=f"predictor {name}", standalone_mode=False)
    if name != LAST:
        click.echo()
