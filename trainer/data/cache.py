"""A source of large images -> a Parquet source of small ones, decoded and shrunk once for all later runs.

Every image is shrunk exactly as training would shrink it to the cache's size (never enlarged) and kept without loss.
So runs at the cache's size see the same pixels, and runs below it nearly the same ones. Order, labels, splits, ids and
groups stay, so under the same source name a run chooses the same images from the cache as from the original.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from predictor.errors import DataError, listed
from predictor.images.decoding import BadImage, for_each, open_rgb
from trainer.data.source import BadImages, Source
from trainer.data.writing import write_parquet

ROWS = 256  # images in memory at a time, and in a row group
MAX_SIZE = 16_383  # of WebP


@dataclass(frozen=True, kw_only=True)
class Cached:
    """What a cache holds. bad, converted : images left out or changed, with the reason; n_bytes : of the file"""

    file: Path
    digest: str
    n_images: int
    n_bytes: int
    bad: tuple[str, ...]
    converted: tuple[str, ...]


def shrunk(encoded: bytes, size: int, *, upright: bool = False) -> tuple[bytes, str]:
    """An image at most size x size as lossless WebP, and what was converted on the way. Raises BadImage."""
    image, converted = open_rgb(encoded, upright=upright)
    target = min(image.width, size), min(image.height, size)
    if image.size != target:
        image = image.resize(target, Image.Resampling.BILINEAR)
    stream = io.BytesIO()
    image.save(stream, format="WEBP", lossless=True, quality=20, method=0)  # 40 x the default's speed, 1.2 x its bytes
    return stream.getvalue(), converted


def write_cache(
    source: Source,
    out: Path,
    size: int,
    *,
    threads: int = 1,
    bad_images: BadImages = "error",
    progress: Callable[[int], None] | None = None,
) -> Cached:
    """Write the cache, whole or not at all; an existing file is never overwritten.

    size : pixels, 8 to 16,383; progress : called with the number of images done
    The file's bytes do not depend on the number of threads.
    Raises DataError naming every bad image unless these are left out, or where the file cannot be written.
    """
    if out.suffix != ".parquet":
        raise DataError("a cache is a Parquet file", where=str(out), remedy="give it a name that ends in .parquet")
    if not 8 <= size <= MAX_SIZE:
        raise DataError(f"{size} pixels", where="--size", remedy=f"give a whole number from 8 to {MAX_SIZE:,}")
    bad: list[str] = []
    converted: list[str] = []

    def good() -> Iterator[list[dict[str, Any]]]:
        for batch in _batches(source, size, threads, bad, converted, progress):
            if not bad or bad_images == "skip":  # else only the rest of the bad images is of interest
                yield batch
        if bad and bad_images == "error":
            raise DataError(
                f"{len(bad)} unreadable images: {listed(bad)}",
                where=source.name,
                remedy="mend or remove them, or leave them out with --bad-images skip",
            )
        if len(bad) == len(source.labels):
            raise DataError("no image that can be used", where=source.name)

    digest = write_parquet(out, good())
    return Cached(
        file=out,
        digest=digest,
        n_images=len(source.labels) - len(bad),
        n_bytes=out.stat().st_size,
        bad=tuple(bad),
        converted=tuple(converted),
    )


def _batches(
    source: Source,
    size: int,
    threads: int,
    bad: list[str],
    converted: list[str],
    progress: Callable[[int], None] | None,
) -> Iterator[list[dict[str, Any]]]:
    """Rows of the cache in the order of the source; notes what is wrong with an image, or changed."""
    n = len(source.labels)
    for first in range(0, n, ROWS):
        rows = range(first, min(first + ROWS, n))
        groups = source.group_names(np.array(rows))
        batch = []
        for row, done in for_each(
            lambda encoded: shrunk(encoded, size, upright=source.upright), source.read, rows, threads=threads
        ):
            if isinstance(done, BadImage):
                bad.append(f"{source.describe(row)}: {done}")
                continue
            image, change = done
            if change:
                converted.append(f"{source.describe(row)}: {change}")
            batch.append(
                {
                    "image": image,
                    "label": str(source.labels[row]) or None,  # a row without one keeps its number
                    "split": str(source.splits[row]) or None,
                    "source": source.describe(row) if source.ids is None else str(source.ids[row]),
                    "group": groups[row - first],
                }
            )
        yield batch
        if progress:
            progress(rows.stop)
