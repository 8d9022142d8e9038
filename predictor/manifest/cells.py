"""The one place where cells become labels, or are refused: every reader's cells go through `Cells`.

What a cell holds is a Python value (text, number, list ...), as JSON has them; a reader says what its own cells hold.
"""

from __future__ import annotations

import ast
import json
import math
import re
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from predictor.manifest.counted import ManifestRequest
from predictor.text import MAX_NAME

MAX_CELL = 100_000  # characters of a cell that holds several labels
NO_SEPARATOR = "none"
REMEDY = "write a name or a whole number, or name another column with --label"
TRUTH = ("True", "False", "TRUE", "FALSE")  # as Python and Excel write them
SIMPLE = re.compile(
    rf"(?!\d+e-)(?:\w[\w \-]{{0,{MAX_NAME - 2}}}\w|\w)"
).fullmatch  # a name without a mark that could mean more
_WHOLE = re.compile(r"([+-]?\d+)\.(?:0{0,2}|0{4,})")  # 2.000 may be two thousand
_FRACTION = re.compile(r"[+-]?(?:(?:\d+\.\d*|\.\d+)(?:[eE][+-]?\d+)?|\d+e-\d+)")
_NUMPY = re.compile(r"""['"]\s+['"]""")  # how numpy prints an array of texts
_WORD = re.compile(r"\[\w+\]")  # a name in brackets, as [unknown]
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?([+-]\d\d:?\d\d|Z)?")
_LISTS = ("[", "(", "{")
_BITS = frozenset((0, 1))
VECTOR = re.compile(r"[\[(]?\s*[01](?:\.0*)?(?:[\s,;]+[01](?:\.0*)?)*\s*[\])]?")


@dataclass
class Cells:
    """Turns cells into labels, and remembers what only all cells together can tell.

    request : how cells are to be read
    names : of the numbers in a cell, () where it holds the names themselves
    named : the cells are names beyond doubt (of folders, of categories): one may look like a fraction
    """

    request: ManifestRequest
    lists: int = 0  # cells that held a list
    repeated: int = 0  # labels that stood in their own cell before
    vectors: Counter[int] = field(default_factory=Counter)  # length -> cells that may be vectors of 0 and 1
    sure: bool = False  # one of these cannot be a list of numbers of classes: it repeats one
    plain: bool = False  # a cell that is no such vector
    whole: dict[str, str] = field(default_factory=dict)  # label -> how it was written, with a point

    @cached_property
    def single(self) -> bool:
        """Whether a text is one label, however it looks."""
        return not self.request.one_hot and self.request.several_separator in (None, NO_SEPARATOR)

    def of(self, value: object, names: Sequence[str] = (), named: bool = False) -> tuple[str, ...]:
        """The labels of a cell, each once; () where it is missing. Raises ValueError, with what is wrong."""
        if type(value) is str and not names and self.single and SIMPLE(value) and value not in TRUTH:
            self.plain = True  # as nearly all cells are
            return (value,)
        found = self._of(value, names, named)
        return found[:1] if self.request.several == "first" else found

    def of_names(self, values: Sequence[str]) -> tuple[str, ...]:
        """Classes whose names are known, as those of columns of 0 and 1."""
        self.lists += 1
        return tuple(values[: 1 if self.request.several == "first" else None])

    def _of(self, value: object, names: Sequence[str], named: bool) -> tuple[str, ...]:
        if isinstance(value, str):
            value = value.strip()
            if not value:
                return ()
            if self.request.one_hot and not named:
                return self._of_vector(value, names)
            separator = self.request.several_separator
            if separator and separator != NO_SEPARATOR:
                return self._of_list([part.strip() for part in value.split(separator)], names, named)
            if value[0] in _LISTS and not named and separator != NO_SEPARATOR:
                inner = _written(value)
                if inner is not None:
                    return self._of(inner, names, named)
        elif isinstance(value, list | tuple):
            return self._of_vector(value, names) if self.request.one_hot else self._of_list(value, names, named)
        elif self.request.one_hot and value is not None:
            return self._of_vector(value, names)
        name = self._name(value, names, named)
        if not name:
            return ()
        self.plain = True
        return (name,)

    def _of_list(self, values: Sequence[object], names: Sequence[str], named: bool) -> tuple[str, ...]:
        self.lists += 1
        bits = [_bit(each) for each in values] if not names and not named else []
        if len(bits) > 1 and None not in bits:
            self.vectors[len(bits)] += 1
            self.sure |= bits.count(0) > 1 or bits.count(1) > 1
        elif values:
            self.plain = True
        found = [name for each in values if (name := self._name(each, names, named))]
        once = tuple(dict.fromkeys(found))
        self.repeated += len(found) - len(once)
        return once

    def _of_vector(self, value: object, names: Sequence[str]) -> tuple[str, ...]:
        """The positions of the ones."""
        self.lists += 1
        if isinstance(value, str):
            if not VECTOR.fullmatch(value) or value.isdigit():
                raise ValueError(f"{_shown(value)} is no vector of 0 and 1")
            value = re.findall(r"[01](?:\.0*)?", value)
        bits = [_bit(each) for each in value] if isinstance(value, list | tuple) else [None]
        if None in bits or len(bits) < 2:
            raise ValueError(f"{_shown(value)} is no vector of 0 and 1")
        self.vectors[len(bits)] += 1
        if names and len(names) != len(bits):
            raise ValueError(f"a vector of {len(bits):,} for {len(names):,} names")
        return tuple(names[i] if names else str(i) for i, bit in enumerate(bits) if bit)

    def _name(self, value: object, names: Sequence[str], named: bool) -> str:
        """The label, '' where it is missing."""
        if isinstance(value, str):
            text = value.strip()
            if len(text) > MAX_NAME:
                raise ValueError(f"more than {MAX_NAME:,} characters, begins {text[:50]!r}")
            if names and text:
                return _behind(text, names)
            if "." in text or "e-" in text:
                return self._number(text, named)
            if ":" in text and _TIME.fullmatch(text):
                raise ValueError(f"{text!r} is a time, no class")
            if text in TRUTH:  # as Python writes what other formats write small
                return text.lower()
            return text
        if value is None:
            return ""
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int):
            return _behind(value, names) if names else str(value)
        if isinstance(value, float):
            if math.isnan(value):
                return ""
            if not value.is_integer():
                raise ValueError(f"{value!r} is a number with a fraction, no class")
            text = str(int(value))
            self.whole.setdefault(text, f"{value!r}")
            return _behind(text, names) if names else text
        raise ValueError(f"{_shown(value)} is no label")

    def _number(self, text: str, named: bool) -> str:
        if whole := _WHOLE.fullmatch(text):
            label = "0" if whole[1] == "-0" else whole[1]
            self.whole.setdefault(label, text)
            return label
        if not named and _FRACTION.fullmatch(text):
            raise ValueError(f"{text!r} is a number with a fraction, no class")
        return text


def decoded(cell: str | None) -> object:
    """The value of a cell that is JSON. Raises ValueError for what is none."""
    if cell is None:
        return None
    try:
        return json.loads(cell)
    except RecursionError:
        raise ValueError("is nested too deeply") from None


def _behind(value: int | str, names: Sequence[str]) -> str:
    """The name of a number of a class; -1, which `datasets` stores where a class is not known, is missing."""
    try:
        number = int(value)
    except ValueError:
        raise ValueError(f"{_shown(value)} is no number of a class") from None
    if number == -1:
        return ""
    if not 0 <= number < len(names):
        raise ValueError(f"{number} stands for no class, there are {len(names):,} names")
    return names[number].strip()


def _bit(value: object) -> int | None:
    """0 or 1, None for everything else."""
    if isinstance(value, str):
        text = value.strip().removesuffix(".0").removesuffix(".")
        return int(text) if text in ("0", "1") else None
    if isinstance(value, bool | int | float) and value in _BITS:
        return int(value)
    return None


def _written(text: str) -> list | tuple | None:
    """The list that a text writes, as JSON or as Python does; None for a text that writes none.

    Raises ValueError for what writes something else that is no label, and for a list that cannot be read.
    """
    if len(text) > MAX_CELL:
        raise ValueError(f"more than {MAX_CELL:,} characters, begins {text[:50]!r}")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = _literal(text)
    if isinstance(value, list | tuple):
        return value
    if isinstance(value, dict | set | frozenset):
        raise ValueError(f"{_shown(text)} is no label")
    if text[0] == "[" and text[-1] == "]" and not _WORD.fullmatch(text):
        raise ValueError(f"{_shown(text)} looks like a list, and cannot be read as one")
    return None


def _literal(text: str) -> object:
    """What a text writes in Python; the text itself where it writes nothing."""
    if _NUMPY.search(text):  # Python would read two texts side by side as one
        return text
    try:
        with warnings.catch_warnings():  # of what only looks like an escape
            warnings.simplefilter("ignore")
            return ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return text


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return repr(text[:50]) if isinstance(value, str) else text[:50]
