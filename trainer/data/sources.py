"""Sources of images: a Parquet file, a folder, a manifest, or the digits that ship with scikit-learn."""

from __future__ import annotations

import csv
import hashlib
import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from predictor.errors import DataError, listed

Pixels = NDArray[np.uint8]
IMAGE_ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm"}
MAX_PIXELS = 64_000_000  # a larger image is a decompression bomb, not a training image
BUILTIN = "builtin:digits"


@dataclass
class Source:
    """Encoded images with label and split; decoded once per size, when they are first asked for.

    labels, splits : (R,) str
    read : row -> encoded bytes; names : row -> what an error calls that image
    """

    name: str
    digest: str
    labels: NDArray[np.str_]
    splits: NDArray[np.str_]
    read: Callable[[int], bytes]
    describe: Callable[[int], str]
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


def decode(encoded: bytes, size: int) -> Pixels:
    """Encoded image -> (3, size, size) uint8 RGB, resized (bilinear, antialiased) where its size differs."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(io.BytesIO(encoded)) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ValueError(f"{image.width} x {image.height} pixels, more than {MAX_PIXELS:,}")
            rgb = image.convert("RGB")
    if rgb.size != (size, size):
        rgb = rgb.resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(rgb).transpose(2, 0, 1)


@lru_cache(maxsize=32)
def open_source(name: str, location: Path | None, digest: str) -> Source:
    """Open a source and check its content against the digest that the grid states.

    location : Parquet file, manifest CSV or folder; None for a built-in source
    Raises DataError where it is missing, has not the needed columns, or has another content.
    """
    if digest.startswith("builtin:"):
        source = _builtin(name, digest)
    elif location is None or not location.exists():
        raise DataError("no such file or folder", where=str(location or name), remedy="name its folder with --data")
    elif location.is_dir():
        source = _folder(name, location)
    elif location.suffix == ".parquet":
        source = _parquet(name, location)
    else:
        source = _manifest(name, location)
    if source.digest != digest:
        raise DataError(
            f"source {name!r} has other content than the grid says; found {source.digest}, needed {digest}",
            where=str(location),
            remedy="use the file the grid was written for, or state the new digest in the grid",
        )
    return source


def _parquet(name: str, path: Path) -> Source:
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (OSError, ValueError) as error:
        raise DataError(f"is not a readable Parquet file: {error}", where=str(path)) from None
    if missing := {"image", "label"} - set(table.column_names):
        raise DataError(
            f"missing column {', '.join(map(repr, sorted(missing)))}; found {', '.join(map(repr, table.column_names))}",
            where=str(path),
            remedy="a source has columns image (encoded bytes), label and, if wanted, split and source",
        )
    images = table.column("image").combine_chunks()
    n = len(images)
    splits = table.column("split").to_pylist() if "split" in table.column_names else ["train"] * n
    ids = table.column("source").to_pylist() if "source" in table.column_names else None
    return Source(
        name,
        _digest([path]),
        np.array([str(label) for label in table.column("label").to_pylist()]),
        np.array([str(split) for split in splits]),
        lambda row: images[row].as_py() or b"",
        lambda row: f"row {row + 1}" + (f" ({ids[row]})" if ids else ""),
    )


def _folder(name: str, path: Path) -> Source:
    """`class/xxx.jpg`, or `split/class/xxx.jpg`; the file names are sorted, so the order is the same everywhere."""
    files = sorted(file for file in path.rglob("*") if file.suffix.lower() in IMAGE_ENDINGS)
    parts = [file.relative_to(path).parts for file in files]
    depths = {len(part) for part in parts}
    if not files or not depths <= {2, 3} or len(depths) != 1:
        raise DataError(
            f"found {len(files)} images at depths {sorted(depths)}",
            where=str(path),
            remedy="an image folder is class/image.jpg or split/class/image.jpg throughout",
        )
    split = ["train"] * len(files) if depths == {2} else [part[0] for part in parts]
    return _files(name, path, files, [part[-2] for part in parts], split)


def _manifest(name: str, path: Path) -> Source:
    """CSV `path,label[,split]`, paths relative to the manifest."""
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"is not a readable CSV file: {error}", where=str(path)) from None
    if not rows or not {"path", "label"} <= set(rows[0]):
        found = ", ".join(map(repr, rows[0])) if rows else "no row"
        raise DataError(
            f"missing column 'path' or 'label'; found {found}", where=str(path), remedy="name the columns so"
        )
    files = [path.parent / row["path"] for row in rows]
    if missing := [f"line {i + 2}: {rows[i]['path']}" for i, file in enumerate(files) if not file.is_file()]:
        raise DataError(f"{len(missing)} images are not there: {listed(missing)}", where=str(path))
    return _files(name, path, files, [r["label"] for r in rows], [r.get("split") or "train" for r in rows])


def _files(name: str, root: Path, files: list[Path], labels: list[str], splits: list[str]) -> Source:
    digest = _digest(files, [f"{label}\0{split}" for label, split in zip(labels, splits, strict=True)])
    return Source(
        name,
        digest,
        np.array(labels),
        np.array(splits),
        lambda row: files[row].read_bytes(),
        lambda row: str(files[row]),
    )


def _builtin(name: str, digest: str) -> Source:
    """scikit-learn's 1,797 handwritten digits, 8 px; every fifth is a test image."""
    if digest != BUILTIN:
        raise DataError(f"no built-in source {digest!r}", where=name, remedy=f"there is {BUILTIN}")
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = (digits.images * 15.9375).astype(np.uint8)

    def png(row: int) -> bytes:
        stream = io.BytesIO()
        Image.fromarray(images[row]).save(stream, format="PNG")
        return stream.getvalue()

    splits = np.where(np.arange(len(images)) % 5 == 0, "test", "train")
    return Source(name, BUILTIN, digits.target.astype(str), splits, png, lambda row: f"digit {row}")


def _digest(files: list[Path], words: list[str] | None = None) -> str:
    """SHA-256 of the bytes of the files; with words, of each file's digest and its word in order."""
    if words is None:
        with files[0].open("rb") as stream:
            return "sha256:" + hashlib.file_digest(stream, "sha256").hexdigest()
    state = hashlib.sha256()
    for file, word in zip(files, words, strict=True):
        state.update(hashlib.sha256(file.read_bytes()).digest() + word.encode())
    return "sha256:" + state.hexdigest()
