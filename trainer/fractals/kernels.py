"""Compiled parts of FractalDB: the chaos game, the filling rate, the search for classes, the drawing.

Only sums, products, quotients and comparisons of doubles, in a fixed order and never fused: the same bits on every
machine and with any number of threads. Random numbers are functions of a key and a counter (SplitMix64).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

MAX_MAPS = 8
VARIANTS = 25  # the system itself, and four factors for each of the six parameters
BOX, PAD, POINTS, FILLING = 512, 6, 100_000, 0.2  # image, empty margin, points and least filling rate as published
MAX_TRIES = 100_000  # of a class; it takes about 60
SKIPPED = 100  # first points of an orbit, on its way to the attractor
FAR = 1e6  # an orbit that goes so far fills nothing
# A candidate is dropped after few points where these crowd: no system that fills enough has less than 95 % of its first
# 5,000 points in pixels of their own, and most others have. The tests search without this and find the same.
FEW, APART = 5_000, 0.9
ROUGH_BOX = 64  # image on which the variants of a class are compared, with as few points
HALVINGS = 4

_GOLDEN, _FIRST, _SECOND = (np.uint64(v) for v in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))
_S27, _S30, _S31, _S11 = (np.uint64(v) for v in (27, 30, 31, 11))
_ONE, _DOT, _PATTERNS = np.uint64(1), np.uint64(16), np.uint64(511)
_compiled: Callable[..., Any] = njit(cache=True, nogil=True, error_model="numpy")


@_compiled
def mix(key, counter):
    """SplitMix64 (Steele, Lea, Flood 2014): the `counter`-th number of a key."""
    z = key + (np.uint64(counter) + _ONE) * _GOLDEN
    z = (z ^ (z >> _S30)) * _FIRST
    z = (z ^ (z >> _S27)) * _SECOND
    return z ^ (z >> _S31)


@_compiled
def _unit(number):
    return np.float64(number >> _S11) * 2.0**-53


@_compiled
def _play(maps, steps, key, xs, ys):
    """The chaos game: fills xs, ys with points of the attractor; False where the orbit leaves for infinity.

    maps : (8, 6), x' = a x + b y + e, y' = c x + d y + f; steps : (8,) cumulated probabilities, 1 from the last on
    """
    x = y = 0.0
    for i in range(-SKIPPED, len(xs)):
        number = _unit(mix(key, i + SKIPPED))
        j = 0
        for k in range(MAX_MAPS - 1):
            j += number >= steps[k]
        x, y = maps[j, 0] * x + maps[j, 1] * y + maps[j, 4], maps[j, 2] * x + maps[j, 3] * y + maps[j, 5]
        if not abs(x) + abs(y) < FAR:
            return False
        if i >= 0:
            xs[i], ys[i] = x, y
    return True


@_compiled
def _scale(values, length, pad):
    """First value, and pixels for one unit, so that the values span the image within its margin; 0: they are one."""
    low, high = values.min(), values.max()
    return low, (length - 2 * pad) / (high - low) if high > low else 0.0


@_compiled
def _filling(xs, ys, length, pad):
    """Share of the pixels of an image that hold a point; 0 where the points lie on an upright line."""
    x0, per_x = _scale(xs, length, pad)
    y0, per_y = _scale(ys, length, pad)
    if per_x == 0.0 or per_y == 0.0:
        return 0.0
    seen = np.zeros((length, length), np.bool_)
    count = 0
    for i in range(len(xs)):
        row, column = int((ys[i] - y0) * per_y) + pad, int((xs[i] - x0) * per_x) + pad
        count += not seen[row, column]
        seen[row, column] = True
    return count / (length * length)


@_compiled
def _draw_system(key, maps, steps):
    """A random system: 2 to 8 maps, parameters uniform in [-1, 1), probabilities proportional to |determinant|."""
    n = 2 + int(mix(key, 0) % np.uint64(MAX_MAPS - 1))
    total = 0.0
    maps[:] = 0.0
    for j in range(n):
        for p in range(6):
            maps[j, p] = 2.0 * _unit(mix(key, 1 + 6 * j + p)) - 1.0
        total += abs(maps[j, 0] * maps[j, 3] - maps[j, 1] * maps[j, 2])
        steps[j] = total
    for j in range(MAX_MAPS):
        steps[j] = steps[j] / total if j < n - 1 else 1.0


@_compiled
def varied(maps, variant, step, strength, out):
    """The maps with one parameter of all of them multiplied; variant 0 is the system itself.

    The factors are 1 - 2 step, 1 - step, 1 + step and 1 + 2 step; strength shrinks them towards 1.
    """
    out[:] = maps
    if variant > 0:
        by = (variant - 1) // 6  # 0, 1, 2, 3
        out[:, (variant - 1) % 6] *= 1.0 + strength * step * (by - 2 if by < 2 else by - 1)


@_compiled
def _fills(maps, steps, key, xs, ys):
    """Filling rate of a candidate, or -1 where it is too small."""
    if not _play(maps, steps, key, xs[:FEW], ys[:FEW]):
        return -1.0
    if _filling(xs[:FEW], ys[:FEW], BOX, PAD) * (BOX * BOX) < APART * FEW or not _play(maps, steps, key, xs, ys):
        return -1.0
    filling = _filling(xs, ys, BOX, PAD)
    return filling if filling >= FILLING else -1.0


@_compiled
def find_classes(seed_key, numbers, step, maps, steps, play_keys, fillings, strengths):
    """Search the systems of classes: of each the first random system that fills enough of its image.

    numbers : (n,) of the classes. Filled in: maps (n, 8, 6) and steps (n, 8), see `_play`; play_keys (n,) of the orbit
    that was measured; fillings (n,), -1 where no system was found; strengths (n, 25) of the variants, see `varied`
    """
    xs, ys, changed = np.empty(POINTS), np.empty(POINTS), np.empty((MAX_MAPS, 6))
    for n in range(len(numbers)):
        class_key = mix(seed_key, numbers[n])
        for trial in range(MAX_TRIES):
            key = mix(class_key, trial)
            _draw_system(key, maps[n], steps[n])
            play_keys[n] = mix(key, 1_000)
            fillings[n] = _fills(maps[n], steps[n], play_keys[n], xs, ys)
            if fillings[n] >= 0.0:
                break
        least = 0.5 * _filling(xs[:FEW], ys[:FEW], ROUGH_BOX, 1)
        for variant in range(VARIANTS):
            strength = 1.0
            for _ in range(HALVINGS):
                varied(maps[n], variant, step, strength, changed)
                if _play(changed, steps[n], play_keys[n], xs[:FEW], ys[:FEW]) and (
                    _filling(xs[:FEW], ys[:FEW], ROUGH_BOX, 1) >= least
                ):
                    break
                strength *= 0.5
            else:
                strength = 0.0
            strengths[n, variant] = strength


@_compiled
def draw(seed_key, numbers, maps, steps, play_keys, strengths, instances, step, points, patches, hues, detail, out):
    """Draw images. numbers to instances : one entry an image, see `find_classes`; points : at most 100,000

    patches : whether a point is a random pattern of 3 x 3 pixels, one an image, or one pixel
    hues : (h, 3) uint8, colours of the points in turn; out : (n, 3, S, S) uint8, means of detail x detail pixels
    """
    length = out.shape[2] * detail
    pad = max(2, length * PAD // BOX)
    xs, ys, changed = np.empty(points), np.empty(points), np.empty((MAX_MAPS, 6))
    canvas = np.empty((length, length), np.uint8)
    for n in range(len(instances)):
        instance = instances[n]
        variant = instance % VARIANTS
        key = mix(mix(mix(seed_key, numbers[n]), MAX_TRIES), instance)
        varied(maps[n], variant, step, strengths[n, variant], changed)
        if not _play(changed, steps[n], key, xs, ys):  # a rare excursion; the orbit of the search has none
            _play(maps[n], steps[n], play_keys[n], xs, ys)
        pattern = _ONE + mix(key, 1_000_000) % _PATTERNS if patches else _DOT
        _stamp(xs, ys, pattern, len(hues), pad, canvas)
        _shrink(canvas, (variant + instance // VARIANTS) % 4, hues, detail, out[n])


@_compiled
def _stamp(xs, ys, pattern, n_hues, pad, canvas):
    """Points onto a canvas of 1 + number of the hue, 0: empty. Later points hide earlier ones, as published."""
    length = len(canvas)
    canvas[:] = 0
    x0, per_x = _scale(xs, length, pad)
    y0, per_y = _scale(ys, length, pad)
    bits = np.empty(9, np.uint8)
    for k in range(9):
        bits[k] = (pattern >> np.uint64(k)) & _ONE
    for i in range(len(xs)):
        row, column = int((ys[i] - y0) * per_y) + pad, int((xs[i] - x0) * per_x) + pad
        hue = np.uint8(1 + i % n_hues)
        if pattern == _DOT:
            canvas[row, column] = hue
            continue
        for k in range(9):
            canvas[row - 1 + k // 3, column - 1 + k % 3] = hue * bits[k]


@_compiled
def _shrink(canvas, flip, hues, detail, image):
    """(S detail, S detail) numbers of hues -> (3, S, S), turned over: 1 upside down, 2 left to right, 3 both."""
    size = image.shape[1]
    for y in range(size):
        for x in range(size):
            red = green = blue = 0
            for i in range(detail):
                for j in range(detail):
                    hue = canvas[y * detail + i, x * detail + j]
                    if hue:
                        red += hues[hue - 1, 0]
                        green += hues[hue - 1, 1]
                        blue += hues[hue - 1, 2]
            row, column = size - 1 - y if flip & 1 else y, size - 1 - x if flip & 2 else x
            n = detail * detail
            image[0, row, column] = (red + n // 2) // n
            image[1, row, column] = (green + n // 2) // n
            image[2, row, column] = (blue + n // 2) // n
