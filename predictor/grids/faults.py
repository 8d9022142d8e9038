"""Faults of a grid file: each with its line, all of them in one error."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from predictor.errors import HANDFUL, SpecError, all_listed, listed

SHOWN_FOUND = 100  # characters of a wrong value or name
MOST_NAMES = 50  # names that are known, of all
Place = tuple[str | int, ...]


def near(name: str, known: Iterable[Any]) -> str:
    """The nearest known name as a question, else all known names.

    >>> near("profle", ["profile", "others"])
    "; did you mean 'profile'?"
    >>> near("xyz", ["profile", "others"])
    '; known: others, profile'
    """
    names = sorted(str(item)[:SHOWN_FOUND] for item in known)
    matches = difflib.get_close_matches(str(name)[:SHOWN_FOUND], names, n=1)
    more = f" and {len(names) - MOST_NAMES:,} more" if len(names) > MOST_NAMES else ""
    return f"; did you mean '{matches[0]}'?" if matches else f"; known: {', '.join(names[:MOST_NAMES])}{more}"


@dataclass
class GridFaults:
    """Collects every fault of a file with its line, so that a user mends them in one go.

    document : what ruamel.yaml's round-trip loader gave; it knows the lines
    """

    path: Path
    document: Any
    found: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.found)

    def add(self, where: Place, text: str) -> None:
        """Note one fault at a place of the document, the same one only once."""
        number = line(self.document, where)
        name = ".".join(str(part)[:SHOWN_FOUND] for part in where)
        self.found.setdefault(f"line {number}: {name + ': ' if name else ''}{text}", number)

    def add_error(self, where: Place, error: Exception, models: Sequence[type[BaseModel]] = ()) -> None:
        """Note what pydantic, or a check of our own, found at a place.

        models : what was read there; names the known keys where one is unknown
        """
        if not isinstance(error, ValidationError):
            self.add(where, str(error))
            return
        for fault in error.errors():
            place = fault["loc"]
            if fault["type"] == "extra_forbidden":
                known = [name for model in models for name in _fields(model, place[:-1])]
                self.add((*where, *place), "unknown key" + near(str(place[-1]), known))
            else:
                self.add((*where, *place), problem(fault))

    def stop(self) -> None:
        """Raise SpecError with all faults in the order of their lines, if there is any; many stand on a line each."""
        faults = sorted(self.found, key=lambda text: self.found[text])
        if len(faults) > HANDFUL:
            raise SpecError(all_listed(f"{len(faults)} faults", faults), where=str(self.path))
        if faults:
            raise SpecError(listed(faults), where=str(self.path))


def problem(fault: Any) -> str:
    """One fault of pydantic in words, with what was found."""
    text = fault["msg"].removeprefix("Value error, ")
    found = fault.get("input")
    if fault["type"] == "missing" or not isinstance(found, str | int | float):
        return text
    if fault["type"] == "string_type":
        text += "; write it in quotes"
    shown = repr(found)
    return f"{text} (found {shown if len(shown) <= SHOWN_FOUND else shown[:SHOWN_FOUND] + '...'})"


def same_keys(value: Any, where: Place = ()) -> Iterator[str]:
    """Keys of a document that become one as text, such as 1 and "1": each with its lines and place."""
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from same_keys(item, (*where, number))
    if not isinstance(value, dict):
        return
    first: dict[str, Any] = {}
    for key, item in value.items():
        before = first.setdefault(str(key), key)
        if before is not key:
            place = ".".join(map(str, (*where, key)))
            lines = [line(value, (each,)) for each in (before, key)]
            yield f"line {lines[1]}: {place}: {key!r} names what {before!r} names in line {lines[0]}"
        yield from same_keys(item, (*where, key))


def line(document: Any, where: Place) -> int:
    """The line, counted from 1, of the innermost part of `where` that the document has."""
    number = document.lc.line + 1 if hasattr(document, "lc") else 1
    for part in where:
        places = getattr(document, "lc", None)
        try:
            number = (places.key(part) if isinstance(document, dict) else places.item(part))[0] + 1
            document = document[part]
        except (AttributeError, KeyError, IndexError, TypeError):
            break
    return number


def _fields(model: type[BaseModel], where: Place) -> list[str]:
    """Names that a mapping at `where` may hold, as far as the model's annotations tell."""
    for part in where:
        entry = model.model_fields.get(str(part))
        inner = [] if entry is None else _models(entry.annotation)
        if inner:
            model = inner[0]
    return list(model.model_fields)


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if hasattr(annotation, "__metadata__"):
        return _models(annotation.__origin__)
    return [m for argument in getattr(annotation, "__args__", ()) for m in _models(argument)]
