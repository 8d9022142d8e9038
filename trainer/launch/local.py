"""Train the runs of a grid in long-lived processes on this machine.

The registry is the only state: a run is done when its record is there, half done when its checkpoint is, and being
trained while its lease is.
"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from predictor.errors import RegistryError
from predictor.grids import Grid, PlannedRun
from predictor.records import write_attempt
from trainer.launch.job import FAILED, Job, TryOutcome
from trainer.launch.logs import log_folder
from trainer.launch.pool import POLL_SECONDS, Worker, context_of, ready
from trainer.launch.schedule import LOOK_SECONDS, Schedule
from trainer.status import open_runs, standing

TIMEOUT = 900.0  # seconds without a sign of life: loading, compiling and testing give none


def run_grid(grid: Grid, job: Job, *, workers: int, only_failed: bool = False, **settings: Any) -> list[TryOutcome]:
    """Train every run of the grid that has no record yet; returns how each try ended.

    only_failed : the runs alone that have an attempt and no record; settings : see `Scheduler`
    """
    if only_failed:
        grid = open_runs(grid, standing(grid, job.runs_dir), only_failed=True)
    return Scheduler(grid, job, **settings).train(workers)


class Scheduler:
    """One process that gives runs to workers and sees to them.

    retry : tries of a run that fails; each leaves an attempt and never stops the others
    timeout : seconds without a sign of life after which a worker is killed and its run has failed
    memory_limit : bytes that one worker may hold; None: no limit
    report, tell : called with each ended run, and with what a signal brings about

    The first SIGINT or SIGTERM lets the running ones save a checkpoint and stop, the second ends them at once.
    """

    def __init__(
        self,
        grid: Grid,
        job: Job,
        *,
        retry: int = 1,
        timeout: float = TIMEOUT,
        memory_limit: float | None = None,
        report: Callable[[TryOutcome], None] | None = None,
        tell: Callable[[str], None] | None = None,
    ):
        self.job, self.retry, self.timeout, self.memory_limit = job, retry, timeout, memory_limit
        self.report = report or (lambda outcome: None)
        self.tell = tell or (lambda text: None)
        self.schedule = Schedule(grid, job)
        self.context = context_of()
        self.signals: list[int] = []
        self.starting = False  # a process: that may take seconds
        self.asked = False
        self.bell, self.rope = self.context.Pipe(duplex=False)  # a signal ends the wait for workers
        self.workers: list[Worker] = []
        self.outcomes: list[TryOutcome] = []
        self.tries: Counter[str] = Counter()
        self.unwritable: TryOutcome | None = None

    def train(self, n_workers: int) -> list[TryOutcome]:
        """Train until nothing is left or somebody said stop; how each try ended.

        Raises RegistryError where the registry cannot be written; half-done runs keep their checkpoints.
        """
        with log_folder() as logs, self._signals():
            try:
                while self._hand_out(n_workers, logs):
                    if self.stopping:
                        self._stop()
                    if len(self.signals) > 1:
                        self._end_now()
                    busy = any(worker.run for worker in self.workers)
                    ready(self.workers, self.bell, POLL_SECONDS if busy else LOOK_SECONDS)
                    if self.bell.poll():
                        self.bell.recv()
                    for worker in self.workers:
                        self._attend(worker)
            finally:
                for worker in self.workers:
                    worker.end()
                    if worker.lease:
                        worker.lease.release()
        if self.unwritable:
            remedy = "give the same command: it continues where it was"
            raise RegistryError(f"the grid was stopped: {self.unwritable.message}", remedy=remedy)
        return self.outcomes

    def _stop(self) -> None:
        """Ask every worker once to save its checkpoint and stop."""
        if self.signals and not self.asked:
            self.asked = True
            self.tell("stopping: each run saves a checkpoint first; the same signal again ends them at once")
        for worker in self.workers:
            worker.stop()

    def _end_now(self) -> NoReturn:
        self.tell("ended at once; the same command continues each run from its last checkpoint")
        raise SystemExit(128 + self.signals[1])

    def _hand_out(self, n_workers: int, logs: Path) -> bool:
        """Give every idle worker a run; False where nothing is left to wait for."""
        idle = [worker for worker in self.workers if not worker.run]
        while self.schedule and not self.stopping and (idle or len(self.workers) < n_workers):
            if not idle:
                with self._started():
                    idle = [Worker(self.context, self.job, logs / f"{len(self.workers)}.log")]
                self.workers += idle
            if not self.schedule.hand(idle.pop()):
                break
        for run_id in self.schedule.elsewhere():
            self.report(TryOutcome(run_id=run_id, status="elsewhere"))
        return any(worker.run for worker in self.workers) or (bool(self.schedule) and not self.stopping)

    def _attend(self, worker: Worker) -> None:
        """See to one worker: take its outcome; kill it where it hangs, eats memory or lost its lease."""
        run, lease = worker.run, worker.lease
        try:
            outcome, dead = worker.receive(), False
        except EOFError:
            outcome, dead = None, True
        if run is None or lease is None:
            if dead:
                self._replace(worker)
            return
        run_id = run.spec.run_id
        if outcome is None:
            if dead:
                status, message = "failed", worker.end()
            elif lapse := worker.lapse(self.timeout, self.memory_limit):
                status, message = lapse
                worker.end(ask=True)
            elif lease.beat():
                return
            else:  # another scheduler found this one silent for too long and trains the run
                status, message = "stopped", "another scheduler took it over"
                worker.end()
                self.schedule.again(run)
            if self.schedule.finished(run):  # it wrote its record and died before it could say so
                status, message = "completed", ""
            outcome = TryOutcome(run_id=run_id, status=status, message=message)
            dead = True
        elif outcome.traceback:  # after an error that nobody foresaw a process, and its GPU, is not trusted
            worker.end()
            dead = True
        self._note(worker, run, outcome)
        lease.release()
        worker.lease = None
        if dead:
            self._replace(worker)
        worker.run = None

    def _note(self, worker: Worker, run: PlannedRun, outcome: TryOutcome) -> None:
        """Keep and report how a try ended; plan another one where the run failed too seldom."""
        self.outcomes.append(outcome)
        self.tries[outcome.run_id] += 1
        if outcome.status in FAILED:
            self._keep_attempt(worker, outcome)
            if self.tries[outcome.run_id] < self.retry:
                self.schedule.again(run)
        if outcome.status == "unwritable":
            self.unwritable = outcome
        self.report(outcome)

    def _keep_attempt(self, worker: Worker, outcome: TryOutcome) -> None:
        attempt = {
            "status": outcome.status,
            "message": outcome.message,
            "traceback": outcome.traceback,
            "log": worker.tail(),
            "step": worker.step,
            "device": self.job.device,
            "commit": self.job.commit,
        } | ({} if outcome.result is None else {"result": outcome.result})
        try:
            write_attempt(self.job.runs_dir, study=self.job.study, run_id=outcome.run_id, attempt=attempt)
        except RegistryError as error:
            self.unwritable = TryOutcome(run_id=outcome.run_id, status="unwritable", message=str(error))

    def _replace(self, worker: Worker) -> None:
        with self._started():
            worker.replace()

    @contextmanager
    def _started(self) -> Iterator[None]:
        """A process is being made: the second signal does not wait for it."""
        self.starting = True
        try:
            yield
        finally:
            self.starting = False

    @property
    def stopped(self) -> bool:
        """Whether a signal ended it before its last run."""
        return bool(self.signals) and (bool(self.schedule) or any(o.status == "stopped" for o in self.outcomes))

    @property
    def stopping(self) -> bool:
        """Whether no more runs are handed out."""
        return bool(self.signals or self.unwritable)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """First signal: stop after a checkpoint. Second: end now. Noted here, heeded between two looks at workers."""

        def handler(number: int, frame: object) -> None:
            self.signals.append(number)
            self.rope.send(None)
            if self.starting and len(self.signals) == 2:
                self._end_now()

        before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, previous in before.items():
                signal.signal(number, previous)
