"""Advice that was followed: equal budgets spent by `advise` and by plain rules, predicted first, then trained.

    python benchmarks/advice_followed.py [RUNS]                  # what each way to spend the budget brought
    python benchmarks/advice_followed.py [RUNS] --predict DATA   # manifests, predictions and grid; before training

Twelve imbalanced manifests with a frozen pretrained network: six on target sets of the fit, six on two domains that
the fit leaves out, told by a probe. Each budget is as large as the manifest. Class weights spend nothing.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from before_training import (
    PREDICTED,
    counts_of,
    counts_text,
    predictions,
    trained,
    untrained,
    write_grid,
    write_rows,
)
from scipy.stats import t

from predictor.distribution import LabelDistribution
from predictor.grids import read_grid
from predictor.records import read_registry
from predictor.render.tables import rows_text

STUDY, LIKE, RECIPE = "advice-followed", "pretrained-frozen", "frozen-lite0"
WEIGHTS = "class-weights"
LEFT_OUT = ("clothes", "scenes")
SHAPES = {"ratio-20": 20.0, "ratio-8": 8.0, "ratio-20-reversed": -20.0}
KNOWN = ("cifar10/a", "cifar100/a", "cifar100/d", "letters/a", "seedlings/a", "textures/a")
MEAN = 12  # images a class of a manifest
RULES = ("proportional", "uniform", "smallest first")
OTHERS = ("now", "advised", *RULES, WEIGHTS)


def manifests(target_sets: Mapping[str, Any]) -> list[tuple[str, str, dict[str, int]]]:
    """(name, target set, images of each class): three shapes of each domain left out, one of each known target set."""
    from predictor.statistics.shares import apportion

    found = []
    shapes = list(SHAPES.items())
    asked = [(f"{domain}/a", shape) for domain in LEFT_OUT for shape in shapes]
    asked += [(name, shapes[i % len(shapes)]) for i, name in enumerate(KNOWN)]
    for target_set, (shape, ratio) in asked:
        classes = target_sets[target_set]["classes"]
        falling = abs(ratio) ** (-np.arange(len(classes)) / (len(classes) - 1))
        counts = apportion(falling if ratio > 0 else falling[::-1].copy(), MEAN * len(classes)).tolist()
        found.append((f"{target_set.replace('/', '-')}-{shape}", target_set, dict(zip(classes, counts, strict=True))))
    return found


def predict(runs: Path, data: Path) -> None:
    """Every plan of every manifest: its counts and what it is predicted to reach and to gain."""
    import predictor
    from predictor.images.listing import open_images
    from predictor.images.probe import probe_images
    from predictor.records.indicator_inputs import probes_of
    from trainer.features.probed import described_by, network_of_grid

    records = untrained(runs, STUDY)
    grid = read_grid(runs / LIKE / "grid.yaml")
    sets, network = grid["target_sets"], network_of_grid(runs / LIKE / "grid.yaml", data)
    fit = predictor.fit(
        [record for record in records if record.domain not in LEFT_OUT], outcomes=["accuracy"], probes=probes_of(runs)
    )
    rows: list[tuple[object, ...]] = [
        ("manifest", "target_set", "known", "plan", "advised", "value", "gain", "gain_low", "gain_high", "counts")
    ]
    probes: dict[str, Path] = {}
    blocks: dict[tuple[str, str, str], dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as place:
        for name, target_set, counts in manifests(sets):
            known = target_set.split("/")[0] not in LEFT_OUT
            if not known and target_set not in probes:
                images = open_images(data / f"{sets[target_set]['source']}.parquet")
                probe = probe_images(images, classes=list(counts), described=described_by(*network, images))
                probes[target_set] = Path(place, f"{len(probes)}.json")
                probes[target_set].write_text(probe.to_json(), encoding="utf-8")
            asked = {"recipe": RECIPE, "target_set": target_set if known else "new",
                     "domain": sets[target_set]["domain"] if known else "new"}  # fmt: skip
            told = {} if known else {"probe": probes[target_set]}
            start = LabelDistribution.from_counts(counts, targets=list(counts))
            advice = fit.advise(start, sum(counts.values()), **asked, **told)
            plans: list[tuple[object, ...]] = []
            for plan in advice.plans:
                own = {change.label: change.total for change in plan.changes if change.role == "target"}
                whole = {label: own.get(label, n) for label, n in counts.items()}
                if plan.other_classes == 0 and (plan.name in OTHERS or plan.name == advice.advised):
                    plans.append((plan.name, plan.name == advice.advised, plan.value, plan.gain, plan.gain_low,
                                  plan.gain_high, whole, "none"))  # fmt: skip
            acting = next((c for c in advice.changes if c.name == WEIGHTS), None)
            if acting is not None:
                plans.append((WEIGHTS, False, acting.value, acting.gain, acting.gain_low, acting.gain_high, counts,
                              "inverse"))  # fmt: skip
            for plan_name, advised, value, gain, low, high, whole, weights in plans:
                rows.append((name, target_set, known, plan_name, advised, value, gain, low, high, counts_text(whole)))
                block = {"target_set": target_set, "samples_per_class": MEAN,
                         "profile": {"shape": "explicit", "counts": list(whole.values())}}  # fmt: skip
                if weights != "none":
                    block["class_weights"] = weights
                blocks.setdefault((target_set, counts_text(whole), weights), block)
    write_rows(runs / STUDY / PREDICTED, rows)
    used = {name for _, name, _ in manifests(sets)}
    own = {name: {**{k: v for k, v in entry.items() if k != "shifts"}, "ranks": "listed"}
           for name, entry in sets.items() if name in used}  # fmt: skip
    told = "Equal budgets spent in several ways, see benchmarks/advice_followed.py."
    write_grid(runs, STUDY, LIKE, own, blocks.values(), told)


def compared(runs: Path) -> list[dict[str, Any]]:
    """One row a manifest and way to spend the budget: predicted and trained gain, fractions; mean over the seeds."""
    found = trained(record for record in read_registry(runs) if record.study == STUDY)
    rows, now = [], {}
    for one in predictions(runs, STUDY):
        weights = "inverse" if one["plan"] == WEIGHTS else "none"
        key = (one["target_set"], frozenset(counts_of(one["counts"]).items()), weights)
        values = [record.outcomes["accuracy"].value for record in found.get(key, ())]
        if one["plan"] == "now":
            now[one["manifest"]] = values
        rows.append({**one, "values": values})
    for row in rows:
        before = now[row["manifest"]]
        row["trained"] = float(np.mean(row["values"]) - np.mean(before)) if row["values"] and before else np.nan
    return [row for row in rows if np.isfinite(row["trained"])]


def summary(rows: list[dict[str, Any]]) -> list[dict[str, object]]:
    """One row a way to spend the budget: what it brought, whether its intervals held, what the best plan had more."""
    best = defaultdict(lambda: -np.inf)
    advised = {}
    for row in rows:
        if row["plan"] != WEIGHTS:
            best[row["manifest"]] = max(best[row["manifest"]], row["trained"])
        if row["advised"] == "True":
            advised[row["manifest"]] = row["trained"]
    lines = []
    for name in ("advised", *RULES, WEIGHTS):
        own = [row for row in rows if (row["advised"] == "True" if name == "advised" else row["plan"] == name)]
        if not own:
            continue
        gains = np.array([row["trained"] for row in own])
        inside = [float(row["gain_low"]) <= row["trained"] <= float(row["gain_high"]) for row in own if row["gain_low"]]
        lead = np.array([advised[row["manifest"]] - row["trained"] for row in own if row["manifest"] in advised])
        lines.append({
            "spent by": name,
            "manifests": len(own),
            "predicted gain": f"{100 * np.mean([float(row['gain']) for row in own if row['gain']]):+.1f}",
            "trained gain": f"{100 * gains.mean():+.1f}",
            "intervals that held": f"{sum(inside)} of {len(inside)}",
            "behind the best": f"{100 * np.mean([best[row['manifest']] - row['trained'] for row in own]):.1f}",
            "advised more by": "-" if name == "advised" else _mean(lead),
        })  # fmt: skip
    return lines


def _mean(values: np.ndarray) -> str:
    """Mean of paired differences in points, with its 95 % interval over manifests."""
    half = t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return f"{100 * values.mean():+.1f} [{100 * (values.mean() - half):+.1f}, {100 * (values.mean() + half):+.1f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="?", type=Path, default=Path("runs"))
    parser.add_argument("--predict", type=Path, metavar="DATA")
    asked = parser.parse_args()
    if asked.predict:
        predict(asked.runs, asked.predict)
        return
    rows = compared(asked.runs)
    if not rows:
        raise SystemExit(f"{STUDY} is not trained yet: trainer run {asked.runs / STUDY / 'grid.yaml'} --data DIR")
    for known, told in (("True", "target sets of the fit"), ("False", "domains left out of the fit"), ("", "all")):
        own = [row for row in rows if not known or row["known"] == known]
        print(f"{told}: {len({row['manifest'] for row in own})} manifests, points of accuracy\n")
        print(rows_text(summary(own), "table"), end="\n\n")
    print(f"{sum(len(row['values']) for row in rows)} runs, a plan that two rules name counted for each of them")


if __name__ == "__main__":
    main()
