"""The cache of small images: training sees what it would have seen of the large ones."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import pyarrow as pa
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
from trainer.run import run_spec

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
    with pytest.raises(DataError, match="a cache is a Parquet file or a folder of parts"):
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


def test_a_folder_of_parts_is_written_on_where_it_was_stopped(both, tmp_path) -> None:
    """Stopped after two of five parts: these are not touched again, and the whole is what one call writes."""
    original, cache = both

    def stop(done: int) -> None:
        if done > 30:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_cache(original, tmp_path / "parts", SIZE, part=15, progress=stop)
    before = {file.name: file.stat().st_mtime_ns for file in (tmp_path / "parts").iterdir()}
    assert sorted(before) == ["part-00000-of-00005.arrow", "part-00001-of-00005.arrow"]
    with pytest.raises(DataError, match=r"no dataset_info.json: it was not written to its end. give the same"):
        read_source("photographs", tmp_path / "parts")
    again = write_cache(original, tmp_path / "parts", SIZE, part=15)
    at_once = write_cache(original, tmp_path / "at-once", SIZE, part=15)
    assert again.digest == at_once.digest and again.n_images == 73
    assert all((tmp_path / "parts" / name).stat().st_mtime_ns == time for name, time in before.items())
    parts = read_source("photographs", tmp_path / "parts")
    rows = np.arange(len(original.labels))
    assert np.array_equal(parts.labels, original.labels) and np.array_equal(parts.splits, original.splits)
    assert np.array_equal(parts.pixels(rows, SIZE), cache.pixels(rows, SIZE))
    with pytest.raises(DataError, match="is a part of another cache: of another source, size or encoding"):
        write_cache(original, tmp_path / "parts", 32, part=15)
    changed = replace(original, digest="sha256:" + "0" * 64)
    with pytest.raises(DataError, match="is a part of another cache: of another source, size or encoding"):
        write_cache(changed, tmp_path / "parts", SIZE, part=15)


def test_a_stopped_cache_names_all_bad_images_and_those_of_kept_parts(tmp_path) -> None:
    for label in ("a", "b"):
        (tmp_path / "set" / label).mkdir(parents=True)
        for number in range(4):
            Image.new("RGB", (20, 20), (number, 0, 0)).save(tmp_path / "set" / label / f"{number}.png")
        (tmp_path / "set" / label / "2.png").write_bytes(b"no image")
        Image.new("RGBA", (20, 20), (9, 9, 9, 128)).save(tmp_path / "set" / label / "1.png")
    source = read_source("set", tmp_path / "set")
    with pytest.raises(DataError, match=r"2 unreadable images: a/2.png: .*; b/2.png: "):
        write_cache(source, tmp_path / "out", 16, part=3)
    assert not list((tmp_path / "out").glob("*")), "the first part has a bad image, and nothing is written after that"
    first = write_cache(source, tmp_path / "out", 16, part=3, bad_images="skip")
    again = write_cache(source, tmp_path / "out", 16, part=3, bad_images="skip")
    assert again == first and first.n_images == 6 and len(first.bad) == 2 and len(first.converted) == 2
    with pytest.raises(DataError, match="2 unreadable images"):
        write_cache(source, tmp_path / "out", 16, part=3)


def test_a_folder_keeps_labels_splits_and_groups_and_is_mapped(both, tmp_path) -> None:
    original, _ = both
    write_cache(replace(original, groups=original.ids), tmp_path / "parts", SIZE, part=30)
    found = read_source("photographs", tmp_path / "parts")
    assert np.array_equal(found.labels, original.labels) and np.array_equal(found.splits, original.splits)
    assert np.array_equal(found.groups, original.ids)
    before = pa.total_allocated_bytes()
    columns = pa.ipc.open_file(pa.memory_map(str(tmp_path / "parts" / "part-00001-of-00003.arrow"))).read_all()
    assert pa.total_allocated_bytes() - before < columns.nbytes / 10, "the images lie in the file, not in memory"
    assert columns.column("source").to_pylist() == original.ids[30:60].tolist()


def test_a_cache_of_an_earlier_version_is_read_and_not_mixed_with_a_new_one(both, tmp_path) -> None:
    """Parts were Parquet files."""
    original, cache = both
    write_cache(original, tmp_path / "whole.parquet", SIZE)
    rows = pq.read_table(tmp_path / "whole.parquet")
    (tmp_path / "old").mkdir()
    for number, (first, n) in enumerate(((0, 40), (40, 33))):
        file = tmp_path / "old" / f"part-{number:05d}-of-00002.parquet"
        pq.write_table(rows.slice(first, n), file, compression="zstd", row_group_size=8)
    found = read_source("photographs", tmp_path / "old")
    every = np.arange(73)
    assert np.array_equal(found.labels, original.labels)
    assert np.array_equal(found.pixels(every, SIZE), cache.pixels(every, SIZE))
    with pytest.raises(DataError, match=r"holds parts of a cache that an earlier version wrote.* name another folder"):
        write_cache(original, tmp_path / "old", SIZE, part=40)


@pytest.mark.parametrize(("encoding", "most"), [("webp", 0), ("ppm", 0), ("jpeg", 2.0)])
def test_encodings_keep_the_pixels_or_nearly(both, tmp_path, encoding, most) -> None:
    original, cache = both
    out = tmp_path / "small.parquet"
    write_cache(original, out, SIZE, encoding=encoding)
    rows = np.arange(len(original.labels))
    difference = np.abs(read_source("photographs", out).pixels(rows, SIZE).astype(int) - cache.pixels(rows, SIZE))
    assert difference.mean() <= most and (most > 0) == (difference.max() > 0)


def test_accuracy_from_the_cache_is_the_accuracy(both) -> None:
    """A run on images that are no smaller than the cache: every count of its record is the same."""
    original, _ = both
    large = [row for row in range(73) if min(open_rgb(original.read(row))[0].size) >= SIZE]
    outcomes = []
    for source in both:
        part = replace(
            source,
            labels=source.labels[large],
            splits=source.splits[large],
            ids=None,
            groups=None,
            read=lambda row, source=source: source.read(large[row]),
            _stores={},
            _by_label={},
            _masks={},
            _contents={},
        )
        spec = RunSpec.model_validate(
            {
                "protocol": PROTOCOL,
                "sources": {"photographs": "sha256:any"},
                "target": {"name": "t", "classes": ["china", "flower"], "test": {"source": "photographs"}},
                "stages": [{"data": {"source": "photographs", "samples_per_class": 20}, "image_steps": 200}],
                "model": {"name": "predictor_small", "image_size": SIZE, "head": 4},
                "recipe": {"learning_rate": 0.05, "batch_size": 20},
                "seeds": {"data": 3, "training": 0},
            }
        )
        how = {"study": "t", "axes": {}, "domain": "d", "held_out": False, "data_dir": Path()}
        with mock.patch("trainer.run.open_source", lambda *_, part=part, **__: part):
            outcomes.append(run_spec(spec, **how, files={"photographs": "."}).outcomes)
    assert outcomes[0] == outcomes[1] and 0 < outcomes[0]["accuracy"].value <= 1
