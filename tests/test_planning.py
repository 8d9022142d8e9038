"""What `trainer plan` and `trainer status` say: faults of a whole grid at once, hours, pace, energy."""

from __future__ import annotations

from pathlib import Path

import pytest
from dry import train_nothing
from launch_made import GRID, made_grid, made_job, write_grid
from trainer_command import trainer_command

from predictor.errors import DataError, SpecError
from predictor.grids import load_grid
from predictor.records import Energy, pack, read_costs, read_registry, write_record
from trainer.checking import check_grid, check_open_runs
from trainer.plan import Speed, forecast, hours, measured_speed, network_of, plan_rows, plan_summary
from trainer.printing import plan_lines
from trainer.status import status_rows, status_summary


def test_all_faults_of_a_grid_are_named_at_once_before_any_training(tmp_path: Path) -> None:
    text = GRID.replace("predictor_small", "predictor_smal").replace("STEPS", "640").replace("SEEDS", "[0, 1]")
    text = text.replace("SIZES", "[4, 8000]").replace('"2"]', '"two"]')
    (tmp_path / "grid.yaml").write_text(text.replace("protocol: 2", "protocol: 1"))
    with pytest.raises(SpecError) as caught:
        check_grid(load_grid(tmp_path / "grid.yaml"), tmp_path)
    message = str(caught.value)
    for part in (
        "grid tiny: 4 faults:",
        "asks for protocol 1; this trainer trains protocols 2 and 3 (all runs)",
        "unknown model 'predictor_smal'; did you mean 'predictor_small'",
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
        if number > 1:
            update["ended_at"] = f"2026-01-01T00:01:0{number}+00:00"
        write_record(job.runs_dir, train_nothing(run, job, lambda *_: None).model_copy(update=update))
    loose = {cost.run_id: cost for cost in read_costs(job.study_dir)}
    for record in read_registry(job.runs_dir):
        cost = loose[record.run_id]
        assert (cost.status, cost.device, cost.seconds) == ("completed", "cpu", record.seconds.total)
        assert cost.network == ("predictor_small", 8, 32) and cost.image_steps == 640
        assert (cost.joules, cost.started_at) == (record.energy.joules, record.started_at)
        assert cost.ended_at == record.ended_at
    ends = [loose[run.spec.run_id].end for run in grid.runs]
    assert [end.strftime("%M:%S.%f") for end in ends if end] == [
        "00:00.001000",
        "00:01.001000",
        "01:02.000000",
        "01:03.000000",
    ], "the end that is stated, else the seconds after the start"
    pack(job.runs_dir, "tiny")
    assert {cost.run_id: cost for cost in read_costs(job.study_dir)} == loose
    assert status_summary(grid, job.runs_dir)["joules"] == 60.0
    (job.study_dir / "0123456789abcdef.json").write_text('{"run_id": "01')
    assert len(read_costs(job.study_dir)) == 4, "a torn record is for `runs check`"


def test_hours_come_from_runs_of_the_same_network(tmp_path: Path) -> None:
    grid = made_grid(tmp_path, [4, 8], [0, 1])
    job = made_job(grid, tmp_path)
    (row,) = forecast(grid, job.runs_dir, None, measure=False)
    assert row["basis"] == "the registry that ships, scaled from 32 px, batches of 128"
    network = network_of(grid.runs[0].spec)
    (row,) = hours(grid.runs, {(network, "cpu"): Speed(0.5, 7), (("other", 8, 32), "cpu"): Speed(9.0, 1)})
    assert row["hours"] == pytest.approx(4 * 640 * 0.5 / 3600) and (row["runs"], row["from_runs"]) == (4, 7)
    write_record(job.runs_dir, train_nothing(grid.runs[0], job, lambda *_: None))
    (row,) = forecast(grid, job.runs_dir, None, measure=False)
    assert row["hours"] == pytest.approx(3 * 1e-3 / 3600) and (row["device"], row["from_runs"]) == ("cpu", 1)
    speed = measured_speed(grid.runs[0], "cpu", 1, n_tested=100)
    assert 1e-7 < speed.seconds < 1 and speed.n_runs == 0


def test_a_degenerate_design_shows(tmp_path: Path) -> None:
    grid = made_grid(tmp_path, [4, 8], [0])
    summary = plan_summary(plan_rows(grid, tmp_path))
    assert "n_classes" in summary["constant"] and "n_samples" not in summary["constant"] and not summary["same_data"]
    rows = plan_rows(grid, tmp_path)
    rows[1] = {**rows[0], "configuration_id": "another"}
    summary = plan_summary(rows)
    assert summary["same_data"] == [sorted([rows[0]["configuration_id"], "another"])]
    assert any("no indicator tells apart" in line and " = " in line for line in plan_lines(summary, []))


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


def test_a_grid_of_which_no_run_can_be_trained_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    file = write_grid(tmp_path, [8], [0])
    file.write_text(file.read_text().replace("predictor_small", "resnet51"))
    done = trainer_command("run", file, "--runs", tmp_path / "runs")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: grid tiny: unknown model 'resnet51'; did you mean 'resnet51q'")
    assert done.stderr.endswith("mend the grid; nothing was trained\n") and done.stderr.count("\n") == 1
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


def test_a_large_grid_asks_for_yes(tmp_path: Path) -> None:
    file = write_grid(tmp_path, [8], list(range(1_001)))
    done = trainer_command("run", file, "--runs", tmp_path / "runs")
    assert (
        done.returncode == 2
        and done.stderr == f"error: {file}: 1,001 runs, more than 1,000. say --yes to train them all\n"
    )
    assert not (tmp_path / "runs").exists()


def test_the_time_limit_must_be_a_number(tmp_path: Path) -> None:
    file = write_grid(tmp_path, [8], [0])
    done = trainer_command("run", file, "--runs", tmp_path / "runs", "--timeout", "nan")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: --timeout is nan. give a number above 0, or inf for no limit\n"
    assert not (tmp_path / "runs").exists()


def test_the_help_of_plan_says_that_no_image_is_decoded() -> None:
    text = " ".join(trainer_command("plan", "--help").stdout.split())
    assert "No image is decoded: a damaged one shows when a run loads it." in text
    assert "everything that would go wrong" not in text
