"""`trainer run`: from a grid file to its records, with what is to be said on the way."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import Literal

from predictor.errors import DataError, PredictorError
from predictor.grids import Grid, LargeGrid, load_grid
from trainer.checking import check_lists, check_open_runs, check_rendered, no_files, source_notes
from trainer.launch.job import FAILED, Job, TryOutcome
from trainer.launch.keep_grid import keep_grid
from trainer.launch.local import Scheduler
from trainer.launch.pool import context_of, start_server
from trainer.launch.throughput import with_measured_workers
from trainer.machine import choose_device, choose_workers
from trainer.printing import reporter, torn_fault
from trainer.provenance import code_commit
from trainer.status import Standing, open_runs, standing

LARGE = 1_000  # runs; a larger grid asks first
COUNTED = 10  # times as many runs are not even made before the question


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the command line says beside the grid; see `trainer run --help`. memory_limit : GiB"""

    workers: str = "auto"
    threads: int | None = None
    device: str = "auto"
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    compiled: Literal["auto", "on", "off"] = "auto"
    retry: int = 0
    bad_images: Literal["error", "skip"] = "error"
    only_failed: bool = False
    timeout: float = 900.0
    memory_limit: float | None = None
    inside: bool = False
    yes: bool = False

    def check(self) -> None:
        """Raise PredictorError for a limit that is no number: it would never be reached."""
        for option, number in (("--timeout", self.timeout), ("--memory-limit", self.memory_limit)):
            if number is not None and isnan(number):
                raise PredictorError(f"{option} is nan", remedy="give a number above 0, or inf for no limit")


def train_file(
    grid_file: Path, data_dir: Path | None, runs_dir: Path, options: Options, say: Callable[[str], None]
) -> bool:
    """Train every run of a grid file that has no record yet; True where a signal stopped it before its end.

    say : called with warnings and notes, a line each
    Raises PredictorError before anything is written where the grid cannot be trained, and at the end where runs failed
    or records are cut.
    """
    options.check()
    try:
        return _trained(grid_file, data_dir, runs_dir, options, say)
    except KeyboardInterrupt:  # a scheduler turns it into a stop: none was there yet
        say("interrupted before any run began: nothing was trained, what was there is unchanged")
        raise


def _trained(
    grid_file: Path, data_dir: Path | None, runs_dir: Path, options: Options, say: Callable[[str], None]
) -> bool:
    grid = _asked(grid_file, options)
    data_dir = data_dir or no_files(grid)
    if data_dir is None:
        raise DataError("no image folder named", remedy="name the folder of the sources' files with --data DIR")
    check_rendered(grid)
    if options.inside:
        check_lists(grid, data_dir)
    now = standing(grid, runs_dir)
    if len(now.finished | now.torn) < len(grid.runs):
        start_server(context_of())  # it imports while this process does
    warn_of(grid, data_dir, runs_dir, now, say)
    device = choose_device(options.device)
    n_workers, threads = choose_workers(options.workers, options.threads, device)
    keep_grid(grid_file, grid, runs_dir)
    to_train = open_runs(grid, now, only_failed=options.only_failed)
    job = Job.of(
        grid,
        data_dir=data_dir,
        runs_dir=runs_dir,
        device=device,
        threads=threads,
        commit=code_commit(),
        side_by_side=max(1, min(n_workers, len(to_train.runs))),
        bad_images=options.bad_images,
        precision=None if options.precision == "auto" else options.precision,
        compiled=None if options.compiled == "auto" else options.compiled == "on",
    )
    if options.workers == "auto" and device == "cuda":
        n_workers, job = with_measured_workers(to_train, job, options.threads)
        say(f"{n_workers} runs side by side on {device}")
    with reporter(grid, runs_dir) as report:
        scheduler = Scheduler(
            to_train,
            job,
            retry=options.retry + 1,
            timeout=options.timeout,
            memory_limit=options.memory_limit * 2**30 if options.memory_limit else None,
            report=report,
            tell=say,
        )
        outcomes = scheduler.train(n_workers)
    if scheduler.stopped:
        say(kept_line(grid, runs_dir))
    _check_ended(outcomes, () if scheduler.stopped else now.torn, runs_dir / grid.study)
    return scheduler.stopped


def _asked(grid_file: Path, options: Options) -> Grid:
    """The grid. Raises PredictorError for a large one that nobody said yes to; a very large one is only counted."""
    if options.yes:
        return load_grid(grid_file)
    try:
        grid = load_grid(grid_file, most=COUNTED * LARGE)
        n_runs = len(grid.runs)
    except LargeGrid as error:
        n_runs = error.n_runs
    if n_runs > LARGE:
        raise PredictorError(
            f"{n_runs:,} runs, more than {LARGE:,}", where=str(grid_file), remedy="say --yes to train them all"
        )
    return grid


def warn_of(grid: Grid, data_dir: Path, runs_dir: Path, now: Standing, say: Callable[[str], None]) -> None:
    """Name the records that are cut, and the faults of runs beside which others can be trained."""
    for run_id in sorted(now.torn):
        file = runs_dir / grid.study / f"{run_id}.json"
        text = "is cut, no whole record, and its run is not trained. delete it, and the same command trains the run"
        say(f"warning: {file}: {text}")
    for line in check_open_runs(grid, data_dir, now.finished | now.torn):
        say(f"warning: {line}")
    if len(now.finished | now.torn) < len(grid.runs):
        for line in source_notes(grid, data_dir):
            say(f"note: {line}")


def kept_line(grid: Grid, runs_dir: Path) -> str:
    """What a grid that was stopped has kept: finished runs, half-done ones with a checkpoint, and the rest."""
    at = standing(grid, runs_dir)
    half = {path.stem for path in (runs_dir / grid.study / "checkpoints").glob("*.pt")} - at.finished
    n_half = len(half & {run.spec.run_id for run in grid.runs})
    n_left = len(grid.runs) - len(at.finished) - n_half
    return (
        f"kept in {runs_dir / grid.study}: {len(at.finished)} of {len(grid.runs)} runs, and {n_half} half-done "
        f"{'one' if n_half == 1 else 'ones'} with a checkpoint; {n_left} not begun"
    )


def _check_ended(outcomes: Sequence[TryOutcome], torn: Collection[str], study_dir: Path) -> None:
    """Raise PredictorError naming the runs that failed and the records that are cut."""
    last = {outcome.run_id: outcome for outcome in outcomes}
    failed = [outcome for outcome in last.values() if outcome.status in FAILED]
    faults: list[PredictorError] = []
    if failed:
        fault = PredictorError(
            f"{len(failed)} of {len(last)} runs failed, first: {failed[0].message}",
            where=str(study_dir / "attempts"),
            remedy="read the reasons in the attempts; the same command tries them again",
        )
        faults.append(fault)
    if torn:
        faults.append(torn_fault(torn, study_dir))
    if faults:
        raise faults[0] if len(faults) == 1 else PredictorError("\n".join(map(str, faults)))
