"""How well a fit knows recipes: held-out errors of each family against noise, and whether the best action is named.

    python benchmarks/recipes.py [RUNS [FIT]]

Actions: of every target set and profile that was trained with several actions, the one with the best held-out
prediction (each configuration predicted without it) against the one that was best when trained (means over seeds).
"""

from __future__ import annotations

import sys
from collections import defaultdict

import numpy as np

from predictor.fitting.rows import action_of
from predictor.models.fit import Fit, load_fit, shipped_fit
from predictor.records import read_registry
from predictor.statistics.binomial import exact_interval

BAR_ERROR, BAR_LOSS, BAR_SHARE = 1.5, 0.01, 0.9  # times the floor; accuracy lost; share of manifests


def errors(fit: Fit) -> None:
    """A line for each family and kind of held-out run: error, floor, ratio where both are of one kind, coverage."""
    for family, own in fit.recipe_families.items():
        for row in own.validation:
            if not row["chosen"] or row["outcome"] != "accuracy":
                continue
            pair = row["covered"]["0.9"]
            covered = f"{pair[0]}/{pair[1]}" if pair else "not measured"
            ratio = row["mae"] / row["noise_floor"]
            bar = (
                f"  bar {BAR_ERROR}x: {'met' if ratio <= BAR_ERROR else 'missed'}"
                if row["split"] == "configuration"
                else ""
            )
            print(
                f"{family:10} {row['split']:13} MAE {100 * row['mae']:4.1f}  floor {100 * row['noise_floor']:.1f}  "
                f"ratio {ratio:4.1f}  covered {covered:12} n {row['n_configurations']}{bar}"
            )


def actions(fit: Fit, runs: str) -> None:
    """What the action that is named best loses against the one that was best, over target sets and profiles."""
    own = fit.recipe_families.get("frozen")
    if own is None:
        return
    held = own.outcomes["accuracy"].configuration
    told = dict(
        zip(held.configurations, zip(held.predicted.tolist(), held.measured.tolist(), strict=True), strict=True)
    )
    found: dict[tuple[str, str], dict[str, tuple[float, float]]] = defaultdict(dict)
    for record in read_registry(runs):
        if record.configuration_id in told:
            key = (
                record.target_set,
                f"{record.axes['profile']} {record.axes['samples_per_class']} {record.axes['others']}",
            )
            found[key][action_of(record).name] = told[record.configuration_id]
    lost = []
    for values in found.values():
        if len(values) > 1:
            named = max(values, key=lambda name: values[name][0])
            lost.append(max(measured for _, measured in values.values()) - values[named][1])
    within = int(np.sum(np.array(lost) <= BAR_LOSS + 1e-12))
    low, high = exact_interval(within, len(lost))
    print(
        f"action named best: within {100 * BAR_LOSS:g} point of the best in {within} of {len(lost)} "
        f"[{low:.2f}, {high:.2f}], loses {100 * np.mean(lost):.1f} points on average (three seeds each: chance chooses "
        f"between near ones)  "
        f"bar {BAR_SHARE:.0%}: {'met' if within >= BAR_SHARE * len(lost) else 'missed'}"
    )


def main() -> None:
    """Print both."""
    runs = sys.argv[1] if len(sys.argv) > 1 else "runs"
    fit = load_fit(sys.argv[2]) if len(sys.argv) > 2 else shipped_fit()
    errors(fit)
    actions(fit, runs)


if __name__ == "__main__":
    main()
