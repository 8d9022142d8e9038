"""Which learning rate a grid shall have: a small grid on a validation split of its training data, and what that found.

A rate is chosen once for each network and data set, as a smooth function of image-steps: in steps it would be
confounded with size. No test image is read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from predictor.errors import PredictorError, SpecError
from predictor.grids import Rate, load_grid, read_grid
from predictor.grids.compose import compose
from predictor.records import RunRecord
from predictor.records.gate import pass_gate

ENDING = "-rates"  # of the study that holds the runs
FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)  # of the grid's own rate
LEVEL = 0.95


def rates_grid(
    path: str,
    *,
    samples_per_class: int = 100,
    rates: Sequence[float] = (),
    image_steps: Sequence[int] = (),
    neighbours: int | None = None,
    n_seeds: int = 2,
) -> dict[str, Any]:
    """The small grid of a grid file, as plain data: every target set on `train:fit`, tested on `train:validation`.

    rates : to try; () for a quarter to four times the grid's own one
    image_steps : to try them at; () for the shortest, a middle and the longest stage of the grid
    neighbours : images in a group by number, see `predictor.images.parts`; None: the source's own groups
    The study is held out: no fit takes it. Raises SpecError for a faulty grid, or one without a rate to start from.
    """
    grid, content = load_grid(path), read_grid(path)
    if not rates:
        rates = [float(f"{factor * _own_rate(content, path):.3g}") for factor in FACTORS]
    if not image_steps:
        steps = np.array([stage.image_steps for run in grid.runs for stage in run.spec.stages])
        image_steps = sorted({int(steps.min()), _rounded(np.sqrt(float(steps.min()) * steps.max())), int(steps.max())})
    ending = f"@{neighbours}" if neighbours else ""
    targets = {}
    for name, target in content["target_sets"].items():
        split = target.get("train_split", "train")
        if ":" in split:
            raise SpecError(
                f"target set {name!r} trains on {split!r}, a part of a split, which has no validation part of its own",
                where=path,
                remedy="choose the rate for the whole split",
            )
        kept = {key: value for key, value in target.items() if key != "shifts"}
        parts = {"train_split": f"{split}:fit{ending}", "test_split": f"{split}:validation{ending}"}
        targets[name] = kept | parts
    recipe = {k: v for k, v in content["recipe"].items() if k not in ("learning_rate", "image_steps", "epochs")}
    axes = {
        "target_set": list(targets),
        "samples_per_class": samples_per_class,
        "image_steps": list(image_steps),
        "learning_rate": list(rates),
    }
    return compose(
        study=f"{grid.study}{ENDING}", protocol=grid.protocol, held_out=True, sources=content["sources"],
        target_sets=targets, model=content["model"], recipe=recipe, seeds=list(range(n_seeds)), blocks=[axes],
    )  # fmt: skip


def _own_rate(content: Mapping[str, Any], path: str) -> float:
    rate = content["recipe"].get("learning_rate")
    if isinstance(rate, dict):
        rate = rate["rate"]
    if rate is None:
        raise SpecError(
            "the recipe states no learning_rate to start from", where=path, remedy="state one, or give --rate 0.03 ..."
        )
    return float(rate)


def _rounded(number: float) -> int:
    return int(float(f"{number:.2g}"))


@dataclass(frozen=True, kw_only=True)
class Best:
    """The best rate of one target set at one length of training.

    rate : where a parabola through the best rate tried and its neighbours peaks, in logarithms
    accuracy : mean over the seeds at the best rate tried; spread : their standard deviation, None for one seed
    edge : whether the best rate tried was the smallest or largest: then it may lie beyond
    tried : the rates, ascending
    """

    target_set: str
    image_steps: int
    rate: float
    accuracy: float
    spread: float | None
    edge: bool
    tried: tuple[float, ...]
    n_runs: int


@dataclass(frozen=True, kw_only=True)
class ChosenRate:
    """A rate for all target sets: log rate = level of the target set + power * log image-steps, by least squares.

    Best rates at the edge of those tried are no measurements of where the best lies, and do not enter.
    power : None where no target set has a best rate within those tried at two lengths of training
    low, high : 95 % interval of the power (Student's t), None where the points leave no degree of freedom. Where it
        holds 0, or is None, the rate is stated as constant
    """

    best: tuple[Best, ...]
    rate: Rate | float
    power: float | None
    low: float | None
    high: float | None


def choose_rate(records: Sequence[RunRecord]) -> ChosenRate:
    """What the runs of a `rates_grid` found. Raises PredictorError where there is none with a known accuracy."""
    pass_gate(records)
    found: dict[tuple[str, int], dict[float, list[float]]] = {}
    for record in records:
        spec = record.spec or {}
        steps = sum(stage["image_steps"] for stage in spec.get("stages", ()))
        # a diverged run is as good as none: it reached nothing
        reached = record.outcomes["accuracy"].value if record.status == "completed" else 0.0
        by_rate = found.setdefault((record.target_set, steps), defaultdict(list))
        by_rate[spec["recipe"]["learning_rate"]].append(reached)
    if not found:
        raise PredictorError("no run of a rates grid", remedy="train it first: trainer run FILE")
    best = tuple(_best(target_set, steps, by_rate) for (target_set, steps), by_rate in sorted(found.items()))
    if not any(row.accuracy for row in best):
        raise PredictorError("every run diverged", remedy="try smaller rates: --rate 0.001 ...")
    return _smooth(best)


def _best(target_set: str, image_steps: int, by_rate: Mapping[float, Sequence[float]]) -> Best:
    rates = sorted(by_rate)
    means = [float(np.mean(by_rate[rate])) for rate in rates]
    top = int(np.argmax(means))
    edge = top in (0, len(rates) - 1)
    rate = rates[top]
    if not edge:
        a, b, _ = np.polyfit(np.log(rates[top - 1 : top + 2]), means[top - 1 : top + 2], 2)
        if a < 0:
            rate = float(np.exp(np.clip(-b / (2 * a), np.log(rates[top - 1]), np.log(rates[top + 1]))))
    seeds = by_rate[rates[top]]
    return Best(
        target_set=target_set,
        image_steps=image_steps,
        rate=rate,
        accuracy=means[top],
        spread=float(np.std(seeds, ddof=1)) if len(seeds) > 1 else None,
        edge=edge,
        tried=tuple(rates),
        n_runs=sum(map(len, by_rate.values())),
    )


def _smooth(best: tuple[Best, ...]) -> ChosenRate:
    import statsmodels.api as sm

    within = [row for row in best if not row.edge]
    steps, rates = (np.log([getattr(row, name) for row in within or best]) for name in ("image_steps", "rate"))
    level = float(np.exp(rates.mean()))
    names = sorted({row.target_set for row in within})
    # each target set has a level of its own; without two lengths of training in one of them there is no slope
    levels = np.array([[row.target_set == name for name in names] for row in within], dtype=float)
    design = np.column_stack([steps, levels]) if within else np.zeros((0, 1))
    if np.linalg.matrix_rank(design) < design.shape[1]:
        return ChosenRate(best=best, rate=_three(level), power=None, low=None, high=None)
    fitted = sm.OLS(rates, design).fit()
    power = float(fitted.params[0])
    if fitted.df_resid < 1:
        return ChosenRate(best=best, rate=_three(level), power=power, low=None, high=None)
    low, high = map(float, fitted.conf_int(1 - LEVEL)[0])
    at = _rounded(float(np.exp(steps.mean())))
    moved = level * float(np.exp(power * (np.log(at) - steps.mean())))
    rate = Rate(rate=_three(moved), at=at, power=round(float(np.clip(power, -2, 2)), 3))
    return ChosenRate(best=best, rate=_three(level) if low <= 0 <= high else rate, power=power, low=low, high=high)


def _three(number: float) -> float:
    return float(f"{number:.3g}")
