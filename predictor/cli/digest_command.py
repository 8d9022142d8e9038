"""`predictor digest`: the digest of a source of images, as a grid states it."""

from __future__ import annotations

from pathlib import Path

import click

from predictor.cli.common import FORMAT
from predictor.render.tables import json_text, rows_text


@click.command(name="digest")
@click.argument("sources", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="SOURCE...")
@click.option("--label", metavar="COL", help="Column of class names (default: label).")
@FORMAT
def command(sources: tuple[Path, ...], label: str | None, form: str) -> None:
    """Print the digest of each SOURCE of images: a Parquet file, an image folder, or a CSV list of paths and labels.

    It is what a grid states in `sources: {name: {file: ..., digest: ...}}`: the trainer refuses other content.
    With --label it is that of a view, a file of two lines beside the source: `images: SOURCE` and `label: COL`.
    """
    from predictor.images.listing import digest_of

    rows = [{"source": str(source), "digest": digest_of(source, label)} for source in sources]
    if form == "json":
        click.echo(json_text({"schema_version": 1, "sources": rows}))
    elif form == "table" and len(rows) == 1:
        click.echo(rows[0]["digest"])  # for `$(predictor digest cats.parquet)`
    elif form == "table":
        click.echo("\n".join(f"{row['digest']}  {row['source']}" for row in rows))  # whole, to be copied
    else:
        click.echo(rows_text(rows, form))
