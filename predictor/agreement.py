"""How well does an indicator, known before training, rank what was measured after it?

The unit of evidence is a configuration: seeds are averaged first, resampling and permutation move whole
configurations. Each target set of each study is judged by itself: pooled over target sets, their different levels
would pass for agreement.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from predictor.errors import RegistryError
from predictor.statistics.pairs import pair_counts
from predictor.statistics.rank import STATISTICS, Statistic, partial_statistic
from predictor.statistics.resampling import (
    adjusted,
    bootstrap_interval,
    detectable_rho,
    permutation_orders,
    permutation_p,
    resample_indices,
)

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_STATISTICS = ("spearman", "kendall_tau_b", "gamma")
UNIT = ["study", "target_set", "configuration_id"]


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """One statistic of one indicator against one outcome. A value, bound or p that is missing has a reason."""

    study: str
    target_set: str
    indicator: str
    outcome: str
    statistic: str
    given: str | None
    value: float | None
    low: float | None
    high: float | None
    p: float | None
    q: float | None
    n_configurations: int
    n_runs: int
    tied_share: float | None
    reason: str | None


@dataclass(frozen=True, kw_only=True)
class AgreementTable:
    """Agreements in long format. level : of the intervals"""

    rows: tuple[Agreement, ...]
    level: float
    notes: tuple[str, ...] = field(default=())

    def to_frame(self) -> pd.DataFrame:
        """(rows, fields) one row per statistic: the columns of the JSON contract."""
        import pandas as pd

        return pd.DataFrame([asdict(row) for row in self.rows], columns=list(Agreement.__dataclass_fields__))

    def summary(self) -> pd.DataFrame:
        """One row per target set, outcome and indicator: the statistics side by side, strongest |rho| first."""
        import pandas as pd

        return pd.DataFrame(self.summary_rows())

    def summary_rows(self) -> list[dict[str, Any]]:
        """The rows of `summary` as plain dictionaries."""
        wide: dict[tuple[str, str, str, str], dict[str, Any]] = {}
        for row in self.rows:
            key = (row.study, row.target_set, row.outcome, row.indicator)
            entry = wide.setdefault(
                key,
                {"study": row.study, "target_set": row.target_set, "outcome": row.outcome, "indicator": row.indicator},
            )
            name = row.statistic if row.given is None else f"{row.statistic} given {row.given}"
            entry[name] = row.value
            if row.statistic == "spearman":
                entry |= {"low": row.low, "high": row.high, "p": row.p, "q": row.q, "reason": row.reason}
            for name in ("tied_share", "n_configurations", "n_runs", "reason"):  # a partial one may rest on fewer
                entry.setdefault(name, getattr(row, name))
        return sorted(
            wide.values(), key=lambda e: (e["study"], e["target_set"], e["outcome"], -abs(e.get("spearman") or 0))
        )


def agreement(
    frame: pd.DataFrame,
    *,
    indicators: Sequence[str] | None = None,
    outcomes: Sequence[str] | None = None,
    statistics: Sequence[str] = DEFAULT_STATISTICS,
    given: str | None = None,
    level: float = 0.95,
    n_bootstrap: int = 2000,
    n_permutations: int = 2000,
    seed: int = 0,
) -> AgreementTable:
    """Rank agreement of every indicator with every outcome, per study and target set.

    frame : one row a run, columns study, target_set, configuration_id, run_id, ind_*, out_*
    indicators, outcomes : names without their prefix; by default every one of the frame
    statistics : of 'spearman', 'kendall_tau_b', 'gamma', 'somers_d', 'decision_accuracy'
    given : also the partial Spearman given this indicator
    Same seed, same intervals, whatever else is asked for: each indicator and outcome starts from the seed.
    An outcome that a target set does not measure has no row there, unless it is named.

    Raises RegistryError for no runs, a missing column or key, an infinite value, a run that stands twice, an
    unknown name.
    """
    found_indicators = _names(frame, "ind_", indicators, "indicator")
    found_outcomes = _names(frame, "out_", outcomes, "outcome")
    _validate(frame, [*found_indicators, *([given] if given and f"ind_{given}" in frame else [])], found_outcomes)
    if unknown := [name for name in statistics if name not in STATISTICS]:
        raise RegistryError(f"unknown statistic {unknown[0]!r}", remedy=f"choose of {', '.join(STATISTICS)}")
    if given is not None and f"ind_{given}" not in frame:
        raise RegistryError(f"no indicator {given!r} to hold fixed", remedy=f"choose of {', '.join(found_indicators)}")
    rows: list[Agreement] = []
    sizes: dict[tuple[str, str], int] = {}
    wanted = [f"ind_{name}" for name in dict.fromkeys([*found_indicators, *([given] if given else [])])]
    columns = [*wanted, *(f"out_{name}" for name in found_outcomes)]
    means = frame.groupby(UNIT, sort=True)[columns].mean()
    runs = frame.groupby(UNIT, sort=True)[columns].count()
    for (study, target_set), group in means.groupby(level=[0, 1], sort=True):
        sizes[study, target_set] = len(group)
        nothing = bool(group[[f"out_{name}" for name in found_outcomes]].isna().all(axis=None))
        for outcome in found_outcomes:
            measured = group[f"out_{outcome}"].to_numpy(float)
            if np.isnan(measured).all() and outcomes is None and not nothing:
                continue  # not an outcome of this target set
            for name in found_indicators:
                x = group[f"ind_{name}"].to_numpy(float)
                both = ~(np.isnan(x) | np.isnan(measured))
                chosen: list[tuple[np.ndarray, list[Statistic], str | None]] = [
                    (both, [STATISTICS[s] for s in statistics], None)
                ]
                if given and name != given:
                    z = group[f"ind_{given}"].to_numpy(float)
                    keep = both & ~np.isnan(z)  # for the partial one alone: `given` moves no other number
                    chosen.append((keep, [partial_statistic(z[keep])], given))
                for keep, asked, fixed in chosen:
                    n_runs = int(runs.loc[group.index[keep], f"out_{outcome}"].sum())
                    rows += _judge(
                        (study, target_set, name, outcome), x[keep], measured[keep], n_runs, asked, fixed,
                        level=level, n_bootstrap=n_bootstrap, n_permutations=n_permutations,
                        generator=np.random.default_rng(seed),
                    )  # fmt: skip
    return AgreementTable(rows=tuple(_with_q(rows)), level=level, notes=tuple(_notes(sizes)))


def _judge(
    key: tuple[str, str, str, str],
    x: np.ndarray,
    y: np.ndarray,
    n_runs: int,
    chosen: Sequence[Statistic],
    given: str | None,
    *,
    level: float,
    n_bootstrap: int,
    n_permutations: int,
    generator: np.random.Generator,
) -> Iterator[Agreement]:
    study, target_set, name, outcome = key
    n = len(x)
    reason = None
    if n < 2:
        reason = f"{n} configuration{'' if n == 1 else 's'} with both values; at least 2 are needed"
    elif np.ptp(x) == 0:
        reason = f"the indicator is {x[0]:g} in every configuration"
    elif np.ptp(y) == 0:
        reason = f"the outcome is {y[0]:g} in every configuration"
    if reason is None:
        indices = resample_indices(n, n_bootstrap, generator)
        orders, exact = permutation_orders(n, n_permutations, generator)
    for statistic in chosen:
        entry: dict[str, Any] = {
            "study": study, "target_set": target_set, "indicator": name, "outcome": outcome,
            "statistic": statistic.name, "given": given, "q": None, "n_configurations": n, "n_runs": n_runs,
        }  # fmt: skip
        if reason is not None:
            yield Agreement(**entry, value=None, low=None, high=None, p=None, tied_share=None, reason=reason)
            continue
        tied = float(pair_counts(x, y).tied_share)
        value = statistic.value(x, y)
        if math.isnan(value):
            why = f"{given} determines the indicator or the outcome" if given else "every pair is tied"
            yield Agreement(**entry, value=None, low=None, high=None, p=None, tied_share=tied, reason=why)
            continue
        interval = bootstrap_interval(_as_of(statistic, x), x, y, level=level, indices=indices)
        yield Agreement(
            **entry,
            value=value,
            low=interval.low,
            high=interval.high,
            p=permutation_p(statistic, x, y, orders=orders, exact=exact),
            tied_share=tied,
            reason=interval.reason,
        )


def _as_of(statistic: Statistic, x: np.ndarray) -> Statistic:
    """The jackknife leaves a configuration out of x and y; a partial statistic must leave it out of z as well."""
    if statistic.name != "partial_spearman":
        return statistic

    def value(a: np.ndarray, b: np.ndarray) -> float:
        return statistic.value(a, b) if len(a) == len(x) else math.nan  # percentile interval: no acceleration

    return Statistic(name=statistic.name, value=value, resampled=statistic.resampled, permuted=statistic.permuted)


def _with_q(rows: list[Agreement]) -> list[Agreement]:
    """Adjust within each statistic: the table asks the same question once per statistic."""
    result = list(rows)
    for kind in {(row.statistic, row.given) for row in rows}:
        places = [i for i, row in enumerate(rows) if (row.statistic, row.given) == kind]
        for i, q in zip(places, adjusted([rows[i].p for i in places]), strict=True):
            result[i] = Agreement(**{**asdict(rows[i]), "q": q})
    return result


def _notes(sizes: dict[tuple[str, str], int]) -> Iterator[str]:
    for n in sorted(set(sizes.values())):
        where = ", ".join(f"{study}/{target_set}" for (study, target_set), size in sizes.items() if size == n)
        rho = detectable_rho(n)
        if rho is None:
            yield f"{where}: n = {n} configurations can show no rank correlation"
        else:
            yield f"{where}: n = {n} configurations find |rho| >= {rho:.2f} with 80 % power; smaller ones may go unseen"


def _names(frame: pd.DataFrame, prefix: str, wanted: Sequence[str] | None, kind: str) -> list[str]:
    known = [column.removeprefix(prefix) for column in frame.columns if column.startswith(prefix)]
    if unknown := [name for name in wanted or () if name not in known]:
        raise RegistryError(f"no {kind} {unknown[0]!r} in these runs", remedy=f"there are {', '.join(known) or 'none'}")
    if not known:
        raise RegistryError(f"these runs have no {kind}", remedy=f"a frame has columns {prefix}NAME")
    return list(dict.fromkeys(wanted)) if wanted else known


def _validate(frame: pd.DataFrame, indicators: Sequence[str], outcomes: Sequence[str]) -> None:
    if missing := [name for name in [*UNIT, "run_id"] if name not in frame]:
        raise RegistryError(f"missing column {missing[0]!r}", where="frame", remedy="make it with predictor.frame()")
    if not len(frame):
        raise RegistryError("there are no runs", where="frame", remedy="name a study that has some")
    for key in UNIT:
        if (empty := frame[key].isna()).any():  # grouping would drop them silently
            run = frame.loc[empty, "run_id"].iloc[0]
            raise RegistryError(
                f"no {key} in {int(empty.sum())} runs, first {run}", where="frame", remedy="drop or name them"
            )
    twice = frame.loc[frame.duplicated(["study", "run_id"]), "run_id"]
    if len(twice):
        raise RegistryError(
            f"{len(twice)} runs stand twice, first {twice.iloc[0]}", where="frame", remedy="drop the duplicates"
        )
    for column in [*(f"ind_{name}" for name in indicators), *(f"out_{name}" for name in outcomes)]:
        infinite = np.isinf(frame[column].to_numpy(float))
        if infinite.any():
            run = frame.loc[infinite, "run_id"].iloc[0]
            raise RegistryError(
                f"column {column!r} is infinite in {int(infinite.sum())} runs, first {run}",
                where="frame",
                remedy="leave it out, or mend it",
            )
