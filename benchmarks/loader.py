"""A folder of JPEG images of ImageNet's size: images a second against timm's loader with the same augmentation.

    python benchmarks/loader.py [--images 2000] [--size 224] [--threads 1] [--repeats 3] [--large]

The folder is made here: 500 x 375 pixels, quality 90, parts of scikit-learn's two photographs; with --large 1,024 x 768
as in Open Images.

timm       create_loader in this process: decoding, random resized crop, flip, jitter, grey, blur (as SimCLR), one
           image after the other
streamed   Streamed: every image decoded whole, batches ahead; augmentation drawn per image, on the batch
reduced    the same with `decode: reduced`
memory     decoded once before, as where the set fits: an epoch is augmentation alone
cache      an epoch from a cache that is streamed (WebP without loss; JPEG; ppm: uncompressed), of 256 px and of --size

All with as many threads; nothing is trained. Rates are of one epoch, median of the repeats; ratios are of processor
time in the same repeat, median [lowest, highest].
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from trainer import randomness
from trainer.augment import augmentation
from trainer.data.cache import write_cache
from trainer.data.opening import read_source
from trainer.data.source import Source
from trainer.data.streamed import Feed, Streamed
from trainer.device import device_name, prepare

BATCH = 64


def write_folder(folder: Path, n: int, *, large: bool) -> None:
    """class/number.jpg, two classes."""
    from sklearn.datasets import load_sample_images

    width, height = (1024, 768) if large else (500, 375)
    photographs = [Image.fromarray(image) for image in load_sample_images().images]
    generator = np.random.default_rng(0)
    for number in range(n):
        left, top = int(generator.integers(0, 140)), int(generator.integers(0, 52))
        part = photographs[number % 2].crop((left, top, left + 500, top + 375)).resize((width, height))
        file = folder / "train" / f"c{number % 2}" / f"{number:06d}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        part.save(file, quality=90)


def with_timm(folder: Path, size: int) -> Callable[[], int]:
    """An epoch of timm's loader, in this process."""
    from timm.data import create_dataset, create_loader

    dataset = create_dataset("", root=str(folder / "train"), is_training=True)
    loader = create_loader(
        dataset, (3, size, size), BATCH, is_training=True, num_workers=0, use_prefetcher=False, scale=(0.08, 1.0),
        hflip=0.5, color_jitter=(0.4, 0.4, 0.4, 0.1), color_jitter_prob=0.8, grayscale_prob=0.2, gaussian_blur_prob=0.5,
        interpolation="bilinear", device=torch.device("cpu"), persistent_workers=False,
    )  # fmt: skip
    return lambda: sum(len(images) for images, _ in loader)


def ours(images: np.ndarray | Streamed, place: str) -> Callable[[], int]:
    """An epoch of batches in random order, each decoded where it has to be, and augmented."""
    augment = augmentation("simclr", flip=True)
    draws = torch.tensor(randomness.key("augment", 0, 0))
    side = images.size if isinstance(images, Streamed) else images.shape[-1]
    augment(torch.zeros(2, 3, side, side, dtype=torch.uint8), draws, 0)  # compiles it, once a process

    def epoch() -> int:
        order = np.random.default_rng(0).permutation(len(images))
        batches = [order[start : start + BATCH] for start in range(0, len(order) - BATCH + 1, BATCH)]
        seen = 0
        with Feed(images, batches.__getitem__, len(batches), "cpu", place) as feed:
            for step, rows in enumerate(batches):
                augment(feed.pixels(step, torch.from_numpy(rows)), draws, seen)
                seen += len(rows)
        return seen

    return epoch


def ways(folder: Path, size: int, threads: int) -> Iterator[tuple[str, Callable[[], int]]]:
    """Each way with its name; sources are opened and caches written before its clock runs."""
    source = replace(read_source("made", folder), threads=threads)
    rows = np.arange(len(source.labels))

    def streamed(source: Source) -> Callable[[], int]:
        return ours(Streamed([(source, rows)], size), "files")

    yield "timm", with_timm(folder, size)
    yield "streamed", streamed(source)
    yield "reduced", streamed(replace(source, reduced=True, bad={}, converted={}))
    yield "memory", ours(source.pixels(rows, size), "device")
    for side in sorted({256, size}, reverse=True):
        for encoding in ("webp", "jpeg", "ppm"):
            out = folder.parent / f"cache-{side}-{encoding}"
            write_cache(source, out, side, encoding=encoding, threads=threads)
            megabytes = sum(file.stat().st_size for file in out.iterdir()) / 1e6
            cached = replace(read_source("made", out), threads=threads)
            yield f"cache {side} px {encoding} ({megabytes:,.0f} MB)", streamed(cached)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=2_000)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--large", action="store_true", help="1,024 x 768 pixels")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    prepare("cpu")
    print(
        f"{device_name('cpu')}, {options.threads} threads, load {os.getloadavg()[0]:.1f}; {options.images:,} JPEG "
        f"images of {'1,024 x 768' if options.large else '500 x 375'} to {options.size} px, median of {options.repeats}"
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "images"
        write_folder(folder, options.images, large=options.large)
        epochs = list(ways(folder, options.size, options.threads))
        rates: dict[str, list[float]] = {way: [] for way, _ in epochs}
        cpu: dict[str, list[float]] = {way: [] for way, _ in epochs}
        for _ in range(options.repeats):  # in turn, so that whatever slows the machine slows all of them
            for way, epoch in epochs:
                clock, own = time.perf_counter(), time.process_time()
                n = epoch()
                rates[way].append(n / (time.perf_counter() - clock))
                cpu[way].append(n / (time.process_time() - own))
        for way in rates:
            ratios = [mine / timm for mine, timm in zip(cpu[way], cpu["timm"], strict=True)]
            clocked, worked = statistics.median(rates[way]), statistics.median(cpu[way])
            print(
                f"  {way:<28} {clocked:8,.0f} images/s  {worked:8,.0f} a second of CPU  "
                f"{statistics.median(ratios):6.2f} x timm [{min(ratios):.2f}, {max(ratios):.2f}]"
            )


if __name__ == "__main__":
    main()
