"""The augmentation of `trainer.augment` for CPUs, one image at a time: everything it needs stays in the first cache.

The tensor code makes some hundred passes over a batch; here an image is read once and written once. What is computed
is the same, and the tests hold both against torchvision.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numba import njit
from torch import Tensor

HALF, ONE, TWO, THREE, FOUR, SIX = (np.float32(value) for value in (0.5, 1, 2, 3, 4, 6))
TINY = np.float32(1e-12)
# contraction to fused multiply-adds is fixed at compilation: the same machine gives the same bits
_compiled: Callable[..., Any] = njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})


@_compiled
def _taps(start, length, size, bicubic, reverse, places, weights):
    """As `trainer.augment._taps`, for one image."""
    taps = weights.shape[1]
    for i in range(size):
        at = size - 1 - i if reverse else i
        centre = (np.float32(at) + HALF) * (np.float32(length) / np.float32(size)) - HALF
        floor = np.floor(centre)
        after = centre - floor
        if bicubic:
            a, b, c, d = ONE + after, after, ONE - after, TWO - after
            weights[i, 0] = ((-HALF * a + np.float32(2.5)) * a - FOUR) * a + TWO
            weights[i, 1] = (np.float32(1.5) * b - np.float32(2.5)) * b * b + ONE
            weights[i, 2] = (np.float32(1.5) * c - np.float32(2.5)) * c * c + ONE
            weights[i, 3] = ((-HALF * d + np.float32(2.5)) * d - FOUR) * d + TWO
        else:
            weights[i, 0], weights[i, 1] = ONE - after, after
        total = np.float32(0)
        for t in range(taps):
            place = int(floor) + t + 1 - taps // 2
            if place < 0 or place >= length:
                weights[i, t] = np.float32(0)
                place = min(max(place, 0), length - 1)
            places[i, t] = start + place
            total += weights[i, t]
        for t in range(taps):
            weights[i, t] /= total


@_compiled
def _crop(pixels, box, mirrored, bicubic, image, buffer):
    size = pixels.shape[1]
    taps = 4 if bicubic else 2
    row_places, rows = np.empty((size, taps), np.int64), np.empty((size, taps), np.float32)
    column_places, columns = np.empty((size, taps), np.int64), np.empty((size, taps), np.float32)
    _taps(int(box[0]), int(box[2]), size, bicubic, False, row_places, rows)
    _taps(int(box[1]), int(box[3]), size, bicubic, mirrored, column_places, columns)
    for c in range(3):
        for i in range(size):
            line, out = buffer[c, i], image[c, i]
            first, weight = pixels[c, row_places[i, 0]], rows[i, 0]
            for x in range(size):
                line[x] = weight * np.float32(first[x])
            for t in range(1, taps):
                source, weight = pixels[c, row_places[i, t]], rows[i, t]
                for x in range(size):
                    line[x] += weight * np.float32(source[x])
            for x in range(size):
                value = np.float32(0)
                for t in range(taps):
                    value += columns[x, t] * line[column_places[x, t]]
                out[x] = min(max(value * np.float32(1 / 255), np.float32(0)), ONE)


@_compiled
def _grey(image, out):
    for i in range(out.size):
        red, green, blue = image[0, i], image[1, i], image[2, i]
        out[i] = np.float32(0.2989) * red + np.float32(0.587) * green + np.float32(0.114) * blue


@_compiled
def _blend(image, factor, other):
    for c in range(3):
        for i in range(image.shape[1]):
            image[c, i] = min(max(image[c, i] * factor + other[i], np.float32(0)), ONE)


@_compiled
def _turn_hue(image, shift):
    """As `trainer.augment.adjust_hue`."""
    for i in range(image.shape[1]):
        red, green, blue = image[0, i], image[1, i], image[2, i]
        first = ONE if blue > green else np.float32(0)
        high, low = max(green, blue), min(green, blue)
        second = ONE if high > red else np.float32(0)
        value, middle = max(red, high), min(red, high)
        spread = value - min(middle, low)
        turn = (middle - low) / max(spread, TINY)
        turn = abs(turn - SIX * first - TWO * second + TWO * SIX * first * second) + SIX * shift
        for c in range(3):
            away = TWO - abs(abs(turn - np.float32(2 * c)) - THREE)
            image[c, i] = value - spread * min(max(away, np.float32(0)), ONE)


@_compiled
def _blur(image, sigma, buffer):
    size = image.shape[1]
    a = np.exp(np.float32(-2.0) / (sigma * sigma))
    b = np.exp(np.float32(-0.5) / (sigma * sigma))
    total = ONE + TWO * (a + b)
    outer, inner, centre = a / total, b / total, ONE / total
    last = size - 1
    for c in range(3):
        for i in range(size):
            up, upper = image[c, abs(i - 1)], image[c, abs(i - 2)]
            down, lower = image[c, last - abs(last - i - 1)], image[c, last - abs(last - i - 2)]
            here, line = image[c, i], buffer[c, i]
            for x in range(size):
                line[x] = outer * (upper[x] + lower[x]) + inner * (up[x] + down[x]) + centre * here[x]
        for i in range(size):
            line, out = buffer[c, i], image[c, i]
            for x in range(2, size - 2):
                out[x] = outer * (line[x - 2] + line[x + 2]) + inner * (line[x - 1] + line[x + 1]) + centre * line[x]
            for x in (0, 1, last - 1, last):
                left = inner * (line[abs(x - 1)] + line[last - abs(last - x - 1)])
                out[x] = outer * (line[abs(x - 2)] + line[last - abs(last - x - 2)]) + left + centre * line[x]


@_compiled
def _augment(pixels, boxes, mirrored, factors, orders, greyed, sigmas, bicubic, mean, std, out):
    size = pixels.shape[2]
    image, buffer = np.empty((3, size, size), np.float32), np.empty((3, size, size), np.float32)
    flat, other = image.reshape(3, size * size), np.empty(size * size, np.float32)
    for n in range(len(pixels)):
        _crop(pixels[n], boxes[n], mirrored[n], bicubic, image, buffer)
        for place in range(4):
            change = orders[n, place]
            factor = factors[n, change] if change >= 0 else ONE
            if change == 0:
                other[:] = np.float32(0)
                _blend(flat, factor, other)
            elif change == 1:
                _grey(flat, other)
                other[:] = (ONE - factor) * np.float32(other.mean())
                _blend(flat, factor, other)
            elif change == 2:
                _grey(flat, other)
                other *= ONE - factor
                _blend(flat, factor, other)
            elif change == 3:
                _turn_hue(flat, factor)
        if greyed[n]:
            _grey(flat, other)
            for c in range(3):
                flat[c] = other
        if sigmas[n] > 0:
            _blur(image, sigmas[n], buffer)
        for y in range(size):
            for x in range(size):
                for c in range(3):
                    out[n, y, x, c] = (image[c, y, x] - mean) / std


def augmented(pixels: Tensor, draws: dict[str, Tensor], bicubic: bool, mean: float, std: float) -> Tensor:
    """(B, 3, S, S) uint8 on a CPU -> (B, 3, S, S) float32 in channels-last order. draws : see `trainer.augment`"""
    n, _, size, _ = pixels.shape
    out = torch.empty(n, size, size, 3)
    arrays = [pixels.contiguous().numpy(), *(draws[k].numpy() for k in _DRAWS)]
    target = out.numpy()

    def part(rows: slice) -> None:
        _augment(*(a[rows] for a in arrays), bicubic, np.float32(mean), np.float32(std), target[rows])

    threads = min(torch.get_num_threads(), n)
    if threads == 1:
        part(slice(None))
    else:
        edges = np.linspace(0, n, threads + 1).astype(int)
        list(_pool(threads).map(part, [slice(a, b) for a, b in pairwise(edges)]))
    return out.permute(0, 3, 1, 2)


_DRAWS = ("boxes", "mirrored", "factors", "orders", "greyed", "sigmas")


@lru_cache(maxsize=1)
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads)
