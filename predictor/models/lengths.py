"""How fast each column of a reported table matters: lengths of a Gaussian process, by maximum marginal likelihood.

k(x, x') = s (1 + u [same target set]) exp(-sum_j (x_j - x'_j)^2 / (2 l_j^2)) + c [same target set] + v noise [x = x'],

u and c where there are several target sets: without them, columns would have to explain what differs between these. A
prior on log l_j keeps what no run tells near LENGTH.

Rasmussen and Williams 2006, Gaussian processes for machine learning, equations 5.8 and 5.9 (automatic relevance
determination, section 5.1). The lengths are rounded to quarters of an octave, so that no last digit stands in a fit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from predictor.models.case import Floats

LENGTH, LENGTH_SD = 6.0, 3.0  # standard deviations of the runs; of the logarithm of a length: wide, data decide
SHORTEST, LONGEST = 0.15, 60.0
SEARCHED = 400  # runs that the lengths are searched on
ROUNDS = 60
STEPS = 4  # of an octave
WIDE, WIDEST = 3.0, 6.0  # standard deviation of the logarithm of a variance; farthest that one is from another
JITTER = 1e-8  # of the signal's variance


@dataclass(frozen=True, eq=False)
class Learnt:
    """lengths : (p,) of the columns; shared, own, level : variances s, s u and c; noise : factor v of the noise"""

    lengths: Floats
    shared: float
    own: float
    level: float
    noise: float


def learnt_lengths(x: Floats, y: Floats, noise: Floats, target_sets: NDArray[np.int64]) -> Learnt:
    """The length of each column, and the variances that go with them.

    x : (n, p) standardised columns
    y : (n,) what is left to explain, noise : (n,) its variances up to one factor
    target_sets : (n,) their numbers
    """
    from scipy.linalg import cho_solve
    from scipy.optimize import minimize

    own = np.unique(np.linspace(0, len(y) - 1, min(len(y), SEARCHED)).astype(np.int64))
    unit = float(noise[own].mean())
    x, y, noise = x[own], y[own] - y[own].mean(), noise[own] / unit
    same = (target_sets[own][:, None] == target_sets[own][None, :]).astype(np.float64)
    several = int(not same.all()) * 2  # further numbers to find
    spread = max(float(y.var()), 1e-12)
    center = np.concatenate(
        [np.log([spread, spread / 20, *([1.0, spread / 4][:several])]), np.full(x.shape[1], np.log(LENGTH))]
    )
    sd = np.concatenate([np.full(2 + several, WIDE), np.full(x.shape[1], LENGTH_SD)])

    def loss(theta: Floats) -> tuple[float, Floats]:
        signal, error = np.exp(theta[:2])
        more, level = np.exp(theta[2:4]) if several else (0.0, 0.0)
        z = x / np.exp(theta[2 + several :])
        squares = (z**2).sum(axis=1)
        near = signal * np.exp(-0.5 * np.maximum(squares[:, None] + squares[None, :] - 2 * z @ z.T, 0.0))
        smooth = near * (1 + more * same)
        covariance = smooth + level * same
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
        weighted = left * smooth
        by_length = 2 * (weighted.sum(axis=1) @ z**2 - (z * (weighted @ z)).sum(axis=0))
        by_set = [(left * near * more * same).sum(), (left * level * same).sum()][:several]
        slope = np.array([weighted.sum(), error * (left.diagonal() @ noise), *by_set, *by_length])
        return float(value), -0.5 * slope + off / sd

    low, high = np.log(spread * 1e-6), np.log(spread * 1e4)
    edges = [(low, high), (low, high), *[(-WIDEST, WIDEST), (low, high)][:several]]
    edges += [(np.log(SHORTEST), np.log(LONGEST))] * x.shape[1]
    found = minimize(loss, center, jac=True, method="L-BFGS-B", bounds=edges, options={"maxiter": ROUNDS}).x
    signal, error = np.exp(found[:2])
    more, level = np.exp(found[2:4]) if several else (0.0, 0.0)
    lengths = 2.0 ** (np.round(STEPS * found[2 + several :] / np.log(2)) / STEPS)
    return Learnt(lengths, float(signal), float(signal * more), float(level), float(error) / unit)
