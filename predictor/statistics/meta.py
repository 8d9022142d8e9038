"""Several target sets together: random-effects meta-analysis of Fisher's z."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats
from scipy.special import chdtrc, ndtr, ndtri, stdtr, stdtrit  # see `intervals`

from predictor.errors import PredictorError


@dataclass(frozen=True, kw_only=True)
class PooledEffect:
    """A pooled effect with its interval, and how much the effects differ.

    tau2 : variance between the effects; i_squared : share of the total variance that it makes up, in [0, 1]
    q, q_p : Cochran's test that all effects are one; p : two-sided, of no effect
    """

    effect: float
    error: float
    low: float
    high: float
    p: float
    tau2: float
    i_squared: float
    q: float
    q_p: float
    n: int


def random_effects(
    effects: Sequence[float], variances: Sequence[float], *, level: float = 0.95, test: str = "knha"
) -> PooledEffect:
    """Pool effects with known sampling variances; tau^2 by restricted maximum likelihood, as R's metafor does.

    test : 'knha' (Knapp and Hartung 2003: Student's t, the error never below the model's own, so that effects that
    happen to be equal do not pass for certain) or 'z' (normal)

    >>> pooled = random_effects([0.2, 0.6, 0.4], [0.04, 0.05, 0.02])
    >>> round(pooled.effect, 3), round(pooled.i_squared, 3), pooled.n
    (0.389, 0.0, 3)
    """
    y, v = np.asarray(effects, float), np.asarray(variances, float)
    if len(y) < 2 or y.shape != v.shape or not (np.isfinite(y).all() and np.isfinite(v).all() and (v > 0).all()):
        raise PredictorError("at least 2 finite effects with variances above 0 are needed")
    k = len(y)
    tau2 = _tau2(y, v)
    w, fixed = 1 / (v + tau2), 1 / v
    effect = float(w @ y / w.sum())
    error = math.sqrt(1 / w.sum())
    if test == "knha":
        error *= math.sqrt(max(1.0, float(w @ (y - effect) ** 2) / (k - 1)))
        beyond, below = float(stdtrit(k - 1, (1 + level) / 2)), float(stdtr(k - 1, -abs(effect) / error))
    else:
        beyond, below = float(ndtri((1 + level) / 2)), float(ndtr(-abs(effect) / error))
    reach = beyond * error
    typical = (k - 1) * fixed.sum() / (fixed.sum() ** 2 - (fixed**2).sum())  # Higgins and Thompson 2002, eq. 9
    q = float(fixed @ (y - fixed @ y / fixed.sum()) ** 2)
    return PooledEffect(
        effect=effect,
        error=error,
        low=effect - reach,
        high=effect + reach,
        p=max(2 * below, np.finfo(float).tiny),  # never exactly 0
        tau2=tau2,
        i_squared=float(tau2 / (tau2 + typical)),
        q=q,
        q_p=float(chdtrc(k - 1, q)),
        n=k,
    )


def combined_p(p_values: Sequence[float], signs: Sequence[float], weights: Sequence[float]) -> float:
    """Two-sided p of no effect anywhere against one in a common direction, from independent two-sided p (Stouffer).

    signs : of each effect; opposite effects cancel. Never exactly 0.

    >>> round(combined_p([0.05, 0.05], [1, 1], [1, 1]), 4), round(combined_p([0.05, 0.05], [1, -1], [1, 1]), 4)
    (0.0056, 1.0)
    """
    one_sided = [p / 2 if sign > 0 else 1 - p / 2 for p, sign in zip(p_values, signs, strict=True)]
    up = stats.combine_pvalues(one_sided, method="stouffer", weights=weights)
    return max(float(2 * ndtr(-abs(up.statistic))), np.finfo(float).tiny)


def fisher_z(rho: float, n: int, held: int = 0) -> tuple[float, float]:
    """Fisher's z of a rank correlation and its sampling variance (1 + rho^2 / 2) / (n - 3) (Bonett and Wright 2000).

    A perfect rho has no finite z; it counts as half a step below perfect: the smallest swap of n ranks takes
    12 / (n^3 - n) off. held : variables held fixed; each costs one configuration (Fisher 1924)

    >>> [round(value, 4) for value in fisher_z(0.6, 20)]
    [0.6931, 0.0694]
    """
    if n - held < 4:
        raise PredictorError(f"{n} configurations with {held} variables held fixed have no sampling variance")
    bounded = min(max(rho, -1 + 6 / (n**3 - n)), 1 - 6 / (n**3 - n))
    return math.atanh(bounded), (1 + rho**2 / 2) / (n - 3 - held)


def _tau2(y: np.ndarray, v: np.ndarray) -> float:
    """Variance between effects that maximises the restricted likelihood (Viechtbauer 2005)."""

    def loss(tau2: float) -> float:
        w = 1 / (v + tau2)
        return float(-np.log(w).sum() + np.log(w.sum()) + w @ (y - w @ y / w.sum()) ** 2)

    most = 10 * (float(np.var(y, ddof=1)) + float(v.max()))
    found = optimize.minimize_scalar(loss, bounds=(0, most), method="bounded", options={"xatol": 1e-10 * most})
    return float(found.x) if loss(float(found.x)) < loss(0.0) else 0.0
