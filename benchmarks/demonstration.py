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
import csv
import hashlib
import io
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from predictor.distribution import LabelDistribution
from predictor.files import replace_file
from predictor.records import RunRecord, read_registry
from predictor.render.tables import rows_text
from predictor.statistics.shares import apportion

DOMAIN, N, LEVEL, STEPS = "clothes", 400, 0.9, 20_000
OTHERS = {"source": "tiny-imagenet-other", "n_classes": 10, "samples_per_class": 10}
LIKE = {"demonstration": "domains", "demonstration-frozen": "pretrained-frozen"}  # the study whose recipe it takes
RECIPES = {"demonstration": {"image_steps": STEPS}, "demonstration-frozen": {"recipe": "frozen-lite0"}}
PREDICTED, OTHER = "predicted.csv", "other "


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

    records = read_registry(runs)
    if any(record.study == study for record in records):
        raise SystemExit(f"{runs / study}: trained already; what is predicted after that is no prediction")
    folder = runs / study
    folder.mkdir(exist_ok=True)
    probe = probe_images(open_images(data / f"{DOMAIN}.parquet"))
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
        images = " ".join(f"{label}={n}" for label, n in counts.items())
        rows.append((name, accuracy.value, accuracy.low, accuracy.high, images, round(seconds, 1)))
        write_rows(folder / f"{name}.csv", [("label", "count"), *counts.items()])
    write_rows(folder / PREDICTED, rows)
    write_grid(runs, study, made, probe.names)


def write_rows(path: Path, rows: Sequence[Sequence[object]]) -> None:
    """A CSV file, whole or not at all."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    replace_file(path, text.getvalue().encode())


def write_grid(runs: Path, study: str, made: Mapping[str, Mapping[str, int]], classes: Sequence[str]) -> None:
    """The grid that trains the manifests, with everything but its counts as in the study that it is like."""
    from predictor.grids import read_grid
    from predictor.grids.compose import compose, target_set
    from predictor.grids.write import grid_text

    like = read_grid(runs / LIKE[study] / "grid.yaml")
    blocks = []
    for counts in made.values():
        profile = {"shape": "explicit", "counts": [counts[name] for name in classes]}
        block = {"target_set": DOMAIN, "samples_per_class": N // len(classes), "profile": profile}
        blocks.append(block if len(counts) == len(classes) else {**block, "others": OTHERS})
    content = compose(
        study=study,
        protocol=like["protocol"],
        sources=like["sources"],
        target_sets={DOMAIN: target_set(domain=DOMAIN, source=DOMAIN, classes=classes, ranks="listed")},
        model=like["model"],
        recipe=like["recipe"],
        seeds=like["seeds"],
        blocks=blocks,
        held_out=True,
    )
    digest = hashlib.sha256((runs / study / PREDICTED).read_bytes()).hexdigest()
    comment = [
        f"Eight data sets of {N} images (benchmarks/demonstration.py). What each reaches was predicted before any",
        f"of it was trained: {PREDICTED}, sha256 {digest}.",
    ]
    replace_file(runs / study / "grid.yaml", grid_text(content, comment).encode())


def compared(runs: Path, study: str) -> tuple[list[Row], list[RunRecord], float]:
    """(rows, best predicted first; runs; seconds that the predictions took together)."""
    text = (runs / study / PREDICTED).read_bytes()
    if hashlib.sha256(text).hexdigest() not in (runs / study / "grid.yaml").read_text(encoding="utf-8"):
        raise SystemExit(f"{runs / study / PREDICTED}: not the file that the grid was made with")
    records = [r for r in read_registry(runs) if r.study == study and r.status == "completed"]
    trained: dict[frozenset[tuple[str, int]], list[float]] = defaultdict(list)
    for record in records:
        assert record.distribution is not None
        pairs = zip(record.distribution.target_names, record.distribution.target_counts.tolist(), strict=True)
        trained[frozenset(pairs)].append(record.outcomes["accuracy"].value)
    rows, seconds = [], 0.0
    for one in csv.DictReader(io.StringIO(text.decode())):
        pairs = ((label, int(n)) for label, n in (cell.split("=") for cell in one["counts"].split(" ")))
        own = frozenset(pair for pair in pairs if not pair[0].startswith(OTHER))
        rows.append(Row(one["manifest"], *(float(one[k]) for k in ("predicted", "low", "high")), tuple(trained[own])))
        seconds = float(one["seconds_of_all"])
    return sorted((row for row in rows if row.trained), key=lambda row: -row.predicted), records, seconds


def show(runs: Path, study: str) -> list[Row]:
    """Print the table, the pairs, the regret, what it cost, and the largest miss."""
    rows, records, seconds = compared(runs, study)
    if len(rows) < 2:
        print(f"{study}: not trained yet: trainer run {runs / study / 'grid.yaml'} --data DIR --runs {runs}")
        return rows
    right = [(a.predicted - b.predicted) * (a.mean - b.mean) > 0 for a, b in combinations(rows, 2)]
    inside = sum(row.low <= value <= row.high for row in rows for value in row.trained)
    n = sum(len(row.trained) for row in rows)
    cells = [("data set", "predicted", f"{LEVEL:.0%} interval", "trained", "runs", "off by")]
    for row in rows:
        low, high = min(row.trained), max(row.trained)
        cells.append(
            (row.name, f"{100 * row.predicted:.1f} %", f"[{100 * row.low:.1f}, {100 * row.high:.1f}]",
             f"{100 * row.mean:.1f} % ({100 * low:.1f} to {100 * high:.1f})", str(len(row.trained)),
             f"{100 * (row.mean - row.predicted):+.1f}")
        )  # fmt: skip
    print(f"{study}: {len(rows)} data sets of {N} images each, {n} runs; domain {DOMAIN}, which the fit never saw\n")
    print(rows_text(cells))
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
    print(f"cost                {seconds:.0f} s of one core to predict all, {hours:.2f} core-hours to train them\n")
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
    axes[0][0].legend(frameon=True, fontsize=9)
    figure.tight_layout()
    figure.savefig(path, dpi=150)


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
