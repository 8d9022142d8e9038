"""`predictor probe`: images -> how far their classes are apart, before anything is trained."""

from __future__ import annotations

from pathlib import Path

import click

from predictor.cli.common import FORMAT, check_writable, shown_progress, write_text


@click.command(name="probe")
@click.argument("images", type=click.Path(path_type=Path))
@click.option("--manifest", type=click.Path(path_type=Path), help="Its classes, or its paths below IMAGES.")
@click.option("--targets", type=click.Path(path_type=Path), help="File with one tested class a line.  [default: all]")
@click.option("--split", metavar="NAME", help="Training images; 'train' where there are splits.")
@click.option(
    "--neighbours",
    type=click.IntRange(min=2),
    metavar="N",
    help="Images that belong together: runs of N by the number in their name, where no column 'group' says it.",
)
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write probe.json.")
@click.option("--cache/--no-cache", default=True, show_default=True, help="Take and keep the probe of the same images.")
@FORMAT
def command(
    images: Path,
    manifest: Path | None,
    targets: Path | None,
    split: str | None,
    neighbours: int | None,
    output: Path | None,
    cache: bool,
    form: str,
) -> None:
    """Say how far apart the classes of IMAGES are, how fast that grows with their number, and which are hard.

    IMAGES is a folder (class/image.jpg or split/class/image.jpg), a Parquet file with the columns image and label, or a
    CSV list with the columns path and label. Only training images are looked at, a part of them; nothing is trained.
    """
    from predictor.images.probe import probe_images
    from predictor.images.sample import read_list
    from predictor.manifest import read_targets
    from predictor.render.probe import probe_text
    from predictor.render.tables import json_text

    if output is not None:
        check_writable(output)
    listed, classes = read_list(images, manifest)
    if targets is not None:
        classes = tuple(read_targets(targets))
    with shown_progress("probe") as progress:
        probe = probe_images(
            listed, classes=classes, split=split, neighbours=neighbours, cache=cache, progress=progress
        )
    if output is not None:
        write_text(output, probe.to_json())
    click.echo(json_text(probe.to_dict()) if form == "json" else probe_text(probe, str(images), form))
    if output is not None:
        click.echo(f"written: {output}", err=True)
