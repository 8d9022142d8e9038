"""Two processes that train one run: gradients of one, exact continuation, one record. torchrun starts them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from images import write_source
from team_made import training

from predictor.records import check, read_registry
from predictor.spec import RunSpec

TESTS = Path(__file__).parent
pytestmark = pytest.mark.slow  # three processes that import torch, twice


def torchrun(*arguments: object) -> subprocess.CompletedProcess[str]:
    line = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        *map(str, arguments),
    ]
    there = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])}
    return subprocess.run(line, capture_output=True, text=True, env=there, timeout=600)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes made of one spec: 11 steps of 15 images in pieces of 8 and 7, the last step of 5 alone."""
    path = tmp_path_factory.mktemp("team")
    digest = write_source(path / "gratings.parquet", ["a", "b", "c"], train=10, test=4, seed=3)
    content = {
        "protocol": 3,
        "sources": {"gratings": digest},
        "target": {"name": "t", "classes": ["a", "b", "c"], "test": {"source": "gratings"}},
        "stages": [{"data": {"source": "gratings", "samples_per_class": 9}, "image_steps": 155}],
        "model": {"name": "predictor_small", "image_size": 16, "head": 4},
        "recipe": {"batch_size": 15, "learning_rate": 0.05, "optimiser": "adamw", "weight_decay": 0.1},
        "seeds": {"data": 0, "training": 0},
    }
    (path / "spec.json").write_text(json.dumps(content))
    result = torchrun(TESTS / "team_made.py", path)
    assert result.returncode == 0, result.stderr
    return path


def load(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=True)


def test_steps_are_those_of_one_process(folder) -> None:
    """One process that trains on the same two pieces, one after the other, adds up the same gradients."""
    torch.set_num_threads(1)
    spec = RunSpec.model_validate(json.loads((folder / "spec.json").read_text()))
    alone = training(spec, folder, None)
    alone.micro_batch = 8
    model = alone.run().model
    found = load(folder / "whole.pt")
    for name, parameter in model.named_parameters():
        assert torch.allclose(found[name], parameter, rtol=1e-4, atol=1e-5), name
    whole = training(spec, folder, None).run().model.state_dict()
    assert any(not torch.allclose(whole[n], p, rtol=1e-4, atol=1e-5) for n, p in model.named_parameters()), "pieces"
    assert load(folder / "told.pt") == {"resumed": True, "piece": 8}


def test_every_process_holds_the_same_network(folder) -> None:
    one, other = load(folder / "whole.pt"), load(folder / "other.pt")
    assert all(torch.equal(value, other[name]) for name, value in one.items() if value.is_floating_point())


def test_stopped_and_continued_is_the_same_to_the_bit(folder) -> None:
    whole, continued = load(folder / "whole.pt"), load(folder / "continued.pt")
    assert whole.keys() == continued.keys() and all(
        torch.equal(value, continued[name]) for name, value in whole.items()
    )


GRID = """
study: together
protocol: 3
sources: {gratings: {file: gratings.parquet, digest: "DIGEST"}}
target_sets: {t: {domain: d, source: gratings, classes: [a, b, c]}}
model: {name: predictor_small, image_size: 16, head: 4}
recipe: {batch_size: 16, learning_rate: 0.05, image_steps: 64}
seeds: [0, 1]
grid: [{target_set: t, samples_per_class: 8}]
"""


def test_the_command_trains_a_grid_and_says_how_many_trained_it(folder, tmp_path) -> None:
    spec = json.loads((folder / "spec.json").read_text())
    (tmp_path / "grid.yaml").write_text(GRID.replace("DIGEST", spec["sources"]["gratings"]))
    arguments = ("-m", "trainer", "run", tmp_path / "grid.yaml", "--data", folder, "--runs", tmp_path / "runs")
    result = torchrun(*arguments, "--device", "cpu")
    assert result.returncode == 0, result.stderr
    records = read_registry(tmp_path / "runs", ["together"])
    assert [record.status for record in records] == ["completed", "completed"] and check(tmp_path / "runs") == []
    for record in records:
        assert record.environment.device_name.endswith(" x 2") and record.environment.micro_batch == 8
        assert "2 processes" in record.energy.reason
        assert f"{record.run_id}: completed, accuracy" in result.stderr and "s by 2 processes" in result.stderr
    assert not list((tmp_path / "runs/together/checkpoints").glob("*.pt"))
    assert not list((tmp_path / "runs/together/checkpoints").glob("*.lease"))
