"""Ctrl-C, SIGTERM and kill -9 while a real grid of digits trains: nothing is lost, nothing half-written stays."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from launch_made import deaf, write_grid

from predictor.grids import load_grid
from predictor.records import check, read_registry
from trainer.launch import lease as leases
from trainer.launch.job import Job
from trainer.launch.local import Scheduler, run_grid
from trainer.launch.logs import log_folder

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


def start_training(grid: Path, runs: Path) -> subprocess.Popen[str]:
    """Returns as soon as two workers have runs."""
    command = [sys.executable, "-m", "trainer", "run", grid, "--runs", runs, "--workers", "2", "--threads", "1"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    end = time.monotonic() + 300  # a busy machine imports torch for a minute
    while len(list(runs.glob("tiny/checkpoints/*.lease"))) < 2:
        assert time.monotonic() < end and process.poll() is None, "it does not begin"
        time.sleep(0.01)
    return process


def workers_of(runs: Path, process: subprocess.Popen[str]) -> set[int]:
    """Process ids of the two workers, as the leases name them."""
    found: set[int] = set()
    while len(found) < 2:
        for lease in runs.glob("tiny/checkpoints/*.lease"):
            with suppress(ValueError, FileNotFoundError):  # half written, or released by now
                found |= {pid for pid, _ in json.loads(lease.read_text())["processes"]} - {process.pid}
        assert process.poll() is None
    return found


def results(runs: Path) -> dict[str, object]:
    """What must not depend on who was killed."""
    return {r.run_id: (r.spec, r.data, r.outcomes, r.status) for r in read_registry(runs)}


@pytest.mark.slow
def test_stopped_in_every_way_and_continued_a_grid_is_as_if_undisturbed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid, runs = write_grid(tmp_path, [8], [0, 1, 2], image_steps=6_000), tmp_path / "runs"
    folder = runs / "tiny" / "checkpoints"
    planned = load_grid(grid)
    settings = {"data_dir": tmp_path, "device": "cpu", "threads": 1, "commit": ""}
    run_grid(planned, Job.of(planned, runs_dir=tmp_path / "calm", **settings), workers=2)

    process = start_training(grid, runs)
    os.killpg(process.pid, signal.SIGTERM)  # a batch system tells all processes
    printed = process.communicate()[1]
    assert process.returncode == 130, printed
    assert printed.endswith("stopped; the same command continues where it was\n")
    assert f"kept in {folder.parent}: 0 of 3 runs, and 2 half-done ones with a checkpoint; 1 not begun\n" in printed
    assert "stopping: each run saves a checkpoint first; the same signal again ends them at once\n" in printed
    assert len(list(folder.glob("*.pt"))) == 2 and not list(folder.glob("*.lease")) and "Traceback" not in printed

    process = start_training(grid, runs)
    for worker in workers_of(runs, process):
        os.kill(worker, signal.SIGSTOP)  # so that none has stopped by itself when the second signal comes
    os.killpg(process.pid, signal.SIGINT)  # so does a terminal
    assert "stopping" in process.stderr.readline()
    os.kill(process.pid, signal.SIGINT)
    printed = process.communicate()[1]
    assert process.returncode == 130 and "Traceback" not in printed and "stopped" not in printed, printed
    assert printed.endswith("ended at once; the same command continues each run from its last checkpoint\n")
    assert not list(folder.glob("*.lease"))

    process = start_training(grid, runs)
    process.kill()
    process.communicate()
    monkeypatch.setattr(leases, "LEASE_SECONDS", math.inf)  # on one machine nobody waits for a lease of the dead
    run_grid(planned, Job.of(planned, runs_dir=runs, **settings), workers=1)  # begun by two, ended by one

    assert results(runs) == results(tmp_path / "calm") and len(results(runs)) == 3 and check(runs) == []
    assert not list(folder.iterdir()) and not list((runs / "tiny").glob(".*"))


def test_stopped_while_its_last_steps_are_done_a_grid_says_that_runs_are_left(tmp_path: Path) -> None:
    """The one worker's run ends before it hears of the signal: it is completed, and others were never begun."""
    grid, runs = write_grid(tmp_path, [8], [0, 1, 2], image_steps=640), tmp_path / "runs"
    planned = load_grid(grid)
    job = Job.of(planned, runs_dir=runs, data_dir=tmp_path, device="cpu", threads=1, commit="", train=deaf)
    scheduler = Scheduler(planned, job, report=lambda outcome: os.kill(os.getpid(), signal.SIGTERM))
    outcomes = scheduler.train(1)
    assert [(outcome.status, outcome.message) for outcome in outcomes] == [("completed", "")] and scheduler.stopped
    whole = Scheduler(planned, job)
    assert len(whole.train(1)) == 2 and not whole.stopped


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """For temporary files: the sockets of processes stand in it, and their paths have 107 bytes at most."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="workers are forked from a server on Linux alone")
def test_twice_is_at_once_also_while_the_first_worker_is_made(tmp_path: Path, short_folder: Path) -> None:
    """Importing torch takes seconds, on a busy machine a minute; nobody waits for it."""
    grid, logs = write_grid(tmp_path, [8], [0], image_steps=6_000), short_folder
    command = [sys.executable, "-m", "trainer", "run", grid, "--runs", tmp_path / "runs", "--workers", "1"]
    slow = {
        **os.environ,
        "TMPDIR": str(logs),
        "PYTHONPATH": f"{_slow_import(tmp_path)}:{os.environ.get('PYTHONPATH', '')}",
    }
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=slow, start_new_session=True)
    while not list(logs.glob("trainer-logs-*/lock")):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)
    while not (tmp_path / "imports").exists():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)
    for _ in range(2):
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.05)
    process.wait()  # although the import goes on
    (tmp_path / "imported").touch()
    printed = process.communicate()[1]  # the server holds the pipe until its import ends
    assert process.returncode == 130 and "Traceback" not in printed
    assert printed.endswith("ended at once; the same command continues each run from its last checkpoint\n"), printed


def _slow_import(folder: Path) -> Path:
    """What the server of workers imports, made to go on there until the test has seen enough."""
    where = folder / "slow"
    where.mkdir()
    (where / "sitecustomize.py").write_text(
        "import sys, time, pathlib\nfolder = pathlib.Path(__file__).parents[1]\n"
        "if 'multiprocessing.forkserver' in ' '.join(sys.orig_argv):\n    (folder / 'imports').touch()\n"
        "    while not (folder / 'imported').exists(): time.sleep(0.01)\n"
    )
    return where


def test_the_next_scheduler_removes_the_logs_of_a_killed_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    program = "from trainer.launch.logs import log_folder\nwith log_folder() as f: print(f, flush=True); input()"
    words = {"env": {**os.environ, "TMPDIR": str(tmp_path)}, "stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with (
        subprocess.Popen([sys.executable, "-c", program], **words) as killed,
        subprocess.Popen([sys.executable, "-c", program], **words) as alive,
    ):
        left, kept = (Path(process.stdout.readline().decode().strip()) for process in (killed, alive))
        (left / "0.log").write_text("a last line")
        killed.kill()
        killed.wait()
        with log_folder() as own:
            assert sorted(tmp_path.iterdir()) == sorted([kept, own])
        alive.communicate(b"\n")
    assert not list(tmp_path.iterdir())
