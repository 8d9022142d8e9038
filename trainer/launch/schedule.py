"""Which run of a grid comes next."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Sequence

from predictor.grids import Grid, PlannedRun
from predictor.records import Finished
from trainer.launch.job import Job
from trainer.launch.lease import Watch, claim
from trainer.launch.pool import Worker

LOOK_SECONDS = 1.0  # between two looks at runs that another scheduler has


class Schedule:
    """Which run comes next: those without a record, configuration after configuration, and of one network together.

    Other schedulers may work on the same study: what they have is set aside until it is done or given back.
    """

    def __init__(self, grid: Grid, job: Job):
        self.job = job
        self._finished = Finished(job.study_dir)
        self._queue = deque(run for run in _ordered(grid.runs) if run.spec.run_id not in self._finished)
        self._aside: deque[PlannedRun] = deque()
        self._done_elsewhere: list[str] = []
        self._watch = Watch()
        self._looked = time.monotonic()

    def __bool__(self) -> bool:
        return bool(self._queue or self._aside)

    def finished(self, run: PlannedRun) -> bool:
        """Whether the run has a record by now."""
        return run.spec.run_id in self._finished

    def again(self, run: PlannedRun) -> None:
        """Put a run at the end."""
        self._queue.append(run)

    def elsewhere(self) -> list[str]:
        """Runs that other schedulers finished since the last call."""
        found, self._done_elsewhere = self._done_elsewhere, []
        return found

    def hand(self, worker: Worker) -> bool:
        """Give a worker the next run that is free; False where there is none now."""
        now = time.monotonic()
        if not self._queue and now - self._looked > LOOK_SECONDS:
            self._looked = now
            self._queue, self._aside = self._aside, deque()
        while self._queue:
            run = self._queue.popleft()
            run_id = run.spec.run_id
            if run_id in self._finished:
                self._done_elsewhere.append(run_id)
                continue
            lease = claim(self.job.checkpoints, run_id, self._watch, [os.getpid(), worker.process.pid or 0])
            if lease is None:
                self._aside.append(run)
                continue
            if run_id in self._finished:  # its record landed between the two looks
                lease.release()
                self._done_elsewhere.append(run_id)
                continue
            try:
                worker.assign(run, lease)
            except OSError:  # it has died since; `_attend` replaces it
                lease.release()
                self._queue.appendleft(run)
                return False
            return True
        return False


def _ordered(runs: Sequence[PlannedRun]) -> list[PlannedRun]:
    """Runs of one compiled network together; in them the first seed of every configuration before any second one.

    Evidence counts in configurations: a grid that is stopped half-way has seen as many of them as it can. The order is
    that of the whole grid, whatever part of it is left.
    """
    place: dict[object, int] = {}
    for run in runs:
        place.setdefault((run.spec.model, run.spec.recipe.batch_size), len(place))
    return sorted(runs, key=lambda run: (place[run.spec.model, run.spec.recipe.batch_size], run.turn))
