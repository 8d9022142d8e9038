"""`predictor indicators` as a user runs it: output, exit code and every message."""

from __future__ import annotations

import json
import sys

import pytest

from predictor.cli import main
from predictor.indicators.registry import registered
from predictor.manifest.readers import FORMS


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
    assert (code, out.splitlines()[0]) == (0, "indicator,unit,a.csv,b.csv,b.csv - a.csv")
    gini = 1 / 6
    assert out.splitlines()[1:] == ["n_samples,images,80.0,15.0,-65.0", f"gini,coefficient,0.25,{gini},{gini - 0.25}"]


def test_a_table_shows_differences_with_their_sign_and_reasons_below(run, tmp_path) -> None:
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "m.csv").write_text("label,count\ncat,60\n" + ("dog,20\n" if folder == "y" else ""))
    names = [word for name in ("n_samples", "n_classes", "zipf_exponent", "kl_test") for word in ("--name", name)]
    _, out, _ = run("x/m.csv", "y/m.csv", "a.csv", *names)
    assert [" ".join(line.split()) for line in out.splitlines()] == [
        "indicator unit x/m.csv y/m.csv a.csv y/m.csv - x/m.csv a.csv - x/m.csv",
        "n_samples images 60 80 80 +20 +20",
        "n_classes classes 1 2 2 +1 +1",
        "zipf_exponent exponent - 1.585 1.585 - -",
        "kl_test nats - - - - -",
        "",
        "zipf_exponent of x/m.csv: only one target class has an image",
        "kl_test: no test set is given (--test FILE); against equal test shares it is kl_uniform",
    ]
    _, out, _ = run("x/m.csv", "y/m.csv", *names, "--format", "markdown")
    lines = out.splitlines()
    assert lines[0] == "| indicator | unit | x/m.csv | y/m.csv | y/m.csv - x/m.csv |" and lines[-2].startswith("- zipf")


def test_many_manifests_and_their_json(run, tmp_path) -> None:
    for i in range(12):
        (tmp_path / f"m{i:02d}.csv").write_text(f"label,count\ncat,{i + 1}\ndog,3\n")
    code, out, _ = run(*(f"m{i:02d}.csv" for i in range(12)), "--format", "json")
    content = json.loads(out)
    assert code == 0 and set(content) == {"schema_version", "manifests"}
    assert [entry["n_samples"] for entry in content["manifests"]] == [i + 4 for i in range(12)]
    names = [[item["name"] for item in entry["indicators"]] for entry in content["manifests"]]
    assert all(own == names[0] for own in names)


def test_a_quoted_pattern_is_one_manifest(run, tmp_path) -> None:
    for i in range(3):
        (tmp_path / f"m{i}.csv").write_text(f"label,count\ncat,{i + 1}\ndog,3\n")
    assert json.loads(run("m*.csv", "--format", "json")[1])["manifests"][0]["n_samples"] == 15


def test_a_manifest_named_twice_is_a_fault(run, tmp_path) -> None:
    (tmp_path / "m.csv").write_text("label\ncat\n")
    code, out, error = run("m.csv", "./m.csv", "--merge")
    assert (code, out) == (2, "")
    assert error == "error: ./m.csv: named twice, also as m.csv. name every manifest once\n"


def test_sources_of_the_manifests_have_a_share_each(run, tmp_path) -> None:
    (tmp_path / "s.csv").write_text("label,count,source\ncat,60,web\ncat,20,fractals:a\n")
    (tmp_path / "many.csv").write_text("label,count,source\n" + "".join(f"c{i},1,s{i}\n" for i in range(11)))
    _, out, _ = run("s.csv", "--format", "csv")
    assert "source_share@web,share,0.75," in out and "synthetic_share,share,0.25," in out
    _, out, _ = run("s.csv", "--synthetic", "web", "--name", "synthetic_share", "--format", "csv")
    assert out.endswith("synthetic_share,share,1.0\n")
    _, out, _ = run("many.csv", "--format", "csv")
    assert "source_share" not in out and "synthetic_share,share,0.0," in out


def test_a_test_set_is_given_by_its_own_manifest_or_split(run, tmp_path) -> None:
    words = ["--name", "kl_test", "--format", "csv"]
    _, out, _ = run("a.csv", "--test", "a.csv", *words)
    assert out.endswith("kl_test,nats,0.0\n")
    (tmp_path / "both.csv").write_text("label,split\nx,train\nx,train\nx,train\ny,train\nx,test\ny,test\n")
    _, out, _ = run("both.csv", "--test", "both.csv", *words)
    assert float(out.split(",")[-1]) == pytest.approx(0.1308, abs=1e-4)  # .75 ln 1.5 + .25 ln .5
    assert run("a.csv", "--test", "gone.csv", *words)[2].startswith("error: gone.csv: no such file")
    _, out, _ = run("a.csv", "--test", "b.csv", "--name", "kl_test")
    assert out.endswith("kl_test: 1 target classes have no test image, first 'dog'\n")


def test_the_list_names_every_indicator_once(run) -> None:
    code, out, _ = run("--list", "--format", "json")
    rows = json.loads(out)["indicators"]
    assert code == 0 and [row["name"].split("@")[0] for row in rows] == [entry.name for entry in registered()]
    assert all(set(row) == {"name", "unit", "range", "direction", "what", "source"} for row in rows)
    assert all(value for row in rows for value in row.values())
    assert {"long_tail@500,100,0.4mean,0.08mean", "source_share@NAME"} <= {row["name"] for row in rows}


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
    assert err == "split.csv: split 'train' taken; left out: 'test' (1 row)\n"


def test_merge_adds_the_manifests(run) -> None:
    _, out, _ = run("a.csv", "b.csv", "--merge", "--name", "n_samples", "--name", "n_classes", "--format", "csv")
    assert out.splitlines() == ["indicator,unit,a.csv + b.csv", "n_samples,images,95.0", "n_classes,classes,3.0"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no manifest named. give a table or a folder, or --list"),
        (["gone.csv"], f"gone.csv: no such file. name {FORMS}"),
        (["a.csv", "--targets", "gone.txt"], "gone.txt: no such file. name a text file with one class a line"),
        (
            ["named.csv"],
            "named.csv: missing column 'label'; found 'file', 'labels'. name it with --label labels, or rename it",
        ),
        (
            ["bad.csv"],
            "bad.csv: 2 bad counts, first at line 3: '12O' is not a whole number; line 4: '-1' is negative. "
            "write a whole number of images, 0 or more",
        ),
        (["a.csv", "--split", "val"], "a.csv: has no splits to take 'val' from. leave --split out"),
        (["a.csv", "--name", "ginni"], "unknown indicator 'ginni'. did you mean gini?"),
    ],
)
def test_a_fault_is_one_message_and_exit_2(run, words, message) -> None:
    assert run(*words) == (2, "", f"error: {message}\n")


@pytest.mark.parametrize("name", ["curves.png", "curves.svg", "curves.pdf"])
def test_the_plot_is_a_whole_file_beside_the_table(run, tmp_path, name) -> None:
    code, out, _ = run("a.csv", "b.csv", "--plot", name, "--name", "n_samples", "--format", "csv")
    start = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}[name[-4:]]
    assert code == 0 and out.startswith("indicator,unit") and (tmp_path / name).read_bytes().startswith(start)
    assert not list(tmp_path.glob(".*tmp"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("curves.txt", "curves.txt: cannot be drawn as '.txt'. end it in .png, .svg or .pdf"),
        ("curves", "curves: cannot be drawn as 'a file without ending'. end it in .png, .svg or .pdf"),
        ("gone/c.png", "gone/c.png: cannot be written: No such file or directory. name a writable file with --plot"),
    ],
)
def test_a_plot_that_cannot_be_written(run, name, message) -> None:
    assert run("a.csv", "--plot", name) == (2, "", f"error: {message}\n")
