"""Pixels -> features that need no training with labels: whitened patches as filters, and histograms of gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
FILTERS, PATCH, REGIONS = 256, 6, 3
THRESHOLD = 0.25  # below it a response counts as none
LOOKED_AT = 20_000  # patches that the whitening is estimated on
BATCH = 64  # images at once
FLAT = 1e-3  # added to the variance of a patch: noise of flat ones is not blown up
RIDGE = 0.1  # of the mean eigenvalue, in whitening
CELL, BINS, CLIP = 4, 9, 0.2  # of histograms of gradients
COARSE = 4  # regions a side whose mean colour is a feature


def patch_features(
    pixels: NDArray[np.uint8], generator: np.random.Generator, progress: Callable[[float], None] | None = None
) -> Floats:
    """(n, 2 x 256 x 9) roots of the mean responses of 3 x 3 regions to whitened patches, rectified both ways.

    Source: Coates, Ng and Lee (2011), An analysis of single-layer networks in unsupervised feature learning, with
    patches drawn at random in place of cluster centres.
    """
    windows = _windows(pixels)
    n, rows, columns = windows.shape[:3]
    at = (generator.integers(0, limit, LOOKED_AT) for limit in (n, rows, columns))
    drawn = _normalised(windows[tuple(at)].reshape(LOOKED_AT, -1).astype(np.float32))
    centre = drawn.mean(0)
    values, vectors = np.linalg.eigh(np.cov((drawn - centre).T))
    whitening = ((vectors / np.sqrt(values + RIDGE * values.mean() + 1e-9)) @ vectors.T).astype(np.float32)
    filters = (drawn[:FILTERS] - centre) @ whitening
    filters /= np.linalg.norm(filters, axis=1, keepdims=True) + 1e-6
    weights = whitening @ filters.T
    offset = centre @ weights
    out = np.empty((n, 2 * FILTERS * REGIONS**2), np.float32)
    for first in range(0, n, BATCH):
        some = np.ascontiguousarray(windows[first : first + BATCH], dtype=np.float32)
        responses = (_normalised(some.reshape(-1, some[0, 0, 0].size)) @ weights - offset).reshape(
            -1, rows, columns, FILTERS
        )
        out[first : first + BATCH] = np.sqrt(np.concatenate(list(_pooled(responses)), axis=1))
        if progress:
            progress(min(1.0, (first + BATCH) / n))
    return out


def gradient_features(pixels: NDArray[np.uint8]) -> Floats:
    """(n, F) histograms of oriented gradients of the grey image, and the mean colours of 4 x 4 regions.

    Source: Dalal and Triggs (2005), cells of 4 px, 9 directions without sign, blocks of 2 x 2 cells, clipped at .2.
    """
    colours = pixels.astype(np.float32) / 255
    grey = colours.mean(3)
    dx, dy = np.zeros_like(grey), np.zeros_like(grey)
    dx[:, :, 1:-1] = grey[:, :, 2:] - grey[:, :, :-2]
    dy[:, 1:-1] = grey[:, 2:] - grey[:, :-2]
    size, angle = np.hypot(dx, dy), (np.arctan2(dy, dx) % np.pi) / np.pi * BINS
    lower = np.floor(angle).astype(int) % BINS
    rest = angle - np.floor(angle)
    n, height, width = grey.shape
    cells = np.stack(
        [
            (size * ((lower == b) * (1 - rest) + ((lower + 1) % BINS == b) * rest))
            .reshape(n, height // CELL, CELL, width // CELL, CELL)
            .sum((2, 4))
            for b in range(BINS)
        ],
        axis=-1,
    )
    blocks = np.concatenate([cells[:, :-1, :-1], cells[:, :-1, 1:], cells[:, 1:, :-1], cells[:, 1:, 1:]], axis=-1)
    blocks = np.minimum(_unit(blocks), CLIP)
    coarse = colours.reshape(n, COARSE, height // COARSE, COARSE, width // COARSE, 3).mean((2, 4))
    return np.concatenate([_unit(blocks).reshape(n, -1), coarse.reshape(n, -1)], axis=1)


def standardised(features: Floats) -> Floats:
    """Each feature with mean 0 and deviation 1; those that hardly vary are not blown up."""
    return (features - features.mean(0)) / (features.std(0) + 1e-3 * features.std() + 1e-9)


def _windows(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(n, rows, columns, 3, 6, 6), a view"""
    return np.lib.stride_tricks.sliding_window_view(pixels, (PATCH, PATCH), axis=(1, 2))


def _normalised(patches: Floats) -> Floats:
    """Each patch (a row, 0 to 255) with mean 0 and deviation 1."""
    patches = patches / 255
    patches -= patches.mean(1, keepdims=True)
    patches /= np.sqrt((patches**2).mean(1, keepdims=True) + FLAT)
    return patches


def _pooled(responses: Floats) -> Iterator[Floats]:
    """Means of each region, of what is above the threshold and of what is below its negative."""
    down = np.linspace(0, responses.shape[1], REGIONS + 1).round().astype(int)
    across = np.linspace(0, responses.shape[2], REGIONS + 1).round().astype(int)
    for sign in (1, -1):
        rectified = np.maximum(sign * responses - THRESHOLD, 0)
        for top, bottom in pairwise(down):
            for left, right in pairwise(across):
                yield rectified[:, top:bottom, left:right].mean((1, 2))


def _unit(blocks: Floats) -> Floats:
    return blocks / np.sqrt((blocks**2).sum(-1, keepdims=True) + 1e-3)
