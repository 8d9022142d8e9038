"""Files of a kind in a folder and, where these are few, in its folders."""

from __future__ import annotations

import os
from pathlib import Path

from predictor.errors import ManifestError

MAX_FOLDERS = 50  # more folders than that are the classes of an image folder, not parts of a set of shards


def files_in(folder: Path, endings: tuple[str, ...], depth: int = 1) -> list[Path]:
    """Files in `folder`, and `depth` levels below it, whose names end so; sorted, hidden ones left out."""
    names = _names(folder)
    found = [folder / name for name in names if name.lower().endswith(endings)]
    if depth:
        folders = [folder / name for name in names if "." not in name and os.path.isdir(folder / name)]
        if len(folders) <= MAX_FOLDERS:
            found += [file for below in folders for file in files_in(below, endings, depth - 1)]
    return sorted(found)


def stems(file: Path, base: Path) -> tuple[str, ...]:
    """The folders below `base` and the file's name up to its first dot.

    >>> stems(Path("data/train/a-001.tar.gz"), Path("data"))
    ('train', 'a-001')
    """
    *folders, name = file.relative_to(base).parts
    return (*folders, name.partition(".")[0])


def _names(folder: Path) -> list[str]:
    try:
        return sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except OSError as error:
        raise ManifestError(
            f"cannot be listed: {error.strerror}", where=str(folder), remedy="make it readable"
        ) from None
