"""COCO annotations, panoptic ones too: one JSON object with images, categories and annotations, indented or not."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from predictor.errors import ManifestError
from predictor.manifest.counted import ManifestRequest
from predictor.manifest.parts import ListedPart, Opened
from predictor.manifest.readers.boxes import Boxed, box_rows, instances_note
from predictor.manifest.readers.files import ChosenFile, chosen_files
from predictor.manifest.readers.limits import NO_TABLE, LabelFaults, refuse
from predictor.manifest.readers.paths import files_of, head_of
from predictor.manifest.readers.text import check_unpacked, compression, text_head
from predictor.manifest.readers.text import opened as opened_text

ARRAYS = ("images", "annotations", "categories")
MAX_BYTES = 1 << 32  # of the text, which is held in memory
_MARK = re.compile(rb'"(images|annotations|categories)"\s*:\s*\[')
_SPACE = re.compile(r"[ \t\r\n]*")


@dataclass
class _Annotations:
    """What one file says. images : {id: (name, split)}; labels : {image id: class of each of its objects}"""

    images: dict[object, tuple[str, str]] = field(default_factory=dict)
    classes: dict[object, str] = field(default_factory=dict)
    labels: dict[object, list[object]] = field(default_factory=lambda: defaultdict(list))
    has_splits: bool = False


def recognises(path: Path, head: bytes) -> bool:
    """Text that is one object with such arrays; an object a line is something else."""
    text = (text_head(path, head) or b"").removeprefix(b"\xef\xbb\xbf").strip()
    if not text.startswith(b"{") or not _MARK.search(text):
        return False
    first, _, rest = text.partition(b"\n")
    try:
        row = json.loads(first)
    except (ValueError, RecursionError):
        return True
    return not rest.strip() and len(set(row) & set(ARRAYS)) > 1


@contextmanager
def opened(path: Path, request: ManifestRequest) -> Iterator[Opened]:
    """A file, or all files of a pattern.

    A label is the name of an annotation's category. The labels of an image are the classes in it, each once; with
    `instances` every annotation counts.

    Raises ManifestError for text that is no such JSON, and for annotations of images or categories that are not there.
    """
    refuse(request, "COCO annotations", str(path), *NO_TABLE)
    files, notes = chosen_files(path, files_of(path), request)
    parts = [_part(file, request) for file in files]
    yield Opened(parts, [*notes, instances_note(request)], "image")


def _part(file: ChosenFile, request: ManifestRequest) -> ListedPart:
    found = _read(file.path)
    return ListedPart(
        where=str(file.path),
        file=file.path,
        listing=lambda: box_rows(_boxed(found), request.instances),
        split=file.split,
        has_splits=found.has_splits,
        named=True,
    )


def _boxed(found: _Annotations) -> Iterator[Boxed]:
    for key, (name, split) in found.images.items():
        yield Boxed(name, tuple(found.classes[each] for each in found.labels.get(key, ())), split)


def _read(path: Path) -> _Annotations:
    head = head_of(path)
    check_unpacked(path, head)
    kind = compression(head)
    if kind == "zstd":
        raise ManifestError("COCO annotations packed with zstd", where=str(path), remedy=f"unpack it: unzstd {path}")
    with opened_text(path, kind) as stream:
        text = stream.read(MAX_BYTES)
        if stream.read(1):
            raise ManifestError(f"more than {MAX_BYTES:,} characters", where=str(path))
    found, faults, unclassed = _Annotations(), LabelFaults(), 0
    annotations: list[tuple[int, object, object]] = []
    n = dict.fromkeys(ARRAYS, 0)
    for array, element in _elements(text, path):
        n[array] += 1
        where = f"{array}[{n[array] - 1}]"
        if not isinstance(element, dict):
            faults.add(f"{where} is no object")
        elif array == "categories":
            name = element.get("name")
            key, name = _key(element.get("id")), str(name if name is not None else element.get("id"))
            if found.classes.setdefault(key, name) != name:
                faults.add(f"{where} has the id of {found.classes[key]!r}")
        elif array == "images":
            split = str(element.get("split") or "")
            found.has_splits |= bool(split)
            key = _key(element.get("id"))
            if key in found.images:
                faults.add(f"{where} has the id of another image, {key!r}")
            found.images[key] = str(element.get("file_name") or key), split
        else:
            objects = element.get("segments_info") if "segments_info" in element else [element]
            for each in objects if isinstance(objects, list) else ():
                category = each.get("category_id") if isinstance(each, dict) else None
                if category is None:
                    unclassed += 1
                annotations.append((n[array] - 1, _key(element.get("image_id")), _key(category)))
    if unclassed and unclassed == len(annotations):
        raise ManifestError(
            "its annotations name no 'category_id'",
            where=str(path),
            remedy="name the file of instances: captions and the like have no classes",
        )
    for number, image, category in annotations:
        if image not in found.images:
            faults.add(f"annotations[{number}] is of image {image!r}, which is not there")
        elif category not in found.classes:
            faults.add(f"annotations[{number}] is of category {category!r}, which is not there")
        else:
            found.labels[image].append(category)
    faults.check(str(path), "every annotation names the ids of an image and of a category of the same file")
    return found


def _key(value: object) -> object:
    """An id: some write the same one as a number here and as text there."""
    return str(value) if isinstance(value, int | str) else repr(value)


def _elements(text: str, path: Path) -> Iterator[tuple[str, object]]:
    """(name of the array, element), one after another: all at once would need many times the memory."""
    decoder, at = json.JSONDecoder(), 0

    def blank(at: int) -> int:
        return _SPACE.match(text, at).end()

    def expect(at: int, *marks: str) -> str:
        if at < len(text) and text[at] in marks:
            return text[at]
        raise json.JSONDecodeError(f"expected {' or '.join(marks)}", text, at)

    try:
        at = blank(at)
        expect(at, "{")
        at = blank(at + 1)
        while expect(at, '"', "}") == '"':
            key, at = decoder.raw_decode(text, at)
            at = blank(at)
            expect(at, ":")
            at = blank(at + 1)
            if key in ARRAYS and text[at : at + 1] == "[":
                at = blank(at + 1)
                while text[at : at + 1] != "]":
                    element, at = decoder.raw_decode(text, at)
                    yield key, element
                    at = blank(at)
                    if expect(at, ",", "]") == ",":
                        at = blank(at + 1)
                at += 1
            else:
                _, at = decoder.raw_decode(text, at)
            at = blank(at)
            if expect(at, ",", "}") == ",":
                at = blank(at + 1)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ManifestError(f"is no JSON: {error}", where=str(path), remedy="copy or write the file again") from None
