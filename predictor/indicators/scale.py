"""How much there is: classes (H), samples per class (V), samples; of targets and of others."""

from __future__ import annotations

import numpy as np

from predictor.distribution import LabelDistribution
from predictor.indicators.registry import Undefined, indicator

PAPER = "Feuer & Hegde 2023, section 3"


def _counts(distribution: LabelDistribution) -> np.ndarray:
    if not distribution.n_classes:
        raise Undefined("no class has an image")
    return distribution.class_counts


@indicator(unit="classes", bounds=(0, None), direction=1, source=PAPER + ": label set size (H)")
def n_classes(distribution: LabelDistribution) -> float:
    """Number of classes that are trained on.

    >>> n_classes(LabelDistribution.from_counts({"a": 3, "b": 1}))
    2
    """
    return distribution.n_classes


@indicator(unit="images", bounds=(0, None), direction=1, source=PAPER + ": data set size")
def n_samples(distribution: LabelDistribution) -> float:
    """Number of images.

    >>> n_samples(LabelDistribution.from_counts({"a": 3, "b": 1}))
    4
    """
    return distribution.n_samples


@indicator(unit="images per class", bounds=(1, None), direction=1, source=PAPER + ": per-class size (V)")
def samples_per_class(distribution: LabelDistribution) -> float:
    """Mean number of images of a class, targets and others together.

    >>> float(samples_per_class(LabelDistribution.from_counts({"a": 3, "b": 1})))
    2.0
    """
    return _counts(distribution).mean()


@indicator(unit="images", bounds=(1, None), direction=1, source="standard")
def median_samples(distribution: LabelDistribution) -> float:
    """Median number of images of a class.

    >>> float(median_samples(LabelDistribution.from_counts({"a": 3, "b": 1, "c": 9})))
    3.0
    """
    return np.median(_counts(distribution))


@indicator(unit="images", bounds=(1, None), direction=1, source="standard")
def min_samples(distribution: LabelDistribution) -> float:
    """Images of the smallest class.

    >>> int(min_samples(LabelDistribution.from_counts({"a": 3, "b": 1})))
    1
    """
    return _counts(distribution).min()


@indicator(unit="images", bounds=(1, None), source="standard")
def max_samples(distribution: LabelDistribution) -> float:
    """Images of the largest class.

    >>> int(max_samples(LabelDistribution.from_counts({"a": 3, "b": 1})))
    3
    """
    return _counts(distribution).max()


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


@indicator(unit="classes", bounds=(0, None), direction=1, source=PAPER + ": OOD classes")
def n_other_classes(distribution: LabelDistribution) -> float:
    """Number of classes that are only trained on.

    >>> n_other_classes(LabelDistribution.from_counts({"a": 3, "b": 1}, targets=["a"]))
    1
    """
    return len(distribution.other_counts)


@indicator(unit="images", bounds=(0, None), direction=1, source=PAPER + ": OOD classes")
def n_other_samples(distribution: LabelDistribution) -> float:
    """Images of classes that are only trained on.

    >>> int(n_other_samples(LabelDistribution.from_counts({"a": 3, "b": 1}, targets=["a"])))
    1
    """
    return distribution.other_counts.sum()
