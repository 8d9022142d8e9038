"""Classes and images of a FractalDB: searched and drawn when they are asked for, and only those.

The published recipe: a class is a random system of 2 to 8 affine maps whose picture fills at least a fifth of its
pixels; an instance is one of 25 variants of the system, one of 4 flips and a random pattern of 3 x 3 pixels that stands
for a point. Here in addition: every instance plays the chaos game with numbers of its own; a change that would break
the figure (less than half the pixels, or an orbit to infinity) is halved until it does not; and images below 256 pixels
are drawn at about 256 and averaged, since patterns of 3 x 3 pixels on 32 x 32 would hide the figure.
"""

from __future__ import annotations

import colorsys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from predictor.errors import DataError
from predictor.images.decoding import Pixels
from predictor.spec import seeded
from trainer.fractals import kernels
from trainer.fractals.parameters import Parameters

FULL = 256  # pixels of a side; smaller images are means of ones about that large
MAX_SIZE = 1_024
CHUNK = 32  # images, or classes, that a thread takes at a time
GREY = np.full((1, 3), 127, np.uint8)
HUES = np.array([[int(255 * v) for v in colorsys.hsv_to_rgb(i / 128, 0.75, 0.75)] for i in range(128)], np.uint8)


SYSTEM = np.dtype(  # of one class; filling 0: not searched yet
    [("maps", "f8", (8, 6)), ("steps", "f8", 8), ("play_key", "u8"), ("filling", "f8"), ("strengths", "f8", 25)]
)


class Database:
    """A FractalDB that keeps the classes it has searched; memory grows with these, not with the whole.

    >>> database = Database(Parameters(classes=10_000, instances=1_000, points=1_000))
    >>> database.images(np.array([9_999, 0]), np.array([0, 0]), 32).shape
    (2, 3, 32, 32)
    """

    def __init__(self, parameters: Parameters):
        self.parameters = parameters
        self._seed_key = np.uint64(seeded("fractals", parameters.seed).integers(2**63))
        self._systems = np.zeros(parameters.classes, SYSTEM)

    def systems(self, classes: NDArray[np.int64], *, threads: int = 1) -> NDArray[np.void]:
        """(n,) SYSTEM of each class, as far as needed searched: about 60 candidates a class, 15 ms."""
        missing = np.unique(classes[self._systems["filling"][classes] == 0])

        def search(chunk: slice) -> None:
            numbers = missing[chunk]
            found = np.zeros(len(numbers), SYSTEM)
            columns = {name: np.ascontiguousarray(found[name]) for name in SYSTEM.names}
            kernels.find_classes(self._seed_key, numbers, self.parameters.step, *columns.values())
            for name, column in columns.items():
                found[name] = column
            if (found["filling"] < 0).any():
                raise AssertionError("a class without a system that fills a fifth of its image")
            self._systems[numbers] = found

        _in_chunks(search, len(missing), threads)
        return self._systems[classes]

    def images(
        self, classes: NDArray[np.int64], instances: NDArray[np.int64], size: int, *, threads: int = 1
    ) -> Pixels:
        """(n, 3, size, size) uint8 of the named instances, n of each; the same bits with any number of threads.

        Raises DataError for a size outside 8 to 1,024 pixels.
        """
        if not 8 <= size <= MAX_SIZE:
            raise DataError(f"images of {size} pixels; needed 8 to {MAX_SIZE:,}", where="fractals")
        asked, systems = self.parameters, self.systems(classes, threads=threads)
        columns = [np.ascontiguousarray(systems[name]) for name in ("maps", "steps", "play_key", "strengths")]
        arrays = [np.asarray(classes, np.int64), *columns, np.asarray(instances, np.int64)]
        hues = GREY if asked.palette == "grey" else HUES
        out = np.empty((len(classes), 3, size, size), np.uint8)

        def draw(chunk: slice) -> None:
            parts = [array[chunk] for array in arrays]
            patches = asked.draw == "patches"
            detail = max(1, FULL // size)
            kernels.draw(self._seed_key, *parts, asked.step, asked.points, patches, hues, detail, out[chunk])

        _in_chunks(draw, len(classes), threads)
        return out

    def variants(self, instances: NDArray[np.int64]) -> NDArray[np.int64]:
        """(n,) 0 to 24: which variant of its class's system each instance shows."""
        return instances % kernels.VARIANTS


def _in_chunks(work: Callable[[slice], None], n: int, threads: int) -> None:
    chunks = [slice(first, min(first + CHUNK, n)) for first in range(0, n, CHUNK)]
    if threads == 1 or len(chunks) < 2:
        for chunk in chunks:
            work(chunk)
        return
    with ThreadPoolExecutor(threads) as pool:  # compiled code runs outside the interpreter's lock
        for _ in pool.map(work, chunks):
            pass
