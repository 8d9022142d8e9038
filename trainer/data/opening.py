"""From a place to a source: which reader opens it, and whether its content is the one that a grid states."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from predictor.errors import DataError
from predictor.images.listing import open_images
from predictor.images.published import NAMED, read_published
from trainer.data.readers import builtin, fractals, parquet
from trainer.data.source import Source


@lru_cache(maxsize=32)
def open_source(
    name: str, location: Path | None, digest: str, *, upright: bool = False, reduced: bool = False
) -> Source:
    """Open a source and check its content against the digest that the grid states.

    location : Parquet file, manifest CSV or folder; None for a built-in or rendered source
    upright, reduced : see `Source`
    A digest `named:SET` is that of a published set (`predictor.images.published`), whose layout is checked instead.
    Raises DataError where it is missing, has not the needed columns, or has another content.
    """
    kind = digest.split(":")[0]
    if kind == "builtin":
        return builtin.read(name, digest)
    if kind == "fractals":
        return fractals.read(name, digest)
    if digest.startswith(NAMED):
        if location is None or not location.exists():
            raise _absent(name, location)
        return replace(Source.of(name, read_published(digest, location)), upright=upright, reduced=reduced)
    source = replace(read_source(name, location), upright=upright, reduced=reduced)
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
    if location is None or not location.exists():
        raise _absent(name, location)
    if location.is_file() and location.suffix == ".parquet":
        return parquet.read(name, location)
    return Source.of(name, open_images(location))


def _absent(name: str, location: Path | None) -> DataError:
    return DataError("no such file or folder", where=str(location or name), remedy="name its folder with --data")
