"""What the processes that torchrun starts do in the tests: train a spec together, whole, and stopped and continued.

    torchrun --nproc-per-node 2 tests/team_made.py FOLDER

FOLDER holds spec.json and its image file; whole.pt and continued.pt appear there, networks with their buffers.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from pathlib import Path

import torch

from predictor.spec import RunSpec
from trainer import stages, team
from trainer.data.opening import open_source
from trainer.data.selection import training_sets
from trainer.stages import Training


class Stop(Exception):
    """Ends a training between two steps, in every process at the same one."""


def training(spec: RunSpec, folder: Path, checkpoint: Path | None, stop_at: int | None = None) -> Training:
    """As `trainer.run` makes it."""
    (name,) = spec.sources
    sets = training_sets(spec, lambda _: open_source(name, folder / f"{name}.parquet", spec.sources[name]))

    def progress(step: int, steps: int) -> None:
        if step == stop_at:
            raise Stop

    how = {"device": "cpu", "precision": "fp32", "compiled": False}
    return Training(spec, sets, **how, checkpoint=checkpoint, progress=progress)


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    stages.PROGRESS_SECONDS = -1.0
    spec = RunSpec.model_validate(json.loads((folder / "spec.json").read_text()))
    with team.joined("cpu"):
        whole = training(spec, folder, None).run()
        with suppress(Stop):
            training(spec, folder, folder / "run.pt", stop_at=5).run()
        torch.distributed.barrier()  # the checkpoint is there before anybody looks for it
        continued = training(spec, folder, folder / "run.pt").run()
        if team.first():
            torch.save(whole.model.state_dict(), folder / "whole.pt")
            torch.save(continued.model.state_dict(), folder / "continued.pt")
            torch.save({"resumed": continued.resumed, "piece": whole.micro_batch}, folder / "told.pt")
        else:
            torch.save(whole.model.state_dict(), folder / "other.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
