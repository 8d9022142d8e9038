"""The logit scale on which models learn and err. numpy alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

EDGE = 1e-6  # accuracies are kept this far from 0 and 1, where the logit ends


def expit(eta: Floats | float) -> Floats:
    """1 / (1 + exp(-eta)), without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * np.asarray(eta, dtype=np.float64))))


def logit(p: Floats | float) -> Floats:
    """log(p / (1 - p)), with p kept inside (0, 1).

    >>> float(logit(0.5)), bool(np.isfinite(logit(1.0)))
    (0.0, True)
    """
    inside = np.clip(np.asarray(p, dtype=np.float64), EDGE, 1 - EDGE)
    return np.asarray(np.log(inside / (1 - inside)))


def counted_logit(share: Floats | float, tested: Floats | float) -> Floats:
    """Logit of (k + 1/2) / (n + 1) of k right of n tested: finite for 0 and n of n.

    >>> float(counted_logit(0.5, 10)), round(float(counted_logit(1.0, 10)), 2)
    (0.0, 3.04)
    """
    n = np.asarray(tested, dtype=np.float64)
    return logit((np.asarray(share) + 0.5 / n) / (1 + 1 / n))


def share_of(eta: Floats | float, tested: Floats | float) -> Floats:
    """The share k / n whose `counted_logit` is eta, inside [0, 1].

    >>> float(share_of(counted_logit(np.array(0.0), 50), 50)), float(share_of(counted_logit(1.0, 50), 50))
    (0.0, 1.0)
    """
    n = np.asarray(tested, dtype=np.float64)
    share = expit(eta) * (1 + 1 / n) - 0.5 / n
    return np.where(share > 1 - 1e-12, 1.0, np.clip(share, 0.0, 1.0))  # n of n is 1, whatever the last digit says


def measured_within(p: Floats | float, half: Floats | float, tested: Floats | float) -> tuple[Floats, Floats]:
    """(low, high) of the measured share k / n where its `counted_logit` lies within `half` of the predicted logit.

    The range of a share is closed: an interval can hold 0 and 1. It always holds p.

    >>> [round(float(bound), 4) for bound in measured_within(0.98, 5.0, 100)]
    [0.2457, 1.0]
    """
    centre = logit(p)
    return np.minimum(share_of(centre - half, tested), p), np.maximum(share_of(centre + half, tested), p)


def disagreement(predicted: Sequence[Floats]) -> Floats:
    """(n,) standard deviation of several models' accuracies, in logits; 0 for one model.

    >>> disagreement([np.array([0.5]), np.array([0.5])]).tolist(), disagreement([np.array([0.7])]).tolist()
    ([0.0], [0.0])
    """
    logits = np.array([logit(values) for values in predicted])
    return logits.std(axis=0, ddof=1) if len(logits) > 1 else np.zeros(logits.shape[1:])


def moved(accuracies: Floats, chance: Floats, by: Floats) -> Floats:
    """(n,) accuracies moved by so many logits of the chance-corrected accuracy.

    >>> moved(np.array([0.6]), np.array([0.2]), np.array([0.0])).round(6).tolist()
    [0.6]
    """
    share = (accuracies - chance) / (1 - chance)
    return chance + (1 - chance) * expit(logit(share) + by)
