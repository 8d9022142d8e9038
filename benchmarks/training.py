"""Training on small images: our pipeline and loop against timm's, and against the bare step. Prints ratios.

    python benchmarks/training.py [--images cifar10.parquet] [--seconds 10] [--threads N] [--device cpu|cuda]
                                  [--model NAME] [--batch N]

1 input  images/s of the augmentation from decoded images against timm's create_dataset, create_transform and
         create_loader with the same augmentation (random resized crop, flip, jitter, grey, blur) from encoded images,
         which is what timm reads every epoch.
2 step   training, with everything it does, against forward, backward and optimiser step on random tensors.
3 whole  training against timm's loop: its loader and the same network, optimiser and precision.

Images are the first 2,000 of a Parquet source, or made here (32 px, JPEG, as small as CIFAR's), so that the figures
need no data set. On CUDA network and augmentation are compiled, the bare step too.
"""

from __future__ import annotations

import argparse
import io
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import timm
import torch
import torch.nn.functional as F
from PIL import Image
from timm.data import add_img_extensions, create_dataset, create_loader

from predictor.distribution import LabelDistribution
from predictor.images.decoding import decode
from predictor.spec import Model, Recipe
from trainer.augment import augmentation, compiled_augmentation
from trainer.data.opening import read_source
from trainer.data.selection import TrainingSet
from trainer.device import autocast, choose_precision, device_name, prepare, waited
from trainer.loop import new_state, train
from trainer.networks import network
from trainer.randomness import key

CLASSES, PER_CLASS, SIZE, STEPS = 10, 200, 32, 25


def encoded_images(parquet: Path | None) -> list[tuple[bytes, str]]:
    """(encoded bytes, their format): of a source, else smooth random ones."""
    if parquet:
        source = read_source("images", parquet)
        encoded = [source.read(row) for row in range(CLASSES * PER_CLASS)]
        return [(data, (Image.open(io.BytesIO(data)).format or "").lower()) for data in encoded]
    generator, images = np.random.default_rng(0), []
    for _ in range(CLASSES * PER_CLASS):
        coarse = Image.fromarray(generator.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        file = io.BytesIO()
        coarse.resize((SIZE, SIZE), Image.Resampling.BICUBIC).save(file, "jpeg", quality=95)
        images.append((file.getvalue(), "jpeg"))
    return images


def write_images(images: list[tuple[bytes, str]], folder: Path) -> np.ndarray:
    """Each as class/number.format, for timm; returns their pixels (N, 3, S, S) and prints what decoding costs."""
    for number, (data, kind) in enumerate(images):
        file = folder / str(number // PER_CLASS) / f"{number}.{kind}"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(data)
    add_img_extensions(f".{images[0][1]}")
    start = time.perf_counter()
    pixels = np.stack([decode(data, SIZE) for data, _ in images])
    spent = time.perf_counter() - start
    print(f"decoding once, {images[0][1]}: {len(images) / spent:,.0f} images/s of one thread")
    return pixels


def timm_loader(folder: Path, batch: int, workers: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """timm's own pipeline with SimCLR's augmentation, restarted for ever."""
    dataset = create_dataset("", root=str(folder))
    loader = create_loader(
        dataset, (3, SIZE, SIZE), batch, is_training=True, use_prefetcher=False, scale=(0.7, 1.0), hflip=0.5,
        color_jitter=(0.4, 0.4, 0.4, 0.1), color_jitter_prob=0.8, grayscale_prob=0.2, gaussian_blur_prob=0.5,
        interpolation="bicubic", num_workers=workers, persistent_workers=workers > 0, mean=(0.5,) * 3, std=(0.25,) * 3,
        device=torch.device("cpu"),
    )  # fmt: skip
    while True:
        yield from loader


def per_second(work: Callable[[], int], seconds: float) -> float:
    """Images a second of repeated calls, after one call to warm up."""
    work()
    done, start = 0, time.perf_counter()
    while (spent := time.perf_counter() - start) < seconds:
        done += work()
    return done / spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0, help="measured for each figure")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--images", type=Path, help="a Parquet source of small images")
    parser.add_argument("--model", help="predictor_small, on CUDA predictor_medium")
    parser.add_argument("--batch", type=int, help="128, on CUDA 512")
    args = parser.parse_args()
    args.model = args.model or ("predictor_medium" if args.device == "cuda" else "predictor_small")
    args.batch = args.batch or (512 if args.device == "cuda" else 128)
    device, precision = args.device, choose_precision(args.device)
    prepare(device)
    torch.set_num_threads(args.threads)
    with tempfile.TemporaryDirectory() as name:
        pixels = write_images(encoded_images(args.images), Path(name))
        measure(pixels, Path(name), device, precision, args)


def measure(pixels: np.ndarray, folder: Path, device: str, precision: str, args: argparse.Namespace) -> None:
    """Print the three comparisons."""
    versions = f"torch {torch.__version__}, timm {timm.__version__}, Python {platform.python_version()}"
    print(f"{device_name(device)}, {args.threads} threads, {precision}, {versions}")
    batch, preset = args.batch, "simclr-mild"
    print(f"{len(pixels):,} images of {SIZE} px, batches of {batch}, {args.model}; load {os.getloadavg()[0]:.1f}")
    resident = torch.from_numpy(pixels).to(device)
    draws, firsts = torch.tensor(key("benchmark"), device=device), torch.arange(0, 10**6 * batch, batch, device=device)
    rows, place = torch.randint(len(pixels), (batch,), device=device), iter(range(10**6))
    own = augmentation(preset) if device == "cpu" else compiled_augmentation(preset, True, batch, SIZE, device)

    def own_input() -> int:
        own(resident[rows], draws, firsts[next(place)])
        waited(device)
        return batch

    loader = timm_loader(folder, batch, args.threads if args.threads > 1 else 0)

    def their_input() -> int:
        return len(next(loader)[0])

    ours, theirs = per_second(own_input, args.seconds), per_second(their_input, args.seconds)
    print(f"input   own {ours:9,.0f} images/s   timm {theirs:9,.0f}   ratio {ours / theirs:.1f}   (goal 8)")

    recipe = Recipe(learning_rate=0.01, augmentation=preset, batch_size=batch)
    how = {"device": device, "precision": precision, "batches": {batch}, "compiled": device == "cuda"}
    net = network(Model(name=args.model, head=128), 0, **how)
    state = new_state(net.model.train(), recipe, net.forward)
    images = torch.randn(batch, 3, SIZE, SIZE, device=device).contiguous(memory_format=torch.channels_last)
    labels = torch.randint(CLASSES, (batch,), device=device)

    def step(x: torch.Tensor, y: torch.Tensor) -> int:
        with autocast(device, precision):
            logits = net.forward(x)
        F.cross_entropy(logits.float(), y).backward()
        state.optimiser.step()
        state.optimiser.zero_grad(set_to_none=True)
        return batch

    data = TrainingSet(
        pixels=pixels,
        labels=np.repeat(np.arange(CLASSES), PER_CLASS),
        keys=np.arange(len(pixels), dtype=np.uint64),
        classes=[str(i) for i in range(CLASSES)],
        distribution=LabelDistribution.from_counts({str(i): PER_CLASS for i in range(CLASSES)}),
    )

    def whole() -> int:
        fresh = new_state(net.model, recipe, net.forward)
        train(
            fresh, data, image_steps=STEPS * batch, recipe=recipe, training_seed=0, device=device, precision=precision,
            augment=None if device == "cpu" else own,
        )  # fmt: skip
        waited(device)
        return STEPS * batch

    def their_loop() -> int:
        x, y = next(loader)
        if len(x) == batch:  # a compiled network takes whole batches
            step(x.to(device).contiguous(memory_format=torch.channels_last), y.to(device))
            waited(device)
        return len(x)

    # the machine's speed drifts: bare steps and training are measured in turns, and each pair has its own ratio
    pairs = []
    whole()
    while sum(map(sum, pairs)) < 2 * args.seconds:
        start = time.perf_counter()
        for _ in range(STEPS):
            step(images, labels)
        waited(device)  # once for all, as training does
        middle = time.perf_counter()
        whole()
        pairs.append((middle - start, time.perf_counter() - middle))
    bare, own_loop = np.array(pairs).T
    bare_rate, our_rate = (STEPS * batch / float(np.median(seconds)) for seconds in (bare, own_loop))
    low, ratio, high = np.quantile(bare / own_loop, [0.25, 0.5, 0.75])
    print(
        f"step    own {our_rate:9,.0f} images/s   bare {bare_rate:9,.0f}   "
        f"ratio {ratio:.2f} [{low:.2f}, {high:.2f}] quartiles of {len(pairs)} pairs   (goal 0.9)"
    )
    loop = per_second(their_loop, args.seconds)
    print(f"whole   own {our_rate:9,.0f} images/s   timm {loop:9,.0f}   ratio {our_rate / loop:.1f}")


if __name__ == "__main__":
    main()
