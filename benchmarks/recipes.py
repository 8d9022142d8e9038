"""How well a fit knows recipes: held-out errors of each family against noise, and whether the best action is named.

    python benchmarks/recipes.py [RUNS [FIT]]

Actions: in three studies every action was trained on the same images. The one that is predicted best against the one
that was best (means of three seeds). No fit sees `actions-frozen`. The other two are most of what their families know
of actions, so each domain is predicted by a fit that lacks its runs of the study.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from predictor.fitting.configurations import Configurations, configurations
from predictor.fitting.held_out import calibrate_all, predict_rows
from predictor.fitting.rows import Selection, record_family, rows_for, select
from predictor.models.base import Floats, families
from predictor.models.fit import Fit, load_fit, shipped_fit
from predictor.models.outcome import OutcomeFit
from predictor.models.rows import Sample
from predictor.recipes import FROZEN, SCRATCH, TUNED
from predictor.records import RunRecord, read_registry
from predictor.statistics.binomial import exact_interval

STUDIES = {"actions-frozen": FROZEN, "actions-finetuned": TUNED, "actions-scratch": SCRATCH}
NAMED = "named by the fit"
TUNED_STEPS = 640  # of most runs of the fine-tuned network
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


def actions(fit: Fit, everything: Sequence[RunRecord]) -> None:
    """What the action that is named best loses against the one that was best, and what one rule for all would lose."""
    for study, family in STUDIES.items():
        own, records = fit.recipe_families.get(family), [record for record in everything if record.study == study]
        if own is None or not records:
            continue
        fitted = own.outcomes["accuracy"]
        rows = Sample.of(rows_for(Selection(tuple(records)), "accuracy"))
        configs = configurations(rows)
        if study in own.training["studies"]:
            predicted = without_domain(fitted, select(everything, family=family), configs)
            how = "each domain's actions predicted by a fit without that domain's runs of the study"
        else:
            predicted = configs.mean(predict_rows(fitted.families[fitted.configuration.family].parameters, rows))
            how = "held out"
        compared(study, how, rows, configs, predicted)


def without_domain(fitted: OutcomeFit, selection: Selection, configs: Configurations) -> Floats:
    """(C,) predicted accuracies of the study's configurations, by a fit that has none of their domain's runs of it."""
    rows = Sample.of(rows_for(selection, "accuracy"))
    every = configurations(rows)
    ids = np.array(every.ids)
    of_study = np.isin(ids, configs.ids)
    held = [np.flatnonzero(of_study & (every.domains == domain)) for domain in np.unique(configs.domains)]
    competing = [own for name, own in families().items() if own.baseline or name in fitted.families]
    found, _ = calibrate_all(competing, rows, every, held)
    item = found[fitted.configuration.family]
    told = dict(zip(ids[item.of_all].tolist(), item.predicted.tolist(), strict=True))
    return np.array([told[name] for name in configs.ids])


def compared(study: str, how: str, rows: Sample, configs: Configurations, predicted: Floats) -> None:
    """A line for each rule: how often the action it takes is within a point of the best, and what it loses."""
    manifests: dict[tuple[str, tuple[int, ...]], dict[str, int]] = defaultdict(dict)
    for at, first in enumerate(configs.first.tolist()):
        case = rows[first].case
        manifests[rows[first].target_set, tuple(sorted(case.distribution.target_counts))][case.action.name] = at
    names = sorted({name for found in manifests.values() for name in found})
    rules = {NAMED: [max(found, key=lambda name: predicted[found[name]]) for found in manifests.values()]}
    rules |= {f"always {name}": [name] * len(manifests) for name in names}
    print(f"{study}: {len(manifests)} manifests of {len({key[0] for key in manifests})} target sets, "
          f"{len(names)} actions on the same draws, {len(rows)} runs; {how}")  # fmt: skip
    for rule, chosen in rules.items():
        best = [max(configs.measured[at] for at in found.values()) for found in manifests.values()]
        had = [configs.measured[found[name]] for found, name in zip(manifests.values(), chosen, strict=True)]
        lost = np.array(best) - np.array(had)
        within = int(np.sum(lost <= BAR_LOSS + 1e-12))
        low, high = exact_interval(within, len(lost))
        told = f"within {100 * BAR_LOSS:g} point of the best in {within} of {len(lost)} [{low:.2f}, {high:.2f}]"
        met = f"  bar {BAR_SHARE:.0%}: {'met' if within >= BAR_SHARE * len(lost) else 'missed'}" * (rule == NAMED)
        print(f"  {rule:32} {told}, loses {100 * lost.mean():.1f} points, at most {100 * lost.max():.1f}{met}")
        if rule != NAMED:
            continue
        far: dict[tuple[str, str], list[float]] = defaultdict(list)
        for name, found, points in zip(chosen, manifests.values(), 100 * lost, strict=True):
            if points > 100 * BAR_LOSS + 1e-10:
                far[name, max(found, key=lambda one: configs.measured[found[one]])].append(points)
        for (name, better), points in far.items():
            print(f"    {name} named for {better}: {len(points)} times, {min(points):.1f} to {max(points):.1f} points")


def fine_tuned_against_frozen(records: Sequence[RunRecord]) -> None:
    """A line for each size: balanced sets on which both were trained, the fine-tuned network less the frozen one."""
    values: dict[tuple[int, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        family, labels = record_family(record), record.distribution
        if family == SCRATCH or record.held_out or labels is None or len(labels.other_counts):
            continue
        counts = labels.target_counts
        if counts.min() < counts.max():
            continue
        if family == FROZEN or record.spec["stages"][0]["image_steps"] == TUNED_STEPS:
            values[int(counts[0]), record.target_set][family].append(record.outcomes["accuracy"].value)
    gaps: dict[int, list[float]] = defaultdict(list)
    for (size, _), own in values.items():
        if {FROZEN, TUNED} <= own.keys():
            gaps[size].append(100 * float(np.mean(own[TUNED]) - np.mean(own[FROZEN])))
    for size, found in sorted(gaps.items()):
        print(f"fine-tuned for {TUNED_STEPS} image-steps less frozen, {size} images a class: {np.mean(found):+.1f} "
              f"points, {min(found):+.1f} to {max(found):+.1f}, {len(found)} target sets")  # fmt: skip


def main() -> None:
    """Print all of it."""
    runs = sys.argv[1] if len(sys.argv) > 1 else "runs"
    fit = load_fit(sys.argv[2]) if len(sys.argv) > 2 else shipped_fit()
    errors(fit)
    records = read_registry(runs)
    fine_tuned_against_frozen(records)
    actions(fit, records)


if __name__ == "__main__":
    main()
