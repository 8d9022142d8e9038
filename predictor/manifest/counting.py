"""One manifest -> its labels counted, or its images listed: the one path that every format goes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from predictor.errors import SHOWN, ManifestError
from predictor.manifest.cells import REMEDY, Cells
from predictor.manifest.counted import CountedLabels, ManifestRequest, ManifestSample
from predictor.manifest.names import check_names
from predictor.manifest.parts import ManifestPart, Opened
from predictor.manifest.splits import chosen_splits
from predictor.manifest.table import MAX_KEYS, of_rows, shown

if TYPE_CHECKING:
    from predictor.manifest.readers import Reader

Counts = dict[tuple[str, str], float]  # (label, source) -> labels
TOO_MANY_BAD = 1_000  # different cells that are no label, of which no more are looked for


def count_labels(reader: Reader, path: Path, request: ManifestRequest) -> CountedLabels:
    """Count the labels of one manifest.

    Raises ManifestError for a column, split or cell that cannot be used; all bad cells of a file are collected.
    """
    with reader.opened(path, request) as opened:
        return _Reading(str(path), opened, request).counted


def each_sample(reader: Reader, path: Path, request: ManifestRequest) -> tuple[CountedLabels, list[ManifestSample]]:
    """The same counts, and the images behind them in the order of the manifest; those without a label are left out."""
    with reader.opened(path, request) as opened:
        reading = _Reading(str(path), opened, request)
        return reading.counted, list(reading.samples())


class _Reading:
    """The parts of one manifest, counted; each split for itself until all of them are known."""

    def __init__(self, where: str, opened: Opened, request: ManifestRequest):
        self.where, self.opened, self.request = where, opened, request
        self.cells = Cells(request)
        self.labels: defaultdict[str, Counts] = defaultdict(dict)  # by split
        self.images: Counter[str] = Counter()  # images of a split that have a label
        self.missing: Counter[str] = Counter()  # rows of a split without one
        self.several = False  # an image may have several labels
        self.empty: list[tuple[ManifestPart, object]] = []  # cells without a label, some of them
        for part in opened.parts:
            self._add(part)
        self.taken, notes = self._chosen()
        self.counted = self._counted(notes)

    def _add(self, part: ManifestPart) -> None:
        """Add the cells of one part. Raises ManifestError for cells that are no labels, all of them."""
        bad: dict[object, str] = {}

        def labels(cell: object) -> tuple[str, ...]:
            return part.labels(cell, self.cells)

        samples: Counter[str] = Counter()
        before = self.cells.lists
        for cell, source, split, n in part.cells(labels):
            try:
                names = labels(cell)
            except ValueError as error:
                bad[cell] = str(error)
                if len(bad) >= TOO_MANY_BAD:
                    break
                continue
            if not names:
                self.missing[split] += n
                if len(self.empty) < SHOWN:
                    self.empty.append((part, cell))
                continue
            samples[split] += n
            counts = self.labels[split]
            for name in names:
                key = (name, source)
                counts[key] = counts.get(key, 0) + n
        if bad:
            raise self._bad(part, bad)
        if (images := part.images(labels)) is not None:
            samples, self.several = Counter(images), True
        self.several |= self.cells.lists > before
        self.images.update(samples)
        if sum(map(len, self.labels.values())) > MAX_KEYS:
            raise ManifestError(f"more than {MAX_KEYS:,} different labels", where=self.where, remedy=REMEDY)

    def _bad(self, part: ManifestPart, bad: dict[object, str]) -> ManifestError:
        n, found = part.places(list(bad))
        if not n:
            n, found = len(bad), [("a cell", cell) for cell in list(bad)[:SHOWN]]
        problems = [f"{place}: {bad.get(cell, 'is no label')}" for place, cell in found]
        more = " or more" if len(bad) >= TOO_MANY_BAD else ""
        return ManifestError(
            f"{n:,}{more} bad {'label' if n == 1 else 'labels'}, first at {shown(problems, n)}",
            where=part.where,
            remedy=part.remedy,
        )

    def _chosen(self) -> tuple[set[str], tuple[str, ...]]:
        splits = {*self.images, *self.missing}
        if not any(part.has_splits for part in self.opened.parts):
            if self.request.split and any(part.split for part in self.opened.parts):
                return splits, ()  # files were chosen by their names
            return splits, chosen_splits({"": None}, self.request, self.where)[1]
        sizes = {split: whole(self.images[split] + self.missing[split]) for split in splits}
        return chosen_splits(sizes, self.request, self.where)

    def _counted(self, notes: tuple[str, ...]) -> CountedLabels:
        request = self.request
        said, parts = [*self.opened.notes], self.opened.parts
        for part in parts:
            said += part.notes
        said += notes
        counts: Counts = {}
        for split in sorted(self.taken):
            for key, n in self.labels.get(split, {}).items():
                counts[key] = counts.get(key, 0) + n
        n_samples = whole(sum(self.images[split] for split in self.taken))
        if missing := sum(self.missing[split] for split in self.taken):
            said.append(self._without_label(whole(missing)))
        fractions = sum(n != int(n) for n in counts.values()) if request.weight else 0
        if fractions:
            noun = "class" if fractions == 1 else "classes"
            said.append(f"images of {fractions:,} {noun} rounded: their weights add up to no whole number")
        rows = (
            [(*key, whole(n)) for key, n in counts.items()] if request.weight else [(*k, n) for k, n in counts.items()]
        )
        n_labels = sum(n for *_, n in rows)
        said += self._check_vectors()
        said += check_names({name for name, _ in counts}, self.cells, self.where, all(part.named for part in parts))
        if self.several:
            said.append(several_note(n_labels, n_samples, request))
        if self.cells.repeated:
            said.append("labels that stand twice in one cell count once")
        return CountedLabels(
            rows=rows, n_samples=n_samples if self.several or not fractions else None, notes=tuple(dict.fromkeys(said))
        )

    def _check_vectors(self) -> Iterator[str]:
        """A note on vectors of 0 and 1. Raises ManifestError where lists seem to be such and nobody said so."""
        lengths = self.cells.vectors
        if self.request.one_hot:
            if len(lengths) > 1:
                raise ManifestError(
                    f"vectors of different lengths: {', '.join(map(str, sorted(lengths)))}",
                    where=self.where,
                    remedy="give each vector of 0 and 1 a place for every class",
                )
            if lengths:
                yield "a class is the position, from 0, of its 1 in the vector"
        elif len(lengths) == 1 and not self.cells.plain and (self.cells.sure or 2 in lengths):
            raise ManifestError(
                f"cells are lists of {next(iter(lengths))} numbers 0 and 1: vectors, it seems",
                where=self.where,
                remedy="say --one-hot: a class is the position of its 1; where these are names, write them as text",
            )

    def _without_label(self, n: int) -> str:
        noun = of_rows(n).replace("row", self.opened.noun)
        if self.request.missing == "error":
            places = self._empty_places()
            raise ManifestError(
                f"{noun} without a label" + (f": {shown(places, n)}" if places else ""),
                where=self.where,
                remedy="label them, or leave them out with --missing drop",
            )
        return f"{noun} without a label left out"

    def _empty_places(self) -> list[str]:
        places: list[str] = []
        for part in dict.fromkeys(part for part, _ in self.empty):
            cells = [cell for other, cell in self.empty if other is part]
            file = f"{part.file.name}: " if len(self.opened.parts) > 1 and part.file.is_file() else ""
            places += [f"{file}{place}" for place, _ in part.places(cells, self.taken)[1]]
        return places[:SHOWN]

    def samples(self) -> Iterator[ManifestSample]:
        """The images of the chosen splits that have a label."""
        by_names = not any(part.has_splits for part in self.opened.parts)
        for part in self.opened.parts:
            known: dict[object, tuple[str, ...]] = {}
            for cell, source, split, image, row, *group in part.rows():
                if not by_names and split not in self.taken:
                    continue
                if (names := known.get(cell)) is None:
                    names = known[cell] = part.row_labels(cell, self.cells)
                if names:
                    yield ManifestSample(
                        labels=names,
                        split=split or part.split,
                        source=source,
                        image=image,
                        file=part.file,
                        row=row,
                        group=group[0] if group else "",
                    )


def several_note(n_labels: int, n_samples: int, request: ManifestRequest) -> str:
    """How images that carry several labels were counted."""
    how = "each counts once, under its first label"
    if request.several == "all":
        how = "each counts once for every label it has; with --several first, once in all"
    return f"{n_labels:,} labels on {n_samples:,} images: {how}"


def whole(n: float) -> int:
    """A sum of weights as images: rounded, and 1 at least, so that no class is lost."""
    return int(n) if n == int(n) else max(round(n), 1)
