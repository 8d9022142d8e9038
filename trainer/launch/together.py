"""One run after the other, each trained by all processes that torchrun started; the first of them keeps the books.

For one big run. Many runs are trained faster side by side, one a GPU: that is what `trainer run` and its launchers do.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from predictor.errors import DataError, PredictorError
from predictor.grids import PlannedRun, load_grid
from predictor.records import RunRecord, write_record
from predictor.records.schema import Energy
from trainer import team
from trainer.checking import check_lists, check_rendered, no_files
from trainer.launch.command import Options, warn_of
from trainer.launch.job import Job
from trainer.launch.keep_grid import keep_grid
from trainer.launch.lease import Lease, Watch, claim
from trainer.launch.worker import train
from trainer.machine import choose_device, choose_workers
from trainer.provenance import code_commit
from trainer.status import open_runs, standing


def train_together(
    grid_file: Path, data_dir: Path | None, runs_dir: Path, options: Options, say: Callable[[str], None]
) -> None:
    """Train what is left of a grid. What goes wrong in one process ends all of them: torchrun sees to that.

    Raises PredictorError where the grid cannot be trained, and for the first run that fails.
    """
    options.check()
    grid = load_grid(grid_file)
    data_dir = data_dir or no_files(grid)
    if data_dir is None:
        raise DataError("no image folder named", remedy="name the folder of the sources' files with --data DIR")
    check_rendered(grid)
    if options.inside:
        check_lists(grid, data_dir)
    device = choose_device(options.device)
    with team.joined(device):
        now = standing(grid, runs_dir)
        if team.first():
            warn_of(grid, data_dir, runs_dir, now, say)
            keep_grid(grid_file, grid, runs_dir)
        left = team.told(open_runs(grid, now, only_failed=options.only_failed).runs)
        job = Job.of(
            grid,
            data_dir=data_dir,
            runs_dir=runs_dir,
            device=device,
            threads=options.threads or max(1, choose_workers("1", None, device)[1] // team.size()),
            commit=code_commit(),
            bad_images=options.bad_images,
            precision=None if options.precision == "auto" else options.precision,
            compiled=None if options.compiled == "auto" else options.compiled == "on",
        )
        for run in left:
            _train(run, job, say)


def _train(run: PlannedRun, job: Job, say: Callable[[str], None]) -> None:
    """Train one run that nobody else has, and write its record."""
    run_id = run.spec.run_id
    lease = claim(job.checkpoints, run_id, Watch(), [os.getpid()]) if team.first() else None
    if not team.told(lease is not None):
        if team.first():
            say(f"{run_id}: another worker has it")
        return
    try:
        begun = time.monotonic()
        record = train(run, job, _beating(lease), say if team.first() else None)
        if team.first():
            _keep(record, job)
            accuracy = record.outcomes.get("accuracy")
            value = f"accuracy {accuracy.value:.3f}, " if accuracy else ""
            say(f"{run_id}: {record.status}, {value}{time.monotonic() - begun:.0f} s by {team.size()} processes")
    finally:
        if lease is not None:
            lease.release()


def _beating(lease: Lease | None) -> Callable[[int, int], None]:
    def progress(step: int, steps: int) -> None:
        if lease is not None and not lease.beat():
            raise PredictorError("another worker took the run over", where=lease.path.name)

    return progress


def _keep(record: RunRecord, job: Job) -> None:
    """Write the record of all processes: the device says how many, and energy is that of none."""
    assert record.environment is not None
    n = team.size()
    machine = record.environment.model_copy(update={"device_name": f"{record.environment.device_name} x {n}"})
    energy = Energy(reason=f"trained by {n} processes, each of which reads its own device")
    write_record(job.runs_dir, record.model_copy(update={"environment": machine, "energy": energy}))
    (job.checkpoints / f"{record.run_id}.pt").unlink(missing_ok=True)
