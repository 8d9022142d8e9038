"""A fit of own runs on top of another one, for a reader: what each own target set brings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from predictor.planning.pilots.based import Added
from predictor.render.tables import points, rows_text


def rows(added: Sequence[Added]) -> list[dict[str, Any]]:
    """One row an own target set."""
    return [asdict(item) for item in added]


def summary(added: Sequence[Added], notes: Sequence[str], base: str, written: Path) -> str:
    """Held-out errors of own configurations, with the base alone and with the other own runs."""
    table = [
        {
            "target set": item.target_set,
            "recipe": item.recipe,
            "configurations": item.n_configurations,
            "runs": item.n_runs,
            "MAE base": points(item.mae_base),
            "MAE": points(item.mae),
            "covered": f"{item.covered[0]}/{item.covered[1]}",
        }
        for item in added
    ]
    first = added[0].target_set
    return "\n".join(
        [
            rows_text(table, "table"),
            "",
            "each configuration predicted with the others, in points; MAE base: without any of them; nominal 90 %",
            f"base: {base}; what it says of other images is unchanged",
            *(f"left out: {line}" for line in notes),
            f"written: {written}",
            f"use it: predictor predict MANIFEST --fit {written} --target-set {first}",
        ]
    )
