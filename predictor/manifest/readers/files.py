"""What lies in a folder, as far as that tells its kind."""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path

from predictor.errors import ManifestError

LOOKED_AT = 20_000  # names, nearest first: an image folder of millions is known as quickly as a small one


def first_file(folder: Path, endings: tuple[str, ...]) -> Path | None:
    """A file whose name ends so, in the folder or below it, as near as possible; hidden ones do not count."""
    waiting, seen = deque([str(folder)]), 0
    while waiting:
        current = waiting.popleft()
        found = []
        try:
            with os.scandir(current) as entries:
                for entry in entries:
                    seen += 1
                    if seen > LOOKED_AT:
                        break
                    if entry.name.startswith("."):
                        continue
                    if entry.name.lower().endswith(endings):
                        found.append(entry.path)
                    elif entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
        except OSError as error:
            raise ManifestError(
                f"cannot be listed: {error.strerror}", where=current, remedy="make it readable"
            ) from None
        if found:
            return Path(min(found))
        if seen > LOOKED_AT:
            break
    return None


def stems(file: Path, base: Path) -> tuple[str, ...]:
    """The folders below `base` and the file's name up to its first dot.

    >>> stems(Path("data/train/a-001.tar.gz"), Path("data"))
    ('train', 'a-001')
    """
    *folders, name = file.relative_to(base).parts
    return (*folders, name.partition(".")[0])


def common_folder(files: list[Path]) -> Path:
    """The folder in which all files lie, at any depth."""
    return Path(os.path.commonpath([file.parent for file in files]))
