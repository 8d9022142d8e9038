"""Every shift of every run in a row: what it covers, chance, clean accuracy on these classes, effective robustness."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from predictor.records.schema import RunRecord
from predictor.statistics.effective import effective_robustness

SHIFT = "shift:"
AVERAGE = "average"  # what stands for the shift in a row of all shifts of a run
MEANS = ("accuracy", "among_covered", "clean", "difference", "effective")


def shift_rows(records: Iterable[RunRecord]) -> list[dict[str, Any]]:
    """One row a run and shift, in the order of the records; accuracies are fractions, class-balanced.

    covered, targets : classes of the shift, and of the target set; None where a record does not name them
    chance : of all targets
    clean : accuracy on the covered classes of the clean test set; among_covered : under the shift when the covered
    classes alone could be predicted; effective : beyond the line of the other runs of the target set (Taori et al.
    2020), None where these make none; difference : of logits, None where one of the accuracies is 0 or 1
    """
    rows: list[dict[str, Any]] = []
    alike: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for record in records:
        for name, outcome in record.outcomes.items():
            if not name.startswith(SHIFT) or outcome.scale != "accuracy":
                continue
            whole = record.outcomes["accuracy"].classes if "accuracy" in record.outcomes else ()
            part = outcome.intersection
            row = {
                "run_id": record.run_id,
                "study": record.study,
                "target_set": record.target_set,
                "shift": name.removeprefix(SHIFT),
                "covered": len(outcome.classes) or None,
                "targets": len(whole) or None,
                "chance": outcome.chance,
                "accuracy": outcome.value,
                "among_covered": part.value if part else outcome.value,
                "clean": outcome.clean_value,
                "difference": _logits(outcome.value, outcome.clean_value),
                "effective": None,
            }
            rows.append(row)
            alike[record.target_set, name].append(row)
    for same in alike.values():
        known = [row for row in same if row["clean"] is not None]
        found = effective_robustness([row["clean"] for row in known], [row["accuracy"] for row in known])
        for row, value in zip(known, found.tolist(), strict=True):
            row["effective"] = None if np.isnan(value) else value
    return rows


def with_averages(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows of `shift_rows`, and below each run with several shifts one with their plain means.

    Its shift is 'average', its accuracy the run's robustness; what one of the shifts lacks it lacks too.
    """
    found: list[dict[str, Any]] = []
    for _, same in groupby(rows, key=lambda row: (row["study"], row["run_id"])):
        own = [dict(row) for row in same]
        found += own
        if len(own) > 1:
            means = {name: _mean([row[name] for row in own]) for name in MEANS}
            found.append(own[0] | {"shift": AVERAGE, "covered": None} | means)
    return found


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if len(known) == len(values) else None


def _logits(shifted: float, clean: float | None) -> float | None:
    if clean is None or not (0 < shifted < 1 and 0 < clean < 1):
        return None
    return float(np.log(shifted / (1 - shifted)) - np.log(clean / (1 - clean)))
