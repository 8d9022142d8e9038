"""Held-out configurations on data seeds that the fit did not use: configuration and draw of the images are both new.

Studies share data seeds, so that equal designs of a target set train on nearly the same images, and a model that
remembers a draw looks better on held-out configurations than it is on new images. Here each fold leaves out a
configuration and a data seed: it fits on the other configurations without the runs of that seed, and is tested on the
configuration's runs with it. Runs whose data seed no other configuration has are new draws anyway.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from predictor.fitting.configurations import Configurations, Indices, configurations
from predictor.fitting.folds import FoldPart
from predictor.models.rows import Row, Sample


def shared_seeds(rows: Sequence[Row]) -> list[int]:
    """Data seeds that several configurations have, ascending."""
    owners: dict[int, set[str]] = {}
    for row in rows:
        if row.data_seed is not None:
            owners.setdefault(row.data_seed, set()).add(row.configuration_id)
    return sorted(seed for seed, found in owners.items() if len(found) > 1)


def crossed_parts(rows: Sequence[Row], configs: Configurations, folds: Sequence[Indices]) -> list[FoldPart] | None:
    """What to fit on and what to test, for each fold of configurations; None where no draw can be left out.

    That is so where all runs share one data seed, or where it is not known.
    """
    rows = Sample.of(rows)
    if any(row.data_seed is None for row in rows):
        return None
    shared = shared_seeds(rows)
    if len(shared) == 1:
        return None
    seed_of = np.array([row.data_seed for row in rows])
    fresh = ~np.isin(seed_of, shared)
    without = {None: rows} | {seed: Sample([row for row in rows if row.data_seed != seed]) for seed in shared}
    made = []
    for number, held in enumerate(folds):
        left = shared[number % len(shared)] if shared else None
        out = np.isin(configs.index, held)
        tested = rows.part(np.flatnonzero(out & (fresh | (seed_of == left))))
        if not len(tested):
            continue
        fit_on = without[left].part(np.flatnonzero(~(out if left is None else out[seed_of != left])))
        own = configurations(tested)
        position = {name: i for i, name in enumerate(configs.ids)}
        made.append(FoldPart(fit_on, np.array([position[name] for name in own.ids], dtype=np.int64), tested, own))
    return made or None
