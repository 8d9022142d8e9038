"""Configurations by what they have in common, so that no claim looks at all pairs of a large group."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from itertools import islice
from operator import attrgetter, itemgetter
from typing import Any, TypeVar

from predictor.claims.configurations import EQUAL_EPOCHS, EQUAL_STEPS, ROUNDING, Configuration, close

Item = TypeVar("Item")
Key = TypeVar("Key", bound=Hashable)
NUMBERS: dict[str, Callable[[Configuration], float]] = {  # what is equal at a schedule, up to rounding
    EQUAL_STEPS: attrgetter("image_steps"),
    EQUAL_EPOCHS: attrgetter("epochs"),
}


def grouped(items: Iterable[Item], key: Callable[[Item], Key]) -> dict[Key, list[Item]]:
    """{key: its items, in their order}; an unknown key has none.

    >>> grouped("abAc", str.lower)["a"], grouped("", str.lower)["a"]
    (['a', 'A'], [])
    """
    found: dict[Key, list[Item]] = defaultdict(list)
    for item in items:
        found[key(item)].append(item)
    return found


def shape(c: Configuration) -> tuple[Any, ...]:
    """Profile, blend and other classes: the data beside its size."""
    return c.data.profile, c.data.blend, c.others


def place(c: Configuration) -> tuple[Any, ...]:
    """The target images: size, profile and blend."""
    return c.size, c.data.profile, c.data.blend


class Close:
    """Items by a number of each: those whose number equals a given one up to rounding.

    >>> Close([1009, 5, 1000, 1020], float).near(1000)
    [1009, 1000]
    """

    def __init__(self, items: Iterable[Any], number: Callable[[Any], float]) -> None:
        self._own = grouped(enumerate(items), lambda item: number(item[1]))
        self._numbers = sorted(self._own)

    def runs(self, value: float) -> Iterator[list[tuple[int, Any]]]:
        """(place, item) of every number that is close, those of one number together."""
        for number in islice(self._numbers, bisect_left(self._numbers, value * (1 - 2 * ROUNDING)), None):
            if close(number, value):
                yield self._own[number]
            elif number > value:
                break

    def near(self, value: float) -> list[Any]:
        """The items whose number is close, in their order."""
        return [item for _, item in sorted((each for run in self.runs(value) for each in run), key=itemgetter(0))]


class Larger:
    """The smallest of larger configurations that were trained as long.

    alike : what may be compared but for size and schedule
    order : which of two of one size comes first; None: as they stand
    """

    def __init__(self, alike: Sequence[Configuration], order: Callable[[Configuration], Any] | None = None) -> None:
        self._by_size = sorted(alike, key=lambda c: (c.size, order(c)) if order else c.size)
        self._place = {each: number for number, each in enumerate(self._by_size)}
        self._by = {name: Close(self._by_size, number) for name, number in NUMBERS.items()}

    def of(self, base: Configuration, schedule: str, least: float) -> Configuration | None:
        """The smallest of at least this size that is equal to the base at a schedule."""
        found = []
        for run in self._by[schedule].runs(NUMBERS[schedule](base)):
            at = bisect_left(run, least, key=lambda item: item[1].size)
            found += run[at : at + 1]
        return min(found, key=itemgetter(0))[1] if found else None

    def as_long(self, base: Configuration, least: float, *, whatever: bool) -> Configuration | None:
        """The smallest of at least this size at either schedule; whatever: however long it was trained."""
        if whatever:
            at = bisect_left(self._by_size, least, key=attrgetter("size"))
            return self._by_size[at] if at < len(self._by_size) else None
        found = [each for name in NUMBERS if (each := self.of(base, name, least)) is not None]
        return min(found, key=self._place.__getitem__) if found else None
