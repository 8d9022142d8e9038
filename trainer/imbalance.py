"""What training can do about imbalance: weights of classes, how often they are drawn, and adjusted logits.

Buda et al. 2018 compare sampling and thresholds; Cui et al. 2019 weigh by the effective number of samples; Menon et al.
2021 adjust logits; Cao et al. 2019 defer re-weighting.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from predictor.recipes import POWERS, effective_number
from predictor.spec import Recipe

Floats = NDArray[np.float64]


def loss_weights(recipe: Recipe, counts: NDArray[np.int64]) -> Floats:
    """(C,) weight of an image of each class in the loss; their mean over all images is 1; 0 for a class without any.

    >>> loss_weights(Recipe(class_weights="inverse"), np.array([8, 2])).tolist()
    [0.625, 2.5]
    """
    there = counts > 0
    if recipe.class_weights == "none":
        return there.astype(float)
    if recipe.class_weights == "inverse":
        number = counts.astype(float)
    else:
        beta = float(recipe.class_weights.split(":")[1])
        number = effective_number(counts, beta)
    weights = np.divide(1.0, number, out=np.zeros(len(counts)), where=there)
    return weights * counts.sum() / (weights @ counts)


def draw_weights(recipe: Recipe, counts: NDArray[np.int64]) -> Floats:
    """(C,) how often an image of each class is drawn; the mean over all images is 1.

    >>> draw_weights(Recipe(sampling="sqrt"), np.array([16, 4])).round(3).tolist()
    [0.833, 1.667]
    """
    power = POWERS[recipe.sampling]
    there = counts > 0
    weights = np.power(counts.astype(float), -power, out=np.zeros(len(counts)), where=there)
    return weights * counts.sum() / (weights @ counts)


def class_weights(recipe: Recipe, counts: NDArray[np.int64]) -> Floats:
    """(C,) weights where all images are shown at once: drawing a class twice as often is weighing it twice.

    >>> class_weights(Recipe(sampling="balanced"), np.array([8, 2])).tolist()
    [0.625, 2.5]
    """
    return loss_weights(recipe, counts) * draw_weights(recipe, counts)


def log_shares(counts: NDArray[np.int64]) -> Floats:
    """(C,) logarithm of each class's share of the images; of a class without any, that of one image.

    >>> np.exp(log_shares(np.array([8, 2, 0]))).round(3).tolist()
    [0.8, 0.2, 0.1]
    """
    return np.log(np.maximum(counts, 1) / counts.sum())


def loss_offset(recipe: Recipe, counts: NDArray[np.int64]) -> Floats:
    """(C,) what is added to the logits in the loss (Menon et al. 2021, equation 10)."""
    tau = recipe.logit_adjustment if recipe.logit_adjustment_at == "loss" else 0.0
    return tau * log_shares(counts) if tau else np.zeros(len(counts))


def offset_at_test(recipe: Recipe, counts: NDArray[np.int64]) -> Floats:
    """(C,) what is taken off the logits at test time (Menon et al. 2021, equation 9)."""
    tau = recipe.logit_adjustment if recipe.logit_adjustment_at == "test" else 0.0
    return tau * log_shares(counts) if tau else np.zeros(len(counts))
