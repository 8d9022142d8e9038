"""`predictor indicators` as a user runs it: output, exit code and every message."""

from __future__ import annotations

import json
import sys

import pytest

from predictor.cli import main


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Runs the command in a folder with a few manifests: (exit code, stdout, stderr)."""
    files = {
        "a.csv": "label,count\ncat,60\ndog,20\n",
        "b.csv": "label,count\ncat,10\nowl,5\n",
        "split.csv": "label,split\nx,train\nx,train\ny,test\n",
        "named.csv": "file,labels\n1,2\n",
        "bad.csv": "label,count\na,1\nb,12O\nc,-1\n",
        "targets.txt": "cat\nzebra\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["predictor", "indicators", *words])
        with pytest.raises(SystemExit) as stop:
            main()
        return (stop.value.code or 0, *capsys.readouterr())

    return call


def test_manifests_stand_side_by_side(run) -> None:
    code, out, _ = run("a.csv", "b.csv", "--name", "n_samples", "--name", "gini", "--format", "csv")
    assert (code, out.splitlines()[0]) == (0, "indicator,unit,a.csv,b.csv")
    assert out.splitlines()[1:] == ["n_samples,images,80.0,15.0", "gini,coefficient,0.25,0.16666666666666666"]


def test_json_keeps_to_the_contract_and_an_undefined_value_has_a_reason(run) -> None:
    code, out, _ = run("a.csv", "--targets", "targets.txt", "--format", "json")
    content = json.loads(out)
    assert code == 0 and set(content) == {"schema_version", "manifests"}
    (manifest,) = content["manifests"]
    assert set(manifest) == {"manifest", "n_samples", "indicators"}
    assert all(set(entry) == {"name", "value", "unit", "reason"} for entry in manifest["indicators"])
    assert all((entry["value"] is None) == (entry["reason"] is not None) for entry in manifest["indicators"])
    found = {entry["name"]: entry for entry in manifest["indicators"]}
    assert found["n_other_classes"]["value"] == 1
    assert found["imbalance_ratio"]["reason"] == "1 target classes have no image"


def test_the_split_that_was_taken_is_said_beside_the_result(run) -> None:
    code, out, err = run("split.csv", "--name", "n_samples", "--format", "csv")
    assert (code, out) == (0, "indicator,unit,split.csv\nn_samples,images,2.0\n")
    assert err == "split.csv: split 'train' taken, 1 rows of other splits left out\n"


def test_merge_adds_the_manifests(run) -> None:
    _, out, _ = run("a.csv", "b.csv", "--merge", "--name", "n_samples", "--name", "n_classes", "--format", "csv")
    assert out.splitlines() == ["indicator,unit,a.csv + b.csv", "n_samples,images,95.0", "n_classes,classes,3.0"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no manifest named. give a CSV or Parquet file, or --list"),
        (["gone.csv"], "gone.csv: no such file. name a CSV or Parquet file"),
        (["a.csv", "--targets", "gone.txt"], "gone.txt: no such file. name a text file with one class a line"),
        (
            ["named.csv"],
            "named.csv: missing column 'label'; found 'file', 'labels'. Name it with --label labels, or rename it",
        ),
        (
            ["bad.csv"],
            "bad.csv: 2 bad counts, first at line 3: '12O' is not a whole number; line 4: '-1' is negative. "
            "a count is a whole number of images, 0 or more",
        ),
        (["a.csv", "--split", "val"], "a.csv: has no column 'split' to take 'val' from. leave --split out"),
        (["a.csv", "--name", "ginni"], "unknown indicator 'ginni'. did you mean gini?"),
    ],
)
def test_a_fault_is_one_message_and_exit_2(run, words, message) -> None:
    assert run(*words) == (2, "", f"error: {message}\n")
