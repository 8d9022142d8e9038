"""A CSV file `path,label[,split][,group]`, paths relative to it."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from pathlib import Path

from predictor.errors import DataError, listed
from predictor.images.listing import Images
from predictor.images.readers.folder import of_files
from predictor.reading import opened_text


def read(path: Path, folder: Path | None = None) -> Images:
    """Open the list. Raises DataError where it is no such CSV file or names images that are not there.

    folder : what the paths are relative to; None: where the list lies
    """
    below = path.parent if folder is None else folder
    try:
        with opened_text(path) as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"is not a readable CSV file: {error}", where=str(path)) from None
    if not rows or not {"path", "label"} <= set(rows[0]):
        found = ", ".join(map(repr, rows[0])) if rows else "no row"
        raise DataError(
            f"missing column 'path' or 'label'; found {found}", where=str(path), remedy="name the columns so"
        )
    _check_cells(path, rows)
    files = [below / row["path"] for row in rows]
    _check_once(path, files, [row["path"] for row in rows])
    if missing := [f"line {i + 2}: {rows[i]['path']}" for i, file in enumerate(files) if not file.is_file()]:
        raise DataError(f"{len(missing)} images are not there: {listed(missing)}", where=str(path))
    return of_files(
        path,
        files,
        [row["label"] for row in rows],
        [row.get("split") or "train" for row in rows],
        [_below(row["path"], below) for row in rows],
        [row["group"] for row in rows] if "group" in rows[0] else None,
    )


def _check_cells(path: Path, rows: Sequence[dict[str | None, str]]) -> None:
    """Raise DataError for rows that are shorter or longer than the header, and for those without a path or label."""
    faults = []
    for line, row in enumerate(rows, 2):
        cells = [value for key, value in row.items() if key is not None]
        n = sum(value is not None for value in cells) + len(row.get(None) or ())
        if n != len(cells):
            faults.append(f"line {line}: {n} cells; the header has {len(cells)}")
        elif empty := [name for name in ("path", "label") if not row[name].strip()]:
            faults.append(f"line {line}: no {' and no '.join(empty)}")
    if faults:
        raise DataError(f"{len(faults)} bad rows: {listed(faults)}", where=str(path), remedy="mend or remove them")


def _check_once(path: Path, files: Sequence[Path], names: Sequence[str]) -> None:
    """Raise DataError where a file is listed twice: a class is as large as it has images, not as it has lines."""
    first: dict[str, int] = {}
    faults = []
    for line, (file, name) in enumerate(zip(files, names, strict=True), 2):
        before = first.setdefault(os.path.normpath(file), line)
        if before != line:
            faults.append(f"line {line}: {name} (line {before})")
    if faults:
        raise DataError(
            f"{len(faults)} lines name a file that stands before: {listed(faults)}",
            where=str(path),
            remedy="list each image once, in one split",
        )


def lists_paths(path: Path) -> bool:
    """Whether a file is such a list: its first line names the columns path and label."""
    try:
        with opened_text(path) as stream:
            return {"path", "label"} <= set(next(csv.reader(stream), []))
    except (OSError, UnicodeDecodeError, csv.Error):
        return False


def _below(listed_as: str, folder: Path) -> str:
    """What an image is called: as the list says, or below the list's folder where that says it in full."""
    path = Path(listed_as)
    if not path.is_absolute():
        return listed_as
    inside = path.is_relative_to(folder.absolute())
    return path.relative_to(folder.absolute()).as_posix() if inside else "/".join(path.parts[-2:])
