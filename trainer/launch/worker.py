"""A long-lived process that trains one run after the other."""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from predictor.errors import PredictorError
from predictor.grids import PlannedRun
from predictor.records import RunRecord, write_record
from predictor.text import visible
from trainer.faults import UnrecordedError
from trainer.launch.job import Job, Progress, TryOutcome, outcome_of

# the scheduler's question where a worker hangs; the answer goes to the log
DUMP_SIGNAL = getattr(signal, "SIGUSR1", None)
ORPHAN_SECONDS = 30.0  # to save a checkpoint after the scheduler died; shorter than a lease


class StopRequested(Exception):
    """Raised inside a run between two steps when the user asked to stop."""


def work(connection: Connection, job: Job, log: Path) -> None:
    """Train what comes over the connection and send an Outcome for each, until None comes or it is closed."""
    try:
        _prepare(log)
    except FileNotFoundError:  # the scheduler ended, and its folder of logs with it, while this process was made
        return

    def progress(step: int, steps: int) -> None:
        try:
            if connection.poll():  # a None to stop, or the end because the scheduler died
                raise StopRequested
            connection.send((step, steps))  # a sign of life
        except OSError as error:  # it died just now
            raise StopRequested from error

    while True:
        try:
            run = connection.recv()
            if run is None:
                return
            os.truncate(log, 0)
            outcome = try_run(run, job, progress)
            sys.stdout.flush()
            connection.send(outcome)
        except (EOFError, OSError):  # the scheduler is gone
            return


def try_run(run: PlannedRun, job: Job, progress: Progress) -> TryOutcome:
    """Train one run and write its record; whatever goes wrong becomes an outcome."""
    run_id = run.spec.run_id
    notes: list[str] = []
    try:
        record = job.train(run, job, progress) if job.train else train(run, job, progress, notes.append)
    except StopRequested:
        return TryOutcome(run_id=run_id, status="stopped")
    except PredictorError as error:
        return TryOutcome(run_id=run_id, status="failed", message=str(error))
    except UnrecordedError as error:
        return _kept(run_id, error.result, error)
    except Exception as error:  # one bad run must not stop a grid; the attempt keeps the traceback
        status = "out_of_memory" if _out_of_memory(error) else "failed"
        text = f"{type(error).__name__}: {error}"
        return TryOutcome(run_id=run_id, status=status, message=text, traceback=traceback.format_exc())
    try:
        write_record(job.runs_dir, record)
    except PredictorError as error:  # a full disk: the checkpoint stays, and the run is not lost
        if isinstance(error.__cause__, OSError):
            return TryOutcome(run_id=run_id, status="unwritable", message=str(error))
        return _kept(run_id, record.model_dump(), error)
    except Exception as error:  # whatever a text of the record cannot be written as
        return _kept(run_id, record.model_dump(), error)
    with suppress(OSError):
        (job.checkpoints / f"{run_id}.pt").unlink(missing_ok=True)
    return replace(outcome_of(record), message=visible("; ".join(notes)))


def _kept(run_id: str, result: Mapping[str, Any], error: Exception) -> TryOutcome:
    """The outcome of a run that was trained and tested and has no record: the attempt keeps what it found."""
    why = str(error) if isinstance(error, PredictorError) else f"{type(error).__name__}: {error}"
    text = f"trained and tested, but its record could not be written ({why}); the attempt keeps the result"
    trace = "" if isinstance(error, PredictorError) else traceback.format_exc()
    return TryOutcome(run_id=run_id, status="failed", message=visible(text), traceback=trace, result=result)


def train(run: PlannedRun, job: Job, progress: Progress, note: Callable[[str], None] | None = None) -> RunRecord:
    """Train a run as its spec says."""
    from trainer.run import run_spec

    return run_spec(
        run.spec,
        study=job.study,
        axes=run.axes,
        domain=run.domain,
        held_out=job.held_out,
        data_dir=job.data_dir,
        files=job.files,
        weights=job.weights,
        device=job.device,
        threads=job.threads,
        side_by_side=job.side_by_side,
        precision=job.precision,
        compiled=job.compiled,
        commit=job.commit,
        bad_images=job.bad_images,
        checkpoint_dir=job.checkpoints,
        progress=progress,
        note=note,
    )


def _prepare(log: Path) -> None:
    """Output into the log; signals to the scheduler alone; the first to go where the machine's memory runs out."""
    sys.stdout.flush()
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    for number in (signal.SIGINT, signal.SIGTERM):  # the scheduler decides; a terminal sends Ctrl-C to all
        signal.signal(number, signal.SIG_IGN)
    faulthandler.enable(2)
    if DUMP_SIGNAL is not None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT, signal.SIGTERM))
        faulthandler.register(DUMP_SIGNAL, 2, all_threads=True)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")
    end_with_parent(ORPHAN_SECONDS)


def end_with_parent(seconds: float) -> None:
    """A run that hangs must not outlive its scheduler: another one may train it once the lease is stale."""
    parent = multiprocessing.parent_process()

    def wait() -> None:
        if parent is not None:
            parent.join()
            time.sleep(seconds)
            os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _out_of_memory(error: Exception) -> bool:
    if isinstance(error, MemoryError):
        return True
    if "torch" not in sys.modules:
        return False
    from trainer.device import out_of_memory

    return out_of_memory(error)
