"""Options that several commands share."""

from __future__ import annotations

import glob
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from predictor.render.tables import FORMATS

if TYPE_CHECKING:
    from predictor.distribution import LabelDistribution

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


def read_manifests(
    manifests: Sequence[str], *, label: str | None, count: str | None, split: str | None, targets: Path | None
) -> dict[str, LabelDistribution]:
    """{argument: label distribution}; how each was read is said on standard error.

    One argument is one manifest; a quoted pattern that names no file stands for the files it matches.
    """
    from predictor.manifest import open_manifest, read_targets

    tested = read_targets(targets) if targets else None
    read = {}
    for path in _expanded(manifests):
        manifest = open_manifest(path, label=label, count=count, split=split, targets=tested)
        for note in manifest.notes:
            click.echo(f"{path}: {note}", err=True)
        read[path] = manifest.distribution
    return read


def _expanded(manifests: Sequence[str]) -> list[str]:
    paths: list[str] = []
    for argument in manifests:
        matches = sorted(glob.glob(argument)) if not Path(argument).exists() else []
        paths += matches or [argument]
    return list(dict.fromkeys(paths))
