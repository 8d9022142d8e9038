"""`predictor probe`: images -> how far their classes are apart, before anything is trained."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from predictor.cli.common import FORMAT, check_writable, say_result, shown_progress, write_text
from predictor.errors import PredictorError

if TYPE_CHECKING:
    from predictor.images.listing import Images
    from predictor.images.probe import Described

GRID = (".yaml", ".yml")


def PROBED(function: Callable[..., Any]) -> Callable[..., Any]:
    """What both probes ask for: which images, of which classes, and where the result goes."""
    for option in reversed((
        click.argument("images", type=click.Path(path_type=Path)),
        click.option(
            "--manifest", type=click.Path(path_type=Path),
            help="Manifest that names the classes to probe, or lists the images below IMAGES.",
        ),
        click.option("--label", metavar="COL", help="Column of class names (default: label)."),
        click.option(
            "--targets", type=click.Path(path_type=Path), help="File with one tested class a line.  [default: all]"
        ),
        click.option(
            "--split", metavar="NAME", help="Split of the training images.  [default: train, or the only one]"
        ),
        click.option(
            "--group", metavar="REGEX|N",
            help="Images that belong together, where no column 'group' says it: what REGEX finds in their name, or "
            "runs of N by the number in it.",
        ),
        click.option("--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
                     help="Write the probe, e.g. probe.json."),
        click.option("--data", type=click.Path(path_type=Path, file_okay=False),
                     help="With a grid: the folder of its images."),
        click.option("--target-set", "target_sets", multiple=True, metavar="NAME",
                     help="With a grid: probe this target set alone; may be repeated."),
        click.option("--cache/--no-cache", default=True, show_default=True,
                     help="Keep the probe, and take one that was kept of the same images."),
        FORMAT,
    )):  # fmt: skip
        function = option(function)
    return function


@click.command(name="probe")
@PROBED
def command(images: Path, **asked: Any) -> None:
    """Say how far apart the classes of IMAGES are, how fast that grows with their number, and which are hard.

    IMAGES is a folder (class/image.jpg or split/class/image.jpg), a Parquet file with the columns image and label, or a
    CSV list with the columns path and label. Only training images are looked at, a part of them; nothing is trained.

    Of a grid (GRID.yaml --data DIR --output runs/probes.json) every target set is probed; `predictor fit runs/` learns
    from the probes what images say of the level. For pretrained networks: trainer probe.
    """
    say_probe(images, **asked)


def say_probe(
    images: Path,
    *,
    manifest: Path | None,
    label: str | None,
    targets: Path | None,
    split: str | None,
    group: str | None,
    output: Path | None,
    data: Path | None,
    target_sets: tuple[str, ...],
    cache: bool,
    form: str,
    method: str | None = None,
    describe: Callable[[Images], Described] | None = None,
) -> None:
    """Probe, print and write. method, describe : where images are described by other features than the probe's own"""
    by = int(group) if group is not None and group.isdecimal() else group
    if output is not None:
        check_writable(output)
    if images.suffix in GRID:
        _of_grid(
            images, data, target_sets, by, output, form, {"method": method, "describe": describe} if method else {}
        )
        return
    if data is not None or target_sets:
        raise PredictorError(
            "--data and --target-set belong to a grid", where=str(images), remedy="name a GRID.yaml, or leave them out"
        )
    from predictor.images.probe import probe_images
    from predictor.images.sample import read_list
    from predictor.manifest import read_targets
    from predictor.render import probe as pages

    listed, classes = read_list(images, manifest, label)
    if targets is not None:
        classes = tuple(read_targets(targets))
    with shown_progress("probe") as progress:
        probe = probe_images(
            listed, classes=classes, split=split, group=by, cache=cache,
            described=describe(listed) if describe else None, progress=progress,
        )  # fmt: skip
    if output is not None:
        write_text(output, probe.to_json())
    say_result(pages, probe, form, where=str(images))
    if output is not None:
        click.echo(f"written: {output}", err=True)


def _of_grid(
    grid: Path,
    data: Path | None,
    names: tuple[str, ...],
    by: str | int | None,
    output: Path | None,
    form: str,
    how: dict[str, Any],
) -> None:
    from predictor.grids.probes import probe_grid, target_sets
    from predictor.images.results import probes_text, read_probes
    from predictor.render.probe import set_rows
    from predictor.render.tables import json_text, rows_text

    if data is None:
        raise PredictorError("a grid names its images by file", where=str(grid), remedy="say their folder with --data")
    asked = target_sets(grid, names)
    known = read_probes(output) if output is not None and output.exists() else {}
    with shown_progress("probe") as progress:
        found = probe_grid(asked, data, group=by, known=known, progress=progress, **how)
    if output is not None:
        write_text(output, probes_text({**known, **found}))
    keys = {one.target_set: one.key(*([how["method"]] if how else [])) for one in asked}
    rows = set_rows({name: found[key] for name, key in keys.items()})
    click.echo(json_text({"schema_version": 1, "target_sets": rows}) if form == "json" else rows_text(rows, form))
    if output is not None:
        click.echo(f"written: {output}", err=True)
