"""How long all indicators of a label distribution take, and what it costs to build, merge and hash one.

    python benchmarks/indicators.py [MANIFEST] [TARGETS]

Class sizes follow Zipf's law with scatter, names are shuffled. Every repetition starts from a distribution that has
computed nothing yet. Prints milliseconds: the median and the worst of n repetitions, beside the goal.
"""

from __future__ import annotations

import os
import platform
import statistics
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import numpy as np

from predictor.distribution import LabelDistribution
from predictor.indicators import DEFAULT_NAMES, IndicatorValue, compute, with_errors
from predictor.indicators.zipf import _exponent
from predictor.manifest import read_manifest, read_targets

CASES = ((22_000, None, 20), (22_000, 1_000, 20), (1_000_000, None, 500), (1_000_000, 1_000, 500))  # the goal in ms
REPETITIONS = {22_000: 50, 1_000_000: 7}
SEED = 0


def everything(distribution: LabelDistribution) -> dict[str, IndicatorValue]:
    """What `predictor indicators` shows of a manifest."""
    return compute(distribution, with_errors(DEFAULT_NAMES))


def made(n_classes: int) -> dict[str, int]:
    """{class: images}, at most 1.3 million of a class, in no order."""
    generator = np.random.default_rng(SEED)
    sizes = 1.3e6 * np.arange(1, n_classes + 1) ** -0.8 * generator.lognormal(0, 0.5, n_classes)
    names = [f"n{i:08d}" for i in range(n_classes)]
    generator.shuffle(names)
    return dict(zip(names, np.maximum(sizes, 1).astype(int).tolist(), strict=True))


def milliseconds(work: Callable[[LabelDistribution], object], base: LabelDistribution, n: int) -> list[float]:
    """Of n calls, each with a distribution whose caches are empty."""
    times = []
    for _ in range(n):
        fresh = replace(base)
        _exponent.cache_clear()
        start = perf_counter()
        work(fresh)
        times.append(1000 * (perf_counter() - start))
    return times


def line(what: str, times: list[float], goal: float | None = None) -> None:
    """One row of the table."""
    aim = f"   goal {goal:g}" if goal else ""
    print(
        f"{what:58} median {statistics.median(times):8.1f}   worst {max(times):8.1f}   n {len(times)}{aim}", flush=True
    )


def machine() -> str:
    """Processor, cores, load and versions."""
    info = Path("/proc/cpuinfo")
    models = (
        [row.split(":")[1].strip() for row in info.read_text().splitlines() if "model name" in row]
        if info.exists()
        else []
    )
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    name = models[0] if models else platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} cores{load}; Python {platform.python_version()}, numpy {np.__version__}"


def main(manifest: str | None = None, targets: str | None = None) -> None:
    print(machine())
    print(f"{len(with_errors(DEFAULT_NAMES))} indicators; milliseconds")
    known: dict[int, LabelDistribution] = {}
    for n_classes, n_targets, goal in CASES:
        if n_classes not in known:
            counts = made(n_classes)
            start = perf_counter()
            known[n_classes] = LabelDistribution.from_counts(counts)
            line(f"{n_classes:,} classes: from_counts, unsorted", [1000 * (perf_counter() - start)])
            n = REPETITIONS[n_classes]
            line(f"{n_classes:,} classes: digest", milliseconds(lambda d: d.digest, known[n_classes], n))
            line(f"{n_classes:,} classes: merge with itself", milliseconds(lambda d: d.merge(d), known[n_classes], 3))
        base = known[n_classes]
        what = f"{n_classes:,} classes, all targets"
        if n_targets:
            step = n_classes // n_targets
            base = base.with_targets(base.class_names[::step][:n_targets])
            what = f"{n_classes:,} classes, {n_targets:,} of them targets"
        line(f"{what}: all indicators", milliseconds(everything, base, REPETITIONS[n_classes]), goal)
    if manifest:
        base = read_manifest(manifest, targets=read_targets(targets) if targets else None)
        line(f"{manifest}: {base.n_classes:,} classes, all indicators", milliseconds(everything, base, 50))


if __name__ == "__main__":
    main(*sys.argv[1:])
