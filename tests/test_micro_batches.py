"""A run that memory forced to smaller pieces continues with these."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import pytest
import torch

from predictor.records.schema import RunRecord
from predictor.spec import RunSpec
from trainer.data.readers.builtin import BUILTIN
from trainer.networks.small import SmallNet
from trainer.run import run_spec


def recorded(**how) -> RunRecord:
    spec = RunSpec.model_validate(
        {
            "protocol": 2,
            "sources": {"digits": BUILTIN},
            "target": {"name": "t", "classes": ["0", "1", "2"], "test": {"source": "digits"}},
            "stages": [{"data": {"source": "digits", "samples_per_class": 20}, "image_steps": 640}],
            "model": {"name": "predictor_small", "image_size": 8, "head": 4},
            "recipe": {"batch_size": 32, "learning_rate": 0.02, "augmentation": "none"},
            "seeds": {"data": 0, "training": 0},
        }
    )
    return run_spec(
        spec, study="t", axes={}, domain="d", held_out=False, data_dir=Path(), files={"digits": None}, **how
    )


def test_a_run_in_pieces_continues_from_its_checkpoint(tmp_path: Path) -> None:
    forward, told = SmallNet.forward, []

    def short_of_memory(self, x):
        if self.training and len(x) > 12:
            raise torch.OutOfMemoryError("no memory for more than 12 images")
        return forward(self, x)

    def progress(step: int, steps: int) -> None:
        told.append(step)
        if len(told) == 12:
            raise KeyboardInterrupt

    with (
        mock.patch.object(SmallNet, "forward", short_of_memory),
        mock.patch("trainer.stages.PROGRESS_SECONDS", -1.0),
    ):
        whole = recorded()
        with pytest.raises(KeyboardInterrupt):
            recorded(checkpoint_dir=tmp_path, progress=progress)
        stopped = told[-1]
        told.clear()
        again = recorded(checkpoint_dir=tmp_path, progress=lambda step, steps: told.append(step))
    assert stopped > 2 and told[0] == stopped, "not from its beginning"
    assert again.outcomes == whole.outcomes and again.environment.micro_batch == whole.environment.micro_batch == 8
    assert again.energy.reason == "resumed: what earlier tries used is not known"
