"""`trainer plan | run | status | cache | fractals | export`: parse, one library call, print."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import click

from predictor.entry import Commands, at_work
from predictor.entry import run as run_command
from trainer.cluster_options import CLUSTER, cluster_settings
from trainer.fractals.command import fractals
from trainer.options import BAD_IMAGES, DATA, FORMAT, GRID, INSIDE, RUNS
from trainer.probe_command import probe
from trainer.zero_shot_command import evaluate

TRAIN_EXTRA = ("torch", "torchvision", "timm", "PIL", "pyarrow")
QUIET = ("plan", "status", "weights", "evaluate")


@click.group(cls=Commands)
@click.version_option(package_name="predictor")
def trainer() -> None:
    """Train grids of image classifiers and keep what they reach in a registry."""
    command = click.get_current_context().invoked_subcommand
    if command in QUIET:  # the others show how far they are
        at_work(f"trainer {command}")


trainer.add_command(fractals)
trainer.add_command(probe)


@trainer.command()
@GRID
@DATA
@RUNS
@click.option(
    "--measure", is_flag=True,
    help="Train a few steps of each network here, on noise, where no record tells its speed; under a minute each.",
)  # fmt: skip
@click.option(
    "--price-hour", type=click.FloatRange(min=0, min_open=True), metavar="X", help="What an hour of a process costs."
)
@click.option(
    "--near-duplicates", is_flag=True, help="Count test images that look like a training image; decodes all images."
)
@INSIDE
@FORMAT
def plan(
    grid_file: Path,
    data_dir: Path | None,
    runs_dir: Path,
    measure: bool,
    price_hour: float | None,
    near_duplicates: bool,
    inside: bool,
    fmt: str,
) -> None:
    """Print the runs of a grid and the indicators of the data of each of their stages; trains nothing.

    With --data, or where no source needs a file, every source is opened and the images of every run are chosen: unknown
    networks, missing files, and classes and images that are not there are named at once. No image is decoded: a damaged
    one shows when a run loads it. A step of each network is tried. Test images that are training images too, and images
    that are there twice, are counted by their bytes. Hours and energy are those of one process, from what runs of the
    same network cost in the registry; of another resolution they are scaled, and the line says so.
    """
    from predictor.grids import load_grid
    from trainer.checking import check_grid, check_lists, check_rendered, grid_repeats, no_files, source_notes
    from trainer.pages import plan_page
    from trainer.plan import forecast, partly_shown, plan_rows, plan_summary

    grid = load_grid(grid_file)
    check_rendered(grid)
    data_dir = data_dir or no_files(grid)
    if data_dir is not None:
        if inside:
            check_lists(grid, data_dir)
        check_grid(grid, data_dir)
    rows = plan_rows(grid, runs_dir)
    summary = plan_summary(rows) | {"partly_shown": partly_shown(grid)}
    if data_dir is not None:
        summary["notes"] = source_notes(grid, data_dir)
        summary["repeats"] = grid_repeats(grid, data_dir, near=near_duplicates)

    def say(line: str) -> None:
        click.echo(f"measure: {line}", err=True)

    hours = forecast(grid, runs_dir, data_dir, measure=measure, price_hour=price_hour, say=say)
    click.echo(plan_page(grid.study, rows, summary, hours, runs_dir).text(fmt))


@trainer.command()
@GRID
@DATA
@RUNS
@click.option("--workers", default="auto", show_default=True, help="Processes side by side, or 'auto'.")
@click.option("--threads", type=click.IntRange(1, 1_024), help="CPU threads a process (auto: cores / workers).")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option(
    "--precision",
    type=click.Choice(["auto", "fp32", "bf16"]),
    default="auto",
    show_default=True,
    help="Precision of the training steps.",
)
@click.option(
    "--compile",
    "compiled",
    type=click.Choice(["auto", "on", "off"]),
    default="auto",
    show_default=True,
    help="Compile the network (auto: on CUDA).",
)
@click.option(
    "--retry",
    type=click.IntRange(0, 1_000),
    default=0,
    show_default=True,
    help="How often a failed run is tried again.",
)
@BAD_IMAGES
@click.option("--only-failed", is_flag=True, help="Train only runs that failed before.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=900.0,
    show_default=True,
    help="Seconds without a sign of life until a run has failed.",
)
@click.option(
    "--memory-limit",
    type=click.FloatRange(min=0, min_open=True),
    metavar="GIB",
    help="Memory that one process may hold; above it the run is out of memory.",
)
@INSIDE
@click.option("--yes", is_flag=True, help="Do not ask before a grid of more than 1,000 runs.")
@CLUSTER
def run(grid_file: Path, data_dir: Path | None, runs_dir: Path, **options: Any) -> None:
    """Train every run of a grid that the registry does not hold yet. Ctrl-C saves checkpoints and stops.

    With --launcher slurm or ray, --workers N processes on a cluster do that, each on a device of its own; they share
    the registry, and one that is lost costs nothing but time. The options below --launcher are those of the cluster.
    `torchrun --nproc-per-node 4 -m trainer run ...` trains one run after the other on four GPUs together.
    """
    from trainer.launch.command import Options, train_file

    def say(line: str) -> None:
        click.echo(line, err=True)

    launcher, settings = options.pop("launcher"), cluster_settings(options)
    if launcher == "local" and int(os.environ.get("WORLD_SIZE", "1")) > 1:  # one of several that torchrun started
        from trainer.launch.together import train_together

        train_together(grid_file, data_dir, runs_dir, Options(**options), say)
    elif launcher != "local":
        from trainer.launch.drain import launch

        launch(launcher, grid_file, data_dir, runs_dir, Options(**options), settings(launcher), say)
    elif train_file(grid_file, data_dir, runs_dir, Options(**options), say):
        say("stopped; the same command continues where it was")
        sys.exit(130)


@trainer.command()
@click.argument("place", metavar="FILE|TAG")
def weights(place: str) -> None:
    """Print the line of a grid that names pretrained weights: of a file, or of a tag of timm (downloaded once)."""
    from trainer.weights import stated

    click.echo(stated(place))


@trainer.command()
@GRID
@RUNS
@FORMAT
def status(grid_file: Path, runs_dir: Path, fmt: str) -> None:
    """Say how far a grid is: finished, failed and open runs per axis; pace, time left, hours and energy spent."""
    from predictor.grids import load_grid
    from trainer.pages import status_page
    from trainer.status import standing, status_rows, status_summary

    grid = load_grid(grid_file)
    now = standing(grid, runs_dir)
    summary, rows = status_summary(grid, runs_dir, now), status_rows(grid, runs_dir, now)
    click.echo(status_page(grid.study, rows, summary).text(fmt))


@trainer.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--size",
    type=click.IntRange(1, 10_000),
    default=256,
    show_default=True,
    help="Pixels of a side; smaller images stay as they are.",
)
@click.option(
    "--encoding",
    type=click.Choice(["webp", "jpeg", "ppm"]),
    default="webp",
    show_default=True,
    help="How images are stored: without loss (webp; ppm: uncompressed), or as JPEG of quality 95.",
)
@click.option("--threads", type=click.IntRange(1, 1_024), help="Images decoded side by side (default: cores).")
@click.option(
    "--exif",
    type=click.Choice(["ignore", "apply"]),
    default="ignore",
    show_default=True,
    help="Orientation that a camera noted: ignore it, or turn the image upright.",
)
@click.option(
    "--decode",
    type=click.Choice(["full", "reduced"]),
    default="full",
    show_default=True,
    help="Decode large JPEG images whole, or at the half, quarter or eighth of their size that is large enough.",
)
@BAD_IMAGES
@FORMAT
def cache(
    source: Path,
    out: Path,
    size: int,
    encoding: Literal["webp", "jpeg", "ppm"],
    threads: int | None,
    exif: Literal["ignore", "apply"],
    decode: Literal["full", "reduced"],
    bad_images: Literal["error", "skip"],
    fmt: str,
) -> None:
    """Shrink the images of SOURCE (a folder, list, Parquet file, shards, data set) once, into the source OUT.

    OUT is a Parquet file where it ends in .parquet, else a folder of Arrow files: stopped, the same command writes the
    rest.
    Runs on OUT decode small images instead of large ones. The digest it prints belongs into the grid.
    """
    from predictor.render.tables import json_text, rows_text
    from trainer.data.cache import write_cache
    from trainer.data.opening import read_source
    from trainer.machine import usable_cores
    from trainer.printing import counter

    opened = replace(read_source(source.stem, source), upright=exif == "apply", reduced=decode == "reduced")
    with counter("images", len(opened.labels)) as progress:
        cached = write_cache(
            opened,
            out,
            size,
            encoding=encoding,
            threads=threads or usable_cores(),
            bad_images=bad_images,
            progress=progress,
        )
    row = {
        "file": str(cached.file),
        "digest": cached.digest,
        "n_images": cached.n_images,
        "n_bytes": cached.n_bytes,
        "n_bad": len(cached.bad),
        "n_converted": len(cached.converted),
    }
    if fmt == "json":
        click.echo(json_text({"schema_version": 1, **row, "bad": cached.bad, "converted": cached.converted}))
        return
    click.echo(rows_text([row], fmt))
    if fmt == "table":
        for fault in cached.bad:
            click.echo(f"left out: {fault}", err=True)
        click.echo(f'sources: {{{source.stem}: {{file: {cached.file.name}, digest: "{cached.digest}"}}}}')


@trainer.command()
@click.argument("kind", metavar="mlflow|tensorboard|wandb", type=click.Choice(["mlflow", "tensorboard", "wandb"]))
@click.argument("runs_dir", metavar="RUNS", type=click.Path(path_type=Path))
@click.argument("output", metavar="OUTPUT")
@click.option("--study", "studies", multiple=True, metavar="NAME", help="Take this study alone; may be repeated.")
def export(kind: str, runs_dir: Path, output: str, studies: tuple[str, ...]) -> None:
    """Show runs of the registry RUNS in a tracker, after they were trained.

    OUTPUT: a folder; of MLflow also the URI of a server. Runs that are there already are not added again. W&B runs are
    written offline: `wandb sync` uploads them.
    """
    from predictor.records import read_registry
    from predictor.records.elsewhere import local
    from trainer.exporters import exporter

    if kind != "mlflow" or "://" not in output:
        local(output, f"files of {kind} are")
    records = read_registry(runs_dir, studies or None)
    added = exporter(kind)(records, output)
    click.echo(f"{output}: {added:,} runs added, {len(records) - added:,} were there already")


trainer.add_command(evaluate)


def main() -> None:
    """Entry point: a fault of the input is one message and exit 2, a fault of the program exits 1."""
    run_command(trainer, "trainer", dict.fromkeys(TRAIN_EXTRA, "pip install 'predictor[train]'"))


if __name__ == "__main__":  # worker processes import this module again
    main()
