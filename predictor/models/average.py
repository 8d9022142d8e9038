"""Weighted mean of the models, in logits: weights that are not negative and sum to 1, from held-out predictions.

The weights minimise the squared error of what each model predicted for configurations that it had not seen, in the
outcome's own unit (stacked regressions, Breiman 1996; not negative, as there). A model that adds nothing gets 0 and is
not kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from predictor.models.base import Family, add_family
from predictor.models.case import Case, Floats
from predictor.models.evaluate import ReadyModel, evaluator
from predictor.models.links import expit, logit
from predictor.statistics.ties import first_least

DOUBT = 10  # of n configurations: an error that is larger by a share of 10 / n may be so by chance
STEP = 0.05  # weights are multiples of it: finer ones are not known, and no last digit decides
GAIN = 1e-3  # of the squared error, relative, which a move of one step must bring; of n configurations at least 1 / n

add_family(Family("average", None, averages=True, doc="Weighted mean of the models that compete, in logits."))


def averaged(parts: Sequence[dict[str, Any]], weights: Sequence[float] | None = None) -> dict[str, Any]:
    """Parameters of the weighted mean of models; weights: equal ones where left out, models of weight 0 are not kept.

    >>> averaged([{"kind": "linear", "features": ["gini"]}, {"kind": "linear", "features": []}], [0.0, 1.0])
    {'kind': 'average', 'features': [], 'parts': [{'kind': 'linear', 'features': []}], 'weights': [1.0]}
    """
    own = [1 / len(parts)] * len(parts) if weights is None else list(weights)
    kept = [(part, weight) for part, weight in zip(parts, own, strict=True) if weight > 0]
    features = dict.fromkeys(name for part, _ in kept for name in part["features"])
    return {
        "kind": "average", "features": list(features), "parts": [part for part, _ in kept],
        "weights": [weight for _, weight in kept],
    }  # fmt: skip


def stacked(predicted: Floats, measured: Floats, first: int | None = None, slopes: Floats | None = None) -> Floats:
    """(k,) weights, multiples of STEP that sum to 1: from one model alone, moved while the error falls.

    predicted : (n, k) logits of held-out configurations by each model
    measured : (n,) logits
    first : the model that the search begins with unless another one is better beyond doubt; None: the best one
    slopes : (n,) how far the outcome moves with its logit, so that the squared error is that of the outcome, to first
        order: near 0 and 1 logits go far where the outcome hardly moves, and a few configurations there would decide;
        None: 1

    >>> x = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 3.0]])
    >>> stacked(x, x @ np.array([0.25, 0.75])).round(2).tolist()
    [0.25, 0.75]
    >>> stacked(x, np.array([0.0, 1.0, 9.0]), slopes=np.array([1.0, 1.0, 0.0])).tolist()  # the third hardly counts
    [1.0, 0.0]
    """
    error = (predicted - measured[:, None]) * (1.0 if slopes is None else slopes[:, None])
    squares = error.T @ error / len(measured)
    k = len(squares)
    alone = int(first_least(squares.diagonal()))
    if first is not None and squares[first, first] <= (1 + DOUBT / len(measured)) * squares[alone, alone]:
        alone = first
    whole = round(1 / STEP)
    place = np.zeros(k, dtype=np.int64)
    place[alone] = whole

    def loss(at: np.ndarray[Any, Any]) -> float:
        return float(at @ squares @ at) / whole**2

    best, gain = loss(place), max(GAIN, 1 / len(measured))
    while True:
        found = None
        for source in np.flatnonzero(place).tolist():
            for target in range(k):
                if target == source:
                    continue
                candidate = place.copy()
                candidate[source] -= 1
                candidate[target] += 1
                value = loss(candidate)
                if value < best * (1 - gain):
                    found, best = candidate, value
        if found is None:
            return np.asarray(place / whole)
        place = found


def _ready(parameters: Mapping[str, Any]) -> tuple[list[ReadyModel], Floats]:
    parts = [ReadyModel(part) for part in parameters["parts"]]
    return parts, np.array(parameters.get("weights", [1 / len(parts)] * len(parts)), dtype=np.float64)


@evaluator("average", ready=_ready)
def evaluate_average(model: tuple[list[ReadyModel], Floats], cases: Sequence[Case], clip: bool) -> Floats:
    """Weighted mean of several models in logits; nan where one of them cannot be evaluated."""
    parts, weights = model
    logits = [weight * logit(part.evaluate(cases, clip=clip)) for part, weight in zip(parts, weights, strict=True)]
    return expit(np.sum(logits, axis=0))
