"""How fast each column of a reported table matters: lengths of a Gaussian process, by maximum marginal likelihood.

k(x, x') = s^2 exp(-sum_j (x_j - x'_j)^2 / (2 l_j^2)) + v noise [x = x'],

A prior on log l_j keeps what no run tells near LENGTH.

Rasmussen and Williams 2006, Gaussian processes for machine learning, equations 5.8 and 5.9 (automatic relevance
determination, section 5.1). The lengths are rounded to quarters of an octave, so that no last digit stands in a fit.
"""

from __future__ import annotations

import numpy as np

from predictor.models.case import Floats

LENGTH, LENGTH_SD = 6.0, 3.0  # standard deviations of the runs; of the logarithm of a length: wide, data decide
SHORTEST, LONGEST = 0.15, 60.0
SEARCHED = 400  # runs that the lengths are searched on
ROUNDS = 60
STEPS = 4  # of an octave
JITTER = 1e-8  # of the signal's variance


def learnt_lengths(x: Floats, y: Floats, noise: Floats) -> tuple[Floats, float, float]:
    """(p,) the length of each column, and the variance of the signal and the factor of the noise that go with them.

    x : (n, p) standardised columns
    y : (n,) what is left to explain, noise : (n,) its variances up to one factor
    """
    from scipy.linalg import cho_solve
    from scipy.optimize import minimize

    own = np.unique(np.linspace(0, len(y) - 1, min(len(y), SEARCHED)).astype(np.int64))
    unit = float(noise[own].mean())
    x, y, noise = x[own], y[own] - y[own].mean(), noise[own] / unit
    spread = max(float(y.var()), 1e-12)
    center = np.concatenate([[np.log(spread), np.log(spread / 20)], np.full(x.shape[1], np.log(LENGTH))])
    sd = np.concatenate([[3.0, 3.0], np.full(x.shape[1], LENGTH_SD)])

    def loss(theta: Floats) -> tuple[float, Floats]:
        signal, error, lengths = np.exp(theta[0]), np.exp(theta[1]), np.exp(theta[2:])
        z = x / lengths
        squares = (z**2).sum(axis=1)
        near = signal * np.exp(-0.5 * np.maximum(squares[:, None] + squares[None, :] - 2 * z @ z.T, 0.0))
        covariance = near.copy()
        covariance.flat[:: len(y) + 1] += error * noise + JITTER * signal
        try:
            lower = np.linalg.cholesky(covariance)
        except np.linalg.LinAlgError:
            return 1e10, np.zeros_like(theta)
        inverse = cho_solve((lower, True), np.eye(len(y)), check_finite=False)
        alpha = inverse @ y
        off = (theta - center) / sd
        value = 0.5 * y @ alpha + np.log(lower.diagonal()).sum() + 0.5 * off @ off
        left = np.outer(alpha, alpha) - inverse
        weighted = left * near
        by_length = 2 * (weighted.sum(axis=1) @ z**2 - (z * (weighted @ z)).sum(axis=0))
        slope = np.concatenate([[weighted.sum()], [error * (left.diagonal() @ noise)], by_length])
        return float(value), -0.5 * slope + off / sd

    low, high = np.log(spread * 1e-6), np.log(spread * 1e4)
    edges = [(low, high), (low, high), *[(np.log(SHORTEST), np.log(LONGEST))] * x.shape[1]]
    found = minimize(loss, center, jac=True, method="L-BFGS-B", bounds=edges, options={"maxiter": ROUNDS})
    lengths = 2.0 ** (np.round(STEPS * found.x[2:] / np.log(2)) / STEPS)
    return lengths, float(np.exp(found.x[0])), float(np.exp(found.x[1])) / unit
