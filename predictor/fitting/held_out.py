"""Families fitted without what is held out, and what they say of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce
from typing import Any

import numpy as np

from predictor.errors import FitError
from predictor.fitting.calibration import Calibrated, NewDraws
from predictor.fitting.configurations import Configurations, Indices, configurations, take
from predictor.fitting.folds import Fold, FoldPart
from predictor.models.average import averaged, stacked
from predictor.models.base import MINIMUM, Family, Floats, fitted
from predictor.models.case import CLASS_FEATURES, RECIPE, base_of, check_features
from predictor.models.evaluate import evaluate
from predictor.models.links import disagreement, expit, logit
from predictor.models.rows import Row, Sample

FEW_LACKING = 0.1  # share of the configurations that may lack what a family needs, so that it still competes
# Where others are as good, the better of these is the one: a law goes on best beyond the sizes of its runs, a Gaussian
# process knows most of what the others know.
FIRST = ("law", "gaussian_process")


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
    unknown = {name for name in parameters["features"] if not {name, base_of(name)} & known}
    for row in rows:  # of other runs, or none
        if not unknown:
            break
        known.update(row.case.indicators)
        unknown = {name for name in unknown if not {name, base_of(name)} & known}
    check_features(parameters["features"], sorted(known))
    return parameters


def parts(rows: Sequence[Row], configs: Configurations, folds: Sequence[Indices | Fold]) -> list[FoldPart]:
    """What to fit on and what to test, for each fold."""
    everything = np.arange(len(configs.ids))
    made = []
    for fold in folds:
        fit_on, held = fold if isinstance(fold, tuple) else (np.setdiff1d(everything, fold), fold)
        if len(fit_on) < MINIMUM:
            raise FitError(f"{len(fit_on)} configurations remain to fit on; {MINIMUM} are needed")
        own = take(rows, configs, held)
        made.append(FoldPart(take(rows, configs, fit_on), held, own, configurations(own)))
    return made


def calibrate(
    family: Family,
    rows: Sequence[Row],
    configs: Configurations,
    folds: Sequence[Indices | Fold],
) -> Calibrated:
    """Fit the family to all rows and to all but each fold (or to what the fold says)."""
    return _calibrate(family, rows, configs, parts(rows, configs, folds), None)


def calibrate_all(
    families: Sequence[Family],
    rows: Sequence[Row],
    configs: Configurations,
    folds: Sequence[Indices | Fold],
    *,
    draws: Sequence[FoldPart] | None = None,
    without_level: bool = False,
    weights: Mapping[str, float] | None = None,
) -> tuple[dict[str, Calibrated], dict[str, str]]:
    """({family: calibrated}, {family that could not be fitted to every fold: why}).

    draws : the same with new draws, see `predictor.fitting.draws`; the weights of averages come from them
    without_level : weigh by what remains when each target set's level is removed
    weights : {model: weight} for averages; None: from what was held out
    A family that averages costs no fit of its own. What it says of a fold is weighed by the other folds.
    """
    fits: dict[str, Calibrated] = {}
    failed: dict[str, str] = {}
    made = parts(rows, configs, folds)
    n_held = len(np.unique(np.concatenate([part.held for part in made]))) if made else 0
    for family in families:
        try:
            if not family.averages:
                fits[family.name] = _calibrate(family, rows, configs, made, draws)
                lacking = n_held - len(fits[family.name].predicted)
                if lacking > FEW_LACKING * n_held:
                    del fits[family.name]
                    failed[family.name] = f"{lacking} of {n_held} configurations lack what it needs"
        except FitError as fault:
            failed[family.name] = fault.problem
    fits = _alike(fits)
    models = [item for item in fits.values() if not item.family.baseline]
    if models:
        doubt = disagreement([item.predicted for item in models])
        models = [replace(item, doubt=doubt) for item in models]
        fits |= {item.family.name: item for item in models}
    for family in families:
        if family.averages:
            if len(models) < 2:
                failed[family.name] = f"{len(models)} model(s) to average; 2 are needed"
            else:
                fits[family.name] = _averaged(family, models, configs, without_level=without_level, weights=weights)
    return fits, failed


def _alike(fits: dict[str, Calibrated]) -> dict[str, Calibrated]:
    """The families on the configurations that all of them could predict: they are compared on the same ones."""
    if len({len(item.of_all) for item in fits.values()}) < 2:
        return fits
    common = reduce(np.intersect1d, [item.of_all for item in fits.values()])
    made = {}
    for name, item in fits.items():
        own = item.part(np.isin(item.of_all, common))
        new = own.new_draws
        if new is not None:
            keep = np.isin(new.held, common)
            values = {key: getattr(new, key)[keep] for key in NewDraws.__dataclass_fields__}
            own = replace(own, new_draws=NewDraws(**values))
        made[name] = own
    return made


def _calibrate(
    family: Family,
    rows: Sequence[Row],
    configs: Configurations,
    made: Sequence[FoldPart],
    draws: Sequence[FoldPart] | None,
) -> Calibrated:
    predicted = np.full(len(configs.ids), np.nan)
    number = np.zeros(len(configs.ids), dtype=np.int64)
    folds = []
    for k, part in enumerate(made):
        number[part.held] = k
        parameters = fit_checked(family, part.fit_on)
        folds.append(parameters)
        predicted[part.held] = part.configs.mean(predict_rows(parameters, part.rows))
    return Calibrated.of(
        family, fit_checked(family, rows), configs, predicted, number, tuple(folds),
        None if draws is None or family.averages else _drawn(family, configs, draws),
    )  # fmt: skip


def _drawn(family: Family, configs: Configurations, draws: Sequence[FoldPart]) -> NewDraws:
    """What the family says of configurations and draws that it has not seen."""
    held = np.concatenate([part.held for part in draws])
    own = [part.configs for part in draws]
    predicted = [part.configs.mean(predict_rows(fit_checked(family, part.fit_on), part.rows)) for part in draws]
    return NewDraws(
        held=held,
        predicted=np.concatenate(predicted),
        residuals=np.concatenate([c.logits - logit(p) for c, p in zip(own, predicted, strict=True)]),
        measured=np.concatenate([c.measured for c in own]),
        seeds=np.concatenate([c.seeds for c in own]),
        fold=np.repeat(np.arange(len(draws)), [len(part.held) for part in draws]),
    )


def _averaged(
    family: Family,
    models: Sequence[Calibrated],
    configs: Configurations,
    *,
    without_level: bool,
    weights: Mapping[str, float] | None,
) -> Calibrated:
    first = models[0]
    logits = np.column_stack([logit(item.predicted) for item in models])
    residuals = np.column_stack([item.residuals for item in models])
    groups = first.groups
    drawn = [item.new_draws for item in models if item.new_draws is not None]
    if len(drawn) == len(models):
        told = np.column_stack([logit(item.predicted) for item in drawn])
        off, of = np.column_stack([item.residuals for item in drawn]), drawn[0].held
    else:
        told, off, of = logits, residuals, np.arange(len(logits))

    place = {item.family.name: i for i, item in enumerate(models)}
    firsts = [place[name] for name in FIRST if name in place]

    def weigh(use: np.ndarray[Any, Any]) -> Floats:
        if weights is not None:
            own = np.array([weights.get(item.family.name, 0.0) for item in models])
            return own / own.sum() if own.sum() > 0 else np.full(len(models), 1 / len(models))
        x, y = told[use], (told + off)[use]
        slopes = configs.scale.slopes(expit(y[:, 0]))
        if without_level:  # a logit may then lie anywhere
            slopes = None
            for name in np.unique(groups[of][use]):
                own = groups[of][use] == name
                x[own] -= x[own].mean(axis=0)
                y[own] -= y[own].mean(axis=0)
        errors = [float(np.mean(np.square((x[:, i] - y[:, 0]) * (1.0 if slopes is None else slopes)))) for i in firsts]
        return stacked(x, y[:, 0], firsts[int(np.argmin(errors))] if firsts else None, slopes)

    mixed, left = np.empty(len(logits)), np.empty(len(logits))
    mixed_draws, left_draws = np.empty(len(told)), np.empty(len(told))
    folds: list[dict[str, Any]] = []
    for k in range(len(first.fold_parameters)):
        test = first.fold == k
        own = weigh(~test[of]) if (~test[of]).any() else weigh(np.ones(len(of), dtype=bool))
        mixed[test], left[test] = logits[test] @ own, residuals[test] @ own
        folds.append(averaged([item.fold_parameters[k] for item in models], own.tolist()))
        mixed_draws[test[of]], left_draws[test[of]] = told[test[of]] @ own, off[test[of]] @ own
    everything = weigh(np.ones(len(of), dtype=bool))
    new = replace(drawn[0], predicted=expit(mixed_draws), residuals=left_draws) if len(drawn) == len(models) else None
    return replace(
        first,
        family=family,
        parameters=averaged([item.parameters for item in models], everything.tolist()),
        predicted=expit(mixed),
        residuals=left,
        fold_parameters=tuple(folds),
        new_draws=new,
        weights=dict(zip((item.family.name for item in models), everything.tolist(), strict=True)),
    )
