"""Residuals of held-out configurations, and the intervals that they calibrate."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictor.inference.cases import CLASS_FEATURES, check_features
from predictor.inference.evaluate import evaluate, expit, logit
from predictor.inference.intervals import cv_plus, grouped_quantile
from predictor.models.base import Family, Floats, Row

Indices = NDArray[np.int64]
LEVELS = (0.8, 0.9, 0.95)
UNKNOWN_SD = 1.5  # logits between target sets, where one target set cannot tell: from 20 % to 80 % in +- 1 sd
UNKNOWN_TESTED = 1000  # test images of a result that does not state them


@dataclass(frozen=True, eq=False)
class Configurations:
    """Runs with their seeds averaged: the unit of evidence.

    index : (n_rows,) configuration of each row
    measured, sd2 : (n,) mean over seeds, and the variance of one run (nan with one seed)
    """

    ids: list[str]
    index: Indices
    first: Indices
    measured: Floats
    logits: Floats
    sd2: Floats
    seeds: Indices
    target_sets: NDArray[Any]
    domains: NDArray[Any]

    def mean(self, values: Floats) -> Floats:
        """(n,) mean over the rows of each configuration."""
        return np.bincount(self.index, weights=values, minlength=len(self.ids)) / self.seeds


def configurations(rows: Sequence[Row]) -> Configurations:
    """Group the rows by configuration; a configuration on two target sets counts as two."""
    keys = np.array([f"{row.configuration_id} {row.target_set}" for row in rows])
    ids, first, index, seeds = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
    values = np.array([row.value for row in rows])
    measured = np.bincount(index, weights=values) / seeds
    squares = np.bincount(index, weights=(values - measured[index]) ** 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        sd2 = np.where(seeds > 1, squares / (seeds - 1), np.nan)
    tested = np.bincount(index, weights=[row.tested.sum() or UNKNOWN_TESTED for row in rows])
    return Configurations(
        ids=ids.tolist(),
        index=index,
        first=first,
        measured=measured,
        logits=logit((measured * tested + 0.5) / (tested + 1)),
        sd2=sd2,
        seeds=seeds,
        target_sets=np.array([rows[i].target_set for i in first]),
        domains=np.array([rows[i].domain for i in first]),
    )


def take(rows: Sequence[Row], configs: Configurations, chosen: Indices) -> list[Row]:
    """The rows of the chosen configurations."""
    wanted = np.zeros(len(configs.ids), dtype=bool)
    wanted[chosen] = True
    return [row for row, keep in zip(rows, wanted[configs.index], strict=True) if keep]


def configuration_folds(configs: Configurations, k: int) -> list[Indices]:
    """k folds of whole configurations, every target set spread over all of them; the same on every machine."""
    digest = [hashlib.sha256(name.encode()).hexdigest() for name in configs.ids]
    order = sorted(range(len(digest)), key=lambda i: (configs.target_sets[i], digest[i]))
    k = min(k, len(order))
    return [np.array(sorted(order[i::k]), dtype=np.int64) for i in range(k)]


def group_folds(groups: NDArray[Any]) -> list[Indices]:
    """One fold for every group."""
    return [np.flatnonzero(groups == name) for name in np.unique(groups)]


def predict_rows(parameters: dict[str, Any], rows: Sequence[Row]) -> Floats:
    """(n,) predicted accuracies of the rows."""
    return evaluate(parameters, [row.case for row in rows])


def fit_checked(family: Family, rows: Sequence[Row]) -> dict[str, Any]:
    """Parameters of the family, refused where it uses what is only known after training.

    Raises FitError for such a predictor, and for one that no run has.
    """
    parameters = family.fit(rows)
    known = {name for row in rows for name in row.case.indicators}
    check_features(parameters["features"], [*sorted(known), *CLASS_FEATURES])
    return parameters


@dataclass(frozen=True, eq=False)
class Calibrated:
    """A family fitted to all rows, and to the rows without each fold.

    fold : (n,) fold that held each configuration out
    predicted : (n,) accuracy of each configuration, predicted by the fit without it
    residuals : (n,) measured - predicted, in logits
    """

    family: Family
    parameters: dict[str, Any]
    folds: list[dict[str, Any]]
    fold: Indices
    predicted: Floats
    residuals: Floats
    groups: NDArray[Any]
    measured: Floats

    def score(self, *, without_level: bool) -> float:
        """Mean squared error to choose a family by: of accuracies, or of logits with every group's level removed."""
        if not without_level:
            return float(np.mean((self.measured - self.predicted) ** 2))
        parts = [self.residuals[self.groups == name] for name in np.unique(self.groups)]
        return float(np.mean(np.concatenate([part - part.mean() for part in parts]) ** 2))

    def interval(self, rows: Sequence[Row], level: float, *, by_group: bool) -> tuple[Floats, Floats] | None:
        """(low, high) of every configuration of new rows; None where the groups are too few for the level."""
        configs = configurations(rows)
        if by_group:
            half = grouped_quantile(self.residuals, self.groups.tolist(), level)
            if half is None:
                return None
            centre = logit(configs.mean(predict_rows(self.parameters, rows)))
            return expit(centre - half), expit(centre + half)
        centres = np.array([logit(configs.mean(predict_rows(parameters, rows))) for parameters in self.folds])
        absolute = np.abs(self.residuals)
        bounds = [cv_plus(centres[self.fold, i], absolute, level) for i in range(len(configs.ids))]
        if any(bound is None for bound in bounds):
            return None
        low, high = np.array(bounds, dtype=np.float64).T
        return expit(low), expit(high)


def calibrate(family: Family, rows: Sequence[Row], configs: Configurations, folds: Sequence[Indices]) -> Calibrated:
    """Fit the family to all rows and to all but each fold."""
    predicted = np.full(len(configs.ids), np.nan)
    fold = np.zeros(len(configs.ids), dtype=np.int64)
    fits = []
    everything = np.arange(len(configs.ids))
    for k, held in enumerate(folds):
        fitted = fit_checked(family, take(rows, configs, np.setdiff1d(everything, held)))
        fits.append(fitted)
        own = take(rows, configs, held)
        predicted[held] = configurations(own).mean(predict_rows(fitted, own))
        fold[held] = k
    return Calibrated(
        family=family,
        parameters=fit_checked(family, rows),
        folds=fits,
        fold=fold,
        predicted=predicted,
        residuals=configs.logits - logit(predicted),
        groups=configs.target_sets,
        measured=configs.measured,
    )


def spread(by_target_set: Calibrated | None, by_domain: Calibrated | None, within: Calibrated) -> dict[str, Any]:
    """Standard deviation and degrees of freedom of a new target set's and a new domain's level, in logits.

    Between-target-set variance: mean square of the mean residuals of left-out target sets (about 0: an unbiased model
    has no other centre). A domain's adds what left-out domains miss beyond that. Degrees of freedom: Satterthwaite.
    """
    noise = float(np.mean(within.residuals**2))
    if by_target_set is None:
        reason = (
            f"one target set cannot tell how target sets differ; a standard deviation of {UNKNOWN_SD} logits is assumed"
        )
        sd = float(np.sqrt(UNKNOWN_SD**2 + noise))
        return {basis: {"sd": sd, "df": 4.0, "reason": reason} for basis in ("new_target_set", "new_domain")}
    means, noise = _level_errors(by_target_set)
    n = len(means)
    between = float(np.mean(means**2))
    few = f"{n} target sets" + (", a 90 % interval needs 9" if n < 9 else "")
    new_target_set = {"sd": float(np.sqrt(between + noise)), "df": float(n), "reason": few}
    if by_domain is None:
        n_domains, extra = 1, between
        reason = f"one domain ({few}); domains are assumed to differ as much as target sets do"
    else:
        n_domains = len(by_domain.folds)
        extra = max(0.0, float(np.mean(_level_errors(by_domain)[0] ** 2)) - between)
        reason = f"{n_domains} domains cannot calibrate another one ({few})"
    df = (extra + between) ** 2 / (extra**2 / n_domains + between**2 / n) if between > 0 else float(n)
    sd = float(np.sqrt(between + extra + noise))
    return {"new_target_set": new_target_set, "new_domain": {"sd": sd, "df": float(df), "reason": reason}}


def _level_errors(calibrated: Calibrated) -> tuple[Floats, float]:
    """Mean residual of every left-out target set, and the variance that is left inside them."""
    parts = [calibrated.residuals[calibrated.groups == name] for name in np.unique(calibrated.groups)]
    means = np.array([part.mean() for part in parts])
    inside = np.concatenate([part - part.mean() for part in parts])
    return means, float(np.mean(inside**2))
