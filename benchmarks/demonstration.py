"""Eight data sets of equal size, of images that the fit never saw: predicted with a probe, then trained, then compared.

    python benchmarks/demonstration.py [RUNS]               # what was predicted, what was trained, pairs, regret, cost
    python benchmarks/demonstration.py [RUNS] --plot FILE   # the same as a figure
    python benchmarks/demonstration.py [RUNS] --predict DATA --study demonstration

`--predict` comes before any training: it fits on every run of other domains, probes the training images in DATA, and
writes manifests, predictions and the grid into RUNS/STUDY. The grid states the digest of the predictions, so that its
records rest on them; with runs in the study it refuses.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from before_training import PREDICTED, counts_of, counts_text, predictions, trained, untrained, write_grid, write_rows

from predictor.distribution import LabelDistribution
from predictor.grids.compose import target_set
from predictor.records import RunRecord, read_registry
from predictor.render.tables import rows_text
from predictor.statistics.shares import apportion

if TYPE_CHECKING:
    from predictor.images.listing import Images
    from predictor.images.probe import Described

DOMAIN, N, LEVEL, STEPS = "clothes", 400, 0.9, 20_000
OTHERS = {"source": "tiny-imagenet-other", "n_classes": 10, "samples_per_class": 10}
LIKE = {"demonstration": "domains", "demonstration-frozen": "pretrained-frozen"}  # the study whose recipe it takes
RECIPES = {"demonstration": {"image_steps": STEPS}, "demonstration-frozen": {"recipe": "frozen-lite0"}}
OTHER = "other "


@dataclass(frozen=True)
class Row:
    """One manifest; accuracies are fractions, `trained` those of single runs."""

    name: str
    predicted: float
    low: float
    high: float
    trained: tuple[float, ...]

    @property
    def mean(self) -> float:
        return float(np.mean(self.trained))


def manifests(classes: Sequence[str], hard: Sequence[str]) -> dict[str, dict[str, int]]:
    """{name: {class: images}}: N images each, all of the tested classes but in one, where a quarter is of others.

    hard : the classes that the probe calls hardest
    """
    place = np.arange(len(classes))
    falling = {ratio: float(ratio) ** (-place / (len(classes) - 1)) for ratio in (5, 20)}
    weights = {
        "balanced": np.ones(len(classes)),
        "five-large": np.where(place < 5, 10.0, 1.0),
        "hard-first": np.where(np.isin(classes, hard), 2.3, 1.0),
        "one-dominates": (1.0 + place) ** -1.5,
        "ratio-5": falling[5],
        "ratio-20": falling[20],
        "ratio-20-reversed": falling[20][::-1].copy(),
    }
    found = {name: dict(zip(classes, apportion(own, N).tolist(), strict=True)) for name, own in weights.items()}
    rest = OTHERS["n_classes"] * OTHERS["samples_per_class"]
    found["quarter-others"] = {name: (N - rest) // len(classes) for name in classes}
    found["quarter-others"] |= {f"{OTHER}{k}": OTHERS["samples_per_class"] for k in range(OTHERS["n_classes"])}
    return dict(sorted(found.items()))


def predict(runs: Path, data: Path, study: str) -> None:
    """Probe, manifests, predictions and grid of a study."""
    import predictor
    from predictor.images.listing import open_images
    from predictor.images.probe import probe_images
    from predictor.records.indicator_inputs import probes_of

    records, folder = untrained(runs, study), runs / study
    images = open_images(data / f"{DOMAIN}.parquet")
    probe = probe_images(images, described=by_network(runs, data, study, images))
    hard = sorted(probe.classes, key=lambda one: one.accuracy[max(one.accuracy)])[:3]
    made = manifests(probe.names, [one.name for one in hard])
    fit = predictor.fit(
        [record for record in records if record.domain != DOMAIN],
        outcomes=["accuracy"],
        probes={key: own for key, own in probes_of(runs).items() if own.digest != probe.digest},
    )
    began = time.process_time()
    asked = {name: LabelDistribution.from_counts(counts, targets=probe.names) for name, counts in made.items()}
    with tempfile.TemporaryDirectory() as place:
        file = Path(place, "probe.json")
        file.write_text(probe.to_json(), encoding="utf-8")
        found = fit.predict(asked, probe=file, target_set="new", domain="new", level=LEVEL, **RECIPES[study])
    seconds = time.process_time() - began + (probe.seconds or 0.0)
    rows: list[Sequence[object]] = [("manifest", "predicted", "low", "high", "counts", "seconds_of_all")]
    for name, counts in made.items():
        one = next(one for one in found.predictions if one.manifest == name)
        accuracy = next(own for own in one.outcomes if own.outcome == "accuracy")
        rows.append((name, accuracy.value, accuracy.low, accuracy.high, counts_text(counts), round(seconds, 1)))
        write_rows(folder / f"{name}.csv", [("label", "count"), *counts.items()])
    write_rows(folder / PREDICTED, rows)
    grid_of(runs, study, made, probe.names)


def by_network(runs: Path, data: Path, study: str, images: Images) -> Described | None:
    """How the network of the recipe sees images; None for one that begins at random."""
    if "recipe" not in RECIPES[study]:
        return None
    from trainer.features.probed import described_by, network_of_grid

    return described_by(*network_of_grid(runs / LIKE[study] / "grid.yaml", data), images)


def grid_of(runs: Path, study: str, made: Mapping[str, Mapping[str, int]], classes: Sequence[str]) -> None:
    """The grid that trains the manifests, with everything but its counts as in the study that it is like."""
    blocks = []
    for counts in made.values():
        profile = {"shape": "explicit", "counts": [counts[name] for name in classes]}
        block = {"target_set": DOMAIN, "samples_per_class": N // len(classes), "profile": profile}
        blocks.append(block if len(counts) == len(classes) else {**block, "others": OTHERS})
    own = {DOMAIN: target_set(domain=DOMAIN, source=DOMAIN, classes=classes, ranks="listed")}
    write_grid(
        runs, study, LIKE[study], own, blocks, f"Eight data sets of {N} images, see benchmarks/demonstration.py."
    )


def compared(runs: Path, study: str) -> tuple[list[Row], list[RunRecord], float]:
    """(rows, best predicted first; runs; seconds that the predictions took together)."""
    told = predictions(runs, study)
    records = [record for record in read_registry(runs) if record.study == study]
    values = trained(records)
    rows = []
    for one in told:
        own = frozenset(pair for pair in counts_of(one["counts"]).items() if not pair[0].startswith(OTHER))
        found = tuple(record.outcomes["accuracy"].value for record in values.get((DOMAIN, own, "none"), ()))
        rows.append(Row(one["manifest"], *(float(one[key]) for key in ("predicted", "low", "high")), found))
    seconds = float(told[0]["seconds_of_all"])
    return sorted((row for row in rows if row.trained), key=lambda row: -row.predicted), records, seconds


def shown(row: Row) -> dict[str, object]:
    """One line of the table, in per cent."""
    return {
        "data set": row.name,
        "predicted": f"{100 * row.predicted:.1f}",
        f"{LEVEL:.0%} interval": f"[{100 * row.low:.1f}, {100 * row.high:.1f}]",
        "trained": f"{100 * row.mean:.1f}",
        "single runs": " ".join(f"{100 * value:.1f}" for value in row.trained),
        "off by": f"{100 * (row.mean - row.predicted):+.1f}",
    }


def show(runs: Path, study: str) -> list[Row]:
    """Print the table, the pairs, the regret, what it cost, and the largest miss."""
    rows, records, seconds = compared(runs, study)
    if len(rows) < 2:
        print(f"{study}: not trained yet: trainer run {runs / study / 'grid.yaml'} --data DIR --runs {runs}")
        return rows
    right = [(a.predicted - b.predicted) * (a.mean - b.mean) > 0 for a, b in combinations(rows, 2)]
    inside = sum(row.low <= value <= row.high for row in rows for value in row.trained)
    n = sum(len(row.trained) for row in rows)
    print(f"{study}: {len(rows)} data sets of {N} images each, {n} runs; domain {DOMAIN}, which the fit never saw\n")
    print(rows_text([shown(row) for row in rows], "table"))
    best = max(rows, key=lambda row: row.mean)
    worst = max(rows, key=lambda row: abs(row.mean - row.predicted))
    hours = sum(sum(record.seconds.model_dump().values()) for record in records if record.seconds) / 3600
    print(f"\npairs in order      {sum(right)} of {len(right)} (log N says nothing: all are of one size)")
    print(
        f"regret              {100 * (best.mean - rows[0].mean):.1f} points for taking {rows[0].name}; best {best.name}"
    )
    print(f"single runs inside  {inside} of {n}")
    print(f"mean error          {100 * np.mean([abs(row.mean - row.predicted) for row in rows]):.1f} points")
    print(f"largest miss        {worst.name}: {100 * (worst.mean - worst.predicted):+.1f} points")
    cost = f"{hours:.2f} core-hours" if hours >= 0.01 else f"{3600 * hours:.0f} s and the network's look at each image"
    print(f"cost                {seconds:.0f} s of one core to predict all, {cost} to train them\n")
    return rows


def plot(drawn: Mapping[str, Sequence[Row]], path: Path) -> None:
    """Predictions with their intervals beside single runs, and what log N says."""
    import matplotlib.pyplot as plt
    import seaborn as sns

    sns.set_theme(style="whitegrid", palette="colorblind")
    blue, orange, grey = sns.color_palette("colorblind")[0], sns.color_palette("colorblind")[1], "0.45"
    figure, axes = plt.subplots(1, len(drawn), figsize=(1.2 + 5.2 * len(drawn), 4.4), sharey=True, squeeze=False)
    for axis, (study, rows) in zip(axes[0], drawn.items(), strict=True):
        place = np.arange(len(rows))
        value = 100 * np.array([row.predicted for row in rows])
        reach = [value - 100 * np.array([row.low for row in rows]), 100 * np.array([row.high for row in rows]) - value]
        axis.errorbar(place, value, yerr=reach, fmt="o", color=blue, capsize=3, label="predicted, 90 % interval")
        for k, row in zip(place, rows, strict=True):
            dots = 100 * np.array(row.trained)
            told = "trained, single runs" if not k else None
            axis.plot(np.full(len(dots), k + 0.18), dots, "D", ms=4, color=orange, mec="black", mew=0.4, label=told)
        axis.axhline(value.mean(), color=grey, ls="--", lw=1, label="by log N all are equal")
        axis.set_xticks(place, [row.name for row in rows], rotation=35, ha="right")
        axis.set_title("frozen pretrained network" if "frozen" in study else "small network from scratch")
        axis.margins(y=0.1)
    axes[0][0].set_ylabel("accuracy, per cent")
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="upper center", ncols=3, frameon=False)
    figure.tight_layout(rect=(0, 0, 1, 0.93))
    figure.savefig(path, dpi=150, metadata={"Date": None} if path.suffix == ".svg" else None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="?", type=Path, default=Path("runs"))
    parser.add_argument("--predict", type=Path, metavar="DATA")
    parser.add_argument("--study", choices=list(LIKE))
    parser.add_argument("--plot", type=Path, metavar="FILE")
    asked = parser.parse_args()
    studies = [asked.study] if asked.study else [study for study in LIKE if (asked.runs / study).is_dir()]
    if asked.predict:
        for study in studies or list(LIKE):
            predict(asked.runs, asked.predict, study)
        return
    drawn = {study: rows for study in studies if len(rows := show(asked.runs, study)) > 1}
    if asked.plot and drawn:
        plot(drawn, asked.plot)


if __name__ == "__main__":
    main()
