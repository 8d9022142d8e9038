"""Manifests as they lie on disk, and everything that can be wrong with them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner

from predictor.cli.indicators_command import command
from predictor.errors import ManifestError
from predictor.manifest import open_manifest, read_manifest, read_targets

pytestmark = pytest.mark.usefixtures("one_engine")


def write(folder: Path, text: str, name: str = "m.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def counts(path: Path, **how) -> dict[str, int]:
    d = read_manifest(path, **how)
    return dict(zip(d.class_names, d.class_counts.tolist(), strict=True))


def test_rows_are_samples(tmp_path) -> None:
    text = 'path,label\n1.jpg,cat\n2.jpg,"dog, wild"\n3.jpg, cat \n4.jpg,été\n'
    assert counts(write(tmp_path, text)) == {"cat": 2, "dog, wild": 1, "été": 1}


def test_rows_are_classes_where_there_is_a_count(tmp_path) -> None:
    assert counts(write(tmp_path, "label,count\ncat,60\ndog,20\nempty,0\n")) == {"cat": 60, "dog": 20}
    assert counts(write(tmp_path, "wnid;n\nn01,5\n".replace(",", ";"), "s.csv"), label="wnid", count="n") == {"n01": 5}


def test_tab_gzip_and_numbers_as_labels(tmp_path) -> None:
    assert counts(write(tmp_path, "label\tpath\n007\tx\n7\ty\n", "m.tsv")) == {"007": 1, "7": 1}
    (tmp_path / "m.csv.gz").write_bytes(gzip.compress(b"label\na\nb\na\n"))
    assert counts(tmp_path / "m.csv.gz") == {"a": 2, "b": 1}


def test_windows_line_ends_and_byte_order_mark(tmp_path) -> None:
    (tmp_path / "w.csv").write_bytes(b"\xef\xbb\xbflabel,count\r\na,1\r\nb,2\r\n")
    assert counts(tmp_path / "w.csv") == {"a": 1, "b": 2}


def test_parquet(tmp_path) -> None:
    path = tmp_path / "m.parquet"
    duckdb.sql(f"COPY (SELECT i % 3 AS label, 'train' AS split FROM range(10) t(i)) TO '{path}'")
    assert counts(path) == {"0": 4, "1": 3, "2": 3}
    path = tmp_path / "c.parquet"
    duckdb.sql(f"COPY (SELECT * FROM (VALUES ('a', 2.0), ('b', 3.0)) t(label, count)) TO '{path}'")
    assert counts(path) == {"a": 2, "b": 3}


def test_a_pattern_in_a_name_is_only_a_name(tmp_path) -> None:
    write(tmp_path, "label\nwrong\n", "a1.csv")
    assert counts(write(tmp_path, "label\nright\n", "a[1].csv")) == {"right": 1}


def test_train_is_the_default_split_and_says_so(tmp_path) -> None:
    path = write(tmp_path, "label,split\na,train\nb,test\na,test\n")
    manifest = open_manifest(path)
    assert manifest.distribution.n_samples == 1
    assert manifest.notes == ("split 'train' taken; left out: 'test' (2 rows)",)
    assert counts(path, split="test") == {"a": 1, "b": 1} and counts(path, split="all") == {"a": 2, "b": 1}
    with pytest.raises(ManifestError, match="no split 'val'; found 'test' \\(2 rows\\); 'train' \\(1 row\\)"):
        read_manifest(path, split="val")


def test_sources_are_kept_apart_but_file_names_are_not_sources(tmp_path) -> None:
    d = read_manifest(write(tmp_path, "label,count,source\na,1,x\na,2,y\n"))
    assert d.counts_by_source() == {"x": 1, "y": 2} and d.class_counts.tolist() == [3]
    rows = "".join(f"a,file{i}\n" for i in range(300))
    manifest = open_manifest(write(tmp_path, "label,source\n" + rows, "f.csv"))
    assert manifest.distribution.sources == ("",) and "taken for file names" in manifest.notes[0]


def test_missing_labels_are_counted(tmp_path) -> None:
    manifest = open_manifest(write(tmp_path, "path,label\n1,a\n2,\n3,  \n"))
    assert manifest.distribution.n_samples == 1 and manifest.notes == ("2 rows without a label left out",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "m.csv: is empty"),
        ("\n\n", "m.csv: has no header in its first line"),
        ("label,count\n", "m.csv: lists no image"),
        ("file,class\n1,2\n", r"m.csv: missing column 'label'; found 'file', 'class'. name it with --label class"),
        (
            "label,count\na,1\nb,12O\nc,1.5\nd,-3\ne,nan\nf,\ng,inf\n",
            "m.csv: 6 bad counts, first at line 3: '12O' is not a whole number; line 4: '1.5' is not a whole number; "
            "line 5: '-3' is negative; line 6: 'nan' is not a whole number; line 7: the count is missing; "
            "line 8: 'inf'",
        ),
        (
            "label,count\na,1\nb,2\na,3\n",
            r"m.csv: 1 \(label, source\) named twice: line 4: 'a' stands already in line 2",
        ),
        (
            "label,count\na,99999999999999999999\n",
            "m.csv: 1 bad count, first at line 2: '99999999999999999999' is more",
        ),
    ],
)
def test_bad_files(tmp_path, text, message) -> None:
    with pytest.raises(ManifestError, match=message):
        read_manifest(write(tmp_path, text))


def test_ten_bad_counts_are_shown_and_the_rest_counted(tmp_path) -> None:
    text = "label,count\n" + "".join(f"c{i},x\n" for i in range(25))
    with pytest.raises(ManifestError, match=r"25 bad counts, first at line 2: .*line 11: 'x' .*; and 15 more"):
        read_manifest(write(tmp_path, text))


def test_all_rows_that_do_not_fit_are_collected(tmp_path) -> None:
    text = "label,count\na,1\nb\n" + '"c"d,3\n' + "d,1,2\n" * 12 + "e,5\n"
    with pytest.raises(ManifestError) as error:
        read_manifest(write(tmp_path, text))
    assert error.value.problem.startswith(
        "14 bad rows, first at line 3: Expected Number of Columns: 2 Found: 1; line 4: Value with unterminated quote "
        "found; line 5: Expected Number of Columns: 2 Found: 3; line 6: "
    )
    assert error.value.problem.endswith("line 12: Expected Number of Columns: 2 Found: 3; and 4 more")


def test_lines_are_those_of_the_file(tmp_path) -> None:
    """Blank lines and quoted line breaks move them; underscores make no number."""
    text = 'label,count\n\na,1\n"b\nb",2\nc,1_000\n'
    with pytest.raises(ManifestError, match="first at line 6: '1_000' is not a whole number"):
        read_manifest(write(tmp_path, text))


def test_no_such_file_and_no_table(tmp_path) -> None:
    with pytest.raises(ManifestError, match=r"gone.csv: no such file"):
        read_manifest(tmp_path / "gone.csv")
    with pytest.raises(ManifestError, match="found no folder of a class"):
        read_manifest(tmp_path)
    (tmp_path / "b.csv").write_bytes(b"\x00\x01\x02" * 100)
    with pytest.raises(ManifestError, match="is neither text nor Parquet"):
        read_manifest(tmp_path / "b.csv")
    (tmp_path / "b.parquet").write_bytes(b"PAR1 torn")
    with pytest.raises(ManifestError, match="is not a readable Parquet file"):
        read_manifest(tmp_path / "b.parquet")
    with pytest.raises(ManifestError, match=r"1 bad row, first at line 3: Expected Number of Columns: 2 Found: 3\."):
        read_manifest(write(tmp_path, "label,count\na,1\nb,2,3\n"))
    with pytest.raises(ManifestError, match="names column 'label' twice"):
        read_manifest(write(tmp_path, "label,label\na,1\n"))
    with pytest.raises(ManifestError, match="names column 'Label' twice"):
        read_manifest(write(tmp_path, "label,Label\na,1\n"))


def test_targets(tmp_path) -> None:
    names = read_targets(write(tmp_path, "cat\n\n dog \ncat\n", "t.txt"))
    assert names == ["cat", "dog"]
    path = write(tmp_path, "label,count\ncat,5\nroad,7\n")
    d = read_manifest(path, targets=names)
    assert d.target_counts.tolist() == [5, 0] and d.other_counts.tolist() == [7]
    said = r"no image of any of the 1 target classes: 'Cat' \(near: 'cat'\); its classes begin 'cat'"
    with pytest.raises(ManifestError, match=said):
        read_manifest(path, targets=["Cat"])
    with pytest.raises(ManifestError, match="names no class"):
        read_targets(write(tmp_path, "\n", "e.txt"))


def test_command_in_every_format(tmp_path) -> None:
    path = str(write(tmp_path, "label,count\ncat,60\ndog,20\n"))
    out = json.loads(CliRunner().invoke(command, [path, "--format", "json"]).stdout)
    assert out["schema_version"] == 1 and out["manifests"][0]["n_samples"] == 80
    by_name = {entry["name"]: entry for entry in out["manifests"][0]["indicators"]}
    assert by_name["imbalance_ratio"] == {"name": "imbalance_ratio", "value": 3.0, "unit": "ratio", "reason": None}
    csv_text = CliRunner().invoke(command, [path, "--format", "csv", "--name", "gini"]).stdout
    assert csv_text == f"indicator,unit,{path}\ngini,coefficient,0.25\n"
    assert "| gini | coefficient | 0.25 |" in CliRunner().invoke(command, [path, "--format", "markdown"]).stdout
    merged = CliRunner().invoke(
        command,
        [path, str(write(tmp_path, "label,count\ncat,60\ndog,20\n", "n.csv")), "--merge", "--name", "n_samples"],
    )
    assert "160" in merged.stdout
    assert "left_skew@5" in CliRunner().invoke(command, ["--list"]).stdout


def test_real_lists_if_they_are_there() -> None:
    path = Path(__file__).parents[2] / "shared" / "data" / "manifests" / "imagenet21k-counts.csv"
    if not path.exists():
        pytest.skip("the list of ImageNet-21k's counts is not on this machine")
    header = path.read_text().split("\n", 1)[0].split(",")
    d = read_manifest(path, label=header[0], count=header[1])
    assert d.n_classes == 19_167 and d.n_samples == pytest.approx(13.15e6, rel=1e-3)
