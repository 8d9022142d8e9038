"""How long a grid will take and how far it is, from what finished runs cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from heapq import nlargest
from math import inf
from pathlib import Path
from statistics import median
from typing import Any

from predictor.errors import DataError
from predictor.grids import Grid, PlannedRun
from predictor.records import Cost, finished_ids, read_costs, study_folders
from predictor.spec import RunSpec

Network = tuple[str, int, int]  # model, image size, batch size
RECENT = 50  # runs whose pace is the grid's
HANDOVER = 60.0  # seconds between two runs that belong to the work; a longer gap is a pause
AHEAD = 300.0  # seconds that the clock of another machine may be ahead
SHORT = 20  # steps of a measured run


@dataclass(frozen=True)
class Speed:
    """Seconds of one process for one image shown, from records with loading and compiling, measured without.

    n_runs : records that say so (0: measured just now)
    """

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


def progress(costs: Sequence[Cost], n_open: int, now: datetime | None = None) -> dict[str, Any]:
    """What finished runs cost and when the n_open others will be there.

    seconds_trained : of all processes together
    runs_per_hour, images_per_second : pace of the last 50 runs, see `Pace`; None where no run tells it
    pace_from_runs : how many runs tell it; from one alone it is the pace of one process
    paused_hours : among these runs, time in which none of them was trained
    eta_hours : of the open runs at that pace; last_ended_hours_ago : of the last run
    n_without_end : runs whose records state no end that is known and past
    joules : known energy, of n_with_energy runs
    """
    ended, n_known = _last_ended(costs, (now or datetime.now(UTC)).timestamp())
    pace = pace_of(ended)
    energies = [cost.joules for cost in costs if cost.joules is not None]
    per_hour = pace.n_runs / pace.busy * 3600 if pace.busy else None
    return {
        "seconds_trained": sum(cost.seconds for cost in costs),
        "runs_per_hour": per_hour,
        "images_per_second": pace.image_steps / pace.busy if pace.busy else None,
        "pace_from_runs": pace.n_runs,
        "paused_hours": pace.paused / 3600,
        "eta_hours": 0.0 if not n_open else n_open / per_hour if per_hour else None,
        "last_ended_hours_ago": ended[-1].ago / 3600 if ended else None,
        "n_without_end": len(costs) - n_known,
        "joules": sum(energies) if energies else None,
        "n_with_energy": len(energies),
    }


@dataclass(frozen=True)
class Ended:
    """A run whose end is known: how many seconds ago it was, how many it took, images shown."""

    ago: float
    seconds: float
    image_steps: int


@dataclass(frozen=True)
class Pace:
    """What a grid did lately: n_runs and image_steps in `busy` seconds; beside these it paused.

    busy : seconds in which at least one of the runs was trained, and the short gaps between them
    paused : seconds of longer gaps: nobody trained the grid, or what was trained left no record
    """

    n_runs: int
    image_steps: int
    busy: float
    paused: float


def pace_of(ended: Sequence[Ended]) -> Pace:
    """The pace of the last runs; `ended` in the order of their ends.

    A run was trained during its seconds before its end; one that was stopped and continued as well, whenever its
    first try was. The time counted begins with the first run, or where another one ended before it: with that.

    Two processes side by side, an hour of nothing, and two again, every run of 100 s: 4 runs in 200 s.

    >>> pace_of([Ended(ago, 100.0, 5) for ago in (3700.0, 3700.0, 0.0, 0.0)])
    Pace(n_runs=4, image_steps=20, busy=200.0, paused=3600.0)
    """
    recent = ended[-RECENT:]
    reached = -ended[-RECENT - 1].ago if len(ended) > RECENT else None
    busy = paused = 0.0
    for begin, end in sorted((-run.ago - run.seconds, -run.ago) for run in recent):
        gap = begin - reached if reached is not None else 0.0
        if gap > HANDOVER:
            paused += gap
        else:
            busy += max(gap, 0.0)
        busy += max(end - (begin if reached is None else max(begin, reached)), 0.0)
        reached = end if reached is None else max(reached, end)
    return Pace(len(recent), sum(run.image_steps for run in recent), busy, paused)


def _last_ended(costs: Iterable[Cost], now: float) -> tuple[list[Ended], int]:
    """The last runs in the order of their ends, as many as `pace_of` looks at; and of how many the end is known.

    An end in the future, by a clock that jumped, is not known.
    """
    known = []
    for number, cost in enumerate(costs):
        end = cost.end
        if end is not None and (at := end.timestamp()) <= now + AHEAD and 0 <= cost.seconds < inf:
            known.append((at, number, cost))
    last = nlargest(RECENT + 1, known)
    return [Ended(max(now - at, 0.0), cost.seconds, cost.image_steps) for at, _, cost in reversed(last)], len(known)


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
