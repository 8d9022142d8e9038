"""Runs an hour of a whole grid, through `trainer run` itself: workers, compiling, testing and records included.

    python benchmarks/grid_throughput.py [--runs 200] [--image-steps 320000] [--model predictor_medium] [--batch 512]
                                         [--device cuda|cpu] [--workers auto] [--anchor SCRIPT]

The images are scikit-learn's digits at 32 px. Prints runs/hour with everything, and between the first and the last
record, without the start, the compiler and the measurement of how many runs go side by side; images/s, the share of
the matrix-product peak measured on the same device in bf16, and with --anchor the seconds that another training script
takes there (airbench94 of KellerJordan/cifar10-airbench is the usual one: 94 % on CIFAR-10 in 2.6 s on an A100).
Without a GPU it says so and ends, unless --device cpu is asked for.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from predictor.records import read_registry
from predictor.spec import PROTOCOL
from trainer.device import device_name
from trainer.networks import create

GRID = """
study: throughput
protocol: {protocol}
sources: {{digits: {{digest: "builtin:digits"}}}}
target_sets:
  digits: {{domain: digits, source: digits, flip: false, classes: ["0","1","2","3","4","5","6","7","8","9"]}}
model: {{name: {model}, image_size: 32, head: 128}}
recipe: {{batch_size: {batch}, image_steps: {image_steps}, learning_rate: 0.03, augmentation: simclr-mild}}
seeds: {seeds}
grid: [{{target_set: digits, samples_per_class: 100}}]
"""


def peak_flops(device: str, size: int = 8192, seconds: float = 2.0) -> float:
    """Floating-point operations a second of square bf16 matrix products, the best of several."""
    size = size if device == "cuda" else 1024
    a, b = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    best, end = np.inf, time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        for _ in range(10):
            a @ b
        if device == "cuda":
            torch.cuda.synchronize()
        best = min(best, (time.perf_counter() - start) / 10)
    return 2 * size**3 / best


def flops_per_image(model: str) -> float:
    """Of the forward and the backward pass of one 32 px image."""
    net = create(model, head=128, image_size=32)
    with FlopCounterMode(display=False) as counter:
        F.cross_entropy(net(torch.randn(2, 3, 32, 32)), torch.zeros(2, dtype=torch.long)).backward()
    return counter.get_total_flops() / 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--image-steps", type=int, default=320_000)
    parser.add_argument("--model", default="predictor_medium")
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cuda")
    parser.add_argument("--workers", default="auto")
    parser.add_argument("--anchor", type=Path, help="another training script, timed on the same device")
    args = parser.parse_args()
    if args.device == "cuda" and not torch.cuda.is_available():
        print("no CUDA device here: nothing measured (--device cpu measures the CPU)")
        return
    print(
        f"{device_name(args.device)}, torch {torch.__version__}, {args.model}, {args.image_steps:,} image-steps a run"
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        words = {"model": args.model, "batch": args.batch, "image_steps": args.image_steps}
        (folder / "grid.yaml").write_text(GRID.format(protocol=PROTOCOL, seeds=list(range(args.runs)), **words))
        options = ["--runs", folder / "runs", "--device", args.device, "--workers", args.workers, "--yes"]
        command = [sys.executable, "-m", "trainer", "run", folder / "grid.yaml", *options]
        start = time.perf_counter()
        subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - start
        ends = sorted(path.stat().st_mtime for path in (folder / "runs").glob("*/*.json"))
        records = read_registry(folder / "runs")
    spent = [record.seconds for record in records if record.seconds]
    parts = ", ".join(
        f"{part} {np.mean([getattr(s, part) for s in spent]):.2f}" for part in ("load", "compile", "train", "evaluate")
    )
    rate = len(records) * args.image_steps / seconds
    share = rate * flops_per_image(args.model) / peak_flops(args.device)
    print(f"{len(records)} runs in {seconds:.0f} s: {3600 * len(records) / seconds:,.0f} runs/hour   (goal 1,500)")
    if len(ends) > 1:
        print(f"between the first and the last record: {3600 * (len(ends) - 1) / (ends[-1] - ends[0]):,.0f} runs/hour")
    print(f"{rate:,.0f} images/s; {share:.1%} of the measured bf16 peak; seconds a run: {parts}")
    if args.anchor:
        start = time.perf_counter()
        subprocess.run([sys.executable, str(args.anchor)], check=True)
        print(f"{args.anchor.name}: {time.perf_counter() - start:.1f} s with its start and compilation")


if __name__ == "__main__":
    main()
