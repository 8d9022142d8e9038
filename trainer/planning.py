"""What a grid would train, how far it is, and on what: everything short of training."""

from __future__ import annotations

import errno
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from predictor.errors import DataError, PredictorError, RegistryError, SpecError, listed
from predictor.grids import Grid, load_grid
from predictor.indicators.sources import SYNTHETIC
from predictor.records import failed_ids, finished_ids, read_costs, torn_ids
from predictor.records.files import replace_file
from predictor.spec import RunSpec, planned_counts
from trainer.forecast import image_steps, progress
from trainer.launch.lease import held

LARGE = 1_000  # runs; a larger grid asks first
PLANNED = ("n_classes", "n_samples", "min_samples", "left_skew@5", "long_tail@0.4mean")
OWN_COLUMNS = ("image_steps",)  # of a run, whatever its design says: an axis of that name is shown as axis_NAME


def plan_rows(grid: Grid, runs_dir: Path) -> list[dict[str, Any]]:
    """One row a run: id, axes, seeds, state, and the indicators of the data of each of its stages.

    Those of the last stage stand under their own names, those of an earlier one as `stage1_n_classes`, ...
    image_steps : of all stages
    """
    done = finished_ids(runs_dir / grid.study)
    rows = []
    known: dict[str, dict[str, Any]] = {}
    for run in grid.runs:
        spec = run.spec
        if spec.configuration_id not in known:  # seeds of a configuration share their counts but not their ranks
            known[spec.configuration_id] = planned_indicators(spec)
        rows.append(
            {
                "run_id": spec.run_id,
                "configuration_id": spec.configuration_id,
                "target_set": run.target_set,
                **{f"axis_{name}" if name in OWN_COLUMNS else name: level for name, level in run.axes.items()},
                "data_seed": spec.seeds.data,
                "training_seed": spec.seeds.training,
                "image_steps": image_steps(spec),
                "finished": spec.run_id in done,
                **known[spec.configuration_id],
            }
        )
    return rows


def planned_indicators(spec: RunSpec) -> dict[str, Any]:
    """{column: value} of every stage's label distribution, the last stage first; None where it has no value."""
    from predictor.indicators import compute

    last = len(spec.stages) - 1
    return {
        _column(name, None if stage == last else stage): value.value
        for stage in (last, *range(last))
        for name, value in compute(planned_counts(spec, stage=stage), PLANNED).items()
    }


def _column(indicator: str, stage: int | None) -> str:
    """Its column in a plan; stage: None for the last one."""
    return indicator if stage is None else f"stage{stage + 1}_{indicator}"


def indicator_columns(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """The columns of a plan that hold indicators, of whichever stage.

    >>> indicator_columns([{"n_samples": 5, "profile": "balanced"}, {"n_samples": 5, "stage1_n_samples": 9}])
    ['n_samples', 'stage1_n_samples']
    """
    names = dict.fromkeys(name for row in rows for name in row)
    return [name for name in names if re.sub(r"^stage\d+_", "", name) in PLANNED]


def plan_summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Numbers of configurations and runs, the image-steps that are still to train, and what the design cannot tell.

    same_data : groups of configurations of one target set whose indicators are all equal, stage by stage; constant :
    indicators that have one value in the whole grid
    """
    columns = indicator_columns(rows)
    alike: dict[tuple[Any, ...], set[str]] = defaultdict(set)
    for row in rows:
        alike[(row["target_set"], *(row.get(name) for name in columns))].add(row["configuration_id"])
    return {
        "same_data": [sorted(ids) for ids in alike.values() if len(ids) > 1],
        "constant": [name for name in columns if len({row.get(name) for row in rows}) == 1],
        "n_configurations": len({row["configuration_id"] for row in rows}),
        "n_runs": len(rows),
        "n_finished": sum(row["finished"] for row in rows),
        "image_steps": sum(row["image_steps"] for row in rows if not row["finished"]),
    }


@dataclass(frozen=True)
class Standing:
    """Ids of a grid's runs at one moment: table and summary of one status speak of the same.

    finished : with a record; torn : with a file that is no whole record; failed : with an attempt and no record
    """

    finished: frozenset[str]
    torn: frozenset[str]
    failed: frozenset[str]


def standing(grid: Grid, runs_dir: Path) -> Standing:
    """Where the runs of a grid are."""
    study = runs_dir / grid.study
    planned = {run.spec.run_id for run in grid.runs}
    finished = finished_ids(study) & planned
    torn = (torn_ids(study) & planned) - finished
    return Standing(frozenset(finished), frozenset(torn), frozenset((failed_ids(study) & planned) - finished))


def without(grid: Grid, run_ids: Set[str]) -> Grid:
    """The grid but for some runs."""
    return replace(grid, runs=[run for run in grid.runs if run.spec.run_id not in run_ids])


def open_runs(grid: Grid, at: Standing, *, only_failed: bool = False) -> Grid:
    """The runs that are to be trained, a grid of their own. only_failed : of these, those that have an attempt"""
    left = without(grid, at.finished | at.torn)
    return without(left, {run.spec.run_id for run in left.runs} - at.failed) if only_failed else left


def status_rows(grid: Grid, runs_dir: Path, at: Standing | None = None) -> list[dict[str, Any]]:
    """One row per axis and level: runs planned, finished and failed (and still open). at: from `standing`."""
    at = at or standing(grid, runs_dir)
    tally: dict[str, dict[str, list[int]]] = {}
    for run in grid.runs:
        for axis, level in {"target_set": run.target_set, **run.axes}.items():
            cell = tally.setdefault(axis, {}).setdefault(str(level), [0, 0, 0])
            cell[0] += 1
            cell[1] += run.spec.run_id in at.finished
            cell[2] += run.spec.run_id in at.failed
    return [
        {"axis": axis, "level": level, "runs": planned, "finished": finished, "failed": failed}
        for axis, levels in tally.items()
        for level, (planned, finished, failed) in levels.items()
    ]


def status_summary(grid: Grid, runs_dir: Path, at: Standing | None = None) -> dict[str, Any]:
    """Runs planned, finished, failed (and still open), diverged, being trained now and torn; the rest is `progress`'s.

    at : from `standing`
    """
    at = at or standing(grid, runs_dir)
    study = runs_dir / grid.study
    planned = {run.spec.run_id for run in grid.runs}
    costs = [cost for cost in read_costs(study) if cost.run_id in at.finished]
    return {
        "n_runs": len(planned),
        "n_finished": len(at.finished),
        "n_failed": len(at.failed),
        "n_diverged": sum(cost.status == "diverged" for cost in costs),
        "n_running": len((held(study / "checkpoints") & planned) - at.finished),
        "n_torn": len(at.torn),
        "torn": sorted(at.torn),
        **progress(costs, len(planned) - len(at.finished)),
    }


def check_rendered(grid: Grid) -> None:
    """Raise DataError for an impossible digest of a source that is rendered, or one that names a file."""
    from trainer.fractals.parameters import read_digest

    for name, source in grid.sources.items():
        if not source.digest.startswith(SYNTHETIC):
            continue
        read_digest(source.digest, where=f"source {name!r}")
        if source.file is not None:
            raise DataError(
                f"names the file {source.file!r} beside a digest of rendered images",
                where=f"source {name!r}",
                remedy="leave out the file, or state the file's own digest, sha256:...",
            )


def no_files(grid: Grid) -> Path | None:
    """Any folder will do where all sources are built in or rendered; else None."""
    return Path() if all(source.file is None for source in grid.sources.values()) else None


def check_sources(grid: Grid, data_dir: Path) -> None:
    """Raise DataError naming every file of the grid that the image folder lacks."""
    if not data_dir.is_dir():
        raise DataError("no such folder", where=str(data_dir), remedy="name the folder of the images with --data")
    missing = [
        f"{name} ({source.file})"
        for name, source in grid.sources.items()
        if source.file and not (data_dir / source.file).exists()
    ]
    if missing:
        raise DataError(
            f"the grid's sources are not there: {listed(missing)}",
            where=str(data_dir),
            remedy="name the folder that holds them with --data",
        )


def keep_grid(grid_file: Path, grid: Grid, runs_dir: Path) -> None:
    """Keep the grid beside its records, so that the study says what it is; whole or not at all.

    A grid may grow, and may drop runs that have no record. A kept one that cannot be read is replaced where the new
    one plans every run that has a record.
    Raises RegistryError for another grid of the same name, and where the registry cannot be written.
    """
    study = runs_dir / grid.study
    kept = study / "grid.yaml"
    if not grid_file.is_file():
        raise SpecError("is no file; its text is kept beside the runs", where=str(grid_file), remedy="save it in one")
    try:
        content = grid_file.read_bytes()
        study.mkdir(parents=True, exist_ok=True)
        if _holds(kept, content):
            return
        _check_dropped(kept, grid_file, grid)
        replace_file(kept, content)
    except OSError as error:
        raise _not_kept(kept, error) from error


def _holds(path: Path, content: bytes) -> bool:
    try:
        return path.read_bytes() == content
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


def choose_device(wanted: str) -> str:
    """'auto' takes CUDA where there is one; asking for CUDA without one is an error."""
    import torch

    available = torch.cuda.is_available()
    if wanted == "cuda" and not available:
        raise PredictorError("no CUDA device on this machine", remedy="use --device cpu or auto")
    return "cuda" if wanted != "cpu" and available else "cpu"


def choose_workers(wanted: str, threads: int | None, device: str) -> tuple[int, int]:
    """(processes, threads of each). On a CPU one process a core is fastest: small steps do not parallelise."""
    cores = usable_cores()
    if wanted == "auto":
        workers = max(1, cores // (threads or 1)) if device == "cpu" else 1
    elif wanted.isdigit() and int(wanted) >= 1:
        workers = int(wanted)
    else:
        raise PredictorError(f"--workers is {wanted!r}", remedy="give a whole number >= 1, or 'auto'")
    return workers, threads or max(1, cores // workers)


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
