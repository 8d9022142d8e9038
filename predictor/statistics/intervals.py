"""Confidence intervals over configurations: bootstrap (BCa), jackknife, and when there is none."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri, stdtrit  # what scipy.stats calls, without its checks: most of the time

from predictor.statistics.ties import same

Floats = NDArray[np.float64]
MIN_CONFIGURATIONS = 4
FEW = 100  # configurations below which BCa alone is a little too narrow (benchmarks/agreement_coverage.py)
MAX_UNDEFINED = 0.05  # share of resamples in which the statistic may be undefined
MAX_PERFECT = 0.2  # share of resamples at the end of the range: beyond it the inner bound is too near as well


@dataclass(frozen=True, kw_only=True)
class Interval:
    """Bounds at a level, or the reason why there are none."""

    low: float | None
    high: float | None
    method: str
    reason: str | None = None


def interval(
    value: float,
    drawn: Floats,
    left_out: Floats,
    *,
    level: float,
    ends: tuple[float, float] = (-1.0, 1.0),
    separated: str | None = None,
    held: int = 0,
) -> Interval:
    """Bootstrap interval of a statistic of n configurations.

    drawn : (B,) its bootstrap values; left_out : (n,) its values without each configuration
    ends : of its range; separated : 'concordant' or 'discordant' where no such pair exists
    held : variables held fixed
    BCa (Efron 1987), percentile where the acceleration is undefined; below 100 configurations, where it covers too
    little, widened to the jackknife's interval as well. Undefined, with the reason, where resampling cannot show the
    uncertainty: every resample is as extreme, or as ordered though ties keep the value off the end, or without value.
    """
    if reason := degenerate(value, len(left_out) - held, ends=ends, separated=separated):
        return _none(reason)
    finite = drawn[~np.isnan(drawn)]
    if len(finite) < (1 - MAX_UNDEFINED) * len(drawn):
        return _none(f"undefined in {1 - len(finite) / len(drawn):.0%} of the resamples: too many ties")
    at_end = np.mean(same(finite, ends[0], of=1.0) | same(finite, ends[1], of=1.0))
    if at_end > MAX_PERFECT:
        return _none(f"{at_end:.0%} of the resamples are perfect: a bound at the end of the range would be too narrow")
    low, high, method = _bca(value, finite, left_out, level)
    if len(left_out) >= FEW:
        return Interval(low=low, high=high, method=method)
    other = jackknife(value, left_out, level=level, ends=ends, held=held)
    if other.low is None or other.high is None:
        return other
    return Interval(low=min(low, other.low), high=max(high, other.high), method=f"{method} and jackknife")


def jackknife(
    value: float, left_out: Floats, *, level: float, ends: tuple[float, float] = (-1.0, 1.0), held: int = 0,
    separated: str | None = None,
) -> Interval:  # fmt: skip
    """Student's t with the jackknife's standard error on Fisher's z scale: for U-statistics (Arvesen 1969)."""
    n = len(left_out)
    if reason := degenerate(value, n - held, ends=ends, separated=separated):
        return _none(reason)
    middle, half = (ends[0] + ends[1]) / 2, (ends[1] - ends[0]) / 2
    with np.errstate(divide="ignore"):
        z, without = np.arctanh((value - middle) / half), np.arctanh((left_out - middle) / half)
    if not np.isfinite(without).all():
        return _none("perfect or undefined without one of the configurations")
    error = math.sqrt((n - 1) / n * float(((without - without.mean()) ** 2).sum()))
    reach = float(stdtrit(n - 2 - held, (1 + level) / 2)) * error
    low, high = (float(middle + half * np.tanh(bound)) for bound in (z - reach, z + reach))
    return Interval(low=low, high=high, method="jackknife")


def degenerate(value: float, n: int, *, ends: tuple[float, float], separated: str | None) -> str | None:
    """Why no resample of these configurations can show how uncertain the value is; None where it can."""
    if n < MIN_CONFIGURATIONS:
        return f"fewer than {MIN_CONFIGURATIONS} configurations"
    if math.isnan(value):
        return "the statistic is undefined"
    if any(same(value, end, of=1.0) for end in ends):
        return "perfect agreement: every resample is perfect too, so the bootstrap cannot show its uncertainty"
    if separated:  # measured at n = 9 with ties: 59 % covered instead of 95 %
        return f"no {separated} pair: every resample is as ordered, so the bootstrap cannot show its uncertainty"
    return None


def _bca(value: float, drawn: Floats, left_out: Floats, level: float) -> tuple[float, float, str]:
    equal = same(drawn, value, of=1.0)
    below = np.mean((drawn < value) & ~equal) + 0.5 * np.mean(equal)
    levels, method = np.array([(1 - level) / 2, (1 + level) / 2]), "percentile"
    deviation = left_out.mean() - left_out
    spread = float((deviation**2).sum()) ** 1.5
    if 0 < below < 1 and spread > 0:  # false where a value without one configuration is nan
        z0, acceleration = ndtri(below), float((deviation**3).sum()) / (6 * spread)
        z = z0 + ndtri(levels)
        if (acceleration * z < 1).all():  # beyond, BCa's levels change their order
            levels, method = ndtr(z0 + z / (1 - acceleration * z)), "bca"
    low, high = np.quantile(drawn, levels)
    return float(low), float(high), method


def _none(reason: str) -> Interval:
    return Interval(low=None, high=None, method="none", reason=reason)
