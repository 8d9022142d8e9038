"""How large a grid may be: looked at before it is unfolded, since few bytes can stand for any number of runs."""

from __future__ import annotations

import math
import re
from typing import Any

from predictor.errors import SpecError
from predictor.reading import MIB

MAX_FILE = MIB  # bytes of a grid file; one that lists 21,000 classes has 400 kB
MAX_NODES = 500_000  # values of a grid, after its aliases are written out
MAX_RUNS = 100_000  # runs of a grid, before those that stand twice are taken out
DEEP, BRACKETS = "is nested deeper than any grid", "check its brackets and aliases"
MAX_DEPTH = 100  # brackets inside each other
MISSES = 5_000  # draws of a random design in a row that bring nothing new


class LargeGrid(SpecError):
    """A grid of more runs than were asked for; n_runs counts also those that stand twice."""

    def __init__(self, n_runs: int, most: int, where: str):
        self.n_runs = n_runs
        super().__init__(f"describes {n_runs:,} runs; at most {most:,} are planned", where=where, remedy="split it")


def count_runs(content: dict[str, Any]) -> int:
    """Runs that a grid describes, from the numbers of its levels alone; what it says need not be sound.

    >>> count_runs({"seeds": [0, 1], "grid": [{"a": [1, 2, 3], "b": 5}], "random": [{"sample": 10}]})
    26
    """
    seeds = content.get("seeds")
    n_seeds = len(seeds) if isinstance(seeds, list) else _whole(seeds.get("n")) if isinstance(seeds, dict) else 1
    crossed = sum(
        math.prod(len(levels) for levels in block.values() if isinstance(levels, list))
        for block in _blocks(content, "grid")
    )
    return max(n_seeds, 1) * (crossed + sum(_whole(design.get("sample")) for design in _blocks(content, "random")))


def check_runs(content: dict[str, Any], where: str, most: int = MAX_RUNS) -> None:
    """Raise LargeGrid for more runs than that."""
    if (n_runs := count_runs(content)) > most:
        raise LargeGrid(n_runs, most, where)


def check_depth(text: str, where: str) -> None:
    """Raise SpecError for brackets that are nested too deep: the reader of YAML takes minutes for thousands of them."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    if _brackets(text) <= MAX_DEPTH:
        return
    depth = 0
    try:  # names may hold brackets: only the reader knows
        for event in YAML(typ="rt").parse(text):
            kind = type(event).__name__
            depth += kind.endswith("StartEvent") - kind.endswith("EndEvent")
            if depth > MAX_DEPTH:
                raise SpecError(DEEP, where=where, remedy=BRACKETS)
    except (YAMLError, ValueError, OverflowError):  # told when it is read
        return


def _brackets(text: str) -> int:
    """At most so deep are the brackets of a text nested.

    >>> _brackets("a: [[1], {b: 2}]")
    2
    """
    depth = deepest = 0
    for found in re.finditer(r"[\[\]{}]", text):
        depth = depth + 1 if found[0] in "[{" else max(depth - 1, 0)
        deepest = max(deepest, depth)
    return deepest


def check_nodes(document: Any, where: str) -> None:
    """Raise SpecError for a document that its aliases make large or deep, or that holds itself.

    Every value is looked at once, however often it is named.
    """
    known: dict[int, tuple[int, int] | None] = {}  # (values, depth); None: being counted

    def measured(value: Any) -> tuple[int, int]:
        if not isinstance(value, dict | list):
            return 1, 0
        if id(value) not in known:
            known[id(value)] = None
            parts = [measured(part) for part in (value.values() if isinstance(value, dict) else value)]
            known[id(value)] = 1 + sum(n for n, _ in parts), 1 + max((depth for _, depth in parts), default=0)
        found = known[id(value)]
        if found is None:
            raise SpecError("a part of it holds itself (an alias, *name)", where=where, remedy="write it out")
        return found

    try:
        n, depth = measured(document)
    except RecursionError:
        n, depth = 0, MAX_DEPTH + 1
    if depth > MAX_DEPTH:
        raise SpecError(DEEP, where=where, remedy=BRACKETS)
    if n > MAX_NODES:
        raise SpecError(
            f"holds {n:,} values once its aliases (*name) are written out; at most {MAX_NODES:,} are read",
            where=where,
            remedy="write it without aliases",
        )


def _blocks(content: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    found = content.get(kind)
    return [block for block in found if isinstance(block, dict)] if isinstance(found, list) else []


def _whole(value: Any) -> int:
    """A number that a grid may state; 1 for any other, which its own check names."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_RUNS else 1
