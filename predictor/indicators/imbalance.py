"""How unevenly the images are spread over the tested classes."""

from __future__ import annotations

import numpy as np

from predictor.distribution import Counts, LabelDistribution
from predictor.indicators.common import PAPER, all_tested, percent, tested
from predictor.indicators.registry import Undefined, indicator


@indicator(
    unit="share",
    bounds=(0, 1),
    source=f"{PAPER}, section 4.2.1 (k = 5 %), Lorenz-interpolated",
    parse=percent,
    parameter="p",
    defaults=("5",),
)
def left_skew(distribution: LabelDistribution, percent: float) -> float:
    """Share of the target samples that lies in the most common p % of the target classes; balanced: p %.

    p % need not be a whole number of classes: the next class counts with its fraction.

    >>> left_skew(LabelDistribution.from_counts({"a": 70, "b": 20, "c": 10}), 50.0)
    0.8
    """
    counts = tested(distribution)
    wanted = percent / 100 * len(counts)
    whole = min(int(wanted), len(counts))
    part = (wanted - whole) * counts[whole] if whole < len(counts) else 0.0
    return float((counts[:whole].sum() + part) / counts.sum())


@indicator(unit="ratio", bounds=(1, None), direction=-1, source="standard, e.g. Cui et al. 2019")
def imbalance_ratio(distribution: LabelDistribution) -> float:
    """Images of the largest over images of the smallest tested class.

    >>> imbalance_ratio(LabelDistribution.from_counts({"a": 50, "b": 10}))
    5.0
    """
    counts = all_tested(distribution)
    return float(counts[0] / counts[-1])


@indicator(unit="coefficient", bounds=(0, 1), direction=-1, source="Gini 1912")
def gini(distribution: LabelDistribution) -> float:
    """Gini coefficient of the target class sizes; 0 where all are equal.

    Mean absolute difference of two class sizes over twice their mean.

    >>> gini(LabelDistribution.from_counts({"a": 30, "b": 10}))
    0.25
    """
    counts = tested(distribution)
    n = len(counts)
    weights = np.arange(n - 1, -n, -2, dtype=float)  # of the largest class first
    return float((weights * counts).sum() / (n * float(counts.sum())))


def _entropy(counts: Counts) -> float:
    """Shannon entropy of the class shares in nats."""
    share = counts[: np.count_nonzero(counts)] / counts.sum()  # largest first: zeros stand at the end
    return float(-(share * np.log(share)).sum())


@indicator(unit="share", bounds=(0, 1), direction=1, source="Shannon 1948; Pielou 1966 (evenness)")
def normalised_entropy(distribution: LabelDistribution) -> float:
    """Entropy of the target class shares over its largest possible value, the log of the number of target classes.

    >>> round(normalised_entropy(LabelDistribution.from_counts({"a": 30, "b": 10})), 4)
    0.8113
    """
    counts = tested(distribution)
    if len(counts) == 1:
        raise Undefined("there is one target class: its share is always 1")
    return _entropy(counts) / float(np.log(len(counts)))


@indicator(unit="classes", bounds=(1, None), direction=1, source="Hill 1973, order 1")
def effective_classes(distribution: LabelDistribution) -> float:
    """Exponential of the entropy of the target class shares: that many equal classes would be as diverse.

    >>> round(effective_classes(LabelDistribution.from_counts({"a": 10, "b": 10})), 6)
    2.0
    """
    return float(np.exp(_entropy(tested(distribution))))


def _order(text: str) -> tuple[float]:
    value = float(text)
    if not 0 <= value < float("inf"):
        raise ValueError(text)
    return (value,)


@indicator(
    unit="classes",
    bounds=(1, None),
    direction=1,
    source="Hill 1973",
    parse=_order,
    parameter="q",
    defaults=("2",),
)
def hill_number(distribution: LabelDistribution, order: float) -> float:
    """Hill number of order q of the target class shares, (sum of p_c^q)^(1 / (1 - q)): a number of equal classes.

    Order 0 counts the target classes with images, order 1 is `effective_classes`, order 2 is one over the chance that
    two images drawn at random share their class.

    >>> round(hill_number(LabelDistribution.from_counts({"a": 30, "b": 10}), 2.0), 6)
    1.6
    """
    counts = tested(distribution)
    if order == 1:
        return effective_classes(distribution)
    logs = np.log(counts[: np.count_nonzero(counts)] / counts.sum())
    # p_c^q may be too small for a float: the largest class is taken out of the sum
    return float(np.exp((order * logs[0] + np.log(np.exp(order * (logs - logs[0])).sum())) / (1 - order)))


@indicator(unit="nats", bounds=(0, None), direction=-1, source="Kullback & Leibler 1951")
def kl_uniform(distribution: LabelDistribution) -> float:
    """Kullback-Leibler divergence of the target class shares from equal shares; 0 where all are equal.

    Accuracy that is averaged over classes tests with equal shares.

    >>> round(kl_uniform(LabelDistribution.from_counts({"a": 30, "b": 10})), 4)
    0.1308
    """
    counts = tested(distribution)
    counts = counts[: np.count_nonzero(counts)].astype(float)
    total = counts.sum()
    # the mean of log(p_c / (1 / T)) rather than log T less the entropy: exactly 0 where all are equal
    return max(0.0, float((counts / total * np.log(counts * (len(distribution.target_names) / total))).sum()))


@indicator(unit="nats", bounds=(0, None), direction=-1, source="Kullback & Leibler 1951")
def kl_test(distribution: LabelDistribution, *, test: LabelDistribution | None) -> float:
    """Kullback-Leibler divergence of the target class shares from their shares in the test set (--test FILE).

    Undefined where no test set is given, and where a target class with images has none in it.

    >>> train, test = (LabelDistribution.from_counts(c) for c in ({"a": 30, "b": 10}, {"a": 10, "b": 10}))
    >>> round(kl_test(train, test=test), 4)
    0.1308
    """
    if test is None:
        raise Undefined("no test set is given (--test FILE); against equal test shares it is kl_uniform")
    tested(distribution)
    here = distribution.target_counts
    there = test.with_targets(distribution.target_names).target_counts  # of the same classes in the same order
    if (missing := np.flatnonzero((here > 0) & (there == 0))).size:
        first = distribution.target_names[missing[0]]
        raise Undefined(f"{missing.size} target classes have no test image, first {first!r}")
    p, q = (counts[here > 0] / counts.sum() for counts in (here, there))
    return max(0.0, float((p * np.log(p / q)).sum()))
