"""How fast a grid goes and when it will be done: pauses, resumed runs, clocks that jump, times that are none."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from dry import train_nothing
from launch_made import made_grid, made_job

from predictor.records import Cost, pack, read_costs, write_record
from trainer.printing import status_lines
from trainer.status import RECENT, progress, status_summary

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
WEEK = 7 * 24 * 3600


def ended(at: float | str | None, seconds: float = 60.0, **fields: Any) -> Cost:
    """A run that took so long and ended so many seconds after the beginning, as its record says."""
    text = (BEGIN + timedelta(seconds=at)).isoformat() if isinstance(at, int | float) else at
    fields = {"run_id": str(at), "status": "completed", "device": "cpu", "network": None, **fields}
    return Cost(
        **{"image_steps": 600, "seconds": seconds, "joules": None, "started_at": None, "ended_at": text, **fields}
    )


def found_at(now: float, costs: list[Cost], n_open: int = 6) -> dict[str, Any]:
    return progress(costs, n_open, BEGIN + timedelta(seconds=now))


def lines(found: dict[str, Any], **fields: Any) -> list[str]:
    zero = {name: 0 for name in ("n_runs", "n_finished", "n_failed", "n_diverged", "n_running", "n_torn")}
    return status_lines("tiny", {**zero, "torn": [], **found, **fields})[1:]


def test_pace_and_time_left() -> None:
    """By hand: a run of 60 s after the other is 60 an hour and 10 images/s; 6 are open, so 0.1 h."""
    costs = [ended(60.0 * i, joules=3.6e6 if i > 1 else None) for i in range(1, 5)]
    found = found_at(240 + 7200, costs)
    assert found["runs_per_hour"] == pytest.approx(60) and found["images_per_second"] == pytest.approx(10)
    assert found["eta_hours"] == pytest.approx(0.1) and found["paused_hours"] == 0
    assert found["last_ended_hours_ago"] == pytest.approx(2) and found["seconds_trained"] == 240
    assert lines(found, n_runs=10, n_finished=4) == [
        "60.0 runs an hour, 10 images/s; the last run ended 2.0 h ago; 0.10 h left at that pace",
        "3.000 kWh of 3 runs",
    ]
    assert found_at(0, [])["eta_hours"] is None and found_at(0, [])["runs_per_hour"] is None
    assert found_at(240, costs, n_open=0)["eta_hours"] == 0


def test_one_run_tells_the_pace_of_one_process() -> None:
    found = found_at(120, [ended(120.0, seconds=120.0)])
    assert found["runs_per_hour"] == pytest.approx(30) and found["eta_hours"] == pytest.approx(0.2)
    assert lines(found, n_finished=1)[0] == (
        "30.0 runs an hour, 5 images/s of one process, known from one run; 0.20 h left at that pace"
    )


def test_two_processes_side_by_side_are_twice_as_fast() -> None:
    costs = [ended(60.0 * i + offset) for i in range(1, 6) for offset in (0, 0.5)]
    assert found_at(301, costs)["runs_per_hour"] == pytest.approx(120, rel=0.01)
    assert found_at(61, costs[:2])["runs_per_hour"] == pytest.approx(120, rel=0.01), "both ended at once"


def test_a_pause_does_not_count() -> None:
    """Half of the runs are a week older; the pace is that of an undisturbed grid."""
    costs = [ended(60.0 * i) for i in range(1, 6)] + [ended(WEEK + 60.0 * i) for i in range(1, 6)]
    found = found_at(WEEK + 301, costs)
    assert found["runs_per_hour"] == pytest.approx(60) and found["eta_hours"] == pytest.approx(0.1)
    assert found["paused_hours"] == pytest.approx((WEEK - 300) / 3600)
    assert ", without 167.9 h of pauses; 0.10 h left" in lines(found)[0]


def test_a_short_gap_between_runs_is_work() -> None:
    """Processes start, records are written: 30 s of that after each run of 30 s are half the time."""
    costs = [ended(60.0 * i, seconds=30.0) for i in range(1, 101)]
    assert found_at(6000, costs)["runs_per_hour"] == pytest.approx(60)


def test_a_run_that_was_stopped_and_continued_counts_once() -> None:
    """Two tries of 50 s with a day between: it ends when its record says, and took 100 s."""
    day = 24 * 3600.0
    resumed = ended(100 + 50 + day + 50, seconds=100.0, started_at=(BEGIN + timedelta(days=1, seconds=150)).isoformat())
    found = found_at(day + 300, [ended(100.0, seconds=100.0), resumed, ended(day + 300, seconds=100.0)])
    assert found["runs_per_hour"] == pytest.approx(36)
    assert found["last_ended_hours_ago"] == 0 and found["n_without_end"] == 0
    assert resumed.end == BEGIN + timedelta(seconds=day + 200), "not its seconds after its last start"


def test_only_the_last_runs_tell_the_pace() -> None:
    """The grid has become twice as fast; with more than RECENT runs, what came before does not count."""
    slow = [ended(60.0 * i) for i in range(1, 31)]
    fast = [ended(1800 + 30.0 * i, seconds=30.0) for i in range(1, RECENT + 1)]
    found = found_at(1800 + 30 * RECENT, slow + fast)
    assert found["runs_per_hour"] == pytest.approx(120) and found["pace_from_runs"] == RECENT
    # two processes: the run that was half done when the first of the last 50 began counts from there alone
    both = [ended(30.0 * i, seconds=60.0) for i in range(1, 2 * RECENT)]
    assert found_at(30.0 * 2 * RECENT, both)["runs_per_hour"] == pytest.approx(120)


@pytest.mark.parametrize("n", [1, 3])
def test_a_clock_that_jumped_spoils_nothing(n: int) -> None:
    costs = [ended(60.0 * i) for i in range(1, 6)]
    jumped = [ended(f"2099-01-0{i + 1}T00:00:00+00:00") for i in range(n)]
    found = found_at(360, costs + jumped)
    assert found["runs_per_hour"] == pytest.approx(60) and found["last_ended_hours_ago"] == pytest.approx(60 / 3600)
    assert found["n_without_end"] == n
    what = "1 finished run states" if n == 1 else "3 finished runs state"
    assert f"{what} no end, or none in the past: left out of the pace" in lines(found)
    old = [ended(f"1970-01-0{i + 1}T00:00:00+00:00") for i in range(n)]
    assert found_at(360, costs + old)["runs_per_hour"] == pytest.approx(60)
    ahead = found_at(290, costs)  # the machine that trained is 10 s ahead of this one
    assert ahead["last_ended_hours_ago"] == 0 and ahead["n_without_end"] == 0


NO_TIMES = [
    "yesterday",
    "",
    "2026-01-01T00:00:00",
    "2026-01-01",
    "9999-12-31T23:59:59+00:00",
    5,
    1e300,
    True,
    [1],
    {"a": 1},
]


@pytest.mark.parametrize("field", ["started_at", "ended_at"])
def test_a_time_that_is_none_is_unknown(tmp_path: Path, field: str) -> None:
    """Loose and packed, each kind of nonsense beside three sound runs."""
    grid = made_grid(tmp_path, [8], list(range(13)))
    job = made_job(grid, tmp_path)
    for run, value in zip(grid.runs, [*NO_TIMES, "", "", ""], strict=True):
        path = write_record(job.runs_dir, train_nothing(run, job, lambda *_: None))
        content = {**json.loads(path.read_text()), field: value, "seconds": {"train": 60.0}}
        path.write_text(json.dumps(content))
    sound = grid.runs[-3:]
    for i, run in enumerate(sound):
        path = job.study_dir / f"{run.spec.run_id}.json"
        time = (BEGIN + timedelta(seconds=60 * i)).isoformat()
        path.write_text(json.dumps({**json.loads(path.read_text()), field: time}))
    loose = status_summary(grid, job.runs_dir)
    assert (loose["n_finished"], loose["n_without_end"]) == (13, 10)
    assert loose["runs_per_hour"] == pytest.approx(60) and loose["pace_from_runs"] == 3
    pack_unchecked(job.study_dir)
    packed = status_summary(grid, job.runs_dir)
    for name in ("last_ended_hours_ago",):
        assert packed.pop(name) == pytest.approx(loose.pop(name), abs=0.1)
    assert packed == loose


def pack_unchecked(study: Path) -> None:
    """A part as some other program might write it: `pack` refuses records like these."""
    import duckdb

    files = sorted(study.glob("*.json"))
    columns = {"ids": [file.stem for file in files], "texts": [file.read_text() for file in files]}
    with duckdb.connect() as connection:
        chosen = "SELECT unnest($ids) AS run_id, unnest($texts) AS record"
        connection.execute(f"COPY ({chosen}) TO '{study / 'runs-001.parquet'}' (FORMAT parquet)", columns)
    for file in files:
        file.unlink()


def test_a_real_run_says_when_it_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from trainer.launch.worker import train

    grid = made_grid(tmp_path, [4], [0])
    before = datetime.now(UTC)
    job = made_job(grid, tmp_path)
    steps: list[datetime] = []
    monkeypatch.setattr("trainer.stages.PROGRESS_SECONDS", -1.0)  # every step gives a sign of life
    record = train(grid.runs[0], job, lambda *_: steps.append(datetime.now(UTC)))
    assert record.started_at and record.ended_at and record.seconds
    end = datetime.fromisoformat(record.ended_at)
    assert end.utcoffset() == timedelta(0)
    assert before < steps[-1] <= end + timedelta(milliseconds=1) and end <= datetime.now(UTC)
    assert end - datetime.fromisoformat(record.started_at) >= timedelta(seconds=record.seconds.train - 0.001)
    write_record(job.runs_dir, record)
    (loose,) = read_costs(job.study_dir)
    pack(job.runs_dir, "tiny")
    (packed,) = read_costs(job.study_dir)
    assert loose == packed and loose.end == end
