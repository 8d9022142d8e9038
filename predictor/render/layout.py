"""What fits into the columns of a terminal: texts wrapped between words, tables made narrower step by step.

A table that is too wide gives up, in this order: heads on one line; the middle of long names; columns that its owner
says can be left out, which are named below it; and at last being one table: it is cut into several, each beginning with
the first column. No number and no word is ever broken. Markdown, CSV and JSON always hold everything.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from predictor.text import columns_of, padded

FORMATS = ("table", "json", "csv", "markdown")  # in which a result is printed
USUAL = 120  # columns where nobody says how many: a file, a pipe, a notebook
FEWEST = 40
GAP = 2  # blanks between two columns
NAME = 16  # columns to which a long name may shrink
PROSE = 26  # a text of several words that is longer may be wrapped, and down to so many columns
EASY = 1.6  # a shrunk column keeps so many times its least width as long as other columns can go
NAMED = 13  # columns of the names in front of lines
ELLIPSIS = "…"
TIED = "\xa0"  # a blank at which no line breaks
_UNIT = re.compile(r"(?<=\d) (?=%)")


def width() -> int:
    """Columns to print in: COLUMNS where it is set, else the terminal's, else 120."""
    try:
        own = int(os.environ.get("COLUMNS", ""))
    except ValueError:
        own = 0
    if own <= 0 and sys.stdout is not None and sys.stdout.isatty():
        try:
            own = os.get_terminal_size(sys.stdout.fileno()).columns
        except (OSError, ValueError):
            own = 0
    return max(own, FEWEST) if own > 0 else USUAL


def shortened(text: str, columns: int) -> str:
    """A text of at most so many columns: what is too much is left out of its middle.

    >>> shortened("data/2026/autumn/web-crawl.csv", 16)
    'data/202…awl.csv'
    """
    if columns_of(text) <= columns:
        return text
    head, tail = "", ""
    for first, last in zip(text, reversed(text), strict=True):
        if columns_of(head + first + tail) > columns - 1:
            break
        head += first
        if columns_of(head + last + tail) > columns - 1:
            break
        tail = last + tail
    return f"{head}{ELLIPSIS}{tail}"


def wrapped(text: str, *, indent: str = "", first: str = "", columns: int | None = None) -> str:
    """A text broken between words. first : what its first line begins with; indent : what the others do

    A word longer than a line stays whole, and so does what `whole` made one: it may be to copy. A number keeps its %.

    >>> print(wrapped("one two three", indent="    ", first="a   ", columns=11))
    a   one two
        three
    """
    most = width() if columns is None else columns
    lines, line, empty = [], first, True
    for word in _UNIT.sub(TIED, text).split(" "):
        longer = line + word if empty else f"{line} {word}"
        if not empty and columns_of(longer) > most:
            lines.append(line.rstrip())
            line, longer = indent, indent + word
        line, empty = longer, False
    return "\n".join([*lines, line.rstrip()]).replace(TIED, " ")


def whole(text: str) -> str:
    """A command that is to be copied, which no line breaks.

    >>> print(wrapped(f"now: {whole('predictor fit runs/')}", columns=12))
    now:
    predictor fit runs/
    """
    return text.replace(" ", TIED)


def untied(text: str) -> str:
    """The same for a shell.

    >>> untied(whole("predictor fit runs/"))
    'predictor fit runs/'
    """
    return text.replace(TIED, " ")


def line(name: str, content: str) -> str:
    """A name, and what is said of it, wrapped below itself.

    >>> print(line("range", "inside"))
    range         inside
    """
    return wrapped(content, first=f"{padded(name, NAMED)} ", indent=" " * (NAMED + 1))


@dataclass(frozen=True)
class PagePart:
    """Columns of a table that are printed side by side: their numbers, and how wide each is."""

    columns: tuple[int, ...]
    widths: tuple[int, ...]


def fitted(
    names: Sequence[str], cells: Sequence[Sequence[str]], optional: Sequence[str], most: int
) -> tuple[list[PagePart], list[str]]:
    """The parts that a table is printed in so that none is wider than `most`, and the columns that are left out.

    cells : rows of texts; optional : columns that can be left out, the first one first
    """
    measured = [_Column.of(name, [row[i] for row in cells]) for i, name in enumerate(names)]
    every, left_out = list(range(len(names))), []
    easy = [column.least(EASY) for column in measured]
    for name in [*optional, None]:
        if _fits([easy[i] for i in every], most) or name is None:
            break
        if name in names and (number := names.index(name)) in every:
            every.remove(number)
            left_out.append(name)
    for name in reversed(left_out.copy()):  # a wide column that went may have made room for those before it
        back = sorted([*every, names.index(name)])
        if _fits([easy[i] for i in back], most):
            every = back
            left_out.remove(name)
    hard = [column.least(1.0) for column in measured]
    parts: list[list[int]] = [[]]
    for number in every:
        if parts[-1] and not _fits([hard[i] for i in [*parts[-1], number]], most):
            parts.append([every[0]] if len(parts[-1]) > 1 or every[0] not in parts[-1] else [])
        parts[-1].append(number)
    return [PagePart(tuple(own), _shared([measured[i] for i in own], most)) for own in parts], left_out


@dataclass(frozen=True)
class _Column:
    """Columns of a terminal that a column takes: its head, the head's longest word, its cells, and its least."""

    head: int
    word: int
    cells: int
    smallest: int

    @classmethod
    def of(cls, name: str, cells: Sequence[str]) -> _Column:
        longest = max(map(columns_of, cells), default=0)
        several = longest > PROSE and any(" " in cell for cell in cells)
        if several:
            words = max((columns_of(word) for cell in cells for word in cell.split(" ")), default=0)
            smallest = max(PROSE, min(words, longest))
        else:
            smallest = min(longest, NAME) if not _numbers(cells) else longest
        return cls(columns_of(name), max(map(columns_of, name.split(" "))), longest, smallest)

    def least(self, times: float) -> int:
        return max(self.word, min(self.cells, round(self.smallest * times)))

    @property
    def natural(self) -> int:
        return max(self.head, self.cells)


def _numbers(cells: Sequence[str]) -> bool:
    """Whether no cell is a name: a number with what belongs to it must not lose its middle."""
    return not any(cell[:1].isalpha() or "/" in cell for cell in cells)


def _fits(widths: Sequence[int], most: int) -> bool:
    return sum(widths) + GAP * (len(widths) - 1) <= most


def _shared(columns: Sequence[_Column], most: int) -> tuple[int, ...]:
    """Widths: natural ones where they fit; else first heads are wrapped, then the widest columns give way."""
    widths = [column.natural for column in columns]
    floors = [max(column.word, column.cells) for column in columns]
    for lowest in (floors, [column.least(1.0) for column in columns]):
        while not _fits(widths, most):
            able = [i for i, own in enumerate(widths) if own > lowest[i]]
            if not able:
                break
            widths[max(able, key=lambda i: widths[i])] -= 1
    return tuple(widths)
