"""Why: what the tail and the other classes of each source cost or bring, against balanced targets at the same N."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np

from predictor.distribution import LabelDistribution
from predictor.statistics.shares import shared_out

TAIL, OTHERS = "tail", "other classes"
MAX_SOURCES = 2  # that stand for themselves: every change doubles the variants to predict


def contributions(
    distribution: LabelDistribution, value: Callable[[LabelDistribution], float], whole: float | None = None
) -> list[tuple[str, float]]:
    """Exact Shapley values of the changes away from balanced targets alone: the tail, and other classes by source.

    value : predicted accuracy of a label distribution
    whole : that of `distribution` itself, where it is known
    They sum to value(distribution) - value(balanced targets, same number of images). A change that is not made leaves
    its images to the targets. Shapley (1953): what a change adds to those before it, averaged over all orders.

    >>> d = LabelDistribution.from_counts([("cat", "a", 9), ("dog", "a", 1), ("car", "b", 6)], targets=["cat", "dog"])
    >>> contributions(d, lambda variant: float(min(variant.target_counts)))
    [('tail', -5.0), ('other classes of b', -2.0)]
    """
    names, counts = distribution.target_names, distribution.target_counts
    own: dict[str, list[tuple[str, int]]] = {name: [] for name in names}  # (source, images) of each target
    others: dict[str, list[tuple[str, str, int]]] = {}  # by source
    for name, source, n in distribution.rows():
        if name in own:
            own[name].append((source, n))
        else:
            others.setdefault(source, []).append((name, source, n))
    groups = _groups(others)
    images = {change: sum(n for _, _, n in rows) for change, rows in groups.items()}
    total = int(counts.sum()) + sum(images.values())
    found: dict[frozenset[str], float] = {}

    def variant(made: frozenset[str]) -> float:
        if made not in found:
            shape = counts.astype(np.float64) if TAIL in made else np.ones(len(names))
            rows = [row for change in made - {TAIL} for row in groups[change]]
            held = total - sum(images[change] for change in made - {TAIL})
            for name, n in zip(names, shared_out(shape, held).tolist(), strict=True):
                sources = own[name] or [("", 1)]
                if len(sources) == 1:  # of a million classes, nearly all
                    rows.append((name, sources[0][0], n))
                    continue
                parts = shared_out(np.array([weight for _, weight in sources], dtype=np.float64), n)
                rows += [(name, source, part) for (source, _), part in zip(sources, parts.tolist(), strict=True)]
            found[made] = value(LabelDistribution.from_counts(rows, targets=names))
        return found[made]

    changes = (TAIL, *groups)
    if whole is not None and distribution.n_samples == total:  # else images carry several labels: a variant's do not
        found[frozenset(changes)] = whole
    return [(change, _shapley(change, changes, variant)) for change in changes]


def _groups(others: dict[str, list[tuple[str, str, int]]]) -> dict[str, list[tuple[str, str, int]]]:
    """{what the other classes of a source are called: their rows}; the smallest sources of many are one group."""
    if set(others) <= {""}:
        return {OTHERS: others[""]} if others else {}
    largest = sorted(others, key=lambda source: (-sum(n for _, _, n in others[source]), source))
    groups = {f"{OTHERS} of {source or 'no named source'}": others[source] for source in largest[:MAX_SOURCES]}
    if rest := [row for source in largest[MAX_SOURCES:] for row in others[source]]:
        groups[f"{OTHERS} of {len(largest) - MAX_SOURCES} more sources"] = rest
    return groups


def _shapley(change: str, changes: Sequence[str], variant: Callable[[frozenset[str]], float]) -> float:
    rest = [other for other in changes if other != change]
    n = len(changes)
    return sum(
        (variant(frozenset(before) | {change}) - variant(frozenset(before)))
        * (math.factorial(size) * math.factorial(n - 1 - size) / math.factorial(n))
        for size in range(n)
        for before in itertools.combinations(rest, size)
    )
