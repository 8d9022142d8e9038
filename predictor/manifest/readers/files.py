"""What lies in a folder, as far as that tells its kind."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from urllib.parse import unquote

from predictor.errors import ManifestError
from predictor.manifest.counted import ManifestRequest
from predictor.manifest.splits import chosen_splits, is_split, split_in

ENTRIES, FOLDERS, DEPTH = 100, 50, 3  # names of a folder, folders, and folders below, that show a few files
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


def some_files(folder: Path, ending: str, named: str) -> Iterator[Path]:
    """A few files that end so, in the folder or up to three folders below, those in folders called `named` first.

    Only the first names of each folder are looked at, so that a folder of millions of images costs no more than others.
    """
    waiting = deque([(str(folder), 0)])
    opened = 0
    while waiting and opened < FOLDERS:
        current, depth = waiting.popleft()
        opened += 1
        below: list[str] = []
        try:
            with os.scandir(current) as entries:
                for entry in islice(entries, ENTRIES if depth else LOOKED_AT):
                    if entry.name.startswith("."):
                        continue
                    if entry.name.lower().endswith(ending):
                        yield Path(entry.path)
                    elif depth < DEPTH and entry.is_dir():
                        below.append(entry.path)
        except OSError:
            continue  # who reads the folder says so
        first = [path for path in sorted(below) if os.path.basename(path).lower() == named]
        waiting.extendleft((path, depth + 1) for path in reversed(first))
        waiting.extend((path, depth + 1) for path in sorted(below) if path not in first)


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


@dataclass(frozen=True, kw_only=True)
class ChosenFile:
    """A file of a manifest. split : that its name or folder says; columns : that its folders say, as `label=cat`"""

    path: Path
    split: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)


def chosen_files(path: Path, files: Sequence[Path], request: ManifestRequest) -> tuple[list[ChosenFile], list[str]]:
    """The files of the chosen splits, as far as names and folders say them, and notes.

    Folders `name=value` are columns, as Hive and Spark write them. Raises ManifestError for a split there is none of.
    """
    if list(files) == [path]:
        return [ChosenFile(path=path)], []
    base = path if path.is_dir() else common_folder(list(files))
    found = []
    for file in files:
        parts = stems(file, base)
        columns = {
            key: unquote(value) for key, sign, value in (part.partition("=") for part in parts[:-1]) if sign and key
        }
        found.append(
            ChosenFile(path=file, split=split_in([part for part in parts if "=" not in part] or [""]), columns=columns)
        )
    splits = {file.split for file in found}
    if splits <= {""}:
        return found, []
    taken, notes = chosen_splits(dict.fromkeys(splits), request, str(path))
    return [file for file in found if file.split in taken], list(notes)


def joined_folders(path: Path, files: Sequence[Path]) -> list[str]:
    """The folders directly below `path` that say neither a split nor a column, where there are several."""
    if not path.is_dir():
        return []
    tops = {file.relative_to(path).parts[0] for file in files if len(file.relative_to(path).parts) > 1}
    named = sorted(top for top in tops if not is_split(top) and "=" not in top and not split_in([top]))
    return named if len(named) > 1 else []
