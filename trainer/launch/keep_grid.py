"""The grid kept beside its records: a study says what it is."""

from __future__ import annotations

import errno
from pathlib import Path

from predictor.errors import RegistryError, SpecError
from predictor.files import replace_file
from predictor.grids import Grid, load_grid
from predictor.grids.limits import MAX_FILE
from predictor.reading import read_bytes
from predictor.records import finished_ids
from predictor.records.store import inside


def keep_grid(grid_file: Path, grid: Grid, runs_dir: Path) -> None:
    """Keep the grid beside its records, so that the study says what it is; whole or not at all.

    A grid may grow, and may drop runs that have no record. A kept one that cannot be read is replaced where the new
    one plans every run that has a record.
    Raises RegistryError for another grid of the same name, and where the registry cannot be written.
    """
    study = runs_dir / grid.study
    for folder in (study, study / "attempts", study / "checkpoints"):
        inside(folder, runs_dir)
    kept = study / "grid.yaml"
    if not grid_file.is_file():
        raise SpecError("is no file; its text is kept beside the runs", where=str(grid_file), remedy="save it in one")
    try:
        content = read_bytes(grid_file, limit=MAX_FILE)
        study.mkdir(parents=True, exist_ok=True)
        if _holds(kept, content):
            return
        _check_dropped(kept, grid_file, grid)
        replace_file(kept, content)
    except OSError as error:
        raise _not_kept(kept, error) from error


def _holds(path: Path, content: bytes) -> bool:
    try:
        return read_bytes(path, limit=MAX_FILE) == content
    except OSError:  # not there, or not readable: the attempt to write tells
        return False


def _check_dropped(kept: Path, grid_file: Path, grid: Grid) -> None:
    """Raise RegistryError where the grid that is kept planned a run that has a record, and the new one does not."""
    if not kept.exists():
        return
    recorded = finished_ids(kept.parent)
    new = {run.spec.run_id for run in grid.runs}
    try:
        dropped = {run.spec.run_id for run in load_grid(kept).runs} & recorded - new
        found = f"holds another grid of the same name as {grid_file}"
    except SpecError as error:  # cut, or written by hand: it says nothing about its runs
        dropped = recorded - new
        found = f"holds no grid that can be read ({error.problem.splitlines()[0]})"
    if dropped:
        what = "1 run that has a record is" if len(dropped) == 1 else f"{len(dropped)} runs that have a record are"
        raise RegistryError(
            f"{found}: {what} not in the new one, such as {min(dropped)}",
            where=str(kept),
            remedy="give the new grid another study name; a grid may grow, and drop runs that have no record",
        )


def _not_kept(kept: Path, error: OSError) -> RegistryError:
    """A full disk needs other steps than a folder that may not be written."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    before = "; the one that is there stays as it is" if kept.exists() else ""
    return RegistryError(
        f"cannot be written ({error.strerror or error}){before}",
        where=str(kept),
        remedy="free space there, and run it again" if full else "name a writable registry with --runs",
    )
