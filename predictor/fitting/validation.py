"""The validation table: every family on held-out configurations, target sets, domains, and on the largest runs.

The row of the chosen family holds what the whole procedure gives: in every fold the family is chosen again from the
runs of that fold's training part, so its figures include what choosing costs. The other rows hold their own family's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from predictor.errors import FitError
from predictor.fitting.calibration import LEVELS, Calibrated, calibrate_all, models_of, predict_rows
from predictor.fitting.configurations import Configurations, Indices, configurations, take
from predictor.fitting.folds import Fold, configuration_folds, group_folds, growing_folds, largest
from predictor.fitting.metrics import decision_accuracy, errors, interval_quality, noise, spearman_within
from predictor.models.base import MINIMUM, Family, Floats
from predictor.models.links import disagreement
from predictor.models.rows import Row, Sample
from predictor.models.scales import Scale
from predictor.statistics.ties import first_least, same

OUTER, INNER = 10, 5  # folds
MANY = 150  # configurations from which 5 outer folds leave as much to fit on as 10 do of fewer
LARGEST = 0.2  # share of the configurations that the extrapolation split holds out
SKILLS = {"mean": "mean", "log_n": "log_n", "log_n_log_h": "log_n_log_h", "nearest": "nearest"}

FoldMaker = Callable[[Sequence[Row], Configurations], Sequence[Indices | Fold]]


@dataclass(frozen=True, eq=False)
class Split:
    """A way to hold out configurations.

    outer : configurations that are held out together
    inner : folds of the training part, for choosing and for intervals
    growing : more of them, for intervals beyond the fitted sizes
    without_level : choose by what remains when each target set's level is removed
    kind : of intervals: of a new configuration, of one beyond the fitted sizes, of a new target set
    intervals : None, or why none can be made
    """

    name: str
    outer: list[Indices]
    inner: FoldMaker
    without_level: bool = False
    kind: str = "configuration"
    growing: FoldMaker | None = None
    no_intervals: str | None = None


@dataclass(eq=False)
class _Held:
    """Held-out predictions of one family."""

    predicted: Floats
    low: dict[float, Floats]
    high: dict[float, Floats]
    chosen: Counter[str] = field(default_factory=Counter)
    orders: bool = False  # has any feature: a mean orders nothing, but means of folds differ, in reverse order

    @classmethod
    def empty(cls, n: int) -> _Held:
        return cls(np.full(n, np.nan), *({level: np.full(n, np.nan) for level in LEVELS} for _ in range(2)))


def splits(rows: Sequence[Row], configs: Configurations) -> tuple[list[Split], list[str]]:
    """The splits that the runs allow, and in words those that they do not allow."""
    sets, domains = np.unique(configs.target_sets), np.unique(configs.domains)
    outer = configuration_folds(configs, OUTER if len(configs.ids) < MANY else INNER)
    made = [Split("configuration", outer, lambda rows, own: configuration_folds(own, INNER))]
    missing = []
    if len(sets) >= 3:
        made.append(
            Split(
                "target_set", group_folds(configs.target_sets), target_set_folds, without_level=True, kind="target_set"
            )
        )
    else:
        missing.append(f"target_set: {len(sets)} target set(s); at least 3 are needed to leave one out")
    if len(domains) >= 2:
        why = f"{len(domains)} domains: too few groups to calibrate another one"
        made.append(
            Split("domain", group_folds(configs.domains), target_set_folds, without_level=True, no_intervals=why)
        )
    else:
        missing.append(f"domain: {len(domains)} domain; at least 2 are needed to leave one out")
    held = largest(config_sizes(rows, configs), configs.target_sets, LARGEST)
    if len(held) >= 5:
        made.append(
            Split(
                "extrapolation", [held], lambda rows, own: configuration_folds(own, INNER), kind="extrapolation",
                growing=size_folds,
            )
        )  # fmt: skip
    else:
        missing.append(f"extrapolation: {len(held)} configurations in the largest fifth; at least 5 are needed")
    return made, missing


def target_set_folds(rows: Sequence[Row], configs: Configurations) -> Sequence[Indices | Fold]:
    """Folds of whole target sets; of configurations where there is only one."""
    folds = group_folds(configs.target_sets, INNER)
    return folds if len(folds) > 1 else configuration_folds(configs, INNER)


def size_folds(rows: Sequence[Row], configs: Configurations) -> Sequence[Indices | Fold]:
    """Folds forward in size; of configurations where too few are left to fit on."""
    folds = growing_folds(config_sizes(rows, configs), configs.target_sets)
    return folds if sum(len(held) for _, held in folds) >= 9 else configuration_folds(configs, INNER)


def config_sizes(rows: Sequence[Row], configs: Configurations) -> Floats:
    """(n,) images of each configuration; nan where unknown."""
    return configs.mean(Sample.of(rows).feature("n_samples"))


def choose(fits: Mapping[str, Calibrated], *, without_level: bool) -> str:
    """The family with the least held-out error; a baseline only where no model could be fitted."""
    models = {name: item for name, item in fits.items() if not item.family.baseline} or fits
    names = sorted(models)
    return names[int(first_least([models[name].score(without_level=without_level) for name in names]))]


def validate(
    outcome: str,
    rows: Sequence[Row],
    configs: Configurations,
    families: Sequence[Family],
    split: Split,
    chosen: str,
    progress: Callable[[int], None] | None = None,
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Rows of the validation table for one outcome and split, and the families that some fold could not feed.

    chosen : family that was chosen on all runs
    progress : called with the number of each outer fold
    """
    lost: dict[str, str] = {}
    n = len(configs.ids)
    held = {family.name: _Held.empty(n) for family in families}
    nested = _Held.empty(n)
    everything = np.arange(n)
    for number, test in enumerate(split.outer):
        if progress is not None:
            progress(number)
        train_rows = take(rows, configs, np.setdiff1d(everything, test))
        train = configurations(train_rows)
        if len(train.ids) < MINIMUM:
            raise FitError(f"{len(train.ids)} configurations remain to fit on; {MINIMUM} are needed")
        test_rows = take(rows, configs, test)
        test_configs = configurations(test_rows)
        folds = split.inner(train_rows, train)
        fits, failed = calibrate_all(families, train_rows, train, folds)
        if not fits:
            raise FitError(f"no family can be fitted: {next(iter(failed.values()))}")
        lost |= failed
        growing: dict[str, Calibrated] = {}
        if split.growing is not None:
            growing, _ = calibrate_all(families, train_rows, train, split.growing(train_rows, train))
        best = choose(fits, without_level=split.without_level)
        found = {name: test_configs.mean(predict_rows(item.parameters, test_rows)) for name, item in fits.items()}
        models = models_of(fits)
        doubt = disagreement([found[name] for name in models]) if models else 0.0
        for name, fitted in fits.items():
            targets = [held[name], nested] if name == best else [held[name]]
            predicted = found[name]
            for target in targets:
                target.predicted[test] = predicted
                target.chosen[best] += 1
                target.orders |= bool(fitted.parameters["features"])
            for level in LEVELS:
                if split.no_intervals:
                    continue
                bounds = fitted.around(predicted, level, split.kind, doubt, test_configs.tested, growing.get(name))
                for target in targets if bounds is not None else []:
                    target.low[level][test], target.high[level][test] = bounds
    families = [family for family in families if family.name not in lost]
    if chosen in lost:  # the fold's choice was made among the others
        chosen = nested.chosen.most_common(1)[0][0]
    tested = np.sort(np.concatenate(split.outer))
    sizes = config_sizes(rows, configs)
    return [
        _row(outcome, split, family.name, nested if family.name == chosen else held[family.name],
             family.name == chosen, rows, configs, held, tested, sizes)
        for family in families
    ], lost  # fmt: skip


def _row(
    outcome: str,
    split: Split,
    name: str,
    result: _Held,
    chosen: bool,
    rows: Sequence[Row],
    configs: Configurations,
    held: Mapping[str, _Held],
    tested: Indices,
    sizes: Floats,
) -> dict[str, Any]:
    measured, groups = configs.values[tested], configs.target_sets[tested]
    predicted = configs.scale.values(result.predicted[tested])
    order = predicted if result.orders else np.zeros(len(tested))
    mse = float(np.mean((measured - predicted) ** 2))
    quality = {}
    for level in LEVELS:
        low, high = configs.scale.interval(result.low[level][tested], result.high[level][tested])
        if np.isfinite(low).all():
            quality[f"{level:g}"] = interval_quality(measured, low, high, level)

    def by_level(key: str) -> dict[str, Any]:
        return {f"{level:g}": quality.get(f"{level:g}", {}).get(key) for level in LEVELS}

    ceiling, floor = noise(configs)
    equal = decision_accuracy(measured, order, groups, sizes[tested]) if np.isfinite(sizes).all() else None
    return {
        "outcome": outcome,
        "scale": configs.scale.name,
        "split": split.name,
        "family": name,
        "chosen": chosen,
        "chosen_in_folds": dict(sorted(result.chosen.items())) if chosen else None,
        **errors(measured, predicted),
        "mae_without_level": float(np.mean(np.abs(_without_level(measured - predicted, groups)))),
        "spearman": spearman_within(measured, order, groups),
        "decision_accuracy": decision_accuracy(measured, order, groups),
        "decision_accuracy_equal_n": equal,
        "coverage": by_level("coverage"),
        "covered": by_level("covered"),
        "coverage_low": by_level("coverage_low"),
        "coverage_high": by_level("coverage_high"),
        "coverage_reason": None if "0.9" in quality else _why_no_coverage(split, configs),
        "width": by_level("width"),
        "interval_score": quality.get("0.9", {}).get("interval_score"),
        "skill": {key: _skill(mse, measured, held.get(base), tested, configs.scale) for key, base in SKILLS.items()},
        "noise_ceiling": ceiling,
        "noise_floor": floor,
        "n_configurations": len(tested),
        "n_runs": int(configs.seeds[tested].sum()),
        "n_groups": len(split.outer),
    }


def _without_level(error: Floats, groups: np.ndarray[Any, Any]) -> Floats:
    result = error.copy()
    for name in np.unique(groups):
        result[groups == name] -= error[groups == name].mean()
    return result


def _skill(mse: float, measured: Floats, baseline: _Held | None, tested: Indices, scale: Scale) -> float | None:
    if baseline is None:
        return None
    predicted = scale.values(baseline.predicted[tested])
    reference = float(np.mean((measured - predicted) ** 2))
    return None if same(measured, predicted).all() else 1 - mse / reference


def _why_no_coverage(split: Split, configs: Configurations) -> str:
    if split.no_intervals:
        return f"coverage not measured: {split.no_intervals}"
    if split.kind == "target_set":
        n = len(np.unique(configs.target_sets)) - 1
        return f"coverage not measured: {n} other target sets; a 90 % interval needs 9"
    return "coverage not measured: fewer than 9 configurations to calibrate with"
