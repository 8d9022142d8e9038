"""Images that are there twice: the same pixels, or nearly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SHRUNK = 16  # pixels a side that are compared
NEAR = 0.98  # correlation of two images from which on they are nearly the same
SAME = 0.995  # from which on they are copies: resized, or encoded once more
FAINT = 2.0  # standard deviation of pixels below which an image has nothing to compare
BLOCK = 2_000  # images compared at once
SHOWN = 10


@dataclass(frozen=True, kw_only=True)
class Duplicates:
    """How many of the images looked at have a copy, and where. An image counts once.

    exact, near : images with a copy of the same pixels, or with one that correlates .98 or more
    inside, between : of those with any such copy: in their own class; in another class, which contradicts a label
    pairs : up to ten, those between classes first: (image, class, image, class, correlation)
    """

    n_images: int
    exact: int
    near: int
    inside: int
    between: int
    pairs: tuple[tuple[str, str, str, str, float], ...]


def find_pairs(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """((P, 2) rows of near copies, (P,) their correlation; 1 for the same pixels)."""
    n, side = len(pixels), pixels.shape[1]
    step = side // SHRUNK if side % SHRUNK == 0 else 1
    small = pixels.astype(np.float32).reshape(n, side // step, step, side // step, step, -1).mean((2, 4)).reshape(n, -1)
    small -= small.mean(1, keepdims=True)
    norm = np.linalg.norm(small, axis=1)
    clear = norm / np.sqrt(small.shape[1]) >= FAINT
    small /= np.maximum(norm, 1e-6)[:, None]
    same = np.unique(pixels.reshape(n, -1), axis=0, return_inverse=True)[1].ravel()
    rows, values = [], []
    for first in range(0, n, BLOCK):
        block = small[first : first + BLOCK] @ small.T
        block[~clear[first : first + BLOCK]] = 0
        block[:, ~clear] = 0
        equal = same[first : first + BLOCK, None] == same
        block[equal] = 1
        a, b = np.nonzero(block >= NEAR)
        later = b > a + first
        a, b = a[later], b[later]
        rows.append(np.stack([a + first, b], axis=1))
        values.append(np.where(equal[a, b], 1.0, np.minimum(block[a, b], 1 - 1e-7)))
    return np.concatenate(rows), np.concatenate(values)


def counted(
    pairs: NDArray[np.int64],
    correlations: NDArray[np.float64],
    classes: NDArray[np.int64],
    names: tuple[str, ...],
    described: tuple[str, ...],
) -> Duplicates:
    """What `find_pairs` found, counted by image."""

    def images(chosen: NDArray[np.bool_]) -> int:
        return len(np.unique(pairs[chosen]))

    alike = classes[pairs[:, 0]] == classes[pairs[:, 1]]
    order = np.lexsort((-correlations, alike))[:SHOWN]
    shown = tuple(
        (described[a], names[classes[a]], described[b], names[classes[b]], r)
        for (a, b), r in zip(pairs[order].tolist(), correlations[order].tolist(), strict=True)
    )
    return Duplicates(
        n_images=len(classes),
        exact=images(correlations == 1),
        near=images(correlations < 1),
        inside=images(alike),
        between=images(~alike),
        pairs=shown,
    )
