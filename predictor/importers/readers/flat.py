"""Files that trackers leave in folders, and their nested settings as columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from predictor.errors import RegistryError
from predictor.importers.table import Cell
from predictor.reading import check_regular, walked

MAX_RUNS = 100_000  # of one store


def flat(prefix: str, value: Any) -> dict[str, Cell]:
    """Nested mappings as {'prefix.a.b': cell}; lists as text.

    >>> flat("config", {"lr": 0.1, "data": {"name": "x"}, "sizes": [1, 2]})
    {'config.lr': 0.1, 'config.data.name': 'x', 'config.sizes': '[1, 2]'}
    """
    return dict(_pairs(prefix, value))


def _pairs(name: str, value: Any) -> Iterator[tuple[str, Cell]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _pairs(f"{name}.{key}", item)
    else:
        yield name, value if value is None or isinstance(value, str | int | float | bool) else str(value)


def folder_of(path: Path, what: str) -> Path:
    """The folder itself. Raises RegistryError where there is none."""
    if not path.is_dir():
        problem = "is no folder" if path.exists() else "no such folder"
        raise RegistryError(problem, where=str(path), remedy=f"name {what}")
    return path


def files_below(root: Path, pattern: str) -> list[Path]:
    """The files at any depth whose names fit a pattern, sorted.

    Raises RegistryError for a folder that cannot be listed, and for what is no regular file or leads out of the root.
    """
    try:
        found = [Path(place, name) for place, names in walked(root) for name in names if fnmatch(name, pattern)]
        for path in found:
            check_regular(path, root)
    except OSError as error:
        where = str(error.filename)
        raise RegistryError(
            f"cannot be read ({error.strerror})", where=where, remedy="make it a file that may be read, or remove it"
        ) from None
    return sorted(found)
