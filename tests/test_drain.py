"""What every launcher is told: how many workers, and to train what with; a launcher of this file, that keeps it."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from dry import train_nothing
from launch_made import made_job, write_grid

from predictor.errors import PredictorError
from predictor.grids import load_grid
from predictor.records import write_record
from trainer.launch import drain
from trainer.launch.command import Options


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    kept: list[tuple[Any, ...]] = []
    module = ModuleType("launcher_that_keeps")
    module.launch = lambda *what: kept.append(what)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(drain.LAUNCHERS, "kept", module.__name__)
    return kept


def launched(folder: Path, said: list[str], **options: Any) -> None:
    drain.launch("kept", folder / "grid.yaml", None, folder / "runs", Options(**options), {"a": 1}, said.append)


def finished(folder: Path, n: int) -> None:
    """Records of the first n runs of the grid there."""
    grid = load_grid(folder / "grid.yaml")
    job = made_job(grid, folder)
    for run in grid.runs[:n]:
        write_record(job.runs_dir, train_nothing(run, job, lambda *_: None))


def test_no_more_workers_than_runs_are_left(tmp_path: Path, told: list[tuple[Any, ...]]) -> None:
    write_grid(tmp_path, [4, 6], [0, 1])
    finished(tmp_path, 1)
    said: list[str] = []
    launched(tmp_path, said, workers="8", retry=2, threads=1)
    launched(tmp_path, said, workers="2")
    (one, n, study, settings, _), (_, two, *_) = told
    assert (n, two, study, settings) == (3, 2, tmp_path / "runs" / "tiny", {"a": 1})
    assert said == ["tiny: 3 runs left, 3 workers", "tiny: 3 runs left, 2 workers"]
    assert one.grid_file == (tmp_path / "grid.yaml").resolve() and one.runs_dir == (tmp_path / "runs").resolve()
    assert one.options == Options(workers="1", yes=True, retry=2, threads=1), "each trains one run at a time, unasked"
    assert load_grid(study / "grid.yaml").study == "tiny", "the registry keeps its grid"


def test_nothing_is_launched_where_nothing_is_left(tmp_path: Path, told: list[tuple[Any, ...]]) -> None:
    write_grid(tmp_path, [4], [0, 1])
    said: list[str] = []
    launched(tmp_path, said, workers="8", only_failed=True)  # none failed before
    finished(tmp_path, 2)
    launched(tmp_path, said, workers="8")
    assert said == ["tiny: no run is left to train"] * 2 and not told


@pytest.mark.parametrize("workers", ["auto", "0", "-1"])
def test_a_cluster_needs_a_number_of_workers(tmp_path: Path, told: list[tuple[Any, ...]], workers: str) -> None:
    write_grid(tmp_path, [4], [0])
    with pytest.raises(PredictorError, match="a cluster needs a number"):
        launched(tmp_path, [], workers=workers)
    assert not told and not (tmp_path / "runs").exists()
