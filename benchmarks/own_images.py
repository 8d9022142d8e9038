"""How well a domain is predicted that nothing had seen: each left out once, with a probe of its images and with pilots.

    python benchmarks/own_images.py [RUNS] [--family NAME ...] [--study NAME ...] [--pilots 3]

Every domain of the registry is left out of the models, of what they learn from probes, and of what calibrates pilots.
A pilot is one run; errors are of the mean over seeds and of single runs, intervals are held against single runs.
Pilots play the cheap configurations of each target set (`predictor.planning.pilots.spread.cheap`). Each bar is printed
with what was measured and its n; with fewer than nine domains nothing can be said of 90 % intervals.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from prediction import bar
from probes import hard_classes
from scipy.stats import binomtest, norm

from predictor.fitting import rows_for, select
from predictor.fitting.configurations import Configurations, configurations
from predictor.fitting.folds import group_folds
from predictor.fitting.held_out import calibrate_all
from predictor.fitting.metrics import noise
from predictor.fitting.probes import left_out, pairs_of, told_of
from predictor.models import families
from predictor.models.links import expit, logit
from predictor.models.rows import Sample
from predictor.planning.pilots.spread import Errors, calibrate, cheap
from predictor.records import read_registry
from predictor.records.indicator_inputs import probes_of
from predictor.statistics.conformal import grouped_quantile

LEVEL = 0.9
ENOUGH = 9  # left-out domains from which a 90 % interval can be made of their errors alone
APART = 0.02  # of accuracy: pairs that differ by less are no matter
FAMILIES = ("classwise", "gaussian_process", "average")


@dataclass(frozen=True)
class Scored:
    """What was predicted of configurations of left-out domains: accuracy, bounds (nan: none), and which they are."""

    name: str
    predicted: np.ndarray
    low: np.ndarray
    high: np.ndarray
    there: np.ndarray


def with_domain_errors(name: str, predicted: np.ndarray, configs: Configurations, there: np.ndarray) -> Scored:
    """Intervals of left-out domains, made from errors of single runs of the others."""
    domains, errors = configs.domains[there], configs.single[there] - logit(predicted)
    half = np.full(len(predicted), np.nan)
    for domain in np.unique(domains):
        rest = domains != domain
        found = grouped_quantile(errors[rest], domains[rest].tolist(), LEVEL) if rest.any() else None
        half[~rest] = np.nan if found is None else found
    return Scored(name, predicted, expit(logit(predicted) - half), expit(logit(predicted) + half), there)


def with_pilots(predicted: np.ndarray, configs: Configurations, there: np.ndarray, k: int) -> Scored:
    """The same after k pilots of each target set, calibrated on the other domains; pilots themselves are not scored."""
    x, sets, domains = logit(predicted), configs.target_sets[there], configs.domains[there]
    every = Errors(x, configs.single[there] - x, sets, domains, "domains")
    value, low, high = (np.full(len(x), np.nan) for _ in range(3))
    for domain in np.unique(domains):
        rest = domains != domain
        if len(np.unique(sets[rest])) < 2:
            continue
        others = Errors(*(part[rest] for part in (every.x, every.residuals, every.sets, every.units)), "domains")
        calibration = calibrate(others, k)
        for name in np.unique(sets[~rest]):
            own = np.flatnonzero(~rest & (sets == name))
            if len(own) < k + 2:
                continue
            pilots = own[cheap(x[own], k)]
            asked = np.setdiff1d(own, pilots)
            moved, sd = calibration.spread.posterior(x[pilots], every.residuals[pilots]).at(x[asked])
            centre, half = x[asked] + moved, calibration.factor(LEVEL) * sd
            value[asked], low[asked], high[asked] = expit(centre), expit(centre - half), expit(centre + half)
    use = np.isfinite(value)
    return Scored(f"probe and {k} pilots ({k} runs)", value[use], low[use], high[use], there[use])


def in_order(scored: Scored, configs: Configurations, sizes: np.ndarray, *, equal: bool) -> tuple[int, int]:
    """(pairs in order, pairs) of a target set that differ by more than two points. equal : of equal size alone"""
    right = n = 0
    measured, sets = configs.measured[scored.there], configs.target_sets[scored.there]
    for name in np.unique(sets):
        own = np.flatnonzero(sets == name)
        i, j = (own[part] for part in np.triu_indices(len(own), 1))
        use = np.abs(measured[i] - measured[j]) > APART
        if equal:
            use &= sizes[scored.there[i]] == sizes[scored.there[j]]
        same = np.sign(measured[i] - measured[j]) == np.sign(scored.predicted[i] - scored.predicted[j])
        right, n = right + int((same & use).sum()), n + int(use.sum())
    return right, n


def by_noise(configs: Configurations, there: np.ndarray, sizes: np.ndarray) -> str:
    """What a predictor of the true means would miss, since those that are measured hold the noise of few seeds.

    In order: the variance of a run is its configuration's own from three seeds on, else the mean of its domain's.
    """
    own, domains, n = configs.sd2[there], configs.domains[there], configs.seeds[there]
    known = {name: float(np.mean(own[(domains == name) & np.isfinite(own)])) for name in np.unique(domains[n > 1])}
    variance = np.where(n > 2, own, [known.get(name, np.nan) for name in domains.tolist()]) / n
    _, floor = noise(configs, there)
    told = "noise of the runs alone: MAE " + ("-" if floor is None else f"{100 * floor:.2f} points")
    measured, sets = configs.measured[there], configs.target_sets[there]
    i, j = np.nonzero(np.triu(sets[:, None] == sets[None, :], 1))
    apart = np.abs(measured[i] - measured[j])
    use = (apart > APART) & np.isfinite(variance[i] + variance[j])
    for name, chosen in (("in order", use), ("of equal N", use & (sizes[there[i]] == sizes[there[j]]))):
        right = norm.cdf(apart[chosen] / np.sqrt(variance[i] + variance[j])[chosen])
        told += f"; {name} {right.mean():.3f}"
    return told


def judge(
    scored: Scored, configs: Configurations, sizes: np.ndarray, bars: Mapping[str, float], n_domains: int
) -> None:
    """Every bar of one way to predict."""
    of_means = np.abs(scored.predicted - configs.measured[scored.there])
    single = expit(configs.single[scored.there])
    n_sets = len(np.unique(configs.target_sets[scored.there]))
    print(f"\n{scored.name}: {len(of_means)} configurations, {n_sets} target sets, {n_domains} left-out domains")
    mae = float(of_means.mean())
    wanted = bars.get("mae")
    bar(f"MAE (single runs {100 * np.abs(scored.predicted - single).mean():.2f})", f"{100 * mae:.2f} points",
        "-" if wanted is None else f"<= {100 * wanted:g}", None if wanted is None else mae <= wanted)  # fmt: skip
    has = np.isfinite(scored.low)
    if has.any():
        width = float((scored.high - scored.low)[has].mean())
        inside = int(((scored.low <= single) & (single <= scored.high))[has].sum())
        low, high = binomtest(inside, int(has.sum())).proportion_ci(0.95, method="exact")
        enough = n_domains >= ENOUGH
        wanted = bars.get("width")
        told = "-" if wanted is None else f"<= {100 * wanted:g}"
        met = width <= wanted if wanted is not None and enough else None
        bar("mean width of the 90 % interval", f"{100 * width:.1f} points", told, met)
        bar(f"single runs inside: {inside} of {int(has.sum())}", f"{inside / has.sum():.3f} [{low:.2f}, {high:.2f}]",
            "holds .90", (low <= 0.9 <= high or inside / has.sum() >= 0.9) if enough else None)  # fmt: skip
    else:
        print(f"        no interval: {n_domains} domains; {ENOUGH} are needed beside the one that is left out")
    for equal, wanted in ((False, 0.98), (True, 0.95)):
        right, n = in_order(scored, configs, sizes, equal=equal)
        name = f"pairs in order{' of equal N' if equal else ''}, over 2 points apart: {right} of {n}"
        bar(name, f"{right / n:.3f}" if n else "-", f">= {wanted:g}", right / n >= wanted if n else None)
    print(f"        {by_noise(configs, scored.there, sizes)}")
    by_domain = configs.domains[scored.there]
    for domain in np.unique(by_domain):
        own = by_domain == domain
        told = f"{100 * of_means[own].mean():6.2f} points"
        if np.isfinite(scored.low[own]).any():
            held = ((scored.low <= single) & (single <= scored.high))[own].mean()
            told += f"   width {100 * (scored.high - scored.low)[own].mean():5.1f}   inside {held:.2f}"
        print(f"          {domain:<20}{told}   of {int(own.sum())}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="?", default=Path("runs"))
    parser.add_argument("--family", nargs="+", default=list(FAMILIES))
    parser.add_argument("--study", nargs="+", help="Only these; else what a fit takes.")
    parser.add_argument("--pilots", type=int, default=3)
    asked = parser.parse_args()
    began = time.perf_counter()
    records = read_registry(asked.runs)
    selection = select(records, asked.study)
    rows = Sample.of(rows_for(selection, "accuracy"))
    configs = configurations(rows)
    n_domains = len(np.unique(configs.domains))
    competing = [families()[name] for name in asked.family]
    fits, failed = calibrate_all(competing, rows, configs, group_folds(configs.domains), without_level=True)
    for name, why in failed.items():
        print(f"family {name} left out: {why}")
    held = fits["average"] if "average" in fits else min(fits.values(), key=lambda one: one.score(without_level=True))
    sizes = np.array([rows[i].case.indicators.get("n_samples", np.nan) for i in configs.first])
    print(f"{asked.runs}: {len(configs.ids)} configurations, {n_domains} domains; family {held.family.name}; "
          f"{platform.processor() or platform.machine()}")  # fmt: skip
    told = told_of(selection.records, probes_of(asked.runs))
    steps = configs.usual_steps
    pairs, there = pairs_of(rows, configs, held, told, steps)
    if len(np.unique(pairs.target_sets)) < 3:
        raise SystemExit(
            f"{asked.runs}/probes.json: {len(np.unique(pairs.target_sets))} target sets are probed; needed: 3"
        )
    of_all = held.of_all[there]
    plain = with_domain_errors("no probe", held.predicted[there], configs, of_all)
    probe = with_domain_errors("probe", left_out(pairs, steps, new_domain=True), configs, of_all)
    left = len(np.unique(configs.domains[of_all]))
    judge(plain, configs, sizes, {}, left)
    judge(probe, configs, sizes, {"mae": 0.04, "width": 0.20}, left)
    judge(
        with_pilots(probe.predicted, configs, of_all, asked.pilots), configs, sizes, {"mae": 0.025, "width": 0.12}, left
    )
    hard_classes([asked.runs])
    print(f"\n{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
