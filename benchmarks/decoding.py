"""Decoding of a source: images a second against a plain Pillow loop, and what the second run of a process pays.

    python benchmarks/decoding.py [SOURCE] [--size 32] [--images 10000] [--threads 2] [--repeats 3]

Without SOURCE (Parquet file, folder or CSV list) images are made here: 32 px WebP as in CIFAR's file, and parts of
scikit-learn's two photographs as 500 x 375 JPEG, shrunk to 256.

plain     Image.open, convert("RGB"), resize, stack: one loop, one core
source    Source.load in a new process's state: checks every image (damaged, animated, deep, transparent), decodes once
threads   the same with threads; images below 8 KB are decoded by one all the same
again     Source.pixels of the same images afterwards, as every later run of the process takes them
"""

from __future__ import annotations

import argparse
import io
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
from PIL import Image

from trainer.data.opening import read_source
from trainer.data.source import Source


def made(count: int, *, large: bool) -> Source:
    """Images like CIFAR's, or like ImageNet's; encoded images repeat, decoding does not know."""
    from sklearn.datasets import load_sample_images

    photographs = [Image.fromarray(image) for image in load_sample_images().images]
    generator = np.random.default_rng(0)
    encoded = []
    for i in range(200):
        left, top = (int(generator.integers(0, limit)) for limit in (140, 52))
        image = photographs[i % 2].crop((left, top, left + 500, top + 375))
        stream = io.BytesIO()
        if large:
            image.save(stream, format="JPEG", quality=90)
        else:
            image.resize((32, 32)).save(stream, format="WEBP", quality=95)
        encoded.append(stream.getvalue())
    labels = np.array(["all"] * count)
    name = "500 x 375 JPEG" if large else "32 px WebP"
    return Source(name, "made", labels, labels, lambda row: encoded[row % len(encoded)], lambda row: f"image {row}")


def plain(source: Source, rows: np.ndarray, size: int) -> np.ndarray:
    """What one writes without this package."""
    images = []
    for row in rows.tolist():
        image = Image.open(io.BytesIO(source.read(row))).convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
        images.append(np.asarray(image).transpose(2, 0, 1))
    return np.stack(images)


def fresh(source: Source, threads: int) -> Source:
    """The source with nothing decoded yet."""
    return replace(source, threads=threads, bad={}, converted={}, _stores={})


def rate(work: Callable[[], object], images: int, repeats: int) -> tuple[float, float, float]:
    """Images a second: median, lowest and highest of the repeats."""
    rates = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        rates.append(images / (time.perf_counter() - start))
    return statistics.median(rates), min(rates), max(rates)


def measure(source: Source, size: int, n: int, threads: int, repeats: int) -> None:
    rows = np.arange(min(n, len(source.labels)))
    print(f"\n{source.name} to {size} px, {len(rows):,} images, median of {repeats} [lowest, highest]")
    decoded = fresh(source, 1)
    decoded.load(rows, size)
    assert np.array_equal(decoded.pixels(rows, size), plain(source, rows, size)), "the loops decode different pixels"
    ways: dict[str, Callable[[], object]] = {
        "plain": lambda: plain(source, rows, size),
        "source": lambda: fresh(source, 1).load(rows, size),
        f"threads={threads}": lambda: fresh(source, threads).load(rows, size),
        "again": lambda: decoded.pixels(rows, size),
    }
    base = None
    for name, work in ways.items():
        middle, low, high = rate(work, len(rows), repeats)
        base = base or middle
        print(f"  {name:<10} {middle:12,.0f} images/s [{low:,.0f}, {high:,.0f}]   {middle / base:7.2f} x plain")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", nargs="?", type=Path)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    from trainer.device import device_name

    print(
        f"{device_name('cpu')}, Python {platform.python_version()}, Pillow {version('pillow')}, numpy {np.__version__}"
    )
    if options.source:
        source = read_source(options.source.stem, options.source)
        measure(source, options.size, options.images, options.threads, options.repeats)
        return
    measure(made(options.images, large=False), 32, options.images, options.threads, options.repeats)
    few = max(1, options.images // 20)
    measure(made(few, large=True), 256, few, options.threads, options.repeats)


if __name__ == "__main__":
    main()
