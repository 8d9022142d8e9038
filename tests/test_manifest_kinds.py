"""Layouts that look like something else: folders that are no classes, lists that are none, text that is not read."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import re
import subprocess
import tarfile
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from manifest_read import options, run
from tables_made import made

from predictor.errors import ManifestError
from predictor.manifest import list_samples, open_manifest

pytestmark = pytest.mark.usefixtures("one_engine")


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        if not name.endswith("/"):
            (root / name).touch()
        else:
            (root / name).mkdir(exist_ok=True)
    return root


def counts(path: Path, **how: object) -> dict[str, int]:
    d = open_manifest(path, **how).distribution
    found = dict(zip(d.class_names, d.class_counts.tolist(), strict=True))
    assert Counter(name for sample in list_samples(path, **how).samples for name in sample.labels) == found
    return found


# folders


@pytest.mark.parametrize(
    ("names", "problem", "instead"),
    [
        (("train/1.jpg", "test/1.jpg", "labels.csv"), "split 'train' holds 1 image in no class folder", "labels.csv"),
        (("images/1.jpg", "annotations/1.csv"), "holds 'images': folders of images, no classes", "annotations/1.csv"),
        (("train/images/1.jpg", "train/x/", "valid/images/1.jpg"), "holds 'images': folders of images", None),
        (("train2017/1.jpg", "val2017/1.jpg"), "split 'train2017' holds 1 image in no class folder", None),
        (("__MACOSX/a/1.jpg", "animals/cat/1.jpg", "animals/dog/1.jpg"), "holds one folder, 'animals'", "animals"),
        (("JPEGImages/1.jpg", "Annotations/x.txt"), "holds 'JPEGImages': folders of images, no classes", None),
        (("photos/cat/1.jpg", "photos/dog/1.jpg"), "holds one folder, 'photos'", "photos"),
        (("images/1.jpg", "masks/1.png"), "holds 'images'; 'masks': folders of images, no classes", None),
        (("data/images/cat/1.jpg", "data/images/dog/1.jpg"), "holds one folder, 'data'", "data/images"),
        (("a/cat/1.jpg", "a/dog/1.jpg", "b/cat/1.jpg", "b/dog/1.jpg"), "which all hold the folders 'cat'; 'dog'", "a"),
        (
            ("cat/train/1.jpg", "cat/val/1.jpg", "dog/train/1.jpg", "dog/val/1.jpg"),
            "hold the folders 'train'; 'val'",
            None,
        ),
        (("train/cat/1.jpg", "train/dog/1.jpg", "samples/1.jpg"), "holds split 'train' beside folders", "train"),
        (("set/train/cat/1.jpg", "set/val/cat/1.jpg"), "holds one folder, 'set'", "set"),
        (("train/train/cat/1.jpg", "train/train/dog/1.jpg", "test/1.jpg"), "holds one folder, 'train'", "train/train"),
        (
            ("web/images/cat/1.jpg", "web/images/dog/1.jpg", "lab/images/cat/1.jpg", "lab/images/dog/1.jpg"),
            "which all hold the folders 'cat'; 'dog'",
            "lab/images",
        ),
        (("img_celeba/1.jpg", "labels.csv"), "holds one folder of images, 'img_celeba', beside a table", "labels.csv"),
        (
            ("photo/dog/1.jpg", "photo/cat/1.jpg", "art/dog/1.jpg", "art/cat/1.jpg"),
            "hold the folders 'cat'; 'dog'",
            "art",
        ),
    ],
)
def test_folders_that_are_no_classes_name_what_to_give_instead(tmp_path, names, problem, instead) -> None:
    touch(tmp_path / "d", *names)
    (tmp_path / "d/labels.csv").write_text("label\ncat\n") if "labels.csv" in names else None
    (tmp_path / "d/annotations/1.csv").write_text("label\ncat\n") if "annotations/1.csv" in names else None
    with pytest.raises(ManifestError, match=re.escape(problem)) as caught:
        open_manifest(tmp_path / "d")
    if instead:
        assert str(tmp_path / "d" / instead) in str(caught.value)
        assert open_manifest(tmp_path / "d" / instead).distribution.n_samples >= 1


@pytest.mark.parametrize(
    ("names", "expected", "note"),
    [
        (
            ("train/cat/1.jpg", "train/dog/1.jpg", "logs/"),
            {"cat": 1, "dog": 1},
            "folders without an image left out: 'logs'",
        ),
        (
            ("train/cat/1.jpg", "train/dog/1.jpg", "test/1.jpg", "samples/1.jpg"),
            {"cat": 1, "dog": 1},
            "folders beside the splits left out: 'samples'",
        ),
        (("__MACOSX/cat/1.jpg", "cat/1.jpg", "dog/1.jpg"), {"cat": 1, "dog": 1}, None),
        (
            ("train/n01/images/1.jpg", "train/n02/images/1.jpg", "val/images/1.jpg"),
            {"n01": 1, "n02": 1},
            "left out: 'val'",
        ),
        (("train_images/cat/1.jpg", "test_images/cat/1.jpg"), {"cat": 1}, "split 'train_images' taken"),
        (("Training/cat/1.jpg", "Testing/cat/1.jpg"), {"cat": 1}, "split 'Training' taken; left out: 'Testing'"),
        (
            ("cat/1.jpg", "cat/2.heic", "dog/1.avif"),
            {"cat": 1},
            "2 images of kinds that are not counted left out: 1 .avif; 1 .heic",
        ),
        (("cat/1.jpg", "dog/1.avif"), {"cat": 1}, "1 class folder without an image left out: 'dog'"),
        (
            ("cat/1.jpg", "dog/1.jpg", "cat dog/1.jpg", "cat|x/1.jpg"),
            {"cat": 1, "dog": 1, "cat dog": 1, "cat|x": 1},
            None,
        ),
        (("1.5/1.jpg", "0.5/1.jpg"), {"0.5": 1, "1.5": 1}, None),
        (("images/1.jpg", "cat/1.jpg"), {"images": 1, "cat": 1}, None),
        (("cat/1.jpg",), {"cat": 1}, "one folder of images is one class: 'cat'"),
        (("train_1/cat/1.jpg", "train_2/dog/1.jpg"), {"cat": 1, "dog": 1}, "splits joined: 'train_1'; 'train_2'"),
        (
            ("train/1.jpg", "test/1.jpg", *(f"{name}/1.jpg" for name in "abcdefghi")),
            dict.fromkeys(("train", "test", *"abcdefghi"), 1),
            None,
        ),
        (("cat/@eaDir/1.jpg/thumb.jpg", "cat/1.jpg", "dog/.thumbs/1.jpg", "dog/2.JPG"), {"cat": 1, "dog": 1}, None),
    ],
)
def test_folders_that_are_classes(tmp_path, names, expected, note) -> None:
    path = touch(tmp_path, *names)
    assert counts(path) == expected
    assert note is None or any(note in each for each in open_manifest(path).notes), open_manifest(path).notes


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.tuples(st.sampled_from(["train", "val", "images", "cat", "dog", "logs", "__MACOSX"]),
                  st.sampled_from(["", "cat", "dog", "images"]),
                  st.sampled_from(["1.jpg", "2.png", "x.txt", "y.heic"])),
        min_size=1, max_size=8))  # fmt: skip
def test_no_split_container_or_junk_is_ever_a_class_beside_others(tmp_path_factory, names) -> None:
    path = touch(tmp_path_factory.mktemp("folder"), *("/".join(filter(None, each)) for each in names))
    try:
        found = set(counts(path))
    except ManifestError as error:
        assert str(path) in str(error)
        return
    assert "__MACOSX" not in found and not {"train", "val"} <= found and found != {"images"}


# lists of paths


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("img/1.jpg 0\nimg/3.jpg 0 1\n", "line 2: several numbers follow the path"),
        ("a.jpg 0 0 1 0\nb.jpg 1 0 0 0\n", "line 1: several numbers follow the path"),
        ("a.jpg 3 4 9 9 cat test\nb.jpg 3 4 9 9 dog test\n", "line 1: names and numbers follow the path"),
        ("a.jpg cat 0.98\nb.jpg dog 0.7\n", "line 1: names and numbers follow the path"),
        ("a.jpg cat train\nb.jpg dog test\n", "line 1: a label and a split follow the path"),
        ("a.jpg b.jpg 1\nc.jpg d.jpg 0\n", "line 1: another file follows the path"),
        ("a.jpg a.png\nc.jpg c.png\n", "line 1: another file follows the path"),
        ("a.jpg 0\nb.jpg 0,1\n", "line 2: several numbers follow the path"),
        (
            "".join(f"d/{i}.jpg cat\n" for i in range(150)) + "[INFO] done, loading 5\n",
            "line 151: the line begins with no path",
        ),
        ("a.jpg cat\nb.jpg cat;dog\n", "line 2: several labels or columns follow the path"),
        ("a.jpg cat dog\nb.jpg cat\nc.jpg dog\n", "cells seem to hold several labels: 'cat dog'"),
        ("a.jpg cat|dog\nb.jpg cat\n", "cells seem to hold several labels: 'cat|dog'"),
    ],
)
def test_a_list_with_more_than_a_path_and_one_label_is_refused(tmp_path, text, problem) -> None:
    path = tmp_path / "l.txt"
    path.write_text(text)
    with pytest.raises(ManifestError, match=re.escape(problem)) as caught:
        open_manifest(path)
    assert "--several-separator" in options(str(caught.value))


@pytest.mark.parametrize(
    ("text", "how", "expected"),
    [
        ("img/1.jpg\tgolden retriever\nimg/2.jpg\t\tcat\n", {}, {"golden retriever": 1, "cat": 1}),
        ("my pics/IMG 1.jpg\nmy pics/IMG 2.jpg cat\n", {}, {"cat": 1}),
        ("img 1.jpg golden retriever\nimg 2.jpg cat\n", {}, {"golden retriever": 1, "cat": 1}),
        ("/d/x.jpg.d/1 2.JPEG n01\n/d/3.png n01\n", {}, {"n01": 2}),
        ("train/cat/0001 0\ntrain/dog/0002 1\n", {}, {"0": 1, "1": 1}),
        ("file class\na.jpg cat\nb.jpg dog\n", {}, {"cat": 1, "dog": 1}),
        ("a.jpg 0 1\nb.jpg 1\n", {"several_separator": " "}, {"0": 1, "1": 2}),
        ("a.jpg 0 0 1 0\nb.jpg 1 0 0 0\n", {"one_hot": True}, {"0": 1, "2": 1}),
        ("a.jpg 0,1\nb.jpg 1\n", {"several_separator": ","}, {"0": 1, "1": 2}),
        ("pics/img 1.jpg;cat\npics/img 2.jpg;dog\n", {"header": False}, {"cat": 1, "dog": 1}),
        ("a.jpg\tcat\ttrain\nb.jpg\tdog\ttest\n", {"header": False, "label": "2"}, {"cat": 1, "dog": 1}),
        ("a.jpg 1.0\nb.jpg 1\n", {}, {"1": 2}),
    ],
)
def test_what_follows_the_path_is_the_label(tmp_path, text, how, expected) -> None:
    path = tmp_path / "l.txt"
    path.write_text(text)
    assert counts(path, **how) == expected


# several origins of one label


def shard(path: Path, *members: tuple[str, object]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, value in members:
            content = (value if isinstance(value, str) else json.dumps(value)).encode()
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def test_samples_are_found_by_their_key_and_counted_once(tmp_path) -> None:
    json_only = [(f"{i}.json", {"label": i % 2}) for i in range(2, 8)]
    path = shard(tmp_path / "a.tar", ("0.cls", "0"), ("1.cls", "1"), *json_only)
    assert counts(path) == {"0": 4, "1": 4}
    assert "labels taken from .cls and key 'label' of .json" in open_manifest(path).notes
    apart = shard(tmp_path / "b.tar", ("0.jpg", ""), ("1.jpg", ""), ("0.cls", "a"), ("1.cls", "b"))
    assert counts(apart) == {"a": 1, "b": 1} and open_manifest(apart).notes == ()
    assert [sample.image for sample in list_samples(apart).samples] == ["0.jpg", "1.jpg"]
    both = shard(tmp_path / "c.tar", ("0.cls", "3"), ("0.json", {"label": 3.0}), ("1.json", {"label": 4}))
    assert counts(both) == {"3": 1, "4": 1}


def test_origins_that_differ_are_named(tmp_path) -> None:
    whole = shard(
        tmp_path / "a.tar", *((f"{i}.{e}", v) for i in "01" for e, v in (("cls", "3"), ("json", {"label": "cat"})))
    )
    assert counts(whole) == {"3": 2} and counts(whole, label="label") == {"cat": 2}
    assert (
        open_manifest(whole).notes[0].startswith("labels taken from .cls; 2 samples have another beside it, first '0' ")
    )
    mixed = shard(tmp_path / "b.tar", ("0.cls", "3"), ("0.json", {"label": "cat"}), ("1.json", {"label": "dog"}))
    with pytest.raises(
        ManifestError, match=r"1 samples have two labels that differ, .*'3' \(\.cls\), 'cat' \(key 'label'"
    ):
        open_manifest(mixed)


def test_configurations_are_not_added_up(tmp_path) -> None:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    features = {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}
    rows = pa.table({"label": [0, 1]}).replace_schema_metadata(
        {"huggingface": json.dumps({"info": {"features": features}})}
    )
    for name in ("large", "small"):
        for split in ("train", "test"):
            (tmp_path / "d" / name).mkdir(parents=True, exist_ok=True)
            pq.write_table(rows, tmp_path / "d" / name / f"{split}-00000-of-00001.parquet")
    with pytest.raises(
        ManifestError, match=r"holds 2 configurations: 'large'; 'small'\. name one of them: .*large"
    ) as caught:
        open_manifest(tmp_path / "d")
    assert counts(Path(str(caught.value).rpartition(": ")[2])) == {"cat": 1, "dog": 1}
    (tmp_path / "d/small").rename(tmp_path / "d/default")
    assert counts(tmp_path / "d") == {"cat": 1, "dog": 1}
    assert open_manifest(tmp_path / "d").notes[0] == "configuration 'default' taken; left out: 'large'"


# text that is not read


def zipped() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("m.csv", "label\na\n")
    return stream.getvalue()


TEXT = "label,path\ncat,1.jpg\ncat,2.jpg\n"


@pytest.mark.parametrize(
    ("content", "problem", "command"),
    [
        (TEXT.encode("utf-16"), "is UTF-16 text", "iconv -f UTF-16 -t UTF-8"),
        (TEXT.encode("utf-16-le"), "is UTF-16 text", "iconv -f UTF-16LE -t UTF-8"),
        (TEXT.encode("utf-16-be"), "is UTF-16 text", "iconv -f UTF-16BE -t UTF-8"),
        (TEXT.replace("\n", "\r").encode(), "ends its lines with carriage returns alone", "tr '\\r' '\\n' < "),
        (gzip.compress(TEXT.replace("\n", "\r").encode()), "ends its lines with carriage returns alone", None),
        ((TEXT.replace("\n", "\r\n", 1)).encode(), "ends its lines in two ways, first at line 2", "tr -d '\\r' < "),
        (b"label,x\ncat,1\rdog,2\n", "has a carriage return within line 2", "tr '\\r' '\\n' < "),
        (bz2.compress(TEXT.encode()), "is packed with bzip2. unpack it: bunzip2 ", None),
        (gzip.compress(TEXT.encode("utf-16")), "is UTF-16 text", None),
        (lzma.compress(TEXT.encode()), "is packed with xz. unpack it: unxz ", None),
        (zipped(), "is a ZIP archive. unpack it: unzip ", None),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "is an old Excel file. save it as .xlsx or CSV", None),
        (b"\x93NUMPY\x01\x00", "is a NumPy file. write its labels as CSV or Parquet", None),
        (b"label," + b"x," * 40_000 + b"y\n", "has a first line of more than 65,536 bytes", None),
        (b"label\ncaf\xe9\n", "This file is not utf-8 encoded", None),
    ],
)
def test_text_that_is_not_read_says_how_to_make_it_readable(tmp_path, content, problem, command) -> None:
    path = tmp_path / "m.csv"
    path.write_bytes(content)
    with pytest.raises(ManifestError) as caught:
        open_manifest(path)
    assert problem in str(caught.value) and "Possible fixes" not in str(caught.value) and "\n" not in str(caught.value)
    if command:
        assert command in str(caught.value)
        words = str(caught.value).rpartition(": ")[2].replace("NEW", str(tmp_path / "new.csv"))
        subprocess.run(words, shell=True, check=True)
        assert "cat" in counts(tmp_path / "new.csv")


def test_words_that_begin_as_other_files_do_are_words(tmp_path) -> None:
    for header in ("ORC", "BZh", "Rar!", "%PDF"):
        (tmp_path / "m.csv").write_text(f"{header},label\n1,é\n")
        assert counts(tmp_path / "m.csv") == {"é": 1}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"label": ["cat", "cat", "dog"]}\n', "is one object of columns: 'label'"),
        ('{"path": ["a", "b"], "label": ["cat", "dog"]}', "is one object of columns: 'path'; 'label'"),
        ('{"path": {"0": "a"}, "label": {"0": "cat"}}', "is one object of columns"),
        ('{"a.jpg": "cat", "b.jpg": "dog"}', "is one object of files and their labels"),
        ('{\n  "label": "cat"\n}\n', "is one object over several lines, with keys 'label'"),
    ],
)
def test_json_that_is_one_object_is_no_row(tmp_path, text, problem) -> None:
    (tmp_path / "m.json").write_text(text)
    with pytest.raises(ManifestError, match=re.escape(problem)):
        open_manifest(tmp_path / "m.json")


@pytest.mark.parametrize("option", ["header", "sheet", "one_hot", "several_separator", "instances"])
def test_an_option_that_changes_nothing_is_refused(tmp_path, option) -> None:
    value = {"header": False, "sheet": "x", "several_separator": "|"}.get(option, True)
    said = "--no-header" if option == "header" else f"--{option.replace('_', '-')}"
    touch(tmp_path / "d", "cat/1.jpg", "dog/1.jpg")
    (tmp_path / "m.jsonl").write_text('{"label": "a"}\n')
    (tmp_path / "l.txt").write_text("1.jpg 0\n")
    for path in (tmp_path / "d", tmp_path / "m.jsonl", tmp_path / "l.txt", shard(tmp_path / "a.tar", ("0.cls", "1"))):
        if path.is_dir() or option in ("header", "sheet", "instances"):
            with pytest.raises(ManifestError, match=rf"{said} says nothing about .* leave {said} out"):
                open_manifest(path, **{option: value})


def test_the_options_are_options_of_the_command(tmp_path) -> None:
    path = made("csv", tmp_path, {"path": ["1.jpg", "2.jpg"], "label": ["a|b", "a"]})
    code, said = run(path)
    assert code and "--several-separator" in said
    assert run(path, *options(said)[:2])[1].endswith("n_samples,images,2.0\n")
    assert run(path, "--several-separator", "none")[0] == 0
    path = made("csv", tmp_path, {"image": ["1.jpg", "2.jpg"], "a": [1, 0], "b": [1, 1]})
    assert run(path, *options(run(path)[1])[:1])[1].endswith("n_samples,images,2.0\n")
