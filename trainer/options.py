"""Options that several commands of the trainer share."""

from __future__ import annotations

from pathlib import Path

import click

from predictor.cli.common import LocalRegistry

GRID = click.argument("grid_file", metavar="GRID.yaml", type=click.Path(path_type=Path))
DATA = click.option("--data", "data_dir", type=click.Path(path_type=Path), help="Folder that holds the sources' files.")
RUNS = click.option(
    "--runs", "runs_dir", type=LocalRegistry(), default=Path("runs"), show_default=True, help="The registry."
)
FORMAT = click.option(
    "--format", "fmt", type=click.Choice(["table", "json", "csv", "markdown"]), default="table", show_default=True
)
BAD_IMAGES = click.option(
    "--bad-images",
    type=click.Choice(["error", "skip"]),
    default="error",
    show_default=True,
    help="Images that cannot be used: an error, or left out and named.",
)


INSIDE = click.option(
    "--inside", is_flag=True, help="Refuse lists that name images outside of their folder, as CSV lists may."
)
