"""What a manifest reduces to: images per (class, source), and which classes are tested."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from predictor.errors import PredictorError

Counts = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class LabelDistribution:
    """Images per (class, source) of one data set, and the role of each class.

    Build it with `from_counts`; it keeps its entries sorted by (class, source), so that equal content
    is equal whatever order it came in.

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

        Raises PredictorError for a negative or fractional count.

        >>> LabelDistribution.from_counts([("a", "x", 1), ("a", "y", 2), ("a", "x", 3)]).counts.tolist()
        [4, 2]
        """
        rows = ((name, "", n) for name, n in counts.items()) if isinstance(counts, Mapping) else counts
        total: dict[tuple[str, str], int] = {}
        for name, source, count in rows:
            if count != int(count) or count < 0:
                raise PredictorError(f"class {name!r} has count {count!r}; a count is a whole number >= 0")
            if count:
                total[name, source] = total.get((name, source), 0) + int(count)
        keys = sorted(total)
        values = np.fromiter((total[key] for key in keys), dtype=np.int64, count=len(keys))
        values.flags.writeable = False
        return cls(
            classes=tuple(key[0] for key in keys),
            sources=tuple(key[1] for key in keys),
            counts=values,
            targets=None if targets is None else frozenset(targets),
            n_samples=int(values.sum()) if n_samples is None else int(n_samples),
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LabelDistribution) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of the content: the same on every machine and for every input order."""
        state = hashlib.sha256()
        for name, source, count in zip(self.classes, self.sources, self.counts.tolist(), strict=True):
            state.update(f"{len(name)}:{name}{len(source)}:{source}{count};".encode())
        role = "all" if self.targets is None else "\0".join(sorted(self.targets))
        state.update(f"|{role}|{self.n_samples}".encode())
        return state.hexdigest()

    @cached_property
    def _by_class(self) -> tuple[tuple[str, ...], Counts]:
        names: list[str] = []
        totals: list[int] = []
        for name, count in zip(self.classes, self.counts.tolist(), strict=True):  # sorted by class
            if names and names[-1] == name:
                totals[-1] += count
            else:
                names.append(name)
                totals.append(count)
        return tuple(names), np.array(totals, dtype=np.int64)

    @property
    def class_names(self) -> tuple[str, ...]:
        """(C,) names of the classes that have at least one image, sorted."""
        return self._by_class[0]

    @property
    def class_counts(self) -> Counts:
        """(C,) images per class over all sources, in the order of `class_names`."""
        return self._by_class[1]

    @property
    def n_classes(self) -> int:
        """Number of classes that have at least one image."""
        return len(self.class_names)

    @cached_property
    def target_names(self) -> tuple[str, ...]:
        """(T,) names of the tested classes, sorted."""
        return self.class_names if self.targets is None else tuple(sorted(self.targets))

    @cached_property
    def target_counts(self) -> Counts:
        """(T,) images of each tested class, in the order of `target_names`; 0 where it has none."""
        if self.targets is None:
            return self.class_counts
        known = dict(zip(self.class_names, self.class_counts.tolist(), strict=True))
        return np.array([known.get(name, 0) for name in self.target_names], dtype=np.int64)

    @cached_property
    def other_counts(self) -> Counts:
        """Images of each class that is only trained on (the paper's OOD classes)."""
        if self.targets is None:
            return np.empty(0, dtype=np.int64)
        keep = np.fromiter((name not in self.targets for name in self.class_names), dtype=bool)
        return self.class_counts[keep]

    def counts_by_source(self) -> dict[str, int]:
        """{source: labels}, sorted by source."""
        total: dict[str, int] = {}
        for source, count in zip(self.sources, self.counts.tolist(), strict=True):
            total[source] = total.get(source, 0) + count
        return dict(sorted(total.items()))

    def merge(self, other: LabelDistribution) -> LabelDistribution:
        """Add two distributions; the targets are the union where either names targets.

        >>> a, b = (LabelDistribution.from_counts(c) for c in ({"x": 1}, {"x": 2, "y": 5}))
        >>> a.merge(b) == b.merge(a), a.merge(b).class_counts.tolist()
        (True, [3, 5])
        """
        targets = None
        if self.targets is not None or other.targets is not None:
            targets = (self.targets or frozenset()) | (other.targets or frozenset())
        rows = [*self.rows(), *other.rows()]
        return LabelDistribution.from_counts(rows, targets=targets, n_samples=self.n_samples + other.n_samples)

    def with_targets(self, targets: Sequence[str] | None) -> LabelDistribution:
        """The same images with another list of tested classes."""
        return LabelDistribution.from_counts(self.rows(), targets=targets, n_samples=self.n_samples)

    def rows(self) -> list[tuple[str, str, int]]:
        """The entries as (class, source, count)."""
        return list(zip(self.classes, self.sources, self.counts.tolist(), strict=True))
