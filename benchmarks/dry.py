"""Runs that train nothing, at once or after a while: to measure the scheduler alone, and to try a grid's faults."""

from __future__ import annotations

import time

from predictor.grids import PlannedRun
from predictor.records import Counted, Environment, Outcome, RunRecord, Seconds, StageCounts
from predictor.spec import planned_counts
from trainer.launch.job import Job, Progress


def train_nothing(run: PlannedRun, job: Job, progress: Progress) -> RunRecord:
    """A whole, consistent record whose accuracy is a guess: one right of as many as there are targets."""
    progress(0, 1)
    spec = run.spec
    targets = spec.target.classes
    n, seen = len(targets), (1,) * len(targets)
    right = (1,) + (0,) * (n - 1)
    return RunRecord(
        run_id=spec.run_id,
        configuration_id=spec.configuration_id,
        study=job.study,
        provenance="trained",
        held_out=job.held_out,
        target_set=spec.target.name,
        domain=run.domain,
        axes=dict(run.axes),
        spec=spec.content(),
        data=Counted(
            stages=tuple(
                StageCounts.from_distribution(planned_counts(spec, number), stage.image_steps)
                for number, stage in enumerate(spec.stages)
            )
        ),
        outcomes={
            "accuracy": Outcome(value=1 / n, plain=1 / n, classes=targets, tested=seen, correct=right, chance=1 / n)
        },
        seconds=Seconds(train=1e-3),
        environment=Environment(device=job.device, threads=job.threads, commit=job.commit),
    )


def sleep(run: PlannedRun, job: Job, progress: Progress, *, seconds: float) -> RunRecord:
    """The same after so many seconds that need no processor, with a sign of life now and then."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        progress(0, 1)
        time.sleep(min(left, 0.25))
    return train_nothing(run, job, progress)
