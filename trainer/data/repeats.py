"""Images that are there twice, by their content: repeats inside a set, and test images that are trained on as well.

Names and splits say what ought to be apart; the bytes say what is. Two files of the same bytes are one image, whatever
they are called: a class of five copies is as large as one, and a test on training images measures memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from predictor.images.decoding import Pixels
from predictor.records.schema import TRAINING
from trainer.data.selection import Chosen
from trainer.data.source import Source

THUMB = 16  # pixels of a side of the small images by which near-duplicates are found
NEAR = 3.0  # levels of 255 by which such an image may differ from another, root mean square over its values
BLOCK = 512  # test images at once
Place = tuple[str, NDArray[np.int64]]  # a source and rows of it


@dataclass
class Repeats:
    """What is there twice, by name.

    repeated : {'training' or a test set: images of the same bytes as an earlier one of that set}
    leaked : {test set: images of the same bytes as a training image}; near : that look like one, and are not the same
    tested : {test set: its images}
    """

    repeated: dict[str, list[str]] = field(default_factory=dict)
    leaked: dict[str, list[str]] = field(default_factory=dict)
    near: dict[str, list[str]] = field(default_factory=dict)
    tested: dict[str, int] = field(default_factory=dict)


def training_images(stages: Iterable[Sequence[Chosen]]) -> list[Place]:
    """The training images of all stages, each once."""
    rows: dict[str, list[NDArray[np.int64]]] = {}
    for chosen in stages:
        for part in chosen:
            rows.setdefault(part.source, []).append(part.rows)
    return [(source, np.unique(np.concatenate(found))) for source, found in sorted(rows.items())]


def find_repeats(
    training: Sequence[Place],
    tests: Mapping[str, Place],
    source_of: Callable[[str], Source],
    *,
    near: bool = False,
) -> Repeats:
    """Compare training and test images by their bytes; near : also by what they look like, which decodes them all."""
    found = Repeats(tested={name: len(rows) for name, (_, rows) in tests.items()})
    trained = _contents(training, source_of)
    if names := _repeated(trained, training, source_of):
        found.repeated[TRAINING] = names
    small = _thumbs(training, source_of) if near else None
    for name, place in tests.items():
        tested = _contents([place], source_of)
        if names := _repeated(tested, [place], source_of):
            found.repeated[name] = names
        same = np.isin(tested, trained)
        if same.any():
            found.leaked[name] = _named([place], np.flatnonzero(same), source_of)
        if small is not None:
            alike = _look_alike(_thumbs([place], source_of), small) & ~same
            if alike.any():
                found.near[name] = _named([place], np.flatnonzero(alike), source_of)
    return found


def _contents(places: Sequence[Place], source_of: Callable[[str], Source]) -> NDArray[np.uint64]:
    parts = [source_of(name).contents(rows) for name, rows in places]
    return np.concatenate(parts) if parts else np.zeros(0, np.uint64)


def _repeated(contents: NDArray[np.uint64], places: Sequence[Place], source_of: Callable[[str], Source]) -> list[str]:
    _, first = np.unique(contents, return_index=True)
    return _named(places, np.setdiff1d(np.arange(len(contents)), first), source_of)


def _named(places: Sequence[Place], numbers: NDArray[np.int64], source_of: Callable[[str], Source]) -> list[str]:
    """Names of images by their number, counted through all places."""
    names: list[str] = []
    start = 0
    for name, rows in places:
        own = rows[numbers[(numbers >= start) & (numbers < start + len(rows))] - start]
        source = source_of(name)
        names += [f"{name}: {source.describe(row)}" for row in own.tolist()]
        start += len(rows)
    return names


def _thumbs(places: Sequence[Place], source_of: Callable[[str], Source]) -> NDArray[np.float32]:
    """(n, 3 * THUMB**2) small images; grey where one cannot be used, which nothing looks like but another one."""
    parts: list[Pixels] = [np.zeros((0, 3, THUMB, THUMB), np.uint8)]
    for name, rows in places:
        source = source_of(name).view(bad_images="skip")
        source.load(rows, THUMB)
        usable = np.array([row not in source.bad for row in rows.tolist()], dtype=bool)
        pixels = np.full((len(rows), 3, THUMB, THUMB), 127, np.uint8)
        pixels[usable] = source.pixels(rows[usable], THUMB)
        parts.append(pixels)
    return np.concatenate(parts).reshape(-1, 3 * THUMB**2).astype(np.float32)


def _look_alike(tested: NDArray[np.float32], trained: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(n,) whether each test image is as near as NEAR to a training image."""
    found = np.zeros(len(tested), bool)
    if not len(trained):
        return found
    squares = (trained**2).sum(1)
    for start in range(0, len(tested), BLOCK):
        block = tested[start : start + BLOCK]
        distances = (block**2).sum(1)[:, None] - 2 * block @ trained.T + squares
        found[start : start + BLOCK] = distances.min(1) <= NEAR**2 * tested.shape[1]
    return found
