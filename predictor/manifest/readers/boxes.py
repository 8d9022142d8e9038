"""What data sets of boxes have in common: an image has the classes of its boxes, or every box counts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from predictor.manifest.counted import ManifestRequest
from predictor.manifest.parts import Row


class Boxed(NamedTuple):
    """An image and the class of each of its boxes."""

    name: str
    classes: tuple[str, ...]
    split: str = ""


def box_rows(images: Iterable[Boxed], instances: bool) -> Iterator[Row]:
    """A row an image with all of its classes, or a row a box; an image without a box has no label either way."""
    for row, (name, classes, split) in enumerate(images):
        if instances and classes:
            for label in classes:
                yield label, "", split, name, row
        else:
            yield tuple(dict.fromkeys(classes)) or None, "", split, name, row


def instances_note(request: ManifestRequest) -> str:
    """How boxes were counted."""
    if request.instances:
        return "every box counts: the numbers are of boxes, not of images"
    return "boxes of one image taken together: each of its classes counts once; with --instances, every box"
