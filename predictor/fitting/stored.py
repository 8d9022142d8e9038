"""What fit.json holds of predictions of configurations that were held out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from predictor.fitting.calibration import DIGITS
from predictor.fitting.configurations import Configurations
from predictor.fitting.held_out import Calibrated


def of_configurations(item: Calibrated, configs: Configurations, table: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What fit.json holds of held-out configurations."""
    return {
        "family": item.family.name,
        "configurations": [configs.names[i] for i in item.of_all.tolist()],
        **residuals(item),
        "measured": configs.values[item.of_all].tolist(),
        "covered": covered_at(table, "configuration"),
        "covered_on": _covered_on(table),
    }


def residuals(item: Calibrated) -> dict[str, Any]:
    """Held-out residuals in logits, and the accuracies that were predicted."""
    return {
        **item.stored(),
        "fold": item.fold.tolist(),
        "groups": item.groups.tolist(),
    }


def single(item: Calibrated) -> list[float]:
    """Held-out residuals of single runs, as pilots are."""
    return np.round(item.single, DIGITS).tolist()


def n_tested(configs: Configurations) -> dict[str, float]:
    """Test images behind a configuration, by target set and of a new one: medians. Empty where none are counted."""
    if not np.isfinite(configs.tested).all():
        return {}
    sets = {
        name: float(np.median(configs.tested[configs.target_sets == name])) for name in np.unique(configs.target_sets)
    }
    return {**sets, "new": float(np.median(configs.tested))}


def covered_at(table: Sequence[dict[str, Any]], split: str) -> dict[str, Any]:
    """{level: [covered, n]} of the family that was chosen, as the table of a split says."""
    rows = [row for row in table if row["split"] == split and row["chosen"]]
    return {level: pair for level, pair in rows[0]["covered"].items() if pair} if rows else {}


def _covered_on(table: Sequence[dict[str, Any]]) -> list[str]:
    """Studies whose configurations the coverage was counted on."""
    rows = [row for row in table if row["split"] == "configuration" and row["chosen"]]
    return rows[0]["covered_studies"] if rows else []
