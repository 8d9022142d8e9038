"""Every fault of a registry: against grids, between studies, beside studies; and files that are torn."""

from __future__ import annotations

import shutil
from importlib import import_module
from pathlib import Path

import pytest
from records_made import edited, made_record

from predictor.grids import Grid, load_grid
from predictor.records import (
    Finished,
    RunRecord,
    check,
    finished_ids,
    pack,
    read_registry,
    study_folders,
    torn_ids,
    write_record,
)

GRID = """
study: demo
protocol: 1
sources:
  photos: {file: photos.parquet, digest: "sha256:PHOTOS"}
  sketches: {file: sketches.parquet, digest: "sha256:SKETCHES"}
target_sets:
  photos/a: {domain: photos, source: photos, classes: [bee, bus, cat], shifts: {sketch: sketches}}
model: {name: predictor_small, head: 16}
recipe: {learning_rate: 0.1, image_steps: 600}
seeds: [0, 1]
grid:
  - target_set: photos/a
    samples_per_class: SIZES
""".replace("PHOTOS", "0" * 64).replace("SKETCHES", "1" * 64)


def planned(runs: Path, sizes: str = "[10, 20]") -> tuple[Grid, list[RunRecord]]:
    """A study with its grid and a record of every run."""
    study = runs / "demo"
    study.mkdir(parents=True)
    (study / "grid.yaml").write_text(GRID.replace("SIZES", sizes))
    grid = load_grid(study / "grid.yaml")
    records = [edited(made_record(spec=run.spec), axes=dict(run.axes)) for run in grid.runs]
    for record in records:
        write_record(runs, record)
    return grid, records


def rewrite(runs: Path, record: RunRecord) -> Path:
    path = runs / record.study / f"{record.run_id}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{record.to_json()}\n")
    return path


def test_records_against_the_grid(tmp_path: Path) -> None:
    _, records = planned(tmp_path)
    assert check(tmp_path) == []
    axes = {"samples_per_class": 10, "profile": "balanced", "mine": 1}
    path = rewrite(tmp_path, edited(records[0], domain="sketches", held_out=True, axes=axes))
    wanted = [
        "domain is 'sketches'; grid.yaml says 'photos'",
        "held_out is true; grid.yaml says false",
        "axis others is missing; grid.yaml says 'none'",
        "axis mine is 1; grid.yaml has no such axis for this run",
    ]
    assert check(tmp_path) == [f"{path}: {fault}" for fault in wanted]
    rewrite(tmp_path, edited(records[0], axes={}))
    assert len(check(tmp_path)) == 3, "without a grid a record may leave axes out; with one it has those of the grid"


def test_a_grid_of_other_runs(tmp_path: Path) -> None:
    _, records = planned(tmp_path)
    file = tmp_path / "demo" / "grid.yaml"
    file.write_text(GRID.replace("SIZES", "[20]"))
    first = min(record.run_id for record in records[:2])
    assert check(tmp_path) == [f"{file}: does not plan 2 of the 4 records here, first {first}"]
    file.write_text(GRID.replace("SIZES", "[30]"))
    assert check(tmp_path) == [f"{file}: plans none of the 4 records here; needed the grid that they were trained from"]
    file.write_text("")
    assert check(tmp_path) == [f"{file}: holds no grid"]
    file.unlink()
    assert check(tmp_path) == []


def test_one_run_in_two_studies(tmp_path: Path) -> None:
    first = write_record(tmp_path, made_record())
    write_record(tmp_path, edited(made_record(study="second"), seconds__train=9.0))
    assert check(tmp_path) == [], "what was found is the same"
    second = rewrite(tmp_path, made_record(study="second", right=14))
    fault = f"run {made_record().run_id} differs from the one in"
    assert check(tmp_path) == [f"{second}: {fault} {first}"]
    pack(tmp_path, "demo")
    assert check(tmp_path) == [f"{second}: {fault} {tmp_path / 'demo' / 'runs-001.parquet'}, row 1"]


def test_studies_side_by_side_say_what_they_say_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_record(tmp_path, made_record())
    rewrite(tmp_path, made_record(study="second", right=14))
    write_record(tmp_path, edited(made_record(study="third"), seconds__train=9.0))
    (tmp_path / "third" / f"{'0' * 16}.json").write_text("{")
    alone = check(tmp_path)
    assert len(alone) == 2
    monkeypatch.setattr(import_module("predictor.records.check"), "ENOUGH", 0)
    assert check(tmp_path) == alone


def test_unreadable_rows_hide_no_other(tmp_path: Path) -> None:
    import duckdb

    part = tmp_path / "demo" / "runs-001.parquet"
    part.parent.mkdir()
    good, bad = made_record(), edited(made_record(1), outcomes__accuracy__value=0.1)
    rows = [(r.run_id, text) for r, text in ((good, None), (bad, bad.to_json()), (good, good.to_json()[:50]))]
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE parts (run_id VARCHAR, record VARCHAR)")
        connection.executemany("INSERT INTO parts VALUES (?, ?)", rows)
        connection.execute(f"COPY parts TO '{part}' (FORMAT parquet)")
    faults = check(tmp_path)
    assert faults[0] == f"{part}, row 1: column 'record' holds no text"
    assert faults[1] == f"{part}, row 2: accuracy: value is 0.1; its counts give {37 / 60!r}"
    assert faults[2].startswith(f"{part}, row 3: not a whole JSON object") and len(faults) == 3


# --- what lies at the top of a registry


@pytest.mark.parametrize("name", ["{id}.json", "grid.yaml", "runs-001.parquet"])
def test_a_stray_file_hides_no_study_and_is_named(tmp_path: Path, name: str) -> None:
    path = write_record(tmp_path, made_record())
    stray = tmp_path / name.format(id=path.stem)
    shutil.copy(path, stray)
    assert study_folders(tmp_path) == [tmp_path / "demo"] and read_registry(tmp_path) == [made_record()]
    assert check(tmp_path) == [
        f"{stray}: lies beside the studies, where nothing reads it; move it into its study's folder, or delete it"
    ]
    for harmless in ("fit.json", "README.md", "notes.json", "table.csv"):
        stray.rename(tmp_path / harmless)
        stray = tmp_path / harmless
        assert check(tmp_path) == []


def test_a_study_may_hold_folders(tmp_path: Path) -> None:
    planned(tmp_path)
    study = tmp_path / "demo"
    rewrite(tmp_path, made_record(right=14))
    for folder in ("checkpoints", "attempts", "logs"):
        (study / folder).mkdir(exist_ok=True)
    (study / "attempts" / f"{made_record().run_id}.1.json").write_text('{"status": "failed"}\n')
    (study / "checkpoints" / f"{made_record().run_id}.pt").write_bytes(b"")
    assert study_folders(study) == [study] and len(read_registry(study)) == 5
    assert study_folders(tmp_path) == [study]


# --- torn files


@pytest.mark.parametrize(
    "left", ["", '{"run_id"', "all but the end", "all but the line's end", "an inner end", "zeros"]
)
def test_a_torn_file_is_no_finished_run(tmp_path: Path, left: str) -> None:
    whole, torn = write_record(tmp_path, made_record(0)), write_record(tmp_path, made_record(1))
    study, text = torn.parent, torn.read_text()
    inner = text[: text.index("}") + 1]
    cut = {"all but the end": text[:-2], "all but the line's end": text[:-1], "an inner end": inner}
    torn.write_text("\0" * len(text) if left == "zeros" else cut.get(left, left))
    if left == "all but the line's end":  # as other programs write JSON
        assert torn_ids(study) == set() and finished_ids(study) == {whole.stem, torn.stem}
        return
    assert torn_ids(study) == {torn.stem} and finished_ids(study) == {whole.stem}
    finished = Finished(study)
    assert whole.stem in finished and torn.stem not in finished
    torn.write_text(text)
    assert torn.stem in finished and finished_ids(study) == {whole.stem, torn.stem} and torn_ids(study) == set()


def test_a_torn_file_beside_a_part_that_holds_the_run(tmp_path: Path) -> None:
    path = write_record(tmp_path, made_record())
    pack(tmp_path, "demo")
    path.write_text("")
    (path.parent / "fit.json").write_text("")
    assert torn_ids(path.parent) == {path.stem} and finished_ids(path.parent) == {path.stem}
    assert path.stem in Finished(path.parent)
