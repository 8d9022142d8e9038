"""How long a grid will take and how far it is, from what finished runs cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from predictor.errors import DataError
from predictor.grids import Grid, PlannedRun
from predictor.records import Cost, finished_ids, read_costs, study_folders
from predictor.spec import RunSpec

Network = tuple[str, int, int]  # model, image size, batch size
RECENT = 50  # runs whose pace is the grid's
SHORT = 20  # steps of a measured run


@dataclass(frozen=True)
class Speed:
    """Seconds of one process for one image shown, everything included; n_runs that say so (0: measured just now)."""

    seconds: float
    n_runs: int


def network_of(spec: RunSpec) -> Network:
    """What the speed of a run depends on, beside the device."""
    return spec.model.name, spec.model.image_size, spec.recipe.batch_size


def image_steps(spec: RunSpec) -> int:
    """Images shown in all stages."""
    return sum(stage.image_steps for stage in spec.stages)


def known_speeds(runs_dir: Path) -> dict[tuple[Network, str], Speed]:
    """{(network, device): speed}, the median over all completed runs of a registry; {} where there is none."""
    if not runs_dir.is_dir():
        return {}
    found: dict[tuple[Network, str], list[float]] = defaultdict(list)
    for folder in study_folders(runs_dir):
        for cost in read_costs(folder):
            if cost.status == "completed" and cost.network and cost.device and cost.image_steps and cost.seconds:
                found[cost.network, cost.device].append(cost.seconds / cost.image_steps)
    return {key: Speed(median(values), len(values)) for key, values in found.items()}


def measured_speed(
    run: PlannedRun, data_dir: Path, files: Mapping[str, str | None], device: str, threads: int
) -> Speed:
    """Train and test a few steps of a run here and now; nothing is kept."""
    from trainer.run import run_spec

    spec = run.spec
    steps = SHORT * spec.recipe.batch_size
    stages = tuple(stage.model_copy(update={"image_steps": steps}) for stage in spec.stages)
    record = run_spec(
        spec.model_copy(update={"stages": stages}),
        study="measured",
        axes={},
        domain=run.domain,
        held_out=False,
        data_dir=data_dir,
        files=files,
        device=device,
        threads=threads,
    )
    assert record.seconds is not None
    shown = steps * len(stages)
    return Speed(record.seconds.train / shown + record.seconds.evaluate / image_steps(spec), 0)


def hours(runs: Iterable[PlannedRun], speeds: Mapping[tuple[Network, str], Speed]) -> list[dict[str, Any]]:
    """One row per network and device that a speed is known for: runs, hours of one process, and how that is known.

    A network without any has hours None.
    """
    by_network: dict[Network, list[int]] = defaultdict(list)
    for run in runs:
        by_network[network_of(run.spec)].append(image_steps(run.spec))
    rows = []
    for network, steps in by_network.items():
        known = [(device, speed) for (of, device), speed in sorted(speeds.items()) if of == network]
        for device, speed in known or [(None, None)]:
            rows.append(
                {
                    "model": network[0],
                    "image_size": network[1],
                    "batch_size": network[2],
                    "device": device,
                    "runs": len(steps),
                    "hours": sum(steps) * speed.seconds / 3600 if speed else None,
                    "from_runs": speed.n_runs if speed else None,
                }
            )
    return rows


def progress(grid: Grid, costs: Sequence[Cost], now: datetime | None = None) -> dict[str, Any]:
    """What finished runs cost and when the rest will be there.

    hours: of all processes; runs_per_hour: pace of the last 50 runs, by the times their records state;
    eta_hours: open runs at that pace; joules: known energy, of n_with_energy runs; ended_ago_hours: of the last run
    """
    ends = sorted(cost.ended_at for cost in costs if cost.ended_at)[-RECENT:]
    span = (ends[-1] - ends[0]) / timedelta(hours=1) if len(ends) > 1 else 0.0
    pace = (len(ends) - 1) / span if span > 0 else None
    energies = [cost.joules for cost in costs if cost.joules is not None]
    n_open = len({run.spec.run_id for run in grid.runs}) - len(costs)
    return {
        "seconds_trained": sum(cost.seconds for cost in costs),
        "runs_per_hour": pace,
        "eta_hours": 0.0 if not n_open else n_open / pace if pace else None,
        "last_ended_hours_ago": ((now or datetime.now(UTC)) - ends[-1]) / timedelta(hours=1) if ends else None,
        "joules": sum(energies) if energies else None,
        "n_with_energy": len(energies),
    }


def forecast(grid: Grid, runs_dir: Path, data_dir: Path | None, *, measure: bool) -> list[dict[str, Any]]:
    """`hours` of the runs without a record; measure: train a few steps of each network that no record tells of.

    Raises DataError where there is something to measure and no image folder.
    """
    done = finished_ids(runs_dir / grid.study)
    runs = [run for run in grid.runs if run.spec.run_id not in done]
    speeds = known_speeds(runs_dir)
    if measure:
        from trainer.planning import choose_device, choose_workers

        if data_dir is None:
            raise DataError("no image folder named", remedy="name it with --data DIR, or leave out --measure")
        device = choose_device("auto")
        threads = choose_workers("auto", None, device)[1]
        files = {name: source.file for name, source in grid.sources.items()}
        for run in runs:
            key = (network_of(run.spec), device)
            if key not in speeds:
                speeds[key] = measured_speed(run, data_dir, files, device, threads)
    return hours(runs, speeds)
