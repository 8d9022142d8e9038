"""JPEG to RGB at a smaller size: the decoders that one could use, milliseconds an image and ratios to Pillow's.

    python benchmarks/decoders.py [--images 40] [--size 256] [--repeats 5]     (simplejpeg where it is installed)

Photographs of scikit-learn, cut to 500 x 375 and enlarged to 1,024 x 768 and 2,048 x 1,536. Each decoder ends with an
image whose shorter side is --size, by Pillow's bicubic; `reduced` ones let the codec leave out what a smaller image
does not show (scaled discrete cosine transform).
"""

from __future__ import annotations

import argparse
import io
import platform
import statistics
import time
from collections.abc import Callable

import numpy as np
from PIL import Image

Decoder = Callable[[bytes, int], np.ndarray]


def shrunk(image: Image.Image, size: int) -> np.ndarray:
    scale = size / min(image.size)
    return np.asarray(image.resize([round(side * scale) for side in image.size], Image.Resampling.BICUBIC))


def pillow(data: bytes, size: int) -> np.ndarray:
    return shrunk(Image.open(io.BytesIO(data)).convert("RGB"), size)


def pillow_reduced(data: bytes, size: int) -> np.ndarray:
    image = Image.open(io.BytesIO(data))
    image.draft("RGB", (2 * size, 2 * size))
    return shrunk(image.convert("RGB"), size)


def torchvision_full(data: bytes, size: int) -> np.ndarray:
    import torch
    from torchvision.io import ImageReadMode, decode_jpeg

    pixels = decode_jpeg(torch.frombuffer(bytearray(data), dtype=torch.uint8), ImageReadMode.RGB)
    return shrunk(Image.fromarray(pixels.permute(1, 2, 0).numpy()), size)


def simplejpeg_reduced(data: bytes, size: int) -> np.ndarray:
    import simplejpeg

    pixels = simplejpeg.decode_jpeg(data, "RGB", min_height=2 * size, min_width=2 * size, min_factor=1)
    return shrunk(Image.fromarray(pixels), size)


DECODERS: dict[str, Decoder] = {
    "Pillow": pillow,
    "Pillow, reduced": pillow_reduced,
    "torchvision": torchvision_full,
    "simplejpeg, reduced": simplejpeg_reduced,
}


def photographs(width: int, height: int, count: int) -> list[bytes]:
    from sklearn.datasets import load_sample_images

    found = []
    for i in range(count):
        image = Image.fromarray(load_sample_images().images[i % 2]).resize((width, height), Image.Resampling.BICUBIC)
        buffer = io.BytesIO()
        image.rotate(i).save(buffer, "JPEG", quality=90)
        found.append(buffer.getvalue())
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=40)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=5)
    asked = parser.parse_args()
    machine = platform.processor() or platform.machine()
    print(f"{asked.images} images to {asked.size} px, {asked.repeats} repeats, one thread; {machine}")
    for width, height in ((500, 375), (1_024, 768), (2_048, 1_536)):
        images = photographs(width, height, asked.images)
        times: dict[str, list[float]] = {}
        for _ in range(asked.repeats):
            for name, decode in DECODERS.items():
                try:
                    began = time.perf_counter()
                    for data in images:
                        decode(data, asked.size)
                except ImportError:
                    continue
                times.setdefault(name, []).append(1_000 * (time.perf_counter() - began) / len(images))
        plain = statistics.median(times["Pillow"])
        for name, own in times.items():
            middle = statistics.median(own)
            spread = f"{middle:>7.2f} ms [{min(own):.2f}, {max(own):.2f}]"
            print(f"{width:>5} x {height:<5} {name:<20} {spread}   {plain / middle:.2f} x")


if __name__ == "__main__":
    main()
