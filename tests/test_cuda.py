"""On a GPU: the same checks that the CPU passes, and what only a GPU can fail. `pytest -m slow tests/test_cuda.py`."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import pytest
import torch
from images import write_source

from predictor.grids import load_grid
from predictor.records import check, read_registry
from predictor.records.schema import RunRecord
from predictor.spec import RunSpec
from trainer import augment as ours
from trainer import kernels, networks
from trainer.launch.job import Job
from trainer.launch.local import run_grid
from trainer.launch.throughput import measured_count
from trainer.networks.small import SmallNet
from trainer.randomness import key
from trainer.run import run_spec

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")]
CLASSES = list("abcdef")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    path = tmp_path_factory.mktemp("images")
    return path, write_source(path / "gratings.parquet", CLASSES, train=60, test=20, seed=3, noise=160.0)


def spec_of(digest: str, *, model: str = "predictor_small", seed: int = 0, image_steps: int = 6_400) -> RunSpec:
    return RunSpec.model_validate(
        {
            "protocol": 2,
            "sources": {"gratings": digest},
            "target": {"name": "t", "classes": CLASSES[:4], "test": {"source": "gratings"}},
            "stages": [{"data": {"source": "gratings", "samples_per_class": 40}, "image_steps": image_steps}],
            "model": {"name": model, "image_size": 32, "head": 8},
            "recipe": {"batch_size": 64, "learning_rate": 0.05, "augmentation": "simclr-mild"},
            "seeds": {"data": seed, "training": seed},
        }
    )


def recorded(spec: RunSpec, folder: tuple[Path, str], **how) -> RunRecord:
    return run_spec(
        spec, study="t", axes={}, domain="d", held_out=False, data_dir=folder[0],
        files={"gratings": "gratings.parquet"}, **{"device": "cuda", **how},
    )  # fmt: skip


@pytest.mark.parametrize("preset", [name for name, preset in ours.PRESETS.items() if preset.scale])
@pytest.mark.parametrize("compiled", [False, True])
def test_the_augmentation_is_that_of_the_cpu(preset, compiled) -> None:
    pixels = torch.randint(0, 256, (64, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    work = ours.compiled_augmentation(preset, True, 64, 32, "cuda") if compiled else ours.augmentation(preset)
    for first in (0, 64, 10**12):
        got = work(pixels.cuda(), torch.tensor(key(1), device="cuda"), torch.tensor(first, device="cuda"))
        drawn = ours.draws(ours.PRESETS[preset], key(1), first, 64, 32)
        want = kernels.augmented(pixels, drawn, ours.PRESETS[preset].bicubic, ours.MEAN, ours.STD)
        # a box whose side lies within rounding of one half may differ by a pixel; nothing else may
        alike = (got.cpu() - want).abs().amax((1, 2, 3)) < 1e-3
        assert alike.float().mean() > 0.95 and got.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("model", ["predictor_small", "predictor_medium", "predictor_resnet18", "predictor_vit"])
def test_the_same_run_twice_has_the_same_bits(folder, model) -> None:
    first, other, again = (recorded(spec_of(folder[1], model=model, seed=seed), folder) for seed in (0, 1, 0))
    assert first.outcomes == again.outcomes != other.outcomes
    assert first.outcomes["accuracy"].value > 0.4 and first.environment.precision == "bf16"
    assert first.seconds.compile > 1 > again.seconds.compile
    assert first.peak_memory_bytes > 10**6 and (first.energy.joules or first.energy.reason)


def test_compiled_and_plain_learn_as_much(folder) -> None:
    values = [recorded(spec_of(folder[1]), folder, compiled=c).outcomes["accuracy"].value for c in (True, False)]
    cpu = recorded(spec_of(folder[1]), folder, device="cpu").outcomes["accuracy"].value
    assert max(*values, cpu) - min(*values, cpu) < 0.15


def test_continued_from_a_checkpoint_gives_the_same_record(folder, tmp_path) -> None:
    spec, told = spec_of(folder[1]), 0

    def progress(step: int, steps: int) -> None:
        nonlocal told
        told += 1
        if told == 37:
            raise KeyboardInterrupt

    whole = recorded(spec, folder)
    with mock.patch("trainer.stages.PROGRESS_SECONDS", -1.0), pytest.raises(KeyboardInterrupt):
        recorded(spec, folder, checkpoint_dir=tmp_path, progress=progress)
    assert recorded(spec, folder, checkpoint_dir=tmp_path).outcomes == whole.outcomes


def test_out_of_memory_is_split_and_recorded(folder) -> None:
    forward = SmallNet.forward

    def short_of_memory(self, x):
        if self.training and len(x) > 20:
            raise torch.OutOfMemoryError("no memory for more than 20 images")
        return forward(self, x)

    networks._kept.cache_clear()
    with mock.patch.object(SmallNet, "forward", short_of_memory):
        record = recorded(spec_of(folder[1]), folder, compiled=False)
    assert (record.status, record.environment.micro_batch) == ("completed", 16)


def test_a_grid_with_runs_side_by_side(folder, tmp_path) -> None:
    """Workers are forked from a server that never touched the GPU."""
    text = f"""
study: side
protocol: 2
sources: {{gratings: {{file: gratings.parquet, digest: "{folder[1]}"}}}}
target_sets: {{t: {{domain: d, source: gratings, classes: [a, b, c, d]}}}}
model: {{name: predictor_small, image_size: 32, head: 8}}
recipe: {{batch_size: 64, image_steps: 6400, learning_rate: 0.05, augmentation: simclr-mild}}
seeds: [0, 1, 2, 3, 4, 5]
grid: [{{target_set: t, samples_per_class: [10, 40]}}]
"""
    (tmp_path / "grid.yaml").write_text(text)
    grid = load_grid(tmp_path / "grid.yaml")
    words = {"data_dir": folder[0], "device": "cuda", "threads": 2, "commit": "", "side_by_side": 3}
    job = Job.of(grid, runs_dir=tmp_path / "runs", **words)
    assert measured_count(grid.runs[0], job, 4) in (1, 2, 4)
    outcomes = run_grid(grid, job, workers=3)
    assert [outcome.status for outcome in outcomes] == ["completed"] * 12, outcomes
    assert check(tmp_path / "runs") == []
    run = grid.runs[0].spec
    alone = recorded(run, folder)
    beside = next(record for record in read_registry(tmp_path / "runs") if record.run_id == run.run_id)
    assert beside.outcomes == alone.outcomes, "neighbours change nothing"
