"""What every launcher starts, as often as it is told: a worker that drains a study until no run is left.

Leases keep workers apart, wherever they run: each takes the next run that nobody has. A worker that dies, is preempted
or meets its time limit costs nothing but time: its runs continue from their checkpoints in another one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from predictor.errors import DataError, PredictorError
from predictor.grids import load_grid
from trainer.checking import check_lists, check_rendered, no_files
from trainer.launch.command import Options, train_file, warn_of
from trainer.launch.keep_grid import keep_grid
from trainer.status import open_runs, standing

LAUNCHERS = {"slurm": "trainer.launch.slurm", "ray": "trainer.launch.ray_cluster"}  # beside this machine alone


@dataclass(frozen=True, kw_only=True)
class Drain:
    """One worker: trains what is left of a grid with the command line's options, one run at a time on its device."""

    grid_file: Path
    data_dir: Path
    runs_dir: Path
    options: Options

    def __call__(self) -> bool:
        """Train until nothing is left; True where it was stopped before."""

        def say(line: str) -> None:
            print(line, file=sys.stderr, flush=True)

        return train_file(self.grid_file, self.data_dir, self.runs_dir, self.options, say)

    def checkpoint(self, *_: Any) -> Any:
        """What submitit submits again where a job is preempted or meets its time limit: the same."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


def launch(
    launcher: str,
    grid_file: Path,
    data_dir: Path | None,
    runs_dir: Path,
    options: Options,
    settings: Mapping[str, Any],
    say: Callable[[str], None],
) -> None:
    """Start workers on a cluster after the checks that `trainer run` makes on this machine.

    options.workers : how many; settings : the launcher's own words
    Raises PredictorError where the grid cannot be trained, nothing is left to train, or the launcher refuses.
    """
    options.check()
    if not options.workers.isdigit() or int(options.workers) < 1:
        raise PredictorError(
            f"--workers is {options.workers!r}; a cluster needs a number", remedy="say how many workers: --workers 8"
        )
    grid = load_grid(grid_file)
    data_dir = data_dir or no_files(grid)
    if data_dir is None:
        raise DataError("no image folder named", remedy="name the folder of the sources' files with --data DIR")
    check_rendered(grid)
    if options.inside:
        check_lists(grid, data_dir)
    now = standing(grid, runs_dir)
    warn_of(grid, data_dir, runs_dir, now, say)
    left = open_runs(grid, now, only_failed=options.only_failed).runs
    if not left:
        say(f"{grid.study}: no run is left to train")
        return
    keep_grid(grid_file, grid, runs_dir)
    drain = Drain(
        grid_file=grid_file.resolve(),
        data_dir=data_dir.resolve(),
        runs_dir=runs_dir.resolve(),
        options=replace(options, workers="1", yes=True),
    )
    n_workers = min(int(options.workers), len(left))
    say(f"{grid.study}: {len(left):,} runs left, {n_workers} workers")
    import_module(LAUNCHERS[launcher]).launch(drain, n_workers, runs_dir / grid.study, settings, say)
