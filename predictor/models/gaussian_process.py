"""Gaussian process on what a regression leaves: smooth corrections, for at most 300 configurations.

eta = class-wise curve + sum_i w_i k(x, x_i),  k(x, x') = s^2 exp(-sum_j (x_j - x'_j)^2 / (2 l_j^2)), noise white.

One length scale for each indicator and the noise by maximum marginal likelihood (Rasmussen and Williams 2006, Gaussian
processes for machine learning, chapter 5); levels of target sets are the curve's. Its cost grows with the cube
of the configurations, and it is fitted some hundred times in the folds: beyond 300 it is left out, with this reason.
It competes where it is named (`predictor fit --family gaussian_process`).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from predictor.models.base import Floats, family, finite
from predictor.models.case import Case
from predictor.models.corrections import correction
from predictor.models.evaluate import Model, evaluator, feature_values
from predictor.models.links import moved
from predictor.models.rows import Row

FEWEST, MOST = 20, 300  # configurations
STEPS = 25  # of the optimiser: the likelihood is flat well before
LENGTHS, AMPLITUDE, NOISE = (0.5, 50.0), (1e-4, 4.0), (1e-4, 4.0)  # standard deviations; variances, in squared logits


@family("gaussian_process", default=False)
def gaussian_process(rows: Sequence[Row]) -> dict[str, Any]:
    """Class-wise curve corrected by a Gaussian process (at most 300 configurations)."""
    left = correction(rows, "gaussian_process", fewest=FEWEST, most=MOST)
    center, scale = left.x.mean(axis=0), left.x.std(axis=0)
    points = (left.x - center) / scale
    weights, lengths, amplitude, mean = _regress(points, left.working)
    return {
        "kind": "gaussian_process",
        "features": left.features,
        "gp_features": left.names,
        "base": left.base,
        "center": center.tolist(),
        "scale": scale.tolist(),
        "mean": finite(mean),
        "amplitude": finite(amplitude),
        "lengths": [finite(value) for value in lengths],
        "points": points.tolist(),
        "weights": [finite(value) for value in weights],
    }


def _regress(x: Floats, y: Floats) -> tuple[Floats, Floats, float, float]:
    """(weights of the points, length scales, variance of the process, mean)."""
    from scipy.optimize import minimize
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
    from threadpoolctl import threadpool_limits

    def shortly(objective: Any, start: Floats, bounds: Floats) -> tuple[Floats, float]:
        found = minimize(objective, start, jac=True, bounds=bounds, method="L-BFGS-B", options={"maxiter": STEPS})
        return found.x, float(found.fun)

    mean, variance = float(y.mean()), max(float(y.var()), 2 * NOISE[0])
    kernel = ConstantKernel(min(variance / 2, 1.0), AMPLITUDE) * RBF(np.full(x.shape[1], 3.0), LENGTHS)
    model = GaussianProcessRegressor(kernel + WhiteKernel(min(variance / 2, 1.0), NOISE), optimizer=shortly)
    # more threads change the last bits; a length at its bound is an indicator that does not matter
    with threadpool_limits(1), warnings.catch_warnings(action="ignore", category=ConvergenceWarning):
        model.fit(x, y - mean)
    process = model.kernel_.k1
    return model.alpha_, np.atleast_1d(process.k2.length_scale), float(process.k1.constant_value), mean


@dataclass(frozen=True, eq=False)
class Process:
    """A Gaussian process, ready to be evaluated, and the regression that it corrects.

    center, scale, lengths : (p,) of the features; points : (m, p) and weights : (m,) of its configurations
    """

    base: Model
    features: tuple[str, ...]
    center: Floats
    scale: Floats
    lengths: Floats
    points: Floats
    weights: Floats
    amplitude: float
    mean: float

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> Process:
        """What `gaussian_process` made, as arrays."""
        center, scale, lengths, points, weights = (
            np.array(parameters[name]) for name in ("center", "scale", "lengths", "points", "weights")
        )
        return cls(
            Model(parameters["base"]), tuple(parameters["gp_features"]), center, scale, lengths, points / lengths,
            weights, float(parameters["amplitude"]), float(parameters["mean"]),
        )  # fmt: skip


@evaluator("gaussian_process", ready=Process.of)
def evaluate_gaussian_process(model: Process, cases: Sequence[Case], clip: bool) -> Floats:
    """The regression below, moved on its scale by the mean of the process."""
    here = (feature_values(cases, model.features) - model.center) / model.scale / model.lengths
    squared = np.square(here[:, None, :] - model.points[None, :, :]).sum(axis=2)
    kernel = model.amplitude * np.exp(-0.5 * squared)
    by = model.mean + np.sum(kernel * model.weights, axis=1)
    return moved(model.base.evaluate(cases, clip=clip), np.array([case.chance for case in cases]), by)
