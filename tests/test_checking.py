"""Faults found before the training: each once, all of them, and each with the way to mend it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from images import pattern, write_source
from launch_made import GRID
from trainer_command import trainer_command

from predictor.errors import DataError, SpecError
from predictor.grids import load_grid
from predictor.images.digests import file_digest
from predictor.images.listing import digest_of
from predictor.spec import PROTOCOL
from trainer.checking import check_grid, check_lists, check_open_runs
from trainer.data.opening import open_source
from trainer.data.source import Source
from trainer.networks import check_name
from trainer.run import run_spec

PETS = f"""
study: pets
protocol: {PROTOCOL}
sources: {{pets: {{file: pets.parquet, digest: "DIGEST"}}}}
target_sets: {{pair: {{domain: pets, source: pets, classes: [cat, dog]}}}}
model: {{name: predictor_small, image_size: 16, head: 8}}
recipe: {{batch_size: 16, image_steps: 32, learning_rate: 0.05}}
seeds: [0, 1, 2, 3]
grid: [{{target_set: pair, samples_per_class: 4}}]
"""


def refusal(tmp_path: Path, text: str) -> str:
    (tmp_path / "grid.yaml").write_text(text)
    with pytest.raises(SpecError) as caught:
        check_grid(load_grid(tmp_path / "grid.yaml"), tmp_path)
    return str(caught.value)


def digits(**changes: str) -> str:
    text = GRID.replace("STEPS", "640").replace("SEEDS", "[0, 1, 2, 3]").replace("SIZES", "4")
    for before, after in changes.items():
        assert before in text
        text = text.replace(before, after)
    return text


@pytest.fixture
def pets(tmp_path: Path) -> str:
    """A grid whose file is there."""
    return PETS.replace(
        "DIGEST", write_source(tmp_path / "pets.parquet", ["cat", "dog", "ferret"], train=8, test=2, seed=0)
    )


def test_a_built_in_source_of_another_name_says_what_there_is(tmp_path) -> None:
    assert refusal(tmp_path, digits().replace("builtin:digits", "builtin:digit")) == (
        "grid tiny: digits: no built-in source 'builtin:digit' (all runs). use builtin:digits. nothing was trained"
    )


def test_another_content_says_which_file_is_wanted_not_to_mend_the_grid(tmp_path, pets) -> None:
    digest = file_digest(tmp_path / "pets.parquet")
    zeros = "sha256:" + "0" * 64
    assert refusal(tmp_path, pets.replace(digest, zeros)) == (
        f"grid pets: {tmp_path}/pets.parquet: source 'pets' has other content than the grid says; found {digest}, "
        f"needed {zeros} (all runs). use the file the grid was written for, or state the new digest in the grid. "
        "nothing was trained"
    )


def test_a_derived_split_that_needs_a_column_says_which(tmp_path) -> None:
    text = digits().replace("flip: false", "flip: false, train_split: train:fit@4")
    assert refusal(tmp_path, text) == (
        "grid tiny: digits: groups of 4 neighbours need images that are numbered in a column 'source' (all runs). use "
        "a Parquet source with that column, or state the groups in a column 'group'. mend the grid; nothing was trained"
    )


def test_each_fault_keeps_its_own_remedy_and_stands_once_for_all_data_seeds(tmp_path, pets) -> None:
    text = pets.replace("[cat, dog]", "[zebra, dgo, cat, yak]").replace("predictor_small", "zzz")
    lines = refusal(tmp_path, text).splitlines()
    assert lines[:3] == [
        "grid pets: 3 faults:",
        "  unknown model 'zzz'; none of the "
        + lines[1].split("none of the ")[1].split(" ")[0]
        + " names is near (all runs). use a timm name; this lists them: "
        'python -c "import timm; print(timm.list_models())"',
        "  classes 'dgo' (near: 'dog'), 'yak', 'zebra' are not in pets; it has 'cat', 'dog', 'ferret' (all runs). name "
        "classes and splits as the source does",
    ]
    assert lines[3].startswith("  pets (test): no image to test class 'zebra' and 2 more: ")
    assert lines[3].endswith(
        "(all runs). drop the class from the target set or name another test set. mend the grid; nothing was trained"
    )
    assert len(lines) == 4


def test_a_split_that_is_not_there_is_to_be_named(tmp_path, pets) -> None:
    said = refusal(tmp_path, pets.replace("source: pets, classes", "source: pets, test_split: val, classes"))
    assert "pets has no split 'val'; it has 'test', 'train'" in said
    assert "name the split of its test images in the grid: test_split in a target set, split in a shift" in said


def test_every_source_that_cannot_be_opened_is_named(tmp_path, pets) -> None:
    (tmp_path / "other.parquet").write_bytes(b"no Parquet")
    text = pets.replace("sources: {", 'sources: {more: {file: other.parquet, digest: "sha256:' + "1" * 64 + '"}, ')
    text = text.replace("class: 4", "class: 4, others: {source: more, n_classes: 1, samples_per_class: 1}")
    text = text.replace(file_digest(tmp_path / "pets.parquet"), "sha256:" + "0" * 64)
    message = refusal(tmp_path, text)
    assert message.startswith("grid pets: 2 faults:\n  ") and message.endswith(
        "state the new digest in the grid. nothing was trained"
    )
    assert (
        "other.parquet: is not a readable Parquet file" in message and "pets.parquet: source 'pets' has oth" in message
    )


def test_a_source_that_cannot_be_opened_is_read_once(tmp_path, pets, monkeypatch) -> None:
    """Hashing a large file for every configuration of a grid would take minutes."""
    from predictor.images.readers import parquet

    reads = []
    monkeypatch.setattr(parquet, "file_digest", lambda path: reads.append(path) or "sha256:other")
    text = pets.replace(file_digest(tmp_path / "pets.parquet"), "sha256:" + "2" * 64)
    refusal(tmp_path, text.replace("samples_per_class: 4", "samples_per_class: [4, 5, 6]"))
    assert len(reads) == 1


def test_all_classes_that_are_short_stand_below_their_fault(tmp_path) -> None:
    classes = ", ".join(f'"{i}"' for i in range(10))
    text = (
        digits()
        .replace('"0", "1", "2"', classes)
        .replace("head: 8", "head: 16")
        .replace("samples_per_class: 4", "samples_per_class: [4, 900]")
    )
    (tmp_path / "grid.yaml").write_text(text)
    (line,) = check_open_runs(load_grid(tmp_path / "grid.yaml"), tmp_path, set())
    assert [f"  '{i}' of digits (train): 900 asked" in line for i in range(10)] == [True] * 10
    assert line.endswith("or a milder profile (4 of 8 runs will fail)") and "more" not in line.split("\n", 1)[1]
    below = refusal(tmp_path, text.replace("predictor_small", "predictor_smal"))
    assert "\n  more images asked for than there are:\n    '0' of digits (train): 900 asked, " in below


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("resnet18_clp_gap", ["resnet50_clip_gap", "resnet101_clip_gap"]),
        ("predictor_smal", ["predictor_small"]),
        ("RESNET-50", ["resnet50"]),
        ("vit", ["test_vit"]),  # by the looser cutoff
    ],
)
def test_models_that_are_near_are_named(name: str, near: list[str]) -> None:
    with pytest.raises(SpecError) as caught:
        check_name(name)
    text = str(caught.value)
    assert text.startswith(f"unknown model {name!r}; did you mean '") and text.endswith("'?")
    assert set(near) <= set(text.split("'")) and text.count(" or ") <= 2


def test_where_no_model_is_near_the_way_to_list_them_is_said() -> None:
    with pytest.raises(SpecError) as caught:
        check_name("zzz")
    assert str(caught.value).startswith("unknown model 'zzz'; none of the 1,")
    assert str(caught.value).endswith('this lists them: python -c "import timm; print(timm.list_models())"')


def test_a_long_list_of_known_classes_is_counted_not_cut() -> None:
    names = np.array([f"c{i:03d}" for i in range(300)])
    source = Source("many", "d", names, np.array(["train"] * 300), lambda row: b"", str)
    (text,) = source.lacking(["zebra", "yak"], ["train"])
    known = ", ".join(f"'c{i:03d}'" for i in range(10))
    assert text == f"classes 'yak', 'zebra' are not in many; it has {known} and 290 more"
    assert source.lacking(["c001"], ["tran", "valid", "train:fit"]) == [
        "many has no splits 'tran' (near: 'train'), 'valid'; it has 'train'"
    ]
    assert (
        source.lacks("zebra", "tran").startswith("class 'zebra' is not in many")
        and source.lacks("c001", "train") is None
    )


def test_built_in_images_are_whole() -> None:
    """They are PNG files like any other, so their checksums are looked at."""
    source = open_source("digits", None, "builtin:digits")
    assert source.pixels(np.arange(20), 8).shape == (20, 3, 8, 8) and not source.bad


@pytest.mark.parametrize("file", ["../pets.parquet", "inner/../../pets.parquet", "/etc/passwd", ".."])
def test_a_file_that_leads_out_of_the_image_folder_is_not_read(tmp_path, pets, file) -> None:
    """A grid may be somebody else's."""
    (tmp_path / "data" / "inner").mkdir(parents=True)
    (tmp_path / "grid.yaml").write_text(pets.replace("file: pets.parquet", f"file: {file}"))
    grid = load_grid(tmp_path / "grid.yaml")
    wanted = f"{tmp_path}/data: the grid's file {file!r} leads out of the image folder. name files below the folder"
    with pytest.raises(DataError) as caught:
        check_grid(grid, tmp_path / "data")
    assert str(caught.value).startswith(wanted)
    how = {"study": "t", "axes": {}, "domain": "d", "held_out": False, "data_dir": tmp_path / "data"}
    with pytest.raises(DataError) as caught:
        run_spec(grid.runs[0].spec, **how, files={"pets": file})
    assert str(caught.value).startswith(wanted)


def test_a_link_in_the_image_folder_is_its_owner_s(tmp_path, pets) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/pets.parquet").symlink_to(tmp_path / "pets.parquet")
    (tmp_path / "grid.yaml").write_text(pets)
    check_grid(load_grid(tmp_path / "grid.yaml"), tmp_path / "data")


def test_lists_that_name_images_elsewhere_are_refused_on_request(tmp_path, monkeypatch) -> None:
    (tmp_path / "data").mkdir()
    for place in ("data/cat.png", "data/dog.png", "far.png"):
        (tmp_path / place).write_bytes(pattern(0, np.random.default_rng(len(place))))
    lines = ["path,label,split", "cat.png,cat,train", "dog.png,dog,train"]
    lines += [f"{tmp_path}/far.png,cat,test", "../far.png,dog,test"]
    (tmp_path / "data/pets.csv").write_text("\n".join(lines[:4]) + "\n")
    text = PETS.replace("pets.parquet", "pets.csv").replace("samples_per_class: 4", "samples_per_class: 1")
    text = text.replace("DIGEST", digest_of(tmp_path / "data/pets.csv"))
    (tmp_path / "grid.yaml").write_text(text)
    for command in ("plan", "run"):
        done = trainer_command(command, tmp_path / "grid.yaml", "--data", tmp_path / "data", "--inside")
        assert done.returncode == 2 and done.stderr == (
            f"error: {tmp_path}/data/pets.csv: names 1 images outside of its folder: row 3: {tmp_path}/far.png. "
            "copy them below the list, or leave out --inside\n"
        )
    grid = load_grid(tmp_path / "grid.yaml")
    (tmp_path / "data/pets.csv").write_text("\n".join([*lines[:3], lines[4]]) + "\n")
    with pytest.raises(DataError, match=r"row 3: \.\./far.png"):
        check_lists(grid, tmp_path / "data")
    (tmp_path / "data/pets.csv").write_text("\n".join(lines[:3]) + "\n")
    check_lists(grid, tmp_path / "data")
