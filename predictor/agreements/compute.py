"""Frame -> agreement table: which configurations can be compared, in batches that share them."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from predictor.agreements.by_axis import Found, VaryingAxes, along_axes
from predictor.agreements.estimates import Judged, judge
from predictor.agreements.pooling import pooled
from predictor.agreements.request import (
    ALL_STATISTICS,
    BY_DESIGN,
    DEFAULT_STATISTICS,
    SIZE,
    UNIT,
    AgreementRequest,
    axes,
    checked,
    names,
    settings_of,
)
from predictor.agreements.table import POOLED, Agreement, AgreementTable, Noise
from predictor.errors import PredictorError
from predictor.indicators import known
from predictor.statistics.binomial import noise_ceiling, seed_noise
from predictor.statistics.granulated import codes
from predictor.statistics.multiplicity import MaxT, adjusted, detectable_rho
from predictor.statistics.outcome_scales import direction
from predictor.statistics.ties import varies

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
IMBALANCE = "axis_profile"  # imbalance is compared at equal size: some profiles also take images away


def agreement(
    frame: pd.DataFrame,
    *,
    indicators: Sequence[str] | None = None,
    outcomes: Sequence[str] | None = None,
    statistics: Sequence[str] | str = DEFAULT_STATISTICS,
    given: str | None = SIZE,
    by: Sequence[str] = (),
    blocks: Sequence[str] = (),
    level: float = 0.95,
    adjust: str = "benjamini_hochberg",
    n_bootstrap: int = 10_000,
    n_permutations: int = 10_000,
    seed: int = 0,
) -> AgreementTable:
    """Rank agreement of every indicator with every outcome, per study and target set, and over target sets.

    frame : one row a run, from `predictor.frame`
    indicators, outcomes : names, without prefix; None: all
    statistics : of ALL_STATISTICS, or 'all'
    given : also Spearman with this indicator held fixed; None: not. By rank, so log samples is n_samples
    by : axes of the grid; adds 'stratified_gamma' along each, over pairs that differ in this axis alone
    blocks : columns whose levels permutation keeps apart, e.g. axis_image_steps
    adjust : q is adjusted over the table, each statistic (and axis) by itself: 'benjamini_hochberg' (false discoveries)
    or 'max_t' (any false one: Westfall and Young for the rank correlations, Holm for the others)
    Intervals at `level`, two-sided p by permutation of configurations. Same seed, same table. An outcome that is better
    when small (a loss: column scale_NAME) enters with the opposite sign, so that a positive value always says that more
    of the indicator goes with a better outcome. Raises RegistryError
    for unknown names, runs that stand twice, infinite values, and frames without runs or outcomes.

    >>> import pandas as pd
    >>> runs = pd.DataFrame({"study": "s", "target_set": "t", "configuration_id": list("abcde"),
    ...                      "run_id": list("12345"), "ind_n": [1, 2, 3, 4, 5.0], "out_accuracy": [1, 3, 2, 5, 4.0]})
    >>> table = agreement(runs, statistics=["spearman"])
    >>> round(table.rows[0].value, 3), round(table.rows[0].p, 4), table.rows[0].n_configurations
    (0.8, 0.1333, 5)
    """
    request = AgreementRequest(
        indicators=names(frame, "ind_", indicators, "indicator"),
        outcomes=names(frame, "out_", outcomes, "outcome"),
        statistics=ALL_STATISTICS if statistics == "all" else tuple(dict.fromkeys(statistics)),
        given=given, by=axes(frame, by), blocks=tuple(blocks), level=level, adjust=adjust, n_bootstrap=n_bootstrap,
        n_permutations=n_permutations, seed=seed,
    )  # fmt: skip
    notes = []
    if given and f"ind_{given}" not in frame:
        if given != SIZE:
            names(frame, "ind_", [given], "indicator")
        request = replace(request, given=None)
        notes.append(f"nothing is held fixed: these runs have no {SIZE}")
    checked(frame, request)
    directions = np.array([_better(frame, name) for name in request.outcomes], float)
    notes += [
        f"{name} is better when small: it enters with the opposite sign"
        for name, sign in zip(request.outcomes, directions, strict=True) if sign < 0
    ]  # fmt: skip
    if "status" in frame and (diverged := int(frame["status"].eq("diverged").sum())):
        notes.append(f"{diverged} of {len(frame)} runs diverged and have no outcome: the table is of the others")
    wanted = list(dict.fromkeys([*request.indicators, *([request.given] if request.given else [])]))
    columns = [*(f"ind_{name}" for name in wanted), *(f"out_{name}" for name in request.outcomes)]
    noises = [f"noise_{name}" for name in request.outcomes if f"noise_{name}" in frame]
    varying = settings_of(frame)
    grouped = frame.groupby(UNIT, sort=True)
    means, runs = grouped[columns + noises].mean(), grouped[columns].count()
    settings = grouped[list(dict.fromkeys([*varying, *request.blocks]))].first()
    joint = {name: MaxT(n_permutations) for name in ("spearman", "partial_spearman")} if adjust == "max_t" else None
    rows: list[Agreement] = []
    sizes: dict[tuple[str, str], int] = {}
    for (study, target_set), group in means.groupby(level=[0, 1], sort=True):
        sizes[study, target_set] = len(group)
        part = _TargetSet(
            study=study, target_set=target_set, means=group,
            runs={name: column.to_numpy() for name, column in runs.loc[group.index].items()},
            settings=settings.loc[group.index], axes=tuple(varying), directions=directions,
        )  # fmt: skip
        rows += part.rows(request, named=outcomes is not None, joint=joint)
    kinds = dict(zip(frame["study"], frame["provenance"], strict=True)) if "provenance" in frame else {}
    together = list(pooled(rows, kinds, level))
    if together:
        main = [row for row in together if row.target_set == POOLED]
        others = [row for row in together if row.target_set != POOLED]
        together = [*_with_q(main, None if joint is None else {}), *others]
    return AgreementTable(
        rows=tuple(_with_q(rows, joint)),
        level=level,
        notes=tuple([*notes, *_notes(sizes)]),
        pooled=tuple(together),
        noise=tuple(_noise(frame, request.outcomes)),
    )


@dataclass(frozen=True, kw_only=True)
class _TargetSet:
    """The configurations of one target set: (configurations, columns) means, settings; {outcome: numbers of runs}.

    directions : (M,) -1 for outcomes that are better when small
    """

    study: str
    target_set: str
    means: pd.DataFrame
    runs: Mapping[str, NDArray[np.int64]]
    settings: pd.DataFrame
    axes: tuple[str, ...]
    directions: Floats

    def rows(self, request: AgreementRequest, *, named: bool, joint: dict[str, MaxT] | None) -> list[Agreement]:
        """All rows, in the order of outcomes, indicators and statistics."""
        y = self.means[[f"out_{name}" for name in request.outcomes]].to_numpy(float).T
        x = self.means[[f"ind_{name}" for name in request.indicators]].to_numpy(float).T
        nothing = bool(np.isnan(y).all())
        shown = [m for m in range(len(y)) if named or nothing or not np.isnan(y[m]).all()]  # measured here at all
        found: dict[tuple[int, int], list[Agreement]] = {}
        for ms in _alike(y, shown):
            for ks in _alike(x, range(len(x))):
                keep = ~(np.isnan(y[ms[0]]) | np.isnan(x[ks[0]]))
                for k, m, row in self._batch(x, y, ks, ms, keep, request, joint):
                    found.setdefault((m, k), []).append(row)
        return [row for key in sorted(found) for row in found[key]]

    def _batch(
        self, x: Floats, y: Floats, ks: list[int], ms: list[int], keep: NDArray[np.bool_],
        request: AgreementRequest, joint: dict[str, MaxT] | None,
    ) -> Iterator[tuple[int, int, Agreement]]:  # fmt: skip
        """Rows of some indicators and outcomes that the same configurations have."""
        wanted = [*(name for name in request.statistics if name not in BY_DESIGN)]
        designed = [name for name in request.statistics if name in BY_DESIGN]
        absent = [(name, None) for name in [*wanted, *designed]] + [("stratified_gamma", axis) for axis in request.by]
        z = self.means[f"ind_{request.given}"].to_numpy(float) if request.given else None
        n = int(keep.sum())
        able = {k: m_ok for k in ks if (m_ok := [m for m in ms if _reason(x[k][keep], y[m][keep]) is None])}
        for k in ks:
            for m in ms:
                if why := _reason(x[k][keep], y[m][keep]):
                    partial = z is not None and request.indicators[k] != request.given
                    for name, axis in [*absent, *([("partial_spearman", None)] if partial else [])]:
                        none = Judged(value=None, reason=why)
                        yield k, m, self._row(request, k, m, keep, name, none, None, axis)
        if not able:
            return
        varied, measured = list(able), next(iter(able.values()))  # what varies does so for every outcome alike
        a, b = x[varied][:, keep], self.directions[measured, None] * y[measured][:, keep]
        blocks = self._blocks(request, keep)
        seed = self._seed(request)
        partly = z is not None and bool(np.isnan(z[keep]).any())  # for the partial one alone: `given` moves no other
        fixed = ["partial_spearman"] if z is not None else []
        battery = judge(
            a, b, None if z is None or partly else z[keep], [*wanted, *([] if partly else fixed)], request, seed=seed,
            blocks=blocks, joint=joint,
        )  # fmt: skip
        judged: dict[tuple[str, str | None], list[list[Judged]]] = {
            (name, None): t for name, t in battery.judged.items()
        }
        if (designed or request.by) and n >= 2:
            along = self._along(a, b, varied, measured, keep, designed, request)
            judged |= {(name, axis): table for name, axis, table in along}
        for (name, axis), table in judged.items():
            for i, k in enumerate(varied):
                if name == "partial_spearman" and request.indicators[k] == request.given:
                    continue
                for j, m in enumerate(measured):
                    tied = float(battery.tied_share[i, j])
                    yield k, m, self._row(request, k, m, keep, name, table[i][j], tied, axis)
        if partly and z is not None:
            yield from self._partly(x, y, z, varied, measured, keep & ~np.isnan(z), request, joint)

    def _partly(
        self, x: Floats, y: Floats, z: Floats, ks: list[int], ms: list[int], keep: NDArray[np.bool_],
        request: AgreementRequest, joint: dict[str, MaxT] | None,
    ) -> Iterator[tuple[int, int, Agreement]]:  # fmt: skip
        """Partial rows where some configurations lack what is held fixed."""
        for k in ks:
            for m in ms:
                a, b = x[[k]][:, keep], self.directions[[m], None] * y[[m]][:, keep]
                if request.indicators[k] == request.given:
                    continue
                if why := _reason(a[0], b[0]):
                    yield k, m, self._row(request, k, m, keep, "partial_spearman", Judged(value=None, reason=why), None)
                    continue
                found = judge(
                    a, b, z[keep], ["partial_spearman"], request, seed=self._seed(request),
                    blocks=self._blocks(request, keep), joint=joint,
                )  # fmt: skip
                one = found.judged["partial_spearman"][0][0]
                yield k, m, self._row(request, k, m, keep, "partial_spearman", one, float(found.tied_share[0, 0]))

    def _along(
        self, a: Floats, b: Floats, ks: list[int], ms: list[int], keep: NDArray[np.bool_], designed: list[str],
        request: AgreementRequest,
    ) -> Found:  # fmt: skip
        settings = self.settings[keep]
        here = [axis for axis in self.axes if settings[axis].nunique(dropna=False) > 1]
        size = f"ind_{SIZE}"
        equal = codes([self.means[size][keep].tolist()])[0] if size in self.means else None
        design = VaryingAxes(
            axes=tuple(axis.removeprefix("axis_") for axis in here),
            settings=codes([settings[axis].tolist() for axis in here]),
            equal={IMBALANCE.removeprefix("axis_"): equal} if equal is not None else {},
        )
        noise = np.full(b.shape, np.nan)
        for j, m in enumerate(ms):
            if (column := f"noise_{request.outcomes[m]}") in self.means:
                noise[j] = self.means[column].to_numpy(float)[keep]
        directions = np.array([_direction(request.indicators[k]) for k in ks], float)
        yield from along_axes(
            a, b, design, designed, request, noise=noise, directions=directions, seed=self._seed(request)
        )

    def _row(
        self, request: AgreementRequest, k: int, m: int, keep: NDArray[np.bool_], statistic: str, one: Judged,
        tied_share: float | None, axis: str | None = None,
    ) -> Agreement:  # fmt: skip
        outcome = request.outcomes[m]
        return Agreement(
            study=self.study, target_set=self.target_set, indicator=request.indicators[k], outcome=outcome,
            statistic=statistic, given=request.given if statistic == "partial_spearman" else None, axis=axis,
            value=one.value, low=one.low, high=one.high, p=one.p, q=None, n_configurations=int(keep.sum()),
            n_runs=int(self.runs[f"out_{outcome}"][keep].sum()), tied_share=tied_share, reason=one.reason,
        )  # fmt: skip

    def _blocks(self, request: AgreementRequest, keep: NDArray[np.bool_]) -> NDArray[np.int64] | None:
        if not request.blocks:
            return None
        levels = codes([self.settings[column][keep].tolist() for column in request.blocks])
        return np.unique(levels, axis=1, return_inverse=True)[1].reshape(-1)

    def _seed(self, request: AgreementRequest) -> np.random.SeedSequence:
        """A stream for each target set: their permutations are independent, and no other request moves them."""
        return np.random.SeedSequence([request.seed, zlib.crc32(f"{self.study}/{self.target_set}".encode())])


def _alike(values: Floats, which: Sequence[int]) -> list[list[int]]:
    """Rows that lack the same entries, together."""
    groups: dict[bytes, list[int]] = {}
    for row in which:
        groups.setdefault(np.isnan(values[row]).tobytes(), []).append(row)
    return list(groups.values())


def _reason(x: Floats, y: Floats) -> str | None:
    """Why two variables have no rank agreement at all."""
    if len(x) < 2:
        return f"{len(x)} configuration{'' if len(x) == 1 else 's'} with both values; at least 2 are needed"
    if not varies(x):
        return f"the indicator is {x[0]:g} in every configuration"
    if not varies(y):
        return f"the outcome is {y[0]:g} in every configuration"
    return None


def _better(frame: pd.DataFrame, outcome: str) -> int:
    """+1 where more of an outcome is better, -1 where less is."""
    known = frame[f"scale_{outcome}"].dropna() if f"scale_{outcome}" in frame else ()
    return direction(known.iloc[0]) if len(known) else 1


def _direction(name: str) -> int:
    """+1 where more of an indicator should mean a better outcome, -1 where less; +1 for those that are not ours."""
    try:
        return known(name).direction or 1
    except PredictorError:
        return 1


def _with_q(rows: list[Agreement], joint: dict[str, MaxT] | None = None) -> list[Agreement]:
    """Adjust within each statistic, gammas within each axis: the table asks the same question once in each."""
    result = list(rows)
    kinds = [(row.statistic, row.axis, row.given) for row in rows]
    for kind in dict.fromkeys(kinds):
        places = [i for i, own in enumerate(kinds) if own == kind]
        if joint is not None and kind[0] in joint:
            for i in places:
                if rows[i].p is not None and (value := rows[i].value) is not None:
                    result[i] = replace(rows[i], q=joint[kind[0]].adjusted(value, n=rows[i].n_configurations))
            continue
        method = "benjamini_hochberg" if joint is None else "holm"
        for i, q in zip(places, adjusted([rows[i].p for i in places], method), strict=True):
            result[i] = replace(rows[i], q=q)
    return result


def _noise(frame: pd.DataFrame, outcomes: Sequence[str]) -> Iterator[Noise]:
    for (study, target_set), own in frame.groupby(["study", "target_set"], sort=True):
        for outcome in outcomes:
            measured = own[own[f"out_{outcome}"].notna()]
            if not len(measured):
                continue
            values, names_ = measured[f"out_{outcome}"].to_numpy(float), measured["configuration_id"].tolist()
            seed, ceiling = seed_noise(values, names_), noise_ceiling(values, names_)
            noise = measured[f"noise_{outcome}"].to_numpy(float) if f"noise_{outcome}" in measured else np.array([])
            known = noise[~np.isnan(noise)]
            n = len(set(names_))
            reason = None
            if ceiling is None:
                reason = "no configuration was repeated" if seed is None else f"{n} configurations without spread"
            yield Noise(
                study=study, target_set=target_set, outcome=outcome, seed=seed,
                binomial=float(np.sqrt(np.mean(known**2))) if len(known) else None, ceiling=ceiling,
                n_configurations=n, n_runs=len(measured), reason=reason,
            )  # fmt: skip


def _notes(sizes: dict[tuple[str, str], int]) -> Iterator[str]:
    for n in sorted(set(sizes.values())):
        where = ", ".join(f"{study}/{target_set}" for (study, target_set), size in sizes.items() if size == n)
        rho = detectable_rho(n)
        if rho is None:
            yield f"{where}: n = {n} configurations can show no rank correlation"
        else:
            yield f"{where}: n = {n} configurations find |rho| >= {rho:.2f} with 80 % power; smaller ones may go unseen"
