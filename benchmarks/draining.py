"""What it costs that workers of a cluster drain one registry: runs of nothing and runs of ten seconds, by leases alone.

    python benchmarks/draining.py [RUNS] [LONG_RUNS] [WORKERS]

WORKERS (4) processes, as `trainer run --launcher slurm | ray` starts them: each a scheduler of its own with one worker,
sharing nothing but the folder of the study. RUNS (10,000) that train nothing: milliseconds of wall time a run (goal 50)
from the first record to the last. LONG_RUNS (16) that sleep for ten seconds: the share of ideal throughput from the
first run's end on (goal 95 %). The start of the processes is left out and printed; the load stands beside it.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

from dry import sleep, train_nothing
from scheduling import GRID

from predictor.grids import load_grid
from predictor.records import finished_ids
from trainer.launch.job import Job
from trainer.launch.local import run_grid

LENGTH = 10.0  # seconds of a long run


def drain(folder: str, long: bool, told: Any) -> None:
    """One worker of a cluster: whatever nobody else has, until nothing is left. Tells when its first run ended."""
    place = Path(folder)
    grid = load_grid(place / "grid.yaml")
    train = partial(sleep, seconds=LENGTH) if long else train_nothing
    job = Job.of(grid, data_dir=place, runs_dir=place / "runs", device="cpu", threads=1, commit="", train=train)
    ends: list[float] = []
    run_grid(grid, job, workers=1, report=lambda _: ends.append(time.time()))
    told.put((ends[0] if ends else None, ends[-1] if ends else None, len(ends)))


def timed(n: int, workers: int, *, long: bool) -> tuple[int, float, float]:
    """(runs, seconds from the first end to the last one, seconds until the first end)"""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "grid.yaml").write_text(GRID.replace("SEEDS", str(list(range(-(-n // 4))))))
        context = multiprocessing.get_context("spawn")
        told, begun = context.Queue(), time.time()
        processes = [context.Process(target=drain, args=(folder, long, told)) for _ in range(workers)]
        for process in processes:
            process.start()
        found = [told.get() for _ in processes]
        for process in processes:
            process.join()
        runs = len(finished_ids(Path(folder) / "runs" / "scheduling"))
        assert runs == len(load_grid(Path(folder) / "grid.yaml").runs)
    firsts, lasts = ([each[i] for each in found if each[i] is not None] for i in (0, 1))
    return runs, max(lasts) - min(firsts), min(firsts) - begun


def main() -> None:
    """Both measurements, the short runs first."""
    n, long_runs, workers = (int(text) for text in (sys.argv[1:] + ["10000", "16", "4"][len(sys.argv) - 1 :])[:3])
    print(f"{os.cpu_count()} cores, {workers} workers; load {os.getloadavg()[0]:.1f}")
    runs, seconds, start = timed(n, workers, long=False)
    print(f"{runs:,} runs of nothing: {1000 * seconds / (runs - 1):.1f} ms of wall time a run   goal 50")
    print(f"  first record after {start:.1f} s")
    runs, seconds, start = timed(long_runs, workers, long=True)
    ideal = (runs - workers) * LENGTH / workers  # of what ends after the first ones, that end together
    load = os.getloadavg()[0]
    print(f"{runs} runs of {LENGTH:g} s: {ideal / seconds:.1%} of ideal throughput   goal 95 %; load {load:.1f}")
    print(f"  first record after {start:.1f} s")


if __name__ == "__main__":
    main()
