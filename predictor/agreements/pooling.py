"""Over target sets: pooled rank correlations, how much they differ, and what is left without each target set."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from predictor.agreements.table import POOLED, Agreement
from predictor.statistics.meta import combined_p, fisher_z, random_effects

STATISTICS = ("spearman", "partial_spearman")


def pooled(rows: Sequence[Agreement], kinds: Mapping[str, str], level: float) -> Iterator[Agreement]:
    """Random-effects meta-analysis of Fisher's z, per indicator and outcome, over target sets of one kind of study.

    kinds : study -> provenance; trained runs and reported ones are not mixed
    The interval is of the mean over a population of target sets; p, from the permutation p of each, is of no agreement
    in any of them. Rows: '(pooled)', its 'i_squared' (with the same `given`), and '(without NAME)' for each target set
    left out where at least two remain.
    """
    groups: dict[tuple[str, str, str, str, str | None], list[Agreement]] = {}
    for row in rows:
        if row.statistic in STATISTICS:
            key = (kinds.get(row.study, ""), row.indicator, row.outcome, row.statistic, row.given)
            groups.setdefault(key, []).append(row)
    for own in groups.values():
        usable = [row for row in own if row.value is not None and row.n_configurations - _held(row) >= 4]
        sets = list(dict.fromkeys(row.target_set for row in usable))
        if len(sets) < 2:
            continue
        study = "+".join(sorted({row.study for row in usable}))
        yield from _pool(usable, study, POOLED, level, len(sets))
        for name in sets if len(sets) > 2 else ():
            rest = [row for row in usable if row.target_set != name]
            left = next(_pool(rest, study, f"(without {name})", level, len(sets) - 1))
            yield replace(left, reason=f"shows how much depends on {name}; its p is not adjusted")


def _pool(rows: Sequence[Agreement], study: str, target_set: str, level: float, n_sets: int) -> Iterator[Agreement]:
    z = [fisher_z(row.value, row.n_configurations, _held(row)) for row in rows if row.value is not None]
    found = random_effects([effect for effect, _ in z], [variance for _, variance in z], level=level)
    first = rows[0]
    tied = [row.tied_share for row in rows if row.tied_share is not None]
    shared = {
        "study": study,
        "target_set": target_set,
        "indicator": first.indicator,
        "outcome": first.outcome,
        "given": first.given,
        "q": None,
        "n_configurations": sum(row.n_configurations for row in rows),
        "n_runs": sum(row.n_runs for row in rows),
        "tied_share": sum(tied) / len(tied) if tied else None,
    }
    yield Agreement(
        **shared, statistic=first.statistic, value=math.tanh(found.effect), low=math.tanh(found.low),
        high=math.tanh(found.high), p=_p(rows), reason=None,
    )  # fmt: skip
    yield Agreement(
        **shared, statistic="i_squared", value=found.i_squared, low=None, high=None, p=found.q_p,
        reason=f"share of the variance that lies between {n_sets} target sets; p of Cochran's Q; it has no interval",
    )  # fmt: skip


def _p(rows: Sequence[Agreement]) -> float:
    """Of no agreement in any target set, from the permutation p of each."""
    known = [row for row in rows if row.p is not None and row.value is not None]
    return combined_p(
        [row.p or 1.0 for row in known],
        [row.value or 0.0 for row in known],
        [math.sqrt(row.n_configurations - 3 - _held(row)) for row in known],
    )


def _held(row: Agreement) -> int:
    return 0 if row.given is None else 1
