"""A list of image files with their labels, such as a CSV `path,label[,split][,group]`; paths are relative to it."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from predictor.errors import DataError, listed
from predictor.images.listing import Images
from predictor.images.readers.folder import of_files
from predictor.images.readers.rows import rows_of
from predictor.manifest.readers.folder_tree import Seen, files_below, tree
from predictor.manifest.roles import image_column
from predictor.reading import opened_text
from predictor.text import command


def read(path: Path, folder: Path | None = None, *, label: str | None = None) -> Images:
    """Open the list. Raises DataError where it is none, names a file twice, or images that are not there.

    A name without an ending, as Open Images and many tables have it, is the image file of that name at or below the
    list's folder.

    folder : what the paths are relative to; None: where the list lies; label : column of the labels
    """
    rows = rows_of(path, label)
    below = path.parent if folder is None else folder
    names = [sample.image for sample in rows.samples]
    places = [f"row {sample.row + 1}" for sample in rows.samples]
    if unnamed := [place for place, name in zip(places, names, strict=True) if not name]:
        raise DataError(
            f"rows that name no image: {listed(unnamed)}",
            where=str(path),
            remedy="name each image file in a column 'path'",
        )
    names = _with_endings(path, below, names)
    files = [below / name for name in names]
    _check_once(path, files, names, places)
    found = zip(places, names, files, strict=True)
    if missing := [f"{place}: {name}" for place, name, file in found if not file.is_file()]:
        elsewhere = command(
            "predictor", "probe", "IMAGES", "--manifest", path, *(() if label is None else ("--label", label))
        )
        raise DataError(
            f"{len(missing)} images are not there: {listed(missing)}",
            where=str(path),
            remedy=f"mend the paths, which are relative to {str(below)!r}, or leave these rows out; "
            f"to probe images that lie below another folder: {elsewhere}",
        )
    ids = [_below(name, below) for name in names]
    return of_files(path, files, rows.labels, rows.splits, ids, rows.groups, notes=rows.notes)


def _with_endings(path: Path, below: Path, names: Sequence[str]) -> Sequence[str]:
    """The names as files below the folder, where they are written without their ending."""
    if all("." in name or (below / name).exists() for name in names):
        return names
    found: dict[str, str] = {}
    twice: set[str] = set()
    for place in files_below(tree(str(below), None, Seen())):
        stem = os.path.splitext(os.path.basename(place))[0]
        twice |= {stem} & found.keys()
        found[stem] = os.path.relpath(place, below)
    if several := sorted(twice & set(names)):
        raise DataError(
            f"{len(several)} names fit several images: {listed(several)}",
            where=str(path),
            remedy="write their paths, with the ending",
        )
    return [name if "." in name else found.get(name, name) for name in names]


def _check_once(path: Path, files: Sequence[Path], names: Sequence[str], places: Sequence[str]) -> None:
    """Raise DataError where a file is listed twice: a class is as large as it has images, not as it has rows."""
    first: dict[str, str] = {}
    faults = []
    for file, name, place in zip(files, names, places, strict=True):
        before = first.setdefault(os.path.normpath(file), place)
        if before != place:
            faults.append(f"{place}: {name} ({before})")
    if faults:
        many = "1 row names" if len(faults) == 1 else f"{len(faults):,} rows name"
        raise DataError(
            f"{many} a file that stands before: {listed(faults)}",
            where=str(path),
            remedy="list each image once, in one split",
        )


def lists_paths(path: Path, label: str | None = None, folder: Path | None = None) -> bool:
    """Whether a file is such a list: its first line names a column of images and one of labels.

    Columns are called as in any manifest. One that is not called `path` may hold mere numbers: its first row has to
    name a file.

    label, folder : as of `read`
    """
    try:
        with opened_text(path) as stream:
            names, first = (*islice(csv.reader(stream), 2), [], [])[:2]
    except (OSError, UnicodeDecodeError, csv.Error):
        return False
    image = image_column(names, {label})
    labelled = label in names if label else any(name.strip().lower() == "label" for name in names)
    if image is None or not labelled:
        return False
    if image.strip().lower() == "path":
        return True
    cell = dict(zip(names, first, strict=False)).get(image)
    return bool(cell) and ((path.parent if folder is None else folder) / cell).is_file()


def misses_names(path: Path, label: str | None = None) -> bool:
    """Whether a CSV names images, and would be such a list if its columns were called path and label."""
    try:
        with opened_text(path) as stream:
            rows = list(islice(csv.reader(stream), 2))
        cells = [cell for row in rows for cell in row if cell]
        return not lists_paths(path, label) and (
            "path" in cells or any((path.parent / cell).is_file() for cell in cells)
        )
    except (OSError, UnicodeDecodeError, csv.Error):
        return False


def _below(listed_as: str, folder: Path) -> str:
    """What an image is called: as the list says, or below the list's folder where that says it in full."""
    path = Path(listed_as)
    if not path.is_absolute():
        return listed_as
    inside = path.is_relative_to(folder.absolute())
    return path.relative_to(folder.absolute()).as_posix() if inside else "/".join(path.parts[-2:])
