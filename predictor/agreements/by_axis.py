"""Where in the design an indicator works: statistics over pairs of configurations that differ in one axis alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from predictor.agreements.estimates import Judged
from predictor.agreements.request import AgreementRequest
from predictor.statistics.granulated import (
    Information,
    conditional_mutual_information,
    granulated_kendall,
    permuted_granulated,
    robust_sign_error,
    strata_along,
)
from predictor.statistics.intervals import Interval, jackknife
from predictor.statistics.pairs import pair_sums, permuted_net
from predictor.statistics.resampling import Orders, permutation_p

Floats = NDArray[np.float64]
FEWER = 999  # permutations at most: each one compares every cell of the design anew
VARIANTS = {"conditional_mutual_information": "jiang", "conditional_mutual_information_pgdl": "pgdl"}
NO_AXES = "no axis of the grid varies over these configurations"
OF_DESIGN = "its cells follow from the design, not from chance: it has no interval and no p"


@dataclass(frozen=True, kw_only=True)
class VaryingAxes:
    """Axes that vary over some configurations. settings : (A, n) codes; equal : axis -> (n,) codes held as well"""

    axes: tuple[str, ...]
    settings: NDArray[np.int64]
    equal: dict[str, NDArray[np.int64]]

    def strata(self, axis: str) -> NDArray[np.int64]:
        """(n,) inside a stratum only this axis varies."""
        strata = strata_along(self.settings, self.axes.index(axis))
        if axis in self.equal:
            strata = np.unique(np.stack([strata, self.equal[axis]]), axis=1, return_inverse=True)[1].reshape(-1)
        return strata


Found = Iterator[tuple[str, str | None, list[list[Judged]]]]


def along_axes(
    x: Floats, y: Floats, design: VaryingAxes, wanted: Sequence[str], request: AgreementRequest, *, noise: Floats,
    directions: Floats, seed: np.random.SeedSequence,
) -> Found:  # fmt: skip
    """(statistic, axis that it is along, judgements [indicator][outcome]) of each that is wanted; see `granulated`.

    x, y : (K, n), (M, n); noise : (M, n) of the outcomes, nan where unknown; directions : (K,) +1 or -1
    """
    axes = design.axes if "stratified_gamma" in wanted else [axis for axis in request.by if axis in design.axes]
    for axis in axes:
        yield "stratified_gamma", axis, stratified_gamma(x, y, design.strata(axis), request, seed)
    for axis in request.by:
        if axis not in design.axes:
            why = f"{axis} is the same in all of these configurations"
            yield "stratified_gamma", axis, [[Judged(value=None, reason=why)] * len(y) for _ in x]
    if not design.axes:
        for name in wanted:
            yield name, None, [[Judged(value=None, reason=NO_AXES)] * len(y) for _ in x]
        return
    if "granulated_kendall" in wanted:
        yield "granulated_kendall", None, _granulated(x, y, design, request, seed)
    if asked := [name for name in VARIANTS if name in wanted]:
        information = conditional_mutual_information(x, y, design.settings)
        for name in asked:
            own = information[VARIANTS[name]]
            yield name, None, [[_information(own, k, m, design, name) for m in range(len(y))] for k in range(len(x))]
    if {"sign_error", "sign_error_worst"} & set(wanted):
        found = robust_sign_error(x, y, design.settings, noise, directions)
        for name, values in (("sign_error", found.mean), ("sign_error_worst", found.worst)):
            if name in wanted:
                yield (
                    name,
                    None,
                    [
                        [_share(v, int(count)) for v, count in zip(row, counts, strict=True)]
                        for row, counts in zip(values, found.environments, strict=True)
                    ],
                )


def stratified_gamma(
    x: Floats, y: Floats, strata: NDArray[np.int64], request: AgreementRequest, seed: np.random.SeedSequence
) -> list[list[Judged]]:
    """sum_s (C_s - D_s) / sum_s (C_s + D_s) with a jackknife interval and a permutation inside the strata."""
    sums = pair_sums(x, y, strata)
    counts, without = sums.counts, sums.left_out
    used = np.bincount(strata, minlength=1)[strata] > 1  # a configuration alone in its stratum forms no pair
    orders = Orders(int(used.sum()), request.n_permutations, seed=seed, blocks=strata[used])
    net = counts.concordant - counts.discordant
    if used.any():
        p = permutation_p(net, permuted_net(x[:, used], y[:, used], orders, strata[used]), exact=orders.exact)
    rows = []
    for k in range(len(x)):
        row = []
        for m in range(len(y)):
            c, d = float(counts.concordant[k, m]), float(counts.discordant[k, m])
            if c + d == 0:
                row.append(Judged(value=None, reason="no two configurations differ in this axis alone and untied"))
                continue
            bounds = (
                Interval(
                    low=None, high=None, method="none", reason=f"no {'concordant' if c == 0 else 'discordant'} pair"
                )
                if min(c, d) == 0
                else jackknife(float(counts.gamma[k, m]), without.gamma[k, m, used], level=request.level)
            )
            row.append(
                Judged(
                    value=float(counts.gamma[k, m]), low=bounds.low, high=bounds.high, p=float(p[k, m]),
                    reason=bounds.reason,
                )
            )  # fmt: skip
        rows.append(row)
    return rows


def _granulated(
    x: Floats, y: Floats, design: VaryingAxes, request: AgreementRequest, seed: np.random.SeedSequence
) -> list[list[Judged]]:
    found = granulated_kendall(x, y, design.settings)
    orders = Orders(x.shape[1], min(request.n_permutations, FEWER), seed=seed, most=FEWER)
    p = permutation_p(found.value, permuted_granulated(x, y, design.settings, orders), exact=orders.exact)
    rows = []
    for k in range(len(x)):
        row = []
        for m in range(len(y)):
            cells = ", ".join(
                f"{axis} {int(found.finite[a, k, m])} of {int(found.eligible[a])}" for a, axis in enumerate(design.axes)
            )
            value = float(found.value[k, m])
            row.append(
                Judged(value=None, reason=f"no cell of the design has a value ({cells})")
                if np.isnan(value)
                else Judged(
                    value=value, p=float(p[k, m]),
                    reason=f"no interval: its cells follow from the design (cells with a value: {cells})",
                )
            )  # fmt: skip
        rows.append(row)
    return rows


def _information(found: Information, k: int, m: int, design: VaryingAxes, name: str) -> Judged:
    if np.isnan(found.value[k, m]):
        few = VARIANTS[name] == "pgdl" and len(design.axes) < 2
        return Judged(value=None, reason="fewer than two axes vary" if few else "no axes leave an outcome open")
    least = ", ".join(design.axes[a] for a in found.axes[k][m]) or "nothing"
    return Judged(value=float(found.value[k, m]), reason=f"least given {least}; it has no sign, interval or p")


def _share(value: float, environments: int) -> Judged:
    if np.isnan(value):
        return Judged(value=None, reason="no two configurations differ in one axis alone and beyond test-image noise")
    return Judged(value=float(value), reason=f"over {environments} environments; {OF_DESIGN}")
