"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from predictor.render.tables import FORMATS

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

FORMAT: Decorator = click.option("--format", "form", type=click.Choice(FORMATS), default="table", show_default=True)
RUNS: Decorator = click.argument("runs", type=click.Path(path_type=Path))
STUDIES: Decorator = click.option(
    "--study", "studies", multiple=True, metavar="NAME", help="Only this; may be repeated."
)
OUTCOMES: Decorator = click.option(
    "--outcome", "outcomes", multiple=True, metavar="NAME", help="Only this, e.g. accuracy; may be repeated."
)


def manifest_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """--label, --count, --split, --targets: how a manifest is read."""
    for option in (
        click.option("--targets", type=click.Path(path_type=Path), help="File with one tested class a line."),
        click.option("--split", metavar="NAME", help="Rows to take; 'train' where there is a split column, or 'all'."),
        click.option("--count", metavar="COL", help="Column of images per class (default: count, where there is one)."),
        click.option("--label", metavar="COL", help="Column of class names (default: label)."),
    ):
        function = option(function)
    return function
