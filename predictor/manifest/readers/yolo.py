"""YOLO folders: a text file of boxes for every image, in `labels` beside `images`; names in data.yaml or classes.txt.

A line is `class x y width height`, or a polygon; only the class is read. Where files lie is as Ultralytics has it: the
last folder `images` of an image's path is `labels` in that of its boxes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

from predictor.errors import ManifestError
from predictor.manifest.counted import ManifestRequest
from predictor.manifest.parts import ListedPart, Opened
from predictor.manifest.readers.boxes import Boxed, box_rows, instances_note
from predictor.manifest.readers.files import some_files
from predictor.manifest.readers.folder_tree import IMAGE_ENDINGS
from predictor.manifest.readers.limits import NO_TABLE, LabelFaults, refuse
from predictor.manifest.splits import chosen_splits, split_in
from predictor.reading import MIB, opened_text, read_text
from predictor.reading import opened as opened_file

NAMES = ("classes.txt", "obj.names", "classes.names", "class_names.txt", "labels.txt")
YAML = (".yaml", ".yml")
MAX_NAMES = 16 * MIB  # bytes of a file that names the classes
MAX_LABELS = 1 << 24  # bytes of one file of boxes
TRIED = 50  # text files that show whether they hold boxes
LINES, LINE = 10, 100_000  # lines of one that are looked at, and characters of a line
_BOX = re.compile(r"\s*\d+(\.0*)?(\s+-?\d*\.?\d+(e[-+]?\d+)?){4,}\s*", re.IGNORECASE)


@dataclass(frozen=True)
class _Image:
    name: str
    boxes: str | None  # path of its file of boxes


def recognises(path: Path, head: bytes) -> bool:
    """A folder of such files, or the data.yaml in it."""
    if path.is_file():
        return path.suffix.lower() in YAML and b"names" in head and recognises(path.parent, b"")
    return path.is_dir() and any(_holds_boxes(file) for file in islice(some_files(path, ".txt", "labels"), TRIED))


@contextmanager
def opened(path: Path, request: ManifestRequest) -> Iterator[Opened]:
    """The images of the chosen split with the classes in them, each once; with `instances` every box counts.

    Raises ManifestError for lines that are no boxes, and for numbers of classes without a name.
    """
    refuse(request, "a YOLO folder", str(path), *NO_TABLE)
    root = path if path.is_dir() else path.parent
    names, said = _names(path)
    images, orphans = _images(root)
    splits: dict[str, list[_Image]] = {}
    for image in images:
        splits.setdefault(split_in(Path(image.name).parent.parts or ("",)), []).append(image)
    taken, notes = chosen_splits({split: len(found) for split, found in splits.items()}, request, str(path))
    if orphans:
        said.append(f"{orphans:,} files of boxes without an image left out")
    faults = LabelFaults()
    parts = []
    for split in sorted(taken):
        rows = [Boxed(image.name, _classes(image, root, names, faults)) for image in splits[split]]
        parts.append(
            ListedPart(
                where=str(path), file=path, listing=partial(box_rows, rows, request.instances), split=split, named=True
            )
        )
    faults.check(str(path), "a line is 'class x y width height', and the class a number from 0 of the list of names")
    yield Opened(parts, [*said, *notes, instances_note(request)], "image")


def _images(root: Path) -> tuple[list[_Image], int]:
    """(images with their files of boxes, files of boxes without an image); the files themselves where no image lies."""
    images, boxes = [], set()
    for folder, inner, files in os.walk(root, followlinks=True):
        inner[:] = sorted(name for name in inner if not name.startswith("."))
        for name in sorted(files):
            where = os.path.relpath(os.path.join(folder, name), root)
            ending = name.rpartition(".")[2].lower()
            if name.startswith("."):
                continue
            if ending in IMAGE_ENDINGS:
                images.append(where)
            elif ending == "txt" and name not in NAMES and _may_be_boxes(where):
                boxes.add(where)
    if not images:
        return [_Image(name, name) for name in sorted(boxes)], 0
    found = []
    for name in images:
        own = next((place for place in _places(name) if place in boxes), None)
        found.append(_Image(name, own))
    used = {image.boxes for image in found}
    return found, sum(_holds_boxes(root / name) for name in boxes - used)


def _may_be_boxes(where: str) -> bool:
    name = Path(where)
    return name.parent != Path() or not name.stem.lower().startswith(("readme", "train", "val", "test"))


def _places(image: str) -> Iterator[str]:
    parts = list(Path(image).with_suffix(".txt").parts)
    for at in range(len(parts) - 2, -1, -1):
        if parts[at] == "images":
            yield str(Path(*parts[:at], "labels", *parts[at + 1 :]))
            break
    yield str(Path(*parts))
    yield str(Path(*parts[:-1], "labels", parts[-1]))


def _classes(image: _Image, root: Path, names: Sequence[str], faults: LabelFaults) -> tuple[str, ...]:
    if image.boxes is None:
        return ()
    try:
        with opened_text(root / image.boxes) as stream:
            lines = stream.read(MAX_LABELS).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        faults.add(f"{image.boxes} cannot be read: {error}")
        return ()
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        if not _BOX.fullmatch(line):
            faults.add(f"{image.boxes} line {number}: {line[:40]!r} is no box")
            continue
        label = int(float(line.split()[0]))
        if names and label >= len(names):
            faults.add(f"{image.boxes} line {number}: class {label}, there are {len(names):,} names")
        else:
            found.append(names[label] if names else str(label))
    return tuple(found)


def _holds_boxes(file: Path) -> bool:
    if file.name in NAMES:
        return False
    try:
        with opened_file(file) as stream:
            head = stream.read(LINE * LINES).decode(errors="replace")
    except OSError:
        return False
    line = next((line for line in head.splitlines()[:LINES] if line.strip()), "")
    return bool(_BOX.fullmatch(line[:LINE]))


def _names(path: Path) -> tuple[list[str], list[str]]:
    """(names of the classes in the order of their numbers, notes)."""
    root = path if path.is_dir() else path.parent
    files = [path] if path.is_file() else sorted(file for file in root.iterdir() if file.suffix.lower() in YAML)
    for file in files:
        if names := _of_yaml(file):
            return names, [f"names of classes taken from {file.name}"]
    for file in [*(root / name for name in NAMES), *(root / "labels" / name for name in NAMES)]:
        if file.is_file():
            names = [line.strip() for line in _text_of(file).splitlines()]
            while names and not names[-1]:
                names.pop()
            if names:
                return names, [f"names of classes taken from {file.name}"]
    return [], ["no data.yaml or classes.txt names the classes: they are called by their numbers"]


def _text_of(file: Path) -> str:
    """Names of classes, and what stands beside them. Raises ManifestError."""
    try:
        return read_text(file, limit=MAX_NAMES)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ManifestError(f"cannot be read: {reason}", where=str(file), remedy="write it again") from None


def _of_yaml(file: Path) -> list[str]:
    from ruamel.yaml import YAML as Reader
    from ruamel.yaml.error import YAMLError

    try:
        value = Reader(typ="safe", pure=True).load(_text_of(file))
    except (YAMLError, OSError, UnicodeDecodeError, ValueError, RecursionError) as error:
        problem = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ManifestError(f"is no YAML: {problem}", where=str(file), remedy="write it again") from None
    names = value.get("names") if isinstance(value, dict) else None
    if isinstance(names, dict):
        numbers = sorted(names, key=lambda key: int(key) if str(key).isdecimal() else -1)
        if [str(number) for number in numbers] != [str(i) for i in range(len(numbers))]:
            raise ManifestError(
                "names classes that are not numbered from 0", where=str(file), remedy="number them 0, 1, ..."
            )
        names = [names[number] for number in numbers]
    return [str(name) for name in names] if isinstance(names, list) else []
