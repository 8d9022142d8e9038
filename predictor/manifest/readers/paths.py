"""The files behind the path of a manifest, and how each begins."""

from __future__ import annotations

import glob
from collections.abc import Iterator
from pathlib import Path

from predictor import reading
from predictor.errors import ManifestError
from predictor.reading import opened

HEAD_BYTES = 65_536


def head_of(path: Path) -> bytes:
    """The first 64 KiB of a file; b'' of a folder. Raises ManifestError for what cannot be opened or is no file."""
    if path.is_dir():
        return b""
    if not path.is_file():  # a pipe or a device might never end
        raise ManifestError("is no file", where=str(path), remedy="name a file or a folder, or read '-'")
    try:
        with opened(path) as stream:
            return stream.read(HEAD_BYTES)
    except OSError as error:
        raise ManifestError(f"cannot be read: {error.strerror}", where=str(path)) from None


def matches(path: Path) -> list[Path]:
    """Files and folders that fit a pattern, sorted."""
    return sorted(Path(name) for name in glob.glob(str(path), recursive=True))


def files_of(path: Path, *endings: str) -> list[Path]:
    """The file itself, the files at any depth of a folder that end so and are not hidden, or those of a pattern."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        return [file for file in matches(path) if file.is_file()]
    found = [
        Path(folder, name) for folder, names in walked(path) for name in names if name.lower().endswith(endings or "")
    ]
    return sorted(file for file in found if file.is_file())


def walked(path: Path, *, links: bool = False) -> Iterator[tuple[str, list[str]]]:
    """See `predictor.reading.walked`. Raises ManifestError: what the folder holds would be missing without a word."""
    try:
        yield from reading.walked(path, links=links)
    except OSError as error:
        where = str(error.filename)
        raise ManifestError(f"cannot be listed: {error.strerror}", where=where, remedy="make it readable") from None
