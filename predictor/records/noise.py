"""Noise of a measured accuracy that comes from its finite test images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain

import numpy as np
from numpy.typing import ArrayLike, NDArray

from predictor.errors import PredictorError
from predictor.records.schema import Outcome

FloatArray = NDArray[np.float64]


def binomial_noise(correct: ArrayLike, tested: ArrayLike) -> float:
    """Standard deviation of a class-balanced accuracy from its finite test images.

    correct, tested : (C,) counts per class; sqrt(sum_c p_c (1 - p_c) / n_c) / C, which is sqrt(p (1 - p) / n) where
    all classes are alike

    >>> round(binomial_noise([50, 50], [100, 100]), 4)
    0.0354
    """
    right, of = np.asarray(correct, float), np.asarray(tested, float)
    if right.shape != of.shape or not of.size or (of < 1).any() or (right < 0).any() or (right > of).any():
        raise PredictorError("correct and tested must hold, for each class, 0 <= correct <= tested and tested >= 1")
    share = right / of
    return float(np.sqrt(np.sum(share * (1 - share) / of)) / of.size)


def outcome_noise(outcomes: Sequence[Mapping[str, Outcome]]) -> dict[str, FloatArray]:
    """{outcome: (n_runs,) `binomial_noise`} of every outcome that kept its counts, NaN where a run did not.

    The noise of robustness is that of the mean of its shifts.
    """
    alike: dict[tuple[tuple[str, int], ...], list[int]] = {}
    for run, own in enumerate(outcomes):  # one pass over all runs alike: a registry may hold 100,000
        alike.setdefault(tuple((name, len(outcome.tested)) for name, outcome in own.items()), []).append(run)
    found: dict[str, FloatArray] = {}
    for shape, runs in alike.items():
        noises: dict[str, FloatArray] = {}
        for name, size in shape:
            if size:
                noises[name] = _noise([outcomes[run][name] for run in runs], size)
        shifts = [name for name, _ in shape if name.startswith("shift:")]
        if ("robustness", 0) in shape and shifts and all(name in noises for name in shifts):
            both = zip(*(noises[name].tolist() for name in shifts), strict=True)
            noises["robustness"] = np.sqrt([sum(noise**2 for noise in row) for row in both]) / len(shifts)
        for name, values in noises.items():
            found.setdefault(name, np.full(len(outcomes), np.nan))[runs] = values
    return found


def _noise(outcomes: Sequence[Outcome], size: int) -> FloatArray:
    """(n,) of outcomes that all have so many classes."""
    total = size * len(outcomes)
    of = {id(outcome.tested): outcome.tested for outcome in outcomes}  # runs of one test set share it
    place = {key: number for number, key in enumerate(of)}
    rows = np.fromiter((place[id(outcome.tested)] for outcome in outcomes), np.intp, len(outcomes))
    tested = np.maximum(np.array(list(of.values()), float), 1)[rows].ravel()
    share = np.fromiter(chain.from_iterable(outcome.correct for outcome in outcomes), float, total) / tested
    variance = np.add.reduceat(share * (1 - share) / tested, np.arange(0, total, size))
    return np.sqrt(variance) / size
