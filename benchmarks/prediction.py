"""How good predictions are, against the bars they are held to: on held-out studies, which no fit or choice ever saw.

    python benchmarks/prediction.py [RUNS] [OUTCOME]

Prints each bar with what was measured, the worst configurations, and the error by every axis of the designs. Without a
held-out study in RUNS (`held_out: true` in its grid.yaml) it says so, and judges the rest.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from collections import defaultdict
from pathlib import Path

import numpy as np

from predictor.fitting import fit_registry, rows_for, score_held_out, select
from predictor.fitting.calibration import calibrate, configuration_folds, configurations, predict_rows
from predictor.fitting.metrics import interval_quality
from predictor.fitting.rows import Selection
from predictor.models import families
from predictor.records import read_registry

ENOUGH = 100  # held-out configurations from which the bars can be judged
WORST = 10


def bar(name, value, wanted, met):
    """One line: met, missed by how much, or not measured."""
    verdict = "not measured" if met is None else "met" if met else "MISSED"
    print(f"{verdict:<13} {name:<58} {value:>18}   wanted {wanted}")


def points(value):
    return "-" if value is None else f"{100 * value:.2f} points"


def held_out(fit, records, outcome):
    """Bars on random designs of known target sets, and where the error sits."""
    rows = {row["family"]: row for row in score_held_out(fit, records, [outcome])}
    best = next((row for row in rows.values() if row["chosen"]), None)
    if best is None:
        print(f"held-out studies: none has {outcome} on a target set that the fit knows; nothing to judge here\n")
        return
    print(f"{', '.join(best['studies'])}: {best['n_configurations']} configurations, {best['n_runs']} runs, model "
          f"{best['family']}, noise floor {points(best['noise_floor'])}, {best['n_left_out']} not scored")  # fmt: skip
    if best["n_configurations"] < ENOUGH:
        print(f"too small to judge: {best['n_configurations']} configurations; {ENOUGH} are needed")
    limit = max(0.015, 1.5 * (best["noise_floor"] or 0))
    bar("MAE", points(best["mae"]), f"<= {points(limit)}", best["mae"] <= limit)
    bar("Spearman inside target sets", f"{best['spearman']:.3f}", ">= .98", best["spearman"] >= 0.98)
    decided, by_size = best["decision_accuracy_equal_n_2se"], rows["log_n"]["decision_accuracy_equal_n_2se"]
    name = f"decisions, equal N, > 2 standard errors (log N: {by_size if by_size is None else round(by_size, 2)})"
    bar(name, "-" if decided is None else f"{decided:.3f}", ">= .90", None if decided is None else decided >= 0.9)
    skill, low = best["skill"]["log_n_log_h"], best["skill_low"]["log_n_log_h"]
    bar("skill over log N + log H", f"{skill:.3f}", ">= .6", skill >= 0.6)
    bar("its lower 90 % bound", f"{low:.3f}", "> 0", low > 0)
    if best["covered"]:
        inside, n = best["covered"]
        bounds = f"[{best['coverage_low']:.2f}, {best['coverage_high']:.2f}]"
        bar(f"95 % interval of the coverage, {inside} of {n}", bounds, "holds .90",
            best["coverage_low"] <= 0.9 <= best["coverage_high"])  # fmt: skip
        other = baseline_interval_score(records, fit, outcome)
        if other is not None:
            gain = 1 - best["interval_score"] / other
            bar(f"interval score {points(best['interval_score'])}, log N + log H {points(other)}", f"{gain:.0%} better",
                ">= 30 %", gain >= 0.3)  # fmt: skip
    for family, row in rows.items():
        print(f"  {family:<12} MAE {points(row['mae']):>12}   Spearman {row['spearman'] or 0:.3f}")
    where_the_error_sits(fit, records, outcome, best["family"])


def scored_rows(fit, records, outcome):
    """Rows of the held-out runs whose level the fit knows."""
    held = tuple(record for record in records if record.held_out and record.status == "completed")
    rows = [row for row in rows_for(Selection(held), outcome) if row.case.level in fit.content["levels"]]
    return [row for row in rows if row.target_set in fit.outcomes[outcome]["target_sets"]]


def baseline_interval_score(records, fit, outcome):
    """Interval score of log N + log H with intervals made in the same way."""
    train = rows_for(select(records), outcome)
    configs = configurations(train)
    fitted = calibrate(families()["log_n_log_h"], train, configs, configuration_folds(configs, 10))
    rows = scored_rows(fit, records, outcome)
    bounds = fitted.interval(rows, 0.9, "configuration")
    return bounds and interval_quality(configurations(rows).measured, *bounds, 0.9)["interval_score"]


def where_the_error_sits(fit, records, outcome, family):
    """The worst configurations, and mean errors by axis."""
    rows = scored_rows(fit, records, outcome)
    configs = configurations(rows)
    error = configs.measured - configs.mean(predict_rows(fit.outcomes[outcome]["families"][family], rows))
    axes = {record.run_id: record.axes for record in records}
    print("worst configurations (measured - predicted)")
    for i in np.argsort(-np.abs(error))[:WORST]:
        row = rows[configs.first[i]]
        said = ", ".join(f"{key} {value}" for key, value in axes[row.run_id].items())
        print(f"  {100 * error[i]:+6.1f}  measured {100 * configs.measured[i]:5.1f}  {row.target_set}  {said}")
    cells = defaultdict(list)
    for i, value in enumerate(error):
        row = rows[configs.first[i]]
        cells["target set", row.target_set].append(value)
        for key, setting in axes[row.run_id].items():
            cells[key, str(setting).split("(")[0].split(":")[0]].append(value)
    print("by axis: MAE and mean error in points (n >= 5)")
    for (axis, setting), values in sorted(cells.items()):
        if len(values) >= 5:
            mae, bias = 100 * np.mean(np.abs(values)), 100 * np.mean(values)
            print(f"  {axis:<20} {setting:<28} {mae:5.2f} {bias:+6.2f}  n = {len(values)}")
    print()


def validated(fit, outcome):
    """Bars on left-out target sets and on the largest runs, from the fit's own nested validation."""
    rows = [row for row in fit.validation if row["outcome"] == outcome]
    best = {row["split"]: row for row in rows if row["chosen"]}
    inside, large, new = best["configuration"], best.get("extrapolation"), best.get("target_set")
    print(f"nested validation: {inside['n_configurations']} configurations, {inside['n_runs']} runs")
    bar("held-out configurations: MAE", points(inside["mae"]), "-", None)
    if large:
        bar("largest fifth: MAE", points(large["mae"]), f"<= {points(2 * inside['mae'])} (twice within)",
            large["mae"] <= 2 * inside["mae"])  # fmt: skip
        least = min(
            (row["mae"], row["family"])
            for row in rows
            if row["split"] == "extrapolation" and row["family"] in ("mean", "log_n", "log_n_log_h", "nearest")
        )
        bar(f"largest fifth: best baseline ({least[1]}) {points(least[0])}", points(large["mae"]), "less",
            large["mae"] < least[0])  # fmt: skip
    if new:
        covered = new["covered"]["0.9"]
        bar(f"left-out target sets, no pilots: covered {covered or 'not measured'}", points(new["mae"]), "-", None)


def main() -> None:
    runs = Path(sys.argv[1] if len(sys.argv) > 1 else "runs")
    outcome = sys.argv[2] if len(sys.argv) > 2 else "accuracy"
    records = read_registry(runs)
    began = time.perf_counter(), time.process_time()
    fit = fit_registry(records, [outcome])
    took = time.perf_counter() - began[0], time.process_time() - began[1]
    print(f"{outcome} of {runs}: fit in {took[0]:.1f} s ({took[1]:.1f} s of CPU); {platform.processor() or 'CPU'}, "
          f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")  # fmt: skip
    held_out(fit, records, outcome)
    validated(fit, outcome)


if __name__ == "__main__":
    main()
