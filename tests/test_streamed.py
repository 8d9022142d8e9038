"""Wherever the images of a training lie, its steps are the same bits; bad images are named all the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from images import pattern, write_source

from predictor.errors import DataError
from predictor.images.listing import digest_of
from predictor.records.schema import RunRecord
from predictor.spec import RunSpec
from trainer.data import streamed
from trainer.data.opening import open_source
from trainer.data.selection import training_sets
from trainer.data.streamed import PLACES, VARIABLE, Feed, Streamed, free_memory, placed
from trainer.run import run_spec

FRACTALS = "fractals:classes=4,instances=6,seed=0,points=2000"


def spec_of(digest: str, *, n: int = 7) -> RunSpec:
    others = [{"source": "drawn", "n_classes": 2, "samples_per_class": 3}]
    return RunSpec.model_validate(
        {
            "protocol": 3,
            "sources": {"gratings": digest, "drawn": FRACTALS},
            "target": {"name": "t", "classes": ["a", "b"], "test": {"source": "gratings"}},
            "stages": [
                {"data": {"source": "gratings", "samples_per_class": n, "others": others}, "image_steps": 70},
                {"data": {"source": "gratings", "samples_per_class": n}, "image_steps": 30},
            ],
            "model": {"name": "predictor_small", "image_size": 16, "head": 4},
            "recipe": {"batch_size": 8, "learning_rate": 0.05},
            "seeds": {"data": 0, "training": 0},
        }
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    torch.set_num_threads(1)
    path = tmp_path_factory.mktemp("images")
    return path, write_source(path / "gratings.parquet", ["a", "b"], train=9, test=4, seed=3)


def recorded(folder: tuple[Path, str], spec: RunSpec, **how) -> RunRecord:
    files = {"gratings": "gratings.parquet", "drawn": None}
    where = {"study": "t", "axes": {}, "domain": "d", "held_out": False, "data_dir": folder[0], "files": files}
    return run_spec(spec, **where, **how)


def test_every_place_gives_the_same_bits(folder, monkeypatch, tmp_path) -> None:
    """Of a run with rendered images, two stages and batches that span epochs, stopped and continued on the way."""
    states = {}
    for place in PLACES:
        monkeypatch.setenv(VARIABLE, place)
        with_checkpoints = {"checkpoint_dir": tmp_path / place}
        told = 0

        def stop(step: int, steps: int) -> None:
            nonlocal told
            told += 1
            if told == 6:
                raise KeyboardInterrupt

        monkeypatch.setattr("trainer.stages.PROGRESS_SECONDS", -1.0)
        with pytest.raises(KeyboardInterrupt):
            recorded(folder, spec_of(folder[1]), progress=stop, **with_checkpoints)
        monkeypatch.setattr("trainer.stages.PROGRESS_SECONDS", 1e9)
        record = recorded(folder, spec_of(folder[1]), **with_checkpoints)
        spec = spec_of(folder[1])
        states[place] = (
            (record.outcomes, record.data, record.data_report),
            torch.load(tmp_path / place / f"{spec.run_id}.pt", weights_only=True),
        )
    for place in PLACES[1:]:
        assert states[place][0] == states["device"][0]
        for name, value in states["device"][1]["model"].items():
            assert torch.equal(states[place][1]["model"][name], value), (place, name)


def test_what_is_streamed_is_what_is_decoded_before(folder) -> None:
    digest = folder[1]

    def source_of(name: str):
        if name == "drawn":
            return open_source(name, None, FRACTALS)
        return open_source(name, folder[0] / "gratings.parquet", digest)

    whole, parts = (training_sets(spec_of(digest), source_of, place)[0] for place in ("device", "files"))
    assert isinstance(parts.pixels, Streamed) and len(parts.pixels) == len(whole.pixels) == 20
    rows = np.array([19, 3, 3, 0, 14, 8])
    assert np.array_equal(parts.pixels.take(rows), whole.pixels[rows])


def test_nothing_is_decoded_before_it_is_shown(folder, monkeypatch) -> None:
    monkeypatch.setenv(VARIABLE, "files")
    source = open_source("gratings", folder[0] / "gratings.parquet", folder[1])
    view = source.view(bad_images="skip", keeps=False)
    before = dict(source._stores)
    assert len(view.usable(view.rows("a", "train"), 12)) == 9 and source._stores == before


def test_a_bad_image_is_named_when_it_is_shown_or_left_out_before(tmp_path, monkeypatch) -> None:
    for kind, label in enumerate("ab"):
        for split, n in (("train", 9), ("test", 2)):
            (tmp_path / "pets" / split / label).mkdir(parents=True)
            for number in range(n):
                image = pattern(kind, np.random.default_rng(number))
                broken = image[:50] if (split, label, number) == ("train", "a", 3) else image
                (tmp_path / "pets" / split / label / f"{number}.png").write_bytes(broken)
    spec = spec_of(digest_of(tmp_path / "pets"), n=8)
    monkeypatch.setenv(VARIABLE, "files")
    how = {"study": "t", "axes": {}, "domain": "d", "held_out": False, "data_dir": tmp_path}
    files = {"gratings": "pets", "drawn": None}
    whole = spec_of(digest_of(tmp_path / "pets"), n=9)
    with pytest.raises(DataError, match=r"1 unreadable images: train/a/3.png"):
        run_spec(whole, **how, files=files)
    streamed_record = run_spec(spec, **how, files=files, bad_images="skip")
    monkeypatch.setenv(VARIABLE, "device")
    assert run_spec(spec, **how, files=files, bad_images="skip").outcomes == streamed_record.outcomes


def test_a_feed_goes_on_from_any_step_and_ends_its_thread() -> None:
    images = np.arange(10 * 3, dtype=np.uint8).reshape(10, 3, 1, 1)
    order = [np.array([i, (i + 3) % 10]) for i in range(9)]
    with Feed(images, order.__getitem__, 9, "cpu", "memory") as feed:
        for step in (0, 1, 2, 6, 7, 8, 4):
            assert feed.pixels(step, torch.from_numpy(order[step])).numpy().tolist() == images[order[step]].tolist()
    assert feed._pool._shutdown


def test_large_sets_are_not_kept_in_memory(monkeypatch) -> None:
    """ImageNet at 224 px is 193 GB: beyond half of what is free it is decoded as it is shown."""
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(streamed, "free_memory", lambda: 64e9)
    assert placed(126_000, 224, "cpu") == "device"
    assert placed(126_000, 224, "cpu", side_by_side=2) == placed(1_281_167, 224, "cpu") == "files"
    monkeypatch.setenv(VARIABLE, "memory")
    assert placed(10**9, 224, "cpu") == "memory"
    monkeypatch.setenv(VARIABLE, "disk")
    with pytest.raises(DataError, match=r"PREDICTOR_IMAGES: is 'disk'. say device, memory, files, or unset it"):
        placed(10, 224, "cpu")


def test_free_memory_is_a_number_of_this_machine() -> None:
    assert 1e6 < free_memory() < 1e16
