"""What a table must not be taken for: roles, splits, counts and cells, the same in every form of a table."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import manifest_forms
import pytest
from manifest_forms import N, counts
from manifest_read import options, run
from tables_made import made

from predictor.errors import ManifestError
from predictor.manifest import list_samples, open_manifest

pytestmark = pytest.mark.usefixtures("one_engine")
form = manifest_forms.form


@pytest.mark.parametrize("name", ["Count", "COUNT", " count "])
def test_a_count_column_is_known_by_its_name_in_capitals_too(form, tmp_path, name) -> None:
    path = made(form, tmp_path, {"label": ["a", "b"], name: [100, 50]})
    assert counts(path) == {"a": 100, "b": 50}
    assert name.strip() == "count" or f"column {name!r} taken for 'count'" in open_manifest(path).notes


@pytest.mark.parametrize("name", ["n", "images", "num_images", "total", "Number of images", "anzahl"])
def test_a_table_of_classes_asks_for_its_counts_and_the_answer_helps(form, tmp_path, name) -> None:
    path = made(form, tmp_path, {"label": ["a", "b", "c"], name: [100, 50, 7]})
    with pytest.raises(ManifestError, match="every label stands once, beside whole numbers in column") as caught:
        open_manifest(path)
    assert name in str(caught.value)
    first, second = re.findall(r"--count (?:'[^']*'|\w+)", str(caught.value))
    assert run(path, *shlex.split(first)) == (0, f"indicator,unit,{path}\nn_samples,images,157.0\n")
    assert run(path, *shlex.split(second))[1].endswith("n_samples,images,3.0\n")


@pytest.mark.parametrize(
    "columns",
    [
        {"label": ["a", "b"], "path": ["1.jpg", "2.jpg"], "width": [32, 64]},
        {"label": ["a", "b", "c"], "id": [0, 1, 2]},
        {"label": ["a", "b", "c"], "number": [7, 5, 9]},
        {"label": ["a", "b", "c"], "score": [0.5, 1.0, 2.0]},
        {"label": ["a", "b", "a"], "n": [3, 4, 5]},
    ],
)
def test_a_table_of_images_does_not(form, tmp_path, columns) -> None:
    assert sum(counts(made(form, tmp_path, columns)).values()) == len(columns["label"])


def test_what_comes_near_to_a_role_is_named_with_what_takes_it(form, tmp_path) -> None:
    columns = {
        "path": ["1.jpg", "2.jpg", "3.jpg"],
        "label": ["a", "b", "a"],
        "subset": ["train", "train", "test"],
        "weights": [1, 2, 3],
        "origin": ["x", "y", "x"],
    }
    notes = open_manifest(made(form, tmp_path, columns)).notes
    assert [note.split(" is not taken")[0] for note in notes] == [
        "column 'subset'",
        "column 'weights'",
        "column 'origin'",
    ]
    (condition,) = re.findall(r'--where "(.*?)"', notes[0])
    assert counts(tmp_path / made(form, tmp_path, columns).name, where=condition) in ({"a": 1}, {"a": 1, "b": 1})
    assert "say --weight weights" in notes[1] and "rename it to 'source'" in notes[2]
    near = open_manifest(made(form, tmp_path, {"label": ["a", "a", "b"], "n": [1, 2, 3]})).notes
    assert near == (
        "column 'n' is not taken for counts, a row is an image; if it holds images per class, say --count n",
    )


def test_an_index_without_a_name_is_only_an_index(tmp_path) -> None:
    for text in (",path,label\n0,1.jpg,cat\n1,2.jpg,dog\n", "path,,label,\n1.jpg,7,cat,x\n2.jpg,8,dog,y\n"):
        (tmp_path / "m.csv").write_text(text)
        assert counts(tmp_path / "m.csv") == {"cat": 1, "dog": 1}


def test_a_table_without_a_header_says_so_and_the_remedy_helps(tmp_path) -> None:
    path = tmp_path / "m.csv"
    path.write_text("img/1.jpg,cat\nimg/2.jpg,dog\nimg/3.jpg,cat\n")
    with pytest.raises(
        ManifestError, match=r"say --no-header and --label 2 if there is no header: the first line looks like data"
    ) as caught:
        open_manifest(path)
    assert run(path, *options(str(caught.value)))[1].endswith("n_samples,images,3.0\n")
    assert counts(path, header=False) == {"cat": 2, "dog": 1}  # of two columns one names files
    path.write_text("img/1.jpg,4,4,9,9,cat\nimg/1.jpg,1,1,2,2,cat\n")
    assert counts(path, header=False, label="6") == {"cat": 2}
    with pytest.raises(ManifestError, match="missing column 'label'; found '1', '2', '3'"):
        open_manifest(path, header=False)


def test_every_column_of_boxes_is_counted_by_image_unless_asked(form, tmp_path) -> None:
    boxes = {"xmin": [1, 2, 3, 4], "ymin": [1, 2, 3, 4], "xmax": [5, 6, 7, 8], "ymax": [5, 6, 7, 8]}
    columns = {"filename": ["a.jpg", "a.jpg", "a.jpg", "b.jpg"], "label": ["cat", "cat", "dog", "cat"], **boxes}
    path = made(form, tmp_path, columns)
    assert counts(path) == {"cat": 2, "dog": 1} and open_manifest(path).distribution.n_samples == 2
    assert counts(path, several="first") == {"cat": 2}
    assert any(note.startswith("rows of one image taken together") for note in open_manifest(path).notes)
    assert counts(path, instances=True) == {"cat": 3, "dog": 1}
    blanks = {**columns, "label": ["cat", "cat ", "dog", "cat"]}
    assert counts(made(form, tmp_path, blanks)) == {"cat": 2, "dog": 1}
    numbers = {**columns, "label": ["1", "1.0", "2", "1"]}
    assert counts(made(form, tmp_path, numbers)) == {"1": 2, "2": 1}
    with pytest.raises(ManifestError, match="--instances says nothing about a table without boxes"):
        open_manifest(made(form, tmp_path, {"path": ["1", "2"], "label": ["a", "b"]}), instances=True)


def test_images_that_stand_in_several_rows_are_named(form, tmp_path) -> None:
    path = made(form, tmp_path, {"image_id": ["a", "a", "b"], "label": ["cat", "dog", "cat"]})
    assert counts(path) == {"cat": 2, "dog": 1}
    assert open_manifest(path).notes == ("column 'image_id' names 1 images again: every row counts as an image",)


def splits_of(form: str, root: Path, how: str) -> Path:
    """Six images of train and four of val, as layouts say it."""
    parts = {"train": ["a"] * 4 + ["b"] * 2, "val": ["a", "b", "b", "b"]}
    if how == "column":
        cells = [(name, label) for name, labels in parts.items() for label in labels]
        return made(form, root, {"label": [label for _, label in cells], "split": [name for name, _ in cells]})
    if how == "Column":
        cells = [(name.title(), label) for name, labels in parts.items() for label in labels]
        return made(form, root, {"label": [label for _, label in cells], "Split": [name for name, _ in cells]})
    for name, labels in parts.items():
        columns = {"path": [f"{i}.jpg" for i in range(len(labels))], "label": labels}
        if how == "files":
            made(form, root / "parts", columns, name)
        elif how == "folders":
            made(form, root / "parts" / name, columns, "0")
        else:
            made(form, root / "parts" / f"split={name}", columns, "0")
    return root / "parts" if form == "parquet" else root / "parts" / ("*" if how == "files" else "*/0*")


@pytest.mark.parametrize("how", ["column", "Column", "files", "folders", "hive"])
def test_splits_are_known_wherever_they_stand(form, tmp_path, how) -> None:
    path = splits_of(form, tmp_path, how)
    assert counts(path) == counts(path, split="train") == {"a": 4, "b": 2}
    assert counts(path, split="val") == counts(path, split="validation") == {"a": 1, "b": 3}
    assert counts(path, split="all") == {"a": 5, "b": 5}
    assert {sample.split.lower() for sample in list_samples(path, split="all").samples} == {"train", "val"}
    assert any(re.match(r"split 'train' taken; left out: 'val'", note, re.I) for note in open_manifest(path).notes)
    assert any(re.match(r"splits joined: 'train'.*; 'val'", n, re.I) for n in open_manifest(path, split="all").notes)
    with pytest.raises(ManifestError, match=r"no split 'mine'; found .*(val|Val).* choose one with --split, or 'all'"):
        open_manifest(path, split="mine")


def test_folders_of_parquet_may_name_classes(tmp_path) -> None:
    for label, n in (("cat", 2), ("dog", 3)):
        made("parquet", tmp_path / "d" / f"label={label}", {"path": [f"{i}.jpg" for i in range(n)]}, "0")
    assert counts(tmp_path / "d") == {"cat": 2, "dog": 3}


def test_a_manifest_without_splits_has_none_to_take(form, tmp_path) -> None:
    path = made(form, tmp_path, {"path": ["1.jpg", "2.jpg"], "label": ["a", "b"]})
    with pytest.raises(ManifestError, match=r"has no splits to take 'val' from\. leave --split out"):
        open_manifest(path, split="val")
    assert run(path, "--test", str(path), "--name", "kl_test")[0] == 0  # whatever lies there, it is the test set


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ([1, 1, 2], {"1": 2, "2": 1}),
        ([1.0, 1.0, 2.0], {"1": 2, "2": 1}),
        ([1.0, N, 2.0], {"1": 1, "2": 1}),
        ([-1.0, 0.0, 1e3], {"-1": 1, "0": 1, "1000": 1}),
        (["1", "1.0", "2"], {"1": 2, "2": 1}),
        ([True, False, True], {"true": 2, "false": 1}),
        (["TRUE", "False", "true"], {"true": 2, "false": 1}),
        (["cat", None, "dog"], {"cat": 1, "dog": 1}),
        (["007", "7", "n01440764"], {"007": 1, "7": 1, "n01440764": 1}),
        (["['a', 'b']", "['a']", "['b']"], {"a": 2, "b": 2}),
        (['["a", "b"]', '["a"]', "c"], {"a": 2, "b": 1, "c": 1}),
        (["[unknown]", "a b", "(x)"], {"[unknown]": 1, "a b": 1, "(x)": 1}),
        (["sea lion", "lion", "dog"], {"sea lion": 1, "lion": 1, "dog": 1}),
    ],
)
def test_cells_are_labels_in_the_same_way(form, tmp_path, cells, expected) -> None:
    columns = {"path": [f"{i}.jpg" for i in range(len(cells))], "label": cells}
    assert counts(made(form, tmp_path, columns)) == expected


@pytest.mark.parametrize(
    ("cells", "problem"),
    [
        (["2024-03-01 00:00:00", "cat", "dog"], "is a time, no class"),
        ([0.98, 0.5, 1.0], "0.98.? is a number with a fraction, no class"),
        (["0.98", "cat", "dog"], "0.98.? is a number with a fraction, no class"),
        (["{'id': 3}", "cat", "dog"], "is no label"),
        (["['a' 'b']", "cat", "dog"], "looks like a list, and cannot be read as one"),
        (["x" * 1001, "cat", "dog"], "more than 1,000 characters"),
    ],
)
def test_what_can_be_no_label_is_refused_with_its_line(form, tmp_path, cells, problem) -> None:
    path = made(form, tmp_path, {"path": [f"{i}.jpg" for i in range(len(cells))], "label": cells})
    with pytest.raises(ManifestError, match=rf"[12] bad labels?, first at (line|row|object) [12]: .*{problem}"):
        open_manifest(path)


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["cat|dog", "cat", "dog"], {"cat": 2, "dog": 2}),
        (["cat;dog", "cat", "bird"], {"cat": 2, "dog": 1, "bird": 1}),
        (["cat, dog", "cat", "dog"], {"cat": 2, "dog": 2}),
        (["a,b", "b,c", "a,c"], {"a": 2, "b": 2, "c": 2}),
        (["cat/dog", "cat", "dog"], {"cat": 2, "dog": 2}),
        (["cat+dog", "cat", "dog"], {"cat": 2, "dog": 2}),
        (["3 5", "3", "5"], {"3": 2, "5": 2}),
    ],
)
def test_several_labels_in_a_cell_ask_for_the_separator_and_it_helps(form, tmp_path, cells, expected) -> None:
    path = made(form, tmp_path, {"path": [f"{i}.jpg" for i in range(len(cells))], "label": cells})
    with pytest.raises(ManifestError, match="cells seem to hold several labels") as caught:
        open_manifest(path)
    _, separator, _, none = options(str(caught.value))
    assert counts(path, several_separator=separator) == expected
    assert sum(counts(path, several_separator=none).values()) == 3


def test_names_with_commas_are_names(form, tmp_path) -> None:
    names = ["tench, Tinca tinca", "goldfish, Carassius auratus", "tiger shark, Galeocerdo cuvieri", "tench; x"]
    assert counts(made(form, tmp_path, {"path": list("abcd"), "label": names})) == dict.fromkeys(names, 1)


@pytest.mark.parametrize(
    "cells", [["0 1 0", "1 0 0"], ["[0, 1, 0]", "[1, 0, 0]"], ["0,1,0", "1,0,0"], ["0.0 1.0 0.0", "1. 0. 0."]]
)
def test_vectors_ask_for_one_hot_and_it_helps(form, tmp_path, cells) -> None:
    path = made(form, tmp_path, {"path": ["1.jpg", "2.jpg"], "label": cells})
    with pytest.raises(ManifestError, match=r"say --one-hot|cells seem to hold several"):
        open_manifest(path)
    assert counts(path, one_hot=True) == {"0": 1, "1": 1}


@pytest.mark.parametrize("form", ["parquet", "json lines", "json array"])
@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ([["a", "b"], ["b"], []], {"a": 1, "b": 2}),
        ([[3, 5], [3], [5, 5]], {"3": 2, "5": 2}),
        ([["cat", "cat", "dog"], ["cat"], None], {"cat": 2, "dog": 1}),
    ],
)
def test_lists_give_an_image_several_labels(form, tmp_path, cells, expected) -> None:
    path = made(form, tmp_path, {"path": ["1.jpg", "2.jpg", "3.jpg"], "label": cells})
    assert counts(path) == expected


@pytest.mark.parametrize("form", ["parquet", "json lines", "json array"])
@pytest.mark.parametrize(
    ("cells", "problem"),
    [
        ([[0, 1, 0], [1, 0, 0]], "say --one-hot"),
        ([[0, 1], [1, 0]], "say --one-hot"),
        ([[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]], "say --one-hot"),
        ([{"id": 3}, {"id": 4}], "is no label"),
        ([[{"id": 3}], [{"id": 4}]], "is no label"),
        ([[[1]], [[2]]], "is no label"),
        ([[0.5], [1.0]], "is a number with a fraction"),
    ],
)
def test_nested_cells_that_are_no_labels(form, tmp_path, cells, problem) -> None:
    path = made(form, tmp_path, {"path": ["1.jpg", "2.jpg"], "label": cells})
    with pytest.raises(ManifestError, match=problem):
        open_manifest(path)
    if "one-hot" in problem:
        assert set(counts(path, one_hot=True)) <= {"0", "1", "2"}


@pytest.mark.parametrize("one", [1, 1.0, True, "1"])
def test_columns_of_0_and_1_are_classes_where_asked(form, tmp_path, one) -> None:
    zero = type(one)(0) if not isinstance(one, str) else "0"
    columns = {
        "image": ["1.jpg", "2.jpg", "3.jpg", "4.jpg"],
        "cat": [one, zero, zero, one],
        "dog": [zero, one, zero, one],
        "split": ["train", "train", "train", "test"],
        "age": [30, 40, 50, 60],
    }
    path = made(form, tmp_path, columns)
    with pytest.raises(ManifestError, match="columns of 0 and 1: 'cat'; 'dog'") as caught:
        open_manifest(path)
    assert options(str(caught.value))[0] == "--one-hot"
    assert counts(path, one_hot=True) == {"cat": 1, "dog": 1}
    notes = open_manifest(path, one_hot=True).notes
    assert notes[0] == "2 columns of 0 and 1 are classes; left out: 'age'"
    assert "1 row without a label left out" in notes
    with pytest.raises(ManifestError, match="also hold -1: 'cat'"):
        open_manifest(made(form, tmp_path, {"image": ["1", "2"], "cat": [1, -1], "dog": [0, 1]}), one_hot=True)


def test_what_may_mean_no_label_is_named(form, tmp_path) -> None:
    if form == "xlsx":
        pytest.skip("as pandas reads none of these in a sheet")
    path = made(form, tmp_path, {"path": list("abc"), "label": ["N/A", "None", "cat"]})
    (note,) = open_manifest(path).notes
    (condition,) = re.findall(r'--where "(.*)"', note)
    assert note.startswith("'N/A', 'None' counted as a class") and counts(path, where=condition) == {"cat": 1}


def test_names_that_look_alike_are_named(form, tmp_path) -> None:
    names = ["café", "cafe\u0301", "Cat", "cat", "dog", "dog.", "sea lion", "sea_lion", "bird", "bird\u200b", "one"]
    path = made(form, tmp_path, {"path": [f"{i}" for i in range(11)], "label": names})
    (note,) = open_manifest(path).notes
    assert open_manifest(path).distribution.n_classes == 11
    for pair in (
        "'Cat' and 'cat'",
        "'dog' and 'dog.'",
        r"'cafe\u0301' and 'caf\xe9'",
        "'sea lion' and 'sea_lion'",
        r"'bird' and 'bird\u200b'",
    ):
        assert pair in note
    assert "one" not in note.split(":")[1]
