"""Records of a grid that are cut, as a full disk or a crash may leave them: named, and never trained over."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from dry import train_nothing
from launch_made import made_job, write_grid
from trainer_command import trainer_command as command

from predictor.grids import Grid, load_grid
from predictor.records import pack, write_record
from trainer.plan import plan_rows
from trainer.printing import status_lines
from trainer.status import standing, status_rows, status_summary, without


def made(folder: Path, n: int = 4, n_finished: int = 4) -> tuple[Grid, list[Path]]:
    """A grid of n runs and the files of the records of the first ones."""
    grid = load_grid(write_grid(folder, [8], list(range(n))))
    job = made_job(grid, folder)
    files = [write_record(job.runs_dir, train_nothing(run, job, lambda *_: None)) for run in grid.runs[:n_finished]]
    return grid, files


def cut(file: Path, length: int = 40) -> Path:
    file.write_bytes(file.read_bytes()[:length])
    return file


def test_table_and_summary_say_the_same(tmp_path: Path) -> None:
    grid, files = made(tmp_path)
    torn = sorted([cut(files[1], 0).stem, cut(files[2]).stem])
    runs = tmp_path / "runs"
    summary = status_summary(grid, runs)
    assert (summary["n_finished"], summary["n_torn"], summary["torn"], summary["n_failed"]) == (2, 2, torn, 0)
    assert [(row["runs"], row["finished"]) for row in status_rows(grid, runs) if row["axis"] == "target_set"] == [
        (4, 2)
    ]
    assert [row["finished"] for row in plan_rows(grid, runs)] == [True, False, False, True]
    lines = status_lines("tiny", summary)
    assert lines[0].startswith("tiny: 2 of 4 runs finished, 0 being trained, 0 failed and open, 0 diverged; ")
    assert lines[1] == (
        f"not finished, because their records are cut: {torn[0]}.json, {torn[1]}.json; delete these files, and "
        "`trainer run` trains the runs again"
    )
    found = standing(grid, runs)
    assert {run.spec.run_id for run in without(grid, found.torn).runs} == found.finished


def test_a_record_that_a_part_holds_is_finished_whatever_its_file(tmp_path: Path) -> None:
    grid, files = made(tmp_path)
    whole = files[0].read_bytes()
    pack(tmp_path / "runs", "tiny")
    files[0].write_bytes(whole[:50])
    summary = status_summary(grid, tmp_path / "runs")
    assert (summary["n_finished"], summary["n_torn"]) == (4, 0)


def test_a_torn_record_of_another_grid_is_not_this_ones(tmp_path: Path) -> None:
    grid, files = made(tmp_path, 1, 1)
    (files[0].parent / f"{'0' * 16}.json").write_text("{")
    summary = status_summary(grid, tmp_path / "runs")
    assert (summary["n_finished"], summary["n_torn"]) == (1, 0)


@pytest.mark.parametrize("length", [0, 40])
def test_run_trains_the_others_and_names_the_torn_one(tmp_path: Path, length: int) -> None:
    grid, files = made(tmp_path, 3, 2)
    torn = cut(files[1], length)
    left = torn.read_bytes()
    runs = tmp_path / "runs"
    line = ("run", tmp_path / "grid.yaml", "--runs", runs, "--workers", 1, "--threads", 1, "--device", "cpu")
    done = command(*line)
    assert done.returncode == 2, done.stderr
    first, *_, last = done.stderr.splitlines()
    assert first == (
        f"warning: {torn}: is cut, no whole record, and its run is not trained. delete it, and the same command trains "
        "the run"
    )
    assert "tiny: 1 of 3 runs are in the registry already" in done.stderr
    assert f"2/3 {grid.runs[2].spec.run_id} completed" in done.stderr
    assert last == (
        f"error: {torn.parent}: 1 run was not trained, because a record is there that is cut: {torn.name}. delete "
        "these files, and the same command trains the runs"
    )
    assert torn.read_bytes() == left and not (torn.parent / "attempts").exists()
    status = json.loads(command("status", tmp_path / "grid.yaml", "--runs", runs, "--format", "json").stdout)
    assert (status["summary"]["n_finished"], status["summary"]["torn"]) == (2, [torn.stem])
    torn.unlink()
    done = command(*line)
    assert done.returncode == 0 and "cut" not in done.stderr, done.stderr
    assert status_summary(grid, runs)["n_finished"] == 3


def test_run_ends_with_the_torn_ones_where_all_else_is_finished(tmp_path: Path) -> None:
    _, files = made(tmp_path, 2, 2)
    names = sorted(cut(file).name for file in files)
    done = command("run", tmp_path / "grid.yaml", "--runs", tmp_path / "runs", "--device", "cpu")
    assert done.returncode == 2 and done.stderr.count("warning: ") == 2
    assert done.stderr.splitlines()[-1] == (
        f"error: {files[0].parent}: 2 runs were not trained, because a record is there that is cut: "
        f"{names[0]}, {names[1]}. "
        "delete these files, and the same command trains the runs"
    )


def test_failures_and_torn_records_are_both_named_at_the_end(tmp_path: Path) -> None:
    """Images of digits 0 to 2 do not suffice for 9,000 a class: that run fails."""
    file = write_grid(tmp_path, [8, 9_000], [0])
    small, large = load_grid(file).runs
    job = made_job(load_grid(file), tmp_path)
    third = write_record(job.runs_dir, train_nothing(small, job, lambda *_: None))
    cut(third)
    file.write_text(file.read_text().replace("[8, 9000]", "[8, 9000, 4]"))
    done = command("run", file, "--runs", tmp_path / "runs", "--workers", 1, "--threads", 1, "--device", "cpu")
    assert done.returncode == 2
    failed, torn = done.stderr.splitlines()[-2:]
    assert failed.startswith(f"error: {job.study_dir / 'attempts'}: 1 of 2 runs failed, first: ")
    assert torn.startswith(
        f"{job.study_dir}: 1 run was not trained, because a record is there that is cut: {third.name}"
    )
    assert (job.study_dir / "attempts" / f"{large.spec.run_id}.1.json").exists()
