"""Weights & Biases, offline: a folder a run, which `wandb sync` uploads. A run that is there already is not added."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from predictor.files import beside
from predictor.records.schema import RunRecord
from trainer.exporters.flat import lacking, measured, settings


def export(records: Iterable[RunRecord], output: str) -> int:
    """Write OUTPUT/wandb/offline-run-*-RUN_ID/; how many runs were not there yet. Nothing is sent anywhere."""
    try:
        import wandb
    except ImportError:
        raise lacking("wandb") from None
    folder = Path(output, "wandb")
    folder.mkdir(parents=True, exist_ok=True)
    there = {path.name.rpartition("-")[2] for path in folder.glob("offline-run-*")}
    new = [record for record in records if record.run_id not in there]
    temporary = beside(folder)
    temporary.mkdir()
    try:
        for record in new:
            quiet = wandb.Settings(silent=True, console="off", disable_git=True, disable_code=True,
                                   x_disable_stats=True, x_disable_meta=True)  # fmt: skip
            run = wandb.init(
                mode="offline", id=record.run_id, name=record.run_id, project=record.study, dir=str(temporary),
                config=settings(record), reinit="finish_previous", settings=quiet,
            )  # fmt: skip
            run.summary.update(measured(record))
            run.finish(exit_code=0 if record.status == "completed" else 1)
        wandb.teardown()  # waits until every log is whole: a run's last records may still be on their way
        for log in sorted(temporary.glob("wandb/offline-run-*")):
            log.rename(folder / log.name)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return len(new)
