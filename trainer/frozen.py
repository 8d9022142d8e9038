"""One run of a frozen network: features of the chosen images, a head that is solved for, logits of the test sets."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from predictor.distribution import LabelDistribution
from predictor.errors import DataError
from predictor.spec import RunSpec
from trainer.data.selection import choose, head_places
from trainer.data.source import Source
from trainer.features.extract import features
from trainer.features.heads import Head, fit_head
from trainer.imbalance import offset_at_test
from trainer.stages import Trained


def solved(
    spec: RunSpec,
    source_of: Callable[[str], Source],
    test_rows: Mapping[str, tuple[str, NDArray[np.int64]]],
    file: Path,
    device: str,
) -> tuple[Trained, Callable[[str], Tensor], list[LabelDistribution]]:
    """Solve for the head of a spec: what was trained, the logits (n, T) of each test set, and what it was trained on.

    test_rows : {test set: (source, rows)}; file : of the weights
    Raises DataError for images that are missing, unreadable or too few.
    """
    begun = time.perf_counter()
    tests = {name: features(source_of(of), rows, spec.model, file, device) for name, (of, rows) in test_rows.items()}
    chosen = choose(spec, 0, source_of)
    places = head_places(spec, [chosen])
    labels = np.repeat([places[part.source, part.label] for part in chosen], [len(part.rows) for part in chosen])
    seen = np.concatenate([features(source_of(p.source), p.rows, spec.model, file, device) for p in chosen])
    counts = np.bincount(labels, minlength=len(set(places.values())))
    if not counts.all():
        raise DataError("a class has no image", where=f"run {spec.run_id}", remedy="give every class one image or more")
    head = fit_head(seen, labels, len(counts), spec.recipe, spec.seeds.training)
    trained = Trained(
        model=None,
        finite=True,
        seconds=time.perf_counter() - begun,
        compile_seconds=0.0,
        micro_batch=None,
        resumed=False,
    )
    shares = [(part.label, part.source, len(part.rows)) for part in chosen]

    def logits(name: str) -> Tensor:
        return _logits(spec, head, counts, tests[name])[:, : len(spec.target.classes)]

    return trained, logits, [LabelDistribution.from_counts(shares, targets=spec.target.classes)]


def _logits(spec: RunSpec, head: Head, counts: NDArray[np.int64], seen: NDArray[np.float16]) -> Tensor:
    return torch.from_numpy(head.logits(seen) - offset_at_test(spec.recipe, counts)).float()
