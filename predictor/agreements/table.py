"""The result: frozen rows in long format, what each allows to say, and the one table that a reader needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from predictor.results import Result

if TYPE_CHECKING:
    import pandas as pd

PARTIAL = "partial_spearman"
POOLED = "(pooled)"  # the target set of a pooled row

NEGLIGIBLE = 0.3  # an interval of rho inside +-0.3 (less than 9 % of the rank variance) says: does not predict

PREDICTS = "predicts"
ONLY_SIZE = "predicts only through {given}"
REVERSES = "sign reverses given {given}"
PERHAPS_SIZE = "predicts, maybe by {given}"
ONLY_GIVEN = "predicts given {given}"
NOT = "does not predict"
UNDECIDED = "undecided: {few}"


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """One statistic of one indicator against one outcome. A value, bound or p that is missing has a reason.

    given : indicator that a partial correlation holds fixed; axis : of the grid, that a stratified gamma is along
    """

    study: str
    target_set: str
    indicator: str
    outcome: str
    statistic: str
    given: str | None
    axis: str | None = None
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
class Noise:
    """How far one outcome of one target set can be known at all (standard deviations in the outcome's unit).

    seed : of one run around its configuration's mean; binomial : from the finite test images
    ceiling : rank agreement that the true values would reach with the measured means; None has a reason
    """

    study: str
    target_set: str
    outcome: str
    seed: float | None
    binomial: float | None
    ceiling: float | None
    n_configurations: int
    n_runs: int
    reason: str | None


@dataclass(frozen=True, kw_only=True, repr=False)
class AgreementTable(Result):
    """Agreements in long format.

    rows : of each target set; pooled : over the target sets, and without each of them; level : of the intervals
    noise : of each target set and outcome
    """

    rows: tuple[Agreement, ...]
    level: float
    notes: tuple[str, ...] = field(default=())
    pooled: tuple[Agreement, ...] = field(default=())
    noise: tuple[Noise, ...] = field(default=())
    shown_by: ClassVar[str] = "agreement"

    def __repr__(self) -> str:
        sets = {(row.study, row.target_set) for row in self.rows}
        names = {row.indicator for row in self.rows}
        return f"<AgreementTable of {len(names)} indicators on {len(sets)} target sets, {len(self.rows)} rows>"

    def to_frame(self) -> pd.DataFrame:
        """(rows, fields) one row per statistic of each target set: the columns of the JSON contract."""
        return _frame(self.rows)

    def pooled_frame(self) -> pd.DataFrame:
        """The same columns for what is pooled over target sets."""
        return _frame(self.pooled)

    def by_indicator(self) -> pd.DataFrame:
        """One row per target set, outcome and indicator: the statistics side by side, strongest |rho| first."""
        import pandas as pd

        return pd.DataFrame([_flat(row) for row in self.summary_rows()])

    def summary_rows(self) -> list[dict[str, Any]]:
        """The rows of `by_indicator` as plain dictionaries."""
        return _wide(self.rows, self.level)

    def pooled_rows(self) -> list[dict[str, Any]]:
        """One row per outcome and indicator over all target sets: how many, I^2 and the range without one of them."""
        without: dict[tuple[str, str, str], list[float]] = {}
        for row in self.pooled:
            if row.target_set != POOLED and row.statistic == "spearman" and row.value is not None:
                without.setdefault((row.study, row.outcome, row.indicator), []).append(row.value)
        wide = _wide([row for row in self.pooled if row.target_set == POOLED], self.level, "few target sets")
        for entry in wide:
            values = without.get((entry["study"], entry["outcome"], entry["indicator"]))
            entry["without_one"] = (min(values), max(values)) if values else None
            entry["n_target_sets"] = len(values) if values else 2  # of two, none can be left out
        return wide


def _frame(rows: Sequence[Agreement]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame([asdict(row) for row in rows], columns=list(Agreement.__dataclass_fields__))


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """The row with a column for each axis that its gammas are along."""
    along = {f"stratified_gamma along {axis}": own.value for axis, own in row["along"].items()}
    return {key: value for key, value in row.items() if key != "along"} | along


def _wide(rows: Sequence[Agreement], level: float, few: str = "n too small") -> list[dict[str, Any]]:
    cells: dict[tuple[str, str, str, str], list[Agreement]] = {}
    for row in rows:
        cells.setdefault((row.study, row.target_set, row.outcome, row.indicator), []).append(row)
    wide = []
    for (study, target_set, outcome, indicator), own in cells.items():
        entry: dict[str, Any] = {
            "study": study, "target_set": target_set, "outcome": outcome, "indicator": indicator,
        }  # fmt: skip
        entry |= {"given": None, "along": {row.axis: row for row in own if row.axis is not None}}
        for row in own:
            if row.axis is None and (row.given is None or row.statistic == PARTIAL):
                entry[row.statistic] = row.value
            if row.statistic == PARTIAL:
                entry["given"] = row.given
            if row.statistic == "spearman":
                entry |= {"low": row.low, "high": row.high, "p": row.p, "q": row.q, "reason": row.reason}
            for name in ("tied_share", "n_configurations", "n_runs", "reason"):  # a partial one may rest on fewer
                entry.setdefault(name, getattr(row, name))
        raw = next((row for row in own if row.statistic == "spearman"), None)
        fixed = next((row for row in own if row.statistic == PARTIAL), None)
        entry["verdict"] = verdict(raw, fixed, level, few) if raw else None
        wide.append(entry)
    return sorted(wide, key=lambda e: (e["study"], e["target_set"], e["outcome"], -abs(e.get("spearman") or 0)))


def verdict(raw: Agreement, fixed: Agreement | None, level: float, few: str = "n too small") -> str | None:
    """What Spearman's rho (raw) and the same with one indicator held fixed (fixed, where there is one) say together.

    A rho counts where its adjusted p is at most 1 - level and its interval, if it has one, excludes 0. "Only through"
    needs evidence, not just a lost significance: the interval of the partial rho must hold 0 and exclude the raw one
    (or the fixed indicator must determine this one); else it is "maybe". "Does not predict" needs an interval inside
    +-0.3. None where rho has no value; its reason says why. few : what there is too little of to say anything
    """
    if raw.value is None:
        return None
    given = "size" if fixed is not None and fixed.given == "n_samples" else fixed.given if fixed is not None else ""
    counts = _counts(raw, level)
    if fixed is None:
        return PREDICTS if counts else _nothing(raw, few)
    if fixed.value is None:  # what is held fixed determines the indicator
        return ONLY_SIZE.format(given=given) if counts else _nothing(raw, few)
    counts_fixed = _counts(fixed, level)
    if counts and counts_fixed:
        return (PREDICTS if raw.value * fixed.value > 0 else REVERSES).format(given=given)
    if counts_fixed:
        return ONLY_GIVEN.format(given=given)
    if not counts:
        return _nothing(raw, few)
    low, high = fixed.low, fixed.high
    gone = low is not None and high is not None and low <= 0 <= high and not low <= raw.value <= high
    return (ONLY_SIZE if gone else PERHAPS_SIZE).format(given=given)


def _counts(row: Agreement, level: float) -> bool:
    excluded = row.low is None or row.high is None or row.low > 0 or row.high < 0
    return row.q is not None and row.q <= 1 - level + 1e-12 and excluded


def _nothing(raw: Agreement, few: str) -> str:
    small = raw.low is not None and raw.high is not None and raw.low > -NEGLIGIBLE and raw.high < NEGLIGIBLE
    return NOT if small else UNDECIDED.format(few=few)
