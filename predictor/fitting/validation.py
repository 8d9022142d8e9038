"""The validation table: every family on held-out configurations, new draws, target sets, domains, and the largest runs.

What a fold holds out is predicted by fits without it. What is chosen beyond that comes from the other folds' held-out
predictions: the weights of an average, the family of the chosen row, and the intervals (cross-validation+, Barber,
Candès, Ramdas & Tibshirani 2021, Predictive inference with the jackknife+). The other rows hold their own family's
figures.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from predictor.fitting.calibration import LEVELS, Calibrated
from predictor.fitting.configurations import Configurations, Indices
from predictor.fitting.folds import Fold, configuration_folds, group_folds, growing_folds, largest
from predictor.fitting.metrics import counted, decision_accuracy, errors, interval_quality, noise, spearman_within
from predictor.models.base import Floats
from predictor.models.by_shift import BY_SHIFT
from predictor.models.rows import Row, Sample
from predictor.models.scales import Scale
from predictor.statistics.ties import same

OUTER, INNER = 10, 5  # folds
MANY = 150  # configurations from which 5 folds leave as much to fit on as 10 do of fewer
MOST_SETS = 20  # target sets that are left out one at a time; of more, so many folds of whole target sets
CALIBRATED_DOMAINS = 9  # left-out domains that a 90 % interval for another one needs
LARGEST = 0.2  # share of the configurations that the extrapolation split holds out
SKILLS = {"mean": "mean", "log_n": "log_n", "log_n_log_h": "log_n_log_h", "nearest": "nearest"}


@dataclass(frozen=True, eq=False)
class Split:
    """A way to hold out configurations.

    folds : configurations that are held out together, or what to fit on and what to hold out
    scored : folds that stand in the table; None: all. The others are there to choose and to make intervals by
    without_level : choose by what remains when each target set's level is removed
    kind : of intervals: of a new configuration, of one beyond the fitted sizes, of a new target set or domain
    no_intervals : None, or why none can be made
    """

    name: str
    folds: Sequence[Indices | Fold]
    scored: tuple[int, ...] | None = None
    without_level: bool = False
    kind: str = "configuration"
    no_intervals: str | None = None


@dataclass(eq=False)
class _Held:
    """Held-out predictions of one family, and the intervals around them."""

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
    made = [Split("configuration", configuration_folds(rows, configs, OUTER if len(configs.ids) < MANY else INNER))]
    missing = []
    if len(sets) >= 3:
        folds = group_folds(configs.target_sets, MOST_SETS)
        made.append(Split("target_set", folds, without_level=True, kind="target_set"))
    else:
        missing.append(f"target_set: {len(sets)} target set(s); at least 3 are needed to leave one out")
    if len(domains) >= 2:
        few = len(domains) <= CALIBRATED_DOMAINS  # each is covered by intervals of the others
        why = f"{len(domains)} domains: too few groups to calibrate another one" if few else None
        folds = group_folds(configs.domains)
        made.append(Split("domain", folds, without_level=True, kind="domain", no_intervals=why))
    else:
        missing.append(f"domain: {len(domains)} domain; at least 2 are needed to leave one out")
    held = largest(config_sizes(rows, configs), configs.target_sets, LARGEST)
    if len(held) >= 5:
        made.append(Split("extrapolation", size_folds(rows, configs), (0,), kind="extrapolation"))
    else:
        missing.append(f"extrapolation: {len(held)} configurations in the largest fifth; at least 5 are needed")
    return made, missing


def size_folds(rows: Sequence[Row], configs: Configurations) -> list[Fold]:
    """Folds forward in size, the largest fifth first; that alone where too few are left to fit the others on."""
    return growing_folds(config_sizes(rows, configs), configs.target_sets)


def config_sizes(rows: Sequence[Row], configs: Configurations) -> Floats:
    """(n,) images of each configuration; nan where unknown."""
    return configs.mean(Sample.of(rows).feature("n_samples"))


def choose(fits: Mapping[str, Calibrated], *, without_level: bool) -> str:
    """The mean over shifts, or the average, whose weights are the choice; else the family with the least error.

    A baseline only where no model could be fitted.
    """
    models = {name: item for name, item in fits.items() if not item.family.baseline} or fits
    averages = [name for name, item in models.items() if item.family.averages]
    if BY_SHIFT.name in models or averages:
        return BY_SHIFT.name if BY_SHIFT.name in models else averages[0]
    return min(models, key=lambda name: (models[name].score(without_level=without_level), name))


def validate(
    outcome: str,
    rows: Sequence[Row],
    configs: Configurations,
    fits: Mapping[str, Calibrated],
    split: Split,
    chosen: str,
    inside: Mapping[str, Calibrated] | None = None,
    sizes: Floats | None = None,
) -> list[dict[str, Any]]:
    """Rows of the validation table for one outcome and split.

    fits : the families, held out by the split's folds
    chosen : family that was chosen on all runs
    inside : the families held out by configuration, for an extrapolation
    sizes : (n,) images of the configurations, where they are not those of the rows
    """
    n = len(configs.ids)
    held = {name: _Held.empty(n) for name in fits}
    picked = _Held.empty(n)
    first = next(iter(fits.values()))
    scored = sorted(set(first.fold.tolist())) if split.scored is None else list(split.scored)
    for k in scored:
        test = first.fold == k
        at = first.of_all[test]
        rest = {name: item.part(~test) for name, item in fits.items()}
        best = choose(rest, without_level=split.without_level) if (~test).any() else chosen
        for name, item in fits.items():
            targets = [held[name], picked] if name == best else [held[name]]
            for target in targets:
                target.predicted[at] = item.predicted[test]
                target.chosen[best] += 1
                target.orders |= bool(item.parameters["features"])
            if split.no_intervals:
                continue
            signs, growing, own = item.signs.part(test), None, rest[name]
            if inside is not None:  # intervals as inside the range, and never narrower than those of growing sizes
                own = inside[name].part(~np.isin(inside[name].of_all, at))
                growing = rest[name] if (~test).any() else None
            for level in LEVELS:
                bounds = own.around(item.predicted[test], level, split.kind, signs, configs.tested[at], growing)
                for target in targets if bounds is not None else []:
                    target.low[level][at], target.high[level][at] = bounds
    tested = np.sort(np.concatenate([first.of_all[first.fold == k] for k in scored]))
    sizes = config_sizes(rows, configs) if sizes is None else sizes
    return [
        _row(outcome, split, name, picked if name == chosen else result, name == chosen, configs, held, tested, sizes,
             len(scored), first)
        for name, result in held.items()
    ]  # fmt: skip


def validate_draws(
    outcome: str, rows: Sequence[Row], configs: Configurations, fits: Mapping[str, Calibrated], chosen: str
) -> list[dict[str, Any]]:
    """The same on data seeds that the fit did not use, where some model was held out so: single runs, mostly."""
    item = fits[chosen]
    if item.new_draws is None:
        return []
    held = item.new_draws.held
    there = configs.among(held, item.new_draws.measured, item.new_draws.seeds)
    found = {}
    for name, own in fits.items():
        if own.new_draws is not None:
            new = own.new_draws
            found[name] = replace(
                own, of_all=np.arange(len(held)), predicted=new.predicted, residuals=new.residuals,
                groups=there.target_sets, domains=there.domains, fold=new.fold, measured=new.measured, seeds=new.seeds,
                doubt=own.doubt[np.searchsorted(own.of_all, held)], haste=own.haste[np.searchsorted(own.of_all, held)],
                representative=there.representative, run_sd=own.run_sd[np.searchsorted(own.of_all, held)],
                aside=own.aside[np.searchsorted(own.of_all, held)], new_draws=None,
            )  # fmt: skip
    sizes = config_sizes(rows, configs)[held]
    return validate(outcome, rows, there, found, Split("new_draws", ()), chosen, sizes=sizes)


def _row(
    outcome: str,
    split: Split,
    name: str,
    result: _Held,
    chosen: bool,
    configs: Configurations,
    held: Mapping[str, _Held],
    tested: Indices,
    sizes: Floats,
    n_groups: int,
    first: Calibrated,
) -> dict[str, Any]:
    measured, groups = configs.values[tested], configs.target_sets[tested]
    predicted = configs.scale.values(result.predicted[tested])
    order = predicted if result.orders else np.zeros(len(tested))
    mse = float(np.mean((measured - predicted) ** 2))
    # intervals are for designs as a user's would be: what they cover is counted on those, where there are enough
    usual = np.zeros(len(configs.ids), dtype=bool)
    usual[first.of_all[first.calibrates]] = split.kind == "configuration"
    asked = usual[tested] if usual[tested].any() else np.ones(len(tested), dtype=bool)
    quality, by = {}, {}
    for level in LEVELS:
        low, high = configs.scale.interval(result.low[level][tested], result.high[level][tested])
        if np.isfinite(low).all():
            quality[f"{level:g}"] = interval_quality(measured[asked], low[asked], high[asked], level)
            inside = (low <= measured) & (measured <= high)
            by[f"{level:g}"] = {
                kind: counted(labels[tested], inside)
                for kind, labels in (("study", configs.studies), ("domain", configs.domains))
            }

    def by_level(key: str) -> dict[str, Any]:
        return {f"{level:g}": quality.get(f"{level:g}", {}).get(key) for level in LEVELS}

    ceiling, floor = noise(configs, tested)
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
        "covered_by": by.get("0.9") if chosen else None,
        "covered_studies": sorted(set(configs.studies[tested][asked].tolist())) if "0.9" in quality else [],
        "coverage_reason": None if "0.9" in quality else _why_no_coverage(split, configs),
        "width": by_level("width"),
        "interval_score": quality.get("0.9", {}).get("interval_score"),
        "skill": {key: _skill(mse, measured, held.get(base), tested, configs.scale) for key, base in SKILLS.items()},
        "noise_ceiling": ceiling,
        "noise_floor": floor,
        "n_configurations": len(tested),
        "n_runs": int(configs.seeds[tested].sum()),
        "n_groups": n_groups,
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
