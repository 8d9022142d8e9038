"""Compiling once per (network, batch, size): what is kept, what is made anew, and that nothing falls out of the graph.

The compiler's back end is replaced by one that counts the graphs it gets and runs them as they are: the same bits, and
no C++ compiler needed. Real code generation for a GPU needs one.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from unittest import mock

import pytest
import torch
from images import write_source
from torch import nn

from predictor.records.schema import RunRecord
from predictor.spec import RunSpec
from trainer import augment as ours
from trainer import networks
from trainer.device import compiled
from trainer.randomness import key
from trainer.run import run_spec


@pytest.fixture
def graphs() -> Iterator[list[torch.fx.GraphModule]]:
    found: list[torch.fx.GraphModule] = []

    def backend(graph: torch.fx.GraphModule, inputs: object) -> object:
        found.append(graph)
        return graph.forward

    def forget() -> None:
        torch._dynamo.reset()
        networks._kept.cache_clear()

    forget()
    with mock.patch("torch.compile", partial(torch.compile, backend=backend)):
        yield found
    forget()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    path = tmp_path_factory.mktemp("images")
    return path, write_source(path / "gratings.parquet", list("abc"), train=30, test=10, seed=3, noise=160.0)


def recorded(folder: tuple[Path, str], *, seed: int = 0, batch: int = 16, head: int = 8, stages=(), **how) -> RunRecord:
    spec = RunSpec.model_validate(
        {
            "protocol": 2,
            "sources": {"gratings": folder[1]},
            "target": {"name": "t", "classes": ["a", "b", "c"], "test": {"source": "gratings"}},
            "stages": [{"data": {"source": "gratings", "samples_per_class": 10}, "image_steps": 96}, *stages],
            "model": {"name": "predictor_small", "image_size": 16, "head": head},
            "recipe": {"batch_size": batch, "learning_rate": 0.05, "augmentation": "crop"},
            "seeds": {"data": seed, "training": seed},
        }
    )
    return run_spec(
        spec, study="t", axes={}, domain="d", held_out=False, data_dir=folder[0],
        files={"gratings": "gratings.parquet"}, device="cpu", precision="fp32", **how,
    )  # fmt: skip


def test_runs_of_one_network_share_what_was_compiled_and_nothing_else(folder, graphs) -> None:
    """Weights, statistics and momentum of the run before are gone: the outcomes are those of a fresh network."""
    for seed in (0, 1, 0):
        record = recorded(folder, seed=seed, compiled=True)
        assert record.outcomes == recorded(folder, seed=seed).outcomes
    assert len(graphs) == 1
    assert recorded(folder, batch=32, compiled=True).outcomes == recorded(folder, batch=32).outcomes
    assert len(graphs) == 2, "another size of batches"
    recorded(folder, batch=16, compiled=True)
    assert len(graphs) == 2, "back to the first one"


def test_compiling_is_accounted_once(folder, graphs) -> None:
    first, second = (recorded(folder, seed=seed, compiled=True).seconds for seed in (0, 1))
    assert first.compile > 0.01 > second.compile


def test_a_stage_with_batches_of_its_own_is_compiled_before_the_training(folder, graphs) -> None:
    recipe = {"batch_size": 8, "learning_rate": 0.02, "augmentation": "crop"}
    stage = {"data": {"source": "gratings", "samples_per_class": 5}, "image_steps": 32, "recipe": recipe}
    record = recorded(folder, stages=[stage], compiled=True)
    assert record.outcomes == recorded(folder, stages=[stage]).outcomes
    assert len(graphs) == 2


def test_many_networks_in_one_process_are_all_compiled(folder, graphs) -> None:
    """torch compiles one function for 8 kinds of arguments and then runs it as it is, without a word."""
    for head in range(4, 13):
        recorded(folder, head=head, compiled=True)
    assert len(graphs) == 9


@pytest.mark.parametrize("name", [name for name, preset in ours.PRESETS.items() if preset.scale])
def test_an_augmentation_is_one_graph_whatever_it_draws(name, graphs) -> None:
    preset = ours.PRESETS[name]

    def tensor_code(pixels, key, first):
        drawn = ours.draws(preset, key, first, len(pixels), pixels.shape[-1], pixels.device)
        return ours.augmented(pixels, drawn, bicubic=preset.bicubic, colour=preset.colour)

    work = compiled(tensor_code)
    pixels = torch.randint(0, 256, (12, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    for number, first in ((1, 0), (1, 12), (2, 10**12)):
        got = work(pixels, torch.tensor(key(number)), torch.tensor(first))
        torch.testing.assert_close(got, ours.augment(pixels, name, key(number), first), atol=3e-5, rtol=0)
    assert len(graphs) == 1


def test_the_augmentation_is_compiled_before_the_first_step(graphs) -> None:
    """As `compiled_augmentation` warms it up, with the tensor code in the place of the compiled one for CPUs."""

    def tensor_code(pixels, drawn, bicubic, mean, std):
        return ours.augmented(pixels, drawn, bicubic=bicubic, colour=False)

    ours.compiled_augmentation.cache_clear()
    with mock.patch("trainer.augment.kernels.augmented", tensor_code):
        work = ours.compiled_augmentation("crop", True, 12, 16, "cpu")
        assert len(graphs) == 1
        for number, first in ((1, 0), (2, 24)):
            work(torch.zeros(12, 3, 16, 16, dtype=torch.uint8), torch.tensor(key(number)), torch.tensor(first))
    ours.compiled_augmentation.cache_clear()
    assert len(graphs) == 1


def test_what_leaves_the_graph_is_an_error(graphs) -> None:
    with pytest.raises(torch._dynamo.exc.Unsupported):
        compiled(lambda pixels: pixels * 2 if pixels.max() > 0 else pixels)(torch.ones(3))


def test_networks_may_have_several_graphs(graphs) -> None:
    """Of the thousand in timm some look at a value; they train all the same."""

    class Looks(nn.Module):
        def forward(self, x):
            return x * 2 if x.sum() > 0 else x

    assert compiled(Looks())(torch.ones(3)).tolist() == [2, 2, 2]
