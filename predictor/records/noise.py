"""Noise of a measured accuracy that comes from its finite test images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain

import numpy as np
from numpy.typing import ArrayLike

from predictor.errors import PredictorError
from predictor.records.schema import Outcome


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


def outcome_noise(outcomes: Sequence[Mapping[str, Outcome]]) -> list[dict[str, float]]:
    """`binomial_noise` of every outcome of every run that kept its counts; robustness is the mean of its shifts."""
    places = [(run, name) for run, own in enumerate(outcomes) for name, outcome in own.items() if outcome.tested]
    found: list[dict[str, float]] = [{} for _ in outcomes]
    if not places:
        return found
    kept = [outcomes[run][name] for run, name in places]
    sizes = np.array([len(outcome.tested) for outcome in kept])
    total = int(sizes.sum())
    tested = np.fromiter(chain.from_iterable(outcome.tested for outcome in kept), float, total)
    share = np.fromiter(chain.from_iterable(outcome.correct for outcome in kept), float, total) / np.maximum(tested, 1)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])  # one pass over all runs: a registry may hold 100,000
    noise = np.sqrt(np.add.reduceat(share * (1 - share) / np.maximum(tested, 1), starts)) / sizes
    for (run, name), value in zip(places, noise.tolist(), strict=True):
        found[run][name] = value
    for own, noises in zip(outcomes, found, strict=True):
        shifts = [name for name in own if name.startswith("shift:")]
        if "robustness" in own and "robustness" not in noises and shifts and all(name in noises for name in shifts):
            noises["robustness"] = float(np.sqrt(sum(noises[name] ** 2 for name in shifts)) / len(shifts))
    return found
