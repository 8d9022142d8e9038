"""Annotations of COCO, YOLO and Pascal VOC, and workbooks: the same boxes give the same counts in every format."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from predictor.errors import ManifestError
from predictor.manifest import list_samples, open_manifest

pytestmark = pytest.mark.usefixtures("one_engine")

Boxes = dict[str, list[str]]  # {image: class of each of its boxes}
BOXES: Boxes = {"1.jpg": ["cat", "cat", "dog"], "2.jpg": ["traffic light"], "3.jpg": [], "4.jpg": ["dog", "cat"]}
NAMES = ["cat", "dog", "traffic light"]


def coco(root: Path, boxes: Boxes, indent: int | None = None) -> Path:
    annotations = [(image, name) for image, names in boxes.items() for name in names]
    content = {
        "info": {"year": 2017, "description": "[{"},
        "images": [{"id": i, "file_name": name} for i, name in enumerate(boxes)],
        "annotations": [
            {"id": i, "image_id": list(boxes).index(image), "category_id": 10 + NAMES.index(name), "bbox": [1, 2, 3, 4]}
            for i, (image, name) in enumerate(annotations)
        ],
        "categories": [{"id": 10 + i, "name": name} for i, name in enumerate(NAMES)],
    }
    root.mkdir(parents=True, exist_ok=True)
    (root / "instances.json").write_text(json.dumps(content, indent=indent))
    return root / "instances.json"


def yolo(root: Path, boxes: Boxes, split: str = "train", before: bool = True) -> Path:
    (root / "data.yaml").parent.mkdir(parents=True, exist_ok=True)
    (root / "data.yaml").write_text("nc: 3\nnames:\n  0: cat\n  1: dog\n  2: traffic light\ntrain: images/train\n")
    for image, names in boxes.items():
        folders = [Path(split, kind) if before else Path(kind, split) for kind in ("images", "labels")]
        for folder, name in zip(folders, (image, image.replace(".jpg", ".txt")), strict=True):
            (root / folder).mkdir(parents=True, exist_ok=True)
            if name.endswith("jpg"):
                (root / folder / name).touch()
            elif names:
                (root / folder / name).write_text("".join(f"{NAMES.index(n)} 0.5 .5 0.1 1e-2\n" for n in names))
    return root


def voc(root: Path, boxes: Boxes) -> Path:
    (root / "Annotations").mkdir(parents=True)
    (root / "JPEGImages").mkdir()
    for image, names in boxes.items():
        objects = "".join(f"<object><name> {name} </name><part><name>head</name></part></object>" for name in names)
        file = root / "Annotations" / image.replace(".jpg", ".xml")
        file.write_text(f"<annotation><filename>{image}</filename>{objects}</annotation>")
        (root / "JPEGImages" / image).touch()
    return root


FORMATS = {
    "coco": coco,
    "coco indented": lambda root, boxes: coco(root, boxes, 2),
    "yolo": yolo,
    "yolo images first": lambda root, boxes: yolo(root, boxes, before=False),
    "voc": voc,
}


def counts(path: Path, **how: object) -> dict[str, int]:
    d = open_manifest(path, **how).distribution
    found = dict(zip(d.class_names, d.class_counts.tolist(), strict=True))
    assert Counter(name for sample in list_samples(path, **how).samples for name in sample.labels) == found
    return found


@pytest.mark.parametrize("make", FORMATS.values(), ids=FORMATS)
def test_an_image_has_each_of_its_classes_once_and_every_box_on_request(tmp_path, make) -> None:
    path = make(tmp_path / "set", BOXES)
    manifest = open_manifest(path)
    assert counts(path) == {"cat": 2, "dog": 2, "traffic light": 1} and manifest.distribution.n_samples == 3
    assert counts(path, several="first") == {"cat": 1, "dog": 1, "traffic light": 1}
    assert "1 image without a label left out" in manifest.notes
    assert any(note.startswith("boxes of one image taken together") for note in manifest.notes)
    boxes = open_manifest(path, instances=True)
    assert counts(path, instances=True) == {"cat": 3, "dog": 2, "traffic light": 1}
    assert boxes.distribution.n_samples == 6
    assert "every box counts: the numbers are of boxes, not of images" in boxes.notes
    assert {Path(sample.image).name for sample in list_samples(path).samples} == {"1.jpg", "2.jpg", "4.jpg"}
    with pytest.raises(ManifestError, match="--where says nothing about"):
        open_manifest(path, where="true")


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.dictionaries(
        st.integers(1, 20).map("{}.jpg".format), st.lists(st.sampled_from(NAMES), max_size=4), min_size=1, max_size=5
    )
)
def test_the_same_boxes_are_the_same_counts_in_every_format(tmp_path_factory, boxes) -> None:
    expected = Counter(name for names in boxes.values() for name in set(names))
    for name, make in FORMATS.items():
        if not expected and name.startswith("yolo"):
            continue  # a folder of images without a single box is none of YOLO
        path = make(tmp_path_factory.mktemp("boxes") / "set", boxes)
        if expected:
            assert counts(path) == expected, name
        else:
            with pytest.raises(ManifestError, match="lists no image"):
                open_manifest(path)


def test_splits_of_boxes(tmp_path) -> None:
    yolo(tmp_path / "y", BOXES)
    yolo(tmp_path / "y", {"9.jpg": ["dog"]}, "valid")
    assert counts(tmp_path / "y", split="val") == {"dog": 1} and counts(tmp_path / "y")["dog"] == 2
    assert counts(tmp_path / "y" / "data.yaml") == counts(tmp_path / "y")
    assert "split 'train' taken; left out: 'valid' (1 row)" in open_manifest(tmp_path / "y").notes
    voc(tmp_path / "v", BOXES)
    sets = tmp_path / "v/ImageSets/Main"
    sets.mkdir(parents=True)
    (sets / "train.txt").write_text("1\n2\n3\n")
    (sets / "val.txt").write_text("4 1\n")
    (sets / "trainval.txt").write_text("1\n2\n3\n4\n")
    assert counts(tmp_path / "v") == {"cat": 1, "dog": 1, "traffic light": 1}
    assert counts(tmp_path / "v", split="val") == {"cat": 1, "dog": 1}
    for split, boxes in (("train", BOXES), ("val", {"9.jpg": ["dog"]})):
        coco(tmp_path / "c", boxes).rename(tmp_path / "c" / f"instances_{split}2017.json")
    assert counts(tmp_path / "c/*.json") == {"cat": 2, "dog": 2, "traffic light": 1}
    assert counts(tmp_path / "c/*.json", split="val") == {"dog": 1}


def test_boxes_are_found_beside_many_images(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("predictor.manifest.readers.files.ENTRIES", 5)
    for make in (yolo, lambda root, boxes: yolo(root, boxes, before=False), voc):
        path = make(tmp_path / f"d{len(list(tmp_path.iterdir()))}", {f"{i}.jpg": ["cat"] for i in range(40)})
        assert counts(path) == {"cat": 40}


def test_classes_without_names_are_called_by_their_numbers(tmp_path) -> None:
    path = yolo(tmp_path, BOXES)
    (path / "data.yaml").unlink()
    assert counts(path) == {"0": 2, "1": 2, "2": 1}
    assert any("they are called by their numbers" in note for note in open_manifest(path).notes)
    (path / "classes.txt").write_text("cat\ndog\ntraffic light\n\n")
    assert counts(path) == {"cat": 2, "dog": 2, "traffic light": 1}
    (path / "classes.txt").write_text("cat\n")
    with pytest.raises(ManifestError, match=r"3 bad labels: train/labels/1.txt line 3: class 1, there are 1 names"):
        open_manifest(path)


def test_boxes_that_are_none(tmp_path) -> None:
    path = yolo(tmp_path / "y", BOXES)
    (path / "train/labels/2.txt").write_text("0 0.5 0.5\n")
    with pytest.raises(ManifestError, match=r"1 bad label: train/labels/2.txt line 1: '0 0.5 0.5' is no box"):
        open_manifest(path)
    (path / "data.yaml").write_text("names: {1: cat, 2: dog}\n")
    with pytest.raises(ManifestError, match=r"data.yaml: names classes that are not numbered from 0"):
        open_manifest(path)
    path = voc(tmp_path / "v", BOXES)
    (path / "Annotations/5.xml").write_text("<annotation><object>")
    with pytest.raises(ManifestError, match=r"1 bad label: Annotations/5.xml is no XML"):
        open_manifest(path)
    path = coco(tmp_path / "c", BOXES)
    content = json.loads(path.read_text())
    for change, problem in (
        ({"image_id": 99}, r"annotations\[0\] is of image '99', which is not there"),
        ({"category_id": 99}, r"annotations\[0\] is of category '99', which is not there"),
    ):
        rows = [{**content["annotations"][0], **change}, *content["annotations"][1:]]
        path.write_text(json.dumps({**content, "annotations": rows}))
        with pytest.raises(ManifestError, match=problem):
            open_manifest(path)
    path.write_text(json.dumps({**content, "images": [*content["images"], content["images"][0]]}))
    with pytest.raises(ManifestError, match=r"images\[4\] has the id of another image, '0'"):
        open_manifest(path)
    path.write_text(json.dumps({**content, "annotations": [{"image_id": 0, "caption": "a cat"}]}))
    with pytest.raises(ManifestError, match="its annotations name no 'category_id'"):
        open_manifest(path)
    path.write_text(json.dumps(content)[:-20])
    with pytest.raises(ManifestError, match=r"instances.json: is no JSON: .* line 1 column \d+"):
        open_manifest(path)


def test_lines_of_json_with_annotations_are_lines(tmp_path) -> None:
    path = tmp_path / "m.jsonl"
    path.write_text('{"label": "a", "annotations": []}\n{"label": "b", "annotations": []}\n')
    assert counts(path) == {"a": 1, "b": 1}


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_damaged_annotations_are_a_result_or_one_error(tmp_path_factory, data) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    path = FORMATS[data.draw(st.sampled_from(sorted(FORMATS)))](folder / "set", BOXES)
    files = [path] if path.is_file() else sorted(f for f in path.rglob("*") if f.is_file() and f.suffix != ".jpg")
    file = data.draw(st.sampled_from(files))
    content = bytearray(file.read_bytes())
    at = data.draw(st.integers(0, len(content)))
    content[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    file.write_bytes(content)
    try:
        assert open_manifest(path).distribution.n_samples > 0
    except ManifestError as error:
        assert str(folder) in str(error)


# workbooks


def test_one_of_several_sheets_is_named(tmp_path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.title = "train set"
    for row in (["path", "label", None], ["1.jpg", 3], [], ["2.jpg", 3.0], ["3.jpg", "cat"], ["4.jpg", None]):
        book.active.append(row)
    book.save(tmp_path / "m.xlsx")
    assert counts(tmp_path / "m.xlsx") == {"3": 2, "cat": 1}
    with pytest.raises(ManifestError, match=r"1 row without a label: row 6"):
        open_manifest(tmp_path / "m.xlsx", missing="error")
    book.create_sheet("test").append(["label"])
    book.save(tmp_path / "m.xlsx")
    with pytest.raises(ManifestError, match=r"""has 2 sheets: 'train set', 'test'\. name one: --sheet "train set"$"""):
        open_manifest(tmp_path / "m.xlsx")
    assert counts(tmp_path / "m.xlsx", sheet="train set") == {"3": 2, "cat": 1}
    with pytest.raises(ManifestError, match=r"no sheet 'x'; found 'train set', 'test'"):
        open_manifest(tmp_path / "m.xlsx", sheet="x")
    content = (tmp_path / "m.xlsx").read_bytes()
    (tmp_path / "m.xlsx").write_bytes(content[: len(content) // 2])
    with pytest.raises(ManifestError, match=r"m.xlsx: is no readable workbook"):
        open_manifest(tmp_path / "m.xlsx")


def test_without_openpyxl_it_is_said(tmp_path, monkeypatch) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    openpyxl.Workbook().save(tmp_path / "m.xlsx")
    monkeypatch.setitem(__import__("sys").modules, "openpyxl", None)
    with pytest.raises(ManifestError, match=r"is a workbook, which openpyxl reads\. install it: pip install openpyxl"):
        open_manifest(tmp_path / "m.xlsx")
