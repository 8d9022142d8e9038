"""Nested settings of trackers as columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from predictor.errors import RegistryError
from predictor.importers.table import Cell

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
