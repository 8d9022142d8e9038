"""`predictor runs`: every subcommand, every format, every exit code."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from records_made import edited, made_record

from predictor.cli.runs_command import command
from predictor.errors import RegistryError
from predictor.records import check, read_registry, write_record


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for seed in range(3):
        write_record(tmp_path / "runs", made_record(seed))
    write_record(tmp_path / "runs", edited(made_record(7, study="second"), status="diverged", outcomes={}))
    return tmp_path / "runs"


def call(*words: str | Path) -> Result:
    return CliRunner().invoke(command, [str(word) for word in words])


def test_list_json_is_the_contract(runs: Path) -> None:
    demo, second = json.loads(call("list", runs, "--format", "json").stdout)["studies"]
    assert demo == {
        "study": "demo",
        "provenance": "trained",
        "n_runs": 3,
        "n_configurations": 1,
        "target_sets": ["photos/a"],
        "outcomes": ["accuracy", "robustness", "shift:sketch"],
        "devices": ["cpu"],
        "statuses": {"completed": 3},
    }
    assert second["outcomes"] == [] and second["statuses"] == {"diverged": 1}
    only = json.loads(call("list", runs, "--study", "second", "--format", "json").stdout)
    assert only["schema_version"] == 1 and [row["study"] for row in only["studies"]] == ["second"]


def test_list_in_the_other_formats(runs: Path) -> None:
    (row, _) = csv.DictReader(io.StringIO(call("list", runs, "--format", "csv").stdout))
    assert (row["n_runs"], row["outcomes"]) == ("3", "accuracy;robustness;shift:sketch")
    assert "| demo | trained | 3 | 1 | photos/a |" in call("list", runs, "--format", "markdown").stdout
    table = call("list", runs).stdout
    assert "n_configurations" in table and "demo" in table


def test_show(runs: Path) -> None:
    record = made_record(1)
    assert len(json.loads(call("show", runs, "--format", "json").stdout)["runs"]) == 4
    (shown,) = json.loads(call("show", runs, record.run_id[:8], "--format", "json").stdout)["runs"]
    assert shown == json.loads(record.to_json()) == json.loads(call("show", runs, record.run_id).stdout)
    (row,) = csv.DictReader(io.StringIO(call("show", runs, record.run_id, "--format", "csv").stdout))
    assert repr(record.outcomes["accuracy"].value) in row["outcomes"], "unrounded"


def test_show_needs_one_run(runs: Path) -> None:
    missing = call("show", runs, "zzz").exception
    assert isinstance(missing, RegistryError) and "no run 'zzz'" in str(missing)
    many = call("show", runs, "").exception
    assert isinstance(many, RegistryError) and "4 runs begin with ''" in str(many)


@pytest.mark.parametrize("form", ["table", "json", "csv", "markdown"])
def test_check_exits_with_2_and_names_every_fault(runs: Path, form: str) -> None:
    clean = call("check", runs, "--format", form)
    assert clean.exit_code == 0 and clean.stderr == ""
    for seed in (0, 1):
        path = runs / "demo" / f"{made_record(seed).run_id}.json"
        path.write_text(edited(made_record(seed), outcomes__accuracy__value=0.1).to_json())
    bad = call("check", runs, "--format", form)
    assert bad.exit_code == 2
    assert all(made_record(seed).run_id in bad.stderr for seed in (0, 1)) and "2 faults" in bad.stderr
    if form == "json":
        assert json.loads(bad.stdout) == {"schema_version": 1, "clean": False, "faults": check(runs)}


def test_pack_and_unpack(runs: Path) -> None:
    before = read_registry(runs)
    packed = json.loads(call("pack", runs, "--format", "json").stdout)["studies"]
    assert packed == [{"study": name, "part": "runs-001.parquet"} for name in ("demo", "second")]
    assert not list(runs.rglob("*.json")) and read_registry(runs) == before
    assert json.loads(call("pack", runs / "demo", "--format", "json").stdout)["studies"][0]["part"] is None
    assert call("unpack", runs, "--study", "demo").exit_code == 0
    assert len(list((runs / "demo").glob("*.json"))) == 3 and not list((runs / "second").glob("*.json"))
    assert read_registry(runs) == before


@pytest.mark.parametrize("name", ["list", "show", "check", "pack", "unpack"])
def test_missing_registry_and_help(tmp_path: Path, name: str) -> None:
    error = call(name, tmp_path / "nowhere").exception
    assert isinstance(error, RegistryError) and "nowhere: no such folder" in str(error)
    assert call(name, "--help").exit_code == 0
