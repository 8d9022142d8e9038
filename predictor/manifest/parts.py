"""What lies between a format and its counts: parts of a manifest, whose cells are counted and whose rows are listed.

A reader makes parts; `counting` turns their cells into labels, chooses splits, and adds up. Tables are parts in
`table_parts`; what Python itself lists (folders, shards, annotations) are `ListedPart`s.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from predictor.manifest.cells import REMEDY, Cells, decoded

Cell = tuple[object, str, str, float]  # (value as the format has it, source, split, rows)
Row = (
    tuple[object, str, str, str, int] | tuple[object, str, str, str, int, str]
)  # (value, source, split, image, row, group)
Labels = Callable[[object], tuple[str, ...]]


class ManifestPart(Protocol):
    """A file of a manifest, or a piece of one, in one split as far as its name tells.

    where : in messages; file : for samples; split : of the file's name; has_splits : its rows name splits
    named : its cells are names beyond doubt, of folders or from a list of classes: none is cut or refused
    cells : different cells with their numbers of rows, in any order
    rows : every row in order
    labels : a cell's labels. Raises ValueError for what is none; row_labels : those of one of `rows`
    places : where the rows of these cells stand, and how many they are
    images : {split: images with a label} where cells are pairs of an image and a label, else None
    notes : how this part was read, complete once its cells were given; remedy : of cells that are no labels
    """

    where: str
    file: Path
    split: str
    has_splits: bool
    named: bool
    notes: list[str]
    remedy: str

    def cells(self, labels: Labels) -> Iterator[Cell]: ...

    def rows(self) -> Iterator[Row]: ...

    def labels(self, cell: object, cells: Cells) -> tuple[str, ...]: ...

    def row_labels(self, cell: object, cells: Cells) -> tuple[str, ...]: ...

    def places(
        self, bad: Sequence[object], splits: Collection[str] | None = None
    ) -> tuple[int, list[tuple[str, object]]]: ...

    def images(self, labels: Labels) -> dict[str, int] | None: ...


@dataclass(eq=False)
class ListedPart:
    """Rows that Python lists.

    listing : gives the rows anew each time; counted : the cells, where that is less work than listing the rows
    named : its cells are names beyond doubt; json : they are JSON
    """

    where: str
    file: Path
    listing: Callable[[], Iterable[Row]]
    counted: Callable[[], Iterable[Cell]] | None = None
    split: str = ""
    has_splits: bool = False
    named: bool = False
    json: bool = False
    notes: list[str] = field(default_factory=list)
    remedy: str = REMEDY

    def cells(self, labels: Labels) -> Iterator[Cell]:
        if self.counted:
            yield from self.counted()
            return
        counts: Counter[tuple[object, str, str]] = Counter(
            (value, source, split) for value, source, split, _, _ in self.listing()
        )
        for (value, source, split), n in counts.items():
            yield value, source, split, n

    def rows(self) -> Iterator[Row]:
        yield from self.listing()

    def labels(self, cell: object, cells: Cells) -> tuple[str, ...]:
        return cells.of(decoded(cell) if self.json else cell, named=self.named)

    row_labels = labels

    def places(
        self, bad: Sequence[object], splits: Collection[str] | None = None
    ) -> tuple[int, list[tuple[str, object]]]:
        wanted, found, n = set(bad), [], 0
        for value, _, split, image, row in self.listing():
            if value in wanted and (splits is None or split in splits):
                n += 1
                if len(found) < 10:
                    found.append((repr(image) if image else f"row {row + 1}", value))
        return n, found

    def images(self, labels: Labels) -> dict[str, int] | None:
        return None


@dataclass(frozen=True)
class Opened:
    """A manifest that a reader opened: its parts in order, how it was read, and what a row of it is called."""

    parts: Sequence[ManifestPart]
    notes: Sequence[str] = ()
    noun: str = "row"
