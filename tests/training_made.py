"""A folder of made images, specs over it, and what a run of them gives."""

from __future__ import annotations

from pathlib import Path

import pytest
from images import write_source

from predictor.records.schema import RunRecord
from predictor.spec import RunSpec
from trainer.data.opening import open_source
from trainer.run import run_spec

CLASSES = ["a", "b", "c", "d", "e", "f"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    path = tmp_path_factory.mktemp("images")
    return path, write_source(path / "gratings.parquet", CLASSES, train=30, test=10, seed=3, noise=160.0)


def spec_of(digest: str, *, seed: int = 0, size: int = 10, image_steps: int = 960, **data) -> RunSpec:
    return RunSpec.model_validate(
        {
            "protocol": 2,
            "sources": {"gratings": digest},
            "target": {"name": "t", "classes": ["a", "b", "c"], "test": {"source": "gratings"}},
            "stages": [{"data": {"source": "gratings", "samples_per_class": size, **data}, "image_steps": image_steps}],
            "model": {"name": "predictor_small", "image_size": 16, "head": 8},
            "recipe": {"batch_size": 32, "learning_rate": 0.05},
            "seeds": {"data": seed, "training": seed},
        }
    )


def recorded(spec: RunSpec, folder: tuple[Path, str], **how) -> RunRecord:
    return run_spec(
        spec, study="t", axes={}, domain="d", held_out=False, data_dir=folder[0],
        files={"gratings": "gratings.parquet"}, device="cpu", threads=1, commit="c", **how,
    )  # fmt: skip


def opener(folder: tuple[Path, str]):
    return lambda name: open_source(name, folder[0] / "gratings.parquet", folder[1])
