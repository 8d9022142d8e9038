"""How long the default agreement table takes, against scipy's own bootstrap and permutation_test.

    python benchmarks/agreement.py

30 indicators (a third with few distinct values) x 6 outcomes x 2,000 configurations x 3 seeds, 10,000 bootstrap and
10,000 permutation draws: rho, rho given size, intervals, p, q. scipy computes Spearman of one indicator and one outcome
over the same 2,000 configurations with 200 draws of each, vectorised; its time is scaled to 180 pairs and 10,000 draws
(BCa's 2,000 jackknife values are timed apart and not scaled by the draws). scipy leaves rho given size out, so the
ratio is one of its Spearman alone to our whole table.
"""

from __future__ import annotations

import os
import platform
import resource
import time

import numpy as np
import pandas as pd
from scipy import stats

from predictor.agreements import DEFAULT_STATISTICS, agreement

INDICATORS, OUTCOMES, CONFIGURATIONS, SEEDS, DRAWS = 30, 6, 2000, 3, 10_000
SCIPY_DRAWS = 200


def made(n: int = CONFIGURATIONS) -> pd.DataFrame:
    """Runs whose indicators and outcomes share size to different degrees."""
    rng = np.random.default_rng(0)
    size = rng.normal(size=n)
    columns = {"study": "made", "target_set": "t", "configuration_id": np.repeat([f"c{i}" for i in range(n)], SEEDS)}
    columns["run_id"] = [f"r{i}" for i in range(n * SEEDS)]
    for k in range(INDICATORS):
        values = size if k == 0 else k / INDICATORS * size + rng.normal(size=n)
        columns["ind_n_samples" if k == 0 else f"ind_{k}"] = np.repeat(
            np.round(values) if k % 3 == 1 else values, SEEDS
        )
    for m in range(OUTCOMES):
        columns[f"out_{m}"] = np.repeat(size + m * rng.normal(size=n), SEEDS) + rng.normal(0, 0.3, n * SEEDS)
    return pd.DataFrame(columns)


def spearman(x: np.ndarray, y: np.ndarray, axis: int = -1) -> np.ndarray:
    """scipy's Spearman has no axis argument for pairs; Pearson of ranks along an axis does the same."""
    a, b = (stats.rankdata(v, axis=axis) for v in (x, y))
    a, b = (v - v.mean(axis=axis, keepdims=True) for v in (a, b))
    return (a * b).sum(axis) / np.sqrt((a * a).sum(axis) * (b * b).sum(axis))


def scipy_seconds(x: np.ndarray, y: np.ndarray) -> float:
    """Seconds that scipy would need for all pairs and draws."""
    started = time.perf_counter()
    stats.bootstrap(
        (x, y), spearman, paired=True, vectorized=True, n_resamples=SCIPY_DRAWS, method="percentile", batch=50, rng=0
    )
    stats.permutation_test(
        (y,), lambda v, axis=-1: spearman(np.broadcast_to(x, v.shape), v, axis), permutation_type="pairings",
        vectorized=True, n_resamples=SCIPY_DRAWS, batch=50, rng=0,
    )  # fmt: skip
    draws = time.perf_counter() - started
    started = time.perf_counter()
    for i in range(100):
        spearman(np.delete(x, i), np.delete(y, i))
    jackknife = (time.perf_counter() - started) * len(x) / 100
    return INDICATORS * OUTCOMES * (draws * DRAWS / SCIPY_DRAWS + jackknife)


def main() -> None:
    """Print seconds, peak memory and the ratio."""
    frame = made()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, "
          f"numpy {np.__version__}")  # fmt: skip
    print(f"{INDICATORS} indicators x {OUTCOMES} outcomes x {CONFIGURATIONS} configurations, {len(frame)} runs, "
          f"{DRAWS} draws")  # fmt: skip
    seconds = {}
    for name, statistics in (("default table", ("spearman",)), ("with tau-b and gamma", DEFAULT_STATISTICS)):
        started = time.perf_counter()
        table = agreement(frame, statistics=statistics, n_bootstrap=DRAWS, n_permutations=DRAWS)
        seconds[name] = time.perf_counter() - started
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(f"{name}: {seconds[name]:.1f} s, {len(table.rows)} rows, peak memory of the process {peak:.2f} GB")
    means = frame.groupby("configuration_id")[["ind_5", "out_1"]].mean()
    theirs = scipy_seconds(means["ind_5"].to_numpy(), means["out_1"].to_numpy())
    ratio = theirs / seconds["default table"]
    print(f"scipy, 1 pair and {SCIPY_DRAWS} draws scaled to all: {theirs:.0f} s; ratio {ratio:.0f}")


if __name__ == "__main__":
    main()
