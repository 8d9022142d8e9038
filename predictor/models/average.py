"""The mean of all models, in logits: where they err in different directions, it errs less than each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from predictor.models.base import Family, add_family
from predictor.models.case import Case, Floats
from predictor.models.evaluate import Model, evaluator
from predictor.models.links import expit, logit

add_family(Family("average", None, averages=True, doc="Mean of all models that compete, in logits."))


def averaged(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Parameters of the mean of models.

    >>> averaged([{"kind": "linear", "features": ["gini"]}, {"kind": "linear", "features": []}])["features"]
    ['gini']
    """
    features = dict.fromkeys(name for part in parts for name in part["features"])
    return {"kind": "average", "features": list(features), "parts": list(parts)}


@evaluator("average", ready=lambda parameters: [Model(part) for part in parameters["parts"]])
def evaluate_average(models: Sequence[Model], cases: Sequence[Case], clip: bool) -> Floats:
    """Mean of several models in logits; nan where one of them cannot be evaluated."""
    return expit(np.mean([logit(model.evaluate(cases, clip=clip)) for model in models], axis=0))
