"""A folder of JPEG images of ImageNet's size: images a second against timm's loader with the same augmentation.

    python benchmarks/loader.py [--images 2000] [--shown 2048] [--size 224] [--threads 1] [--large]

The folder is made here: 500 x 375 pixels, quality 90, parts of scikit-learn's two photographs; with --large 1,024 x 768
as in Open Images.

timm       create_loader in this process: decoding, random resized crop, flip, jitter, grey, blur (as SimCLR; of 5
           pixels, as ours), one image after the other
streamed   Streamed: every image decoded whole, batches ahead; augmentation drawn per image, on the batch
reduced    the same with `decode: reduced`
memory     decoded once before, as where the set fits: an epoch is augmentation alone
cache      an epoch from a cache that is streamed (WebP without loss; JPEG; ppm: uncompressed), of 256 px and of --size

All with as many threads; nothing is trained. So many images of one epoch as --shown says come in random order, 256 a
turn; the ways take turns, so that other work on the machine slows all of them. Rates are medians of the turns; ratios
are of processor time in the same turn, median [lowest, highest].
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from trainer import randomness
from trainer.augment import augmentation
from trainer.data.cache import HOW, Encoding, write_cache
from trainer.data.opening import read_source
from trainer.data.source import Source
from trainer.data.streamed import Feed, Streamed
from trainer.device import device_name, prepare

BATCH = 64
TURN = 4  # batches
Way = tuple[str, Iterator[int]]  # the name, and turns that each give the number of images shown


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


def with_timm(folder: Path, size: int) -> Iterator[int]:
    """Turns of timm's loader, in this process."""
    from timm.data import create_dataset, create_loader
    from torchvision.transforms import GaussianBlur

    dataset = create_dataset("", root=str(folder / "train"), is_training=True)
    loader = create_loader(
        dataset, (3, size, size), BATCH, is_training=True, num_workers=0, use_prefetcher=False, scale=(0.08, 1.0),
        hflip=0.5, color_jitter=(0.4, 0.4, 0.4, 0.1), color_jitter_prob=0.8, grayscale_prob=0.2, gaussian_blur_prob=0.5,
        interpolation="bilinear", device=torch.device("cpu"), persistent_workers=False,
    )  # fmt: skip
    (blur,) = (part for part in parts_of(dataset.transform) if isinstance(part, GaussianBlur))
    blur.kernel_size = (5, 5)  # as ours; timm's own 23 x 23 costs several times as much as all the rest
    batches = iter(loader)
    while True:
        yield sum(len(images) for images, _ in islice(batches, TURN))


def parts_of(transform: object) -> Iterator[object]:
    """A transform and those that it is made of."""
    yield transform
    for inner in getattr(transform, "transforms", ()):
        yield from parts_of(inner)


def ours(images: np.ndarray | Streamed, place: str) -> Iterator[int]:
    """Turns of batches in random order, each decoded where it has to be, and augmented."""
    augment = augmentation("simclr", flip=True)
    draws = torch.tensor(randomness.key("augment", 0, 0))
    side = images.size if isinstance(images, Streamed) else images.shape[-1]
    augment(torch.zeros(2, 3, side, side, dtype=torch.uint8), draws, 0)  # compiles it, once a process
    order = np.random.default_rng(0).permutation(len(images))
    for first in range(0, len(order), TURN * BATCH):
        turn = order[first : first + TURN * BATCH]
        batches = [turn[start : start + BATCH] for start in range(0, len(turn), BATCH)]
        with Feed(images, batches.__getitem__, len(batches), "cpu", place) as feed:
            for step, rows in enumerate(batches):
                augment(feed.pixels(step, torch.from_numpy(rows)), draws, first + step * BATCH)
        yield len(turn)


def ways(folder: Path, size: int, threads: int, shown: int, encodings: Sequence[Encoding]) -> Iterator[Way]:
    """Each way with its name; sources are opened and caches written before its clock runs."""
    source = replace(read_source("made", folder), threads=threads)
    rows = np.arange(len(source.labels))
    some = np.random.default_rng(1).permutation(rows)[:shown]

    def streamed(source: Source) -> Iterator[int]:
        return ours(Streamed([(source, some)], size), "files")

    yield "timm", with_timm(folder, size)
    yield "streamed", streamed(source)
    yield "reduced", streamed(replace(source, reduced=True, bad={}, converted={}))
    yield "memory", ours(source.pixels(some, size), "device")
    for side in sorted({256, size}, reverse=True):
        for encoding in encodings:
            out = folder.parent / f"cache-{side}-{encoding}"
            write_cache(source, out, side, encoding=encoding, threads=threads)
            megabytes = sum(file.stat().st_size for file in out.iterdir()) / 1e6
            cached = replace(read_source("made", out), threads=threads)
            yield f"cache {side} px {encoding} ({megabytes:,.0f} MB)", streamed(cached)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=2_000)
    parser.add_argument("--shown", type=int, default=2_048, help="images of the epoch that are shown")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--large", action="store_true", help="1,024 x 768 pixels")
    parser.add_argument("--encodings", nargs="+", default=list(HOW), choices=list(HOW), help="of the caches")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    prepare("cpu")
    shown = min(options.images, options.shown) // BATCH * BATCH
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "images"
        write_folder(folder, options.images, large=options.large)
        epochs = dict(ways(folder, options.size, options.threads, shown, options.encodings))
        rates: dict[str, list[float]] = {way: [] for way in epochs}
        cpu: dict[str, list[float]] = {way: [] for way in epochs}
        for _ in range(-(-shown // (TURN * BATCH))):  # in turn, so that whatever slows the machine slows all of them
            for way, turns in epochs.items():
                clock, own = time.perf_counter(), time.process_time()
                n = next(turns)
                rates[way].append(n / (time.perf_counter() - clock))
                cpu[way].append(n / (time.process_time() - own))
        print(
            f"{device_name('cpu')}, {options.threads} threads, load {os.getloadavg()[0]:.1f}; {shown:,} of "
            f"{options.images:,} JPEG images of {'1,024 x 768' if options.large else '500 x 375'} "
            f"to {options.size} px, median of {len(cpu['timm'])} turns"
        )
        for way in rates:
            ratios = [mine / timm for mine, timm in zip(cpu[way], cpu["timm"], strict=True)]
            clocked, worked = statistics.median(rates[way]), statistics.median(cpu[way])
            print(
                f"  {way:<28} {clocked:8,.0f} images/s  {worked:8,.0f} a second of CPU  "
                f"{statistics.median(ratios):6.2f} x timm [{min(ratios):.2f}, {max(ratios):.2f}]"
            )


if __name__ == "__main__":
    main()
