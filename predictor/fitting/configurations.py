"""Configurations: runs with their seeds averaged, the unit of evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictor.models.base import Floats
from predictor.models.links import counted_logit
from predictor.models.rows import Row, Sample
from predictor.models.scales import ACCURACY, Scale
from predictor.statistics.error_scale import haste

Indices = NDArray[np.int64]
UNKNOWN_TESTED = 1000  # test images of a result that does not state them


@dataclass(frozen=True, eq=False)
class Configurations:
    """Runs with their seeds averaged: the unit of evidence.

    ids : a key of each, of its name and its target set; names : their configuration ids
    index : (n_rows,) configuration of each row
    measured : (n,) mean share over seeds
    values, sd2 : (n,) the same in the outcome's own unit, and the variance of one run (nan with one seed)
    replicates : (n,) how many runs sd2 is of
    single : (n,) logit of one run of each, another seed from one configuration to the next
    tested : (n,) test images behind it; infinite where it counts none
    haste : (n,) how much shorter than usual it is trained, log(median image-steps / its own); 0 where it is not
    representative : (n,) of a study whose configurations were drawn as a user's would be
    """

    ids: list[str]
    names: list[str]
    index: Indices
    first: Indices
    measured: Floats
    logits: Floats
    values: Floats
    sd2: Floats
    scale: Scale
    tested: Floats
    seeds: Indices
    target_sets: NDArray[Any]
    domains: NDArray[Any]
    studies: NDArray[Any]
    representative: NDArray[np.bool_]
    steps: Floats
    replicates: Indices
    single: Floats

    @cached_property
    def usual_steps(self) -> float | None:
        """Median image-steps; None where they are not known."""
        return float(np.median(self.steps)) if len(self.steps) and np.isfinite(self.steps).all() else None

    @property
    def haste(self) -> Floats:
        """(n,) see above."""
        return haste(self.steps, self.usual_steps)

    def mean(self, values: Floats) -> Floats:
        """(n,) mean over the rows of each configuration."""
        return np.bincount(self.index, weights=values, minlength=len(self.ids)) / self.seeds

    def among(self, chosen: Indices, measured: Floats, seeds: Indices) -> Configurations:
        """Some of them, measured anew on runs of their own: (len(chosen),) each; `index` is that of their rows."""
        kept = np.isin(self.index, chosen)
        named = {"ids": [self.ids[i] for i in chosen], "names": [self.names[i] for i in chosen]}
        whole = {**named, "index": np.searchsorted(chosen, self.index[kept])}
        own = ("first", "logits", "sd2", "tested", "target_sets", "domains", "studies", "representative", "steps")
        each = {name: getattr(self, name)[chosen] for name in (*own, "replicates", "single")}
        values = self.scale.values(measured)
        return Configurations(**whole, **each, measured=measured, values=values, seeds=seeds, scale=self.scale)


def configurations(rows: Sequence[Row]) -> Configurations:
    """Group the rows by configuration; a configuration on two target sets counts as two."""
    rows = Sample.of(rows)
    ids, first, index = rows.labelled("configuration, target set")
    seeds, values = np.bincount(index), rows.values
    measured = np.bincount(index, weights=values) / seeds
    scale = rows[0].scale if rows else ACCURACY
    own = scale.values(measured)
    squares = np.bincount(index, weights=(scale.values(values) - own[index]) ** 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        sd2 = np.where(seeds > 1, squares / (seeds - 1), np.nan)
    tested = np.bincount(index, weights=rows.numbers("tested", _tested))
    return Configurations(
        ids=ids,
        names=[rows[i].configuration_id for i in first],
        index=index,
        first=first,
        measured=measured,
        logits=counted_logit(measured, tested),
        values=own,
        sd2=sd2,
        scale=scale,
        tested=tested,
        seeds=seeds,
        target_sets=np.array([rows[i].target_set for i in first]),
        domains=np.array([rows[i].domain for i in first]),
        studies=np.array([rows[i].study for i in first]),
        representative=np.array([rows[i].representative for i in first], dtype=bool),
        steps=rows.numbers("image_steps", lambda row: row.case.recipe.get("image_steps", np.nan))[first],
        replicates=seeds,
        single=_single(index, seeds, values, rows.numbers("tested", _tested)),
    )


def _single(index: Indices, seeds: Indices, values: Floats, tested: Floats) -> Floats:
    """(n,) logit of one run of each configuration: that number i, of its k runs the one number i modulo k."""
    order = np.argsort(index, kind="stable")
    start = np.concatenate([[0], np.cumsum(seeds)[:-1]])
    chosen = order[start + np.arange(len(seeds)) % seeds]
    return counted_logit(values[chosen], tested[chosen])


def _tested(row: Row) -> float:
    return (row.n_tested or UNKNOWN_TESTED) if row.scale.is_share else np.inf


def take(rows: Sequence[Row], configs: Configurations, chosen: Indices) -> Sample:
    """The rows of the chosen configurations."""
    wanted = np.zeros(len(configs.ids), dtype=bool)
    wanted[chosen] = True
    return Sample.of(rows).part(np.flatnonzero(wanted[configs.index]))
