"""Every shift of every run in a row: what it covers, chance, clean accuracy on these classes, effective robustness."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np

from predictor.records.schema import RunRecord
from predictor.statistics.effective import effective_robustness

SHIFT = "shift:"


def shift_rows(records: Iterable[RunRecord]) -> list[dict[str, Any]]:
    """One row a run and shift, in the order of the records; accuracies are fractions, class-balanced.

    covered, targets : classes of the shift, and of the target set; chance : of all targets
    clean : accuracy on the covered classes of the clean test set; among_covered : under the shift when the covered
    classes alone could be predicted; effective : beyond the line of the other runs of the target set (Taori et al.
    2020), None where these make none; difference : of logits, None where one of the accuracies is 0 or 1
    """
    rows: list[dict[str, Any]] = []
    alike: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for record in records:
        for name, outcome in record.outcomes.items():
            if not name.startswith(SHIFT) or outcome.clean_value is None:
                continue
            whole = record.outcomes["accuracy"].classes or ()
            part = outcome.intersection
            row = {
                "run_id": record.run_id,
                "target_set": record.target_set,
                "shift": name.removeprefix(SHIFT),
                "covered": len(outcome.classes or ()),
                "targets": len(whole),
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
        found = effective_robustness([row["clean"] for row in same], [row["accuracy"] for row in same])
        for row, value in zip(same, found.tolist(), strict=True):
            row["effective"] = None if np.isnan(value) else value
    return rows


def _logits(shifted: float, clean: float) -> float | None:
    if not (0 < shifted < 1 and 0 < clean < 1):
        return None
    return float(np.log(shifted / (1 - shifted)) - np.log(clean / (1 - clean)))
