"""Robustness from the shifts: held-out predictions of each shift, averaged over those that a run was tested on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from predictor.fitting.calibration import Calibrated, NewDraws
from predictor.fitting.configurations import Configurations
from predictor.models.by_shift import BY_SHIFT, by_shift
from predictor.models.links import logit
from predictor.models.rows import Row

ROBUSTNESS, SHIFT = "robustness", "shift:"


def robustness_by_shift(
    rows: Sequence[Row],
    configs: Configurations,
    own: Calibrated,
    shifts: Mapping[str, tuple[Configurations, Calibrated]],
    tested: Mapping[str, Mapping[str, Sequence[str]]],
) -> Calibrated | None:
    """The mean over shifts as a family of robustness; None where some configuration has a shift that was not held out.

    rows, configs : of robustness; own : a family of it, whose folds and signs are taken over
    shifts : {shift: its configurations, and its chosen family}
    tested : {shift: {level: classes that its test set covers, where not all}}
    """
    if not shifts:
        return None
    names = [rows[i].case.shifts for i in configs.first.tolist()]
    ids = [configs.ids[i] for i in own.of_all.tolist()]
    wanted = [names[i] for i in own.of_all.tolist()]
    place = {shift: {c.ids[k]: i for i, k in enumerate(item.of_all.tolist())} for shift, (c, item) in shifts.items()}
    for key, each in zip(ids, wanted, strict=True):
        if not each or any(key not in place.get(shift, {}) for shift in each):
            return None

    def mean(values: Mapping[str, Any]) -> np.ndarray[Any, Any]:
        return np.array(
            [np.mean([values[s][place[s][key]] for s in each]) for key, each in zip(ids, wanted, strict=True)]
        )

    predicted = mean({shift: item.predicted for shift, (_, item) in shifts.items()})
    doubt = mean({shift: item.doubt for shift, (_, item) in shifts.items()})
    return replace(
        own,
        family=BY_SHIFT,
        parameters=by_shift({shift: item.parameters for shift, (_, item) in shifts.items()}, tested),
        predicted=predicted,
        residuals=configs.logits[own.of_all] - logit(predicted),
        doubt=doubt,
        fold_parameters=(),
        new_draws=_new_draws(configs, own, shifts, [names[i] for i in own.new_draws.held.tolist()])
        if own.new_draws is not None
        else None,
        weights={},
    )


def _new_draws(
    configs: Configurations,
    own: Calibrated,
    shifts: Mapping[str, tuple[Configurations, Calibrated]],
    wanted: Sequence[Sequence[str]],
) -> NewDraws | None:
    """The same of new draws: the runs of a configuration with one data seed were tested on all of its shifts."""
    new = own.new_draws
    assert new is not None
    place: dict[str, dict[str, int]] = {}
    for shift, (there, item) in shifts.items():
        if item.new_draws is None:
            return None
        place[shift] = {there.ids[k]: i for i, k in enumerate(item.new_draws.held.tolist())}
    told = {shift: item.new_draws for shift, (_, item) in shifts.items()}
    known, predicted, measured = [], [], []
    for i, (number, each) in enumerate(zip(new.held.tolist(), wanted, strict=True)):
        key = configs.ids[number]
        if all(key in place[shift] for shift in each):
            found = [(told[shift], place[shift][key]) for shift in each]
            known.append(i)
            predicted.append(np.mean([own_.predicted[at] for own_, at in found]))
            measured.append(np.mean([own_.measured[at] for own_, at in found]))
    if not known:
        return None
    at = np.array(known, dtype=np.int64)
    values = np.array(measured)
    # which draw was left out is the shift's own choice, so what was measured is the mean of the shifts as well
    return NewDraws(
        held=new.held[at], predicted=np.array(predicted), residuals=logit(values) - logit(np.array(predicted)),
        measured=values, seeds=new.seeds[at], fold=new.fold[at],
    )  # fmt: skip
