"""What the scheduler itself costs: runs that train nothing, and runs of five seconds on two workers.

    python benchmarks/scheduling.py [RUNS] [LONG_RUNS]

RUNS (10,000) no-op runs through `run_grid`: leases, workers and durable records as in real training. Printed are
milliseconds a run of wall time (goal: 20) and of the scheduler's processor time. LONG_RUNS (40) runs that
sleep for five seconds, on two workers: the share of ideal throughput, from the first run's start to the last one's end
and with the start of the processes (goal: 95 %). The load of the machine stands beside every figure.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from dry import sleep, train_nothing

from predictor.grids import load_grid
from predictor.records import finished_ids
from trainer.launch.job import Job
from trainer.launch.local import run_grid

GRID = """
study: scheduling
protocol: 2
sources: {digits: {digest: "builtin:digits"}}
target_sets:
  digits/a: {domain: digits, source: digits, classes: ["0", "1", "2"], flip: false}
model: {name: predictor_small, image_size: 8, head: 8}
recipe: {batch_size: 32, image_steps: 640, learning_rate: 0.03, augmentation: none}
seeds: SEEDS
grid: [{target_set: digits/a, samples_per_class: [2, 4, 8, 16]}]
"""
WORKERS = 2
LENGTH = 5.0  # seconds of a long run


def timed(folder: Path, n: int, train: Callable[..., Any]) -> dict[str, float]:
    """Train n runs; seconds of wall time, from the first outcome on, and of processor time."""
    seeds = list(range(-(-n // 4)))
    (folder / "grid.yaml").write_text(GRID.replace("SEEDS", str(seeds)))
    grid = load_grid(folder / "grid.yaml")
    runs_dir = folder / "runs"
    job = Job.of(grid, data_dir=folder, runs_dir=runs_dir, device="cpu", threads=1, commit="", train=train)
    ends: list[float] = []
    own, begun = time.process_time(), time.perf_counter()
    outcomes = run_grid(grid, job, workers=WORKERS, report=lambda _: ends.append(time.perf_counter()))
    found = {"wall": time.perf_counter() - begun, "own": time.process_time() - own, "first": ends[0] - begun}
    assert len(finished_ids(job.study_dir)) == len(outcomes) == len(grid.runs)
    shutil.rmtree(runs_dir)
    return {**found, "runs": len(outcomes), "between": ends[-1] - ends[0]}


def main() -> None:
    """Both measurements, the short runs first."""
    n, long_runs = (int(text) for text in (sys.argv[1:] + ["10000", "40"][len(sys.argv) - 1 :])[:2])
    print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores, {WORKERS} workers")
    with tempfile.TemporaryDirectory() as temporary:
        load = os.getloadavg()[0]
        found = timed(Path(temporary), n, train_nothing)
        wall, own = (1000 * found[key] / found["runs"] for key in ("between", "own"))
        print(f"{found['runs']:,} runs of nothing: {wall:.2f} ms of wall time a run   goal 20; load {load:.1f}")
        print(f"  {own:.2f} ms of processor time of the scheduler a run; first run's end after {found['first']:.1f} s")
        load = os.getloadavg()[0]
        found = timed(Path(temporary), long_runs, partial(sleep, seconds=LENGTH))
        ideal = found["runs"] * LENGTH / WORKERS
        steady = (found["runs"] - WORKERS) * LENGTH / WORKERS / found["between"]
        print(f"{found['runs']} runs of {LENGTH:g} s: {steady:.1%} of ideal throughput   goal 95 %; load {load:.1f}")
        print(f"  {ideal / found['wall']:.1%} with the start of the processes; {found['wall']:.1f} s in all")


if __name__ == "__main__":
    main()
