"""The class-wise curve: accuracy of each class from its own images, averaged over the targets.

logit p_c = a + b log n_c + g log mean(n) + k log(1 + 10 / n_c) + help of other classes + image-steps

b + g is what more images bring, g < 0 what a class loses to the images of the others (the prior of the training set).
a, b, g and what image-steps bring differ between target sets and domains, as far as their runs say so. Other classes
enter by their number, by how many of them come from other sources than the targets, and by their share of the images;
image-steps as such, and by how often they show each image.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from predictor.errors import FitError
from predictor.inference.cases import CLASS_FEATURES
from predictor.models.base import Row, family
from predictor.models.pooled import pooled_parameters

VARYING = ("log_count", "log_mean_count", "log_image_steps")  # slopes that differ between target sets


@family("classwise", needs_counts=True)
def classwise(rows: Sequence[Row]) -> dict[str, Any]:
    """Power law of each class's own and mean image count, maximum likelihood on the images tested per class."""
    bare = [row.run_id for row in rows if not len(row.tested) or len(row.tested) != len(row.case.tested_counts)]
    if bare:
        raise FitError(
            f"family classwise needs class counts and results per class; {len(bare)} runs lack them (first: {bare[0]})",
            remedy="Leave their studies out with --study, or name --family linear",
        )
    raw, tested, correct, owner = _observations(rows)
    columns = [j for j in range(raw.shape[1]) if np.isfinite(raw[:, j]).all() and np.ptp(raw[:, j]) > 1e-9]
    if not columns:
        raise FitError("family classwise: neither the class counts nor the recipe vary")
    values, weight, owner, trials, share = _merged(raw[:, columns], tested, correct, owner, rows)
    return pooled_parameters(
        "classwise", [CLASS_FEATURES[j] for j in columns], values, rows, share, weight, varying=VARYING, owner=owner,
        shrink=True, trials=trials,
    )  # fmt: skip


def _observations(rows: Sequence[Row]) -> tuple[np.ndarray, ...]:
    """(features, tested, correct, row) of every class of every run."""
    owner = np.repeat(np.arange(len(rows)), [len(row.tested) for row in rows])
    raw = np.concatenate([row.case.class_features() for row in rows])
    tested = np.concatenate([row.tested for row in rows])
    correct = np.concatenate([row.correct for row in rows])
    keep = np.isfinite(raw[:, 0]) & (tested > 0)  # a class without images is 0 by construction, no evidence
    return raw[keep], tested[keep], correct[keep], owner[keep]


def _merged(
    values: np.ndarray, tested: np.ndarray, correct: np.ndarray, owner: np.ndarray, rows: Sequence[Row]
) -> tuple[np.ndarray, ...]:
    """Classes that no feature tells apart, of one configuration, become one observation: the same likelihood, faster.

    Gives (features, number of classes, a row of the configuration, images tested per class, mean share correct).
    """
    _, configuration = np.unique([f"{row.configuration_id} {row.case.level}" for row in rows], return_inverse=True)
    keys = np.column_stack([configuration[owner], values])
    _, first, index = np.unique(keys.round(9), axis=0, return_index=True, return_inverse=True)
    index = index.reshape(-1)
    classes = np.bincount(index).astype(np.float64)
    share = np.bincount(index, weights=correct / tested) / classes
    trials = classes / np.bincount(index, weights=1 / tested)
    return values[first], classes, owner[first], trials, share


def slopes(parameters: dict[str, Any]) -> dict[str, float]:
    """{feature: slope in logits per unit of the feature} (b, g, h, s of the formula)."""
    pairs = zip(parameters["features"], parameters["coefficients"], parameters["scale"], strict=True)
    return {name: coefficient / scale for name, coefficient, scale in pairs}
