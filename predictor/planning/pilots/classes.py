"""Classes of the pilots' target set: what each deviates by in the pilots, shrunken as classes of the fit differ.

The accuracy of the whole comes from the recalibrated outcome; a class adds its own deviation from the class-wise curve
(`predictor.fitting.classes.deviations`), with the spread between classes that the fit knows, as a few pilots cannot
tell it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from predictor.distribution import LabelDistribution
from predictor.fitting.classes import classes_of, deviations
from predictor.fitting.configurations import configurations
from predictor.fitting.rows import Selection, rows_for
from predictor.models.outcome import KnownClass, OutcomeFit
from predictor.planning.objective import Objective
from predictor.prediction import OutcomePrediction
from predictor.prediction.classes import FAMILY, predict_classes
from predictor.prediction.results import ClassPredictions
from predictor.records.schema import RunRecord


def seen_classes(fitted: OutcomeFit, records: Iterable[RunRecord]) -> dict[str, KnownClass]:
    """{class: what the pilots tell of it}; empty where they cannot tell.

    fitted : the outcome's own part of the fit
    """
    own = fitted.classes
    rows = rows_for(Selection(tuple(records)), fitted.name)
    if own is None or not rows:
        return {}
    configs = configurations(rows)
    data = classes_of(rows, configs)
    if data is None:
        return {}
    curve = data.logits(fitted.families[FAMILY], rows)
    everything = np.ones(len(data.config), dtype=bool)
    learnt = deviations(data, curve, configs.measured, everything, tau=own.unknown.sd)
    tested = np.bincount(data.klass, weights=data.tested) / np.bincount(data.klass)
    found = zip(data.keys, learnt.mean, learnt.sd, tested, strict=True)
    return {name: KnownClass(*(float(value) for value in values)) for (_, name), *values in found}


def pilot_classes(
    objective: Objective,
    distribution: LabelDistribution,
    outcome: OutcomePrediction,
    seen: Mapping[str, KnownClass],
    most: int | None,
) -> ClassPredictions | None:
    """The classes of one recalibrated outcome, worst first; see `predict_classes`.

    seen : see `seen_classes`
    """
    case = objective.case(distribution)
    if seen:  # a test set of a part of the classes: those that it holds
        case = replace(case, tested=frozenset(seen))
    return predict_classes(objective.fitted, outcome, case, "pilot", most=most, known=seen)
