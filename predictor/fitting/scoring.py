"""Scoring on held-out studies (`held_out: true`): runs that no fit, choice or calibration ever saw."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from predictor.fitting.configurations import Configurations, configurations
from predictor.fitting.held_out import predict_rows
from predictor.fitting.metrics import (
    counted,
    decision_accuracy,
    errors,
    interval_quality,
    n_decided,
    noise,
    spearman_within,
)
from predictor.fitting.rows import Selection, rows_for
from predictor.fitting.validation import config_sizes
from predictor.models.base import Floats
from predictor.models.fit import Fit
from predictor.models.links import disagreement, measured_within
from predictor.models.outcome import OutcomeFit
from predictor.models.rows import Row, Sample
from predictor.prediction.differences import binned, differences
from predictor.records.schema import Counted, RunRecord
from predictor.statistics.error_scale import Signs, haste
from predictor.statistics.ties import same

LEVEL = 0.9
RESAMPLES = 2000
BASELINES = ("mean", "log_n", "log_n_log_h", "nearest")


def score_held_out(
    fit: Fit, records: Iterable[RunRecord], outcomes: Sequence[str] | None = None
) -> list[dict[str, Any]]:
    """One row for each outcome, held-out study and family: how the fit predicts the study's runs.

    Studies ask different questions (plans that were advised, designs drawn at random), so they are never pooled. Only
    runs on target sets (and recipes) whose level the fit knows are scored; `n_left_out` counts the study's others.
    Empty where no held-out study has such runs, or the fit was made on them.
    """
    used = set(fit.training["studies"])
    held = [
        record
        for record in records
        if record.held_out and record.status == "completed" and record.study not in used
        and isinstance(record.data, Counted)
    ]  # fmt: skip
    selection = Selection(tuple(held))
    table = []
    for outcome, fitted in fit.outcomes.items():
        if outcomes is not None and outcome not in outcomes:
            continue
        every = rows_for(selection, outcome, fitted.scale) if held else []
        known = [
            row for row in every
            if row.case.level in fit.levels and row.target_set in fitted.target_sets
        ]  # fmt: skip
        for study in sorted({row.study for row in known}):
            rows = Sample.of([row for row in known if row.study == study])
            n_left_out = sum(row.study == study for row in every) - len(rows)
            table += [row | {"n_left_out": n_left_out, "studies": [study]} for row in _scored(fitted, rows)]
    return table


def _scored(fitted: OutcomeFit, rows: Sample) -> list[dict[str, Any]]:
    """One row for each family that can be evaluated on all the runs."""
    configs = configurations(rows)
    predicted = {name: configs.mean(predict_rows(item.parameters, rows)) for name, item in fitted.families.items()}
    predicted = {name: values for name, values in predicted.items() if np.isfinite(values).all()}
    models = [name for name in fitted.models if name in predicted]
    doubt = disagreement([predicted[name] for name in models]) if models else np.zeros(len(configs.ids))
    return [_row(fitted, name, rows, configs, predicted, doubt) for name in predicted]


def _row(
    fitted: OutcomeFit,
    name: str,
    rows: Sequence[Row],
    configs: Configurations,
    predicted: dict[str, Floats],
    doubt: Floats,
) -> dict[str, Any]:
    scale = configs.scale
    measured, share, sets = configs.values, predicted[name], configs.target_sets
    own = scale.values(share)
    chosen = name == fitted.configuration.family
    sizes = config_sizes(rows, configs)
    ceiling, floor = noise(configs)
    quality: dict[str, Any] = {}
    compared: dict[str, Any] = {"pairs_covered": None, "pairs_covered_by_domain": None, "pairs_reliability": []}
    by: dict[str, Any] | None = None
    if chosen:
        signs = Signs(doubt, haste(configs.steps, fitted.usual_steps), configs.domains)
        half = fitted.configuration.half_width(share, LEVEL, signs=signs)
        if half is not None:
            low, high = scale.interval(*measured_within(share, half, configs.tested))
            quality = interval_quality(measured, low, high, LEVEL)
            inside = (low <= measured) & (measured <= high)
            by = {"domain": counted(configs.domains, inside)}
            compared = _compared(fitted, share, configs, signs)
    skills = {
        base: skill_with_bound(measured, own, scale.values(predicted[base])) for base in BASELINES if base in predicted
    }
    order = own if fitted.families[name].features else np.zeros(len(own))
    return {
        "outcome": fitted.name,
        "scale": scale.name,
        "family": name,
        "chosen": chosen,
        **errors(measured, own),
        "spearman": spearman_within(measured, order, sets),
        "decision_accuracy": decision_accuracy(measured, order, sets),
        "decision_accuracy_equal_n": decision_accuracy(measured, order, sets, sizes),
        "decision_accuracy_equal_n_2se": decision_accuracy(measured, order, sets, sizes, standard_errors(configs)),
        "n_pairs_equal_n_2se": n_decided(measured, sets, sizes, standard_errors(configs)),
        **{key: quality.get(key) for key in ("covered", "coverage", "coverage_low", "coverage_high", "width")},
        "interval_score": quality.get("interval_score"),
        "covered_by": by,
        **compared,
        "skill": {base: pair[0] for base, pair in skills.items()},
        "skill_low": {base: pair[1] for base, pair in skills.items()},
        "noise_ceiling": ceiling,
        "noise_floor": floor,
        "n_configurations": len(configs.ids),
        "n_runs": len(rows),
    }


def _compared(fitted: OutcomeFit, share: Floats, configs: Configurations, signs: Signs) -> dict[str, Any]:
    """What the intervals of the differences of all pairs inside target sets hold, and how often P was right."""
    if len(np.unique(configs.target_sets)) == len(configs.ids):
        return {"pairs_covered": None, "pairs_covered_by_domain": None, "pairs_reliability": []}
    errors = differences(fitted.configuration, known=True)
    inside, stated, right, first = errors.judged(share, configs.logits, signs, configs.target_sets, LEVEL)
    return {
        "pairs_covered": [int(inside.sum()), len(inside)],
        "pairs_covered_by_domain": counted(configs.domains[first], inside),
        "pairs_reliability": binned(stated, right),
    }


def standard_errors(configs: Configurations) -> Floats:
    """(n,) standard error of each configuration's mean over its seeds, the variance of one run pooled over all."""
    known = np.isfinite(configs.sd2)
    one_run = float(np.average(configs.sd2[known], weights=(configs.seeds - 1)[known])) if known.any() else 0.0
    return np.sqrt(one_run / configs.seeds)


def skill_with_bound(measured: Floats, predicted: Floats, baseline: Floats) -> tuple[float | None, float | None]:
    """(1 - MSE / MSE of the baseline, its lower 90 % bound): bootstrap over configurations, always the same draws.

    >>> skill_with_bound(np.array([0.1, 0.5]), np.array([0.1, 0.5]), np.array([0.3, 0.3]))
    (1.0, 1.0)
    """
    own, other = (measured - predicted) ** 2, (measured - baseline) ** 2
    if same(measured, baseline).all():
        return None, None
    draws = np.random.default_rng(0).integers(len(own), size=(RESAMPLES, len(own)))
    below = other[draws].sum(axis=1)
    skills = 1 - own[draws].sum(axis=1)[below > 0] / below[below > 0]
    return 1 - float(own.sum() / other.sum()), float(np.quantile(skills, 0.05))
