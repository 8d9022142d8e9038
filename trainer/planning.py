"""What a grid would train, how far it is, and on what: everything short of training."""

from __future__ import annotations

import os
import shutil
from collections import defaultdict
from pathlib import Path
from typing import Any

from predictor.errors import DataError, PredictorError, RegistryError, listed
from predictor.grids import Grid, load_grid
from predictor.indicators.sources import SYNTHETIC
from predictor.records import failed_ids, finished_ids, read_costs
from predictor.spec import planned_counts
from trainer.forecast import progress
from trainer.launch.lease import held

LARGE = 1_000  # runs; a larger grid asks first
PLANNED = ("n_classes", "n_samples", "samples_per_class", "min_samples", "left_skew@5", "long_tail@0.4mean")


def plan_rows(grid: Grid, runs_dir: Path) -> list[dict[str, Any]]:
    """One row a run: id, axes, state, and the indicators of its last stage's label distribution."""
    from predictor.indicators import compute

    done = finished_ids(runs_dir / grid.study)
    rows = []
    known: dict[str, dict[str, Any]] = {}
    for run in grid.runs:
        spec = run.spec
        if spec.configuration_id not in known:  # seeds of a configuration share their counts but not their ranks
            values = compute(planned_counts(spec, stage=len(spec.stages) - 1), PLANNED)
            known[spec.configuration_id] = {name: value.value for name, value in values.items()}
        rows.append(
            {
                "run_id": spec.run_id,
                "configuration_id": spec.configuration_id,
                "target_set": run.target_set,
                **run.axes,
                "seed": spec.seeds.training,
                "image_steps": sum(stage.image_steps for stage in spec.stages),
                "finished": spec.run_id in done,
                **known[spec.configuration_id],
            }
        )
    return rows


def plan_summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Numbers of configurations and runs, the image-steps that are still to train, and what the design cannot tell.

    same_data : groups of configurations of one target set whose indicators are all equal; constant : indicators that
    have one value in the whole grid
    """
    alike: dict[tuple[Any, ...], set[str]] = defaultdict(set)
    for row in rows:
        alike[(row["target_set"], *(row[name] for name in PLANNED))].add(row["configuration_id"])
    return {
        "same_data": [sorted(ids) for ids in alike.values() if len(ids) > 1],
        "constant": [name for name in PLANNED if len({row[name] for row in rows}) == 1],
        "n_configurations": len({row["configuration_id"] for row in rows}),
        "n_runs": len(rows),
        "n_finished": sum(row["finished"] for row in rows),
        "image_steps": sum(row["image_steps"] for row in rows if not row["finished"]),
    }


def status_rows(grid: Grid, runs_dir: Path) -> list[dict[str, Any]]:
    """One row per axis and level: runs planned, finished and failed (and still open)."""
    done = finished_ids(runs_dir / grid.study)
    failed = failed_ids(runs_dir / grid.study) - done
    tally: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for run in grid.runs:
        for axis, level in {"target_set": run.target_set, **run.axes}.items():
            cell = tally[axis, str(level)]
            cell[0] += 1
            cell[1] += run.spec.run_id in done
            cell[2] += run.spec.run_id in failed
    return [
        {"axis": axis, "level": level, "runs": planned, "finished": finished, "failed": failed}
        for (axis, level), (planned, finished, failed) in tally.items()
    ]


def status_summary(grid: Grid, runs_dir: Path) -> dict[str, Any]:
    """Runs planned, finished, failed (and still open), diverged and being trained now; see `progress` for the rest."""
    study = runs_dir / grid.study
    planned = {run.spec.run_id for run in grid.runs}
    costs = [cost for cost in read_costs(study) if cost.run_id in planned]
    done = {cost.run_id for cost in costs}
    return {
        "n_runs": len(planned),
        "n_finished": len(done),
        "n_failed": len((failed_ids(study) & planned) - done),
        "n_diverged": sum(cost.status == "diverged" for cost in costs),
        "n_running": len((held(study / "checkpoints") & planned) - done),
        **progress(grid, costs),
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
    """Copy the grid beside its records, so that the study says what it is.

    A grid may grow, not change its name; until a run of it is finished it may still be mended.
    """
    study = runs_dir / grid.study
    kept = study / "grid.yaml"
    try:
        study.mkdir(parents=True, exist_ok=True)
        if kept.exists() and kept.samefile(grid_file):
            return
        if kept.exists():
            before = {run.spec.run_id for run in load_grid(kept).runs}
            if not before <= {run.spec.run_id for run in grid.runs} and finished_ids(study):
                raise RegistryError(
                    f"holds another grid of the same name as {grid_file}",
                    where=str(kept),
                    remedy="give the new grid another study name; a grid may grow but not drop runs",
                )
        shutil.copyfile(grid_file, kept)
    except OSError as error:
        raise RegistryError(
            f"cannot be written: {error.strerror}", where=str(study), remedy="name a writable registry with --runs"
        ) from None


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
