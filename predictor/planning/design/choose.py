"""What to train next: the configurations that narrow a fit's intervals most for each hour.

Bayesian I-optimal design (Chaloner & Verdinelli 1995, Bayesian experimental design: a review, section 2), greedy: the
variance of the prediction, averaged over the space of configurations on the scale of accuracies, falls by
sum_i w_i (x_i' S x_j)^2 / (s^2 + x_j' S x_j) once j is trained; j is chosen by that for each hour.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from predictor.errors import FitError
from predictor.fitting.configurations import configurations
from predictor.fitting.rows import recipe_of, rows_for, select
from predictor.indicators import compute
from predictor.models.case import RECIPE, SPREADS, Case, base_of
from predictor.models.linear import FEATURES
from predictor.models.links import expit
from predictor.models.rows import Row
from predictor.planning.design.candidates import Candidate, Space, candidates, read_space
from predictor.records import RunRecord, read_registry
from predictor.results import Result

Floats = NDArray[np.float64]
SCHEMA_VERSION = 1
SLOPE_SD, SET_SLOPE_SD = 1.0, 0.3  # logits for one standard deviation of a feature: of all, and of one target set
LEAST_NOISE = 0.05**2  # variance in logits of a configuration
SECONDS = 3600
PAYS = (  # benchmarks/designs.py, 20 splits
    "this order is not shown to save runs: of 164 recorded configurations it needed 0.92 [0.81, 1.03] times as many as "
    "a random order for the same error, one spread evenly over the levels 0.87 [0.79, 1.03] times; with 76 "
    "configurations all three err by 4.7 to 4.8 points, and more of the same runs lessen the error of a linear model "
    "little. Saved hours were not measured"
)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One configuration to train.

    hours : of all its seeds, on the device that was measured; None where no speed was
    width_before, width_after : mean width of the intervals over the space (fractions), as those before it are trained
    """

    target_set: str
    domain: str
    n_samples: int
    n_other_classes: int
    image_steps: int
    block: Mapping[str, Any]
    hours: float | None
    width_before: float
    width_after: float


@dataclass(frozen=True, kw_only=True, repr=False)
class Design(Result):
    """What to train next.

    content : the grid as plain data
    device, images_per_second : what the hours rest on; None where no record states a speed
    """

    outcome: str
    level: float
    n_candidates: int
    n_configurations: int
    n_runs: int
    n_seeds: int
    device: str | None
    images_per_second: float | None
    choices: tuple[Choice, ...]
    content: Mapping[str, Any]
    notes: tuple[str, ...]
    shown_by: ClassVar[str] = "design"

    def __repr__(self) -> str:
        widths = f"{100 * self.choices[0].width_before:.2f} -> {100 * self.choices[-1].width_after:.2f} points"
        return f"<Design of {len(self.choices)} configurations out of {self.n_candidates}: width {widths}>"

    def to_dict(self) -> dict[str, Any]:
        """One object for JSON."""
        return {"schema_version": SCHEMA_VERSION, **asdict(self)}


def design_registry(
    runs: str | Path,
    n: int,
    *,
    studies: Sequence[str] | None = None,
    outcome: str = "accuracy",
    study: str = "design",
    level: float = 0.9,
) -> Design:
    """Choose n configurations out of what the grids of a registry plan or could plan.

    studies : only these; held-out studies enter only when named here
    study : name of the study that is written

    Raises FitError where there is nothing to choose from or to learn from.
    """
    if n < 1:
        raise FitError(f"{n} configurations; needed: 1 or more", remedy="use e.g. --next 8")
    if not 0 < level < 1:
        raise FitError(f"level {level!r}; needed: a number between 0 and 1", remedy="use e.g. --level 0.9")
    records = read_registry(runs, studies)
    selection = select(records, studies)
    space = read_space(runs, selection.records, studies)
    rows = [row for row in rows_for(selection, outcome) if row.scale.is_share]
    if len(rows) < 2:
        raise FitError(f"{len(rows)} runs measured {outcome} as an accuracy; 2 are needed", where=str(runs),
                       remedy="check --outcome, or train a first grid: trainer run GRID.yaml")  # fmt: skip
    choice_of = candidates(space, {record.configuration_id for record in records})
    if not choice_of:
        raise FitError(
            "every configuration of its grids is trained, and so is every crossing of their levels",
            where=str(runs),
            remedy="write a grid with new levels or target sets",
        )
    speed, device = _speed(selection.records)
    hours = np.array([item.image_steps * len(space.seeds) / (speed or 1.0) / SECONDS for item in choice_of])
    chosen, widths = _greedy(rows, choice_of, hours, n, space, level)
    if not chosen:
        raise FitError("no candidate can be planned as a grid", where=str(runs), remedy="write a grid with new levels")
    return Design(
        outcome=outcome,
        level=level,
        n_candidates=len(choice_of),
        n_configurations=len(configurations(rows).ids),
        n_runs=len(rows),
        n_seeds=len(space.seeds),
        device=device,
        images_per_second=speed,
        choices=tuple(
            Choice(
                target_set=item.target_set,
                domain=item.domain,
                n_samples=item.distribution.n_samples,
                n_other_classes=len(item.distribution.other_counts),
                image_steps=item.image_steps,
                block=item.block,
                hours=float(hours[i]) if speed else None,
                width_before=widths[k],
                width_after=widths[k + 1],
            )
            for k, (i, item) in enumerate((i, choice_of[i]) for i in chosen)
        ),
        content=space.content([choice_of[i].block for i in chosen], study),
        notes=(*selection.left_out, *space.notes, PAYS),
    )


def _speed(records: Sequence[RunRecord]) -> tuple[float | None, str | None]:
    """(median images a second in training, device) of the device that most runs state."""
    found: dict[str, list[float]] = {}
    for record in records:
        rate = record.images_per_second
        steps = recipe_of(record)[2]
        if rate is None and record.seconds is not None and record.seconds.train > 0 and steps:
            rate = steps / record.seconds.train
        if rate:
            name = record.environment.device_name or record.environment.device if record.environment else "unknown"
            found.setdefault(name, []).append(rate)
    if not found:
        return None, None
    device = max(sorted(found), key=lambda name: len(found[name]))
    return float(np.median(found[device])), device


def _greedy(
    rows: Sequence[Row], choice_of: Sequence[Candidate], hours: Floats, n: int, space: Space, level: float
) -> tuple[list[int], list[float]]:
    """(candidates in the order of choice, mean width before each and after the last)."""
    seen = configurations(rows)
    old = [rows[i].case for i in seen.first]
    new = [_case(item) for item in choice_of]
    owners = [rows[i].target_set for i in seen.first] + [item.target_set for item in choice_of]
    names = [name for name in FEATURES if np.isfinite([case.feature(name) for case in (*old, *new)]).all()]
    raw = np.array([case.features(names) for case in (*old, *new)]).reshape(len(owners), len(names))
    spread = raw[: len(old)].std(axis=0)
    names = [name for name, sd in zip(names, spread, strict=True) if sd > 1e-9]
    raw = raw[:, spread > 1e-9]
    z = (raw - raw[: len(old)].mean(axis=0)) / np.where(spread[spread > 1e-9] > 0, spread[spread > 1e-9], 1.0)
    sets = sorted(set(owners))
    member = np.array([[float(owner == name) for name in sets] for owner in owners])
    slopes = [member * z[:, [j]] for j in range(len(names))]  # each target set bends the shared slopes a little
    x = np.column_stack([np.ones(len(owners)), z, member, *slopes])
    level_sd = _level_sd(seen.logits, seen.target_sets)
    prior = np.concatenate([[100.0], np.full(len(names), SLOPE_SD**2), np.full(len(sets), level_sd**2),
                            np.full(len(sets) * len(names), SET_SLOPE_SD**2)])  # fmt: skip
    data, pool = x[: len(old)], x[len(old) :]
    noise, mean = _noise(data, seen.logits, prior)
    covariance = np.linalg.inv(np.diag(1 / prior) + data.T @ data / noise)
    p = expit(x @ mean)
    slope = p * (1 - p)
    share = 1 / (member.sum(axis=0)[np.argmax(member, axis=1)] * len(sets))  # every target set counts the same
    quantile = 2 * NormalDist().inv_cdf(0.5 + level / 2)

    def width() -> float:
        variance = np.einsum("ij,jk,ik->i", x, covariance, x) + noise
        return float(np.sum(share * slope * np.sqrt(variance)) * quantile)

    chosen: list[int] = []
    widths = [width()]
    free = np.ones(len(pool), dtype=bool)
    while len(chosen) < n and free.any():
        cross = pool @ covariance @ x.T
        own = np.einsum("ij,jk,ik->i", pool, covariance, pool)
        gain = (cross**2 @ (share * slope**2)) / (noise + own) / hours
        best = int(np.argmax(np.where(free, gain, -np.inf)))
        free[best] = False
        if not space.possible(choice_of[best].block):
            continue
        column = covariance @ pool[best]
        covariance = covariance - np.outer(column, column) / (noise + float(own[best]))
        chosen.append(best)
        widths.append(width())
    return chosen, widths


def _case(item: Candidate) -> Case:
    bases = sorted({base_of(name) for name in FEATURES} - {*RECIPE, *SPREADS} | {"n_samples"})
    found = compute(item.distribution, bases)
    values = {name: own.value for name, own in found.items() if own.value is not None}
    return Case(item.distribution, values, {"image_steps": float(item.image_steps)})


def _level_sd(logits: Floats, owners: NDArray[Any]) -> float:
    """Standard deviation of the target sets' mean logits; 1 where one target set cannot tell."""
    means = [float(logits[owners == name].mean()) for name in np.unique(owners)]
    return max(float(np.std(means, ddof=1)), 0.1) if len(means) > 1 else 1.0


def _noise(x: Floats, y: Floats, prior: Floats) -> tuple[float, Floats]:
    """(variance of a configuration around the linear model, its coefficients), by a few fixed-point rounds."""
    noise = max(float(np.var(y)) / 4, LEAST_NOISE)
    mean = np.zeros(x.shape[1])
    for _ in range(50):
        information = np.diag(1 / prior) + x.T @ x / noise
        covariance = np.linalg.inv(information)
        mean = covariance @ (x.T @ y) / noise
        used = float(np.trace(covariance @ (x.T @ x))) / noise
        new = max(float(np.sum((y - x @ mean) ** 2)) / max(len(y) - used, 1.0), LEAST_NOISE)
        if abs(new - noise) < 1e-9:
            break
        noise = new
    return noise, mean
