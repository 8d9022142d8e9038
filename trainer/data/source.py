"""A source of images: labels, splits and encoded bytes of every image, wherever they lie."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from predictor.errors import SHOWN, DataError, listed, near
from predictor.images.decoding import BadImage, Pixels, decoded, for_each
from predictor.images.groups import numbered_groups
from predictor.images.listing import Images
from predictor.images.parts import Derived, content_groups, derived, in_validation
from predictor.images.readers.rows import LEFT_OUT
from trainer.data.store import Store

BadImages = Literal["error", "skip"]


@dataclass
class Source:
    """Encoded images with label and split; decoded once per size, when they are first asked for.

    labels, splits : (R,) str
    read : row -> encoded bytes; describe : row -> what an error calls that image
    ids : (R,) str, what each image is called in its source; None where it has no name
    groups : (R,) str, images that belong together (families of fonts, photographs of one object); None: unknown
    ids_are_content : whether the digest covers the ids
    bad_images : whether an image that cannot be used is an error or left out; threads : of the decoder
    keeps : whether images that are looked at to see if they can be used stay decoded
    bad, converted : row -> why it cannot be used, or what was converted, of the images decoded so far
    met : (R,) bool, the images that were asked for through this view
    upright : whether images are turned as their EXIF orientation says
    reduced : whether the codec may decode a large JPEG image at a smaller scale (`predictor.images.decoding`)
    notes : what the reader left out, or took how
    A row without a label has the label and split '' and belongs to no class.
    """

    name: str
    digest: str
    labels: NDArray[np.str_]
    splits: NDArray[np.str_]
    read: Callable[[int], bytes]
    describe: Callable[[int], str]
    ids: NDArray[np.str_] | None = None
    groups: NDArray[np.str_] | None = None
    ids_are_content: bool = False
    notes: tuple[str, ...] = ()
    upright: bool = False
    reduced: bool = False
    bad_images: BadImages = "error"
    threads: int = 1
    keeps: bool = True
    bad: dict[int, str] = field(default_factory=dict, repr=False)
    converted: dict[int, str] = field(default_factory=dict, repr=False)
    met: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool), repr=False)
    _stores: dict[int, Store] = field(default_factory=dict, repr=False)
    _by_label: dict[str, NDArray[np.int64]] = field(default_factory=dict, repr=False)
    _masks: dict[str, NDArray[np.bool_]] = field(default_factory=dict, repr=False)
    _contents: dict[int, int] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.met = np.zeros(len(self.labels), bool)

    @classmethod
    def of(cls, name: str, images: Images, read: Callable[[int], bytes] | None = None) -> Source:
        """The source of listed images. read : row -> encoded bytes; None: as the listing reads them, one by one"""
        return cls(
            name,
            images.digest,
            images.labels,
            images.splits,
            read or (lambda row: next(images.read([row]))),
            images.describe,
            ids=images.ids,
            groups=images.groups,
            ids_are_content=images.ids_are_content,
            notes=images.notes,
        )

    def view(self, *, bad_images: BadImages = "error", threads: int = 1, keeps: bool = True) -> Source:
        """The same images, decoded ones shared, for one run: with its own rules and its own account in `met`."""
        return replace(self, bad_images=bad_images, threads=threads, keeps=keeps)

    def rows(self, label: str, split: str) -> NDArray[np.int64]:
        """Rows of one class in one split, in file order. Raises DataError as `in_split`."""
        rows = self._of_label().get(label, np.zeros(0, np.int64))
        return rows[self.in_split(split)[rows]]

    def classes(self, split: str) -> list[str]:
        """Names of the classes that have images in a split, sorted. Raises DataError as `in_split`."""
        return sorted(set(self.labels[self.in_split(split)].tolist()))

    def in_split(self, split: str) -> NDArray[np.bool_]:
        """(R,) whether each image belongs to a split, also to one derived from it (`predictor.images.parts`).

        Raises DataError for a derived split of a source whose images cannot be grouped so.
        """
        if split not in self._masks:
            mask, part = self.splits == split, derived(split)
            if part and not mask.any():
                mask = self._derived(part)
            self._masks[split] = mask
        return self._masks[split]

    def _derived(self, part: Derived) -> NDArray[np.bool_]:
        rows = np.flatnonzero(self.splits == part.base)
        if part.neighbours:
            if self.ids is None or not self.ids_are_content:
                raise DataError(
                    f"groups of {part.neighbours} neighbours need images that are numbered in a column 'source'",
                    where=self.name,
                    remedy="use a Parquet source with that column, or state the groups in a column 'group'",
                )
            try:
                groups = numbered_groups(self.ids[rows], part.neighbours)
            except ValueError as error:
                raise DataError(str(error), where=self.name, remedy="state the groups in a column 'group'") from None
        else:
            groups = self.group_names(rows)
        chosen = np.array([in_validation(group) for group in groups], dtype=bool)
        mask = np.zeros(len(self.labels), bool)
        mask[rows[chosen == (part.part == "validation")]] = True
        return mask

    def group_names(self, rows: NDArray[np.int64]) -> list[str]:
        """The group of each image; where the source states none, each image is its own, named by its content."""
        return content_groups(self.read, rows) if self.groups is None else self.groups[rows].tolist()

    def contents(self, rows: NDArray[np.int64]) -> NDArray[np.uint64]:
        """(n,) a hash of the bytes of each image, the same in every source: equal ones are one image."""
        for row in sorted(rows.tolist()):  # as they lie: what is packed is unpacked once
            if row not in self._contents:
                digest = hashlib.blake2b(self.read(row), digest_size=8).digest()
                self._contents[row] = int.from_bytes(digest, "big")
        return np.array([self._contents[row] for row in rows.tolist()], dtype=np.uint64)

    def lacks(self, label: str, split: str) -> str | None:
        """What is not there, with near matches: the class, or the split; None where both are."""
        return next(iter(self.lacking([label], [split])), None)

    def lacking(self, labels: Iterable[str], splits: Iterable[str]) -> list[str]:
        """One sentence for all the classes that are not there, one for the splits; near matches each, sorted."""
        classes = self._of_label()
        found = []
        if missing := sorted(set(labels) - classes.keys()):
            names, hint = _unknown(missing, list(classes))
            what = f"class {names} is" if len(missing) == 1 else f"classes {names} are"
            found.append(f"{what} not in {self.name}{hint}")
        if missing := sorted(split for split in set(splits) if not self._has_split(split)):
            names, hint = _unknown(missing, sorted(set(self.splits.tolist())))
            found.append(f"{self.name} has no {'split' if len(missing) == 1 else 'splits'} {names}{hint}")
        return found

    def _has_split(self, split: str) -> bool:
        part = derived(split)
        return bool(self.in_split(split).any() or (part and (self.splits == part.base).any()))

    def _of_label(self) -> dict[str, NDArray[np.int64]]:
        if not self._by_label:  # once for all views
            names, codes = np.unique(self.labels, return_inverse=True)
            parts = np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1])
            self._by_label.update(zip(names.tolist(), parts, strict=True))
            self._by_label.pop(LEFT_OUT, None)
        return self._by_label

    def load(self, rows: NDArray[np.int64], size: int) -> None:
        """Decode what is not decoded yet. Raises DataError naming every image that cannot be used, unless left out."""
        self.met[rows] = True
        store = self._stores.setdefault(size, Store(len(self.labels)))
        rows = np.unique(rows)
        missing = rows[~store.has(rows)]
        good, images = self._decode(missing, size)
        if len(good):
            store.add(good, images)
        if self.bad_images == "error":
            self._refuse(rows)

    def _decode(
        self, rows: NDArray[np.int64], size: int, interpolation: str = "bilinear"
    ) -> tuple[NDArray[np.int64], Pixels]:
        """(rows that can be used, their pixels); notes the others, and what was converted."""
        good: list[int] = []
        images: list[Pixels] = []
        wanted = [row for row in rows.tolist() if row not in self.bad]

        def work(encoded: bytes) -> tuple[Pixels, str]:
            return decoded(encoded, size, interpolation, upright=self.upright, reduced=self.reduced)

        for row, done in for_each(work, self.read, wanted, threads=self.threads):
            if isinstance(done, BadImage):
                self.bad[row] = str(done)
                continue
            pixels, converted = done
            if converted:
                self.converted[row] = converted
            good.append(row)
            images.append(pixels)
        return np.array(good, np.int64), np.stack(images) if images else np.empty((0, 3, size, size), np.uint8)

    def decoded(self, rows: NDArray[np.int64], size: int, interpolation: str) -> Pixels:
        """(n, 3, size, size) uint8 RGB, decoded and not kept. Raises DataError naming images that cannot be used."""
        self.met[rows] = True
        _, pixels = self._decode(rows, size, interpolation)
        self._refuse(rows)
        return pixels

    def shown(self, rows: NDArray[np.int64], size: int) -> Pixels:
        """(n, 3, size, size) uint8 RGB, the same as `pixels` gives, and not kept. Raises DataError as `decoded`."""
        return self.decoded(rows, size, "bilinear")

    def usable(self, rows: NDArray[np.int64], size: int, at_most: int | None = None) -> NDArray[np.int64]:
        """The first images in the order of `rows` that can be used, at most so many.

        Where bad images are an error nothing is decoded here. Raises DataError only for unreadable files.
        """
        wanted = len(rows) if at_most is None else at_most
        if self.bad_images == "error":
            return rows[:wanted]
        found: list[int] = []
        seen = 0
        while len(found) < wanted and seen < len(rows):
            some = rows[seen : seen + wanted - len(found)]
            if self.keeps:
                self.load(some, size)
            else:
                self.met[some] = True
                self._decode(some, size)
            found += [row for row in some.tolist() if row not in self.bad]
            seen += len(some)
        return np.array(found, dtype=np.int64)

    def pixels(self, rows: NDArray[np.int64], size: int) -> Pixels:
        """(n, 3, size, size) uint8 RGB. Raises DataError naming every image that cannot be used."""
        if not len(rows):
            return np.empty((0, 3, size, size), np.uint8)
        self.load(rows, size)
        self._refuse(rows)
        return self._stores[size].take(rows)

    def _refuse(self, rows: NDArray[np.int64]) -> None:
        if found := sorted(self.bad.keys() & set(rows.tolist()) if self.bad else ()):
            faults = [f"{self.describe(row)}: {self.bad[row]}" for row in found]
            raise DataError(
                f"{len(faults)} unreadable images: {listed(faults)}",
                where=self.name,
                remedy="mend or remove them (the digest in the grid changes with that), "
                "or leave them out with --bad-images skip",
            )


def _unknown(names: Sequence[str], known: Sequence[str]) -> tuple[str, str]:
    """The names as a sentence has them, and what may have been meant: near matches each, else what is known, once.

    >>> _unknown(["cta"], ["cat", "dog"])
    ("'cta'", "; did you mean 'cat'?")
    >>> _unknown(["cta", "zebra"], ["cat", "dog"])
    ("'cta' (near: 'cat'), 'zebra'", "; it has 'cat', 'dog'")
    """
    close = {name: near(name, known) for name in names[:SHOWN]}
    if len(names) == 1 and close[names[0]]:
        return repr(names[0]), f"; did you mean {' or '.join(map(repr, close[names[0]]))}?"
    found = {name: f" (near: {', '.join(map(repr, names))})" for name, names in close.items() if names}
    shown = [repr(name) + found.get(name, "") for name in names]
    rest = f" and {len(known) - SHOWN:,} more" if len(known) > SHOWN else ""
    hint = "" if all(map(close.get, names)) else f"; it has {', '.join(map(repr, known[:SHOWN]))}{rest}"
    return ", ".join(shown), hint
