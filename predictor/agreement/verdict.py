"""A row in words: what the numbers allow to say, and no more."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from predictor.agreement.table import Agreement

NEGLIGIBLE = 0.3  # an interval of rho inside +-0.3 (less than 9 % of the rank variance) says: does not predict

PREDICTS = "predicts"
ONLY_SIZE = "predicts only through {given}"
REVERSES = "sign reverses given {given}"
PERHAPS_SIZE = "predicts, maybe through {given}"
ONLY_GIVEN = "predicts given {given}"
NOT = "does not predict"
UNDECIDED = "undecided: {few}"


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
    gone = fixed.low is not None and fixed.high is not None and not fixed.low <= raw.value <= fixed.high
    return (ONLY_SIZE if gone else PERHAPS_SIZE).format(given=given)


def _counts(row: Agreement, level: float) -> bool:
    excluded = row.low is None or row.high is None or row.low > 0 or row.high < 0
    return row.q is not None and row.q <= 1 - level + 1e-12 and excluded


def _nothing(raw: Agreement, few: str) -> str:
    small = raw.low is not None and raw.high is not None and raw.low > -NEGLIGIBLE and raw.high < NEGLIGIBLE
    return NOT if small else UNDECIDED.format(few=few)
