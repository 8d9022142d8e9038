"""Grids of runs that train nothing, and runs that go wrong in every way; here, where a worker can import them."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dry import train_nothing

from predictor.errors import DataError
from predictor.grids import Grid, PlannedRun, load_grid
from predictor.records import RunRecord
from trainer.launch.job import Job, Progress

GRID = """
study: tiny
protocol: 2
sources: {digits: {digest: "builtin:digits"}}
target_sets:
  digits/a: {domain: digits, source: digits, classes: ["0", "1", "2"], flip: false}
model: {name: predictor_small, image_size: 8, head: 8}
recipe: {batch_size: 32, image_steps: STEPS, learning_rate: 0.03, augmentation: none}
seeds: SEEDS
grid:
  - target_set: digits/a
    samples_per_class: SIZES
"""


def write_grid(folder: Path, sizes: list[int], seeds: list[int], image_steps: int = 640) -> Path:
    """A grid of digits; real training of a run takes a fraction of a second."""
    file = folder / "grid.yaml"
    text = GRID.replace("SIZES", str(sizes)).replace("SEEDS", str(seeds)).replace("STEPS", str(image_steps))
    file.write_text(text)
    return file


def made_grid(folder: Path, sizes: list[int], seeds: list[int]) -> Grid:
    return load_grid(write_grid(folder, sizes, seeds))


def made_job(grid: Grid, folder: Path, train: Callable[..., Any] = train_nothing) -> Job:
    runs_dir = folder / "runs"
    return Job.of(grid, data_dir=folder, runs_dir=runs_dir, device="cpu", threads=1, commit="test", train=train)


def wrong_for_seed_1(run: PlannedRun, job: Job, progress: Progress) -> RunRecord:
    """The configuration's size says how its seed 1 goes wrong; all other runs are sound."""
    progress(3, 7)
    if run.spec.seeds.training == 1:
        print("about to go wrong", file=sys.stderr, flush=True)
        WRONG[run.spec.stages[0].data.samples_per_class](progress)
    return train_nothing(run, job, progress)


def _raise(progress: Progress) -> None:
    raise ValueError("a fault of the program")


def _bad_data(progress: Progress) -> None:
    raise DataError("an image is torn", where="row 7")


def _no_memory(progress: Progress) -> None:
    raise MemoryError("no room")


def _killed(progress: Progress) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _exits(progress: Progress) -> None:
    os._exit(3)


def _hangs(progress: Progress) -> None:
    time.sleep(1000)


def _eats(progress: Progress) -> None:
    """More than the limit, and no more: what other tests do beside it needs memory too."""
    kept = [b"x" * 100_000_000 for _ in range(20)]
    while kept:
        progress(3, 7)  # it does not hang
        time.sleep(0.01)


WRONG = {1: _raise, 2: _bad_data, 3: _no_memory, 4: _killed, 5: _exits, 6: _hangs, 7: _eats}


def fails_first(run: PlannedRun, job: Job, progress: Progress) -> RunRecord:
    """Goes wrong unless it went wrong before."""
    marker = job.data_dir / f"{run.spec.run_id}.tried"
    if not marker.exists():
        marker.touch()
        raise ValueError("the first try fails")
    return train_nothing(run, job, progress)


def takes_a_while(run: PlannedRun, job: Job, progress: Progress) -> RunRecord:
    """Half a second; leaves a file for each time that it was trained."""
    for step in range(10):
        progress(step, 10)
        time.sleep(0.05)
    (job.data_dir / f"{run.spec.run_id}.{os.getpid()}.{time.monotonic_ns()}.trained").touch()
    return train_nothing(run, job, progress)


def deaf(run: PlannedRun, job: Job, progress: Progress) -> RunRecord:
    """A run without a sign of life: it hears of no signal."""
    return train_nothing(run, job, lambda step, steps: None)


def unwritable_text(run: PlannedRun, job: Job, progress: Progress) -> RunRecord:
    """A record with a text that no file can hold."""
    return train_nothing(run, job, progress).model_copy(update={"axes": {"name": "\udce9"}})
