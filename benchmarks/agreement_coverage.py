"""Are the intervals, p-values and adjusted p-values of `agreement` what they say?

    python benchmarks/agreement_coverage.py [WORLDS [coverage|nulls [N ...]]]

Every world is a target set of its own in one frame, so that the whole way is measured: seeds averaged, ties, bootstrap,
permutation, adjustment. Prints, for n = 9, 30 and 200 configurations with 3 seeds each, the share of worlds whose 95 %
interval is defined and the share of those that hold the truth, with its exact binomial interval; the truth is the value
of 20,000 configurations of the same law. Then p under the null, false discoveries, and the null of size alone.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
import pandas as pd

from predictor.agreements import agreement
from predictor.agreements.estimates import PAIRWISE_OF
from predictor.statistics.binomial import exact_interval
from predictor.statistics.pairs import pair_counts
from predictor.statistics.rank import partial_spearman, spearman

SEEDS, DRAWS = 3, 1000
STATISTICS = ("spearman", "kendall_tau_b", "gamma", "somers_d", "decision_accuracy")
Law = Callable[[int, np.random.Generator], tuple[np.ndarray, np.ndarray, np.ndarray]]


def smooth(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Indicator, true outcome and size; moderate agreement, no ties."""
    size = rng.normal(size=n)
    x = 0.5 * size + rng.normal(size=n)
    return x, x + 0.7 * size + rng.normal(size=n), size


def tied(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """An indicator with four values, as long_tail@k; strong agreement."""
    size = np.exp(rng.normal(size=n))
    x = np.digitize(rng.normal(size=n), [-0.3, 0.5, 1.2]).astype(float)
    return x, -1.5 * x + 0.5 * np.log(size) + 0.7 * rng.normal(size=n), size


def bent(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A skewed indicator that matters only in its upper half; noise grows with it."""
    size = rng.normal(size=n)
    x = np.exp(0.8 * rng.normal(size=n) + 0.3 * size)
    return x, np.maximum(x, 1) + 0.3 * x * rng.normal(size=n), size


LAWS: tuple[Law, ...] = (smooth, tied, bent)


def runs(law: Law, n: int, worlds: int, seed: int) -> pd.DataFrame:
    """Runs of many worlds: each configuration's outcome with the noise of its seeds."""
    rng = np.random.default_rng(seed)
    parts = []
    for world in range(worlds):
        x, y, size = law(n, rng)
        parts.append(
            pd.DataFrame(
                {
                    "study": "made", "target_set": f"w{world}",
                    "configuration_id": np.repeat([f"c{i}" for i in range(n)], SEEDS),
                    "run_id": [f"{world}-{i}" for i in range(n * SEEDS)], "ind_x": np.repeat(x, SEEDS),
                    "ind_n_samples": np.repeat(size, SEEDS),
                    "out_y": np.repeat(y, SEEDS) + rng.normal(0, 0.3, n * SEEDS),
                }
            )
        )  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def truths(law: Law) -> dict[str, float]:
    """Each statistic of 20,000 configurations, seeds averaged."""
    rng = np.random.default_rng(99)
    x, y, size = law(20_000, rng)
    y = y + rng.normal(0, 0.3, (SEEDS, len(y))).mean(0)
    counts = pair_counts(x, y)
    found = {name: float(of(counts)) for name, of in PAIRWISE_OF.items()}
    return {"spearman": spearman(x, y), "partial_spearman": partial_spearman(x, y, size), **found}


def share(inside: int, of: int) -> str:
    """A share with its exact 95 % interval."""
    low, high = exact_interval(inside, of)
    return f"{inside / of:.3f} [{low:.3f}, {high:.3f}]"


def coverage(worlds: int, sizes: tuple[int, ...]) -> None:
    """Print the measured coverage of the 95 % intervals."""
    for law in LAWS:
        truth = truths(law)
        for n in sizes:
            started = time.perf_counter()
            table = agreement(
                runs(law, n, worlds, n), indicators=["x"], statistics=STATISTICS, n_bootstrap=DRAWS, n_permutations=99
            )
            for name, value in truth.items():
                rows = [row for row in table.rows if row.statistic == name]
                known = [row for row in rows if row.low is not None and row.high is not None]
                if not known:
                    continue
                inside = sum(row.low <= value <= row.high for row in known)
                width = np.mean([row.high - row.low for row in known])
                print(f"{law.__name__:6} n = {n:3} {name:17} truth {value:+.2f}  defined {len(known) / len(rows):.2f}  "
                      f"covered {share(inside, len(known))}  mean width {width:.2f}", flush=True)  # fmt: skip
            print(f"       {worlds} worlds in {time.perf_counter() - started:.0f} s", flush=True)


def nulls(worlds: int, sizes: tuple[int, ...]) -> None:
    """Print rejections at 5 % under the null, false discoveries among planted truths, and the null of size alone."""
    rng = np.random.default_rng(5)
    for n in sizes:
        frame = runs(smooth, n, worlds, n)
        frame["out_y"] = rng.permutation(frame["out_y"].to_numpy().reshape(-1, SEEDS)).ravel()
        table = agreement(frame, indicators=["x"], statistics=["spearman", "kendall_tau_b"], given=None, n_bootstrap=20)
        for name in ("spearman", "kendall_tau_b"):
            p = np.array([row.p for row in table.rows if row.statistic == name])
            below = ", ".join(f"p <= {a}: {share(int((p <= a).sum()), len(p))}" for a in (0.01, 0.05, 0.2))
            print(f"null  n = {n:3} {name:13} {below}", flush=True)
    false, found = [], 0
    for world in range(max(20, worlds // 10)):
        n, frame = 30, runs(smooth, 30, 1, 1000 + world)
        own = np.random.default_rng(world)
        for k in range(40):  # 10 true, 30 false
            values = own.normal(size=n) + (frame["out_y"].to_numpy()[::SEEDS] if k < 10 else 0)
            frame[f"ind_{'true' if k < 10 else 'false'}{k}"] = np.repeat(values, SEEDS)
        names = [c.removeprefix("ind_") for c in frame if c.startswith(("ind_true", "ind_false"))]
        table = agreement(
            frame, indicators=names, statistics=["spearman"], given=None, n_bootstrap=20, n_permutations=999
        )
        called = [row for row in table.rows if row.q is not None and row.q <= 0.05]
        wrong = sum(row.indicator.startswith("false") for row in called)
        false.append(wrong / max(len(called), 1))
        found += len(called) - wrong
    print(f"false discoveries at q <= 0.05, 10 true and 30 false, n = 30: {np.mean(false):.3f} "
          f"(error {np.std(false) / np.sqrt(len(false)):.3f}); {found / len(false):.1f} of 10 found")  # fmt: skip
    for spread in (0.1, 0.3, 1.0):

        def by_size(n: int, rng: np.random.Generator, spread: float = spread):
            size = rng.normal(size=n)
            return size + spread * rng.normal(size=n), size + spread * rng.normal(size=n), size

        for n in (9, 17, 30):
            frame = runs(by_size, n, worlds, n)
            table = agreement(frame, indicators=["x"], statistics=["spearman"], n_bootstrap=DRAWS, n_permutations=999)
            fixed = [row for row in table.rows if row.statistic == "partial_spearman" and row.p is not None]
            reject = sum(row.p <= 0.05 for row in fixed)
            known = [row for row in fixed if row.low is not None and row.high is not None]
            both = sum(row.p <= 0.05 and not row.low <= 0 <= row.high for row in known)
            print(f"size alone (spread {spread}), n = {n:2}: partial p <= .05 in {share(reject, len(fixed))}; and its "
                  f"interval excludes 0: {share(both, max(len(known), 1))}", flush=True)  # fmt: skip


if __name__ == "__main__":
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    which = sys.argv[2:3] or ["coverage", "nulls"]
    configurations = tuple(int(n) for n in sys.argv[3:]) or (9, 30, 200)
    if "coverage" in which:
        coverage(number, configurations)
    if "nulls" in which:
        nulls(number, configurations)
