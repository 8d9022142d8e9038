"""JSON lines, lists of paths, Open Images, Parquet folders, patterns, packed files and standard input."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner

from predictor.cli.indicators_command import command
from predictor.errors import ManifestError
from predictor.manifest import open_manifest, read_manifest
from predictor.manifest.readers import READERS, delimited, parquet, path_list, reader_of, text

pytestmark = pytest.mark.usefixtures("one_engine")

MANIFESTS = Path(__file__).parents[2] / "shared" / "data" / "manifests"
OPEN_IMAGES = """ImageID,Source,LabelName,Confidence
000002b66c9c498e,verification,/m/01g317,1
000002b66c9c498e,crowdsource-verification,/m/01g317,1
000002b66c9c498e,verification,/m/04yx4,1
000002b97e5471a0,verification,/m/01g317,0
000002c707c9895e,machine,/m/04yx4,0.7
"""


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def copy(sql: str, path: Path, options: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    duckdb.sql(f"COPY ({sql}) TO '{path}' ({options})")
    return path


def counts(path: Path, **how: str) -> dict[str, int]:
    d = read_manifest(path, **how)
    return dict(zip(d.class_names, d.class_counts.tolist(), strict=True))


def test_every_reader_says_what_it_reads() -> None:
    assert len(set(READERS)) == len(READERS)
    assert all(reader.__doc__ and reader.opened.__doc__ and reader.recognises.__doc__ for reader in READERS)


def test_json_lines(tmp_path) -> None:
    rows = [{"label": "cat, wild", "n": 2}, {"n": 1, "label": " été "}, {"label": 7}, {"label": None}, {}, {"label": 7}]
    lines = "\n".join(json.dumps(row) for row in rows)
    for path, content in (("m.jsonl", lines), ("m.txt", lines + "\n"), ("m.json", json.dumps(rows))):
        manifest = open_manifest(write(tmp_path / path, content))
        assert manifest.distribution.rows() == [("7", "", 2), ("cat, wild", "", 1), ("été", "", 1)]
        near = "column 'n' is not taken for counts, a row is an image; if it holds images per class, say --count n"
        assert manifest.notes == (near, "2 rows without a label left out")
    with pytest.raises(ManifestError, match="4 bad weights, first at line 3: None"):
        read_manifest(tmp_path / "m.jsonl", weight="n")


def test_keys_that_differ_in_capitals_only(tmp_path) -> None:
    path = write(tmp_path / "m.jsonl", '{"label": "a", "Label": "b"}\n{"Label": "c"}\n')
    assert counts(path) == {"a": 1}


def test_count_tables_are_read_from_json_lines_and_parquet_too(tmp_path) -> None:
    path = write(tmp_path / "c.jsonl", '{"label": "a", "count": 3, "source": "x"}\n{"label": "a", "count": 4}\n')
    assert read_manifest(path).counts_by_source() == {"": 4, "x": 3}
    copy("SELECT * FROM (VALUES ('a', 2), ('a', 3)) t(label, count)", tmp_path / "c.parquet", "FORMAT parquet")
    with pytest.raises(ManifestError, match=r"1 \(label, source\) named twice: row 2: 'a' stands already in row 1"):
        read_manifest(tmp_path / "c.parquet")


def test_a_list_of_labels_gives_an_image_several(tmp_path) -> None:
    rows = '{"label": ["a", "b", "a"]}\n{"label": ["b"]}\n{"label": "b"}\n{"label": []}\n'
    labels = "SELECT unnest([['a', 'b', 'a'], ['b'], ['b'], [], NULL]) AS label"
    files = (write(tmp_path / "m.jsonl", rows), copy(labels, tmp_path / "m.parquet", "FORMAT parquet"))
    for path, missing in zip(files, ("1 row", "2 rows"), strict=True):
        manifest = open_manifest(path)
        assert manifest.distribution.rows() == [("a", "", 1), ("b", "", 3)] and manifest.distribution.n_samples == 3
        assert manifest.notes[0] == f"{missing} without a label left out"
        assert manifest.notes[1].startswith("4 labels on 3 images: each counts once for every label it has")
        assert counts(path, several="first") == {"a": 1, "b": 2}


def test_a_json_label_that_is_an_object_is_a_bad_cell(tmp_path) -> None:
    path = write(tmp_path / "m.jsonl", '{"label": "a"}\n\n' + '{"label": {"id": 3}}\n' * 12)
    with pytest.raises(
        ManifestError, match=r'12 bad labels, first at line 3: \{"id": 3\} is no label; .*line 12: .*; and 2 more'
    ):
        read_manifest(path)


def test_all_lines_that_are_no_json_object_are_named(tmp_path) -> None:
    text = b'{"label": "a"}\n\n{"label": \n5\n' + b"x\xff\n" * 12
    bad = r"14 bad lines, first at line 3: no JSON; line 4: no object; .* and 4 more\. write one JSON object a line"
    for path in (write(tmp_path / "m.jsonl", text), write(tmp_path / "m.gz", gzip.compress(text))):
        with pytest.raises(ManifestError, match=bad):
            read_manifest(path)
    with pytest.raises(ManifestError, match=r"is not a readable JSON lines file: .*Malformed JSON"):
        read_manifest(write(tmp_path / "m.json", '[{"label": "a"}, {"label": '))


def test_the_last_blank_splits_a_path_list_and_its_first_row_is_data(tmp_path) -> None:
    path = write(tmp_path / "l.txt", "train/cat/1 (2), x.jpg 0\n\nb.PNG\t1\r\n  c.jpg   n01440764 \nd.jpg\n")
    manifest = open_manifest(path)
    assert manifest.distribution.rows() == [("0", "", 1), ("1", "", 1), ("n01440764", "", 1)]
    assert manifest.notes == ("1 row without a label left out",)
    with pytest.raises(ManifestError, match=r"1 row without a label: line 5\. label them"):
        read_manifest(path, missing="error")
    assert counts(path, where="path LIKE 'train/%'") == {"0": 1}
    with pytest.raises(ManifestError, match="--label says nothing about a list of paths and labels"):
        read_manifest(path, label="x")


@pytest.mark.parametrize(
    "head",
    ["path,label\na b.jpg,cat\n", "path\tlabel\nx/a.jpg\tcat\n", "a.jpg cat, wild\n", "a\n"],
)
def test_what_is_no_path_list(tmp_path, head) -> None:
    assert not path_list.recognises(write(tmp_path / "m", head), head.encode())


def test_a_path_list_may_have_a_header(tmp_path) -> None:
    path = write(tmp_path / "l.txt", "\npath label\na.jpg 0\nb.jpg 1\nc.jpg\n")
    assert counts(path) == {"0": 1, "1": 1}
    with pytest.raises(ManifestError, match="1 row without a label: line 5"):
        read_manifest(path, missing="error")


def test_paths_are_only_data(tmp_path) -> None:
    path = write(tmp_path / "l.txt", "../../etc/passwd.jpg 0\n/etc/passwd.jpg 0\nfile:///x.jpg 1\n")
    assert counts(path) == {"0": 2, "1": 1}
    path = write(tmp_path / "m.csv", "path,label\n/dev/zero,../../x\nhttp://example.com/a,read_csv('/etc/passwd')\n")
    assert counts(path) == {"../../x": 1, "read_csv('/etc/passwd')": 1}


def test_open_images_count_every_label_of_an_image_once(tmp_path) -> None:
    path = write(tmp_path / "o.csv", OPEN_IMAGES)
    assert reader_of(path) is delimited
    manifest = open_manifest(path)
    assert manifest.distribution.rows() == [("/m/01g317", "", 1), ("/m/04yx4", "", 2)]
    assert manifest.distribution.n_samples == 2
    assert manifest.notes[0] == "1 row of confidence 0 left out: the label is absent"
    assert manifest.notes[1].startswith("rows of one image taken together: each of its classes counts once")
    assert manifest.notes[2].startswith("3 labels on 2 images: each counts once for every label it has")
    rows = read_manifest(path, instances=True)
    assert rows.rows() == [("/m/01g317", "", 2), ("/m/04yx4", "", 2)] and rows.n_samples == 4


def test_open_images_choices(tmp_path) -> None:
    path = write(tmp_path / "o.csv", OPEN_IMAGES)
    first = open_manifest(path, several="first")
    assert first.distribution.rows() == [("/m/01g317", "", 1), ("/m/04yx4", "", 1)]
    assert first.notes[-1] == "2 labels on 2 images: each counts once, under its first label"
    assert counts(path, where="Confidence >= 0.8 AND Source = 'verification'") == {"/m/01g317": 1, "/m/04yx4": 1}
    write(tmp_path / "p.csv", OPEN_IMAGES)
    assert counts(tmp_path / "?.csv") == {"/m/01g317": 1, "/m/04yx4": 2}  # the same images again
    with pytest.raises(ManifestError, match=r"1 bad confidence, first at line 7: 'high'\. write a number from 0"):
        read_manifest(write(path, OPEN_IMAGES + "x,y,z,high\n"))


def test_parquet_folders_and_patterns_are_one_manifest(tmp_path) -> None:
    for i, folder in enumerate(("a", "a/b", "c")):
        rows = f"SELECT 'c' || i AS label, 'train' AS split FROM range({i + 1}) t(i)"
        copy(rows, tmp_path / folder / f"{i}.parquet", "FORMAT parquet")
    copy("SELECT 'hidden' AS label, 'train' AS split", tmp_path / ".h" / "x.parquet", "FORMAT parquet")
    copy("SELECT 'd' AS label, 'test' AS split", tmp_path / "c" / "t.parquet", "FORMAT parquet")
    assert reader_of(tmp_path) is parquet
    manifest = open_manifest(tmp_path)
    assert manifest.distribution.rows() == [("c0", "", 3), ("c1", "", 2), ("c2", "", 1)]
    assert manifest.notes == ("folders joined: 'a'; 'c'", "split 'train' taken; left out: 'test' (1 row)")
    assert counts(tmp_path / "*" / "[0t].parquet", split="all") == {"c0": 1, "d": 1}


def test_counts_of_several_files_of_a_manifest_add_up(tmp_path) -> None:
    write(tmp_path / "a.csv", "label,count\ncat,1\n")
    write(tmp_path / "b.csv", "count;label\n5;cat\n2;dog\n")
    assert counts(tmp_path / "*.csv") == {"cat": 6, "dog": 2}
    write(tmp_path / "c.csv", '{"label": "cat"}\n')
    with pytest.raises(ManifestError, match=r"matches files of different formats: .*a\.csv and .*c\.csv"):
        read_manifest(tmp_path / "*.csv")


@pytest.mark.parametrize("pack", ["gzip", "zstd"])
def test_packed_files(tmp_path, pack) -> None:
    rows = "SELECT i % 3 AS label, 'a, b' AS note FROM range(10000) t(i)"
    for name, options in (("m.csv", "FORMAT csv, HEADER"), ("m.jsonl", "FORMAT json")):
        path = copy(rows, tmp_path / f"{name}.{pack}", f"{options}, COMPRESSION {pack}")
        assert counts(path) == {"0": 3334, "1": 3333, "2": 3333}
        content = path.read_bytes()
        with pytest.raises(ManifestError, match=f"is not a whole {pack} file"):
            read_manifest(write(path, content[: len(content) // 2]))


def test_bombs_end_at_the_stated_limit(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(text, "FREE", 1 << 20)
    rows = "SELECT 'a' AS label FROM range(5000000)"
    bombs = [write(tmp_path / "b.csv.gz", gzip.compress(b"label\n" + b"a\n" * 5_000_000))]
    bombs.append(copy(rows, tmp_path / "b.csv.zst", "FORMAT csv, COMPRESSION zstd"))
    bombs.append(copy("SELECT repeat('a', 2000000) AS label", tmp_path / "b.parquet", "COMPRESSION zstd"))
    for bomb in bombs:
        with pytest.raises(ManifestError, match=r"unpacks to more than 1,[0-9,]{7} bytes, over 200 times its size"):
            read_manifest(bomb)
    monkeypatch.setattr(parquet, "MAX_ROWS", 4_999_999)
    with pytest.raises(ManifestError, match="says that it has 5,000,000 rows; at most 4,999,999 are counted"):
        read_manifest(copy(rows, tmp_path / "r.parquet", "FORMAT parquet"))


def test_a_label_is_not_a_text(tmp_path) -> None:
    with pytest.raises(ManifestError, match=r"1 bad label, first at line 2: more than 1,000 characters, begins 'aaa"):
        read_manifest(write(tmp_path / "m.csv", "label\n" + "a" * 1001 + "\n"))
    with pytest.raises(ManifestError, match=r"1 bad row, first at line 2: Maximum line size of 2000000 bytes"):
        read_manifest(write(tmp_path / "m.csv", "label\n" + "a" * 3_000_000 + "\n"))


def test_standard_input(tmp_path) -> None:
    out = CliRunner().invoke(command, ["-", "--format", "json"], input=gzip.compress(b"label\ncat\ndog\ncat\n"))
    assert json.loads(out.stdout)["manifests"][0] | {"indicators": []} == {
        "manifest": "-",
        "n_samples": 3,
        "indicators": [],
    }


def test_faults_of_standard_input_name_it(monkeypatch) -> None:
    class Input:
        buffer = io.BytesIO(b"file,class\n1,2\n")

    monkeypatch.setattr("sys.stdin", Input)
    with pytest.raises(ManifestError, match=r"^standard input: missing column 'label'; found 'file', 'class'"):
        read_manifest("-")
    monkeypatch.setattr("predictor.manifest.read.MAX_INPUT", 5)
    Input.buffer = io.BytesIO(b"label\ncat\n")
    with pytest.raises(ManifestError, match=r"^standard input: more than 5 bytes. name a file"):
        read_manifest("-")


def test_real_path_list_if_it_is_there() -> None:
    path = MANIFESTS / "Places_LT_train.txt"
    if not path.exists():
        pytest.skip("the list of Places-LT is not on this machine")
    d = read_manifest(path)
    assert (d.n_samples, d.n_classes, d.class_counts.min(), d.class_counts.max()) == (62_500, 365, 5, 4_980)
