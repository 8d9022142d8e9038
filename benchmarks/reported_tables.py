"""Other people's tables of runs: our generic families against a tuned boosting and a tuned Gaussian process.

    python benchmarks/reported_tables.py TABLE.csv OUTCOME SCALE COLUMN [COLUMN ...]

OUTCOME: a column; SCALE: what it is declared to be (accuracy, logit, log, loss, identity). A column of numbers enters
as it is, one of words as a column of 0 and 1 for each word that at least ten rows have. Rows lacking a cell, and rows
that stand there twice, are left out. Every row is a configuration; all models are scored on the same held-out fifths,
in the outcome's own unit. The peers (scikit-learn) see the same columns, positive ones of wide range by their log,
and the outcome on its declared scale; their settings are searched by cross-validation inside each training part.
"""

from __future__ import annotations

import csv
import os
import platform
import sys
import time
import warnings
from collections import Counter

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from predictor.fitting import fit_registry, rows_for, select
from predictor.fitting.configurations import configurations
from predictor.fitting.folds import configuration_folds
from predictor.fitting.validation import INNER, MANY, OUTER
from predictor.models.base import feature_matrix
from predictor.models.features import reported
from predictor.models.links import logit
from predictor.records import Outcome, Reported, RunRecord, content_id

FEWEST = 10  # rows that share a word
STUDY = "table"
BOOSTING = {"max_iter": [200], "learning_rate": [0.03, 0.1], "max_leaf_nodes": [4, 8, 16], "l2_regularization": [0, 1]}


def read(path: str, outcome: str, scale: str, columns: list[str]) -> list[RunRecord]:
    """One record of each distinct row."""
    with open(path, newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if all(row[name].strip() for name in (outcome, *columns))]
    told = [name for name in columns if not all(is_number(row[name]) for row in rows)]
    words = {name: Counter(row[name] for row in rows) for name in told}
    records = {}
    for row in rows:
        indicators = {name: float(row[name]) for name in columns if name not in words}
        for name, found in words.items():
            indicators |= {f"{name}={word}": float(row[name] == word) for word, n in found.items() if n >= FEWEST}
        value = float(row[outcome])
        run_id = content_id(STUDY, {}, indicators, {outcome: value})
        records[run_id] = RunRecord(
            run_id=run_id, configuration_id=run_id, study=STUDY, provenance="imported", target_set=STUDY, domain=STUDY,
            data=Reported(indicators=indicators, citation=os.path.basename(path)),
            outcomes={outcome: Outcome(value=value, scale=scale)},
        )  # fmt: skip
    return list(records.values())


def is_number(cell: str) -> bool:
    try:
        return np.isfinite(float(cell))
    except ValueError:
        return False


def process(n_columns: int):
    kernel = ConstantKernel(1.0) * RBF(np.full(n_columns, 2.0), (0.1, 100)) + WhiteKernel(0.1)
    model = GaussianProcessRegressor(kernel, normalize_y=True, random_state=0)
    return make_pipeline(StandardScaler(), model)


def main() -> None:
    path, outcome, scale, *columns = sys.argv[1:]
    records = read(path, outcome, scale, columns)
    began = time.process_time()
    fit = fit_registry(records, studies=[STUDY])
    took = time.process_time() - began
    rows = rows_for(select(records, [STUDY]), outcome)
    configs = configurations(rows)
    first = [rows[i] for i in configs.first]
    x, y = feature_matrix(first, reported(rows)), logit(configs.measured)
    found = {name: np.empty(len(y)) for name in ("tuned boosting", "tuned Gaussian process")}
    for held in configuration_folds(configs, OUTER if len(y) < MANY else INNER):
        rest = np.setdiff1d(np.arange(len(y)), held)
        boosting = GridSearchCV(HistGradientBoostingRegressor(random_state=0), BOOSTING, cv=5,
                                scoring="neg_mean_absolute_error")  # fmt: skip
        with warnings.catch_warnings(action="ignore"):
            for name, model in zip(found, (boosting, process(x.shape[1])), strict=True):
                found[name][held] = model.fit(x[rest], y[rest]).predict(x[held])
    errors = {
        name: float(np.mean(np.abs(configs.values - configs.scale.values(1 / (1 + np.exp(-eta))))))
        for name, eta in found.items()
    }
    best = min(errors.values())
    print(f"{os.path.basename(path)}: {outcome}, scale {scale}, {len(y)} configurations, {x.shape[1]} columns; our fit "
          f"{took:.0f} s of CPU; {platform.processor() or 'CPU'}, load {os.getloadavg()[0]:.1f}")  # fmt: skip
    for row in fit.validation:
        if row["split"] == "configuration":
            inside = row["covered"]["0.9"]
            print(f"  {row['family'] + (' *' if row['chosen'] else ''):<24} MAE {row['mae']:.4g}   of the better peer "
                  f"{row['mae'] / best:.2f}   covered {inside[0]} of {inside[1]} "
                  f"[{row['coverage_low']['0.9']:.2f}, {row['coverage_high']['0.9']:.2f}]")  # fmt: skip
    for name, error in errors.items():
        print(f"  {name:<24} MAE {error:.4g}   of the better peer {error / best:.2f}")
    for line in fit.left_out:
        print(f"  left out: {line}")


if __name__ == "__main__":
    main()
