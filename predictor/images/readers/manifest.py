"""A CSV file `path,label[,split][,group]`, paths relative to it."""

from __future__ import annotations

import csv
from pathlib import Path

from predictor.errors import DataError, listed
from predictor.images.listing import Images
from predictor.images.readers.folder import of_files


def read(path: Path, folder: Path | None = None) -> Images:
    """Open the list. Raises DataError where it is no such CSV file or names images that are not there.

    folder : what the paths are relative to; None: where the list lies
    """
    below = path.parent if folder is None else folder
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
    files = [below / row["path"] for row in rows]
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


def lists_paths(path: Path) -> bool:
    """Whether a file is such a list: its first line names the columns path and label."""
    try:
        with path.open(newline="", encoding="utf-8") as stream:
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
