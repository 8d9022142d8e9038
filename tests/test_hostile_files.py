"""What is read goes through the one opener: every kind of file, where a pipe or a device has its name."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from predictor.errors import PredictorError, RegistryError
from predictor.grids import load_grid
from predictor.images.listing import digest_of
from predictor.images.results import read_probe
from predictor.manifest import read_manifest, read_targets
from predictor.manifest.readers.yolo import recognises
from predictor.models.fit import load_fit
from predictor.render.report.material import _card

READERS: dict[str, Callable[[Path], object]] = {
    "fit": load_fit,
    "targets": read_targets,
    "grid": load_grid,
    "manifest": read_manifest,
    "digest": digest_of,
    "probes": read_probe,
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", ["pipe", "zero", "loop", "nothing", "holes"])
def test_nothing_hangs_and_the_file_is_named(tmp_path: Path, reader: str, kind: str):
    path = tmp_path / "x"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "holes":
        with open(path, "wb") as file:
            file.truncate(1 << 40)
    else:
        path.symlink_to({"zero": "/dev/zero", "loop": "x", "nothing": "nothing"}[kind])
    if kind == "holes" and reader in ("digest", "manifest"):
        pytest.skip("a file of that size may be what is meant")
    with pytest.raises(PredictorError, match=str(path)):
        READERS[reader](path)


def test_a_data_card_shows_nothing_from_outside(tmp_path: Path):
    (tmp_path / "runs").mkdir()
    (tmp_path / "secret").write_text("secret")
    card = tmp_path / "runs/README.md"
    card.symlink_to(tmp_path / "secret")
    assert _card(tmp_path / "runs") is None
    card.unlink()
    os.mkfifo(card)
    assert _card(tmp_path / "runs") is None
    card.unlink()
    card.write_text("# Runs\n")
    assert _card(tmp_path / "runs") == "# Runs\n"


def test_an_image_that_never_ends_is_named(tmp_path: Path):
    for name in ("a/1.png", "b/2.png"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "a/1.png").unlink()
    os.mkfifo(tmp_path / "a/1.png")
    with pytest.raises((PredictorError, OSError), match=r"a/1\.png"):
        digest_of(tmp_path)


def test_a_file_of_boxes_that_never_ends_is_none(tmp_path: Path):
    for name, text in {"images/1.jpg": "x", "labels/1.txt": "0 0.5 0.5 1 1\n", "classes.txt": "cat\n"}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    os.mkfifo(tmp_path / "labels/0.txt")
    assert recognises(tmp_path, b"")
    (tmp_path / "labels/1.txt").unlink()
    assert not recognises(tmp_path, b"")


def test_an_image_file_with_holes_is_named_before_it_is_read(tmp_path: Path):
    for name in ("a/1.png", "b/2.png"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_bytes(b"x")
    with open(tmp_path / "a/1.png", "wb") as file:
        file.truncate(1 << 40)
    with pytest.raises((PredictorError, OSError), match=r"at most 1,073,741,824 are read.*a/1\.png|a/1\.png.*are read"):
        digest_of(tmp_path)


@pytest.mark.parametrize(
    ("reader", "name"),
    [("tensorboard", "events.out.tfevents.1"), ("lightning", "metrics.csv"), ("wandb", "run-1.wandb")],
)
def test_what_a_tracker_left_never_ends_or_leads_out(tmp_path: Path, reader: str, name: str):
    read = importlib.import_module(f"predictor.importers.readers.{reader}").read
    (tmp_path / "logs/deep").mkdir(parents=True)
    os.mkfifo(tmp_path / "logs/deep" / name)
    with pytest.raises(RegistryError, match=rf"{name}: cannot be read \(is no regular file \(a pipe\)\)"):
        read(tmp_path / "logs")
    (tmp_path / "logs/deep" / name).unlink()
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "logs/deep" / name).symlink_to(tmp_path / "secret")
    with pytest.raises(RegistryError, match="leads out of"):
        read(tmp_path / "logs")
