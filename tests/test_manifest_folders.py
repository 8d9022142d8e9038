"""Image folders as they lie on disk: class/image.jpg, split/class/image.jpg, and what else lies there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from manifest_read import reading

from predictor.errors import ManifestError
from predictor.manifest.counted import ManifestRequest
from predictor.manifest.readers import image_folder
from predictor.manifest.readers.folder_tree import IMAGE_ENDINGS
from predictor.manifest.readers.image_folder import recognises
from predictor.manifest.splits import chosen_splits

read = reading(image_folder)


def touch(root: Path, *names: str) -> Path:
    for name in names:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return root


def counts(root: Path, **how: str) -> dict[str, int]:
    return {name: n for name, _, n in read(root, ManifestRequest(**how)).rows}


def test_folders_are_classes_and_empty_files_are_images(tmp_path) -> None:
    touch(tmp_path, "cat/1.jpg", "cat/2.JPEG", "chien été/1.png", "n01440764/1.webp")
    assert counts(tmp_path) == {"cat": 2, "chien été": 1, "n01440764": 1}
    assert read(tmp_path, ManifestRequest()).notes == () and recognises(tmp_path, b"")


def test_as_torchvision_counts(tmp_path) -> None:
    folder = pytest.importorskip("torchvision.datasets.folder")
    touch(tmp_path, "b/1.jpg", "b/deep/er/2.ppm", "a/1.tiff", "a/notes.txt", "a/2.bmp", "c/x.pgm")
    classes, index = folder.find_classes(tmp_path)
    samples = folder.make_dataset(tmp_path, index, extensions=folder.IMG_EXTENSIONS)
    expected = {name: sum(label == index[name] for _, label in samples) for name in classes}
    assert counts(tmp_path) == expected == {"a": 2, "b": 2, "c": 1}
    assert {ending.removeprefix(".") for ending in folder.IMG_EXTENSIONS} <= IMAGE_ENDINGS


def test_what_the_trainer_reads_is_what_is_counted(tmp_path) -> None:
    """One list of endings; a file that is no image is in neither."""
    from predictor.images.listing import open_images

    touch(tmp_path, *(f"a/{n}.{ending}" for n, ending in enumerate(sorted(IMAGE_ENDINGS))), "a/list.txt", "b/0.JPG")
    images = open_images(tmp_path)
    found = {name: int((images.labels == name).sum()) for name in set(images.labels.tolist())}
    assert found == counts(tmp_path) == {"a": len(IMAGE_ENDINGS), "b": 1}


def test_hidden_files_and_files_that_are_no_images_are_counted_in_notes(tmp_path) -> None:
    touch(tmp_path, "a/1.jpg", "a/._1.jpg", "a/.DS_Store", "a/list.txt", "README", ".git/x.jpg", "a/.thumbs/t.jpg")
    counted = read(tmp_path, ManifestRequest())
    assert counted.rows == [("a", "", 1)]
    assert counted.notes == (
        "2 files that are no images left out (no ending; .txt)",
        "4 hidden files and folders left out",
        "one folder of images is one class: 'a'",
    )


def test_train_is_the_default_of_the_splits(tmp_path) -> None:
    touch(tmp_path, "train/a/1.jpg", "train/b/1.jpg", "val/a/1.jpg", "test/1.jpg", "devkit/readme.txt", "meta.bin")
    counted = read(tmp_path, ManifestRequest())
    assert sorted(counted.rows) == [("a", "", 1), ("b", "", 1)]
    assert counted.notes == (
        "split 'train' taken; left out: 'test'; 'val'",
        "folders without an image left out: 'devkit'",
        "2 files that are no images left out (.bin; .txt)",
    )
    assert counts(tmp_path, split="val") == counts(tmp_path, split="validation") == {"a": 1}
    assert counts(tmp_path, split="all") == {"a": 2, "b": 1}
    with pytest.raises(
        ManifestError, match=r"no split 'mine'; found 'test'; 'train'; 'val'. choose one with --split, or 'all'"
    ):
        read(tmp_path, ManifestRequest(split="mine"))


def test_a_split_of_its_own_name_is_taken_when_asked_for(tmp_path) -> None:
    touch(tmp_path, "seg_a/x/1.jpg", "seg_b/x/1.jpg", "seg_b/x/2.jpg")
    assert counts(tmp_path, split="seg_b") == {"x": 2}


def test_a_class_may_be_called_train(tmp_path) -> None:
    touch(tmp_path, "train/1.jpg", "bus/1.jpg", "bus/2.jpg")
    assert counts(tmp_path) == {"train": 1, "bus": 2}
    touch(tmp_path, "train/front/2.jpg")  # nested, and yet no split: no other one stands beside it
    assert counts(tmp_path) == {"train": 2, "bus": 2}
    with pytest.raises(ManifestError, match=r"has no splits to take 'val' from. leave --split out"):
        read(tmp_path, ManifestRequest(split="val"))


def test_nested_images_count_for_the_class_and_say_so(tmp_path) -> None:
    touch(tmp_path, "a/x/1.jpg", "a/y/2.jpg", "b/1.jpg")
    counted = read(tmp_path, ManifestRequest())
    assert sorted(counted.rows) == [("a", "", 2), ("b", "", 1)]
    assert counted.notes == ("the images of 1 class lie in folders of their own, counted for the class: 'a'",)


def test_a_folder_too_high_is_no_single_class(tmp_path) -> None:
    touch(tmp_path, "CLS-LOC/n01/1.jpg", "CLS-LOC/n02/1.jpg")
    with pytest.raises(ManifestError, match=r"holds one folder, 'CLS-LOC', .* name the folder whose own folders are"):
        read(tmp_path, ManifestRequest())
    assert counts(tmp_path / "CLS-LOC") == {"n01": 1, "n02": 1}


def test_links_back_end(tmp_path) -> None:
    touch(tmp_path, "a/1.jpg", "a/deep/2.jpg", "b/1.jpg")
    (tmp_path / "a/deep/up").symlink_to(tmp_path)
    (tmp_path / "a/self").symlink_to(tmp_path / "a/self")
    (tmp_path / "a/gone.jpg").symlink_to(tmp_path / "nothing.jpg")
    (tmp_path / "c").symlink_to(tmp_path / "b")  # a class that is a link
    counted = read(tmp_path, ManifestRequest())
    rows = {name: n for name, _, n in counted.rows}
    assert rows["b"] == rows["c"] == 1 and rows["a"] == 3  # a/1, a/deep/2 and, by the link up, b/1
    assert "1 link to no file left out" in counted.notes


def test_images_without_a_class_folder(tmp_path) -> None:
    touch(tmp_path, "a/1.jpg", "1.jpg", "2.jpg", "  /3.jpg")
    assert read(tmp_path, ManifestRequest()).notes == (
        "2 images in no class folder",
        "3 images without a label left out",
    )
    with pytest.raises(ManifestError, match=r"3 images without a label.* label them, or leave them out with --miss"):
        read(tmp_path, ManifestRequest(missing="error"))


def test_names_that_are_blank_at_the_ends_or_no_text(tmp_path) -> None:
    touch(tmp_path, " cat /1.jpg", "cat/1.jpg")
    (tmp_path / os.fsdecode(b"caf\xe9")).mkdir()
    (tmp_path / os.fsdecode(b"caf\xe9") / "1.jpg").touch()
    assert counts(tmp_path) == {"cat": 2, "caf\\xe9": 1}


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ((), "found no folder of a class"),
        (("1.jpg", "2.jpg"), "found no folder of a class, 2 images that lie in no class folder"),
        (("a/1.txt", "b/2.txt"), "found 2 folders, none of which holds an image"),
    ],
)
def test_folders_that_are_no_image_folder(tmp_path, names, found) -> None:
    touch(tmp_path, *names)
    with pytest.raises(ManifestError) as caught:
        read(tmp_path, ManifestRequest())
    assert str(tmp_path) in str(caught.value) and found in str(caught.value) and "class/image.jpg" in str(caught.value)


@pytest.mark.parametrize("option", ["label", "count", "where"])
def test_options_without_a_meaning_are_refused(tmp_path, option) -> None:
    touch(tmp_path, "a/1.jpg")
    with pytest.raises(ManifestError, match=f"--{option} says nothing about an image folder. leave --{option} out"):
        read(tmp_path, ManifestRequest(**{option: "x"}))


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_a_folder_that_cannot_be_listed(tmp_path) -> None:
    touch(tmp_path, "a/1.jpg", "b/1.jpg")
    (tmp_path / "b").chmod(0)
    try:
        with pytest.raises(ManifestError, match=r"b: cannot be listed: Permission denied. make it readable"):
            read(tmp_path, ManifestRequest())
    finally:
        (tmp_path / "b").chmod(0o700)


def test_the_only_split_is_taken_and_named() -> None:
    assert chosen_splits({"val": None}, ManifestRequest(), "x") == (
        {"val"},
        ("'val' is the only split, and was taken",),
    )
    assert chosen_splits({"train": 3}, ManifestRequest(), "x") == chosen_splits(
        {"train": 3}, ManifestRequest(split="train"), "x"
    )
    taken, notes = chosen_splits({"": None, "train": None}, ManifestRequest(), "x")
    assert taken == {"train"} and notes == ("split 'train' taken; left out: files without a split",)
