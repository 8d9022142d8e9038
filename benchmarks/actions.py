"""What training does about imbalance with a frozen network: points won back, in the records of pretrained-frozen.

    python benchmarks/actions.py [RUNS]

Accuracies are class-balanced means of three seeds; every configuration drew its own images. The unit is a target set;
intervals are Student's over target sets.
"""

from __future__ import annotations

import sys
from collections import defaultdict

import numpy as np
from scipy import stats

from predictor.records import read_registry

Key = tuple[str, str, str]  # target set, profile, action
BALANCED, STEP, EXPONENTIAL = "balanced", "step(ratio=10,share=0.5)", "exponential(ratio=20)"
COMPARED = (
    ("balanced instead of step 10:1", BALANCED, "none", STEP, "none"),
    ("class weights, step 10:1", STEP, "class_weights inverse", STEP, "none"),
    ("logit adjustment in the loss, step 10:1", STEP, "logit_adjustment loss", STEP, "none"),
    ("logit adjustment at test, step 10:1", STEP, "logit_adjustment test", STEP, "none"),
    ("class weights, exponential 20:1", EXPONENTIAL, "class_weights inverse", EXPONENTIAL, "none"),
)


def means(runs: str) -> dict[Key, float]:
    """Mean accuracy of each configuration of 20 images a class without other classes."""
    found: dict[Key, list[float]] = defaultdict(list)
    for record in read_registry(runs):
        axes = record.axes
        if record.study != "pretrained-frozen" or axes["samples_per_class"] != 20 or axes["others"] != "none":
            continue
        if axes.get("logit_adjustment"):
            action = f"logit_adjustment {axes['logit_adjustment_at']}"
        else:
            weights = axes.get("class_weights", "none")
            action = "none" if weights == "none" else f"class_weights {weights}"
        found[record.target_set, str(axes["profile"]), action].append(record.outcomes["accuracy"].value)
    return {key: float(np.mean(values)) for key, values in found.items()}


def main() -> None:
    """Print a line a comparison: points, 95 % interval, number of target sets."""
    accuracy = means(sys.argv[1] if len(sys.argv) > 1 else "runs")
    sets = sorted({key[0] for key in accuracy})
    for words, profile, action, beside, plain in COMPARED:
        pairs = [(accuracy.get((s, profile, action)), accuracy.get((s, beside, plain))) for s in sets]
        points = 100 * np.array([a - b for a, b in pairs if a is not None and b is not None])
        half = stats.t.ppf(0.975, len(points) - 1) * stats.sem(points)
        mean = points.mean()
        print(f"{words:42} {mean:+5.1f} points [{mean - half:+.1f}, {mean + half:+.1f}]  {len(points)} target sets")


if __name__ == "__main__":
    main()
