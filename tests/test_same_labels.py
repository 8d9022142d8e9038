"""One reader a format: what is trained is what `predictor indicators` counts, whatever the layout."""

from __future__ import annotations

import csv
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from images import pattern
from trainer_command import trainer_command

from predictor.errors import DataError
from predictor.grids import load_grid
from predictor.images.listing import digest_of, open_images
from predictor.manifest import open_manifest
from predictor.spec import target_counts
from trainer.data.cache import write_cache
from trainer.data.opening import read_source
from trainer.launch.command import warn_of
from trainer.run import run_spec
from trainer.status import standing

pytestmark = pytest.mark.usefixtures("one_engine")

TRAIN = {"cat": 5, "dog": 4, "7": 3}  # images of each class; one is called by a number
TEST = 2

GRID = """
study: pets
protocol: 3
sources: {pets: {file: FILE, digest: "DIGEST"}}
target_sets: {all: {domain: pets, source: pets, classes: [cat, dog, "7"]}}
model: {name: predictor_small, image_size: 16, head: 4}
recipe: {batch_size: 8, image_steps: 16, learning_rate: 0.05}
seeds: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]
grid: [{target_set: all, samples_per_class: 4, profile: {shape: explicit, counts: [5, 4, 3]}}]
"""


def each_image() -> list[tuple[str, str, bytes]]:
    """(split, label, encoded) of every image."""
    generator = np.random.default_rng(5)
    return [
        (split, label, pattern(kind, generator))
        for kind, (label, n) in enumerate(TRAIN.items())
        for split, times in (("train", n), ("test", TEST))
        for _ in range(times)
    ]


def files(folder: Path) -> list[tuple[str, str, str]]:
    """Write every image below a folder; (path, split, label) of each."""
    (folder / "files").mkdir(parents=True)
    found = []
    for number, (split, label, image) in enumerate(each_image()):
        (folder / f"files/{number}.png").write_bytes(image)
        found.append((f"files/{number}.png", split, label))
    return found


def split_folders(folder: Path) -> Path:
    for number, (split, label, image) in enumerate(each_image()):
        (folder / "pets" / split / label).mkdir(parents=True, exist_ok=True)
        (folder / "pets" / split / label / f"{number}.png").write_bytes(image)
    return folder / "pets"


def littered_folders(folder: Path) -> Path:
    """Beside the classes: a hidden folder that a notebook leaves, files that are no images, a folder without any."""
    path = split_folders(folder)
    for split in ("train", "test"):
        (path / split / ".ipynb_checkpoints").mkdir()
        (path / split / ".ipynb_checkpoints/0-checkpoint.png").write_bytes(pattern(0, np.random.default_rng(0)))
        (path / split / "cat/notes.txt").write_text("no image")
        (path / split / "cat/raw.heic").write_bytes(b"not counted")
        (path / split / "empty").mkdir()
    (path / "__MACOSX").mkdir()
    return path


def linked_folders(folder: Path) -> Path:
    """A class that is a link to a folder elsewhere."""
    path = split_folders(folder)
    for split in ("train", "test"):
        (path / split / "dog").rename(folder / f"dogs-of-{split}")
        (path / split / "dog").symlink_to(folder / f"dogs-of-{split}", target_is_directory=True)
    return path


def nested_folders(folder: Path) -> Path:
    """A class in folders of its own."""
    path = split_folders(folder)
    (path / "train/cat/deep").mkdir()
    first = sorted((path / "train/cat").glob("*.png"))[0]
    first.rename(path / "train/cat/deep" / first.name)
    return path


def table(folder: Path, *, encoding: str = "utf-8", delimiter: str = ",", unlabelled: bool = False) -> Path:
    rows = [[name, label, split] for name, split, label in files(folder)]
    if unlabelled:
        rows[3:3] = [[f"files/{number}.png", "", "train"] for number in (90, 91)]
    with open(folder / "pets.csv", "w", newline="", encoding=encoding) as stream:
        csv.writer(stream, delimiter=delimiter).writerows([["path", "label", "split"], *rows])
    return folder / "pets.csv"


def json_lines(folder: Path) -> Path:
    rows = [{"path": name, "label": label, "split": split} for name, split, label in files(folder)]
    (folder / "pets.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder / "pets.jsonl"


def parquet(folder: Path, *, nulls: tuple[object, ...] = (), nested: bool = False) -> Path:
    rows = [{"image": image, "label": label, "split": split} for split, label, image in each_image()]
    rows[2:2] = [{"image": pattern(0, np.random.default_rng(9)), "label": null, "split": "train"} for null in nulls]
    if nested:
        rows = [{**row, "image": {"bytes": row["image"], "path": None}} for row in rows]
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), folder / "pets.parquet")
    return folder / "pets.parquet"


def shards(folder: Path) -> Path:
    """WebDataset: `.cls` and a caption beside each image, the splits in the names of the shards."""
    (folder / "pets").mkdir(parents=True)
    packed: dict[str, tarfile.TarFile] = {}
    for number, (split, label, image) in enumerate(each_image()):
        name = f"pets-{split}-{number % 2:06d}.tar"
        if name not in packed:
            packed[name] = tarfile.open(folder / "pets" / name, "w")  # noqa: SIM115
        for ending, content in (("cls", label.encode()), ("caption", b"a pet"), ("png", image)):
            member = tarfile.TarInfo(f"{number:05d}.{ending}")
            member.size = len(content)
            packed[name].addfile(member, io.BytesIO(content))
    for shard in packed.values():
        shard.close()
    return folder / "pets"


def hugging_face_rows(split: str) -> pa.Table:
    names = list(TRAIN)
    features = {"img": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": names}}
    rows = [
        {"img": {"bytes": image, "path": None}, "label": names.index(label)}
        for own, label, image in each_image()
        if own == split
    ]
    return pa.Table.from_pylist(rows).replace_schema_metadata(
        {"huggingface": json.dumps({"info": {"features": features}})}
    )


def saved_to_disk(folder: Path) -> Path:
    """As `DatasetDict.save_to_disk` writes it: numbers as labels, their names in the features."""
    for split in ("train", "test"):
        (folder / "pets" / split).mkdir(parents=True)
        rows = hugging_face_rows(split)
        with pa.ipc.new_stream(folder / "pets" / split / "data-00000-of-00001.arrow", rows.schema) as writer:
            writer.write_table(rows, max_chunksize=2)
        state = {"_data_files": [{"filename": "data-00000-of-00001.arrow"}], "_split": split}
        (folder / "pets" / split / "state.json").write_text(json.dumps(state))
    (folder / "pets/dataset_dict.json").write_text(json.dumps({"splits": ["train", "test"]}))
    return folder / "pets"


def parquet_of_the_hub(folder: Path) -> Path:
    (folder / "pets/data").mkdir(parents=True)
    for split in ("train", "test"):
        rows = hugging_face_rows(split)
        pq.write_table(rows, folder / f"pets/data/{split}-00000-of-00001.parquet", row_group_size=2)
    return folder / "pets"


def workbook(folder: Path) -> Path:
    """As JANuS comes: paths and labels in a sheet."""
    book = openpyxl.Workbook()
    for row in [("path", "split", "label"), *files(folder)]:
        book.active.append(row)
    book.save(folder / "pets.xlsx")
    return folder / "pets.xlsx"


LAYOUTS: dict[str, Callable[[Path], Path]] = {
    "folders": split_folders,
    "littered folders": littered_folders,
    "linked folders": linked_folders,
    "nested folders": nested_folders,
    "CSV": table,
    "CSV with a byte-order mark": lambda folder: table(folder, encoding="utf-8-sig"),
    "TSV": lambda folder: table(folder, delimiter="\t"),
    "CSV with rows without a label": lambda folder: table(folder, unlabelled=True),
    "JSON lines": json_lines,
    "Parquet": parquet,
    "Parquet with null and empty labels": lambda folder: parquet(folder, nulls=(None, "", " ")),
    "Parquet as Hugging Face writes it": lambda folder: parquet(folder, nested=True),
    "WebDataset shards": shards,
    "Hugging Face on disk": saved_to_disk,
    "Hugging Face's Parquet files": parquet_of_the_hub,
    "a workbook": workbook,
}


@pytest.fixture(params=LAYOUTS, ids=list(LAYOUTS))
def layout(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return LAYOUTS[request.param](tmp_path / "data")


def counted(path: Path, split: str) -> dict[str, int]:
    """{class: images} as `predictor indicators --split` counts them."""
    distribution = open_manifest(path, split=split).distribution
    return dict(zip(distribution.classes, distribution.counts.tolist(), strict=True))


def test_what_is_trained_is_what_is_counted(layout) -> None:
    source = read_source("pets", layout)
    for split, wanted in (("train", TRAIN), ("test", dict.fromkeys(TRAIN, TEST))):
        assert {name: len(source.rows(name, split)) for name in source.classes(split)} == wanted
        assert counted(layout, split) == wanted
    images = open_images(layout)
    assert images.labels.tolist() == source.labels.tolist() and images.digest == digest_of(layout) == source.digest
    some = [int(row) for row in source.rows("cat", "train")]
    assert list(images.read(some)) == [source.read(row) for row in some]
    assert all(source.read(row).startswith(b"\x89PNG") for row in some)


def test_a_record_has_the_classes_and_counts_of_the_indicators(layout, tmp_path) -> None:
    (tmp_path / "grid.yaml").write_text(GRID.replace("FILE", layout.name).replace("DIGEST", digest_of(layout)))
    runs = load_grid(tmp_path / "grid.yaml").runs
    # which class is the largest is drawn by the data seed: the run whose draw is that of these images
    (run,) = [run for run in runs if target_counts(run.spec) == TRAIN][:1]
    how = {"study": "pets", "axes": {}, "domain": "pets", "held_out": False, "data_dir": layout.parent}
    record = run_spec(run.spec, **how, files={"pets": layout.name})
    (stage,) = record.data.stages
    assert dict(zip(stage.classes, stage.counts, strict=True)) == counted(layout, "train") == TRAIN
    accuracy = record.outcomes["accuracy"]
    assert dict(zip(accuracy.classes, accuracy.tested, strict=True)) == counted(layout, "test")


def test_the_same_images_are_chosen_from_every_table(tmp_path) -> None:
    """Rows without a label change the numbers of no other row: orders are drawn by them."""
    sources = [
        read_source("pets", parquet(tmp_path / "plain")),
        read_source("pets", parquet(tmp_path / "nulls", nulls=(None, None))),
    ]
    assert len(sources[1].labels) == len(sources[0].labels) + 2
    assert sources[1].labels[2:4].tolist() == ["", ""] and sources[1].rows("", "").tolist() == []
    assert sources[1].rows("cat", "train").tolist() == [0, 1, 4, 5, 6]


def test_a_cache_keeps_the_rows_that_have_no_label_where_they_are(tmp_path) -> None:
    source = read_source("pets", parquet(tmp_path / "data", nulls=(None, "")))
    write_cache(source, tmp_path / "small.parquet", 16)
    cached = read_source("pets", tmp_path / "small.parquet")
    assert cached.labels.tolist() == source.labels.tolist() and cached.splits.tolist() == source.splits.tolist()


def test_what_was_left_out_is_said_by_the_plan_and_before_training(tmp_path) -> None:
    path = littered_folders(tmp_path / "data")
    text = GRID.replace("FILE", path.name).replace("DIGEST", digest_of(path)).replace("[5, 4, 3]", "[3, 3, 3]")
    (tmp_path / "grid.yaml").write_text(text)
    text = trainer_command("plan", tmp_path / "grid.yaml", "--data", tmp_path / "data").stdout
    said = [note for note in open_manifest(path, split="all").notes if not note.startswith("splits joined")]
    assert said and all(f"pets: {note}" in text for note in said)
    assert "hidden files and folders left out" in text and "not counted left out: 2 .heic" in text
    told: list[str] = []
    grid = load_grid(tmp_path / "grid.yaml")
    warn_of(grid, tmp_path / "data", tmp_path / "runs", standing(grid, tmp_path / "runs"), told.append)
    assert told == [f"note: pets: {note}" for note in said]


def test_what_indicators_refuse_no_source_is(tmp_path) -> None:
    """A folder without classes, and an image of several labels."""
    (tmp_path / "flat/images").mkdir(parents=True)
    (tmp_path / "flat/images/1.png").write_bytes(pattern(0, np.random.default_rng(0)))
    with pytest.raises(DataError, match="folders of images, no classes"):
        read_source("flat", tmp_path / "flat")
    rows = [{"image": b"x", "label": ["cat", "dog"]}, {"image": b"y", "label": ["cat"]}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "several.parquet")
    with pytest.raises(DataError, match=r"1 images of several labels, where training takes one: row 1: 'cat', 'dog'"):
        read_source("several", tmp_path / "several.parquet")
