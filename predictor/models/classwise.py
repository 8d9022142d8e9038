"""The class-wise curve: accuracy of each class from its own images, averaged over the targets.

logit p_c = a[target set] + b log n_c + g log mean(n) + h log(1 + other classes) + s log image-steps

b + g is what more images bring, g < 0 what a class loses to the images of the others (the prior of the training set).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from predictor.errors import FitError
from predictor.inference.cases import CLASS_FEATURES
from predictor.models.base import Row, family, finite, level_index
from predictor.models.glm import fit_pooled


@family("classwise", needs_counts=True)
def classwise(rows: Sequence[Row]) -> dict[str, Any]:
    """Power law of each class's own and mean image count, maximum likelihood on the images tested per class."""
    bare = [row.run_id for row in rows if not len(row.tested) or len(row.tested) != len(row.case.tested_counts)]
    if bare:
        raise FitError(
            f"family classwise needs class counts and results per class; {len(bare)} runs lack them (first: {bare[0]})",
            remedy="Leave their studies out with --study, or name --family linear",
        )
    levels, index = level_index(rows)
    owner = np.repeat(np.arange(len(rows)), [len(row.tested) for row in rows])
    raw = np.concatenate([row.case.class_features() for row in rows])
    tested = np.concatenate([row.tested for row in rows])
    correct = np.concatenate([row.correct for row in rows])
    keep = np.isfinite(raw[:, 0]) & (tested > 0)  # a class without images is 0 by construction, no evidence
    raw, tested, correct, owner = raw[keep], tested[keep], correct[keep], owner[keep]
    columns = [j for j in range(raw.shape[1]) if np.isfinite(raw[:, j]).all() and np.ptp(raw[:, j]) > 1e-9]
    if not columns:
        raise FitError("family classwise: neither the class counts nor the recipe vary")
    values = raw[:, columns]
    center, scale = values.mean(axis=0), values.std(axis=0)
    fitted = fit_pooled(
        (values - center) / scale, index[owner], len(levels), correct / tested, tested, shrink=False
    )  # fmt: skip
    return {
        "kind": "classwise",
        "features": [CLASS_FEATURES[j] for j in columns],
        "center": center.tolist(),
        "scale": scale.tolist(),
        "low": values.min(axis=0).tolist(),
        "high": values.max(axis=0).tolist(),
        "coefficients": [finite(value) for value in fitted.slopes],
        "intercept": finite(fitted.intercept),
        "levels": dict(zip(levels, map(finite, fitted.levels), strict=True)),
        "level_sd": finite(fitted.level_sd),
    }


def slopes(parameters: dict[str, Any]) -> dict[str, float]:
    """{feature: slope in logits per unit of the feature} (b, g, h, s of the formula)."""
    pairs = zip(parameters["features"], parameters["coefficients"], parameters["scale"], strict=True)
    return {name: coefficient / scale for name, coefficient, scale in pairs}
