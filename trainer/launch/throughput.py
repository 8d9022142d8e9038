"""How many runs side by side a device trains fastest, found by a short measurement: a small network leaves most of a
GPU idle, and a large one gains nothing from company."""

from __future__ import annotations

import signal
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from typing import Any

from predictor.grids import Grid, PlannedRun
from predictor.records import finished_ids
from trainer.launch.job import Job
from trainer.launch.pool import context_of
from trainer.launch.worker import end_with_parent
from trainer.machine import usable_cores

STEPS = 200  # of each run, twice: the first ones warm up
GAIN = 1.1  # times the throughput that more processes must bring
FEW = 16  # runs
WAIT = 300.0  # seconds until a measurement that does not come counts as nothing

_barrier: Any = None


def best_count(throughput: Callable[[int], float], most: int) -> int:
    """The number of processes, doubled as long as that brings at least a tenth more, at most `most`.

    throughput : processes -> images a second of all together; 0 where they do not fit

    >>> best_count({1: 100.0, 2: 190.0, 4: 220.0, 8: 221.0}.__getitem__, 8)
    4
    >>> best_count({1: 100.0, 2: 0.0}.__getitem__, 8)
    1
    """
    count, best = 1, throughput(1)
    while count * 2 <= most and (more := throughput(count * 2)) > GAIN * best:
        count, best = count * 2, more
    return count


def measured_count(run: PlannedRun, job: Job, most: int) -> int:
    """`best_count` for runs like this one, measured here and now; nothing is kept."""
    return best_count(lambda count: throughput(run, job, count), most)


def with_measured_workers(grid: Grid, job: Job, threads: int | None) -> tuple[int, Job]:
    """The number of processes for the open runs of a grid, and the job with the threads of each.

    Measured on the first open run where there are at least FEW, since a measurement takes as long as some runs; else 1.
    """
    done = finished_ids(job.study_dir)
    runs = [run for run in grid.runs if run.spec.run_id not in done]
    cores = usable_cores()
    count = measured_count(runs[0], job, min(cores, len(runs))) if len(runs) >= FEW else 1
    return count, replace(job, threads=threads or max(1, cores // count), side_by_side=count)


def throughput(run: PlannedRun, job: Job, count: int, steps: int = STEPS) -> float:
    """Images a second of so many processes that train this run at once; 0 where one of them fails."""
    spec = run.spec
    short = [s.model_copy(update={"image_steps": steps * spec.recipe.batch_size}) for s in spec.stages[:1]]
    run = replace(run, spec=spec.model_copy(update={"stages": tuple(short)}))
    context = context_of()
    pool = ProcessPoolExecutor(count, mp_context=context, initializer=_meet, initargs=(context.Barrier(count),))
    try:
        futures = [pool.submit(_rate, run, job) for _ in range(count)]
        return sum(future.result(WAIT) for future in futures)
    except Exception:  # out of memory, a dead process: one size too many, whatever it says
        return 0.0
    finally:
        for process in list((pool._processes or {}).values()):
            process.kill()
        pool.shutdown(wait=False, cancel_futures=True)


def _meet(barrier: Any) -> None:
    global _barrier
    _barrier = barrier
    if hasattr(signal, "pthread_sigmask"):  # the server of workers has them blocked
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT, signal.SIGTERM))
    end_with_parent(0.0)


def _rate(run: PlannedRun, job: Job) -> float:
    """Images a second of one process, beside the others."""
    from trainer.run import run_spec

    for timed in (False, True):
        if timed:
            _barrier.wait(WAIT)
        record = run_spec(
            run.spec,
            study=job.study,
            axes={},
            domain=run.domain,
            held_out=False,
            data_dir=job.data_dir,
            files=job.files,
            weights=job.weights,
            device=job.device,
            threads=job.threads,
            precision=job.precision,
            compiled=job.compiled,
            bad_images=job.bad_images,
        )
    return record.images_per_second or 0.0
