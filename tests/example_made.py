"""The README's example: ten classes of the target set cifar100/a, as many images of each as the web gives."""

from __future__ import annotations

from predictor.distribution import LabelDistribution

CLASSES = ("bear", "bee", "bridge", "bus", "butterfly", "chair", "lion", "mushroom", "orange", "telephone")
COUNTS = (180, 120, 80, 50, 30, 20, 10, 5, 3, 2)


def counted(*counts: int) -> LabelDistribution:
    """So many images of each class."""
    return LabelDistribution.from_counts(dict(zip(CLASSES, counts, strict=True)))


WEB = counted(*COUNTS)
