"""`predictor runs`: every subcommand, every format, every exit code."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from records_made import edited, made_record

from predictor.cli.runs_command import command
from predictor.errors import RegistryError
from predictor.records import check, read_registry, write_record
from predictor.records.schema import Outcome
from predictor.records.shift_rows import shift_rows, with_averages
from predictor.render.runs import shifts_text

RUNS = Path(__file__).parents[1] / "runs"

ROOT = Path(__file__).parents[1]


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
    assert shown == json.loads(record.to_json())
    rows = list(csv.DictReader(io.StringIO(call("show", runs, "--format", "csv").stdout)))
    assert repr(record.outcomes["accuracy"].value) in rows[1]["outcomes"], "unrounded"


def leaves(value: Any) -> Iterator[str]:
    """Every value that a record says, as a text; of lists each one."""
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from leaves(item)
    elif value is not None:
        yield repr(value) if isinstance(value, float) else str(value)


@pytest.mark.parametrize("provenance", ["trained", "published"])
def test_a_whole_record_is_in_every_format(runs: Path, provenance: str) -> None:
    """CSV holds every value unrounded; the page and Markdown every outcome, class and part."""
    record = made_record(1)
    if provenance == "published":
        record = read_registry(ROOT / "runs", ["published-table1"])[0]
        write_record(runs, record)
    stored = json.loads(record.to_json())
    rows = list(csv.DictReader(io.StringIO(call("show", runs, record.run_id, "--format", "csv").stdout)))
    assert {row["run_id"] for row in rows} == {record.run_id}
    cells = {part for row in rows for cell in row.values() for part in (cell, *cell.split("; "))}
    assert [value for value in leaves(stored) if value not in cells and value != stored["data"].get("kind")] == []
    table = call("show", runs, record.run_id).stdout
    pages = " ".join(table.split()), call("show", runs, record.run_id, "--format", "markdown").stdout
    for text in pages:
        assert record.run_id in text and record.study in text and record.target_set in text
        for name, outcome in record.outcomes.items():
            assert name in text and f"{100 * outcome.value:.1f} %" in text
            for own, tested, correct in zip(outcome.classes, outcome.tested, outcome.correct, strict=True):
                assert own in text and f"{correct}/{tested}" in text
        for part in ("spec", "seconds", "environment"):
            for name, value in (stored[part] or {}).items():
                assert value is None or name in text


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


@pytest.fixture(scope="module")
def shifted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve runs of one target set, under one shift or two."""
    runs = tmp_path_factory.mktemp("shifted")
    records = [record for record in read_registry(RUNS, ["random-designs"]) if record.target_set == "letters/b"]
    for record in records[:12]:
        write_record(runs, record)
    return runs


def test_show_shifts_has_a_row_a_shift_and_the_average(shifted: Path) -> None:
    records = {record.run_id: record for record in read_registry(shifted)}
    said = json.loads(call("show", shifted, "--shifts", "--format", "json").stdout)
    assert said["schema_version"] == 1
    by_run: dict[str, dict[str, dict[str, Any]]] = {}
    for row in said["shifts"]:
        by_run.setdefault(row["run_id"], {})[row["shift"]] = row
    assert by_run.keys() == records.keys() and len(said["shifts"]) > len(records)
    for run_id, rows in by_run.items():
        average = rows.pop("average", None)
        assert set(rows) == {n.removeprefix("shift:") for n in records[run_id].outcomes if n.startswith("shift:")}
        assert (average is None) == (len(rows) == 1)
        for name, row in rows.items():
            outcome = records[run_id].outcomes[f"shift:{name}"]
            assert (row["accuracy"], row["clean"]) == (outcome.value, outcome.clean_value)
            assert row["chance"] == pytest.approx(1 / row["targets"]) and row["covered"] == len(outcome.classes)
        if average:
            assert average["accuracy"] == pytest.approx(records[run_id].outcomes["robustness"].value)
            effective = [row["effective"] for row in rows.values()]
            assert None not in effective and average["effective"] == pytest.approx(np.mean(effective))
    one = sorted(by_run)[3]
    (first, *_) = json.loads(call("show", shifted, one, "--shifts", "--format", "json").stdout)["shifts"]
    assert first == next(row for row in said["shifts"] if row["run_id"] == one), "the line is that of all runs"


def test_show_shifts_in_the_other_formats(shifted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = json.loads(call("show", shifted, "--shifts", "--format", "json").stdout)["shifts"]
    read = list(csv.DictReader(io.StringIO(call("show", shifted, "--shifts", "--format", "csv").stdout)))
    assert [float(row["accuracy"]) for row in read] == [row["accuracy"] for row in rows], "unrounded"
    assert "| 8 of 8 | 12.5 % |" in call("show", shifted, "--shifts", "--format", "markdown").stdout
    monkeypatch.setenv("COLUMNS", "80")
    table = call("show", shifted, "--shifts").stdout
    assert max(map(len, table.splitlines())) <= 80
    for word in ("shift", "covered", "chance", "accuracy", "clean", "effective", "average", "left out at 80 columns"):
        assert word in table
    assert len([line for line in table.splitlines() if line[:16] in {row["run_id"] for row in rows}]) == len(rows)


def test_show_shifts_of_runs_without_any(tmp_path: Path) -> None:
    record = made_record(0)
    bare = {name: own for name, own in record.outcomes.items() if not name.startswith("shift:")}
    write_record(tmp_path, edited(record, outcomes=bare))
    fault = call("show", tmp_path, "--shifts").exception
    assert isinstance(fault, RegistryError) and "none of these runs was tested under a shift" in str(fault)


def test_shifts_whose_classes_nobody_named_have_an_accuracy_alone() -> None:
    named = {"shift:a": Outcome(value=0.4), "shift:b": Outcome(value=0.2), "shift:c": Outcome(value=1.0, scale="loss")}
    rows = with_averages(shift_rows([edited(made_record(1), outcomes=named)]))
    assert [(row["shift"], row["covered"], row["clean"], row["effective"]) for row in rows] == [
        ("a", None, None, None), ("b", None, None, None), ("average", None, None, None)
    ]  # fmt: skip
    assert rows[-1]["accuracy"] == pytest.approx(0.3) and "30.0 %" in shifts_text(rows, "table")
