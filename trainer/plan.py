"""What a grid would train, and how long that takes by what finished runs cost."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from predictor.grids import Grid, PlannedRun
from predictor.records import Cost, finished_ids, read_costs, study_folders
from predictor.spec import RunSpec, network_name, planned_counts

Network = tuple[str, int, int]  # model, image size, batch size
PLANNED = ("n_classes", "n_samples", "min_samples", "left_skew@5", "long_tail@0.4mean")

OWN_COLUMNS = ("image_steps",)  # of a run, whatever its design says: an axis of that name is shown as axis_NAME
Say = Callable[[str], None]


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


def partly_shown(grid: Grid) -> list[dict[str, Any]]:
    """Stages that have fewer image-steps than images: some are never shown, though the record counts them.

    One row a configuration and stage: configuration_id, stage (counted from 1), image_steps, n_samples.
    """
    rows = {}
    for run in grid.runs:
        spec = run.spec
        for number, stage in enumerate(spec.stages):
            key = spec.configuration_id, number + 1
            if key not in rows and stage.image_steps < (n := planned_counts(spec, stage=number).n_samples):
                names = ("configuration_id", "stage", "image_steps", "n_samples")
                rows[key] = dict(zip(names, (*key, stage.image_steps, n), strict=True))
    return list(rows.values())


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
class Speed:
    """Seconds of one process for one image shown, from records with loading and compiling, measured without.

    n_runs : records that say so (0: measured just now)
    joules : for one image shown, of the records that know it; None where none does
    note : how it was found, where that is not plain
    """

    seconds: float
    n_runs: int
    joules: float | None = None
    note: str | None = None


SHIPPED = {  # of the registry that ships, for who plans without it; a test compares them
    (("predictor_small", 32, 128), "cpu"): Speed(7.87e-4, 2481, note="the registry that ships"),
}


def network_of(spec: RunSpec) -> Network:
    """What the speed of a run depends on, beside the device."""
    return network_name(spec.model.model_dump()), spec.model.image_size, spec.recipe.batch_size


def image_steps(spec: RunSpec) -> int:
    """Images shown in all stages."""
    return sum(stage.image_steps for stage in spec.stages)


def known_speeds(runs_dir: Path) -> dict[tuple[Network, str], Speed]:
    """{(network, device): speed}, the median over all completed runs of a registry; {} where there is none."""
    if not runs_dir.is_dir():
        return {}
    found: dict[tuple[Network, str], list[Cost]] = defaultdict(list)
    for folder in study_folders(runs_dir):
        for cost in read_costs(folder):
            if cost.status == "completed" and cost.network and cost.device and cost.image_steps and cost.seconds:
                found[cost.network, cost.device].append(cost)
    return {
        key: Speed(
            median(cost.seconds / cost.image_steps for cost in own),
            len(own),
            median(joules) if (joules := [c.joules / c.image_steps for c in own if c.joules is not None]) else None,
        )
        for key, own in found.items()
    }


def like(network: Network, speeds: Mapping[tuple[Network, str], Speed]) -> dict[str, Speed]:
    """{device: speed} of a network: of runs like it, else of the same network at the nearest resolution and batch.

    An image of twice the side takes four times as long; the size of a batch is taken to change nothing.

    >>> known = {(("net", 32, 128), "cpu"): Speed(0.001, 7)}
    >>> like(("net", 64, 32), known)["cpu"].seconds
    0.004
    """
    same = {device: speed for (of, device), speed in speeds.items() if of == network}
    others: dict[str, list[tuple[float, float, Network, Speed]]] = defaultdict(list)
    for (of, device), speed in speeds.items():
        if of[0] == network[0] and device not in same:
            apart = abs(math.log(of[1] / network[1])), abs(math.log(of[2] / network[2]))
            others[device].append((*apart, of, speed))
    for device, found in others.items():
        _, _, of, speed = min(found, key=lambda item: item[:2])
        times = (network[1] / of[1]) ** 2
        joules = None if speed.joules is None else speed.joules * times
        note = f"{speed.note + ', ' if speed.note else ''}scaled from {of[1]} px, batches of {of[2]}"
        same[device] = Speed(speed.seconds * times, speed.n_runs, joules, note)
    return same


def measured_speed(
    run: PlannedRun, device: str, threads: int, n_tested: int = 0, say: Say = lambda text: None
) -> Speed:
    """Train and test a few steps of a run here and now, on noise; nothing is kept. n_tested : test images of the run"""
    from trainer.measure import measure

    found = measure(run.spec, device, threads, say)
    notes = [] if found.whole else [f"batches of {found.images}, scaled"]
    notes += ["without compiling: runs are faster"] if device == "cuda" else []
    note = ", ".join(notes) or None
    return Speed(found.train + found.test * n_tested / image_steps(run.spec), 0, note=note)


def hours(
    runs: Iterable[PlannedRun], speeds: Mapping[tuple[Network, str], Speed], price_hour: float | None = None
) -> list[dict[str, Any]]:
    """One row per network and device that a speed is known for: runs, hours of one process, energy, money, and how that
    is known.

    A network without any has hours None. price_hour : what an hour of one process costs
    """
    by_network: dict[Network, list[int]] = defaultdict(list)
    for run in runs:
        by_network[network_of(run.spec)].append(image_steps(run.spec))
    rows = []
    for network, steps in by_network.items():
        known = sorted(like(network, speeds).items())
        for device, speed in known or [(None, None)]:
            hours = sum(steps) * speed.seconds / 3600 if speed else None
            rows.append(
                {
                    "model": network[0],
                    "image_size": network[1],
                    "batch_size": network[2],
                    "device": device,
                    "runs": len(steps),
                    "hours": hours,
                    "from_runs": speed.n_runs if speed else None,
                    "basis": speed.note if speed else None,
                    "kilowatt_hours": sum(steps) * speed.joules / 3.6e6 if speed and speed.joules is not None else None,
                    "price": hours * price_hour if hours is not None and price_hour is not None else None,
                }
            )
    return rows


def forecast(
    grid: Grid,
    runs_dir: Path,
    data_dir: Path | None,
    *,
    measure: bool,
    price_hour: float | None = None,
    say: Say = lambda text: None,
) -> list[dict[str, Any]]:
    """`hours` of the runs without a record; measure: train a few steps of each network that no run like it tells of.

    data_dir : the images, whose test sets take time as well; say : called with what is being measured
    """
    done = finished_ids(runs_dir / grid.study)
    runs = [run for run in grid.runs if run.spec.run_id not in done]
    speeds = {**SHIPPED, **known_speeds(runs_dir)}
    if measure:
        from trainer.machine import choose_device, choose_workers

        device = choose_device("auto")
        threads = choose_workers("auto", None, device)[1]
        for run in runs:
            key = (network_of(run.spec), device)
            if key not in speeds:
                tested = 0 if data_dir is None else _tested(run, grid, data_dir)
                speeds[key] = measured_speed(run, device, threads, tested, say)
    return hours(runs, speeds, price_hour)


def _tested(run: PlannedRun, grid: Grid, data_dir: Path) -> int:
    """Images of all the test sets of a run."""
    from predictor.images.listing import below
    from trainer.data.opening import open_source
    from trainer.run import tests_of

    n = 0
    for test in tests_of(run.spec).values():
        file = grid.sources[test.source].file
        source = open_source(test.source, below(data_dir, file) if file else None, run.spec.sources[test.source])
        n += sum(len(source.rows(name, test.split)) for name in run.spec.target.classes)
    return n
