"""The files behind the path of a manifest, and how each begins."""

from __future__ import annotations

import glob
from pathlib import Path

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
    found = [file for file in path.rglob("*") if file.name.lower().endswith(endings or "") and file.is_file()]
    return sorted(file for file in found if not any(part.startswith(".") for part in file.relative_to(path).parts))
