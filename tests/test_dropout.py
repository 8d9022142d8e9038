"""Networks that draw random numbers of their own are as exact as the others."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import pytest
import torch
from timm.models import register_model
from torch import nn

from predictor.records.schema import RunRecord
from predictor.spec import RunSpec
from trainer.data.readers.builtin import BUILTIN
from trainer.run import run_spec


class Dropping(nn.Module):
    """One layer behind a dropout of one half."""

    def __init__(self, num_classes: int):
        super().__init__()
        self.num_classes = num_classes
        self.drop, self.fc = nn.Dropout(0.5), nn.Linear(3 * 8 * 8, num_classes)

    def get_classifier(self) -> nn.Module:
        return self.fc

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.drop(x.flatten(1)))


@register_model
def dropping_for_tests(pretrained: bool = False, **kwargs) -> Dropping:
    return Dropping(kwargs["num_classes"])


def recorded(*, seed: int = 0, **how) -> RunRecord:
    spec = RunSpec.model_validate(
        {
            "protocol": 2,
            "sources": {"digits": BUILTIN},
            "target": {"name": "t", "classes": list("0123456789"), "test": {"source": "digits"}},
            "stages": [{"data": {"source": "digits", "samples_per_class": 20}, "image_steps": 1600}],
            "model": {"name": "dropping_for_tests", "image_size": 8, "head": 10},
            "recipe": {"batch_size": 16, "learning_rate": 0.02, "augmentation": "none"},
            "seeds": {"data": 0, "training": seed},
        }
    )
    return run_spec(
        spec, study="t", axes={}, domain="d", held_out=False, data_dir=Path(), files={"digits": None}, **how
    )


def test_the_same_spec_drops_the_same_whatever_was_drawn_before() -> None:
    first = recorded()
    torch.rand(17)
    assert recorded().outcomes == first.outcomes != recorded(seed=1).outcomes


@pytest.mark.parametrize("cut", [1, 7, 99])
def test_continued_from_a_checkpoint_it_drops_the_same(tmp_path: Path, cut: int) -> None:
    told = 0

    def progress(step: int, steps: int) -> None:
        nonlocal told
        told += 1
        if told == cut:
            raise KeyboardInterrupt

    with mock.patch("trainer.stages.PROGRESS_SECONDS", -1.0), pytest.raises(KeyboardInterrupt):
        recorded(checkpoint_dir=tmp_path, progress=progress)
    assert recorded(checkpoint_dir=tmp_path).outcomes == recorded().outcomes
