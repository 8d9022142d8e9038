"""FractalDB: images a second a core, against the published loop in plain Python and numpy.

    python benchmarks/fractals.py [--seconds 10] [--size 32] [--threads 2]

Ours     images from systems that are searched already, 100,000 points each; one thread, then --threads.
Search   classes found a second: each is the first random system that fills a fifth of 512 x 512 pixels.
Loop     the published algorithm as it is usually written: one point after the other, one 3 x 3 pattern after the other,
         256 pixels, averaged to --size; the same systems and number of points.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable

import numba
import numpy as np

from trainer.fractals.parameters import Parameters
from trainer.fractals.render import FULL, Database

POINTS = 100_000


def plain(system: np.void, size: int, generator: np.random.Generator) -> np.ndarray:
    """One image, (size, size) uint8."""
    maps, thresholds = system["maps"], system["steps"]
    chosen = generator.random(POINTS)
    x = y = 0.0
    xs, ys = [], []
    for i in range(POINTS):
        for j in range(8):
            if chosen[i] <= thresholds[j]:
                a, b, c, d, e, f = maps[j]
                x, y = a * x + b * y + e, c * x + d * y + f
                break
        xs.append(x)
        ys.append(y)
    full, pad = FULL, 3
    columns, rows = (
        np.uint16((v - v.min()) / (v.max() - v.min()) * (full - 2 * pad) + pad) for v in (np.array(xs), np.array(ys))
    )
    patch = 127 * generator.integers(0, 2, (3, 3), dtype=np.uint8)
    image = np.zeros((full, full), np.uint8)
    for i in range(POINTS):
        image[rows[i] - 1 : rows[i] + 2, columns[i] - 1 : columns[i] + 2] = patch
    scale = full // size
    return image[: size * scale, : size * scale].reshape(size, scale, size, scale).mean((1, 3)).astype(np.uint8)


def per_second(work: Callable[[], int], seconds: float) -> tuple[float, float]:
    """(things a second of wall time, things a second of processor time), after one call to warm up."""
    work()
    done, start, cpu = 0, time.perf_counter(), time.process_time()
    while (spent := time.perf_counter() - start) < seconds:
        done += work()
    return done / spent, done / (time.process_time() - cpu)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0, help="measured for each figure")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; "
        f"Python {platform.python_version()}, numpy {np.__version__}, numba {numba.__version__}; "
        f"{args.size} px, {POINTS:,} points"
    )
    base = Database(Parameters(classes=1_000_000, instances=20))
    classes, instances = np.repeat(np.arange(16), 20), np.tile(np.arange(20), 16)
    systems = base.systems(np.arange(16))

    def ours(threads: int) -> int:
        base.images(classes, instances, args.size, threads=threads)
        return len(classes)

    searched = 16

    def search() -> int:
        nonlocal searched
        base.systems(np.arange(searched, searched + 8))
        searched += 8
        return 8

    generator = np.random.default_rng(0)
    turn = 0

    def loop() -> int:
        nonlocal turn
        plain(systems[turn % 16], args.size, generator)
        turn += 1
        return 1

    figures = {
        "ours, 1 thread": per_second(lambda: ours(1), args.seconds),
        f"ours, {args.threads} threads": per_second(lambda: ours(args.threads), args.seconds),
        "plain loop": per_second(loop, args.seconds),
        "search, classes": per_second(search, args.seconds),
    }
    for name, (wall, cpu) in figures.items():
        print(f"{name:18} {wall:8.1f} a second   {cpu:8.1f} a second of processor time")
    for what, place in (("wall", 0), ("processor", 1)):
        ratio = figures["ours, 1 thread"][place] / figures["plain loop"][place]
        print(f"ratio of {what} time, 1 thread to plain loop: {ratio:,.0f}")
    print("goal: at least 200 images a second a core")


if __name__ == "__main__":
    main()
