"""The cache of small images: training sees what it would have seen of the large ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from sklearn.datasets import load_sample_images
from trainer_command import trainer_command

from predictor.errors import DataError
from predictor.images.decoding import open_rgb
from predictor.spec import PROTOCOL, RunSpec
from trainer.data.cache import write_cache
from trainer.data.opening import read_source
from trainer.data.selection import training_sets
from trainer.data.source import Source

SIZE = 64


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Parts of two photographs as JPEG, larger and smaller than the cache, of every aspect, one of them twice."""
    folder = tmp_path_factory.mktemp("photographs") / "set"
    generator = np.random.default_rng(0)
    for label, photograph in zip(("china", "flower"), load_sample_images().images, strict=True):
        for i in range(36):
            width, height = generator.integers(120, 400, 2) if i % 6 else (generator.integers(20, 60), 90)
            left, top = generator.integers(0, 640 - width), generator.integers(0, 427 - min(height, 426))
            path = folder / ("test" if i % 4 == 0 else "train") / label / f"{i:03d}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(photograph[top : top + height, left : left + width]).save(path, quality=95)
    (folder / "train" / "china" / "copy.jpg").write_bytes((folder / "train" / "china" / "001.jpg").read_bytes())
    return folder


@pytest.fixture(scope="module")
def both(photographs: Path) -> tuple[Source, Source]:
    original = read_source("photographs", photographs)
    out = photographs.parent / "small.parquet"
    assert write_cache(original, out, SIZE).n_images == 73
    return original, read_source("photographs", out)


def test_a_cache_keeps_order_labels_splits_ids_and_groups(both) -> None:
    original, cache = both
    for name in ("labels", "splits", "ids"):
        assert np.array_equal(getattr(original, name), getattr(cache, name)), name
    for split in ("train:fit", "train:validation"):
        assert np.array_equal(original.in_split(split), cache.in_split(split))
    copies = [i for i, name in enumerate(cache.ids) if name in ("train/china/copy.jpg", "train/china/001.jpg")]
    assert len({cache.groups[i] for i in copies}) == 1


def test_pixels_at_the_size_of_the_cache_are_the_same(both) -> None:
    """To the bit, where no side had to be enlarged; within a level of rounding where one had."""
    original, cache = both
    rows = np.arange(len(original.labels))
    small = np.array([min(open_rgb(original.read(row))[0].size) < SIZE for row in rows])
    difference = np.abs(original.pixels(rows, SIZE).astype(int) - cache.pixels(rows, SIZE))
    assert small.sum() == 12 and (difference[~small] == 0).all() and difference[small].max() <= 1


@pytest.mark.parametrize("size", [32, 48])
def test_pixels_below_the_size_of_the_cache_are_nearly_the_same(both, size: int) -> None:
    """Shrunk twice instead of once. Stated tolerance: 2 levels of 255 on average, 38 dB over all pixels."""
    original, cache = both
    rows = np.arange(len(original.labels))
    difference = original.pixels(rows, size).astype(float) - cache.pixels(rows, size)
    assert np.abs(difference).mean() < 2
    assert 10 * np.log10(255**2 / (difference**2).mean()) > 38


def test_a_run_trains_on_the_same_images(both) -> None:
    spec = RunSpec.model_validate(
        {
            "protocol": PROTOCOL,
            "sources": {"photographs": "sha256:any"},
            "target": {"name": "t", "classes": ["china", "flower"], "test": {"source": "photographs"}},
            "stages": [
                {"data": {"source": "photographs", "samples_per_class": 9, "split": "train:fit"}, "image_steps": 9}
            ],
            "model": {"name": "predictor_small", "image_size": SIZE, "head": 4},
            "recipe": {"learning_rate": 0.05},
            "seeds": {"data": 3, "training": 0},
        }
    )  # fmt: skip
    original, cache = (training_sets(spec, lambda _, source=source: source)[0] for source in both)
    assert np.array_equal(original.keys, cache.keys) and np.array_equal(original.labels, cache.labels)
    assert np.abs(original.pixels.astype(int) - cache.pixels).max() <= 1


def test_its_bytes_depend_on_nothing_but_the_images(both, photographs, tmp_path) -> None:
    again = write_cache(both[0], tmp_path / "again.parquet", SIZE, threads=3)
    assert again.digest == both[1].digest


def test_it_never_overwrites_and_leaves_nothing_half_written(both, photographs, tmp_path) -> None:
    with pytest.raises(DataError, match=r"small.parquet: is there already. remove it or choose another name"):
        write_cache(both[0], photographs.parent / "small.parquet", SIZE)
    with pytest.raises(DataError, match="a cache is a Parquet file"):
        write_cache(both[0], tmp_path / "small.csv", SIZE)
    with pytest.raises(DataError, match=r"--size: 4 pixels. give a whole number from 8 to 16,383"):
        write_cache(both[0], tmp_path / "small.parquet", 4)

    def stop(done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_cache(both[0], tmp_path / "stopped.parquet", SIZE, progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_the_command_names_bad_images_and_prints_the_digest(tmp_path) -> None:
    generator = np.random.default_rng(0)
    for label in ("a", "b"):
        (tmp_path / "set" / label).mkdir(parents=True)
        for i in range(3):
            pixels = generator.integers(0, 256, (40, 50, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "set" / label / f"{i}.png")
    (tmp_path / "set" / "a" / "0.png").write_bytes(b"")
    Image.fromarray(pixels).convert("CMYK").save(tmp_path / "set" / "b" / "1.jpg")
    out = tmp_path / "small.parquet"
    failed = trainer_command("cache", tmp_path / "set", out, "--size", 16)
    assert failed.returncode == 2 and not out.exists() and failed.stdout == ""
    assert failed.stderr.startswith("error: set: 1 unreadable images: ") and "0.png: is empty, 0 bytes" in failed.stderr
    assert "leave them out with --bad-images skip" in failed.stderr and "Traceback" not in failed.stderr
    done = trainer_command("cache", tmp_path / "set", out, "--size", 16, "--bad-images", "skip", "--format", "json")
    content = json.loads(done.stdout)
    assert done.returncode == 0 and (content["n_images"], content["n_bad"], content["n_converted"]) == (6, 1, 1)
    assert content["bad"][0].endswith("0.png: is empty, 0 bytes") and content["converted"][0].endswith("CMYK to RGB")
    assert content["digest"] == read_source("set", out).digest and pq.read_table(out).num_rows == 6
