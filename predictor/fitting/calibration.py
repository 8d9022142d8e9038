"""Residuals of held-out configurations, and the intervals that they calibrate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictor.errors import FitError
from predictor.fitting.configurations import Configurations, Indices, configurations, take
from predictor.fitting.folds import Fold
from predictor.models.average import averaged
from predictor.models.base import Family, Floats, fitted
from predictor.models.case import CLASS_FEATURES, RECIPE, check_features
from predictor.models.evaluate import evaluate
from predictor.models.links import disagreement, expit, logit, measured_within
from predictor.models.rows import Row, Sample
from predictor.statistics.conformal import (
    Residuals,
    fitted_scale,
    grouped_quantile,
    outside,
)

LEVELS = (0.8, 0.9, 0.95)
UNKNOWN_SD = 1.5  # logits between target sets, where one target set cannot tell: from 20 % to 80 % in +- 1 sd


def models_of(fits: Mapping[str, Calibrated]) -> list[str]:
    """Names of the models whose disagreement is the `doubt`: all but baselines and averages."""
    return [name for name, item in fits.items() if not (item.family.baseline or item.family.averages)]


def predict_rows(parameters: dict[str, Any], rows: Sequence[Row]) -> Floats:
    """(n,) predicted accuracies of the rows."""
    cases, index = Sample.of(rows).cases()
    return evaluate(parameters, cases)[index]


def fit_checked(family: Family, rows: Sequence[Row]) -> dict[str, Any]:
    """Parameters of the family, refused where it uses what is only known after training.

    Raises FitError for such a predictor, and for one that no run has.
    """
    parameters = fitted(family, rows)
    known = {*rows[0].case.indicators, *CLASS_FEATURES, *RECIPE}
    if any(name.rpartition(" ")[2] not in known for name in parameters["features"]):  # rarely: of other runs, or none
        known.update(name for row in rows for name in row.case.indicators)
    check_features(parameters["features"], sorted(known))
    return parameters


@dataclass(frozen=True, eq=False)
class Calibrated:
    """A family fitted to all rows, and to the rows without each fold.

    predicted : (n,) accuracy of each configuration, predicted by the fit without it; nan where none held it out
    residuals : (n,) measured - predicted, in logits
    groups, fold : (n,) target set of each configuration, and the fold that held it out
    doubt : (n,) how far the models disagree, see `error_scale`; 0 of a baseline
    """

    family: Family
    parameters: dict[str, Any]
    predicted: Floats
    residuals: Floats
    groups: NDArray[Any]
    fold: Indices
    measured: Floats
    doubt: Floats
    fold_parameters: tuple[dict[str, Any], ...] = ()  # of the fits without each fold; none of an average

    def held(self) -> Calibrated:
        """Only the configurations that some fold held out."""
        keep = np.isfinite(self.predicted)
        own = (self.predicted, self.residuals, self.groups, self.fold, self.measured, self.doubt)
        parts = (item[keep] for item in own)
        return Calibrated(self.family, self.parameters, *parts, self.fold_parameters)

    @property
    def batches(self) -> list[str]:
        """What was held out together: configurations of one target set and fold share what is wrong with its fit."""
        return [f"{group} {fold}" for group, fold in zip(self.groups, self.fold, strict=True)]

    @cached_property
    def scale(self) -> tuple[float, float]:
        """(tail, doubt_weight), see `fitted_scale`."""
        return fitted_scale(self.residuals, self.predicted, self.doubt)

    @property
    def errors(self) -> Residuals:
        """The residuals as intervals are made of them."""
        tail, weight = self.scale
        return Residuals(
            residuals=self.residuals, predicted=self.predicted, groups=np.array(self.batches), doubt=self.doubt,
            tail=tail, doubt_weight=weight,
        )  # fmt: skip

    def stored(self) -> dict[str, Any]:
        """The same as plain data."""
        return {
            "residuals": self.residuals.tolist(),
            "predicted": self.predicted.tolist(),
            "doubt": self.doubt.tolist(),
            "tail": self.scale[0],
            "doubt_weight": self.scale[1],
        }

    def score(self, *, without_level: bool) -> float:
        """Mean squared error to choose a family by: of accuracies, or of logits with every group's level removed."""
        if not without_level:
            return float(np.mean((self.measured - self.predicted) ** 2))
        parts = [self.residuals[self.groups == name] for name in np.unique(self.groups)]
        return float(np.mean(np.concatenate([part - part.mean() for part in parts]) ** 2))

    def around(
        self,
        predicted: Floats,
        level: float,
        kind: str,
        doubt: Floats | float = 0.0,
        tested: Floats | float = np.inf,
        growing: Calibrated | None = None,
    ) -> tuple[Floats, Floats] | None:
        """(low, high) around the predicted accuracies of new configurations; None where the evidence is too little.

        kind : of question: configuration | extrapolation | target_set (whose errors are those of its level)
        doubt : (n,) how far the models disagree about them; a baseline has none
        tested : (n,) test images that they will be measured on
        growing : the same family on the largest runs from smaller ones, for an extrapolation
        """
        if kind == "target_set":
            half = grouped_quantile(self.residuals, self.groups.tolist(), level)
        else:
            doubt = 0.0 if self.family.baseline else doubt
            half = self.errors.half_width(predicted, level, doubt=doubt)
        if kind == "extrapolation":
            half = outside(half, None if growing is None else growing.errors, predicted, level, doubt)
        return None if half is None else measured_within(predicted, half, tested)


def calibrate(
    family: Family,
    rows: Sequence[Row],
    configs: Configurations,
    folds: Sequence[Indices | Fold],
) -> Calibrated:
    """Fit the family to all rows and to all but each fold (or to what the fold says)."""
    return _calibrate(family, rows, configs, _parts(rows, configs, folds))


@dataclass(frozen=True, eq=False)
class _Part:
    """One fold: rows to fit on; configurations held out, and their rows."""

    fit_on: Sample
    held: Indices
    rows: Sample
    configs: Configurations


def _parts(rows: Sequence[Row], configs: Configurations, folds: Sequence[Indices | Fold]) -> list[_Part]:
    everything = np.arange(len(configs.ids))
    made = []
    for fold in folds:
        fit_on, held = fold if isinstance(fold, tuple) else (np.setdiff1d(everything, fold), fold)
        own = take(rows, configs, held)
        made.append(_Part(take(rows, configs, fit_on), held, own, configurations(own)))
    return made


def _calibrate(family: Family, rows: Sequence[Row], configs: Configurations, parts: Sequence[_Part]) -> Calibrated:
    predicted = np.full(len(configs.ids), np.nan)
    number = np.zeros(len(configs.ids), dtype=np.int64)
    made = []
    for k, part in enumerate(parts):
        number[part.held] = k
        parameters = fit_checked(family, part.fit_on)
        made.append(parameters)
        predicted[part.held] = part.configs.mean(predict_rows(parameters, part.rows))
    return Calibrated(
        family=family,
        parameters=fit_checked(family, rows),
        predicted=predicted,
        residuals=configs.logits - logit(predicted),
        groups=configs.target_sets,
        fold=number,
        measured=configs.measured,
        doubt=np.zeros(len(predicted)),
        fold_parameters=tuple(made),
    ).held()


def calibrate_all(
    families: Sequence[Family],
    rows: Sequence[Row],
    configs: Configurations,
    folds: Sequence[Indices | Fold],
) -> tuple[dict[str, Calibrated], dict[str, str]]:
    """({family: calibrated}, {family that could not be fitted to every fold: why}).

    A family of `parts` is the mean of the other models that compete: it costs no fit of its own.
    """
    fits: dict[str, Calibrated] = {}
    failed: dict[str, str] = {}
    parts = _parts(rows, configs, folds)
    for family in families:
        try:
            if not family.averages:
                fits[family.name] = _calibrate(family, rows, configs, parts)
        except FitError as fault:
            failed[family.name] = fault.problem
    models = [item for item in fits.values() if not item.family.baseline]
    if models:
        doubt = disagreement([item.predicted for item in models])
        models = [replace(item, doubt=doubt) for item in models]
        fits |= {item.family.name: item for item in models}
    for family in families:
        if family.averages:
            if len(models) < 2:
                failed[family.name] = f"{len(models)} model(s) to average; 2 are needed"
                continue
            predicted = expit(np.mean([logit(item.predicted) for item in models], axis=0))
            residuals = np.mean([item.residuals for item in models], axis=0)
            parameters = averaged([item.parameters for item in models])
            fits[family.name] = Calibrated(
                family, parameters, predicted, residuals, models[0].groups, models[0].fold, models[0].measured, doubt
            )  # fmt: skip
    return fits, failed


def spread(
    by_target_set: Calibrated | None, by_domain: Calibrated | None, within: Calibrated, n_domains_left_out: int
) -> dict[str, Any]:
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
        n_domains = n_domains_left_out
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
