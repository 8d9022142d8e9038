"""The gate that every reader of outcomes passes: no value is compared, ranked or fitted that its scale cannot hold."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import ArrayLike

from predictor.errors import RegistryError
from predictor.records.schema import RunRecord
from predictor.statistics.outcome_scales import impossible, needed


def pass_gate(records: Iterable[RunRecord]) -> dict[str, str]:
    """{outcome: its scale} of the records.

    Raises RegistryError where a value is outside its scale (accuracies in per cent), and where the runs state one
    outcome on several scales.
    """
    scales: dict[str, Counter[str]] = defaultdict(Counter)
    held: dict[tuple[str, str], tuple[list[float], list[str]]] = defaultdict(lambda: ([], []))
    for record in records:
        for name, outcome in record.outcomes.items():
            scales[name][outcome.scale] += 1
            values, ids = held[name, outcome.scale]
            values.append(outcome.value)
            ids.append(f"{record.study}/{record.run_id}")
    for (name, scale), (values, ids) in held.items():
        refuse_impossible(name, scale, values, ids.__getitem__)
    return {name: one_scale(name, found) for name, found in scales.items()}


def refuse_impossible(name: str, scale: str, values: ArrayLike, run: Callable[[int], str]) -> None:
    """Raise RegistryError where the scale of an outcome cannot hold some of its values; run: the i-th one's name."""
    bad = np.flatnonzero(impossible(scale, values))
    if not len(bad):
        return
    found, first = np.asarray(values), int(bad[0])
    raise RegistryError(
        f"{name}: {len(bad)} of {len(found)} runs have a value that scale {scale!r} cannot hold (first: run "
        f"{run(first)}: {found[first]:g}); needed: {needed(scale)}",
        remedy="divide per cent by 100 where the records are made, or leave the study out: --study",
    )


def one_scale(name: str, found: Counter[str]) -> str:
    """The scale of an outcome from {scale: runs}; raises RegistryError where there are several."""
    if len(found) > 1:
        shown = ", ".join(f"{scale} in {n} runs" for scale, n in sorted(found.items()))
        raise RegistryError(
            f"{name} is on several scales: {shown}; numbers of two scales cannot be compared",
            remedy="give each a name of its own, or take one study: --study",
        )
    return next(iter(found))
