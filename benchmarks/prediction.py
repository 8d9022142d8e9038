"""How good predictions are, against the bars they are held to: on held-out studies, which no fit or choice ever saw.

    python benchmarks/prediction.py [RUNS] [OUTCOME] [--fit FIT] [--study NAME]

--fit scores a fit as it is written, such as one that was frozen before a study was trained, on the held-out studies
alone; without it one is made. Prints each bar with what was measured, the worst configurations, and the error by every
axis of the designs: random designs within known target sets, left-out target sets with pilots, the largest fifth, other
people's tables. It says what RUNS is too small for, or lacks. Of the held-out studies only random designs are scored:
the plans of the study advice are no random designs (benchmarks/trained_advice.py).
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
from advice import scores, table_text
from scipy.stats import binomtest

from predictor.fitting import fit_registry, rows_for, score_held_out, select
from predictor.fitting.configurations import configurations
from predictor.fitting.folds import configuration_folds
from predictor.fitting.held_out import calibrate, predict_rows
from predictor.fitting.metrics import interval_quality
from predictor.fitting.rows import Selection
from predictor.models import families
from predictor.models.fit import load_fit
from predictor.records import Reported, read_registry
from predictor.records.indicator_inputs import probes_of

ENOUGH = 100  # held-out configurations from which the bars can be judged
ENOUGH_SETS = 9  # left-out target sets from which a 90 % interval can be measured
PLANNED = "advice"  # held out too, but not drawn at random
WORST = 10
FEW = 30  # configurations of a domain from which its coverage is judged
PAIRS = 150
BEFORE = {("random-designs", "accuracy"): 0.1738, ("random-designs", "robustness"): 0.2420}  # interval scores of 0.2


def bar(name, value, wanted, met):
    """One line: met, missed by how much, or not measured."""
    verdict = "" if met is None else "met" if met else "MISSED"
    print(f"{verdict:<7} {name:<72} {value:>18}   wanted {wanted}")


def points(value):
    return "-" if value is None else f"{100 * value:.2f} points"


def held_out(fit, records, outcome):
    """Bars on random designs of known target sets, study by study, and where the error sits."""
    scored = score_held_out(fit, records, [outcome])
    for study in dict.fromkeys(row["studies"][0] for row in scored):
        rows = {row["family"]: row for row in scored if row["studies"] == [study]}
        own = [record for record in records if not record.held_out or record.study == study]
        of_study(fit, own, outcome, study, rows)
    if not scored:
        print(f"held-out studies: none has {outcome} on a target set that the fit knows; nothing to judge here\n")


def of_study(fit, records, outcome, study, rows):
    """Bars on one held-out study."""
    best = next(row for row in rows.values() if row["chosen"])
    print(f"{study}: {best['n_configurations']} configurations, {best['n_runs']} runs, model {best['family']}, "
          f"noise floor {points(best['noise_floor'])}, {best['n_left_out']} not scored")  # fmt: skip
    if best["n_configurations"] < ENOUGH:
        print(f"too small to judge: {best['n_configurations']} configurations; {ENOUGH} are needed")
    if outcome == "robustness":
        bar("MAE", points(best["mae"]), "<= 2.2 points", best["mae"] <= 0.022)
    elif best["noise_floor"]:
        ratio = best["mae"] / best["noise_floor"]
        bar(f"MAE {points(best['mae'])} / its noise floor", f"{ratio:.2f}", "<= 1.5", ratio <= 1.5)
    bar("Spearman inside target sets", f"{best['spearman']:.3f}", ">= .97", best["spearman"] >= 0.97)
    decided, by_size = best["decision_accuracy_equal_n_2se"], rows["log_n"]["decision_accuracy_equal_n_2se"]
    n_pairs = best["n_pairs_equal_n_2se"]
    name = f"decisions, equal N, > 2 standard errors, {n_pairs} pairs (log N: {by_size and round(by_size, 2)})"
    met = None if decided is None else decided >= 0.97 and n_pairs >= PAIRS
    bar(name, "-" if decided is None else f"{decided:.3f}", f">= .97 of >= {PAIRS}", met)
    skill, low = best["skill"]["log_n_log_h"], best["skill_low"]["log_n_log_h"]
    bar("skill over log N + log H", f"{skill:.3f}", ">= .6", skill >= 0.6)
    bar("its lower 90 % bound", f"{low:.3f}", "> 0", low > 0)
    if best["covered"]:
        of_intervals(fit, records, outcome, study, best)
    for family, row in rows.items():
        print(f"  {family:<16} MAE {points(row['mae']):>12}   Spearman {row['spearman'] or 0:.3f}")
    where_the_error_sits(fit, records, outcome, best["family"])


def perfect(bins):
    """What the mean |stated - observed| would be by chance alone, if every stated P were right.

    Expected calibration error, Naeini et al. (2015): bins weigh as their pairs do.
    """
    rng, n = np.random.default_rng(0), np.array([one["n"] for one in bins])
    stated = np.array([one["stated"] for one in bins])
    drawn = rng.binomial(n, stated, size=(2000, len(n))) / n
    return float(np.average(np.abs(drawn - stated), axis=1, weights=n).mean())


def of_intervals(fit, records, outcome, study, best):
    """Bars on intervals of values and of comparisons."""
    for name, (inside, n) in {"all": best["covered"], **best["covered_by"]["domain"]}.items():
        low, high = binomtest(inside, n).proportion_ci(0.95, method="exact")
        enough = name == "all" or n >= FEW
        bar(f"95 % interval of the coverage, {name}: {inside} of {n}", f"[{low:.2f}, {high:.2f}]", "holds .90",
            low <= 0.9 <= high if enough else None)  # fmt: skip
    if best["pairs_covered"]:
        inside, n = best["pairs_covered"]
        bar(f"comparisons covered, {inside} of {n}", f"{inside / n:.3f}", ".87 to .93", 0.87 <= inside / n <= 0.93)
        bins = best["pairs_reliability"]
        apart, n = np.array([abs(one["stated"] - one["observed"]) for one in bins]), [one["n"] for one in bins]
        error, chance = float(np.average(apart, weights=n)), perfect(bins)
        bar(f"P(a is better): mean |stated - observed| over {sum(n)} pairs in {len(bins)} bins (were P perfect: "
            f"{chance:.3f})", f"{error:.3f}", "<= .03", error <= 0.03)  # fmt: skip
    other = baseline_interval_score(records, fit, outcome)
    if other is not None:
        gain = 1 - best["interval_score"] / other
        bar(f"interval score {points(best['interval_score'])}, log N + log H {points(other)}", f"{gain:.0%} better",
            ">= 30 %", gain >= 0.3)  # fmt: skip
    if (study, outcome) in BEFORE:
        share = best["interval_score"] / BEFORE[study, outcome]
        bar("interval score against that of version 0.2", f"{share:.2f}", "<= .85", share <= 0.85)


def scored_rows(fit, records, outcome):
    """Rows of the held-out runs whose level the fit knows."""
    held = tuple(record for record in records if record.held_out and record.status == "completed")
    rows = [row for row in rows_for(Selection(held), outcome) if row.case.level in fit.levels]
    return [row for row in rows if row.target_set in fit.outcomes[outcome].target_sets]


def baseline_interval_score(records, fit, outcome):
    """Interval score of log N + log H with intervals made in the same way."""
    train = rows_for(select(records), outcome)
    configs = configurations(train)
    fitted = calibrate(families()["log_n_log_h"], train, configs, configuration_folds(train, configs, 10))
    rows = scored_rows(fit, records, outcome)
    held = configurations(rows)
    bounds = fitted.around(held.mean(predict_rows(fitted.parameters, rows)), 0.9, "configuration")
    return bounds and interval_quality(held.measured, *bounds, 0.9)["interval_score"]


def where_the_error_sits(fit, records, outcome, family):
    """The worst configurations, and mean errors by axis."""
    rows = scored_rows(fit, records, outcome)
    configs = configurations(rows)
    error = configs.measured - configs.mean(predict_rows(fit.outcomes[outcome].families[family].parameters, rows))
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
        inside_of = large["covered"]["0.9"]
        bar(f"largest fifth, {large['n_configurations']} configurations: covered", str(inside_of or "not measured"),
            "-", None)  # fmt: skip
    else:
        print("largest fifth: too few configurations to judge")
    if new:
        covered = new["covered"]["0.9"]
        bar(f"left-out target sets, no pilots: covered {covered or 'not measured'}", points(new["mae"]), "-", None)
    print()


def with_pilots(records, outcome, family):
    """Bars on left-out target sets that give a few pilots."""
    rows = rows_for(select(records), outcome)
    if families()[family].fit is None:
        print(f"{family} is made of others; pilots are tried with classwise")
        family = "classwise"
    for new_domain in (False, True):
        table = scores(rows, family, new_domain=new_domain)
        kind = "all of its domain left out" if new_domain else "its domain known"
        if not table:
            print(f"pilots, {kind}: no target set has enough configurations, or there is one domain only\n")
            continue
        print(table_text(table))
        by = {row["pilots"]: row for row in table}
        n = by[3]["target sets"]
        if n < ENOUGH_SETS:
            print(f"too small to judge: {n} target sets; {ENOUGH_SETS} are needed")
        share, low, high = share_left(by[3]["errors"], by[0]["errors"])
        name = f"pilots, {kind}: error of 3 / error of none [90 %], n = {n}"
        bar(name, f"{share:.2f} [{low:.2f}, {high:.2f}]", "<= .50", share <= 0.5)
        bar(f"the same with level and slope of all its runs, n = {n}", f"{by[3]['at best'] / by[0]['mae']:.2f}",
            "-", None)  # fmt: skip
        alone = by[3]["mae log N alone"]
        bar(f"3 pilots against log N fitted to them ({alone:.1f} points)", f"{by[3]['mae']:.1f} points", "less",
            by[3]["mae"] < alone)  # fmt: skip
        print()


def share_left(after, before):
    """(share of the error that is left, its 90 % interval by bootstrap over target sets)."""
    sums = np.array([[after[name].sum(), before[name].sum()] for name in before])
    draws = np.random.default_rng(0).integers(len(sums), size=(2000, len(sums)))
    found = sums[draws].sum(axis=1)
    low, high = np.quantile(found[:, 0] / found[:, 1], [0.05, 0.95])
    return float(sums[:, 0].sum() / sums[:, 1].sum()), float(low), float(high)


def tables_of_others(records):
    """What reported tables the registry holds, and why the bar is not judged on them."""
    reported = defaultdict(set)
    for record in records:
        if isinstance(record.data, Reported):
            reported[record.study].add((record.configuration_id, *sorted({o.scale for o in record.outcomes.values()})))
    for study, found in sorted(reported.items()):
        scales = sorted({scale for item in found for scale in item[1:]})
        verdict = f"too small to judge; {ENOUGH} are needed" if len(found) < ENOUGH else "not judged"
        bar(f"{study}: {len(found)} configurations, scale {', '.join(scales)}", verdict, "boosting or better", None)
    if not reported:
        print("tables of other people's runs: none in the registry; not measured")
    print("tables of other people, on any scale, beside tuned peers: benchmarks/reported_tables.py")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="?", default="runs", type=Path)
    parser.add_argument("outcome", nargs="?", default="accuracy")
    parser.add_argument("--fit", type=Path)
    parser.add_argument("--study", help="the only held-out study to score")
    asked = parser.parse_args()
    runs, outcome, records = asked.runs, asked.outcome, read_registry(asked.runs)
    scored = [r for r in records if r.study != PLANNED and (not r.held_out or asked.study in (None, r.study))]
    if asked.fit:
        held_out(load_fit(asked.fit), scored, outcome)
        return
    began = time.perf_counter(), time.process_time()
    fit = fit_registry(records, [outcome], probes=probes_of(runs))
    took = time.perf_counter() - began[0], time.process_time() - began[1]
    print(f"{outcome} of {runs}: fit in {took[0]:.1f} s ({took[1]:.1f} s of CPU); {platform.processor() or 'CPU'}, "
          f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")  # fmt: skip
    held_out(fit, scored, outcome)
    validated(fit, outcome)
    with_pilots(records, outcome, fit.outcomes[outcome].target_set.family)
    tables_of_others(records)


if __name__ == "__main__":
    main()
