"""Splits derived from those of a source, for choices that must not see the test images.

`train:validation` is an eighth of the groups of `train`, `train:fit` the rest. Groups keep what is alike in one part:
the source's column `group` where it has one; else each image is a group of its own, identical files one group.
`train:validation@4` and `train:fit@4` make groups of four neighbours instead: images whose numbers, the last whole
number in their ids, lie in one run of four (1 to 4, 5 to 8, ...), whatever their class. A group falls into the
validation part by the hash of its name alone: always the same one, whatever else the source holds.

The name of a derived split stands in the spec like any other, so it is part of a run's id.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

VALIDATION_SHARE = 1 / 8
PARTS = ("fit", "validation")
_DERIVED = re.compile(r"(?P<base>.+):(?P<part>fit|validation)(@(?P<neighbours>[1-9][0-9]*))?")


@dataclass(frozen=True)
class Derived:
    """One part of a split. neighbours : images in a group by number; None: the source's own groups"""

    base: str
    part: str
    neighbours: int | None


def derived(split: str) -> Derived | None:
    """What a split's name says; None for the name of a plain split.

    >>> derived("train:fit@4")
    Derived(base='train', part='fit', neighbours=4)
    >>> derived("train")
    """
    found = _DERIVED.fullmatch(split)
    if not found:
        return None
    return Derived(found["base"], found["part"], int(found["neighbours"]) if found["neighbours"] else None)


def overlapping(first: str, second: str) -> bool:
    """Whether two splits of one source may share images.

    >>> overlapping("train:fit", "train:validation"), overlapping("train:fit", "train"), overlapping("train", "test")
    (False, True, False)
    """
    a, b = (derived(split) or Derived(split, "", None) for split in (first, second))
    if a.base != b.base:
        return False
    apart = a.neighbours == b.neighbours and {a.part, b.part} == set(PARTS)
    return not apart


def in_validation(group: str) -> bool:
    """Whether a group belongs to the validation part: true for an eighth of all names.

    >>> sum(in_validation(str(i)) for i in range(8000))
    991
    """
    number = int.from_bytes(hashlib.sha256(f"validation\0{group}".encode()).digest()[:8], "big")
    return number < VALIDATION_SHARE * 2**64


def content_groups(read: Callable[[int], bytes], rows: NDArray[np.int64]) -> list[str]:
    """Each image a group of its own, by its content: identical files stay together."""
    return [content_group(read(row)) for row in rows.tolist()]


def content_group(encoded: bytes) -> str:
    """The group of one image by its content."""
    return hashlib.sha256(encoded).hexdigest()
