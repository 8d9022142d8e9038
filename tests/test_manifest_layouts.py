"""One data set in every layout that is read: the same labels give the same distribution, the same faults one error."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import tarfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from predictor.cli.indicators_command import command
from predictor.distribution import LabelDistribution
from predictor.errors import ManifestError
from predictor.manifest import list_samples, open_manifest
from predictor.manifest.readers import READERS, reader_of

pytestmark = pytest.mark.usefixtures("one_engine")
Label = str | None
LABELS: list[Label] = [
    "n01440764",
    "7",
    "7",
    "007",
    "Chat_Été",
    "犬",
    "cat's",
    "n01440764",
    "NULL",
    "true",
    "-3",
    "1e3",
]
BLANK: list[Label] = [
    "chat été",
    "a, b",
    'the "big" one',
    "sea lion",
    "x;y",
    "#1",
    "{a}",
]  # no list of paths holds these


def delimited(delimiter: str, pack: Callable[[bytes], bytes] = bytes) -> Callable[[Path, list[Label]], Path]:
    def make(root: Path, labels: list[Label]) -> Path:
        text = io.StringIO()
        rows = csv.writer(text, delimiter=delimiter)
        rows.writerow(["path", "label"])
        rows.writerows([f"../{i}.jpg", label] for i, label in enumerate(labels))
        (root / "m").write_bytes(pack(text.getvalue().encode()))
        return root / "m"

    return make


def count_table(root: Path, labels: list[Label]) -> Path:
    with (root / "counts.csv").open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(["label", "count"])
        rows.writerows(Counter(labels).items())
    return root / "counts.csv"


def duck(root: Path, labels: list[Label], path: Path, how: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE m (path VARCHAR, label VARCHAR)")
        connection.executemany("INSERT INTO m VALUES (?, ?)", [[f"{i}.jpg", each] for i, each in enumerate(labels)])
        connection.execute(f"COPY m TO '{path}' ({how})")
    return path


def zstd(root: Path, labels: list[Label]) -> Path:
    return duck(root, labels, root / "m.csv.zst", "FORMAT csv, COMPRESSION zstd")


def parquet(root: Path, labels: list[Label]) -> Path:
    return duck(root, labels, root / "m.parquet", "FORMAT parquet")


def parquet_folder(root: Path, labels: list[Label]) -> Path:
    duck(root, labels[::2], root / "parts/a/0.parquet", "FORMAT parquet")
    duck(root, labels[1::2], root / "parts/b/0.parquet", "FORMAT parquet")
    return root / "parts"


def json_lines(root: Path, labels: list[Label]) -> Path:
    rows = [{"id": i, "label": label} for i, label in enumerate(labels)]
    (root / "m.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return root / "m.jsonl"


def json_array(root: Path, labels: list[Label]) -> Path:
    (root / "m.json").write_text(json.dumps([{"id": i, "label": label} for i, label in enumerate(labels)], indent=2))
    return root / "m.json"


def workbook(root: Path, labels: list[Label]) -> Path:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in (["path", "label"], *([f"{i}.jpg", label] for i, label in enumerate(labels))):
        book.active.append(row)
    book.save(root / "m.xlsx")
    return root / "m.xlsx"


def path_list(root: Path, labels: list[Label]) -> Path:
    (root / "m.txt").write_text("".join(f"/data/a b/{i}.jpg {label}\n" for i, label in enumerate(labels)))
    return root / "m.txt"


def image_folder(root: Path, labels: list[Label]) -> Path:
    for i, label in enumerate(labels):
        file = root / "images" / str(label) / f"{i}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return root / "images"


def split_folder(root: Path, labels: list[Label]) -> Path:
    folder = image_folder(root, labels)
    (root / "set").mkdir(exist_ok=True)
    folder.rename(root / "set" / "train")
    (root / "set/val/x").mkdir(parents=True)
    (root / "set/val/x/0.jpg").touch()
    return root / "set"


def shards(ending: str, pack: Callable[[bytes], bytes] = bytes) -> Callable[[Path, list[Label]], Path]:
    def make(root: Path, labels: list[Label]) -> Path:
        (root / "shards").mkdir()
        for part in range(2):
            stream = io.BytesIO()
            with tarfile.open(fileobj=stream, mode="w") as archive:
                for i, label in list(enumerate(labels))[part::2]:
                    text = json.dumps({"label": label}) if ending == "json" else label or ""
                    for name, content in ((f"d/{i}.jpg", b"\xff\xd8"), (f"d/{i}.{ending}", text.encode())):
                        info = tarfile.TarInfo(name)
                        info.size = len(content)
                        archive.addfile(info, io.BytesIO(content))
            name = f"{part:06d}.tar" + (".gz" if pack is not bytes else "")
            (root / "shards" / name).write_bytes(pack(stream.getvalue()))
        return root / "shards"

    return make


def hugging_face(kind: str, parquet_file: bool = False) -> Callable[[Path, list[Label]], Path]:
    def make(root: Path, labels: list[Label]) -> Path:
        pa = pytest.importorskip("pyarrow")
        names = list(dict.fromkeys(label for label in labels if label and label.strip()))
        known = kind == "ClassLabel"
        feature = {"_type": kind, "names": names} if known else {"_type": kind, "dtype": "string"}
        cells = [(names.index(each) if each in names else -1 if each else None) for each in labels] if known else labels
        schema = pa.schema(
            [("label", pa.int64() if known else pa.string())],
            {"huggingface": json.dumps({"info": {"features": {"label": feature}}})},
        )
        rows = pa.table([pa.array(cells, schema.field(0).type)], schema=schema)
        folder = root / "data"
        folder.mkdir()
        if parquet_file:
            import pyarrow.parquet as pq

            pq.write_table(rows, folder / "train-00000-of-00001.parquet")
            return root
        with pa.OSFile(str(folder / "data-00000-of-00001.arrow"), "wb") as sink, pa.ipc.new_stream(sink, schema) as out:
            out.write_table(rows, max_chunksize=3)
        (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}))
        (folder / "dataset_info.json").write_text(json.dumps({"features": {"label": feature}}))
        return folder

    return make


Maker = Callable[[Path, list[Label]], Path]
TABLES: dict[str, Maker] = {
    "csv": delimited(","),
    "tsv": delimited("\t"),
    "semicolons": delimited(";"),
    "csv.gz": delimited(",", gzip.compress),
    "csv.zst": zstd,
    "counts": count_table,
    "parquet": parquet,
    "parquet folder": parquet_folder,
    "json lines": json_lines,
    "json array": json_array,
    "xlsx": workbook,
}
OTHERS: dict[str, Maker] = {
    "shards .cls": shards("cls"),
    "shards .json": shards("json"),
    "shards .tar.gz": shards("cls", gzip.compress),
    "Hugging Face ClassLabel": hugging_face("ClassLabel"),
    "Hugging Face text": hugging_face("Value"),
    "Hugging Face Parquet": hugging_face("ClassLabel", parquet_file=True),
    "Hugging Face Parquet text": hugging_face("Value", parquet_file=True),
}
FOLDERS: dict[str, Maker] = {"image folder": image_folder, "split folder": split_folder}
LAYOUTS = TABLES | OTHERS | FOLDERS


def expected(labels: list[Label]) -> LabelDistribution:
    return LabelDistribution.from_counts(Counter(label for label in labels if label))


@pytest.mark.parametrize("layout", [*LAYOUTS, "list of paths"])
def test_labels_are_the_same_in_every_layout(tmp_path, layout) -> None:
    """Integers, text that looks like a number or a missing value, wnids, unicode."""
    path = (LAYOUTS | {"list of paths": path_list})[layout](tmp_path, LABELS)
    assert open_manifest(path).distribution.digest == expected(LABELS).digest
    assert reader_of(path) in READERS
    if layout != "counts":  # the images behind the counts
        listing = list_samples(path)
        assert Counter(name for sample in listing.samples for name in sample.labels) == Counter(LABELS)
        assert listing.notes == open_manifest(path).notes
        assert len({(sample.file, sample.row) for sample in listing.samples}) == len(LABELS)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_labels_with_blanks_commas_and_quotes(tmp_path, layout) -> None:
    path = LAYOUTS[layout](tmp_path, LABELS + BLANK)
    manifest = open_manifest(path)
    assert manifest.distribution.digest == expected(LABELS + BLANK).digest
    assert manifest.distribution.n_samples == len(LABELS) + len(BLANK)


@pytest.mark.parametrize("layout", TABLES | OTHERS)
def test_blanks_around_labels_are_dropped_and_missing_labels_counted(tmp_path, layout) -> None:
    labels = [" cat", "cat ", "cat", None, "  ", "dog"] if layout != "counts" else [" cat ", None, "dog"]
    path = LAYOUTS[layout](tmp_path, labels)
    manifest = open_manifest(path)
    names = manifest.distribution.class_names
    assert tuple(names) == ("cat", "dog")
    missing = 1 if layout == "counts" else 2
    assert any(note.startswith((f"{missing} row", f"{missing} image")) for note in manifest.notes), manifest.notes
    with pytest.raises(ManifestError, match=rf"{missing} (row|image)s? without a label.*--missing drop"):
        open_manifest(path, missing="error")


NAMES = st.text(st.sampled_from("ab é01-_."), min_size=1, max_size=4).filter(lambda name: name.strip(" .") == name)
TWO = ("csv", "parquet", "json lines", "xlsx", "image folder", "shards .cls", "shards .json", "Hugging Face text")


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(NAMES | st.sampled_from(["1", "1.0", "01", "True", "NaN", "cat"]), min_size=1, max_size=6))
@example(["1", "1.0", "2"])
@example(["True", "true"])
def test_two_readings_of_one_content_agree(tmp_path_factory, labels) -> None:
    """Whatever layout: the same classes with the same counts, or every one but folders refuses a fraction."""
    found = {}
    for layout in TWO:
        path = LAYOUTS[layout](tmp_path_factory.mktemp("two"), list(labels))
        try:
            how = {} if layout in FOLDERS else {"several_separator": "none"}
            found[layout] = open_manifest(path, **how).distribution.rows()
        except ManifestError as error:
            assert "is a number with a fraction" in str(error)
    fraction = any(re.fullmatch(r"-?(\d+\.\d*|\.\d+|\d+e-\d+)", label) for label in labels)
    assert len({str(rows) for rows in found.values()}) == 1
    assert len(found) == len(TWO) or fraction


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_command_reads_every_layout(tmp_path, layout) -> None:
    path = LAYOUTS[layout](tmp_path, ["a", "a", "b"])
    found = CliRunner().invoke(command, [str(path), "--name", "n_samples", "--name", "n_classes", "--format", "json"])
    assert found.exit_code == 0, found.output
    values = json.loads(found.stdout)["manifests"][0]["indicators"]
    assert [value["value"] for value in values] == [3, 2]


@pytest.mark.parametrize("layout", TABLES | OTHERS)
def test_a_text_is_no_label(tmp_path, layout) -> None:
    if "ClassLabel" in layout or layout == "Hugging Face Parquet":
        pytest.skip("its names stand in the description")
    path = LAYOUTS[layout](tmp_path, ["a", "x" * 1_001])
    with pytest.raises(ManifestError, match=r"1,00[01] characters"):
        open_manifest(path)


def test_parts_in_different_layouts_add_up(tmp_path) -> None:
    paths = []
    for i, (layout, labels) in enumerate([("csv", ["a", "b"]), ("shards .cls", ["a"]), ("image folder", ["c", "a"])]):
        (tmp_path / str(i)).mkdir()
        paths.append(str(LAYOUTS[layout](tmp_path / str(i), labels)))
    found = CliRunner().invoke(command, [*paths, "--merge", "--name", "n_samples", "--format", "json"])
    assert json.loads(found.stdout)["manifests"][0]["n_samples"] == 5


@pytest.mark.parametrize("layout", [layout for layout in LAYOUTS if layout not in ("counts", "csv.zst", "xlsx")])
def test_any_damage_to_any_layout_is_a_result_or_one_error(tmp_path_factory, layout) -> None:
    base = tmp_path_factory.mktemp("made")
    path = LAYOUTS[layout](base, ["a", "b", "a", "é"])
    files = sorted(file for file in base.rglob("*") if file.is_file() and file.suffix != ".jpg")
    if not files:
        pytest.skip("nothing but names")
    whole = {file: file.read_bytes() for file in files}

    @settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(which=st.integers(0, len(files) - 1), data=st.data())
    def damaged(which: int, data: st.DataObject) -> None:
        file = files[which]
        content = bytearray(whole[file])
        for _ in range(data.draw(st.integers(1, 4))):
            at = data.draw(st.integers(0, len(content) - 1))
            content[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
        file.write_bytes(content)
        try:
            assert open_manifest(path).distribution.n_samples > 0
        except ManifestError as error:
            assert str(base) in str(error) and "\n" not in str(error)
        finally:
            file.write_bytes(whole[file])

    damaged()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=2000), name=st.sampled_from(["m", "m.csv", "m.parquet", "m.jsonl", "m.txt", "m.tar"]))
@example(content=b"PAR1", name="m")
@example(content=b"\x1f\x8b\x08", name="m.csv")
@example(content=b"\x28\xb5\x2f\xfd", name="m")
@example(content=b"\xff\xff\xff\xff", name="m")
@example(content=b"ARROW1\0\0", name="m")
@example(content=b"{", name="m.jsonl")
def test_any_bytes_under_any_name_are_a_result_or_one_error(tmp_path, content, name) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    try:
        assert open_manifest(path).distribution.n_samples > 0
    except ManifestError as error:
        assert str(path) in str(error)
