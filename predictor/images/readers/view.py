"""A source that is read in a way of its own: a small YAML file beside the images says which labels mean which class.

images: imagenetv2-matched-frequency-format-val   # a file or folder beside this file
label: idx                 # column, key or member of the labels, where it has another name
classes: imagenet-1k       # labels are positions in this list: one that ships, or a file of names
map: objectnet.csv         # or: the class of each label, a CSV label,class; several labels may be one class
split: test                # all images belong to this split
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from predictor.class_lists import class_list
from predictor.errors import DataError, PredictorError, listed, near
from predictor.images.listing import Images, below, open_images
from predictor.images.readers.rows import LEFT_OUT
from predictor.reading import MIB, read_text

KEYS = ("images", "label", "classes", "map", "split")
ENDINGS = (".yaml", ".yml")
MAX_MAP = 256 * MIB  # bytes of a map


def recognises(path: Path) -> bool:
    """By its name: no other source is a YAML file."""
    return path.suffix.lower() in ENDINGS and path.is_file()


def images_at(path: Path) -> tuple[Path, str | None]:
    """What a view reads, and the column of its labels. Raises DataError for a view that says something else."""
    said = _content(path)
    return below(path.parent, said["images"]), said.get("label")


def read(path: Path) -> Images:
    """List the images under the classes that the view gives them; labels without a class are left out, with a note.

    Raises DataError for a view that cannot be used, and as `open_images`.
    """
    place, label = images_at(path)
    return _under_classes(path, _content(path), open_images(place, label=label))


def labelled(place: Path, label: str) -> Images:
    """What lies at a place with its labels under another name, as a view beside it reads it: of the same digest.

    Raises DataError as `open_images`.
    """
    return _under_classes(place, {}, open_images(place, label=label))


def labelled_text(place: Path, label: str) -> str:
    """The view beside a place that says so, for a grid to name.

    >>> print(labelled_text(Path("pets/list.csv"), "kind"), end="")
    images: "list.csv"
    label: "kind"
    """
    return "".join(f"{key}: {json.dumps(value)}\n" for key, value in (("images", place.name), ("label", label)))


def _under_classes(path: Path, said: dict[str, Any], images: Images) -> Images:
    labels = images.labels
    classes = _classes(path, said, sorted(set(labels.tolist()) - {LEFT_OUT}))
    names = np.array([LEFT_OUT, *classes.values()])  # wide enough for every name
    renamed = np.full(len(labels), LEFT_OUT, dtype=names.dtype)
    for label, name in classes.items():
        renamed[labels == label] = name
    lost = Counter(labels[(renamed == LEFT_OUT) & (labels != LEFT_OUT)].tolist())
    if len(lost) == len(set(labels.tolist()) - {LEFT_OUT}):
        raise DataError(
            f"none of its {len(lost):,} labels has a class; they begin {listed([repr(n) for n in sorted(lost)[:3]])}",
            where=str(path),
            remedy="write the labels into the map as the images have them",
        )
    notes = images.notes
    if lost:
        notes += (
            f"{lost.total():,} images of {len(lost):,} labels without a class left out: "
            f"{listed([repr(name) for name in sorted(lost)])}",
        )
    splits = np.where(renamed == LEFT_OUT, LEFT_OUT, said.get("split", images.splits))
    words = json.dumps([sorted(classes.items()), said.get("split")], ensure_ascii=False)

    def content() -> str:
        return "sha256:" + hashlib.sha256(f"{images.digest}\0{words}".encode()).hexdigest()

    return replace(images, path=path, labels=renamed, splits=splits, content=content, notes=notes)


def _content(path: Path) -> dict[str, Any]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        said = YAML(typ="safe", pure=True).load(read_text(path, limit=MIB))
    except (OSError, UnicodeDecodeError, YAMLError, ValueError, RecursionError) as error:
        raise DataError(f"is no YAML: {str(error).splitlines()[0]}", where=str(path)) from None
    if not isinstance(said, dict) or not isinstance(said.get("images"), str):
        raise DataError("names no images", where=str(path), remedy="write images: FOLDER, a file or folder beside it")
    if unknown := [str(key) for key in said if key not in KEYS]:
        raise DataError(f"unknown key {unknown[0]!r}", where=str(path), remedy=f"choose of {', '.join(KEYS)}")
    if "classes" in said and "map" in said:
        raise DataError("names both classes and a map", where=str(path), remedy="keep one of them")
    if wrong := [key for key in ("label", "split") if key in said and not isinstance(said[key], str)]:
        raise DataError(f"{wrong[0]} is {said[wrong[0]]!r}", where=str(path), remedy="write a name, in quotes")
    return said


def _classes(path: Path, said: dict[str, Any], labels: list[str]) -> dict[str, str]:
    """{label: class} of the labels that have one."""
    if "classes" in said:
        return _positions(path, said["classes"], labels)
    if "map" not in said:
        return {label: label for label in labels}
    found = said["map"]
    if isinstance(found, str):
        found = _table(below(path.parent, found))
    if not isinstance(found, dict) or not found or not all(isinstance(name, str) and name for name in found.values()):
        raise DataError("its map names no class for each label", where=str(path), remedy="write a CSV label,class")
    pairs = {str(label): name for label, name in found.items()}
    return {label: pairs[label] for label in labels if label in pairs}


def _positions(path: Path, wanted: Any, labels: list[str]) -> dict[str, str]:
    """Labels as whole numbers from 0: '10' is the eleventh class, though it sorts as the third."""
    try:
        names = class_list(str(wanted), path.parent)
    except PredictorError as error:
        raise DataError(error.problem, where=str(path), remedy=error.remedy) from None
    numbers = {label: int(label) for label in labels if label.isascii() and label.isdigit()}
    if wrong := [label for label in labels if numbers.get(label, len(names)) >= len(names)]:
        raise DataError(
            f"{len(wrong):,} labels are no positions from 0 to {len(names) - 1:,}: {listed([repr(n) for n in wrong])}",
            where=str(path),
            remedy="give the class of each label in a map",
        )
    return {label: names[number] for label, number in numbers.items()}


def _table(file: Path) -> dict[str, str]:
    """A CSV label,class. Raises DataError where a label has two classes: which of them would be right?"""
    try:
        rows = list(csv.DictReader(io.StringIO(read_text(file, limit=MAX_MAP))))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"cannot be read: {error}", where=str(file)) from None
    columns = list(rows[0]) if rows else []
    if not {"label", "class"} <= set(columns):
        hint = near("label", columns)
        raise DataError(
            f"needs columns label and class; found {', '.join(map(repr, columns)) or 'none'}"
            + (f" (near: {', '.join(map(repr, hint))})" if hint else ""),
            where=str(file),
        )
    pairs: dict[str, str] = {}
    for row in rows:
        label, name = (row["label"] or "").strip(), (row["class"] or "").strip()
        if pairs.setdefault(label, name) != name:
            raise DataError(
                f"label {label!r} has two classes, {pairs[label]!r} and {name!r}",
                where=str(file),
                remedy="give each label one class alone; several labels may be one class",
            )
    return pairs
