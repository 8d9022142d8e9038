"""Known levels: the recipe reaches on known data what a network of its size must reach, within minutes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from predictor.images.digests import file_digest
from predictor.records.schema import RunRecord
from predictor.spec import PROTOCOL, RunSpec
from trainer.run import run_spec

IMAGES = Path(__file__).resolve().parents[2] / "shared" / "data" / "images"
CHARACTERS = [*"0123456789", *"ABCDEFGHJKLMNPQRSTUVWXYZ"]
CIFAR10 = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not IMAGES.is_dir(), reason="the image files are not beside the project"),
]


def trained(
    source: str,
    classes: list[str],
    per_class: int,
    epochs: float,
    *,
    model: str,
    device: str,
    **recipe: float | bool | str,
) -> RunRecord:
    path = IMAGES / f"{source}.parquet"
    spec = RunSpec.model_validate(
        {
            "protocol": PROTOCOL,
            "sources": {source: file_digest(path)},
            "target": {"name": source, "classes": classes, "test": {"source": source}},
            "stages": [
                {
                    "data": {"source": source, "samples_per_class": per_class},
                    "image_steps": round(epochs * per_class * len(classes)),
                }
            ],
            "model": {"name": model, "image_size": 32, "head": len(classes)},
            "recipe": {"augmentation": "simclr-mild", "weight_decay": 5e-4, **recipe},
            "seeds": {"data": 0, "training": 0},
        }
    )
    return run_spec(
        spec, study="levels", axes={}, domain=source, held_out=False, data_dir=IMAGES, files={source: path.name},
        device=device, threads=1, commit="",
    )  # fmt: skip


def test_characters_on_a_cpu() -> None:
    record = trained(
        "characters-fonts", CHARACTERS, 892, 1.5, model="predictor_small", device="cpu", flip=False, learning_rate=0.03
    )
    assert record.outcomes["accuracy"].value >= 0.95  # .98


def test_cifar10_on_a_cpu() -> None:
    record = trained("cifar10", CIFAR10, 5000, 2, model="predictor_small", device="cpu", learning_rate=0.03)
    assert record.outcomes["accuracy"].value >= 0.62  # .667 in two passes


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_cifar10_on_a_gpu() -> None:
    record = trained(
        "cifar10", CIFAR10, 5000, 20, model="predictor_resnet9", device="cuda", learning_rate=0.4, warmup=0.2,
        batch_size=512, augmentation="crop", label_smoothing=0.1,
    )  # fmt: skip
    assert record.outcomes["accuracy"].value >= 0.93
