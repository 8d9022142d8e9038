"""Sources of images: labels, splits and encoded bytes of every image, wherever they lie."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from predictor.errors import DataError, listed
from trainer.data.decoding import MAX_PIXELS, Pixels, decode

__all__ = ["BUILTIN", "MAX_PIXELS", "Pixels", "Source", "decode", "open_source"]
BUILTIN = "builtin:digits"


@dataclass
class Source:
    """Encoded images with label and split; decoded once per size, when they are first asked for.

    labels, splits : (R,) str
    read : row -> encoded bytes; describe : row -> what an error calls that image
    ids : (R,) str, what each image is called in its source; None where it has no name
    groups : (R,) str, images that belong together (families of fonts, photographs of one object); None: unknown
    ids_are_content : whether the digest covers the ids
    """

    name: str
    digest: str
    labels: NDArray[np.str_]
    splits: NDArray[np.str_]
    read: Callable[[int], bytes]
    describe: Callable[[int], str]
    ids: NDArray[np.str_] | None = None
    groups: NDArray[np.str_] | None = None
    ids_are_content: bool = False
    _decoded: dict[int, tuple[Pixels, NDArray[np.bool_]]] = field(default_factory=dict)

    def rows(self, label: str, split: str) -> NDArray[np.int64]:
        """Rows of one class in one split, in file order."""
        return np.flatnonzero((self.labels == label) & (self.splits == split))

    def classes(self, split: str) -> list[str]:
        """Names of the classes that have images in a split, sorted."""
        return sorted(set(self.labels[self.splits == split].tolist()))

    def pixels(self, rows: NDArray[np.int64], size: int) -> Pixels:
        """(n, 3, size, size) uint8 RGB. Raises DataError naming every image that cannot be read."""
        if size not in self._decoded:
            shape = (len(self.labels), 3, size, size)
            self._decoded[size] = np.empty(shape, np.uint8), np.zeros(len(self.labels), bool)
        pixels, ready = self._decoded[size]
        faults = []
        for row in np.unique(rows[~ready[rows]]).tolist():
            try:
                pixels[row] = decode(self.read(row), size)
                ready[row] = True
            except (OSError, ValueError, UnidentifiedImageError, Image.DecompressionBombError) as error:
                faults.append(f"{self.describe(row)}: {error}")
        if faults:
            raise DataError(
                f"{len(faults)} unreadable images: {listed(faults)}",
                where=self.name,
                remedy="mend or remove them; the file's digest in the grid changes with that",
            )
        return pixels[rows]


@lru_cache(maxsize=32)
def open_source(name: str, location: Path | None, digest: str) -> Source:
    """Open a source and check its content against the digest that the grid states.

    location : Parquet file, manifest CSV or folder; None for a built-in source
    Raises DataError where it is missing, has not the needed columns, or has another content.
    """
    from trainer.data.readers import builtin

    kind = digest.split(":")[0]
    source = builtin.read(name, digest) if kind == "builtin" else read_source(name, location)
    if source.digest != digest:
        raise DataError(
            f"source {name!r} has other content than the grid says; found {source.digest}, needed {digest}",
            where=str(location),
            remedy="use the file the grid was written for, or state the new digest in the grid",
        )
    return source


def read_source(name: str, location: Path | None) -> Source:
    """Open what lies at a location, whatever its content: a folder, a Parquet file, else a CSV list.

    Raises DataError where nothing is there or it is none of these.
    """
    from trainer.data.readers import folder, manifest, parquet  # they need Source from here

    if location is None or not location.exists():
        raise DataError("no such file or folder", where=str(location or name), remedy="name its folder with --data")
    if location.is_dir():
        return folder.read(name, location)
    return (parquet if location.suffix == ".parquet" else manifest).read(name, location)
