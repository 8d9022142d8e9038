"""The grid that is kept beside its records: whole or not at all, and which grids may take its place."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from dry import train_nothing
from launch_made import made_grid, made_job, write_grid

from predictor.errors import RegistryError, SpecError
from predictor.grids import Grid, load_grid
from predictor.records import write_record
from trainer.launch.keep_grid import keep_grid


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return tmp_path / "runs"


def kept(runs: Path) -> Path:
    return runs / "tiny" / "grid.yaml"


def keep(folder: Path, sizes: list[int]) -> Grid:
    grid = made_grid(folder, sizes, [0])
    keep_grid(folder / "grid.yaml", grid, folder / "runs")
    return grid


def finish(grid: Grid, folder: Path, size: int) -> str:
    """Write the record of the run of that size."""
    (run,) = (run for run in grid.runs if run.axes["samples_per_class"] == size)
    write_record(folder / "runs", train_nothing(run, made_job(grid, folder), lambda *_: None))
    return run.spec.run_id


def sizes(file: Path) -> list[object]:
    return [run.axes["samples_per_class"] for run in load_grid(file).runs]


def left_over(runs: Path) -> list[str]:
    return [path.name for path in (runs / "tiny").iterdir() if path.name.startswith(".")]


def test_a_grid_may_grow_and_drop_what_has_no_record(tmp_path: Path, runs: Path) -> None:
    keep(tmp_path, [7])
    grid = keep(tmp_path, [8, 9])
    assert sizes(kept(runs)) == [8, 9], "nothing was finished: any grid will do"
    run_id = finish(grid, tmp_path, 8)
    keep(tmp_path, [8, 9, 10])
    keep(tmp_path, [8, 10])
    assert sizes(kept(runs)) == [8, 10], "9 was never trained"
    before = kept(runs).read_bytes()
    with pytest.raises(RegistryError) as caught:
        keep(tmp_path, [10])
    assert str(caught.value) == (
        f"{kept(runs)}: holds another grid of the same name as {tmp_path / 'grid.yaml'}: 1 run that has a record is "
        f"not in the new one, such as {run_id}. give the new grid another study name; a grid may grow, and drop runs "
        "that have no record"
    )
    second = finish(load_grid(kept(runs)), tmp_path, 10)
    with pytest.raises(RegistryError, match=f"2 runs that have a record are not in .*, such as {min(run_id, second)}"):
        keep(tmp_path, [12])
    assert kept(runs).read_bytes() == before and left_over(runs) == []


@pytest.mark.parametrize("damage", [b"", b"study: tiny\nproto", b"\xff\xfe", b"[1, 2"])
def test_a_kept_grid_that_cannot_be_read_is_replaced(tmp_path: Path, runs: Path, damage: bytes) -> None:
    """As a full disk of an earlier version left it. Runs that the new grid does not plan still stand against it."""
    grid = keep(tmp_path, [8, 9])
    run_id = finish(grid, tmp_path, 8)
    kept(runs).write_bytes(damage)
    with pytest.raises(RegistryError) as caught:
        keep(tmp_path, [9])
    message = str(caught.value)
    assert message.startswith(f"{kept(runs)}: holds no grid that can be read (")
    assert f"): 1 run that has a record is not in the new one, such as {run_id}. give the new grid" in message
    assert kept(runs).read_bytes() == damage
    keep(tmp_path, [8])
    assert sizes(kept(runs)) == [8]


def test_a_full_disk_leaves_the_former_grid(tmp_path: Path, runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(RegistryError) as caught:
            keep(tmp_path, [8])
        assert str(caught.value) == (
            f"{kept(runs)}: cannot be written (No space left on device). free space there, and run it again"
        )
        assert list((runs / "tiny").iterdir()) == []
    keep(tmp_path, [8])
    before = kept(runs).read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(
            RegistryError, match=r"No space left on device\); the one that is there stays as it is\. free"
        ):
            keep(tmp_path, [8, 9])
    assert kept(runs).read_bytes() == before and left_over(runs) == []


def test_a_grid_that_is_cut_while_it_is_written_leaves_nothing(tmp_path: Path) -> None:
    """A process that may write only as much as a part of the grid; the limit's signal is ignored, so writing fails."""
    write_grid(tmp_path, [8], [0])
    code = (
        "import resource, signal, sys; from pathlib import Path; from predictor.grids import load_grid;"
        "from trainer.launch.keep_grid import keep_grid; file = Path(sys.argv[1]); grid = load_grid(file);"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100));"
        "keep_grid(file, grid, Path(sys.argv[2]))"
    )
    line = [sys.executable, "-c", code, str(tmp_path / "grid.yaml"), str(tmp_path / "runs")]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "grid.yaml: cannot be written (File too large)" in done.stderr
    assert list((tmp_path / "runs" / "tiny").iterdir()) == []


def test_what_may_not_be_written_asks_for_another_registry(tmp_path: Path, runs: Path) -> None:
    runs.write_text("a file where the registry should be")
    with pytest.raises(RegistryError, match=r"cannot be written \(.*\)\. name a writable registry with --runs"):
        keep(tmp_path, [8])


def test_the_same_grid_is_not_written_again(tmp_path: Path, runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry that is read-only by now does not stand in the way of a grid that is there."""
    grid = keep(tmp_path, [8])
    before = kept(runs).stat()
    monkeypatch.setattr(os, "replace", lambda *_: pytest.fail("written"))
    keep(tmp_path, [8])
    keep_grid(kept(runs), grid, runs)
    after = kept(runs).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_pipe_is_no_grid_to_keep(tmp_path: Path, runs: Path) -> None:
    """It was read once, to plan; a second time it is empty, and so would be the grid that is kept."""
    grid = made_grid(tmp_path, [8], [0])
    reading, writing = os.pipe()
    os.close(writing)
    pipe = Path(f"/dev/fd/{reading}")
    try:
        with pytest.raises(
            SpecError, match=re.escape(f"{pipe}: is no file; its text is kept beside the runs. save it")
        ):
            keep_grid(pipe, grid, runs)
    finally:
        os.close(reading)
    assert not runs.exists()
