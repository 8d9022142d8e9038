"""Hugging Face data sets on disk, in the layouts (files, keys, schemas) that datasets 5.2.0 writes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from manifest_read import reading

from predictor.errors import ManifestError
from predictor.manifest.counted import CountedLabels, ManifestRequest
from predictor.manifest.readers import hugging_face
from predictor.manifest.readers.hugging_face import recognises

read = reading(hugging_face)

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

NAMES = ["cat", "dog", "été"]
LABEL = {"names": NAMES, "_type": "ClassLabel"}
IMAGE = {"_type": "Image"}
TEXT = {"dtype": "string", "_type": "Value"}
FEATURES = {"image": IMAGE, "label": LABEL}
IMAGE_TYPE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def table(labels: list, features: dict = FEATURES, kind: pa.DataType | None = None, **more: list) -> pa.Table:
    """Images and labels, with the features in the schema as `datasets` puts them there."""
    images = pa.array([{"bytes": b"\x89PNG", "path": None}] * len(labels), IMAGE_TYPE)
    columns = {"image": images, "label": pa.array(labels, kind or pa.int64()), **more}
    metadata = {"huggingface": json.dumps({"info": {"features": features}} if features else {})}
    return pa.table(columns).replace_schema_metadata(metadata)


def stream(rows: pa.Table, path: Path, chunk: int = 2) -> None:
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_table(rows, max_chunksize=chunk)


def saved(folder: Path, rows: pa.Table, features: dict = FEATURES, shards: int = 1, split: str | None = None) -> Path:
    """As Dataset.save_to_disk."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"data-{i:05d}-of-{shards:05d}.arrow" for i in range(shards)]
    size = -(-len(rows) // shards)
    for i, name in enumerate(names):
        stream(rows.slice(i * size, size), folder / name)
    state = {
        "_data_files": [{"filename": name} for name in names],
        "_fingerprint": "ab3f91f858e966ca",
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": split,
    }
    info = {"citation": "", "description": "", "features": features, "homepage": "", "license": ""}
    (folder / "state.json").write_text(json.dumps(state, indent=2))
    (folder / "dataset_info.json").write_text(json.dumps(info, indent=2))
    return folder


def counts(path: Path, **how: str) -> dict[str, int]:
    return {name: n for name, _, n in read(path, ManifestRequest(**how)).rows}


def test_class_labels_count_under_their_names(tmp_path) -> None:
    path = saved(tmp_path / "d", table([0, 1, 1, 2, None, -1]), shards=3)
    counted = read(path, ManifestRequest())
    assert sorted(counted.rows) == [("cat", "", 1), ("dog", "", 2), ("été", "", 1)] and counted.n_samples == 4
    assert counted.notes == ("2 images without a label left out",) and recognises(path, b"")
    with pytest.raises(
        ManifestError, match=r"2 images without a label: data-00002-of-00003.arrow: row 1; .* row 2. label them"
    ):
        read(path, ManifestRequest(missing="error"))


def test_a_dictionary_of_splits(tmp_path) -> None:
    saved(tmp_path / "train", table([0, 0, 1]), split="train")
    saved(tmp_path / "test", table([2]), split="test")
    (tmp_path / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    counted = read(tmp_path, ManifestRequest())
    assert {name: n for name, _, n in counted.rows} == {"cat": 2, "dog": 1}
    assert counted.notes == ("split 'train' taken; left out: 'test'",) and recognises(tmp_path, b"")
    assert counts(tmp_path, split="test") == {"été": 1}
    assert counts(tmp_path, split="all") == {"cat": 2, "dog": 1, "été": 1}
    assert counts(tmp_path / "test") == {"été": 1}  # the folder of one split is a data set of its own
    with pytest.raises(ManifestError, match="no split 'val'; found 'test'; 'train'"):
        read(tmp_path, ManifestRequest(split="val"))


def test_the_cache_of_load_dataset(tmp_path) -> None:
    stream(table([0, 1]), tmp_path / "mnist-train-00000-of-00002.arrow")
    stream(table([1]), tmp_path / "mnist-train-00001-of-00002.arrow")
    stream(table([2]), tmp_path / "mnist-test.arrow")
    stream(table([2] * 9), tmp_path / "cache-ab3f91f858e966ca.arrow")
    (tmp_path / "dataset_info.json").write_text(json.dumps({"features": FEATURES, "splits": {"train": {}}}))
    assert recognises(tmp_path, b"") and counts(tmp_path) == {"cat": 1, "dog": 2}
    assert counts(tmp_path, split="test") == {"été": 1}


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("data/train-00000-of-00001.parquet", "data/test-00000-of-00001.parquet"),  # push_to_hub
        ("default/train/0000.parquet", "default/test/0000.parquet"),  # the branch refs/convert/parquet
        ("train.parquet", "test.parquet"),
    ],
)
def test_parquet_of_the_hub(tmp_path, train, test) -> None:
    for name, labels in ((train, [0, 1, -1]), (test, [2])):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table(labels), tmp_path / name)
    assert recognises(tmp_path, b"") and counts(tmp_path) == {"cat": 1, "dog": 1}
    assert counts(tmp_path, split="test") == {"été": 1}
    file = tmp_path / train
    assert recognises(file, file.read_bytes()[:65536]) and counts(file) == {"cat": 1, "dog": 1}


def test_parquet_without_features_is_a_table_and_no_data_set(tmp_path) -> None:
    path = tmp_path / "train.parquet"
    pq.write_table(table([0, 1]).replace_schema_metadata({}), path)
    assert not recognises(path, path.read_bytes()[:65536]) and not recognises(tmp_path, b"")


@pytest.mark.parametrize("kind", ["List", "LargeList", "Sequence", None])
@pytest.mark.parametrize("parquet", [False, True])
def test_lists_of_labels_count_an_image_for_each(tmp_path, kind, parquet) -> None:
    feature = [LABEL] if kind is None else {"feature": LABEL, "_type": kind}
    rows = table([[0, 1], [], None, [1], [-1]], {"label": feature}, pa.list_(pa.int64()))
    if parquet:
        pq.write_table(rows, tmp_path / "train-00000-of-00001.parquet")
    path = tmp_path if parquet else saved(tmp_path / "d", rows, {"label": feature})
    counted = read(path, ManifestRequest())
    assert sorted(counted.rows) == [("cat", "", 1), ("dog", "", 2)] and counted.n_samples == 2
    assert counts(path, several="first") == {"cat": 1, "dog": 1}
    assert counted.notes == (
        "3 images without a label left out",
        "3 labels on 2 images: each counts once for every label it has; with --several first, once in all",
    )


def test_text_and_numbers_without_names(tmp_path) -> None:
    rows = table([7, 7, -1, None], {"label": {"dtype": "int64", "_type": "Value"}})
    assert counts(saved(tmp_path / "n", rows, {"label": {"dtype": "int64", "_type": "Value"}})) == {"7": 2, "-1": 1}
    rows = table([" été ", "été", "", None, "a, b"], {"label": TEXT}, pa.string())
    counted = read(saved(tmp_path / "t", rows, {"label": TEXT}), ManifestRequest())
    assert dict((name, n) for name, _, n in counted.rows) == {"été": 2, "a, b": 1}
    assert counted.notes == ("2 images without a label left out",)


def test_which_column_holds_the_label(tmp_path) -> None:
    fine = {"names": ["apple", "bear"], "_type": "ClassLabel"}
    rows = table([0, 1], {}).rename_columns(["image", "coarse"]).append_column("fine", pa.array([1, 1]))
    path = saved(tmp_path / "one", rows, {"image": IMAGE, "coarse": {"dtype": "int64", "_type": "Value"}, "fine": fine})
    assert counts(path) == {"bear": 2} and counts(path, label="coarse") == {"0": 1, "1": 1}
    path = saved(tmp_path / "two", rows, {"image": IMAGE, "coarse": LABEL, "fine": fine})
    with pytest.raises(ManifestError, match=r"columns 'coarse'; 'fine' all hold classes; .* name one with --label"):
        read(path, ManifestRequest())
    assert counts(path, label="coarse") == {"cat": 1, "dog": 1}
    with pytest.raises(ManifestError, match=r"column 'image' holds no labels; columns that may hold labels: 'coarse'"):
        read(path, ManifestRequest(label="image"))
    with pytest.raises(ManifestError, match=r"no column 'lable'; columns that may hold labels"):
        read(path, ManifestRequest(label="lable"))


@pytest.mark.parametrize("parquet", [False, True])
def test_where_filters_and_opens_nothing(tmp_path, parquet) -> None:
    rows = table([0, 1, 2], {**FEATURES, "Size": TEXT}, Size=pa.array([10, 20, 30]), word=pa.array(["a", "b", "c"]))
    pq.write_table(rows, tmp_path / "train-00000-of-00001.parquet")
    path = tmp_path if parquet else saved(tmp_path / "d", rows)
    assert counts(path, where="size >= 20 -- px") == {"dog": 1, "été": 1}
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    for where, why in (
        (f"exists(SELECT * FROM read_csv('{secret}'))", "holds a query"),
        (f"exists(SELECT * FROM '{secret}')", "holds a query"),
        (f"true; COPY (SELECT 1) TO '{tmp_path}/out.csv'", "is not one SQL condition"),
        ("true; SET enable_external_access = true", "is not one SQL condition"),
        ("widht > 3", "does not fit: Binder Error"),
        ("word::INT > 3", "does not fit: Conversion Error"),
    ):
        with pytest.raises(ManifestError) as caught:
            read(path, ManifestRequest(where=where))
        assert str(caught.value).startswith(f"--where: {where!r} {why}")
    assert not (tmp_path / "out.csv").exists()


def test_labels_without_a_name_are_collected(tmp_path) -> None:
    path = saved(tmp_path / "d", table([0, *range(3, 15), 3]))
    with pytest.raises(ManifestError) as caught:
        read(path, ManifestRequest())
    text = str(caught.value)
    assert (
        "data-00000-of-00001.arrow: 13 bad labels, first at row 2: 3 stands for no class, there are 3 names; row 3"
        in text
    )
    assert "; and 3 more" in text


def test_only_the_columns_needed_are_read(tmp_path) -> None:
    """A damaged image does not matter, a damaged label would."""
    rows = table([0, 1], FEATURES, word=pa.array(["MARKER", "x"]))
    path = saved(tmp_path / "d", rows)
    file = path / "data-00000-of-00001.arrow"
    content = file.read_bytes()
    file.write_bytes(content.replace(b"MARKER", b"\xff\xff\xff\xff\xff\xff"))
    assert counts(path) == {"cat": 1, "dog": 1}
    with pytest.raises(ManifestError, match=r"data-00000-of-00001.arrow: is not readable: .*UTF8"):
        read(path, ManifestRequest(where="word = 'x'"))


@pytest.mark.parametrize("name", ["../secret.arrow", "/etc/passwd", "..", "", None, "a/b", "x\0"])
def test_a_description_cannot_name_files_elsewhere(tmp_path, name) -> None:
    path = saved(tmp_path / "d", table([0]))
    stream(table([1]), tmp_path / "secret.arrow")
    (path / "state.json").write_text(json.dumps({"_data_files": [{"filename": name}]}))
    with pytest.raises(ManifestError, match=r"state.json: names .*, which is no file beside it"):
        read(path, ManifestRequest())
    (tmp_path / "dataset_dict.json").write_text(json.dumps({"splits": [name]}))
    with pytest.raises(ManifestError, match=r"dataset_dict.json: names .*, which is no file beside it"):
        read(tmp_path, ManifestRequest())


@pytest.mark.parametrize(
    ("file", "content", "found"),
    [
        ("state.json", "{", "is no JSON"),
        ("state.json", "[]", "is no JSON object"),
        ("state.json", "{}", "names no '_data_files'"),
        (
            "state.json",
            '{"_data_files": [{"filename": "gone.arrow"}]}',
            "names 'gone.arrow', and there is no such file",
        ),
        ("state.json", '{"_data_files": [], "_indices_files": [1]}', "selects rows by indices"),
        ("state.json", "[" * 100_000, "is no JSON"),
        ("dataset_info.json", "{", "has features that are no JSON"),
        ("data-00000-of-00001.arrow", b"NAME", "is not readable: Invalid Input Error: Invalid unicode"),
        ("data-00000-of-00001.arrow", "no arrow", "is not readable"),
        ("data-00000-of-00001.arrow", "", "is not readable"),
    ],
)
def test_damaged_folders(tmp_path, file, content, found) -> None:
    path = saved(tmp_path / "d", table([0]).replace_schema_metadata({}))
    if content == b"NAME":  # of a column, that is no text
        content = (path / file).read_bytes().replace(b"label", b"l\xff\xff\xffl")
    (path / file).write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(ManifestError) as caught:
        read(path, ManifestRequest())
    assert str(path / file) in str(caught.value) and found in str(caught.value)


def test_an_arrow_file_cut_off(tmp_path) -> None:
    path = saved(tmp_path / "d", table(list(range(3)) * 100))
    file = path / "data-00000-of-00001.arrow"
    file.write_bytes(file.read_bytes()[:-900])
    with pytest.raises(ManifestError, match=r"arrow: is not readable: .* copy or write the file again"):
        read(path, ManifestRequest())


def test_arrow_with_an_end_is_read_too(tmp_path) -> None:
    path = tmp_path / "a.arrow"
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table([0]).schema) as writer:
        writer.write_table(table([0, 2, 2]))
    assert recognises(path, path.read_bytes()) and counts(path) == {"cat": 1, "été": 2}


def test_without_pyarrow_it_is_said(tmp_path, monkeypatch) -> None:
    path = saved(tmp_path / "d", table([0]))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ManifestError, match=r"is an Arrow file, which pyarrow reads. install it: pip install pyarrow"):
        read(path, ManifestRequest())


def test_columns_play_the_roles_that_they_play_in_every_table(tmp_path) -> None:
    rows = table([0, 1], n=pa.array([5, 7]), split=pa.array(["train", "test"]), source=pa.array(["x", "y"]))
    path = saved(tmp_path / "d", rows)
    assert read(path, ManifestRequest(count="n")).rows == [("cat", "x", 5)]
    assert sorted(read(path, ManifestRequest(weight="n", split="all")).rows) == [("cat", "x", 5), ("dog", "y", 7)]
    with pytest.raises(ManifestError, match=r"missing column 'm'; found .*'n'"):
        read(path, ManifestRequest(count="m"))


def _bytes_of(rows: pa.Table, parquet: bool) -> bytes:
    sink = pa.BufferOutputStream()
    if parquet:
        pq.write_table(rows, sink)
    else:
        with pa.ipc.new_stream(sink, rows.schema) as writer:
            writer.write_table(rows, max_chunksize=2)
    return sink.getvalue().to_pybytes()


TEXTS = table(["a", "b", None], {"label": TEXT}, pa.string())
VALID = [_bytes_of(rows, parquet) for rows in (table([0, 1, 2]), TEXTS) for parquet in (False, True)]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Bytes of a file of rows, some of them changed, and maybe cut off."""
    content = bytearray(draw(st.sampled_from(VALID)))
    for _ in range(draw(st.integers(0, 5))):
        at = draw(st.integers(4, len(content) - 1))
        content[at] = draw(st.integers(0, 255))
    return bytes(content[: draw(st.integers(4, len(content)))]) if draw(st.booleans()) else bytes(content)


@settings(max_examples=100)
@given(content=st.one_of(st.binary(max_size=500), damaged()))
def test_any_bytes_give_a_result_or_one_error(tmp_path_factory, content) -> None:
    path = tmp_path_factory.getbasetemp() / "a.arrow"
    path.write_bytes(content)
    assert recognises(path, content) or content.startswith(b"PAR1")  # which the reader of Parquet takes
    try:
        assert isinstance(read(path, ManifestRequest()), CountedLabels)
    except ManifestError as error:
        assert str(path) in str(error)
    path = tmp_path_factory.getbasetemp() / "folder"
    path.mkdir(exist_ok=True)
    for name in ("state.json", "dataset_info.json"):
        (path / name).write_bytes(content)
    with pytest.raises(ManifestError):
        read(path, ManifestRequest())
