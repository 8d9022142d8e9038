"""What `trainer plan` and `trainer status` say: faults of a whole grid at once, hours, pace, energy."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from launch_made import GRID, made_grid, made_job, write_grid

from predictor.errors import DataError, RegistryError, SpecError
from predictor.grids import load_grid
from predictor.records import Cost, Energy, pack, read_costs, read_registry, write_record
from trainer.checking import check_grid, check_open_runs
from trainer.forecast import Speed, forecast, hours, measured_speed, network_of, progress
from trainer.launch.dry import train_nothing
from trainer.launch.local import run_grid
from trainer.planning import keep_grid, plan_rows, plan_summary, status_rows, status_summary
from trainer.progress import plan_lines, status_lines


def test_all_faults_of_a_grid_are_named_at_once_before_any_training(tmp_path: Path) -> None:
    text = GRID.replace("predictor_small", "predictor_smal").replace("STEPS", "640").replace("SEEDS", "[0, 1]")
    text = text.replace("SIZES", "[4, 8000]").replace('"2"]', '"two"]')
    (tmp_path / "grid.yaml").write_text(text.replace("protocol: 2", "protocol: 1"))
    with pytest.raises(SpecError) as caught:
        check_grid(load_grid(tmp_path / "grid.yaml"), tmp_path)
    message = str(caught.value)
    for part in (
        "grid tiny: 4 faults:",
        "asks for protocol 1; this trainer trains protocol 2 (all runs)",
        "unknown model 'predictor_smal'; did you mean 'predictor_small'? (all runs)",
        "class 'two' is not in digits",
        "digits (test): no image to test class 'two'",
        "nothing was trained",
    ):
        assert part in message, part
    grid = made_grid(tmp_path, [4, 8000], [0, 1])
    with pytest.raises(SpecError, match=r"'0' of digits \(train\): 8000 asked, 136 there") as caught:
        check_grid(grid, tmp_path)
    large = [run.spec.run_id for run in grid.runs if run.spec.stages[0].data.samples_per_class == 8000]
    assert all(run_id in str(caught.value) for run_id in large) and len(large) == 2
    with pytest.raises(DataError, match="no such folder"):
        check_grid(grid, tmp_path / "nowhere")
    check_grid(made_grid(tmp_path, [4], [0]), tmp_path)


def test_costs_are_those_of_the_records_packed_or_not(tmp_path: Path) -> None:
    grid = made_grid(tmp_path, [4, 8], [0, 1])
    job = made_job(grid, tmp_path)
    for number, run in enumerate(grid.runs):
        energy = Energy(joules=10.0 * number) if number else Energy(reason="none")
        update = {"energy": energy, "started_at": f"2026-01-01T00:00:0{number}+00:00"}
        write_record(job.runs_dir, train_nothing(run, job, lambda *_: None).model_copy(update=update))
    loose = {cost.run_id: cost for cost in read_costs(job.study_dir)}
    for record in read_registry(job.runs_dir):
        cost = loose[record.run_id]
        assert (cost.status, cost.device, cost.seconds) == ("completed", "cpu", record.seconds.total)
        assert cost.network == ("predictor_small", 8, 32) and cost.image_steps == 640
        assert (cost.joules, cost.started_at) == (record.energy.joules, record.started_at)
    pack(job.runs_dir, "tiny")
    assert {cost.run_id: cost for cost in read_costs(job.study_dir)} == loose
    assert status_summary(grid, job.runs_dir)["joules"] == 60.0
    (job.study_dir / "0123456789abcdef.json").write_text('{"run_id": "01')
    assert len(read_costs(job.study_dir)) == 4, "a torn record is for `runs check`"


def test_hours_come_from_runs_of_the_same_network(tmp_path: Path) -> None:
    grid = made_grid(tmp_path, [4, 8], [0, 1])
    job = made_job(grid, tmp_path)
    assert [row["hours"] for row in forecast(grid, job.runs_dir, None, measure=False)] == [None]
    network = network_of(grid.runs[0].spec)
    (row,) = hours(grid.runs, {(network, "cpu"): Speed(0.5, 7), (("other", 8, 32), "cpu"): Speed(9.0, 1)})
    assert row["hours"] == pytest.approx(4 * 640 * 0.5 / 3600) and (row["runs"], row["from_runs"]) == (4, 7)
    write_record(job.runs_dir, train_nothing(grid.runs[0], job, lambda *_: None))
    (row,) = forecast(grid, job.runs_dir, None, measure=False)
    assert row["hours"] == pytest.approx(3 * 1e-3 / 3600) and (row["device"], row["from_runs"]) == ("cpu", 1)
    speed = measured_speed(grid.runs[0], tmp_path, {"digits": None}, "cpu", 1)
    assert 1e-7 < speed.seconds < 1 and speed.n_runs == 0
    with pytest.raises(DataError, match="--data"):
        forecast(grid, tmp_path / "empty", None, measure=True)


def test_a_degenerate_design_shows(tmp_path: Path) -> None:
    grid = made_grid(tmp_path, [4, 8], [0])
    summary = plan_summary(plan_rows(grid, tmp_path))
    assert "n_classes" in summary["constant"] and "n_samples" not in summary["constant"] and not summary["same_data"]
    rows = plan_rows(grid, tmp_path)
    rows[1] = {**rows[0], "configuration_id": "another"}
    summary = plan_summary(rows)
    assert summary["same_data"] == [sorted([rows[0]["configuration_id"], "another"])]
    assert any("equal indicators" in line and " = " in line for line in plan_lines(summary, []))


def test_pace_and_time_left(tmp_path: Path) -> None:
    """By hand: a run every 60 s is 60 an hour; 6 of 10 runs are open, so 0.1 h."""
    grid = made_grid(tmp_path, [4, 8], [0, 1, 2, 3, 4])
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    costs = [
        Cost(
            run_id=str(i),
            status="completed",
            device="cpu",
            network=None,
            image_steps=1,
            seconds=30.0,
            joules=3.6e6 if i else None,
            started_at=(begin + timedelta(seconds=60 * i)).isoformat(),
        )
        for i in range(4)
    ]
    found = progress(grid, costs, now=begin + timedelta(seconds=210 + 7200))
    assert found["runs_per_hour"] == pytest.approx(60) and found["eta_hours"] == pytest.approx(0.1)
    assert found["last_ended_hours_ago"] == pytest.approx(2) and found["seconds_trained"] == 120
    summary = {"n_runs": 10, "n_finished": 4, "n_failed": 0, "n_diverged": 0, "n_running": 0, **found}
    assert status_lines("tiny", summary)[1:] == [
        "60.0 runs an hour at the last look, 2.0 h ago; 0.10 h left at that pace",
        "3.000 kWh of 3 runs",
    ]
    assert progress(grid, [])["eta_hours"] is None


def test_status_counts_failed_runs_by_axis(tmp_path: Path) -> None:
    grid = made_grid(tmp_path, [4, 8], [0, 1])
    attempts = tmp_path / "runs" / "tiny" / "attempts"
    attempts.mkdir(parents=True)
    (attempts / f"{grid.runs[0].spec.run_id}.1.json").write_text("{}")
    rows = {(row["axis"], row["level"]): row for row in status_rows(grid, tmp_path / "runs")}
    assert rows["samples_per_class", "4"] == {
        "axis": "samples_per_class",
        "level": "4",
        "runs": 2,
        "finished": 0,
        "failed": 1,
    }
    assert status_summary(grid, tmp_path / "runs")["n_failed"] == 1


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "trainer", *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, check=False)


def test_a_grid_of_which_no_run_can_be_trained_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    file = write_grid(tmp_path, [8], [0])
    file.write_text(file.read_text().replace("predictor_small", "resnet51"))
    done = command("run", file, "--runs", tmp_path / "runs")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "grid tiny: unknown model 'resnet51'; did you mean 'resnet51q'? (all runs). mend the grid; nothing was "
        "trained\n"
    )
    assert not (tmp_path / "runs").exists()


def test_runs_that_will_fail_are_named_and_the_others_are_open(tmp_path: Path) -> None:
    grid = made_grid(tmp_path, [8, 9_000], [0, 1])
    (line,) = check_open_runs(grid, tmp_path, set())
    assert line.startswith("more images asked for than there are: '0' of digits (train): 9000 asked, ")
    assert line.endswith("(2 of 4 runs will fail)")
    small = {run.spec.run_id for run in grid.runs if run.axes["samples_per_class"] == 8}
    with pytest.raises(SpecError, match=r"9000 asked, .*mend the grid; nothing was trained"):
        check_open_runs(grid, tmp_path, small)
    assert check_open_runs(grid, tmp_path, {run.spec.run_id for run in grid.runs}) == []


def test_a_grid_may_be_mended_until_a_run_of_it_is_finished(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    wrong = made_grid(tmp_path, [7], [0])
    keep_grid(tmp_path / "grid.yaml", wrong, runs)
    mended = made_grid(tmp_path, [8], [0])
    keep_grid(tmp_path / "grid.yaml", mended, runs)
    assert (runs / "tiny" / "grid.yaml").read_text() == (tmp_path / "grid.yaml").read_text()
    (outcome,) = run_grid(mended, made_job(mended, tmp_path), workers=1)
    assert outcome.status == "completed"
    with pytest.raises(RegistryError, match=r"holds another grid of the same name as .* a grid may grow but not drop"):
        keep_grid(tmp_path / "grid.yaml", made_grid(tmp_path, [9], [0]), runs)
    keep_grid(tmp_path / "grid.yaml", made_grid(tmp_path, [8, 9], [0]), runs)


def test_a_large_grid_asks_for_yes(tmp_path: Path) -> None:
    file = write_grid(tmp_path, [8], list(range(1_001)))
    done = command("run", file, "--runs", tmp_path / "runs")
    assert done.returncode == 2 and done.stderr == f"{file}: 1,001 runs, more than 1,000. say --yes to train them all\n"
    assert not (tmp_path / "runs").exists()
