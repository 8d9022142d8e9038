"""Laws of learning curves: error as a function of the number of images alone, fitted by least squares on logarithms.

power law       e = c + b n^-a
arctan          e = c + b (1 - 2 / pi arctan(a pi / 2 n))   (Viering and Loog 2023, The shape of learning curves)
piecewise       log e = quadratic in log n up to a transition, then its tangent (PPL, Jain et al. 2023)
M4              (e - c) / (e0 - e)^a = b n^-d, solved for e (Alabdulmohsin et al. 2022, Revisiting neural scaling laws)
BNSL            e = c + b n^-c0 prod_i (1 + (n / d_i)^(1/f_i))^(-c_i f_i), two breaks (Caballero et al. 2023)
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

Floats = NDArray[np.float64]
Law = Callable[[Floats, Floats], Floats]  # (parameters, log n, standardised) -> log e
FLOOR = -30.0
STARTS = 8


def _power(p: Floats, x: Floats) -> Floats:
    return np.logaddexp(p[0], p[1] - np.exp(p[2]) * x)


def _arctan(p: Floats, x: Floats) -> Floats:
    n = np.exp(np.clip(x, -30, 30))
    return np.logaddexp(p[0], p[1] + np.log1p(-2 / np.pi * np.arctan(np.pi / 2 * np.exp(p[2]) * n) + 1e-9))


def _piecewise(p: Floats, x: Floats) -> Floats:
    at = np.minimum(x, p[3])
    return p[0] + p[1] * at + p[2] * at**2 + (p[1] + 2 * p[2] * p[3]) * (x - at)


def _m4(p: Floats, x: Floats) -> Floats:
    """By bisection on log e between the floor exp(p0) and the ceiling e0."""
    floor, ceiling = np.exp(p[0]), np.exp(p[0]) + np.exp(p[1])
    right = p[2] - np.exp(p[3]) * x
    low, high = np.full_like(x, 1e-9), np.full_like(x, 1 - 1e-9)
    for _ in range(50):
        middle = (low + high) / 2
        e = floor + middle * (ceiling - floor)
        less = np.log(e - floor) - np.exp(p[4]) * np.log(ceiling - e) < right
        low, high = np.where(less, middle, low), np.where(less, high, middle)
    return np.log(floor + (low + high) / 2 * (ceiling - floor))


def _bnsl(p: Floats, x: Floats) -> Floats:
    bend = sum(-p[k] * np.exp(p[k + 2]) * np.logaddexp(0, (x - p[k + 1]) / np.exp(p[k + 2])) for k in (3, 6))
    return np.logaddexp(p[0], p[1] - p[2] * x + bend)


LAWS: dict[str, tuple[Law, int]] = {
    "power law": (_power, 3), "arctan": (_arctan, 3), "piecewise power law": (_piecewise, 4), "M4": (_m4, 5),
    "BNSL": (_bnsl, 9),
}  # fmt: skip


def fit_law(name: str, n: Floats, error: Floats, seed: int = 0) -> Callable[[Floats], Floats]:
    """A law fitted to errors (positive) at sizes n, from several starts: sizes -> errors."""
    law, size = LAWS[name]
    center, spread = np.log(n).mean(), max(float(np.log(n).std()), 1e-9)
    x, y = (np.log(n) - center) / spread, np.log(error)
    rng = np.random.default_rng(seed)
    best, least = np.zeros(size), np.inf
    for _ in range(STARTS):
        start = rng.normal(0, 1, size)
        start[0] = y.min() - abs(rng.normal())
        start[1] = y.mean() + rng.normal() if size > 1 else start[1]
        with np.errstate(all="ignore"):
            found = least_squares(lambda p: np.nan_to_num(law(p, x) - y, nan=1e3, posinf=1e3, neginf=-1e3), start,
                                  loss="soft_l1", max_nfev=200)  # fmt: skip
        if found.cost < least:
            best, least = found.x, found.cost
    return lambda sizes: np.exp(np.clip(law(best, (np.log(sizes) - center) / spread), FLOOR, -FLOOR))
