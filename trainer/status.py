"""How far a grid is: its runs at one moment, their pace, and when the others will be there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from heapq import nlargest
from math import inf
from pathlib import Path
from typing import Any

from predictor.grids import Grid
from predictor.records import Cost, failed_ids, finished_ids, read_costs, torn_ids
from trainer.launch.lease import held

RECENT = 50  # runs whose pace is the grid's
HANDOVER = 60.0  # seconds between two runs that belong to the work; a longer gap is a pause
AHEAD = 300.0  # seconds that the clock of another machine may be ahead


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
