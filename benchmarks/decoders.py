"""JPEG to RGB of one smaller size: the decoders that one could use, as the trainer would use them.

    python benchmarks/decoders.py [--images 20] [--size 224] [--repeats 15]     (simplejpeg where it is installed)

Photographs of scikit-learn as JPEG of 224 x 224 (as in a cache), 500 x 375, 1,024 x 768 and 2,048 x 1,536. Every way
opens the file with Pillow, which checks it, and ends with Pillow's bilinear filter at --size x --size.

Pillow                 the whole image: `decode: full`
Pillow, half           the smallest of 1, 1/2, 1/4 and 1/8 that is no less than --size: `decode: reduced`
simplejpeg             the whole image; `half`: at the scale of Pillow's; `eighths`: the smallest eighth that suffices
torchvision            the whole image; it offers no other scale

Milliseconds of CPU an image, median of the repeats [lowest, highest]; times Pillow's whole; how far the pixels are from
those of Pillow's whole image (mean, in levels of 255), or `the same`.
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import time
from collections.abc import Callable

import numpy as np
from PIL import Image

from trainer.device import device_name

Decoder = Callable[[bytes, int], Image.Image]


def opened(data: bytes, size: int | None = None) -> Image.Image:
    image = Image.open(io.BytesIO(data), formats=("JPEG",))
    if size:
        image.draft(image.mode, (size, size))
    return image


def pillow(data: bytes, size: int) -> Image.Image:
    return opened(data)


def pillow_half(data: bytes, size: int) -> Image.Image:
    return opened(data, size)


def of_simplejpeg(data: bytes, width: int, height: int) -> Image.Image:
    """The smallest eighth that is no less than so many pixels."""
    import simplejpeg

    pixels = simplejpeg.decode_jpeg(data, "RGB", min_width=width, min_height=height)
    return Image.frombuffer("RGB", pixels.shape[1::-1], pixels, "raw", "RGB", 0, 1)


def simplejpeg_whole(data: bytes, size: int) -> Image.Image:
    return of_simplejpeg(data, *opened(data).size)


def simplejpeg_half(data: bytes, size: int) -> Image.Image:
    return of_simplejpeg(data, *opened(data, size).size)


def simplejpeg_eighths(data: bytes, size: int) -> Image.Image:
    opened(data)
    return of_simplejpeg(data, size, size)


def torchvision_whole(data: bytes, size: int) -> Image.Image:
    import torch
    from torchvision.io import ImageReadMode, decode_jpeg

    opened(data)
    pixels = decode_jpeg(torch.frombuffer(bytearray(data), dtype=torch.uint8), ImageReadMode.RGB)
    return Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy())


DECODERS: dict[str, Decoder] = {
    "Pillow": pillow,
    "Pillow, half": pillow_half,
    "simplejpeg": simplejpeg_whole,
    "simplejpeg, half": simplejpeg_half,
    "simplejpeg, eighths": simplejpeg_eighths,
    "torchvision": torchvision_whole,
}


def shrunk(image: Image.Image, size: int) -> np.ndarray:
    """(size, size, 3) uint8, as `predictor.images.decoding` makes it."""
    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR))[..., :3]


def photographs(width: int, height: int, count: int) -> list[bytes]:
    from sklearn.datasets import load_sample_images

    found = []
    for i in range(count):
        image = Image.fromarray(load_sample_images().images[i % 2]).resize((width, height), Image.Resampling.BICUBIC)
        buffer = io.BytesIO()
        image.rotate(i).save(buffer, "JPEG", quality=90)
        found.append(buffer.getvalue())
    return found


def difference(decode: Decoder, images: list[bytes], size: int) -> str:
    """From Pillow's whole image, in words."""
    pairs = [(shrunk(decode(data, size), size), shrunk(pillow(data, size), size)) for data in images[:4]]
    if all(np.array_equal(*pair) for pair in pairs):
        return "the same"
    return f"{np.mean([np.abs(a.astype(float) - b).mean() for a, b in pairs]):.1f} of 255"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=20)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--repeats", type=int, default=15)
    asked = parser.parse_args()
    print(
        f"{device_name('cpu')}, load {os.getloadavg()[0]:.1f}; {asked.images} images to {asked.size} px, one thread, "
        f"median of {asked.repeats}"
    )
    for width, height in ((224, 224), (500, 375), (1_024, 768), (2_048, 1_536)):
        images = photographs(width, height, asked.images)
        times: dict[str, list[float]] = {}
        for _ in range(asked.repeats):  # in turn, so that whatever slows the machine slows all of them
            for name, decode in DECODERS.items():
                try:
                    began = time.process_time()
                    for data in images:
                        shrunk(decode(data, asked.size), asked.size)
                except ModuleNotFoundError:
                    continue
                times.setdefault(name, []).append(1_000 * (time.process_time() - began) / len(images))
        whole = statistics.median(times["Pillow"])
        for name, own in times.items():
            middle = statistics.median(own)
            spread = f"{middle:6.2f} ms [{min(own):.2f}, {max(own):.2f}]"
            pixels = difference(DECODERS[name], images, asked.size)
            print(f"{width:>5} x {height:<5} {name:<20} {spread:<24} {whole / middle:5.2f} x   {pixels}")


if __name__ == "__main__":
    main()
