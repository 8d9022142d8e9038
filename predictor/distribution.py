"""What a manifest reduces to: images per (class, source), and which classes are tested."""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import compress, islice

import numpy as np
from numpy.typing import NDArray

from predictor.errors import PredictorError, listed

Counts = NDArray[np.int64]
Mask = NDArray[np.bool_]

MAX_IMAGES = 2**63 - 1  # all counts of a distribution together: a 64-bit number holds their sum


@dataclass(frozen=True, eq=False)
class LabelDistribution:
    """Images per (class, source) of one data set, and the role of each class.

    Build it with `from_counts`; it keeps its entries sorted by (class, source), so that equal content
    is equal whatever order it came in. It never changes: its arrays are read-only.

    classes : (E,) class name of each entry
    sources : (E,) source of each entry, '' where the manifest names none
    counts : (E,) labels of each entry, every one >= 1
    targets : names of the tested classes, or None: every class is a target. A target may have no image.
    n_samples : number of images; equals the sum of counts unless images carry several labels

    >>> d = LabelDistribution.from_counts({"cat": 50, "dog": 10, "road": 40}, targets=["cat", "dog"])
    >>> d.n_classes, d.n_samples, d.target_counts.tolist(), d.other_counts.tolist()
    (3, 100, [50, 10], [40])
    """

    classes: tuple[str, ...]
    sources: tuple[str, ...]
    counts: Counts
    targets: frozenset[str] | None
    n_samples: int

    @classmethod
    def from_counts(
        cls,
        counts: Mapping[str, int] | Iterable[tuple[str, str, int]],
        *,
        targets: Iterable[str] | None = None,
        n_samples: int | None = None,
    ) -> LabelDistribution:
        """From {class: count} or (class, source, count) rows; repeated keys add up, zeros are dropped.

        Raises PredictorError for a count that is no whole number >= 0, a name that is no text, and more than
        2^63 - 1 images.

        >>> LabelDistribution.from_counts([("a", "x", 1), ("a", "y", 2), ("a", "x", 3)]).counts.tolist()
        [4, 2]
        """
        rows = [(name, "", n) for name, n in counts.items()] if isinstance(counts, Mapping) else list(counts)
        _check(rows)
        rows.sort()
        keys = [(name, source) for name, source, count in rows if count]
        values = np.fromiter((count for _, _, count in rows if count), dtype=np.int64, count=len(keys))
        starts = _starts(keys)
        if len(starts) < len(keys):  # a key that stands there twice
            values = np.add.reduceat(values, starts)
            keys = [keys[start] for start in starts.tolist()]
        return cls(
            classes=tuple(key[0] for key in keys),
            sources=tuple(key[1] for key in keys),
            counts=_fixed(values),
            targets=None if targets is None else frozenset(targets),
            n_samples=int(values.sum()) if n_samples is None else int(n_samples),
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LabelDistribution) and (
            self.n_samples == other.n_samples
            and self.targets == other.targets
            and self.classes == other.classes
            and self.sources == other.sources
            and np.array_equal(self.counts, other.counts)
        )

    def __hash__(self) -> int:
        return hash(self.digest)

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of the content: the same on every machine and for every input order."""
        entries = zip(self.classes, self.sources, self.counts.tolist(), strict=True)
        text = "".join([f"{len(name)}:{name}{len(source)}:{source}{count};" for name, source, count in entries])
        role = "all" if self.targets is None else "\0".join(sorted(self.targets))
        if self.targets is not None and (role == "all" or any("\0" in name for name in self.targets)):
            role = "".join(
                f"{len(name)}:{name}" for name in sorted(self.targets)
            )  # else it would read as other targets
        # a folder's name need not be text: its odd bytes are kept as they are
        return hashlib.sha256(f"{text}|{role}|{self.n_samples}".encode(errors="surrogatepass")).hexdigest()

    @cached_property
    def _by_class(self) -> tuple[tuple[str, ...], Counts]:
        starts = _starts(self.classes)  # sorted by class
        if len(starts) == len(self.classes):
            return self.classes, self.counts
        names = operator.itemgetter(*starts.tolist())(self.classes) if len(starts) > 1 else self.classes[:1]
        return tuple(names), _fixed(np.add.reduceat(self.counts, starts))

    @property
    def class_names(self) -> tuple[str, ...]:
        """(C,) names of the classes that have at least one image, sorted."""
        return self._by_class[0]

    @property
    def class_counts(self) -> Counts:
        """(C,) images per class over all sources, in the order of `class_names`."""
        return self._by_class[1]

    @cached_property
    def ranked_counts(self) -> Counts:
        """(C,) images per class from the largest class to the smallest.

        >>> LabelDistribution.from_counts({"a": 1, "b": 9, "c": 4}).ranked_counts.tolist()
        [9, 4, 1]
        """
        return _fixed(np.sort(self.class_counts)[::-1])

    @property
    def n_classes(self) -> int:
        """Number of classes that have at least one image."""
        return len(self.class_names)

    @cached_property
    def is_target(self) -> Mask:
        """(C,) whether each class of `class_names` is tested; the rest is only trained on.

        >>> LabelDistribution.from_counts({"cat": 50, "road": 40}, targets=["cat"]).is_target.tolist()
        [True, False]
        """
        if self.targets is None:
            return _fixed(np.ones(self.n_classes, dtype=bool))
        return _fixed(_member(self.class_names, self.targets))

    @cached_property
    def target_names(self) -> tuple[str, ...]:
        """(T,) names of the tested classes, sorted."""
        return self.class_names if self.targets is None else tuple(sorted(self.targets))

    @cached_property
    def target_counts(self) -> Counts:
        """(T,) images of each tested class, in the order of `target_names`; 0 where it has none."""
        if self.targets is None:
            return self.class_counts
        found = self.class_counts[self.is_target]  # both lists of names are sorted
        if len(found) == len(self.target_names):
            return _fixed(found)
        counts = np.zeros(len(self.target_names), dtype=np.int64)
        counts[_member(self.target_names, set(compress(self.class_names, self.is_target.tolist())))] = found
        return _fixed(counts)

    @cached_property
    def ranked_target_counts(self) -> Counts:
        """(T,) images of the tested classes from the largest class to the smallest; 0 where a class has none."""
        return self.ranked_counts if self.targets is None else _fixed(np.sort(self.target_counts)[::-1])

    @cached_property
    def other_counts(self) -> Counts:
        """Images of each class that is only trained on (the paper's OOD classes)."""
        return _fixed(self.class_counts[~self.is_target])

    def counts_by_source(self) -> dict[str, int]:
        """{source: labels}, sorted by source."""
        place = {source: i for i, source in enumerate(sorted(set(self.sources)))}
        if len(place) == 1:
            return dict.fromkeys(place, int(self.counts.sum()))
        total = np.zeros(len(place), dtype=np.int64)
        np.add.at(total, np.fromiter(map(place.__getitem__, self.sources), dtype=np.int64), self.counts)
        return dict(zip(place, total.tolist(), strict=True))

    def merge(self, *others: LabelDistribution) -> LabelDistribution:
        """Add distributions up; the targets are the union of the named ones.

        Associative and commutative, and an empty distribution adds nothing: shards may be counted anywhere and
        added in any order. Where none names targets, every class stays a target.

        >>> a, b = (LabelDistribution.from_counts(c) for c in ({"x": 1}, {"x": 2, "y": 5}))
        >>> a.merge(b) == b.merge(a), a.merge(b).class_counts.tolist()
        (True, [3, 5])
        """
        parts = (self, *others)
        named = [part.targets for part in parts if part.targets is not None]
        return LabelDistribution.from_counts(
            [row for part in parts for row in part.rows()],
            targets=frozenset().union(*named) if named else None,
            n_samples=sum(part.n_samples for part in parts),
        )

    def subset(
        self, classes: Iterable[str] | None = None, *, sources: Iterable[str] | None = None
    ) -> LabelDistribution:
        """The images of some classes, of some sources, or of both; None: of all.

        A class that is left out is no target any more. Raises PredictorError for a class or source that has no image
        here, and where images carry several labels: the counts do not tell how many images are left.

        >>> d = LabelDistribution.from_counts([("cat", "web", 5), ("cat", "lab", 2), ("dog", "web", 4)])
        >>> d.subset(["cat"]).n_samples, d.subset(sources=["web"]).rows()
        (7, [('cat', 'web', 5), ('dog', 'web', 4)])
        """
        if self.n_samples != int(self.counts.sum()):
            raise PredictorError(
                "images carry several labels, so the counts do not tell how many images a part has",
                remedy="count the part's own manifest",
            )
        keep = np.ones(len(self.classes), dtype=bool)
        targets = self.targets
        if classes is not None:
            wanted = _known("class", classes, set(self.classes) | (self.targets or frozenset()))
            keep &= _member(self.classes, wanted)
            targets = None if targets is None else targets & wanted
        if sources is not None:
            keep &= _member(self.sources, _known("source", sources, set(self.sources)))
        counts = _fixed(self.counts[keep])
        kept = keep.tolist()
        return LabelDistribution(
            classes=tuple(compress(self.classes, kept)),
            sources=tuple(compress(self.sources, kept)),
            counts=counts,
            targets=targets,
            n_samples=int(counts.sum()),
        )

    def scaled(self, factor: float) -> LabelDistribution:
        """The same label set with `factor` times the images (V-scaling).

        Each count is rounded to the nearest whole number, half to even, and to 1 at least: no class is lost.
        Raises PredictorError for a factor that is no finite number > 0, and for more than 2^63 - 1 images.

        >>> LabelDistribution.from_counts({"a": 100, "b": 10, "c": 1}).scaled(0.25).counts.tolist()
        [25, 2, 1]
        """
        if not 0 < factor < float("inf"):
            raise PredictorError(f"a factor is a finite number > 0; found {factor!r}")
        if factor * float(max(self.counts.sum(dtype=float), self.n_samples)) >= MAX_IMAGES / 2:
            raise PredictorError(f"scaled by {factor!r} it has more than {MAX_IMAGES:,} images")
        if factor == int(factor):
            counts = _fixed(self.counts * int(factor))
        else:
            counts = _fixed(np.maximum(np.rint(self.counts * factor), 1).astype(np.int64))
        single = self.n_samples == int(self.counts.sum())
        return replace(self, counts=counts, n_samples=int(counts.sum()) if single else round(self.n_samples * factor))

    def with_targets(self, targets: Sequence[str] | None) -> LabelDistribution:
        """The same images with another list of tested classes."""
        return replace(self, targets=None if targets is None else frozenset(targets))

    def rows(self) -> list[tuple[str, str, int]]:
        """The entries as (class, source, count)."""
        return list(zip(self.classes, self.sources, self.counts.tolist(), strict=True))


def _fixed(values: NDArray) -> NDArray:
    values.flags.writeable = False
    return values


def _starts(keys: Sequence[object]) -> Counts:
    """Where each run of equal neighbours begins."""
    differ = np.fromiter(map(operator.ne, islice(keys, 1, None), keys), dtype=bool, count=max(len(keys) - 1, 0))
    return np.concatenate([np.zeros(min(len(keys), 1), dtype=np.int64), np.flatnonzero(differ) + 1])


def _member(names: Sequence[str], members: frozenset[str] | set[str]) -> Mask:
    return np.fromiter(map(members.__contains__, names), dtype=bool, count=len(names))


def _known(kind: str, names: Iterable[str], known: set[str]) -> frozenset[str]:
    wanted = frozenset([names] if isinstance(names, str) else names)
    if strange := sorted(wanted - known):
        raise PredictorError(f"no image of {kind} {listed([repr(name) for name in strange])}")
    return wanted


def _check(rows: Sequence[tuple[str, str, int]]) -> None:
    """Refuse what cannot be counted; the quick tests of whole columns spare a look at every cell."""
    names, sources, counts = ([row[i] for row in rows] for i in range(3))
    if set(map(type, names)) | set(map(type, sources)) > {str}:
        for name, source in zip(names, sources, strict=True):
            if not isinstance(name, str) or not isinstance(source, str):
                raise PredictorError(f"class {name!r} of source {source!r}; both are text")
    if set(map(type, counts)) != {int} or min(counts) < 0:
        for name, count in zip(names, counts, strict=True):
            if not _is_count(count):
                raise PredictorError(f"class {name!r} has count {count!r}; a count is a whole number >= 0")
    if (total := sum(map(int, counts))) > MAX_IMAGES:
        raise PredictorError(f"{total:,} images; at most {MAX_IMAGES:,} can be counted")


def _is_count(count: object) -> bool:
    try:
        return int(count) == count and count >= 0  # type: ignore[call-overload, operator]
    except (TypeError, ValueError, OverflowError):  # text, nan, infinite
        return False
