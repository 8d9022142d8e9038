"""A source of large images -> a source of small ones, decoded and shrunk once for all later runs.

One Parquet file, which is read into memory; or a folder of Arrow files, which are mapped: written on where it was
stopped, it may be larger than memory, and an image costs the same whichever comes next.

Every image is shrunk exactly as training would shrink it to the cache's size (never enlarged) and kept without loss, as
WebP or uncompressed (PPM: as large as the pixels, quickest to read), or as JPEG, which loses a little and is smallest.
So runs at the cache's size see the same pixels, and runs below it nearly the same ones. Order, labels, splits, ids and
groups stay, so under the same source name a run chooses the same images from the cache as from the original.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from predictor.errors import DataError, listed
from predictor.files import add_file
from predictor.images.decoding import BadImage, for_each, open_rgb
from predictor.images.listing import digest_of
from predictor.reading import check_regular
from trainer.data.source import BadImages, Source
from trainer.data.writing import COLUMNS, said_by, write_arrow, write_parquet

ABOUT = "predictor_cache"  # key of what a part says of itself
INFO = "dataset_info.json"  # what makes a folder of Arrow files a data set of Hugging Face; written last
ROWS = 256  # images in memory at a time
MAX_SIZE = 16_383  # of WebP
PART = 8_192  # images of a part of a folder
Encoding = Literal["webp", "jpeg", "ppm"]
HOW: dict[Encoding, dict[str, Any]] = {
    "webp": {
        "format": "WEBP",
        "lossless": True,
        "quality": 20,
        "method": 0,
    },  # 40 x the default's speed, 1.2 x its bytes
    "jpeg": {"format": "JPEG", "quality": 95, "subsampling": 0},
    "ppm": {"format": "PPM"},
}


class BadFound(Exception):
    """Ends the writing of a file; `check` says what was found."""


@dataclass(frozen=True, kw_only=True)
class Cached:
    """What a cache holds. bad, converted : images left out or changed, with the reason; n_bytes : of the file"""

    file: Path
    digest: str
    n_images: int
    n_bytes: int
    bad: tuple[str, ...]
    converted: tuple[str, ...]


def shrunk(
    encoded: bytes, size: int, *, upright: bool = False, reduced: bool = False, encoding: Encoding = "webp"
) -> tuple[bytes, str]:
    """An image at most size x size, encoded, and what was converted on the way. Raises BadImage."""
    image, converted = open_rgb(encoded, upright=upright, at_least=size if reduced else None)
    target = min(image.width, size), min(image.height, size)
    if image.size != target:
        image = image.resize(target, Image.Resampling.BILINEAR)
    stream = io.BytesIO()
    image.save(stream, **HOW[encoding])
    return stream.getvalue(), converted


def write_cache(
    source: Source,
    out: Path,
    size: int,
    *,
    encoding: Encoding = "webp",
    threads: int = 1,
    bad_images: BadImages = "error",
    part: int = PART,
    progress: Callable[[int], None] | None = None,
) -> Cached:
    """Write the cache: a file that ends in .parquet, whole or not at all; else a folder of parts, each of them so.

    An existing file is never overwritten. Parts that an earlier call wrote of the same source are kept, and the rest is
    written; the folder is a source once all are there.
    size : pixels, 8 to 16,383; part : images of a part; progress : called with the number of images done
    The bytes do not depend on the number of threads, nor on where it was stopped.
    Raises DataError naming every bad image unless these are left out, where something cannot be written, and for a
    folder that holds parts of another cache.
    """
    if not 8 <= size <= MAX_SIZE:
        raise DataError(f"{size} pixels", where="--size", remedy=f"give a whole number from 8 to {MAX_SIZE:,}")
    work = _Work(source, size, encoding, threads, bad_images, progress)
    n = len(source.labels)
    if out.suffix not in ("", ".parquet"):
        raise DataError(
            "a cache is a Parquet file or a folder of parts",
            where=str(out),
            remedy="give it a name that ends in .parquet, or one without an ending",
        )
    if out.suffix == ".parquet":
        try:
            digest = write_parquet(out, work.batches(0, n))
        except BadFound:
            work.check()
            raise
        return work.cached(out, digest, out.stat().st_size)
    if (source.labels == "").any():  # in a folder of tables a row without a label has no number
        raise DataError(
            "has rows without a label, which keep their numbers in one file alone",
            where=source.name,
            remedy="give OUT a name that ends in .parquet",
        )
    if any(out.glob("part-*.parquet")):
        raise DataError(
            "holds parts of a cache that an earlier version wrote, as Parquet, which are still read",
            where=str(out),
            remedy="name another folder: its images are read several times as fast",
        )
    form = {"size": size, "encoding": encoding, "upright": source.upright, "reduced": source.reduced}
    for first in range(0, n, part):
        last = min(first + part, n)
        file = out / f"part-{first // part:05d}-of-{-(-n // part):05d}.arrow"
        about = {"source": source.digest, "first": first, "last": last, **form}
        if file.exists():
            work.take(file, about)
            if progress:
                progress(last)
            continue
        n_bad, n_converted = len(work.bad), len(work.converted)
        if n_bad and bad_images == "error":  # only the rest of the bad images is of interest
            work.look(first, last)
            continue

        def said(about: dict[str, Any] = about, n_bad: int = n_bad, n_converted: int = n_converted) -> dict[str, str]:
            own = {"bad": work.bad[n_bad:], "converted": work.converted[n_converted:]}
            return {ABOUT: json.dumps(about | own)}

        with suppress(BadFound):
            write_arrow(file, work.batches(first, last), said)
    work.check()
    add_file(out / INFO, _info())
    return work.cached(out, digest_of(out), sum(file.stat().st_size for file in out.glob("part-*.arrow")))


def _info() -> bytes:
    """What the columns hold, as Hugging Face's `datasets` writes it."""
    features = {"image": {"_type": "Image"}, **{name: {"dtype": "string", "_type": "Value"} for name in COLUMNS}}
    return json.dumps({"description": "Images shrunk by `trainer cache`.", "features": features}).encode()


class _Work:
    """What is done to each image, and what was found on the way."""

    def __init__(
        self,
        source: Source,
        size: int,
        encoding: Encoding,
        threads: int,
        bad_images: BadImages,
        progress: Callable[[int], None] | None,
    ):
        self.source, self.size, self.encoding, self.threads = source, size, encoding, threads
        self.bad_images, self.progress = bad_images, progress
        self.bad: list[str] = []
        self.converted: list[str] = []

    def batches(self, first: int, last: int) -> Iterator[list[dict[str, Any]]]:
        """Rows of the cache in the order of the source. Raises BadFound at the end where images are bad."""
        before = len(self.bad)
        for batch in self._shrunk(first, last):
            if len(self.bad) == before or self.bad_images == "skip":
                yield batch
        if len(self.bad) > before and self.bad_images == "error":
            raise BadFound
        if len(self.bad) == len(self.source.labels):
            raise DataError("no image that can be used", where=self.source.name)

    def look(self, first: int, last: int) -> None:
        """Note what is wrong with images, without writing any."""
        for _ in self._shrunk(first, last):
            pass

    def check(self) -> None:
        """Raise DataError naming every bad image, unless they are left out."""
        if self.bad and self.bad_images == "error":
            raise DataError(
                f"{len(self.bad)} unreadable images: {listed(self.bad)}",
                where=self.source.name,
                remedy="mend or remove them, or leave them out with --bad-images skip",
            )

    def take(self, file: Path, about: dict[str, Any]) -> None:
        """A part that is there already. Raises DataError where it is one of another cache."""
        try:
            said = json.loads(said_by(check_regular(file)).get(ABOUT, "{}"))
        except (OSError, ValueError) as error:
            raise DataError(f"is no part of a cache: {error}", where=str(file), remedy="remove it") from None
        if {name: said.get(name) for name in about} != about:
            raise DataError(
                "is a part of another cache: of another source, size or encoding",
                where=str(file),
                remedy="choose another folder, or remove this one",
            )
        self.bad += said["bad"]
        self.converted += said["converted"]

    def cached(self, file: Path, digest: str, n_bytes: int) -> Cached:
        """What was written."""
        return Cached(
            file=file,
            digest=digest,
            n_images=len(self.source.labels) - len(self.bad),
            n_bytes=n_bytes,
            bad=tuple(self.bad),
            converted=tuple(self.converted),
        )

    def _shrunk(self, start: int, last: int) -> Iterator[list[dict[str, Any]]]:
        source = self.source
        for first in range(start, last, ROWS):
            rows = range(first, min(first + ROWS, last))
            groups = source.group_names(np.array(rows))
            batch = []
            for row, done in for_each(self._one, source.read, rows, threads=self.threads):
                if isinstance(done, BadImage):
                    self.bad.append(f"{source.describe(row)}: {done}")
                    continue
                image, change = done
                if change:
                    self.converted.append(f"{source.describe(row)}: {change}")
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
            if self.progress:
                self.progress(rows.stop)

    def _one(self, encoded: bytes) -> tuple[bytes, str]:
        source = self.source
        return shrunk(encoded, self.size, upright=source.upright, reduced=source.reduced, encoding=self.encoding)
