"""Which probe of the images says most about what a network will reach: several of them against the registry's runs.

    python benchmarks/probes.py DATA [--runs runs ...] [--keep FILE]

DATA holds the image files that the grids name. Each probe is computed on the training images of every target set, at
5, 10, 20 and 40 images a class, and compared with the level and the slope of the runs: logit of accuracy above chance
at 20 images a class and 20,000 image-steps of balanced runs without other classes, and its growth with the logarithm of
the images. What a probe leaves is printed for a left-out domain: a line is fitted on the other domains, each with the
same weight (below four others its slope is 1). The last lines are rivals that are no classifier.

    --keep FILE   figures of the probes, by target set: computed once, read again when there are more runs
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from predictor.grids import read_grid
from predictor.grids.probes import spec_key
from predictor.images.classifier import confusion, margin, scores
from predictor.images.diversity import diversity
from predictor.images.draws import SIZES, able, draws
from predictor.images.duplicates import SAME, find_pairs
from predictor.images.features import gradient_features, patch_features, standardised
from predictor.images.groups import joined
from predictor.images.listing import open_images
from predictor.images.results import Probe, above_chance
from predictor.images.sample import ImageSample, decoded_sample, training_images
from predictor.records import frame, read_registry
from predictor.records.indicator_inputs import probes_of

N_DRAWS = 4
REFERENCE = 20, 20_000  # images a class, image-steps
GROUPS = {  # as train and test were cut: families of four fonts, objects, photographs
    "characters-fonts": 4,
    "food": r"([a-z_]+[0-9]+)[ST]\(",
    "coins": r"(train_[0-9]+)_",
}
PROBES = {
    "patches": 0.1,
    "patches, more penalty": 1.0,
    "gradients": 1.0,
    "patches + gradients": 0.3,
    "Gaussian kernel of both": 0.1,
}


def target_sets(runs: list[Path]) -> dict[str, tuple[str, str, list[str], str]]:
    """{name: (domain, file, classes, split)} of every grid."""
    found = {}
    for grid in sorted(path for folder in runs for path in folder.glob("*/grid.yaml")):
        content = read_grid(grid)
        for name, target in content["target_sets"].items():
            source = content["sources"].get(target["source"], {})
            if source.get("file"):
                classes = [str(c) for c in target["classes"]]
                found[name] = target["domain"], source["file"], classes, target.get("train_split", "train")
    return found


def kernels(sample: ImageSample) -> dict[str, np.ndarray]:
    patches = standardised(patch_features(sample.pixels, np.random.default_rng(0)))
    gradients = standardised(gradient_features(sample.pixels))
    both = [part @ part.T / part.shape[1] for part in (patches, gradients)]
    return {
        "patches": both[0],
        "gradients": both[1],
        "patches + gradients": both[0] + both[1],
        "Gaussian kernel of both": sum(map(gaussian, both)),
    }


def gaussian(kernel: np.ndarray) -> np.ndarray:
    norms = np.sqrt(np.diag(kernel))
    distance = 2 - 2 * kernel / np.outer(norms, norms)
    return np.exp(-distance / np.median(distance))


def figures(sample: ImageSample) -> dict[str, dict[str, list[float]]]:
    """{probe: {size: [accuracy, margin, classes]}}, and the rivals under their names."""
    pairs, correlations = find_pairs(sample.pixels)
    found = list(
        draws(sample.classes, joined(sample.groups, pairs[correlations >= SAME]), N_DRAWS, np.random.default_rng(1))
    )
    there = kernels(sample)
    out: dict[str, dict[str, list[float]]] = {}
    for name, penalty in PROBES.items():
        kernel = there[name.partition(",")[0]]
        for size in SIZES:
            chosen = able(found, sample.classes, size)
            if len(chosen) < len(sample.names):
                continue
            accuracies, margins = [], []
            for draw in found:
                rows = np.concatenate([draw.training[c][:size] for c in chosen])
                given = scores(kernel, rows, sample.classes[rows], draw.test, len(chosen), penalty)
                accuracies.append(np.diag(confusion(given, sample.classes[draw.test])).mean())
                margins.append(margin(given, sample.classes[draw.test]))
            out.setdefault(name, {})[str(size)] = [float(np.mean(accuracies)), float(np.mean(margins)), len(chosen)]
    spread = diversity(there["patches"], [np.flatnonzero(sample.classes == c) for c in range(len(sample.names))])
    out["diversity"] = {"within": [spread.within], "total": [spread.total], "classes": [spread.classes]}
    return out


def probed(data: Path, sets: Mapping[str, tuple], keep: Path | None) -> dict[str, dict]:
    known = json.loads(keep.read_text()) if keep and keep.exists() else {}
    for name, (_, file, classes, split) in sets.items():
        if name in known or not (data / file).exists():
            continue
        began = time.perf_counter()
        images = open_images(data / file)
        group = GROUPS.get(Path(file).stem)
        sample = decoded_sample(images, training_images(images, classes=classes, split=split, group=group), 32)
        known[name] = figures(sample)
        print(f"{name}: {len(classes)} classes, {time.perf_counter() - began:.0f} s", flush=True)
        if keep:
            keep.write_text(json.dumps(known))
    return known


def levels(runs: list[Path]) -> dict[str, dict[str, float]]:
    """{target set: level, slope, n runs} by least squares: own level and slope, curvature and image-steps in common.

    Slopes are pulled towards their mean, as far as one of their own is not seen.
    """
    table = __import__("pandas").concat([frame(folder, ["gini", "n_classes", "n_samples"]) for folder in runs])
    table = table[(table.provenance == "trained") & (table.spec_model == "predictor_small")]
    table = table[~table.study.isin(["stages", "learning-rate"])].drop_duplicates("run_id")
    smallest = table.groupby("target_set").ind_n_classes.min()
    plain = (table.ind_gini.abs() < 1e-9) & (table.ind_n_classes == table.target_set.map(smallest))
    if "axis_blend" in table:
        plain &= table.axis_blend.fillna("none").astype(str) == "none"
    table = table[plain & table.out_accuracy.notna()]
    names = sorted(table.target_set.unique())
    rows, wanted = [], []
    for run in table.itertuples():
        x = math.log(run.ind_n_samples / run.ind_n_classes / REFERENCE[0])
        s = math.log(run.spec_image_steps / REFERENCE[1])
        at = names.index(run.target_set)
        row = np.zeros(2 * len(names) + 4)
        row[at], row[len(names) + at] = 1, x
        row[-4:] = x, x * x, s, s * x
        rows.append(row)
        wanted.append(above_chance(run.out_accuracy, int(run.ind_n_classes)))
    design, answer = np.array(rows), np.array(wanted)
    penalty = np.zeros(design.shape[1])
    penalty[len(names) : 2 * len(names)] = 2.0
    found = np.linalg.solve(design.T @ design + np.diag(penalty), design.T @ answer)
    n = table.target_set.value_counts()
    return {
        name: {"level": found[i], "slope": found[len(names) + i] + found[-4], "n": int(n[name])}
        for i, name in enumerate(names)
    }


def left_out(x: np.ndarray, y: np.ndarray, domains: np.ndarray) -> np.ndarray:
    """(n,) predictions of y for each domain from the others."""
    out = np.empty(len(y))
    for domain in np.unique(domains):
        rest = domains != domain
        names, place = np.unique(domains[rest], return_inverse=True)
        weight = 1 / np.bincount(place)[place]
        slope = 1.0
        if len(names) >= 4:
            mean_x, mean_y = (np.average(v[rest], weights=weight) for v in (x, y))
            slope = np.sum(weight * (x[rest] - mean_x) * (y[rest] - mean_y)) / np.sum(weight * (x[rest] - mean_x) ** 2)
        offset = np.average(y[rest] - slope * x[rest], weights=weight)
        out[~rest] = offset + slope * x[~rest]
    return out


def accuracy(level: np.ndarray, n_classes: np.ndarray) -> np.ndarray:
    return 1 / n_classes + (1 - 1 / n_classes) / (1 + np.exp(-level))


def compare(sets: Mapping[str, tuple], known: Mapping[str, dict], runs: Mapping[str, dict]) -> None:
    there = [name for name in runs if name in known and name in sets]
    domains = np.array([sets[name][0] for name in there])
    y, slope = (np.array([runs[name][key] for name in there]) for key in ("level", "slope"))
    n_classes = np.array([len(sets[name][2]) for name in there])
    n_domains = len(np.unique(domains))
    print(
        f"\n{len(there)} target sets of {n_domains} domains; level: mean {y.mean():+.2f}, deviation {y.std(ddof=1):.2f}"
    )
    print(
        f"{'probe':<28}{'level: r':>9}{'rho':>6}{'left out: sd':>14}{'MAE points':>12}"
        f"{'slope: r':>10}{'left out: sd':>14}"
    )
    for name in PROBES:
        at = [known[t].get(name, {}) for t in there]
        has = np.array([{"5", "10", "20"} <= a.keys() for a in at])
        x = np.array([above_chance(a["20"][0], a["20"][2]) if ok else np.nan for a, ok in zip(at, has, strict=True)])
        grows = np.array([growth(a) if ok else np.nan for a, ok in zip(at, has, strict=True)])
        line(name, x[has], y[has], domains[has], n_classes[has], grows[has], slope[has])
    margins = np.array([known[t]["patches"].get("20", [0, np.nan])[1] for t in there])
    line("margin of patches", margins, y, domains, n_classes, None, slope)
    for part in ("within", "total", "classes"):
        rival = np.log([known[t]["diversity"][part][0] for t in there])
        line(f"log diversity, {part}", rival, y, domains, n_classes, None, slope)
    print("\ntarget set                domain           runs  level  patches  Gaussian   slope  patches")
    for i in np.argsort(domains, kind="stable"):
        of = known[there[i]]
        cells = [
            above_chance(*of[p]["20"][::2]) if "20" in of.get(p, {}) else math.nan
            for p in ("patches", "Gaussian kernel of both")
        ]
        print(f"{there[i]:<26}{domains[i]:<16}{runs[there[i]]['n']:>5}{y[i]:>+7.2f}{cells[0]:>+9.2f}{cells[1]:>+10.2f}"
              f"{slope[i]:>+8.2f}{growth(of['patches']):>+9.2f}")  # fmt: skip


def growth(of: Mapping[str, list[float]]) -> float:
    sizes = sorted(map(int, of))
    return float(np.polyfit(np.log(sizes), [above_chance(of[str(n)][0], of[str(n)][2]) for n in sizes], 1)[0])


def line(name, x, y, domains, n_classes, grows, slope) -> None:
    guess = left_out(x, y, domains)
    points = 100 * np.abs(accuracy(guess, n_classes) - accuracy(y, n_classes)).mean()
    head = f"{name:<28}{np.corrcoef(x, y)[0, 1]:>9.3f}{spearmanr(x, y)[0]:>6.2f}"
    head += f"{np.sqrt(np.mean((guess - y) ** 2)):>14.2f}{points:>12.1f}"
    if grows is not None:
        rest = np.sqrt(np.mean((left_out(grows, slope, domains) - slope) ** 2))
        head += f"{np.corrcoef(grows, slope)[0, 1]:>10.2f}{rest:>14.2f}"
    print(head)


def hard_classes(runs: list[Path]) -> None:
    """The three classes that the probe that ships names as hard, against the three that balanced runs find hardest."""
    shares: dict[str, dict[str, list[float]]] = {}
    keys: dict[str, str] = {}
    domains: dict[str, str] = {}
    probes: dict[str, Probe] = {}
    for folder in runs:
        probes |= probes_of(folder)
        for record in read_registry(folder):
            key, clean = spec_key(record.spec), record.outcomes.get("accuracy")
            if key is None or clean is None or not clean.tested or len(record.data.stages) > 1:
                continue
            counts = record.distribution.target_counts
            if len(counts) >= 5 and counts.min() == counts.max():
                keys[record.target_set], domains[record.target_set] = key, record.domain
                own = shares.setdefault(record.target_set, {})
                for name, n, k in zip(clean.classes, clean.tested, clean.correct, strict=True):
                    own.setdefault(name, []).append(k / n)
    found = {}
    for name, own in shares.items():
        probe = probes.get(keys[name])
        if probe is None or not probe.sizes:
            continue
        at = probe.sizes[-1].samples_per_class
        told = {one.name: one.accuracy.get(at, 1.0) for one in probe.classes}
        worst = set(sorted(own, key=lambda c: np.mean(own[c]))[:3])
        found[name] = len(worst & set(sorted(told, key=told.__getitem__)[:3])) / 3
    print("\nthree hardest classes that are among the probe's three, balanced runs (by chance 3 / classes)")
    for domain in sorted(set(domains.values())):
        own = [name for name in found if domains[name] == domain]
        chance = np.mean([3 / len(shares[name]) for name in own]) if own else np.nan
        if own:
            print(
                f"{domain:<16}{np.mean([found[n] for n in own]):.2f} of {len(own)} target sets (by chance {chance:.2f})"
            )
    print(f"{'all':<16}{np.mean(list(found.values())):.2f} of {len(found)} target sets")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--runs", type=Path, nargs="+", default=[Path("runs")])
    parser.add_argument("--keep", type=Path)
    asked = parser.parse_args()
    sets = target_sets(asked.runs)
    known = probed(asked.data, sets, asked.keep)
    compare(sets, known, levels(asked.runs))
    hard_classes(asked.runs)


if __name__ == "__main__":
    main()
