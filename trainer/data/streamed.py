"""Where the images of a training lie: on the device, in memory, or encoded as they are. Batches are the same bits.

Small images live on the device, which is fastest. What does not fit there stays in memory and goes to the device batch
by batch; what does not fit in memory either is decoded a few batches ahead, by threads, every time it is shown.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from predictor.errors import DataError
from predictor.images.decoding import Pixels
from trainer.data.source import Source

Place = Literal["device", "memory", "files"]
PLACES: tuple[Place, ...] = ("device", "memory", "files")
VARIABLE = "PREDICTOR_IMAGES"  # of the environment: one of PLACES, instead of what would be chosen
SHARE = 0.5  # of free memory that the images of one run may take
BATCHES_AHEAD = 4


@dataclass(frozen=True)
class Streamed:
    """Images that are decoded when they are shown. parts : sources with rows, one after the other"""

    parts: Sequence[tuple[Source, NDArray[np.int64]]]
    size: int

    def __len__(self) -> int:
        return sum(len(rows) for _, rows in self.parts)

    def take(self, rows: NDArray[np.int64]) -> Pixels:
        """(B, 3, S, S) uint8. Raises DataError naming images that cannot be used."""
        out = np.empty((len(rows), 3, self.size, self.size), np.uint8)
        start = 0
        for source, own in self.parts:
            here = np.flatnonzero((rows >= start) & (rows < start + len(own)))
            if len(here):
                wanted, back = np.unique(own[rows[here] - start], return_inverse=True)
                out[here] = source.shown(wanted, self.size)[back]
            start += len(own)
        return out


def placed(n_images: int, size: int, device: str, *, side_by_side: int = 1) -> Place:
    """Where so many images of size x size go; PREDICTOR_IMAGES in the environment decides otherwise.

    side_by_side : runs that share the machine
    Raises DataError where the variable says something else.
    """
    if said := os.environ.get(VARIABLE):
        if said not in PLACES:
            raise DataError(f"is {said!r}", where=VARIABLE, remedy=f"say {', '.join(PLACES)}, or unset it")
        return said  # type: ignore[return-value]
    needed = n_images * 3 * size**2 * side_by_side
    if device == "cuda" and needed <= SHARE * torch.cuda.mem_get_info()[0]:
        return "device"
    if needed <= SHARE * free_memory():
        return "memory" if device == "cuda" else "device"  # on a CPU the two are one
    return "files"


def free_memory() -> float:
    """Bytes that this machine, or the container that it runs in, has left."""
    free = float("inf")
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                free = float(line.split()[1]) * 1024
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        if limit.isdigit():
            free = min(free, int(limit) - int(Path("/sys/fs/cgroup/memory.current").read_text()))
    except (OSError, ValueError):
        pass  # no limit is known
    return free


class Feed:
    """Gives each step its images on the device: `pixels(step)` -> (B, 3, S, S) uint8, in the order of the batch.

    rows_of : step -> rows of its batch; steps : of the stage. What is fetched ahead is fetched by a thread of its own.
    """

    def __init__(
        self,
        images: Pixels | Streamed,
        rows_of: Callable[[int], NDArray[np.int64]],
        steps: int,
        device: str,
        place: Place,
    ):
        self.images, self.rows_of, self.steps, self.device = images, rows_of, steps, device
        self._whole = (
            torch.from_numpy(images).to(device) if isinstance(images, np.ndarray) and place == "device" else None
        )
        self._pool = None if self._whole is not None else ThreadPoolExecutor(1, thread_name_prefix="images")
        self._coming: deque[tuple[int, Future[Tensor]]] = deque()

    def pixels(self, step: int, rows: Tensor) -> Tensor:
        """The images of a step. rows : of its batch, on the device"""
        if self._whole is not None:
            return self._whole[rows]
        assert self._pool is not None
        if not self._coming or self._coming[0][0] != step:
            self._coming.clear()
        first = self._coming[-1][0] + 1 if self._coming else step
        for later in range(first, min(step + BATCHES_AHEAD, self.steps)):
            self._coming.append((later, self._pool.submit(self._fetched, later)))
        return self._coming.popleft()[1].result().to(self.device, non_blocking=True)

    def __enter__(self) -> Feed:
        return self

    def __exit__(self, *_: object) -> None:
        """End the thread; what it was told to fetch is let go."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def _fetched(self, step: int) -> Tensor:
        rows = self.rows_of(step)
        found = self.images[rows] if isinstance(self.images, np.ndarray) else self.images.take(rows)
        batch = torch.from_numpy(found)
        return batch.pin_memory() if self.device == "cuda" else batch
