"""Generated images for tests: classes that differ in shape and colour, written as a Parquet source."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image


def pattern(kind: int, generator: np.random.Generator, *, size: int = 16, noise: float = 40.0) -> bytes:
    """One PNG: a grating whose angle, frequency and hue are those of class `kind`, with random phase and noise."""
    angle, frequency = kind * np.pi / 5, 1.0 + kind % 3
    y, x = np.mgrid[0:size, 0:size] / size
    wave = np.sin(2 * np.pi * (frequency * (x * np.cos(angle) + y * np.sin(angle)) + generator.random()))
    hue = np.array([np.cos(kind), np.sin(kind), np.cos(2 * kind)]) * 0.5 + 1.0
    pixels = 128 + 60 * wave[..., None] * hue + generator.normal(0, noise, (size, size, 3))
    stream = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(stream, format="PNG")
    return stream.getvalue()


def write_source(
    path: Path, classes: list[str], *, train: int, test: int, seed: int, noise: float = 40.0, first_kind: int = 0
) -> str:
    """Write `image,label,split,source` rows and return the file's digest as a grid states it."""
    generator = np.random.default_rng(seed)
    rows = [
        {
            "image": pattern(first_kind + kind, generator, noise=noise),
            "label": name,
            "split": split,
            "source": f"generated:{name}:{split}:{i}",
        }
        for kind, name in enumerate(classes)
        for split, n in (("train", train), ("test", test))
        for i in range(n)
    ]
    pq.write_table(pa.Table.from_pylist(rows), path)
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
