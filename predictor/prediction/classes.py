"""Accuracy of each class, in agreement with the accuracy of the whole: numpy alone.

logit p_c = class-wise curve + u_c + shift. u_c is what class c of a known target set deviates by (0 for a new one,
whose classes then spread more); the shift is the same for all classes, so that their mean is the outcome's predicted
value, whatever family that came from. The interval of a class adds, in logits, what the whole may be off by and what
a class is off by beyond that, with the noise of its own test images: half^2 = half_outcome^2 + (q scale_c)^2, q from
classes of held-out configurations (see `predictor.fitting.classes`).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from predictor.models.case import Case, Floats
from predictor.models.classwise import class_logits
from predictor.models.links import expit, logit, share_of
from predictor.models.outcome import ClassErrors, KnownClass, OutcomeFit
from predictor.prediction.results import ClassPrediction, ClassPredictions, OutcomePrediction
from predictor.statistics.conformal import error_scale

NEW_LEVEL = ""  # key of what a probe of the images says of a new target set's classes
FAMILY = "classwise"
NEEDS_NEW_FIT = "predictions of classes need a new fit: predictor fit RUNS --output FIT"
NO_IMAGE = "no image: a class that is never shown is never predicted"
FARTHEST = 30.0  # logits that a shift may move: beyond is 0 or 1


def common_shift(eta: Floats, owner: NDArray[np.int64], possible: NDArray[np.bool_], values: Floats) -> Floats:
    """(n,) logits to add to all classes of each case so that their mean accuracy is its value, by bisection.

    eta, owner, possible : (P,) logit of each class, its case, and whether it has images (without: accuracy 0)
    values : (n,) wanted means; where the classes with images cannot reach one, they come as near as they can

    >>> shift = common_shift(np.array([-1.0, 1.0]), np.array([0, 0]), np.array([True, True]), np.array([0.7]))
    >>> round(float(expit(np.array([-1.0, 1.0]) + shift).mean()), 6)
    0.7
    """
    n = len(values)
    sizes = np.maximum(np.bincount(owner, minlength=n), 1)
    low, high = np.full(n, -FARTHEST), np.full(n, FARTHEST)
    for _ in range(48):
        middle = (low + high) / 2
        p = np.where(possible, expit(eta + middle[owner]), 0.0)
        short = np.bincount(owner, weights=p, minlength=n) / sizes < values
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    return (low + high) / 2


def class_scale(p: Floats, tested: Floats | float, own_sd: Floats | float, sd: float, tail: float) -> Floats:
    """(P,) how far the measured accuracy of a class lies from p, in logits.

    tested : images of the class in the test set, whose binomial noise is part of it
    own_sd : what is unknown of the class itself
    sd, tail : what the classes of a run differ by beyond that, and how it grows towards 0 and 1 (`error_scale`)

    >>> class_scale(np.array([0.5]), 100, 0.0, 0.0, 0.0).round(3).tolist()
    [0.2]
    """
    inside = np.clip(p, 0.002, 0.998)
    return np.sqrt(own_sd**2 + (sd * error_scale(p, tail)) ** 2 + 1 / (tested * inside * (1 - inside)))


def predict_classes(
    fitted: OutcomeFit,
    outcome: OutcomePrediction,
    case: Case,
    basis: str,
    *,
    most: int | None = None,
    known: Mapping[str, KnownClass] | None = None,
) -> ClassPredictions | None:
    """The classes of one outcome, worst first; None where the outcome itself has no value.

    fitted : the outcome's own part of the fit
    basis : see `Prediction.basis`
    most : how many to give; None: all
    known : what is known of the classes; what the fit knows where left out
    """
    if outcome.value is None or outcome.low is None or outcome.high is None or case.distribution is None:
        return None
    own = fitted.classes
    if own is None:
        reason = fitted.no_classes or NEEDS_NEW_FIT
        return ClassPredictions(outcome=outcome.outcome, level=outcome.level, n_classes=0, reason=reason)
    names = [name for name in case.distribution.target_names if case.tested is None or name in case.tested]
    eta, counts = class_logits(fitted.families[FAMILY].ready, [case])
    if known is None:
        known = own.known.get(case.level or NEW_LEVEL, {})
    found = [known.get(name, own.unknown) for name in names]
    own_sd, tested = np.array([item.sd for item in found]), np.array([item.tested for item in found])
    eta = eta + np.array([item.deviation for item in found])
    owner = np.zeros(len(names), dtype=np.int64)
    eta = eta + common_shift(eta, owner, counts > 0, np.array([outcome.value]))
    p = np.where(counts > 0, expit(eta), 0.0)
    errors = own.configuration if basis == "in_domain" else own.target_set
    q = errors.quantile(outcome.level) if errors else None
    if q is None:
        low, high = np.where(counts > 0, 0.0, p), np.where(counts > 0, 1.0, p)
    else:
        spread = q * class_scale(p, tested, own_sd, own.sd, own.tail)
        centre = float(logit(outcome.value))
        below, above = centre - float(logit(outcome.low)), float(logit(outcome.high)) - centre
        low = np.where(counts > 0, np.minimum(share_of(eta - np.hypot(below, spread), tested), p), 0.0)
        high = np.where(counts > 0, np.maximum(share_of(eta + np.hypot(above, spread), tested), p), 0.0)
    order = np.lexsort((np.arange(len(p)), p))[:most]
    covered, reason = _evidence(errors, outcome, q, basis)
    return ClassPredictions(
        outcome=outcome.outcome,
        level=outcome.level,
        n_classes=len(names),
        covered=covered,
        reason=reason,
        worst=tuple(
            ClassPrediction(
                name=names[i], n_samples=int(counts[i]), value=float(p[i]), low=float(low[i]), high=float(high[i]),
                reason=None if counts[i] else NO_IMAGE,
            )
            for i in order
        ),
    )  # fmt: skip


def _evidence(
    errors: ClassErrors | None, outcome: OutcomePrediction, q: float | None, basis: str
) -> tuple[tuple[int, int] | None, str | None]:
    """Classes covered where intervals of this kind were tried; else why not."""
    if q is None or errors is None:
        return None, f"too few classes for a {outcome.level:.0%} interval"
    if outcome.edge is not None:
        return None, "outside the fitted range: the intervals are uncalibrated"
    if basis not in ("in_domain", "new_target_set"):
        return None, "coverage not measured: the level is that of the whole, with its uncertainty"
    covered = errors.covered_at(outcome.level)
    return (covered, None) if covered else (None, "coverage not measured at this level")
