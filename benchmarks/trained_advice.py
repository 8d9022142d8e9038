"""Whether advice that somebody followed brought what was predicted: the study advice, trained after its predictions.

    python benchmarks/trained_advice.py [RUNS]

Reads RUNS/advice/predicted.csv (written by the fit of that time, before any run) and the runs of the same class counts.
Gains are against the manifest as it was, +- two standard errors of a difference of two means over seeds.
"""

from __future__ import annotations

import csv
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from predictor.records import RunRecord, read_registry
from predictor.render.tables import rows_text


def compared(table: Path, records: Sequence[RunRecord]) -> list[dict[str, Any]]:
    """One row for each plan that was trained: predicted and trained accuracy and gain, in points.

    Plans with the same counts are one row, with both names; * is the advised one.
    """
    values = defaultdict(list)
    for record in records:
        if record.status == "completed" and record.distribution is not None:
            counts = sorted(record.distribution.target_counts.tolist(), reverse=True)
            values[record.target_set, " ".join(map(str, counts))].append(record.outcomes["accuracy"].value)
    with open(table, encoding="utf-8", newline="") as file:
        plans = [row for row in csv.DictReader(file) if (row["target_set"], row["counts"]) in values]
    several = [group for group in values.values() if len(group) > 1]
    freedom = sum(len(group) - 1 for group in several)
    one_run = sum(np.var(group, ddof=1) * (len(group) - 1) for group in several) / max(freedom, 1)
    now = {row["target_set"]: values[row["target_set"], row["counts"]] for row in plans if row["plan"] == "now"}
    names = defaultdict(list)
    for row in plans:
        names[row["target_set"], row["counts"]].append(row["plan"] + (" *" if row["advised"] == "True" else ""))
    rows = []
    for row in {(row["target_set"], row["counts"]): row for row in plans}.values():
        own, before = values[row["target_set"], row["counts"]], now.get(row["target_set"])
        if before is None:
            continue
        gain = float(np.mean(own) - np.mean(before))
        rows.append(
            {
                "target set": row["target_set"],
                "plan": " = ".join(names[row["target_set"], row["counts"]]),
                "predicted": 100 * float(row["value"]),
                "trained": 100 * float(np.mean(own)),
                "inside": float(row["low"]) <= np.mean(own) <= float(row["high"]),
                "predicted gain": 100 * float(row["gain"] or "nan"),
                "interval": f"[{100 * float(row['gain_low']):+z.1f}, {100 * float(row['gain_high']):+z.1f}]"
                if row["gain_low"]
                else None,
                "trained gain": 100 * gain,
                "+-": 200 * float(np.sqrt(one_run * (1 / len(own) + 1 / len(before))))
                if row["plan"] != "now"
                else None,
                "gain inside": float(row["gain_low"]) <= gain <= float(row["gain_high"]) if row["gain_low"] else None,
                "seeds": len(own),
            }
        )
    return rows


def main() -> None:
    runs = Path(sys.argv[1] if len(sys.argv) > 1 else "runs")
    rows = compared(runs / "advice" / "predicted.csv", read_registry(runs, ["advice"]))
    names = ("predicted", "trained", "predicted gain", "trained gain", "+-")
    print(rows_text(rows, "table", formats={name: "{:.1f}".format for name in names}))
    error = [row["predicted gain"] - row["trained gain"] for row in rows if row["gain inside"] is not None]
    inside = sum(bool(row["gain inside"]) for row in rows)
    print(f"\n* advised. Mean error of a gain {np.mean(np.abs(error)):.1f} points, {inside} of {len(error)} inside; "
          f"{len(rows)} plans, {sum(row['seeds'] for row in rows)} runs")  # fmt: skip


if __name__ == "__main__":
    main()
