"""The scheduler: order, tries, attempts, leases. Runs that train nothing, so that only scheduling is tested."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dry import train_nothing
from launch_made import fails_first, made_grid, made_job, takes_a_while, wrong_for_seed_1

from predictor.errors import PredictorError, RegistryError
from predictor.records import check, finished_ids, pack, read_attempts, read_registry, write_record
from trainer.launch import lease as leases
from trainer.launch.job import TryOutcome
from trainer.launch.lease import Lease, Watch, claim, held, machine, started
from trainer.launch.local import run_grid
from trainer.launch.pool import STARTS, Worker, context_of, ended
from trainer.launch.schedule import Schedule
from trainer.launch.worker import try_run
from trainer.status import open_runs, standing


def test_every_run_is_trained_once_a_seed_of_each_configuration_first(tmp_path: Path) -> None:
    grid = made_grid(tmp_path, [4, 8, 16], [0, 1])
    seen: list[TryOutcome] = []
    outcomes = run_grid(grid, made_job(grid, tmp_path), workers=1, report=seen.append)
    runs = grid.runs  # three configurations, two seeds each
    assert [outcome.run_id for outcome in seen] == [run.spec.run_id for run in [*runs[::2], *runs[1::2]]]
    assert outcomes == seen and {outcome.status for outcome in seen} == {"completed"}
    assert finished_ids(tmp_path / "runs" / "tiny") == {run.spec.run_id for run in grid.runs}
    assert check(tmp_path / "runs") == []
    assert not list((tmp_path / "runs" / "tiny" / "checkpoints").iterdir()), "no lease stays"
    assert run_grid(grid, made_job(grid, tmp_path), workers=1) == []


def test_runs_of_one_network_stand_together(tmp_path: Path) -> None:
    grid = made_grid(tmp_path, [4, 8, 16], [0, 1])
    odd = grid.runs[0].spec
    wide = odd.model_copy(update={"recipe": odd.recipe.model_copy(update={"batch_size": 64})})
    mixed = [grid.runs[0], type(grid.runs[0])(spec=wide, axes={}, target_set="t", domain="d"), *grid.runs[1:]]
    grid = type(grid)(**{**vars(grid), "runs": mixed})
    queue = [run.spec.recipe.batch_size for run in Schedule(grid, made_job(grid, tmp_path))._queue]
    assert queue == [32] * 6 + [64]


def test_each_configuration_has_its_first_seed_before_any_has_its_second(tmp_path: Path) -> None:
    """Stopped half-way, a grid has seen as many configurations as it can; continued, it goes on in that order."""
    grid = made_grid(tmp_path, [2, 4, 8], [5, 6, 7])
    job = made_job(grid, tmp_path)

    def order() -> list[tuple[int | None, int]]:
        left = open_runs(grid, standing(grid, job.runs_dir))  # as the command hands it on
        queue = Schedule(left, job)._queue
        assert list(queue) == list(Schedule(grid, job)._queue)
        return [(run.spec.stages[0].data.samples_per_class, run.spec.seeds.training) for run in queue]

    whole = [(size, seed) for seed in (5, 6, 7) for size in (2, 4, 8)]
    assert order() == whole
    for run in grid.runs[1:3]:  # the second and third seed of the first configuration are there
        write_record(job.runs_dir, train_nothing(run, job, lambda *_: None))
    assert order() == [one for one in whole if one not in [(2, 6), (2, 7)]]
    for run in (grid.runs[0], grid.runs[3]):  # and the first seeds of two configurations
        write_record(job.runs_dir, train_nothing(run, job, lambda *_: None))
    assert order() == [(8, 5), (4, 6), (8, 6), (4, 7), (8, 7)]


@pytest.fixture(scope="module")
def wronged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[TryOutcome]]:
    folder = tmp_path_factory.mktemp("wrong")
    grid = made_grid(folder, [1, 2, 3, 4, 5, 6, 7], [0, 1, 2])
    job = made_job(grid, folder, wrong_for_seed_1)
    return folder / "runs" / "tiny", run_grid(grid, job, workers=2, timeout=10.0, memory_limit=1.5 * 2**30)


def test_no_bad_run_stops_a_grid(wronged: tuple[Path, list[TryOutcome]]) -> None:
    study, outcomes = wronged
    assert len(outcomes) == 21 and sum(outcome.status == "completed" for outcome in outcomes) == 14
    assert len(finished_ids(study)) == 14 and len(read_attempts(study)) == 7
    assert check(study.parent) == []


@pytest.mark.parametrize(
    ("size", "status", "message"),
    [
        (1, "failed", "ValueError: a fault of the program"),
        (2, "failed", "row 7: an image is torn"),
        (3, "out_of_memory", "MemoryError: no room"),
        (4, "failed", "the worker process was killed (SIGKILL), as the system does where memory runs out"),
        (5, "failed", "the worker process ended with exit code 3"),
        (6, "failed", " s (--timeout 10); the process was killed"),
        (7, "out_of_memory", "GiB (--memory-limit 1.5); the process was killed"),
    ],
)
def test_attempts_say_what_went_wrong(
    wronged: tuple[Path, list[TryOutcome]], tmp_path: Path, size: int, status: str, message: str
) -> None:
    grid = made_grid(tmp_path, [size], [1])
    (attempt,) = [a for a in read_attempts(wronged[0]).values() if a["run_id"] == grid.runs[0].spec.run_id]
    assert attempt["status"] == status and message in attempt["message"]
    assert "about to go wrong" in attempt["log"] and attempt["step"] == [3, 7] and attempt["device"] == "cpu"
    if size == 1:
        assert "in _raise" in attempt["traceback"]
    if size == 6:  # a busy machine looks later
        assert int(re.match(r"no sign of life for (\d+) s", attempt["message"])[1]) >= 10
        assert "in _hangs" in attempt["log"], "the log says where it hung"


def test_retry_and_only_failed(tmp_path: Path) -> None:
    grid = made_grid(tmp_path, [4], [0, 1, 2])
    job = made_job(grid, tmp_path, fails_first)
    outcomes = run_grid(grid, job, workers=1)
    assert [outcome.status for outcome in outcomes] == ["failed"] * 3
    (tmp_path / f"{grid.runs[0].spec.run_id}.tried").unlink()
    (tmp_path / "runs" / "tiny" / "attempts" / f"{grid.runs[2].spec.run_id}.1.json").unlink()
    outcomes = run_grid(grid, job, workers=1, only_failed=True, retry=2)
    names = [grid.runs[i].spec.run_id for i in (0, 1, 0)]
    assert [(outcome.run_id, outcome.status) for outcome in outcomes] == list(
        zip(names, ["failed", "completed", "completed"], strict=True)
    )
    assert len(finished_ids(job.study_dir)) == 2


def test_runs_that_were_packed_meanwhile_are_done(tmp_path: Path) -> None:
    grid = made_grid(tmp_path, [4, 8], [0, 1])
    job = made_job(grid, tmp_path)
    schedule = Schedule(grid, job)
    assert not any(schedule.finished(run) for run in grid.runs)
    run_grid(grid, job, workers=1)
    pack(tmp_path / "runs", "tiny")
    assert all(schedule.finished(run) for run in grid.runs)


def test_two_schedulers_train_no_run_twice(tmp_path: Path) -> None:
    """The second one waits for what the first has, and ends when all is done."""
    grid = made_grid(tmp_path, [4, 8, 16], [0, 1])
    job = made_job(grid, tmp_path, takes_a_while)
    code = (
        "import sys; from pathlib import Path; from launch_made import *\n"
        "from predictor.grids import load_grid; from trainer.launch.local import run_grid\n"
        "folder = Path(sys.argv[1]); grid = load_grid(folder / 'grid.yaml')\n"
        "if __name__ == '__main__': run_grid(grid, made_job(grid, folder, takes_a_while), workers=2)"
    )
    script = tmp_path / "second.py"
    script.write_text(code)
    path = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    second = subprocess.Popen([sys.executable, script, tmp_path], env=path)
    while not list(tmp_path.rglob("*.lease")):
        assert second.poll() is None, "it does not begin"
        time.sleep(0.02)
    seen: list[TryOutcome] = []
    run_grid(grid, job, workers=2, report=seen.append)
    assert finished_ids(job.study_dir) == {run.spec.run_id for run in grid.runs}
    assert second.wait() == 0
    assert len(list(tmp_path.glob("*.trained"))) == 6
    assert len(seen) == 6 and {outcome.status for outcome in seen} == {"completed", "elsewhere"}


# --- leases


def foreign(path: Path) -> None:
    """As if another machine had made it."""
    path.write_text(json.dumps({"machine": "elsewhere", "processes": [[1, "2"]]}))


def test_a_lease_is_for_one(tmp_path: Path) -> None:
    first = claim(tmp_path, "a", Watch(), [os.getpid()])
    assert first and claim(tmp_path, "a", Watch(), [os.getpid()]) is None and held(tmp_path) == {"a"}
    first.release()
    again = claim(tmp_path, "a", Watch(), [os.getpid()])
    assert again and again.path.name == "a.1.lease"


def test_of_many_takers_one_wins(tmp_path: Path) -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    (tmp_path / "a.1.lease").write_text(json.dumps({"machine": machine(), "processes": [[dead.pid, "5"]]}))
    won = []
    barrier = threading.Barrier(8)

    def take() -> None:
        barrier.wait()
        won.append(claim(tmp_path, "a", Watch(), [os.getpid()]))

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(lease is not None for lease in won) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.2.lease"]


@pytest.mark.skipif(machine() is None, reason="this system does not tell its processes apart")
def test_the_dead_hold_nothing_and_a_reused_number_is_another_process(tmp_path: Path) -> None:
    child = subprocess.Popen(["sleep", "100"])
    assert claim(tmp_path, "a", Watch(), [child.pid])
    assert claim(tmp_path, "a", Watch(), [os.getpid()]) is None
    child.kill()
    while started(child.pid):
        time.sleep(0.01)
    assert claim(tmp_path, "a", Watch(), [os.getpid()]), "not yet reaped, but dead"
    child.wait()
    content = {"machine": machine(), "processes": [[os.getpid(), "1"]]}
    (tmp_path / "b.1.lease").write_text(json.dumps(content))
    assert claim(tmp_path, "b", Watch(), [os.getpid()])


@pytest.mark.parametrize("jump", [-(10**9), 10**9])
def test_a_clock_that_jumps_ends_no_lease(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump: int) -> None:
    """Wherever the owner's or our clock goes: only that the file changes counts, on our monotonic time."""
    monkeypatch.setattr(leases, "LEASE_SECONDS", 0.3)
    path, watch = tmp_path / "a.1.lease", Watch()
    foreign(path)
    now = int(time.time())
    for beat in range(8):
        os.utime(path, (now, now + jump * (beat % 2) - beat))
        monkeypatch.setattr(time, "time", lambda: now - jump)
        assert claim(tmp_path, "a", watch, [os.getpid()]) is None
        time.sleep(0.1)
    time.sleep(0.3)
    assert claim(tmp_path, "a", watch, [os.getpid()]), "it stopped beating"


def test_an_owner_that_was_taken_over_learns_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "BEAT_SECONDS", 0.0)
    mine = claim(tmp_path, "a", Watch(), [os.getpid()])
    assert mine and mine.beat()
    (tmp_path / "a.2.lease").touch()
    assert not mine.beat()
    (tmp_path / "a.2.lease").unlink()
    mine.path.unlink()
    assert not mine.beat()


def test_a_torn_lease_goes_stale_by_time_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "LEASE_SECONDS", 0.1)
    (tmp_path / "a.1.lease").write_bytes(b'{"mach')
    watch = Watch()
    assert claim(tmp_path, "a", watch, [os.getpid()]) is None
    time.sleep(0.15)
    assert claim(tmp_path, "a", watch, [os.getpid()])


def test_where_no_lease_can_be_written_nothing_is_trained(tmp_path: Path) -> None:
    grid = made_grid(tmp_path, [4], [0])
    job = made_job(grid, tmp_path)
    job.study_dir.mkdir(parents=True)
    (job.study_dir / "checkpoints").write_text("not a folder")
    with pytest.raises(
        RegistryError, match=r"checkpoints: cannot be written \(.*\)\. free space or permit writing there"
    ):
        run_grid(grid, job, workers=1)


def test_the_checkpoint_of_a_run_goes_once_its_record_is_there(tmp_path: Path) -> None:
    grid = made_grid(tmp_path, [4], [0])
    job = made_job(grid, tmp_path)
    file = job.checkpoints / f"{grid.runs[0].spec.run_id}.pt"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"weights on the way")
    assert try_run(grid.runs[0], job, lambda *_: None).status == "completed"
    assert finished_ids(job.study_dir) == {grid.runs[0].spec.run_id} and not file.exists()


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    job = made_job(made_grid(tmp_path, [4], [0]), tmp_path)
    worker = Worker(context_of(), job, tmp_path / "worker.log")
    yield worker
    worker.end()


def test_only_workers_that_die_again_and_again_without_a_run_end_a_grid(tmp_path: Path, worker: Worker) -> None:
    run = made_grid(tmp_path, [4], [0]).runs[0]
    for _ in range(STARTS + 1):  # each was given a run before it died
        worker.assign(run, Lease(tmp_path / "a.1.lease", 0.0))
        worker.run = None  # it is done with it
        worker.end()
        worker.replace()
    for _ in range(STARTS - 2):
        worker.end()
        worker.replace()
    worker.end()
    with pytest.raises(PredictorError, match=r"worker processes do not start: .*SIGKILL"):
        worker.replace()


def test_a_run_that_another_finishes_as_it_is_claimed_leaves_no_lease(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, worker: Worker
) -> None:
    grid = made_grid(tmp_path, [4], [0])
    job = made_job(grid, tmp_path)

    def claimed_late(*words: Any) -> Lease | None:
        write_record(job.runs_dir, train_nothing(grid.runs[0], job, lambda *_: None))
        return claim(*words)

    monkeypatch.setattr("trainer.launch.schedule.claim", claimed_late)
    schedule = Schedule(grid, job)
    assert schedule and not schedule.hand(worker)
    assert schedule.elsewhere() == [grid.runs[0].spec.run_id] and not list(job.checkpoints.glob("*.lease"))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="this system does not say it")
def test_memory_is_what_a_worker_holds_not_what_it_may_address(worker: Worker) -> None:
    def said(name: str) -> int:
        text = Path(f"/proc/{worker.process.pid}/status").read_text()
        return 1024 * int(re.search(rf"{name}:\s+(\d+) kB", text)[1])

    assert 0.8 * said("VmRSS") < worker.resident() < 1.2 * said("VmRSS") < said("VmSize")


def test_how_a_process_ended() -> None:
    assert ended(None) == "the worker process does not end"
    assert ended(-11) == "the worker process was killed (SIGSEGV)"
    assert ended(-99) == "the worker process was killed (signal 99)"


def test_what_the_registry_holds_is_what_was_trained(tmp_path: Path) -> None:
    grid = made_grid(tmp_path, [4, 8], [0, 1])
    run_grid(grid, made_job(grid, tmp_path), workers=2)
    by_id = {record.run_id: record for record in read_registry(tmp_path / "runs")}
    assert all(by_id[run.spec.run_id].axes == run.axes for run in grid.runs)
