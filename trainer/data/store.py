"""Decoded images of one source and size, as many as were asked for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from predictor.images.decoding import Pixels


class Store:
    """Pixels by row, kept in the blocks they were decoded in: memory grows with what is used, not with the source.

    >>> store = Store(9)
    >>> store.add(np.array([4, 2]), np.arange(2 * 3).reshape(2, 3, 1, 1).astype(np.uint8))
    >>> store.take(np.array([2, 4, 2]))[:, 0, 0, 0].tolist(), store.has(np.array([2, 3])).tolist()
    ([3, 0, 3], [True, False])
    """

    def __init__(self, n_rows: int):
        self._block = np.full(n_rows, -1, dtype=np.int32)
        self._place = np.zeros(n_rows, dtype=np.int64)
        self._blocks: list[tuple[NDArray[np.int64], Pixels]] = []  # rows and pixels, ever smaller

    def has(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(n,) whether each row is here."""
        return self._block[rows] >= 0

    def add(self, rows: NDArray[np.int64], pixels: Pixels) -> None:
        """Keep the pixels (n, 3, S, S) of rows that are not here yet."""
        while self._blocks and len(self._blocks[-1][0]) <= len(rows):  # few blocks, each image copied log N times
            before, decoded = self._blocks.pop()
            rows, pixels = np.concatenate([before, rows]), np.concatenate([decoded, pixels])
        self._block[rows], self._place[rows] = len(self._blocks), np.arange(len(rows))
        self._blocks.append((rows, pixels))

    def take(self, rows: NDArray[np.int64]) -> Pixels:
        """(n, 3, S, S) pixels of rows that are all here, n >= 1."""
        blocks = self._block[rows]
        used = np.unique(blocks).tolist()
        if len(used) == 1:
            return self._blocks[used[0]][1][self._place[rows]]
        out = np.empty((len(rows), *self._blocks[0][1].shape[1:]), np.uint8)
        for block in used:
            of_block = blocks == block
            out[of_block] = self._blocks[block][1][self._place[rows[of_block]]]
        return out
