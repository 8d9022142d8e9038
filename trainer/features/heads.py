"""A linear classifier on fixed features: regularised logistic regression, solved for, not trained on and on.

The loss of image i of class y is w_y * log(softmax(z + tau * log(share))_y), its mean plus penalty / 2 * |W|^2. The
penalty is chosen among `PENALTIES` on a fifth of the training images, then all of them are fitted with it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax

from predictor.spec import Recipe, seeded
from trainer.imbalance import class_weights, loss_offset

PENALTIES = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)  # of features whose mean squared norm is 1
HELD_BACK = 5  # one image in so many chooses the penalty
ITERATIONS = 200
ROUGH, FINE = 1e-5, 1e-8  # relative change of the loss at which a solution is good enough: to choose, and to keep
Floats = NDArray[np.float64]
Singles = NDArray[np.float32]


@dataclass(frozen=True)
class Head:
    """weights (D, C) and bias (C,) of features less `mean` (D,), over `scale`; the penalty that was chosen."""

    weights: Floats
    bias: Floats
    mean: Floats
    scale: float
    penalty: float

    def logits(self, features: NDArray[np.float16]) -> Floats:
        """(n, C) of (n, D) features."""
        return ((features - self.mean) / self.scale) @ self.weights + self.bias


def fit_head(
    features: NDArray[np.float16], labels: NDArray[np.int64], n_classes: int, recipe: Recipe, seed: int
) -> Head:
    """The head of (n, D) features and (n,) labels in [0, n_classes), every class with an image.

    seed : draws the images that choose the penalty
    """
    x = features.astype(np.float64)
    mean = x.mean(0)
    x -= mean
    scale = float(np.sqrt((x**2).sum(1).mean())) or 1.0
    x = (x / scale).astype(np.float32)  # products in single precision, sums of the loss in double: twice as fast
    counts = np.bincount(labels, minlength=n_classes)
    weight, offset = class_weights(recipe, counts), loss_offset(recipe, counts)
    x, basis = _reduced(x)
    penalty = _chosen(x, labels, n_classes, weight, offset, seed)
    found = _solved(x, labels, weight, offset, penalty, np.zeros((x.shape[1] + 1, n_classes)), FINE)
    return Head(basis @ found[:-1], found[-1], mean, scale, penalty)


def _reduced(x: Singles) -> tuple[Singles, Singles]:
    """Where there are fewer images than features the solution lies in their span: its coordinates lose nothing."""
    n, width = x.shape
    if n >= width:
        return x, np.eye(width, dtype=np.float32)
    values, vectors = np.linalg.eigh((x @ x.T).astype(np.float64))
    kept = values > values[-1] * 1e-7
    root = np.sqrt(values[kept])
    return (vectors[:, kept] * root).astype(np.float32), ((x.T @ vectors[:, kept]) / root).astype(np.float32)


def _chosen(x: Singles, labels: NDArray[np.int64], n_classes: int, weight: Floats, offset: Floats, seed: int) -> float:
    """The penalty with the best mean log-likelihood of a class on images held back; the middle one without any."""
    held = _held_back(labels, seed)
    if not held.any():
        return PENALTIES[len(PENALTIES) // 2]
    start = np.zeros((x.shape[1] + 1, n_classes))
    present = np.unique(labels[held])
    best, chosen = -np.inf, PENALTIES[-1]
    for penalty in reversed(PENALTIES):  # from the stiffest on: each begins where the one before ended
        start = _solved(x[~held], labels[~held], weight, offset, penalty, start, ROUGH)
        likelihood = log_softmax(x[held] @ start[:-1] + start[-1], axis=1)[np.arange(held.sum()), labels[held]]
        score = float(np.mean([likelihood[labels[held] == label].mean() for label in present]))
        if score <= best:
            return chosen  # past its best: less stiff ones are worse still
        best, chosen = score, penalty
    return chosen


def _held_back(labels: NDArray[np.int64], seed: int) -> NDArray[np.bool_]:
    """One image in five of each class, at least one of those that have three or more; none of smaller ones."""
    held = np.zeros(len(labels), bool)
    for label in np.unique(labels).tolist():
        rows = np.flatnonzero(labels == label)
        count = 0 if len(rows) < 3 else max(1, len(rows) // HELD_BACK)
        held[seeded("held back", seed, label).permutation(rows)[:count]] = True
    return held


def _solved(
    x: Singles,
    labels: NDArray[np.int64],
    weight: Floats,
    offset: Floats,
    penalty: float,
    start: Floats,
    tolerance: float,
) -> Floats:
    """(D + 1, C) weights and bias of the least loss, by L-BFGS from `start`."""
    n, shape = len(x), start.shape
    of_image = weight[labels]
    of_image = of_image / of_image.sum()
    hot = np.zeros((n, shape[1]))
    hot[np.arange(n), labels] = 1

    def loss(flat: Floats) -> tuple[float, Floats]:
        theta = flat.reshape(shape)
        logp = log_softmax((x @ theta[:-1].astype(np.float32)).astype(np.float64) + theta[-1] + offset, axis=1)
        value = -float(of_image @ logp[np.arange(n), labels]) + penalty / 2 * float((theta[:-1] ** 2).sum())
        error = (np.exp(logp) - hot) * of_image[:, None]
        return value, np.vstack([x.T @ error.astype(np.float32) + penalty * theta[:-1], error.sum(0)]).ravel()

    options = {"maxiter": ITERATIONS, "ftol": tolerance, "maxcor": 20}
    found = minimize(loss, start.ravel(), jac=True, method="L-BFGS-B", options=options)
    return found.x.reshape(shape)
