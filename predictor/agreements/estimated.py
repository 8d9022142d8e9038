"""Agreement as estimates alone, without resampling: rank correlations pooled over target sets, and which indicators
say the same. What `agreement` pools has the same values and intervals; p and q are its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from predictor.agreements.request import SIZE, UNIT
from predictor.statistics.meta import fisher_z, random_effects
from predictor.statistics.outcome_scales import direction
from predictor.statistics.rank import correlations, partial
from predictor.statistics.ties import varies

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
FEWEST = 4  # configurations of a target set, beyond what is held fixed: fewer have no sampling variance
ALIKE = 0.95  # mean |rho| between indicators from which they are one group


@dataclass(frozen=True, kw_only=True)
class Rho:
    """Spearman's rho of an indicator with an outcome in one target set of one study; given size where that is open."""

    study: str
    target_set: str
    indicator: str
    outcome: str
    value: float
    given_size: float | None
    n_configurations: int
    n_runs: int


@dataclass(frozen=True, kw_only=True)
class PooledRho:
    """The mean over target sets with its interval (random effects of Fisher's z), and how much target sets differ.

    given_size : the same with the number of images held fixed; i_squared : share of the variance between target sets
    alike : indicators that rank configurations nearly alike, folded into this one
    """

    indicator: str
    outcome: str
    value: float
    low: float
    high: float
    given_size: float | None
    given_low: float | None
    given_high: float | None
    i_squared: float
    n_target_sets: int
    n_configurations: int
    n_runs: int
    alike: tuple[str, ...] = field(default=())


def rank_estimates(frame: pd.DataFrame, outcomes: Sequence[str]) -> list[Rho]:
    """Rho of every indicator with the outcomes, inside each target set of each study, over configurations.

    frame : one row a run, from `predictor.frame`
    """
    found: list[Rho] = []
    losses = {name for name in outcomes if _is_loss(frame, name)}
    for own in _target_sets(frame, outcomes):
        for m, outcome in enumerate(own.outcomes):
            y = -own.measured[m] if outcome in losses else own.measured[m]
            for ks, keep in own.together(~np.isnan(y)):
                if keep.sum() < FEWEST or not varies(y[keep]):
                    continue
                size = own.values[own.names.index(SIZE)][keep] if SIZE in own.names else np.zeros(1)
                fixed = bool(np.isfinite(size).all()) and varies(size)
                others = np.stack([y[keep], size]) if fixed else y[keep][None]
                rho = correlations(np.vstack([own.values[ks][:, keep], others]), others)[0]
                for i, k in enumerate(ks):
                    if math.isnan(rho[i, 0]):
                        continue
                    open_ = fixed and own.names[k] != SIZE
                    given = float(partial(rho[i, 0], rho[i, 1], rho[len(ks), 1])) if open_ else math.nan
                    found.append(
                        Rho(
                            study=own.study, target_set=own.target_set, indicator=own.names[k], outcome=outcome,
                            value=float(rho[i, 0]), given_size=None if math.isnan(given) else given,
                            n_configurations=int(keep.sum()), n_runs=int(own.runs[m][keep].sum()),
                        )
                    )  # fmt: skip
    return found


def pooled_estimates(rows: Sequence[Rho], *, level: float = 0.95) -> list[PooledRho]:
    """Over target sets, strongest first; indicators with fewer than two usable target sets are left out."""
    cells: dict[tuple[str, str], list[Rho]] = {}
    for row in rows:
        cells.setdefault((row.outcome, row.indicator), []).append(row)
    found = []
    for (outcome, indicator), own in cells.items():
        usable = [row for row in own if row.n_configurations >= FEWEST]
        if len({row.target_set for row in usable}) < 2:
            continue
        z = [fisher_z(row.value, row.n_configurations) for row in usable]
        whole = random_effects([e for e, _ in z], [v for _, v in z], level=level)
        fixed = [row for row in own if row.given_size is not None and row.n_configurations - 1 >= FEWEST]
        part = None
        if len({row.target_set for row in fixed}) >= 2:
            z = [fisher_z(row.given_size or 0.0, row.n_configurations, 1) for row in fixed]
            part = random_effects([e for e, _ in z], [v for _, v in z], level=level)
        found.append(
            PooledRho(
                indicator=indicator, outcome=outcome, value=math.tanh(whole.effect), low=math.tanh(whole.low),
                high=math.tanh(whole.high), given_size=None if part is None else math.tanh(part.effect),
                given_low=None if part is None else math.tanh(part.low),
                given_high=None if part is None else math.tanh(part.high), i_squared=whole.i_squared,
                n_target_sets=len({row.target_set for row in usable}),
                n_configurations=sum(row.n_configurations for row in usable), n_runs=sum(row.n_runs for row in usable),
            )
        )  # fmt: skip
    # of those that are equal the plainer one comes first: n_samples, not its logarithm
    return sorted(
        found, key=lambda row: (row.outcome, -round(abs(row.value), 9), row.indicator.startswith("log_"), row.indicator)
    )


def folded(pooled: Sequence[PooledRho], frame: pd.DataFrame) -> list[PooledRho]:
    """One row for each group of indicators that rank configurations alike: its strongest one, the others in `alike`.

    Alike are those whose mean |rho| with the strongest one, over target sets, is 0.95 or more. pooled : of one outcome
    """
    names = [row.indicator for row in pooled]
    near = _between(frame, names)
    groups: list[PooledRho] = []
    for row in pooled:
        first = next((g for g in groups if near[names.index(g.indicator), names.index(row.indicator)] >= ALIKE), None)
        if first is None:
            groups.append(row)
        else:
            groups[groups.index(first)] = replace(first, alike=(*first.alike, row.indicator))
    return groups


def _between(frame: pd.DataFrame, names: Sequence[str]) -> Floats:
    """(K, K) mean |rho| between indicators over the target sets in which both vary; 0 where there is none."""
    total, n = np.zeros((len(names), len(names))), np.zeros((len(names), len(names)))
    for own in _target_sets(frame, ()):
        for ks, keep in own.together(np.ones(own.values.shape[1], bool)):
            ks = [k for k in ks if own.names[k] in names]
            if keep.sum() < FEWEST or not ks:
                continue
            x = own.values[ks][:, keep]
            rho = np.abs(correlations(x, x)[0])
            at = np.ix_(*[[names.index(own.names[k]) for k in ks]] * 2)
            total[at] += np.nan_to_num(rho)
            n[at] += ~np.isnan(rho)
    return np.divide(total, n, out=np.zeros_like(total), where=n > 0)


@dataclass(frozen=True, eq=False)
class _TargetSet:
    """Configurations of one target set of one study, means over their seeds.

    values : (K, n) of the indicators `names`; measured, runs : (M, n) of the outcomes, and their numbers of runs
    """

    study: str
    target_set: str
    names: list[str]
    values: Floats
    outcomes: list[str]
    measured: Floats
    runs: NDArray[np.int64]

    def together(self, measured: NDArray[np.bool_]) -> Iterator[tuple[list[int], NDArray[np.bool_]]]:
        """Indicators that vary, in groups that the same configurations have."""
        groups: dict[bytes, tuple[list[int], NDArray[np.bool_]]] = {}
        for k, keep in enumerate(measured & ~np.isnan(self.values)):
            if keep.any() and varies(self.values[k][keep]):
                groups.setdefault(keep.tobytes(), ([], keep))[0].append(k)
        yield from groups.values()


def _target_sets(frame: pd.DataFrame, outcomes: Sequence[str]) -> Iterator[_TargetSet]:
    names = [name for name in frame.columns if name.startswith("ind_")]
    measured = [name for name in outcomes if f"out_{name}" in frame]
    columns = [f"out_{name}" for name in measured]
    grouped = frame.groupby(UNIT, sort=True)
    means, runs = grouped[names + columns].mean(), grouped[columns].count() if columns else None
    for (study, target_set), at in means.groupby(level=[0, 1], sort=True).indices.items():
        own = means.iloc[at]
        yield _TargetSet(
            study=study, target_set=target_set, names=[name.removeprefix("ind_") for name in names],
            values=own[names].to_numpy(float).T, outcomes=measured, measured=own[columns].to_numpy(float).T,
            runs=np.zeros((0, len(at)), np.int64) if runs is None else runs.iloc[at].to_numpy().T,
        )  # fmt: skip


def _is_loss(frame: pd.DataFrame, outcome: str) -> bool:
    column = f"scale_{outcome}"
    scales = frame[column].dropna().unique().tolist() if column in frame else []
    return bool(scales) and direction(scales[0]) < 0
