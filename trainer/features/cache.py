"""Features of a source under one frozen network: computed once, kept as float16 on disk, shared by all runs.

A folder holds one row an image of the source, in its order, and is filled as images are asked for. Its name is the hash
of all that the numbers depend on: content of the source, weights, size, interpolation. Folders beyond the limit
(`PREDICTOR_CACHE_GIB`, 20 by default) are deleted, the one that was used longest ago first.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from predictor.errors import DataError
from predictor.files import check_replaceable, replacing
from predictor.reading import check_regular, read_bytes

VERSION = 1  # of what is stored
HEADER = 4096  # bytes of an array's file before its content, at most
CHUNK = 256  # images computed between two notes of what is there
Features = NDArray[np.float16]


def cache_folder() -> Path:
    """Where features are kept: PREDICTOR_CACHE, else the user's folder of caches."""
    stated = os.environ.get("PREDICTOR_CACHE")
    base = Path(stated) if stated else Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "predictor"
    return base / "features"


def cache_limit() -> int:
    """Bytes that the cache may hold."""
    return int(float(os.environ.get("PREDICTOR_CACHE_GIB", "20")) * 2**30)


@dataclass(frozen=True)
class Key:
    """All that features depend on."""

    source: str
    weights: str
    network: str
    image_size: int
    interpolation: str

    @property
    def name(self) -> str:
        """Name of the folder."""
        text = json.dumps([VERSION, self.source, self.weights, self.network, self.image_size, self.interpolation])
        return hashlib.sha256(text.encode()).hexdigest()[:24]


class FeatureCache:
    """Rows of features of one source, on disk.

    n_rows, width : shape of the table; compute : rows -> (len, width) float32, in that order
    """

    def __init__(self, key: Key, n_rows: int, width: int, compute: Callable[[NDArray[np.int64]], NDArray[np.float32]]):
        self.folder = cache_folder() / key.name
        self.shape = (n_rows, width)
        self.compute = compute
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(self.folder / "lock")

    def take(self, rows: NDArray[np.int64]) -> Features:
        """(n, width) features of rows; what is not there is computed, by one process at a time."""
        rows = np.asarray(rows, np.int64)
        if not self._done()[rows].all():
            with self._lock:
                missing = np.unique(rows[~self._done()[rows]])  # another process may have been here meanwhile
                for start in range(0, len(missing), CHUNK):
                    self._add(missing[start : start + CHUNK])
            make_room(self.folder)
        os.utime(self.folder)
        table = self._table("r")
        if table is None:
            raise DataError("was changed while it was read", where=str(self.folder), remedy="delete it")
        return np.asarray(table[rows])

    def _done(self) -> NDArray[np.bool_]:
        try:
            content = read_bytes(self.folder / "done.npy", limit=self.shape[0] + HEADER)
            done = np.load(io.BytesIO(content), allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return np.zeros(self.shape[0], bool)
        fits = done.dtype == bool and done.shape == self.shape[:1] and self._table("r") is not None
        return done if fits else np.zeros(self.shape[0], bool)

    def _table(self, mode: Literal["r", "r+"]) -> Features | None:
        """The features on disk; None where there are none of this shape. What is no regular file is not opened."""
        try:
            found = np.lib.format.open_memmap(check_regular(self.folder / "features.npy", self.folder), mode=mode)
        except (OSError, ValueError):
            return None
        return found if found.shape == self.shape and found.dtype == np.float16 else None

    def _add(self, rows: NDArray[np.int64]) -> None:
        table, done = self._table("r+"), self._done()
        if table is None or not done.any():
            path = self.folder / "features.npy"
            check_replaceable(path)
            table = np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=self.shape)
        table[rows] = self.compute(rows)
        table.flush()
        done[rows] = True
        with replacing(self.folder / "done.npy") as temporary, temporary.open("wb") as file:
            np.save(file, done)  # noted only once the features are there


def make_room(kept: Path) -> list[Path]:
    """Delete what was used longest ago until the rest fits the limit; never the folder in use. Gives what went."""
    root = kept.parent
    sizes = {
        folder: sum(f.stat().st_blocks * 512 for f in folder.iterdir()) for folder in root.iterdir() if folder.is_dir()
    }
    gone: list[Path] = []
    for folder in sorted(sizes, key=lambda folder: folder.stat().st_mtime):
        if sum(sizes.values()) <= cache_limit():
            break
        if folder == kept or time.time() - folder.stat().st_mtime < 3600:  # a run may be reading it
            continue
        shutil.rmtree(folder, ignore_errors=True)
        gone.append(folder)
        del sizes[folder]
    return gone
