"""Deferred re-weighting: nothing is weighed before its share of the steps, and everything after it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from images import write_source

from predictor.spec import RunSpec
from trainer.data.opening import open_source
from trainer.data.selection import training_sets
from trainer.loop import State, new_state, train
from trainer.networks import network

STEPS, BATCH = 8, 16


def spec_of(digest: str, **recipe) -> RunSpec:
    skewed = {"shape": "explicit", "counts": [12, 6, 2]}
    return RunSpec.model_validate(
        {
            "protocol": 3,
            "sources": {"gratings": digest},
            "target": {"name": "t", "classes": ["a", "b", "c"], "test": {"source": "gratings"}},
            "stages": [
                {
                    "data": {"source": "gratings", "samples_per_class": 6, "profile": skewed},
                    "image_steps": STEPS * BATCH,
                }
            ],
            "model": {"name": "predictor_small", "image_size": 16, "head": 8},
            "recipe": {"batch_size": BATCH, "learning_rate": 0.05, **recipe},
            "seeds": {"data": 0, "training": 0},
        }
    )


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    torch.set_num_threads(1)
    path = tmp_path_factory.mktemp("images") / "gratings.parquet"
    return path, write_source(path, ["a", "b", "c"], train=12, test=2, seed=3)


def weights_after(source: tuple[Path, str], **recipe) -> list[torch.Tensor]:
    """All weights of the network after 0, 1, ... steps of training."""
    path, digest = source
    spec = spec_of(digest, **recipe)
    (data,) = training_sets(spec, lambda name: open_source(name, path, digest))
    made = network(spec.model, 0, device="cpu", precision="fp32", batches=(), compiled=False)
    state, found = new_state(made.model, spec.recipe), []

    def keep(state: State, _: int) -> None:
        found.append(torch.cat([p.detach().flatten().clone() for p in state.model.parameters()]))

    assert train(state, data, image_steps=STEPS * BATCH, recipe=spec.recipe, training_seed=0, between_steps=keep)
    keep(state, STEPS)
    return found


@pytest.mark.parametrize("action", [{"class_weights": "inverse"}, {"sampling": "balanced"}])
def test_what_is_deferred_begins_after_its_share_of_the_steps(source, action) -> None:
    plain, at_once, deferred = (weights_after(source, **recipe) for recipe in ({}, action, {**action, "deferred": 0.5}))
    assert len(plain) == STEPS + 1
    alike = [bool(torch.equal(a, b)) for a, b in zip(plain, deferred, strict=True)]
    assert alike == [True] * (STEPS // 2 + 1) + [False] * (STEPS // 2)
    assert not torch.equal(plain[1], at_once[1])
