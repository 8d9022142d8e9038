"""Train the runs of a grid in long-lived processes on this machine.

The registry is the only state: a run is done when its record is there, half done when its checkpoint is.
"""

from __future__ import annotations

import multiprocessing
import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from predictor.errors import PredictorError
from predictor.grids import Grid, PlannedRun
from predictor.records import finished_ids, write_attempt, write_record

POLL_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True)
class Job:
    """What every worker needs to know, besides the run itself."""

    data_dir: Path
    runs_dir: Path
    device: str
    threads: int
    commit: str
    bad_images: Literal["error", "skip"] = "error"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How one try of a run ended: 'completed', 'diverged', 'failed' or 'stopped'."""

    run_id: str
    status: str
    seconds: float = 0.0
    accuracy: float | None = None
    message: str = ""


class StopRequested(Exception):
    """Raised inside a run between two steps when the user asked to stop."""


def run_grid(
    grid: Grid, job: Job, *, workers: int, retry: int = 1, report: Callable[[Outcome], None] | None = None
) -> list[Outcome]:
    """Train every run of the grid that has no record yet; returns how each try ended.

    A run that fails leaves an attempt and never stops the others; it is tried `retry` times. The first SIGINT or
    SIGTERM lets the running ones save a checkpoint and stop, the second ends them at once.
    """
    done = finished_ids(job.runs_dir / grid.study)
    queue = [run for run in grid.runs if run.spec.run_id not in done]
    tries: dict[str, int] = {}
    outcomes: list[Outcome] = []
    context = multiprocessing.get_context("spawn")  # fork after torch has started threads can hang
    stop = context.Event()
    with _signals(stop):
        while queue and not stop.is_set():
            with ProcessPoolExecutor(workers, mp_context=context, initializer=_start, initargs=(stop,)) as pool:
                for run, outcome in _drain(pool, queue, grid, job, workers, stop):
                    tries[outcome.run_id] = tries.get(outcome.run_id, 0) + 1
                    outcomes.append(outcome)
                    if report:
                        report(outcome)
                    if outcome.status == "failed" and tries[outcome.run_id] < retry:
                        queue.append(run)
    return outcomes


def _drain(
    pool: ProcessPoolExecutor, queue: list[PlannedRun], grid: Grid, job: Job, workers: int, stop: Any
) -> Iterator[tuple[PlannedRun, Outcome]]:
    """Feed the pool in order and yield what comes back; ends when the queue is empty or the pool is broken."""
    running: dict[Future[Outcome], PlannedRun] = {}
    while running or (queue and not stop.is_set()):
        while queue and len(running) < workers and not stop.is_set():
            run = queue.pop(0)
            try:
                running[pool.submit(_train, run, grid, job)] = run
            except BrokenProcessPool:
                queue.insert(0, run)
                break
        if not running:
            return
        for future in wait(running, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED).done:
            run = running.pop(future)
            try:
                yield run, future.result()
            except BrokenProcessPool:
                # one worker died (killed, out of memory): the pool is lost, its checkpoints are not
                yield run, _failed(run, grid, job, "a worker process died", "")
                return_to_queue = list(running.values())
                queue[:0] = return_to_queue
                return


def _start(stop: Any) -> None:
    global _STOP
    _STOP = stop
    for number in (signal.SIGINT, signal.SIGTERM):  # the parent decides; a terminal sends Ctrl-C to all
        signal.signal(number, signal.SIG_IGN)


def _train(run: PlannedRun, grid: Grid, job: Job) -> Outcome:
    from trainer.run import run_spec

    def between_steps(step: int, n_steps: int) -> None:
        if (
            _STOP.is_set()
            or multiprocessing.parent_process() is None
            or not multiprocessing.parent_process().is_alive()
        ):
            raise StopRequested

    study_dir = job.runs_dir / grid.study
    try:
        record = run_spec(
            run.spec,
            study=grid.study,
            axes=run.axes,
            domain=run.domain,
            held_out=grid.held_out,
            data_dir=job.data_dir,
            files={name: source.file for name, source in grid.sources.items()},
            device=job.device,
            threads=job.threads,
            commit=job.commit,
            bad_images=job.bad_images,
            checkpoint_dir=study_dir / "checkpoints",
            progress=between_steps,
        )
    except StopRequested:
        return Outcome(run_id=run.spec.run_id, status="stopped")
    except PredictorError as error:
        return _failed(run, grid, job, str(error), "")
    except Exception as error:  # one bad run must not stop a grid; the attempt keeps the traceback
        return _failed(run, grid, job, f"{type(error).__name__}: {error}", traceback.format_exc())
    write_record(job.runs_dir, record)
    accuracy = record.outcomes.get("accuracy")
    return Outcome(
        run_id=run.spec.run_id,
        status=record.status,
        seconds=record.seconds.total if record.seconds else 0.0,
        accuracy=accuracy.value if accuracy else None,
    )


def _failed(run: PlannedRun, grid: Grid, job: Job, message: str, trace: str) -> Outcome:
    write_attempt(
        job.runs_dir,
        study=grid.study,
        run_id=run.spec.run_id,
        attempt={"status": "failed", "message": message, "traceback": trace, "device": job.device},
    )
    return Outcome(run_id=run.spec.run_id, status="failed", message=message)


@contextmanager
def _signals(stop: Any) -> Iterator[None]:
    """First signal: set `stop`. Second: the default action, at once."""

    def handler(number: int, frame: object) -> None:
        if stop.is_set():
            for child in multiprocessing.active_children():
                child.kill()
            raise SystemExit(128 + number)
        stop.set()

    numbers: Sequence[int] = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)
