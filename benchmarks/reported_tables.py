"""Tables of others: our fit against tuned scikit-learn models and against laws of learning curves.

    python benchmarks/reported_tables.py [ROWS] [TABLE...]           # made-up tables of known laws: all, or these
    python benchmarks/reported_tables.py RUNS STUDY OUTCOME [ROWS]   # an imported study; of so many rows

Every row is a configuration. All are scored on the same held-out fifths and on the largest fifth by images, in the
outcome's own unit; a ratio is an error over the least of all. The peers see the same columns (positive ones of wide
range by their log) and target sets (a column of zeros and ones each), standardised, and the outcome on its scale; their
settings are searched by cross-validation inside each training part. Laws see the number of images alone.

What follows our ratio: a 95 % interval of our error over that of the best other one on the rows that both predicted, by
drawing these rows again (paired bootstrap).
"""

from __future__ import annotations

import os
import platform
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from laws import LAWS, fit_law
from made_tables import STUDY, TABLES, made
from scipy.stats import spearmanr
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from predictor.fitting import fit_registry, rows_for, select
from predictor.fitting.configurations import Configurations, configurations
from predictor.fitting.folds import configuration_folds
from predictor.fitting.validation import INNER, MANY, OUTER, size_folds
from predictor.models.base import feature_matrix
from predictor.models.features import reported
from predictor.models.links import expit, logit
from predictor.models.rows import Sample
from predictor.records import RunRecord, read_registry

BOOSTING = {"learning_rate": [0.03, 0.1], "max_leaf_nodes": [4, 8, 16]}
FOREST = {"min_samples_leaf": [1, 3, 5], "max_features": [0.33, 1.0]}
SIZE = "n_samples"
DRAWS = 2000
CLOSE = 1e-4  # fit.json rounds
Fold = tuple[np.ndarray, np.ndarray]


def tuned(model: object, grid: dict[str, list[float]]) -> Callable[[int], object]:
    """A model whose settings are searched inside the training part."""
    return lambda n_columns: GridSearchCV(model, grid, cv=5, scoring="neg_mean_absolute_error")


def process(n_columns: int) -> object:
    """A Gaussian process with a length a column; its likelihood chooses."""
    kernel = ConstantKernel(1.0) * RBF(np.full(n_columns, 2.0), (0.1, 100)) + WhiteKernel(0.1, (1e-6, 10))
    return make_pipeline(StandardScaler(), GaussianProcessRegressor(kernel, normalize_y=True, random_state=0))


PEERS: dict[str, Callable[[int], object]] = {
    "tuned boosting": tuned(HistGradientBoostingRegressor(max_iter=200, random_state=0), BOOSTING),
    "tuned forest": tuned(RandomForestRegressor(200, random_state=0), FOREST),
    "Gaussian process": process,
}


def against(own: np.ndarray, other: np.ndarray) -> str:
    """The interval of the ratio of two mean errors of the same rows."""
    drawn = np.random.default_rng(0).integers(0, len(own), (DRAWS, len(own)))
    low, high = np.quantile(own[drawn].mean(1) / other[drawn].mean(1), (0.025, 0.975))
    return f"over the best other {own.mean() / other.mean():.2f} [{low:.2f}, {high:.2f}]"


def said_by_ours(block: Mapping[str, Any], configs: Configurations, tested: np.ndarray) -> np.ndarray:
    """(n,) what a fit keeps of these configurations; nan where a row lacks what a family needs."""
    said, y, at = np.array(block["predicted"]), configs.logits[tested], [-1]
    for value in np.array(block["residuals"]) + logit(said):
        later = np.flatnonzero(np.abs(y[at[-1] + 1 :] - value) < CLOSE)
        at.append(at[-1] + 1 + int(later[0]))
    found = np.full(len(configs.ids), np.nan)
    found[tested[at[1:]]] = configs.scale.values(said)
    return found


def errors(name: str, x: np.ndarray, y: np.ndarray, size: np.ndarray, folds: Sequence[Fold]) -> np.ndarray:
    """(n,) what a peer or a law predicts of each held-out row, on the scale's logits; nan elsewhere."""
    found = np.full(len(y), np.nan)
    for rest, held in folds:
        with warnings.catch_warnings(action="ignore"), threadpool_limits(1):
            if name in PEERS:
                found[held] = PEERS[name](x.shape[1]).fit(x[rest], y[rest]).predict(x[held])
            else:  # the odds against: small where the outcome is good, for fractions and losses alike
                found[held] = -np.log(fit_law(name, size[rest], np.exp(-y[rest]))(size[held]))
    return found


def score(title: str, records: Sequence[RunRecord], outcome: str, study: str) -> None:
    """Print every error, and its ratio to the least."""
    began = time.process_time()
    with threadpool_limits(1):
        fit = fit_registry(records, [outcome], studies=[study], processes=1)
    took = time.process_time() - began
    rows = Sample.of(rows_for(select(records, [study]), outcome))
    configs = configurations(rows)
    first = [rows[i] for i in configs.first]
    x, y = feature_matrix(first, reported(first)), logit(configs.measured)
    sets = np.unique(configs.target_sets)
    if len(sets) > 1:
        x = np.column_stack([x, configs.target_sets[:, None] == sets])
    size = np.array([row.case.indicators.get(SIZE, np.nan) for row in first])
    everything = np.arange(len(y))
    held = configuration_folds(rows, configs, OUTER if len(y) < MANY else INNER)
    splits = {"configuration": [(np.setdiff1d(everything, one), one) for one in held]}
    splits |= {"extrapolation": size_folds(rows, configs)[:1]} if np.isfinite(size).all() else {}
    print(f"{title}: {outcome}, {len(y)} configurations, {x.shape[1]} columns; our fit {took:.0f} s of CPU; "
          f"{platform.processor() or platform.machine()}, load {os.getloadavg()[0]:.1f}")  # fmt: skip
    for split, folds in splits.items():
        lines, off = [], {}
        for name in (*PEERS, *(LAWS if np.isfinite(size).all() else ())):
            eta = errors(name, x, y, size, folds)
            there = np.isfinite(eta)
            values, measured = configs.scale.values(expit(eta[there])), configs.values[there]
            rho = spearmanr(values, measured).statistic if np.ptp(values) else np.nan
            off[name] = np.full(len(y), np.nan)
            off[name][there] = np.abs(values - measured)
            lines.append((name, float(np.nanmean(off[name])), rho, ""))
        tested = np.unique(np.concatenate([own for _, own in folds]))
        ours = said_by_ours(fit.content["outcomes"][outcome][split], configs, tested)
        best_other = off[min(off, key=lambda name: float(np.nanmean(off[name])))]
        both = np.isfinite(ours) & np.isfinite(best_other)
        for row in fit.validation:
            if row["split"] == split and row["chosen"]:
                inside, n = row["covered"]["0.9"]
                off_ours = np.abs(ours - configs.values)
                told = f"covered {inside} of {n}, {against(off_ours[both], best_other[both])}, {int(both.sum())} rows"
                rho = spearmanr(ours, configs.values, nan_policy="omit").statistic
                lines.append((f"ours ({row['family']})", row["mae"], rho, told))
        best = min(error for _, error, _, _ in lines)
        for name, error, rho, more in sorted(lines, key=lambda line: line[1]):
            told = f"MAE {error:.4g}  ratio {error / best:.2f}  rank correlation {rho:.3f}"
            print(f"  {split:<14} {name:<22} {told}  {more}")
    sys.stdout.flush()


def main() -> None:
    """Made-up tables, or a study."""
    words = sys.argv[1:]
    if len(words) in (3, 4) and not words[0].isdecimal() and words[0] not in TABLES:
        records = [each for each in read_registry(words[0], [words[1]]) if words[2] in each.outcomes]
        n = int(words[3]) if words[3:] else None
        kept = set(sorted({each.configuration_id for each in records})[:n])  # hashes, so in no order
        score(words[1], [each for each in records if each.configuration_id in kept], words[2], words[1])
        return
    n = int(words.pop(0)) if words and words[0].isdecimal() else 500
    for name in words or TABLES:
        score(name, made(name, n, seed=1).records(), "outcome", STUDY)


if __name__ == "__main__":
    main()
