"""One target set's configurations -> values, intervals and p-values of all indicators and outcomes at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from predictor.agreements.request import PAIRWISE, AgreementRequest
from predictor.statistics.intervals import Interval, interval, jackknife
from predictor.statistics.multiplicity import MaxT
from predictor.statistics.pairs import SMALL, PairCounts, PairSums, pair_sums, permuted_net, weighted_pairs
from predictor.statistics.rank import (
    correlations,
    partial,
    permuted_correlations,
    permuted_partials,
    ranks,
)
from predictor.statistics.resampling import Orders, neighbours, permutation_p, resample_weights, without_each

Floats = NDArray[np.float64]
CHUNK = 2_000_000  # weights held at once: 16 MB
PAIRWISE_OF = {
    "kendall_tau_b": lambda counts: counts.tau_b,
    "gamma": lambda counts: counts.gamma,
    "somers_d": lambda counts: counts.somers_d,
    "decision_accuracy": lambda counts: counts.decision_accuracy,
    "decision_coverage": lambda counts: counts.decision_coverage,
}
NO_SPREAD = "a share of the pairs: it has no interval and no p"


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One number with what is known about it; every None has its reason."""

    value: float | None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class Battery:
    """Judgements by statistic, each [indicator][outcome], and the share of tied pairs (K, M)."""

    judged: dict[str, list[list[Judged]]]
    tied_share: Floats


def judge(
    x: Floats,
    y: Floats,
    z: Floats | None,
    wanted: Sequence[str],
    request: AgreementRequest,
    *,
    seed: np.random.SeedSequence,
    blocks: NDArray | None = None,
    joint: dict[str, MaxT] | None = None,
) -> Battery:
    """Judge every x against every y.

    x, y : (K, n), (M, n) finite, none constant, n >= 2; z : (n,) held fixed in 'partial_spearman'
    blocks : (n,) permutation stays inside them; joint : collects the largest statistic of each permutation
    """
    n = x.shape[1]
    draws_seed, orders_seed, joint_seed = seed.spawn(3)
    generator = np.random.default_rng(draws_seed)
    orders = Orders(n, request.n_permutations, seed=orders_seed, blocks=blocks)
    sums = pair_sums(x, y)
    counts = sums.counts
    judged: dict[str, list[list[Judged]]] = {}
    if {"spearman", "partial_spearman"} & set(wanted):
        for name, found in _rank_correlations(x, y, z, wanted, request, generator, counts).items():
            if name == "partial_spearman" and z is not None:
                alike = neighbours(z) if blocks is None else _crossed(blocks, neighbours(z))
                near = Orders(n, request.n_permutations, seed=orders_seed, blocks=alike)
                drawn, exact = permuted_partials(x, y, z, near), near.exact
            else:
                drawn, exact = permuted_correlations(ranks(x), ranks(y), orders), orders.exact
            largest: list[Floats] | None = None if joint is None else []
            p = permutation_p(found.value, drawn, exact=exact, largest=largest)
            if joint is not None and largest is not None:
                joint[name].add(np.concatenate(largest), n=n, generator=np.random.default_rng(joint_seed))
            judged[name] = found.judged(p, request.level)
    if pairwise := [name for name in PAIRWISE if name in wanted]:
        judged |= _pairwise(x, y, sums, pairwise, request, generator, orders, blocks)
    return Battery(judged=judged, tied_share=counts.tied_share)


@dataclass(frozen=True, kw_only=True)
class _Drawn:
    """A statistic (K, M) with its bootstrap values (B, K, M) and those without each configuration (n, K, M)."""

    value: Floats
    drawn: Floats
    left_out: Floats
    separated: list[list[str | None]]
    undefined: str
    held: int = 0
    ends: tuple[float, float] = (-1.0, 1.0)

    def judged(self, p: Floats, level: float) -> list[list[Judged]]:
        """Each value with its bootstrap interval."""
        return [
            [self._one(k, m, float(p[k, m]), level) for m in range(self.value.shape[1])]
            for k in range(self.value.shape[0])
        ]

    def _one(self, k: int, m: int, p: float, level: float) -> Judged:
        value = float(self.value[k, m])
        found = interval(
            value, self.drawn[:, k, m], self.left_out[:, k, m], level=level, ends=self.ends,
            separated=self.separated[k][m], held=self.held,
        )  # fmt: skip
        return _with(value, found, p, self.undefined)


def _rank_correlations(
    x: Floats, y: Floats, z: Floats | None, wanted: Sequence[str], request: AgreementRequest,
    generator: np.random.Generator, counts: PairCounts,
) -> dict[str, _Drawn]:  # fmt: skip
    n, k, m = x.shape[1], len(x), len(y)
    a, b = (x, y) if z is None else (np.vstack([x, z]), np.vstack([y, z]))
    size = max(1, CHUNK // n)
    parts = [min(size, request.n_bootstrap - first) for first in range(0, request.n_bootstrap, size)]
    value = correlations(a, b)[0]
    drawn = np.concatenate([correlations(a, b, resample_weights(n, part, generator)) for part in parts])
    left_out = correlations(a, b, without_each(n))
    found = {}
    if "spearman" in wanted:
        found["spearman"] = _Drawn(
            value=value[:k, :m], drawn=drawn[:, :k, :m], left_out=left_out[:, :k, :m], separated=_separated(counts),
            undefined="the indicator or the outcome is constant",
        )  # fmt: skip
    if "partial_spearman" in wanted and z is not None:
        one, many, without = (partial(r[..., :k, :m], r[..., :k, m:], r[..., k:, :m]) for r in (value, drawn, left_out))
        found["partial_spearman"] = _Drawn(
            value=one, drawn=many, left_out=without, separated=[[None] * m for _ in range(k)], held=1,
            undefined=f"{request.given} determines the indicator or the outcome",
        )  # fmt: skip
    return found


def _pairwise(
    x: Floats, y: Floats, sums: PairSums, wanted: Sequence[str], request: AgreementRequest,
    generator: np.random.Generator, orders: Orders, blocks: NDArray | None,
) -> dict[str, list[list[Judged]]]:  # fmt: skip
    n, counts, without = x.shape[1], sums.counts, sums.left_out
    separated = _separated(counts)
    weights = resample_weights(n, request.n_bootstrap, generator) if n <= SMALL else None
    drawn = weighted_pairs(x, y, weights) if weights is not None else None
    p, why = _pairwise_p(x, y, counts, request, orders, blocks)
    judged: dict[str, list[list[Judged]]] = {}
    for name in wanted:
        of = PAIRWISE_OF[name]
        value, left_out = of(counts), np.moveaxis(of(without), -1, 0)
        if name == "decision_coverage":
            judged[name] = [[Judged(value=_number(v), reason=NO_SPREAD) for v in row] for row in value]
            continue
        ends = (0.0, 1.0) if name == "decision_accuracy" else (-1.0, 1.0)
        if drawn is not None:
            judged[name] = _Drawn(
                value=value, drawn=of(drawn), left_out=left_out, separated=separated, ends=ends,
                undefined="every pair is tied",
            ).judged(p, request.level)  # fmt: skip
            continue
        judged[name] = [[
            _with(
                float(value[k, m]),
                jackknife(
                    float(value[k, m]), left_out[:, k, m], level=request.level, ends=ends, separated=separated[k][m]
                ),
                float(p[k, m]), "every pair is tied", why,
            )
            for m in range(len(y))] for k in range(len(x))]  # fmt: skip
    return judged


def _pairwise_p(
    x: Floats, y: Floats, counts: PairCounts, request: AgreementRequest, orders: Orders, blocks: NDArray | None
) -> tuple[Floats, str | None]:
    """p of concordant less discordant pairs, which serves every pairwise statistic."""
    net = counts.concordant - counts.discordant
    if x.shape[1] <= SMALL:
        return permutation_p(net, permuted_net(x, y, orders), exact=orders.exact), None
    if blocks is not None:
        why = f"inside blocks there is a p up to {SMALL} configurations only; take that of Spearman"
        return np.full(net.shape, np.nan), why
    least = 1 / (request.n_permutations + 1)  # as small as a Monte-Carlo p can be
    p = [[max(float(stats.kendalltau(a, b, method="asymptotic").pvalue), least) for b in y] for a in x]
    return np.array(p), None


def _crossed(a: NDArray, b: NDArray) -> NDArray[np.int64]:
    return np.unique(np.stack([a, b]), axis=1, return_inverse=True)[1].reshape(-1)


def _separated(counts: PairCounts) -> list[list[str | None]]:
    """Which kind of pair does not exist at all, if one does not."""
    return [
        ["concordant" if c == 0 else "discordant" if d == 0 else None for c, d in zip(*row, strict=True)]
        for row in zip(counts.concordant, counts.discordant, strict=True)
    ]


def _with(value: float, found: Interval, p: float, undefined: str, why_no_p: str | None = None) -> Judged:
    if math.isnan(value):
        return Judged(value=None, reason=undefined)
    reasons = [reason for reason in (found.reason, why_no_p if math.isnan(p) else None) if reason]
    return Judged(value=value, low=found.low, high=found.high, p=_number(p), reason="; ".join(reasons) or None)


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
