"""Effective robustness: accuracy under a shift beyond what accuracy without it lets one expect.

rho(f) = acc_shift(f) - beta(acc_clean(f)),  logit beta(x) = a + b logit(x),  a, b by least squares on a reference set

R. Taori et al. 2020, Measuring robustness to natural distribution shifts in image classification, equations 1 and 2;
the reference set (there: models trained on ImageNet alone) is stated, because every value depends on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from predictor.errors import RegistryError
from predictor.models.links import expit, logit
from predictor.records.schema import Outcome, RunRecord
from predictor.statistics.ties import varies

SHIFT, EFFECTIVE = "shift:", "effective:"
MEAN = "effective_robustness"
FEWEST = 10  # reference configurations: a line through fewer says little
EDGE = 1e-3  # shares nearer to 0 and 1 have logits that are mostly noise


@dataclass(frozen=True, kw_only=True)
class Line:
    """The line of one shift: logit shift = intercept + slope logit clean.

    r2 : of the logits in the reference set
    n_reference, n : runs that the line was fitted on; runs that it was applied to
    """

    shift: str
    slope: float
    intercept: float
    r2: float
    n_reference: int
    n: int
    reference: str


def with_effective(
    records: Sequence[RunRecord], reference: Sequence[bool], *, clean: str = "accuracy", name: str
) -> tuple[list[RunRecord], list[Line]]:
    """Records with an outcome `effective:NAME` for each shift and their mean, and the lines of the shifts.

    reference : whether a record belongs to the reference set
    clean : the outcome without shift; a shift that states its `clean_value` (over its own classes) is held against that
    name : what the reference set is called

    Raises RegistryError where the reference set is too small, or does not vary.
    """
    shifts = list(dict.fromkeys(key for record in records for key in record.outcomes if key.startswith(SHIFT)))
    if not shifts:
        raise RegistryError(
            f"no outcome {SHIFT}NAME", remedy="name the shifts in the map: effective robustness needs them"
        )
    effective: list[dict[str, Outcome]] = [{} for _ in records]
    lines = []
    for shift in shifts:
        own = [
            i
            for i, record in enumerate(records)
            if shift in record.outcomes and _clean(record, shift, clean) is not None
        ]
        x = np.array([_clean(records[i], shift, clean) for i in own], dtype=np.float64)
        y = np.array([records[i].outcomes[shift].value for i in own])
        inside = np.array([reference[i] for i in own], dtype=bool)
        if inside.sum() < FEWEST or not varies(x[inside]):
            raise RegistryError(
                f"the reference set {name!r} has {int(inside.sum())} runs with {shift} and {clean}, of "
                f"{len(set(x[inside].tolist()))} different values; needed: {FEWEST} that differ",
                remedy="state another reference set in the map",
            )
        slope, intercept, r2 = logit_line(x[inside], y[inside])
        expected = expit(intercept + slope * _logit(x))
        for i, value in zip(own, (y - expected).tolist(), strict=True):
            effective[i][shift.replace(SHIFT, EFFECTIVE, 1)] = Outcome(value=value, scale="identity")
        lines.append(Line(shift=shift, slope=slope, intercept=intercept, r2=r2, n_reference=int(inside.sum()),
                          n=len(own), reference=name))  # fmt: skip
    for found in effective:
        if len(found) == len(shifts):
            mean = float(np.mean([outcome.value for outcome in found.values()]))
            found[MEAN] = Outcome(value=mean, scale="identity")
    return [record.model_copy(update={"outcomes": {**record.outcomes, **found}})
            for record, found in zip(records, effective, strict=True)], lines  # fmt: skip


def logit_line(x: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    """(slope, intercept, R^2) of logit y on logit x, by least squares.

    >>> slope, intercept, r2 = logit_line(np.array([0.2, 0.5, 0.8]), np.array([0.2, 0.5, 0.8]))
    >>> round(slope, 6), round(abs(intercept), 6), round(r2, 6)
    (1.0, 0.0, 1.0)
    """
    a, b = _logit(x), _logit(y)
    deviation = a - a.mean()
    slope = float(deviation @ b / (deviation @ deviation))
    intercept = float(b.mean() - slope * a.mean())
    left = b - intercept - slope * a
    total = float(np.sum((b - b.mean()) ** 2))
    return slope, intercept, 1 - float(left @ left) / total if total > 0 else 1.0


def _logit(p: np.ndarray) -> np.ndarray:
    return logit(np.clip(p, EDGE, 1 - EDGE))


def _clean(record: RunRecord, shift: str, clean: str) -> float | None:
    """The clean value that a shift is held against; None where the record lacks it, or the shift."""
    if shift not in record.outcomes:
        return None
    own = record.outcomes[shift].clean_value
    if own is not None:
        return own
    return record.outcomes[clean].value if clean in record.outcomes else None
