"""Runs of one outcome, as families and folds see them: what each asks of the same runs is found once, then cut."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from predictor.models.case import Case
from predictor.models.scales import ACCURACY, Scale

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Made = TypeVar("Made")


@dataclass(frozen=True, eq=False)
class Row:
    """One run and one of its outcomes.

    value : class-balanced accuracy, a fraction; of an outcome on another scale its share, see `scale`
    tested, correct : (T,) per class, in the order of `case.tested_counts`; empty where unknown
    recipe : network and resolution in words
    data_seed : which images were drawn; None where that is not known
    representative : of a study whose configurations were drawn as a user's would be
    """

    case: Case
    run_id: str
    configuration_id: str
    study: str
    target_set: str
    domain: str
    value: float
    tested: Floats
    correct: Floats
    scale: Scale = ACCURACY
    recipe: str = ""
    data_seed: int | None = None
    representative: bool = False

    @cached_property
    def n_tested(self) -> float:
        """Test images of all classes together; 0 where unknown."""
        return float(self.tested.sum())


LABELS: dict[str, Callable[[Row], str]] = {
    "configuration": lambda row: row.configuration_id,
    "level": lambda row: row.case.level or "",
    "domain": lambda row: row.domain,
    "network": lambda row: row.case.network or "",
    "configuration, level": lambda row: f"{row.configuration_id} {row.case.level}",
    "configuration, target set": lambda row: f"{row.configuration_id} {row.target_set}",
}


class Sample(Sequence[Row]):
    """A sequence of runs: all of an outcome (a whole), or some of a whole's (a part).

    whole, index : the sample that this one is part of, itself where it is whole, and the (n,) positions in it
    """

    def __init__(self, rows: Sequence[Row], whole: Sample | None = None, index: Indices | None = None) -> None:
        self.rows = tuple(rows)
        self.whole = self if whole is None else whole
        self.index = np.arange(len(self.rows)) if index is None else index
        self._kept: dict[Hashable, Any] = {}
        self._key = (id(self.whole), self.index.tobytes())

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Sample:
        """The rows as a sample; a sample stays what it is."""
        return rows if isinstance(rows, Sample) else cls(rows)

    def part(self, index: Indices) -> Sample:
        """Some of the runs; all or none of each configuration's."""
        return Sample([self.rows[i] for i in index.tolist()], self.whole, self.index[index])

    @overload
    def __getitem__(self, at: int) -> Row: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[Row, ...]: ...
    def __getitem__(self, at: int | slice) -> Row | tuple[Row, ...]:
        return self.rows[at]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sample) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __reduce__(self) -> tuple[Any, ...]:
        return Sample, (self.rows,)

    def once(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """What `make` gives; made when it is first asked for."""
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]

    def numbers(self, key: str, number: Callable[[Row], float]) -> Floats:
        """(n,) a number of every run."""
        found = self.whole.once(("number", key), lambda: np.array([number(row) for row in self.whole], dtype=float))
        return found if self is self.whole else found[self.index]

    def feature(self, name: str) -> Floats:
        """(n,) a feature of every run, see `Case.feature`; nan where a run lacks it."""
        return self.numbers(f"feature {name}", lambda row: row.case.feature(name))

    @property
    def values(self) -> Floats:
        """(n,) measured accuracies."""
        return self.numbers("value", lambda row: row.value)

    @property
    def chance(self) -> Floats:
        """(n,) accuracies of a guess."""
        return self.numbers("chance", lambda row: row.case.chance)

    def labelled(self, kind: str) -> tuple[list[str], Indices, Indices]:
        """Distinct labels (one of LABELS) in order, the first run of each, and each run's index into them."""
        names, codes = self.whole.once(("label", kind), lambda: _coded([LABELS[kind](row) for row in self.whole]))
        found, first, index = self._distinct(kind, codes)
        return [names[code] for code in found.tolist()], first, index

    def replicates(self) -> tuple[Indices, Indices]:
        """Runs of a configuration that no feature tells apart: the first of each, and each run's index into them."""
        return self._distinct("replicates", self.whole.once("replicates", self.whole._replicates))[1:]

    def cases(self) -> tuple[list[Case], Indices]:
        """The distinct cases, and each run's index into them."""
        _, first, index = self._distinct("cases", self.whole.once("cases", self.whole._cases))
        return [self.rows[i].case for i in first.tolist()], index

    def _distinct(self, key: str, codes: Indices) -> tuple[Indices, Indices, Indices]:
        """Distinct codes of the runs, the first run of each, and each run's index into them; codes: of the whole."""
        return self.once(
            ("distinct", key), lambda: np.unique(codes[self.index], return_index=True, return_inverse=True)
        )

    def _cases(self) -> Indices:
        numbers: dict[int, int] = {}
        return np.array([numbers.setdefault(id(row.case), len(numbers)) for row in self.rows], dtype=np.int64)

    def _replicates(self) -> Indices:
        numbers: dict[Hashable, int] = {}
        configuration = self.labelled("configuration, level")[2].tolist()
        seen = [
            (name, row.case.chance, tuple(row.case.recipe.items()), row.case.action, tuple(row.case.indicators.items()))
            for name, row in zip(configuration, self.rows, strict=True)
        ]
        codes = np.array([numbers.setdefault(key, len(numbers)) for key in seen], dtype=np.int64)
        return np.array(configuration, dtype=np.int64) * len(self) + codes


def _coded(labels: Sequence[str]) -> tuple[list[str], Indices]:
    names = sorted(set(labels))
    position = {name: i for i, name in enumerate(names)}
    return names, np.array([position[label] for label in labels], dtype=np.int64)
