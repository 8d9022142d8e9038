"""How many images `advise --reach` asks for, against how many a trained curve needed; models never saw the curve.

    python benchmarks/reach.py [RUNS] [--fit FIT] [--family classwise]

A curve is what balanced runs of one target set at one number of image-steps reached at four sizes or more. From its
smallest size the advice is asked for the accuracy that two, four and eight times the images were measured to give, by
models that never saw the target set: from labels alone, with the probe of its images, and with its two smallest runs as
pilots. What they learnt from probes and how pilots are calibrated is the fit's. The ratio is of images to collect;
short: fewer than were needed.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from prediction import bar

from predictor.distribution import LabelDistribution
from predictor.fitting import rows_for, select
from predictor.fitting.configurations import configurations
from predictor.fitting.folds import group_folds
from predictor.fitting.held_out import calibrate_all
from predictor.fitting.rows import recipe_of
from predictor.grids.probes import spec_key
from predictor.models import families
from predictor.models.fit import Fit, find_fit
from predictor.models.links import expit, logit
from predictor.models.rows import Sample
from predictor.planning import advise
from predictor.records import RunRecord, read_registry
from predictor.records.indicator_inputs import probes_of

SIZES = 4  # of a curve, at least
TIMES = (2, 4, 8)
WITH = ("labels alone", "probe", "probe and 2 pilots")


@dataclass(frozen=True)
class Curve:
    """Mean accuracies of balanced runs, by images a class."""

    target_set: str
    domain: str
    image_steps: int
    sizes: np.ndarray
    values: np.ndarray
    runs: Mapping[int, list[RunRecord]]

    def at(self, size: float) -> float:
        """Between two sizes by line, in logits over log images; never falling."""
        rising = np.maximum.accumulate(logit(self.values))
        return float(expit(np.interp(np.log(size), np.log(self.sizes), rising)))


def curves(records: list[RunRecord]) -> Iterator[Curve]:
    """Those of the most frequent network: balanced, without other classes or blends."""
    found: dict[tuple[str, int], dict[int, list[RunRecord]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        counts, others = record.distribution.target_counts, record.distribution.other_counts
        if counts.min() == counts.max() and not len(others) and len(record.distribution.classes) == len(counts):
            found[record.target_set, recipe_of(record)[2] or 0][int(counts[0])].append(record)
    for (name, steps), by_size in sorted(found.items()):
        if len(by_size) >= SIZES:
            sizes = np.array(sorted(by_size))
            values = np.array([np.mean([r.outcomes["accuracy"].value for r in by_size[n]]) for n in sizes.tolist()])
            yield Curve(name, by_size[int(sizes[0])][0].domain, steps, sizes, values, by_size)


def without(fit: Fit, family: str, parameters: Mapping[str, object]) -> Fit:
    """The fit with this model in place of every one that saw the target set."""
    content = copy.deepcopy(dict(fit.content))
    entry = content["outcomes"]["accuracy"]
    entry["families"] = {**entry["families"], family: parameters}
    entry["target_set"]["family"] = family
    if entry.get("domain"):
        entry["domain"]["family"] = family
    if entry.get("probed"):
        entry["probed"]["family"] = family
    return Fit(content, fit.where)


def asked(fit: Fit, curve: Curve, wanted: float, how: str, probe) -> int | None:
    """Images to collect that the advice names; None: it knows of none."""
    first = curve.runs[int(curve.sizes[0])][0]
    names = first.distribution.target_names
    now = LabelDistribution.from_counts(dict.fromkeys(names, int(curve.sizes[0])), targets=names)
    pilots = None
    if how == WITH[2]:
        pilots = [curve.runs[int(n)][0] for n in curve.sizes[:2]]  # a pilot is one run
    own = {"pilots": pilots, "domain": curve.domain, "image_steps": curve.image_steps}
    return advise(fit, now, wanted=wanted, probe=None if how == WITH[0] else probe, **own).reach.images


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="?", default=Path("runs"))
    parser.add_argument("--fit", type=Path)
    parser.add_argument("--family", default="classwise")
    parser.add_argument("--most", type=int, help="Curves: these many, evenly taken.")
    given = parser.parse_args()
    began = time.perf_counter()
    fit, _ = find_fit(given.fit)
    selection = select(read_registry(given.runs))
    model = fit.recipe.model
    own = [r for r in selection.records if recipe_of(r)[0] == model and "accuracy" in r.outcomes]
    rows = Sample.of(rows_for(selection, "accuracy"))
    configs = configurations(rows)
    folds = group_folds(configs.target_sets)
    held = calibrate_all([families()[given.family]], rows, configs, folds, without_level=True)[0][given.family]
    fold_of = dict(zip(held.groups.tolist(), held.fold.tolist(), strict=True))
    probes = probes_of(given.runs)
    every = list(curves(own))
    if given.most and len(every) > given.most:
        every = [every[i] for i in np.linspace(0, len(every) - 1, given.most).round().astype(int).tolist()]
    ratios: dict[str, list[float]] = defaultdict(list)
    nothing: dict[str, int] = defaultdict(int)
    for curve in every:
        left = without(fit, given.family, held.fold_parameters[fold_of[curve.target_set]])
        first = curve.runs[int(curve.sizes[0])][0]
        probe = probes.get(spec_key(first.spec) or "")
        n_classes = len(first.distribution.target_names)
        for times in TIMES:
            size = curve.sizes[0] * times
            wanted = curve.at(size)
            if size > curve.sizes[-1] or wanted < curve.at(curve.sizes[0]) + 0.01:
                continue
            for how in WITH if probe is not None else WITH[:1]:
                images = asked(left, curve, wanted, how, probe)
                if images is None:
                    nothing[how] += 1
                else:
                    ratios[how].append(images / ((times - 1) * int(curve.sizes[0]) * n_classes))
    print(f"{len(every)} curves of {len({c.target_set for c in every})} target sets, {len({c.domain for c in every})} "
          f"domains; family {given.family}; {time.perf_counter() - began:.0f} s")  # fmt: skip
    for how in WITH:
        found = np.array(ratios[how])
        if not len(found):
            print(f"\n{how}: nothing to judge")
            continue
        print(f"\n{how}: images asked / images needed, n = {len(found)}; {nothing[how]} said to be out of reach")
        middle, high, short = np.median(found), np.quantile(found, 0.9), float((found < 1).mean())
        bar("median", f"{middle:.2f}", "<= 1.2", bool(middle <= 1.2))
        bar("90th percentile", f"{high:.2f}", "<= 1.6", bool(high <= 1.6))
        bar("short", f"{100 * short:.0f} %", "<= 10 %", short <= 0.1)


if __name__ == "__main__":
    main()
