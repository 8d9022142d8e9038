"""Is a mean above, below or near a bound? Student's t, and two one-sided tests (Schuirmann 1987) for "no effect".

"Not significant" is no evidence of no effect: it also comes of too few values. Equivalence is shown only where the
mean is significantly above -margin and significantly below +margin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from predictor.errors import PredictorError
from predictor.statistics.ties import varies


@dataclass(frozen=True)
class MeanTest:
    """The mean of independent values, tested with Student's t on n - 1 degrees of freedom.

    values : at least two finite numbers that are not all the same
    Raises PredictorError for anything else: without spread there is nothing to test with.

    >>> test = MeanTest((0.1, 0.3, 0.2, 0.4))
    >>> round(test.mean, 3), [round(bound, 3) for bound in test.interval(0.95)]
    (0.25, [0.045, 0.455])
    """

    values: tuple[float, ...]

    def __post_init__(self) -> None:
        values = np.asarray(self.values, float)
        if values.ndim != 1 or len(values) < 2 or not np.isfinite(values).all():
            raise PredictorError(f"a test of a mean needs at least 2 finite values, found {list(self.values)}")
        if not varies(values, of=1.0):  # differences of accuracies
            raise PredictorError(f"all {len(values)} values are the same: there is no spread to test with")

    @property
    def mean(self) -> float:
        """Mean of the values."""
        return float(self._statistics.mean)

    @property
    def deviation(self) -> float:
        """Standard deviation of the values, with n - 1."""
        return float(np.std(self.values, ddof=1))

    def interval(self, level: float) -> tuple[float, float]:
        """Two-sided confidence interval of the mean; at 0.90 it lies inside +-margin where TOST holds at 5 %."""
        low, high = self._statistics.tconfint_mean(alpha=1 - level)
        return float(low), float(high)

    def p_above(self, bound: float = 0.0) -> float:
        """One-sided p of mean <= bound: small where the mean is above it."""
        return _possible(self._statistics.ttest_mean(bound, alternative="larger")[1])

    def p_below(self, bound: float = 0.0) -> float:
        """One-sided p of mean >= bound: small where the mean is below it."""
        return _possible(self._statistics.ttest_mean(bound, alternative="smaller")[1])

    def p_equivalent(self, margin: float) -> float:
        """Two one-sided tests: small where the mean lies inside (-margin, margin), the larger of the two p.

        >>> noisy, exact = MeanTest((-0.2, 0.1, 0.15)), MeanTest((-0.002, 0.001, 0.001))
        >>> noisy.p_equivalent(0.01) > 0.4, exact.p_equivalent(0.01) < 0.01
        (True, True)
        """
        if not margin > 0:
            raise PredictorError(f"a margin is above 0, found {margin}")
        return _possible(self._statistics.ttost_mean(-margin, margin)[0])

    def p_beyond(self, margin: float) -> float:
        """Minimal-effect test: small where the mean lies outside [-margin, margin]; twice the smaller one-sided p."""
        return min(1.0, 2 * min(self.p_above(margin), self.p_below(-margin)))

    @cached_property
    def _statistics(self) -> Any:
        from statsmodels.stats.weightstats import DescrStatsW

        return DescrStatsW(np.asarray(self.values, float))


def p_differs(groups: Sequence[Sequence[float]]) -> float | None:
    """p of equal means of independent groups whose variances may differ (Welch 1951); None where it cannot be tested.

    That is so with fewer than two groups of at least two values that are not all the same.

    >>> round(p_differs([[0.1, 0.2, 0.15], [0.5, 0.6, 0.4]]), 4), p_differs([[0.1], [0.5, 0.6]])
    (0.013, None)
    """
    own = [np.asarray(group, float) for group in groups if len(group) > 1 and varies(group, of=1.0)]
    if len(own) < 2:
        return None
    from statsmodels.stats.oneway import anova_oneway

    return _possible(anova_oneway(own, use_var="unequal").pvalue)


def ratio_interval(part: Sequence[float], whole: Sequence[float], level: float = 0.95) -> tuple[float, float] | None:
    """Fieller's (1954) interval of mean(part) / mean(whole), paired; None where it is not bounded.

    It is unbounded where mean(whole) itself is not significantly different from 0: a share of nothing.

    >>> [round(bound, 3) for bound in ratio_interval([1.0, 2.1, 2.9, 4.2], [2.0, 4.0, 6.0, 8.0])]
    [0.418, 0.56]
    """
    from scipy import stats

    x, y = np.asarray(part, float), np.asarray(whole, float)
    n = len(x)
    if n < 2 or len(y) != n:
        raise PredictorError("a ratio of means needs at least 2 pairs")
    covariance = np.cov(x, y) / n
    t2 = stats.t(n - 1).ppf((1 + level) / 2) ** 2
    a = y.mean() ** 2 - t2 * covariance[1, 1]
    b = x.mean() * y.mean() - t2 * covariance[0, 1]
    c = x.mean() ** 2 - t2 * covariance[0, 0]
    root = b * b - a * c
    if a <= 0 or root < 0:
        return None
    return float((b - np.sqrt(root)) / a), float((b + np.sqrt(root)) / a)


def _possible(p: float) -> float:
    """A p-value is never 0: what underflows is only very small."""
    return max(float(p), float(np.finfo(float).tiny))
