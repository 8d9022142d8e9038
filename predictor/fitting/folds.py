"""Folds: configurations to fit on and configurations held out, by configuration, group or size."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictor.fitting.configurations import Configurations, Indices
from predictor.models.base import MINIMUM, Floats
from predictor.models.rows import Row, Sample
from predictor.recipes import NONE
from predictor.statistics.ties import at_least, same

Fold = tuple[Indices, Indices]  # configurations to fit on, configurations held out


@dataclass(frozen=True, eq=False)
class FoldPart:
    """One fold: rows to fit on; configurations held out, their rows, and these grouped."""

    fit_on: Sample
    held: Indices
    rows: Sample
    configs: Configurations


def configuration_folds(rows: Sequence[Row], configs: Configurations, k: int) -> list[Indices]:
    """k folds of whole configurations, every target set spread over all of them; the same on every machine.

    Those of the `same_images` stay together: the others tell of a draw what no new data set could. Where there is no
    other draw each stands for itself.
    """
    together = same_images(rows, configs)
    if len(together) == 1:
        together = [[i] for i in range(len(configs.ids))]
    digest = [hashlib.sha256(name.encode()).hexdigest() for name in configs.ids]
    order = sorted(together, key=lambda own: (configs.target_sets[own[0]], min(digest[i] for i in own)))
    k = min(k, len(order))
    return [np.array(sorted(i for own in order[at::k] for i in own), dtype=np.int64) for at in range(k)]


def same_images(rows: Sequence[Row], configs: Configurations) -> list[list[int]]:
    """The configurations, those together that differ in their action alone and trained on the same images.

    Images are the same where counts and data seeds are; runs that do not say theirs share none.
    """
    seeds: list[set[int | None]] = [set() for _ in configs.ids]
    for row, own in zip(rows, configs.index.tolist(), strict=True):
        seeds[own].add(row.data_seed)
    alike: dict[Hashable, list[int]] = {}
    for own, at in enumerate(configs.first.tolist()):
        case = rows[at].case
        key: Hashable = own
        if case.distribution is not None and None not in seeds[own]:
            images = tuple(case.distribution.rows())
            key = (case.level, tuple(case.recipe.items()), images, frozenset(seeds[own]))
        alike.setdefault(key, []).append(own)
    made = []
    for together in alike.values():
        acting = any(rows[configs.first[own]].case.action != NONE for own in together)
        made += [together] if acting else [[own] for own in together]  # else they differ in what no indicator says
    return made


def group_folds(groups: NDArray[Any], k: int | None = None) -> list[Indices]:
    """One fold for every group; or k folds of whole groups, where there are more."""
    names = np.unique(groups)
    if k is None or len(names) <= k:
        return [np.flatnonzero(groups == name) for name in names]
    return [np.flatnonzero(np.isin(groups, names[i::k])) for i in range(k)]


def growing_folds(sizes: Floats, groups: NDArray[Any]) -> list[Fold]:
    """Forward in size: fit on the smaller configurations of every group, hold out the next fifth, three times."""
    beyond = np.empty(0, dtype=np.int64)
    folds = []
    for share in (0.2, 0.4, 0.6):
        top = largest(sizes, groups, share)
        held = np.setdiff1d(top, beyond)
        rest = np.setdiff1d(np.arange(len(sizes)), top)
        if len(held) and len(rest) >= MINIMUM:
            folds.append((rest, held))
        beyond = np.union1d(beyond, top)
    return folds


def largest(sizes: Floats, groups: NDArray[Any], share: float) -> Indices:
    """The largest configurations of every group, by images. Every group keeps smaller ones to learn its level from."""
    if not np.isfinite(sizes).all():
        return np.empty(0, dtype=np.int64)
    held = []
    for name in np.unique(groups):
        own = np.flatnonzero(groups == name)
        n = int(share * len(own) + 1e-9)
        if n:
            edge = np.sort(sizes[own])[-n]
            top = own[at_least(sizes[own], edge)]  # ties at the edge go out together
            held.append(
                top if len(top) <= max(n, len(own) // 2) else own[(sizes[own] > edge) & ~same(sizes[own], edge)]
            )
    return np.sort(np.concatenate(held)) if held else np.empty(0, dtype=np.int64)
