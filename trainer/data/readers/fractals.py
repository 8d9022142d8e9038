"""Images that need no file: a FractalDB, of which only what is asked for is rendered."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from predictor.images.decoding import Pixels
from predictor.spec import seeded
from trainer.data.selection import mixed
from trainer.data.source import Source
from trainer.data.store import Store
from trainer.fractals.parameters import Parameters, read_digest
from trainer.fractals.render import FULL, Database

SPLIT = "train"  # all images; parts of it are derived splits, `predictor.images.parts`


@dataclass(kw_only=True)
class Fractals(Source):
    """A source that renders at the size wanted instead of decoding. Row = class x instances + instance."""

    database: Database

    def load(self, rows: NDArray[np.int64], size: int) -> None:
        """Render what is not rendered yet."""
        self.met[rows] = True
        store = self._stores.setdefault(size, Store(len(self.labels)))
        rows = np.unique(rows)
        missing = rows[~store.has(rows)]
        if len(missing):
            store.add(missing, self.render(missing, size, threads=self.threads))

    def shown(self, rows: NDArray[np.int64], size: int) -> Pixels:
        """Rendered at that size, as `load` does."""
        self.met[rows] = True
        return self.render(rows, size, threads=self.threads)

    def classes(self, split: str) -> list[str]:
        """As `Source.classes`, without a look at every row: each class has images in the only plain split."""
        return list(self._of_label()) if split == SPLIT else super().classes(split)

    def group_names(self, rows: NDArray[np.int64]) -> list[str]:
        """Instances of one geometry stay together: those of one class and variant, however turned."""
        numbers = rows // self.database.parameters.instances
        variants = self.database.variants(rows % self.database.parameters.instances)
        return [f"{class_name(c)}/{v}" for c, v in zip(numbers.tolist(), variants.tolist(), strict=True)]

    def contents(self, rows: NDArray[np.int64]) -> NDArray[np.uint64]:
        """(n,) a number for each image, by database and place: no two are the same, and nothing is rendered."""
        first = np.uint64(seeded("fractal", self.digest).integers(2**63))
        return mixed(first + rows.astype(np.uint64))

    def render(self, rows: NDArray[np.int64], size: int, *, threads: int = 1) -> Pixels:
        """(n, 3, size, size) uint8 of any rows, which are not kept."""
        per_class = self.database.parameters.instances
        return self.database.images(rows // per_class, rows % per_class, size, threads=threads)

    def _of_label(self) -> dict[str, NDArray[np.int64]]:
        if not self._by_label:  # rows are in the order of the classes: nothing to sort
            n, per_class = self.database.parameters.classes, self.database.parameters.instances
            rows = np.arange(n * per_class).reshape(n, per_class)
            self._by_label.update((class_name(number), rows[number]) for number in range(n))
        return self._by_label


def class_name(number: int) -> str:
    """Name of a class, the same in every database of the seed.

    >>> class_name(12)
    'f000012'
    """
    return f"f{number:06d}"


def encoded(image: Pixels) -> bytes:
    """(3, S, S) as PNG, a grey one as grey."""
    stream = io.BytesIO()
    grey = (image == image[0]).all()
    Image.fromarray(image[0] if grey else image.transpose(1, 2, 0)).save(stream, format="PNG")
    return stream.getvalue()


def read(name: str, digest: str) -> Fractals:
    """Open the database that a digest states; renders nothing. Raises DataError for an impossible digest."""
    return of_parameters(name, read_digest(digest, where=name))


def of_parameters(name: str, parameters: Parameters) -> Fractals:
    """The source of a database."""
    n, per_class = parameters.classes, parameters.instances

    def describe(row: int) -> str:
        return f"{class_name(row // per_class)}/{row % per_class:05d}"

    def png(row: int) -> bytes:
        return encoded(source.render(np.array([row]), FULL)[0])

    source = Fractals(
        name,
        parameters.digest,
        np.repeat(np.array([class_name(number) for number in range(n)]), per_class),
        np.broadcast_to(np.array(SPLIT), n * per_class),
        png,
        describe,
        database=Database(parameters),
    )
    return source
