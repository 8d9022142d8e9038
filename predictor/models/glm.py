"""Quasi-binomial regression with chance-corrected link, partly pooled intercepts and shrunken slopes.

p = chance + (1 - chance) sigmoid(eta),  eta = mu + x.beta + a[level],  a ~ N(0, tau^2),  beta ~ N(0, s^2) if shrunken.

Fisher scoring on the penalised likelihood; tau^2 and s^2 by the usual fixed point on the Laplace approximation
(MacKay 1992; Schall 1991, Estimation in generalized linear models with random effects), the likelihood divided by
the Pearson dispersion, so that replicates of one class do not count as independent evidence twice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from predictor.models.base import Floats

ROUNDS = 200
TOLERANCE = 1e-7
LOWEST, HIGHEST = 1e-4, 25.0  # variances on the logit scale are kept in here


@dataclass(frozen=True, eq=False)
class PooledFit:
    """mu, slopes, deviations of the levels, their standard deviation, Pearson dispersion."""

    intercept: float
    slopes: Floats
    levels: Floats
    level_sd: float
    dispersion: float
    slope_sd: float


def fit_pooled(
    x: Floats,
    level: NDArray[np.int64],
    n_levels: int,
    y: Floats,
    weight: Floats,
    *,
    chance: Floats | float = 0.0,
    shrink: bool,
) -> PooledFit:
    """Fit by penalised maximum likelihood.

    x : (n, p) standardised features
    level : (n,) index of each row's level
    y : (n,) share of successes
    weight : (n,) number of trials, or any relative weight (the dispersion takes up the rest)
    """
    n, p = x.shape
    pooled = n_levels if n_levels > 1 else 0  # one level is the intercept itself
    design = np.zeros((n, 1 + p + pooled))
    design[:, 0] = 1.0
    design[:, 1 : 1 + p] = x
    if pooled:
        design[np.arange(n), 1 + p + level] = 1.0
    weight = weight * (n / weight.sum())
    chance = np.broadcast_to(np.asarray(chance, dtype=np.float64), (n,))
    start = np.clip((np.average(y, weights=weight) - chance.mean()) / (1 - chance.mean()), 0.02, 0.98)
    theta = np.zeros(design.shape[1])
    theta[0] = np.log(start / (1 - start))
    level_variance, slope_variance, dispersion = 1.0, 1.0 if shrink else 1e4, 0.05
    for _ in range(ROUNDS):
        precision = np.concatenate([[0.0], np.full(p, 1 / slope_variance), np.full(pooled, 1 / level_variance)])
        penalty = dispersion * precision
        new, information, pearson = _step(design, y, weight, chance, theta, penalty)
        change = float(np.abs(new - theta).max())
        theta = new
        covariance = dispersion * np.linalg.pinv(information + np.diag(penalty), hermitian=True)
        spread = theta**2 + np.diag(covariance)
        before = (dispersion, level_variance, slope_variance)
        effective = float(np.einsum("ij,ji->", covariance, information)) / dispersion
        dispersion = max(pearson / max(n - effective, 1.0), 1e-6)
        if pooled:
            level_variance = float(np.clip(spread[1 + p :].mean(), LOWEST, HIGHEST))
        if shrink and p:
            slope_variance = float(np.clip(spread[1 : 1 + p].mean(), LOWEST, HIGHEST))
        moved = np.abs(np.log(np.array([dispersion, level_variance, slope_variance]) / np.array(before))).max()
        if change < TOLERANCE * (1 + float(np.abs(theta).max())) or (change < 1e-5 and moved < 1e-3):
            break
    return PooledFit(
        intercept=float(theta[0]),
        slopes=theta[1 : 1 + p],
        levels=theta[1 + p :] if pooled else np.zeros(n_levels),
        level_sd=float(np.sqrt(level_variance)) if pooled else 0.0,
        dispersion=dispersion,
        slope_sd=float(np.sqrt(slope_variance)),
    )


def _step(
    design: Floats, y: Floats, weight: Floats, chance: Floats, theta: Floats, penalty: Floats
) -> tuple[Floats, Floats, float]:
    """One step of Fisher scoring, halved until the penalised likelihood does not fall."""
    mean, slope = _mean(design @ theta, chance)
    variance = mean * (1 - mean)
    work = weight * slope**2 / variance
    information = design.T @ (design * work[:, None])
    gradient = design.T @ (weight * (y - mean) * slope / variance) - penalty * theta
    hessian = information + np.diag(penalty)
    hessian[np.diag_indices_from(hessian)] += 1e-10 * max(float(np.trace(hessian)), 1.0)
    direction = np.linalg.solve(hessian, gradient)
    here = _objective(mean, y, weight, theta, penalty)
    scale = min(1.0, 5.0 / max(float(np.abs(direction).max()), 1e-12))
    for _ in range(20):
        candidate = theta + scale * direction
        there = _objective(_mean(design @ candidate, chance)[0], y, weight, candidate, penalty)
        if there >= here - 1e-12 * abs(here):
            break
        scale /= 2
    else:
        candidate = theta
    pearson = float((weight * (y - mean) ** 2 / variance).sum())
    return candidate, information, pearson


def _mean(eta: Floats, chance: Floats) -> tuple[Floats, Floats]:
    share = 0.5 * (1 + np.tanh(0.5 * np.clip(eta, -30, 30)))
    mean = np.clip(chance + (1 - chance) * share, 1e-9, 1 - 1e-9)
    return mean, (1 - chance) * share * (1 - share)


def _objective(mean: Floats, y: Floats, weight: Floats, theta: Floats, penalty: Floats) -> float:
    likelihood = float((weight * (y * np.log(mean) + (1 - y) * np.log1p(-mean))).sum())
    return likelihood - 0.5 * float((penalty * theta**2).sum())
