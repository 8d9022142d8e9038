"""Content decides what is there twice: names and splits do not. And what was never shown is told."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from images import pattern
from PIL import Image
from trainer_command import trainer_command

from predictor.errors import DataError
from predictor.grids import load_grid
from predictor.images.listing import digest_of, open_images
from predictor.records import check
from predictor.records.rules.repeats import repeat_faults
from trainer.checking import grid_repeats
from trainer.data.opening import open_source
from trainer.plan import partly_shown
from trainer.run import run_spec

GRID = """
study: pets
protocol: 3
sources: {pets: {file: pets, digest: "DIGEST"}}
target_sets: {pair: {domain: pets, source: pets, classes: [cat, dog]}}
model: {name: predictor_small, image_size: 16, head: 4}
recipe: {batch_size: 8, image_steps: STEPS, learning_rate: 0.05}
seeds: [0]
grid: [{target_set: pair, samples_per_class: 6}]
"""


def pets(tmp_path: Path, *, train: int = 6, test: int = 4) -> Path:
    """A folder of two classes in which no image is there twice."""
    generator = np.random.default_rng(1)
    for kind, label in enumerate(("cat", "dog")):
        for split, n in (("train", train), ("test", test)):
            folder = tmp_path / "pets" / split / label
            folder.mkdir(parents=True)
            for i in range(n):
                (folder / f"{i}.png").write_bytes(pattern(kind, generator))
    return tmp_path / "pets"


def grid_of(tmp_path: Path, steps: int = 16) -> Path:
    digest = digest_of(tmp_path / "pets")
    file = tmp_path / "grid.yaml"
    file.write_text(GRID.replace("DIGEST", digest).replace("STEPS", str(steps)))
    return file


def record_of(tmp_path: Path, steps: int = 16):
    grid = load_grid(grid_of(tmp_path, steps))
    run = grid.runs[0]
    return run_spec(
        run.spec, study="pets", axes=run.axes, domain=run.domain, held_out=False, data_dir=tmp_path,
        files={"pets": "pets"}, commit="c",
    )  # fmt: skip


def test_no_image_twice_nothing_to_say(tmp_path) -> None:
    pets(tmp_path)
    report = record_of(tmp_path).data_report
    assert (report.n_leaked, report.n_repeated, report.leaked_images, report.repeated_images) == ({}, {}, (), ())
    plan = trainer_command("plan", grid_of(tmp_path), "--data", tmp_path)
    assert plan.returncode == 0 and "byte" not in plan.stdout


def test_test_images_that_are_training_images_are_named_and_counted_everywhere(tmp_path) -> None:
    folder = pets(tmp_path)
    for i in range(3):
        (folder / f"test/cat/copy-{i}.png").write_bytes((folder / f"train/cat/{i}.png").read_bytes())
    record = record_of(tmp_path)
    assert record.data_report.n_leaked == {"accuracy": 3}
    assert record.data_report.leaked_images == tuple(f"pets: test/cat/copy-{i}.png" for i in range(3))
    text = trainer_command("plan", grid_of(tmp_path), "--data", tmp_path).stdout
    expected = (
        "accuracy: up to 3 of 11 test images are training images too, byte for byte (1 of 1 runs), such as pets: "
        "test/cat/copy-0.png"
    )
    assert expected in text
    found = json.loads(trainer_command("plan", grid_of(tmp_path), "--data", tmp_path, "--format", "json").stdout)
    assert found["summary"]["repeats"][0] | {"first": ""} == {
        "set": "accuracy", "kind": "leaked", "runs": 1, "n_runs": 1, "most": 3, "of": 11, "first": "",
    }  # fmt: skip
    assert repeat_faults(record) == []  # a few of them are in well-known data sets


def test_a_test_on_training_images_is_a_fault_of_the_registry(tmp_path) -> None:
    """Such a run reached accuracy 1.0 without a word."""
    folder = pets(tmp_path, test=0)
    for file in folder.glob("train/*/*.png"):
        (folder / "test" / file.parent.name / file.name).write_bytes(file.read_bytes())
    grid = grid_of(tmp_path)
    done = trainer_command("run", grid, "--data", tmp_path, "--runs", tmp_path / "runs", "--workers", 1)
    assert done.returncode == 0 and ", 12 test images are training images too" in done.stderr
    (fault,) = check(tmp_path / "runs")
    assert fault.endswith(
        "accuracy: 12 of 12 test images are training images too, byte for byte: it measures memory; train and test on "
        "different images"
    )


def test_copies_inside_a_set_are_named(tmp_path) -> None:
    folder = pets(tmp_path, train=2)
    for i in range(4):
        (folder / f"train/dog/copy-{i}.png").write_bytes((folder / "train/dog/0.png").read_bytes())
        (folder / f"train/cat/more-{i}.png").write_bytes(pattern(0, np.random.default_rng(50 + i)))
    (folder / "test/dog/copy.png").write_bytes((folder / "test/dog/1.png").read_bytes())
    record = record_of(tmp_path)
    assert record.data_report.n_repeated == {"training": 4, "accuracy": 1}
    assert len(record.data_report.repeated_images) == 5 and record.data_report.n_leaked == {}


def test_half_of_a_set_twice_is_a_fault_of_the_registry(tmp_path) -> None:
    pets(tmp_path)
    record = record_of(tmp_path)

    def faults(**counts: dict[str, int]) -> list[str]:
        report = record.data_report.model_copy(update=counts)
        return repeat_faults(record.model_copy(update={"data_report": report}))

    assert faults(n_repeated={"training": 5}, n_leaked={"accuracy": 3}) == []
    assert faults(n_repeated={"training": 6}) == [
        "training: 6 of 12 images have the bytes of another one: the counts say more than there is; "
        "list each image once"
    ]
    assert faults(n_leaked={"accuracy": 99})[0] == ("data_report: 99 images of accuracy are there twice; 8 were tested")


def test_near_duplicates_are_found_on_request(tmp_path) -> None:
    """The same picture in another format and size: no byte is the same."""
    folder = pets(tmp_path)
    (folder / "train/cat/2.png").write_bytes(pattern(2, np.random.default_rng(9), size=64, noise=5))
    with Image.open(folder / "train/cat/2.png") as image:
        stream = io.BytesIO()
        image.resize((48, 48)).save(stream, format="JPEG", quality=95, subsampling=0)
    (folder / "test/cat/again.jpg").write_bytes(stream.getvalue())
    grid = load_grid(grid_of(tmp_path))
    assert grid_repeats(grid, tmp_path) == []
    (row,) = grid_repeats(grid, tmp_path, near=True)
    assert row == {
        "set": "accuracy", "kind": "near", "runs": 1, "n_runs": 1, "most": 1, "of": 9,
        "first": "pets: test/cat/again.jpg",
    }  # fmt: skip
    (folder / "test/cat/same.png").write_bytes((folder / "train/cat/2.png").read_bytes())
    rows = {row["kind"]: row["most"] for row in grid_repeats(load_grid(grid_of(tmp_path)), tmp_path, near=True)}
    assert rows == {"leaked": 1, "near": 1}, "the same bytes are the same image, not one that looks like it"
    (folder / "test/cat/same.png").unlink()
    plan = trainer_command("plan", grid_of(tmp_path), "--data", tmp_path, "--near-duplicates")
    assert "accuracy: up to 1 of 9 test images look like a training image (1 of 1 runs)" in plan.stdout


def test_rendered_images_are_compared_without_being_rendered() -> None:
    digest = "fractals:classes=4,instances=4,seed=0"
    first, second = (open_source(name, None, digest) for name in ("one", "two"))
    rows = np.arange(16)
    assert len(set(first.contents(rows).tolist())) == 16
    assert first.contents(rows).tolist() == second.contents(rows).tolist()
    assert not first._stores


LISTS = {
    "path,label\na.png,cat\nb.png,dog\na.png,cat\n": "1 row names a file that stands before: row 3: a.png (row 1)",
    "path,label\na.png,cat\n./a.png,dog\n": "1 row names a file that stands before: row 2: ./a.png (row 1)",
    "path,label,split\na.png,cat,train\na.png,cat,test\n": "row 2: a.png (row 1). list each image once, in one split",
    "path,label,split\na.png,cat\nb.png,dog,train\n": "1 bad row, first at line 2: ",
    "path,label\na.png,cat,x\n": "1 bad row, first at line 2: ",
    "path,label\na.png,\n": "lists no image with a label",
    "path,label\n,dog\n": "rows that name no image: row 1. name each image file in a column 'path'",
    "label,count\ncat,5\n": "lists classes and their counts, no images",
}


@pytest.mark.parametrize("text", LISTS)
def test_a_list_that_says_something_else_than_its_images_is_refused(tmp_path, text) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(pattern(0, np.random.default_rng(len(name))))
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(DataError) as caught:
        open_images(tmp_path / "list.csv")
    assert LISTS[text] in str(caught.value) and str(tmp_path / "list.csv") in str(caught.value)


def test_a_list_with_a_byte_order_mark_is_read(tmp_path) -> None:
    (tmp_path / "a.png").write_bytes(pattern(0, np.random.default_rng(0)))
    (tmp_path / "plain.csv").write_text("path,label\na.png,cat\n")
    (tmp_path / "marked.csv").write_text("path,label\na.png,cat\n", encoding="utf-8-sig")
    plain, marked = (open_images(tmp_path / name) for name in ("plain.csv", "marked.csv"))
    assert plain.labels.tolist() == marked.labels.tolist() == ["cat"] and plain.digest == marked.digest


def test_images_that_no_step_shows_are_told(tmp_path) -> None:
    pets(tmp_path)
    whole, part = record_of(tmp_path, 16).data_report, record_of(tmp_path, 5).data_report
    assert whole.images_shown == (12,) and whole.classes_shown == (2,)
    assert part.images_shown == (5,) and part.classes_shown in ((1,), (2,))
    one = record_of(tmp_path, 2).data_report
    assert one.images_shown == (2,) and one.classes_shown in ((1,), (2,))
    grid = load_grid(grid_of(tmp_path, 5))
    (row,) = partly_shown(grid)
    assert row == {
        "configuration_id": grid.runs[0].spec.configuration_id,
        "stage": 1,
        "image_steps": 5,
        "n_samples": 12,
    }
    text = trainer_command("plan", grid_of(tmp_path, 5)).stdout
    assert (
        "1 configuration shows only a part of the images that the record counts, such as "
        f"{row['configuration_id']}: 5 image-steps of 12 images in stage 1"
    ) in text
    assert "only a part" not in trainer_command("plan", grid_of(tmp_path, 12)).stdout
