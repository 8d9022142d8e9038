"""The commands `fit` and `predict`, from a registry on disk to their output."""

from __future__ import annotations

import csv
import io
import json

import pytest
from click.testing import CliRunner
from synthetic import registry, reported

from predictor.cli.fit_command import command as fit_command
from predictor.cli.predict_command import command as predict_command
from predictor.errors import PredictorError
from predictor.records import write_record


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("registry") / "runs"
    for record in [*registry(n_configurations=20, n_seeds=2), *reported()]:
        write_record(folder, record)
    return folder


def invoke(command, *arguments):
    result = CliRunner().invoke(command, [str(item) for item in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture(scope="module")
def table(runs):
    return invoke(fit_command, runs, "--all")


@pytest.fixture
def manifests(tmp_path):
    names = [f"cifar100/a/{c:02d}" for c in range(10)]
    even, tail = tmp_path / "even.csv", tmp_path / "tail.csv"
    even.write_text("label,count\n" + "".join(f"{name},100\n" for name in names))
    tail.write_text("label,count\n" + "".join(f"{name},{200 if i % 2 else 10}\n" for i, name in enumerate(names)))
    return even, tail


def test_fit_prints_the_table_and_writes_the_fit(runs, table):
    assert (runs / "fit.json").exists()
    for word in (
        "average *",
        "log_n_log_h",
        "configuration",
        "extrapolation",
        "20 configurations, 40 runs",
        "left out",
    ):
        assert word in table
    assert "table: 12 runs left out: reported" in table


def test_fit_json_keeps_the_contract(runs, tmp_path):
    content = json.loads(invoke(fit_command, runs, "--outcome", "accuracy", "--family", "linear", "--format", "json",
                                "--output", tmp_path / "f.json"))  # fmt: skip
    assert content["schema_version"] == 1
    assert {row["outcome"] for row in content["rows"]} == {"accuracy"}
    assert {row["family"] for row in content["rows"] if row["chosen"]} == {"linear"}
    assert (tmp_path / "f.json").exists()


def test_fit_csv_is_flat(runs, tmp_path):
    text = invoke(fit_command, runs, "--outcome", "accuracy", "--family", "linear", "--format", "csv",
                  "--output", tmp_path / "f.json")  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(text)))
    assert rows[0]["family"] == "mean" and float(rows[0]["skill_mean"]) == 0 and "coverage_0.9" in rows[0]


def test_a_bad_study_writes_nothing(runs, tmp_path):
    with pytest.raises(PredictorError, match="nope"):
        invoke(fit_command, runs, "--study", "nope", "--output", tmp_path / "f.json")
    assert not (tmp_path / "f.json").exists()


def test_predict_json_keeps_the_contract(runs, table, manifests):
    content = json.loads(invoke(predict_command, *manifests, "--fit", runs / "fit.json", "--format", "json"))
    assert set(content) == {"schema_version", "verdict", "predictions", "comparisons", "next_step"}
    first = content["predictions"][0]
    assert first["status"] in ("new_domain", "outside")
    assert {"manifest", "status", "target_set", "recipe", "outcomes", "indicators", "contributions", "outside"} <= set(
        first
    )
    accuracy = first["outcomes"][0]
    assert accuracy["outcome"] == "accuracy" and accuracy["low"] <= accuracy["value"] <= accuracy["high"]
    assert {"a", "b", "outcome", "logit_difference", "low", "high", "p_a_better"} <= set(content["comparisons"][0])


def test_predict_prints_what_it_rests_on(runs, table, manifests):
    even, tail = manifests
    text = invoke(predict_command, even, tail, "--fit", runs / "fit.json")
    assert "DOMAIN new, no pilots" in text and "your shift was never tested" in text and "logit" not in text
    assert "logits" in invoke(predict_command, even, tail, "--fit", runs / "fit.json", "--all")
    known = invoke(predict_command, even, "--fit", runs / "fit.json", "--target-set", "cifar100/a")
    assert "TARGET SET cifar100/a" in known and "on held-out configurations" in known


def test_predict_targets_file(runs, table, manifests, tmp_path):
    names = tmp_path / "targets.txt"
    names.write_text("cifar100/a/00\n\ncifar100/a/01\n")
    content = json.loads(invoke(predict_command, manifests[0], "--fit", runs / "fit.json", "--targets", names,
                                "--format", "json"))  # fmt: skip
    values = {item["name"]: item["value"] for item in content["predictions"][0]["indicators"]}
    assert (values["n_target_classes"], values["n_other_classes"]) == (2, 8)


def test_predict_csv_has_a_row_for_each_outcome(runs, table, manifests):
    text = invoke(predict_command, *manifests, "--fit", runs / "fit.json", "--format", "csv")
    rows = [row for row in csv.DictReader(io.StringIO(text)) if row["kind"] == "prediction"]
    assert {row["outcome"] for row in rows} == {"accuracy", "robustness"} and len(rows) == 4
