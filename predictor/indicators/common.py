"""What several families share: the tested classes' counts, and how a parameter behind '@' is read."""

from __future__ import annotations

from predictor.distribution import Counts, LabelDistribution
from predictor.indicators.registry import Undefined

PAPER = "Feuer & Hegde 2023"


def trained(distribution: LabelDistribution) -> Counts:
    """(C,) images per class, targets and others together, largest first; undefined where there is none."""
    if not distribution.n_classes:
        raise Undefined("no class has an image")
    return distribution.ranked_counts


def tested(distribution: LabelDistribution) -> Counts:
    """(T,) images of the tested classes, largest first, some may have none; undefined where all have none."""
    counts = distribution.ranked_target_counts
    if not len(counts) or not counts[0]:
        raise Undefined("no target class has an image")
    return counts


def all_tested(distribution: LabelDistribution) -> Counts:
    """(T,) images of the tested classes, largest first; undefined where any has none."""
    counts = tested(distribution)
    if not counts[-1]:
        raise Undefined(f"{int((counts == 0).sum())} target classes have no image")
    return counts


def percent(text: str) -> tuple[float]:
    """'5' -> 5.0, above 0 and up to 100."""
    value = float(text)
    if not 0 < value <= 100:
        raise ValueError(text)
    return (value,)


def positive(text: str) -> tuple[float]:
    """'0.5' -> 0.5, a finite number above 0."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError(text)
    return (value,)


def threshold(text: str) -> tuple[float, bool]:
    """'100' -> (100.0, False); '0.4mean' -> (0.4, True), relative to the mean size of a target class."""
    (value,) = positive(text.removesuffix("mean"))
    return value, text.endswith("mean")


def limit(counts: Counts, k: float, relative: bool) -> float:
    """The number of images below which a class is small."""
    return k * float(counts.mean()) if relative else k
