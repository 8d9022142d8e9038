"""How much there is: classes (H), samples per class (V), samples; of targets and of others."""

from __future__ import annotations

import math

from predictor.distribution import Counts, LabelDistribution
from predictor.indicators.common import PAPER, percent, tested, trained
from predictor.indicators.registry import Undefined, indicator

SECTION = f"{PAPER}, section 3"


def _quantile(counts: Counts, p: float) -> float:
    """Of counts from the largest to the smallest, linear between neighbours."""
    place = (len(counts) - 1) * (1 - p)
    low = min(int(place), len(counts) - 1)
    upper, lower = float(counts[low]), float(counts[min(low + 1, len(counts) - 1)])
    return upper + (lower - upper) * (place - low)


@indicator(unit="classes", bounds=(0, None), direction=1, source=SECTION + ": label set size (H)")
def n_classes(distribution: LabelDistribution) -> float:
    """Number of classes that are trained on.

    >>> n_classes(LabelDistribution.from_counts({"a": 3, "b": 1}))
    2
    """
    return distribution.n_classes


@indicator(unit="images", bounds=(0, None), direction=1, source=SECTION + ": data set size")
def n_samples(distribution: LabelDistribution) -> float:
    """Number of images.

    >>> n_samples(LabelDistribution.from_counts({"a": 3, "b": 1}))
    4
    """
    return distribution.n_samples


@indicator(unit="log classes", bounds=(0, None), direction=1, source="natural log of n_classes")
def log_n_classes(distribution: LabelDistribution) -> float:
    """Natural log of the number of classes that are trained on.

    >>> round(log_n_classes(LabelDistribution.from_counts({"a": 3, "b": 1})), 4)
    0.6931
    """
    return math.log(len(trained(distribution)))


@indicator(unit="log images", bounds=(0, None), direction=1, source="natural log of n_samples")
def log_n_samples(distribution: LabelDistribution) -> float:
    """Natural log of the number of images.

    >>> round(log_n_samples(LabelDistribution.from_counts({"a": 3, "b": 1})), 4)
    1.3863
    """
    trained(distribution)
    return math.log(distribution.n_samples)


@indicator(unit="labels", bounds=(0, None), source="multi-label data, e.g. OpenImages")
def labels_per_image(distribution: LabelDistribution) -> float:
    """Mean number of labels of an image; 1 where every image has one.

    >>> labels_per_image(LabelDistribution.from_counts({"a": 3, "b": 1}, n_samples=2))
    2.0
    """
    return float(trained(distribution).sum() / distribution.n_samples)


@indicator(unit="images per class", bounds=(1, None), direction=1, source=SECTION + ": per-class size (V)")
def samples_per_class(distribution: LabelDistribution) -> float:
    """Mean number of images of a class, targets and others together.

    >>> float(samples_per_class(LabelDistribution.from_counts({"a": 3, "b": 1})))
    2.0
    """
    return trained(distribution).mean()


@indicator(unit="images", bounds=(1, None), direction=1, source="standard")
def median_samples(distribution: LabelDistribution) -> float:
    """Median number of images of a class.

    >>> float(median_samples(LabelDistribution.from_counts({"a": 3, "b": 1, "c": 9})))
    3.0
    """
    return _quantile(trained(distribution), 0.5)


@indicator(unit="images", bounds=(1, None), direction=1, source="standard")
def min_samples(distribution: LabelDistribution) -> float:
    """Images of the smallest class.

    >>> int(min_samples(LabelDistribution.from_counts({"a": 3, "b": 1})))
    1
    """
    return trained(distribution)[-1]


@indicator(unit="images", bounds=(1, None), source="standard")
def max_samples(distribution: LabelDistribution) -> float:
    """Images of the largest class.

    >>> int(max_samples(LabelDistribution.from_counts({"a": 3, "b": 1})))
    3
    """
    return trained(distribution)[0]


@indicator(
    unit="images",
    bounds=(1, None),
    source="standard; linear between order statistics (Hyndman & Fan 1996, type 7)",
    parse=percent,
    parameter="p",
    defaults=("25", "75"),
)
def samples_quantile(distribution: LabelDistribution, p: float) -> float:
    """Images of a class at the p % quantile of the class sizes; p = 25 and 75 are the quartiles.

    >>> samples_quantile(LabelDistribution.from_counts({"a": 10, "b": 20, "c": 30}), 25)
    15.0
    """
    return _quantile(trained(distribution), p / 100)


@indicator(unit="classes", bounds=(0, None), source="DESIGN: target class")
def n_target_classes(distribution: LabelDistribution) -> float:
    """Number of tested classes, with images or without.

    >>> n_target_classes(LabelDistribution.from_counts({"a": 3, "b": 1}, targets=["a", "z"]))
    2
    """
    return len(distribution.target_names)


@indicator(unit="images", bounds=(0, None), direction=1, source="DESIGN: target class")
def n_target_samples(distribution: LabelDistribution) -> float:
    """Images of tested classes.

    >>> int(n_target_samples(LabelDistribution.from_counts({"a": 3, "b": 1}, targets=["a"])))
    3
    """
    return distribution.target_counts.sum()


@indicator(unit="images per class", bounds=(0, None), direction=1, source=SECTION + ": V of the tested classes")
def target_samples_per_class(distribution: LabelDistribution) -> float:
    """Mean number of images of a tested class.

    >>> target_samples_per_class(LabelDistribution.from_counts({"a": 3, "b": 1, "c": 7}, targets=["a", "b"]))
    2.0
    """
    return float(tested(distribution).mean())


@indicator(unit="classes", bounds=(0, None), direction=1, source=SECTION + ": OOD classes")
def n_other_classes(distribution: LabelDistribution) -> float:
    """Number of classes that are only trained on.

    >>> n_other_classes(LabelDistribution.from_counts({"a": 3, "b": 1}, targets=["a"]))
    1
    """
    return len(distribution.other_counts)


@indicator(unit="images", bounds=(0, None), direction=1, source=SECTION + ": OOD classes")
def n_other_samples(distribution: LabelDistribution) -> float:
    """Images of classes that are only trained on.

    >>> int(n_other_samples(LabelDistribution.from_counts({"a": 3, "b": 1}, targets=["a"])))
    1
    """
    return distribution.other_counts.sum()


@indicator(unit="images per class", bounds=(1, None), direction=1, source=SECTION + ": V of the OOD classes")
def other_samples_per_class(distribution: LabelDistribution) -> float:
    """Mean number of images of a class that is only trained on; undefined where there is none.

    >>> other_samples_per_class(LabelDistribution.from_counts({"a": 3, "b": 1, "c": 7}, targets=["a"]))
    4.0
    """
    if not len(distribution.other_counts):
        raise Undefined("every class is a target")
    return float(distribution.other_counts.mean())
