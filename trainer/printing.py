"""Progress of a grid: a bar on a terminal, plain lines otherwise."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from predictor.entry import terminal
from predictor.errors import RegistryError, listed
from predictor.grids import Grid
from predictor.records import finished_ids
from predictor.text import visible

if TYPE_CHECKING:
    from trainer.launch.job import TryOutcome


@contextmanager
def reporter(grid: Grid, runs_dir: Path) -> Iterator[Callable[[TryOutcome], None]]:
    """Yield a function to call with each ended run; writes to standard error."""
    planned = {run.spec.run_id for run in grid.runs}
    done = len(planned & finished_ids(runs_dir / grid.study))
    if done:
        click.echo(f"{grid.study}: {done} of {len(planned)} runs are in the registry already", err=True)
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=Console(file=terminal())) as bar:
            task = bar.add_task(grid.study, total=len(planned), completed=done)

            def advance(outcome: TryOutcome) -> None:
                done = outcome.status in ("completed", "diverged", "elsewhere")
                if done:
                    bar.advance(task)
                if not done or outcome.n_left_out or outcome.n_leaked or outcome.message:
                    bar.console.print(visible(_line(outcome)), markup=False)

            yield advance
        return
    count = done

    def line(outcome: TryOutcome) -> None:
        nonlocal count
        count += outcome.status in ("completed", "diverged", "elsewhere")
        click.echo(f"{count}/{len(planned)} {_line(outcome)}", err=True)

    yield line


def _line(outcome: TryOutcome) -> str:
    accuracy = "" if outcome.accuracy is None else f" accuracy {outcome.accuracy:.1%}"
    seconds = f" {outcome.seconds:.1f} s" if outcome.seconds else ""
    n = outcome.n_left_out
    left_out = f", {n:,} bad image{'s' if n > 1 else ''} left out" if n else ""
    n = outcome.n_leaked
    leaked = f", {n:,} test image{'s are training images' if n > 1 else ' is a training image'} too" if n else ""
    message = f" {outcome.message}" if outcome.message else ""
    return f"{outcome.run_id} {outcome.status}{accuracy}{seconds}{left_out}{leaked}{message}"


def plan_lines(summary: Mapping[str, Any], hours: Sequence[Mapping[str, Any]]) -> list[str]:
    """How long a plan takes, and where its design cannot tell configurations apart."""
    lines = []
    for row in hours:
        what = f"{row['runs']} runs of {row['model']} at {row['image_size']} px, batches of {row['batch_size']}"
        if row["hours"] is None:
            lines.append(
                f"{what}: hours unknown, no run of that network in the registry (--measure trains a few steps)"
            )
            continue
        basis = f"from {row['from_runs']:,} runs there" if row["from_runs"] else "measured now"
        basis += f"; {row['basis']}" if row.get("basis") else ""
        energy = "" if row.get("kilowatt_hours") is None else f", {row['kilowatt_hours']:.3g} kWh"
        money = "" if row.get("price") is None else f", {row['price']:,.2f} at that price an hour"
        lines.append(f"{what}: {row['hours']:.2f} h of one process on {row['device']}{energy}{money} ({basis})")
    lines += [_partly_shown_line(summary["partly_shown"])] if summary.get("partly_shown") else []
    lines += summary.get("notes", ())
    lines += [_repeats_line(row) for row in summary.get("repeats", ())]
    if summary["same_data"]:
        pairs = [" = ".join(ids[:3]) + (" ..." if len(ids) > 3 else "") for ids in summary["same_data"]]
        lines.append(f"configurations that no indicator tells apart: {listed(pairs)}")
    if summary["constant"]:
        lines.append(f"indicators that are the same in all runs: {', '.join(summary['constant'])}")
    return lines


def _partly_shown_line(rows: Sequence[Mapping[str, Any]]) -> str:
    first = rows[0]
    what = "1 configuration shows" if len(rows) == 1 else f"{len(rows)} configurations show"
    return (
        f"{what} only a part of the images that the record counts, such as {first['configuration_id']}: "
        f"{first['image_steps']:,} image-steps of {first['n_samples']:,} images in stage {first['stage']}"
    )


def _repeats_line(row: Mapping[str, Any]) -> str:
    """One kind of image that is there twice, in words; see `trainer.checking.grid_repeats`."""
    what = {
        "leaked": "test images are training images too, byte for byte",
        "near": "test images look like a training image",
        "repeated": "images have the bytes of another one of that set",
    }[row["kind"]]
    of = f" of {row['of']:,}" if row["of"] else ""
    runs = f"{row['runs']} of {row['n_runs']} runs"
    return f"{row['set']}: up to {row['most']:,}{of} {what} ({runs}), such as {row['first']}"


def status_lines(study: str, summary: Mapping[str, Any]) -> list[str]:
    """Runs, hours, pace and energy of a grid in words."""
    lines = [
        f"{study}: {summary['n_finished']} of {summary['n_runs']} runs finished, {summary['n_running']} being trained, "
        f"{summary['n_failed']} failed and open, {summary['n_diverged']} diverged; "
        f"{summary['seconds_trained'] / 3600:.2f} h trained"
    ]
    if summary["n_torn"]:
        lines.append(
            f"not finished, because their records are cut: {record_files(summary['torn'])}; delete these files, and "
            "`trainer run` trains the runs again"
        )
    lines += _pace_lines(summary)
    if summary["joules"] is not None:
        known = f"of {summary['n_with_energy']} runs" if summary["n_with_energy"] < summary["n_finished"] else ""
        lines.append(f"{summary['joules'] / 3.6e6:.3f} kWh {known}".rstrip())
    elif summary["n_finished"]:
        lines.append("energy: no run could read it; the records say why")
    return lines


def record_files(run_ids: Iterable[str]) -> str:
    """Names of the runs' files, all of them: whoever deletes them needs them all."""
    return ", ".join(f"{run_id}.json" for run_id in sorted(run_ids))


def torn_fault(run_ids: Collection[str], study_dir: Path) -> RegistryError:
    """What `trainer run` ends with where records of its grid are cut."""
    return RegistryError(
        f"{len(run_ids)} {'run was' if len(run_ids) == 1 else 'runs were'} not trained, because a record is there that "
        f"is cut: {record_files(run_ids)}",
        where=str(study_dir),
        remedy="delete these files, and the same command trains the runs",
    )


def _pace_lines(summary: Mapping[str, Any]) -> list[str]:
    """Runs an hour, images a second, time left; and what these leave out."""
    lines = []
    if summary["runs_per_hour"]:
        basis = " of one process, known from one run" if summary["pace_from_runs"] == 1 else ""
        hours = summary["last_ended_hours_ago"]
        ago = f"; the last run ended {hours:.1f} h ago" if hours > 1 else ""
        idle = f", without {summary['paused_hours']:.1f} h of pauses" if summary["paused_hours"] > 0.05 else ""
        left = f"; {summary['eta_hours']:.2f} h left at that pace" if summary["eta_hours"] else ""
        lines.append(
            f"{summary['runs_per_hour']:.1f} runs an hour, {summary['images_per_second']:,.0f} images/s{basis}"
            f"{idle}{ago}{left}"
        )
    if summary["n_without_end"]:
        what = "run states" if summary["n_without_end"] == 1 else "runs state"
        lines.append(f"{summary['n_without_end']} finished {what} no end, or none in the past: left out of the pace")
    return lines


@contextmanager
def counter(what: str, total: int, *, seconds: float = 10.0) -> Iterator[Callable[[int], None]]:
    """Yield a function to call with how many are done; a bar on a terminal, else a line now and then."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import Progress

        with Progress(console=Console(file=terminal())) as bar:
            task = bar.add_task(what, total=total)
            yield lambda done: bar.update(task, completed=done)
        return
    told = time.monotonic()

    def line(done: int) -> None:
        nonlocal told
        if time.monotonic() - told > seconds:
            told = time.monotonic()
            click.echo(f"{what}: {done:,} of {total:,}", err=True)

    yield line
