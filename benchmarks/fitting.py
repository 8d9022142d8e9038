"""How long `fit` and `predict` take: on a made-up registry of a planted law, and on the one that ships.

    python benchmarks/fitting.py [CONFIGURATIONS [SEEDS]]

Prints seconds of the wall clock and of the CPU, of this process and of those it starts, beside what is wanted on an
idle machine. Without arguments: 2,000 configurations of 3 seeds.
"""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from joblib.externals.loky import get_reusable_executor

from predictor.fitting import fit_registry
from predictor.records import read_registry

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from synthetic import registry  # noqa: E402


def cpu():
    """Seconds of CPU of this process and of those it waited for."""
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


@contextmanager
def timed(name, wanted):
    """Print what the block took."""
    wall, used = time.perf_counter(), cpu()
    yield
    wall, used = time.perf_counter() - wall, cpu() - used
    print(f"{name:<62} {wall:7.1f} s   CPU {used:7.1f} s   wanted {wanted}", flush=True)


def predict(folder, n):
    """Predict so many manifests in one process, with the fit that ships."""
    for number in range(n):
        rows = "".join(f"c{c}/{i}.png,c{c}\n" for c in range(10) for i in range(1 + (number + c) % 7))
        (folder / f"{number}.csv").write_text("path,label\n" + rows)
    files = [str(folder / f"{number}.csv") for number in range(n)]
    command = [sys.executable, "-m", "predictor", "predict", *files, "--format", "json"]
    with timed(f"predict, {n} manifests, from process start", "< 1 s" if n == 1 else "< 5 s"):
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=ROOT)


def main(n_configurations=2000, n_seeds=3):
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; "
          "outcomes are fitted side by side, one a core; one outcome alone in one process")  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        for n in (1, 1000):
            predict(Path(folder), n)
    records = read_registry(ROOT / "runs")
    with timed(f"fit, the registry that ships ({len(records)} runs), every outcome", "< 20 s"):
        fit_registry(records)
        get_reusable_executor().shutdown()  # so that the CPU of its processes is counted
    records = registry(n_configurations=n_configurations, n_seeds=n_seeds)
    with timed(f"fit, {n_configurations} configurations x {n_seeds} seeds, one outcome", "< 90 s on 2 cores"):
        fit = fit_registry(records, ["accuracy"])
    for row in fit.validation:
        if row["chosen"]:
            print(f"  {row['split']:<15} {row['family']:<10} MAE {100 * row['mae']:.2f} points")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
