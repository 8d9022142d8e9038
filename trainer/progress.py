"""Progress of a grid: a bar on a terminal, plain lines otherwise."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from predictor.grids import Grid
from predictor.records import finished_ids

if TYPE_CHECKING:
    from trainer.launch.job import Outcome


@contextmanager
def reporter(grid: Grid, runs_dir: Path) -> Iterator[Callable[[Outcome], None]]:
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
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task(grid.study, total=len(planned), completed=done)

            def advance(outcome: Outcome) -> None:
                if outcome.status in ("completed", "diverged", "elsewhere"):
                    bar.advance(task)
                else:
                    bar.console.print(_line(outcome), markup=False)

            yield advance
        return
    count = done

    def line(outcome: Outcome) -> None:
        nonlocal count
        count += outcome.status in ("completed", "diverged", "elsewhere")
        click.echo(f"{count}/{len(planned)} {_line(outcome)}", err=True)

    yield line


def _line(outcome: Outcome) -> str:
    accuracy = "" if outcome.accuracy is None else f" accuracy {outcome.accuracy:.1%}"
    seconds = f" {outcome.seconds:.1f} s" if outcome.seconds else ""
    return f"{outcome.run_id} {outcome.status}{accuracy}{seconds}{' ' if outcome.message else ''}{outcome.message}"


@contextmanager
def counter(what: str, total: int, *, seconds: float = 10.0) -> Iterator[Callable[[int], None]]:
    """Yield a function to call with how many are done; a bar on a terminal, else a line now and then."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import Progress

        with Progress(console=Console(stderr=True)) as bar:
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
