"""Levels of a design: full crossing, and draws from stated ranges."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from predictor.grids.faults import near
from predictor.profiles import Edit
from predictor.spec import Others, Recipe, Stage, StageData

RANGES = ("uniform", "log_uniform", "integer", "log_integer")
# a range over one of these gives whole numbers, whichever kind of range it is
WHOLE = frozenset(
    name
    for part in (StageData, Stage, Recipe, Others, Edit)
    for name, entry in part.model_fields.items()
    if entry.annotation is int or part is Edit
)
MAPPINGS = ("profile", "blend", "others", "edits")  # levels of these are mappings; of all else, numbers or names
LISTS = ("counts", "edits")  # these hold lists that are values; any other list inside a level is a choice


def crossed(block: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every combination of a block's levels; a single level needs no list.

    >>> list(crossed({"a": [1, 2], "b": 3}))
    [{'a': 1, 'b': 3}, {'a': 2, 'b': 3}]
    """
    levels = (value if isinstance(value, list) else [value] for value in block.values())
    for combination in itertools.product(*levels):
        yield dict(zip(block, combination, strict=True))


def drawn(axes: dict[str, Any], seed: int) -> Iterator[dict[str, Any]]:
    """Combinations drawn at random, without end: whoever takes fewer takes the beginning of the same stream.

    Axes are drawn in the order of their names: how a file orders its keys changes nothing.
    Raises ValueError for a range that is none.

    >>> stream = drawn({"ratio": {"log_uniform": [1, 9]}, "samples_per_class": {"log_uniform": [5, 50]}}, 7)
    >>> next(stream)
    {'ratio': 3.949, 'samples_per_class': 40}
    """
    generator = np.random.Generator(np.random.PCG64(seed))
    while True:
        yield {name: draw(axes[name], generator, name) for name in sorted(axes)}


def draw(value: Any, generator: np.random.Generator, name: str) -> Any:
    """One level of an axis or a parameter: a list is a choice, a range gives a number, all else stands as it is."""
    if isinstance(value, list):
        if not value:
            raise ValueError(f"{name} names no level")
        value = value[int(generator.integers(len(value)))]
        if isinstance(value, list):  # several groups of other classes together are one level
            return [_inside(item, generator, name) for item in value]
    return _inside(value, generator, name)


def _inside(value: Any, generator: np.random.Generator, name: str) -> Any:
    if not isinstance(value, dict):
        return value
    if len(value) == 1 and next(iter(value)) in RANGES:
        ((kind, bounds),) = value.items()
        return _number(kind, bounds, float(generator.random()), name)
    level: dict[str, Any] = {}
    for key in sorted(value):
        item = value[key]
        level[key] = (
            [_inside(each, generator, key) for each in item]
            if key in LISTS and isinstance(item, list)
            else draw(item, generator, key)
        )
    return level


def _number(kind: str, bounds: Any, u: float, name: str) -> int | float:
    """Turn u in [0, 1) into a number of the range; whole ones include both bounds, others keep 4 digits."""
    if not (isinstance(bounds, list) and len(bounds) == 2 and all(map(_finite, bounds)) and bounds[0] <= bounds[1]):
        raise ValueError(f"{name}: {kind} needs [low, high], two numbers in this order; found {bounds!r}")
    low, high = bounds
    if kind.startswith("log") and low <= 0:
        raise ValueError(f"{name}: {kind} needs a low bound above 0, found {low!r}")
    whole = name in WHOLE or kind.endswith("integer")
    if whole and not (low == int(low) and high == int(high)):
        raise ValueError(f"{name}: {kind} needs whole bounds here, found {bounds!r}")
    end = high + 1 if whole else high
    number = low * math.exp(u * math.log(end / low)) if kind.startswith("log") else low + u * (end - low)
    return min(int(number + 1e-9), int(high)) if whole else min(max(float(f"{number:.4g}"), low), high)


def _finite(bound: Any) -> bool:
    return isinstance(bound, int | float) and not isinstance(bound, bool) and math.isfinite(bound)


def check_ranges(value: Any, name: str) -> None:
    """Raise ValueError for a range anywhere in a level that is none, drawn or not.

    >>> check_ranges([{"ratio": {"log_unifrm": [1, 9]}}], "profile")
    Traceback (most recent call last):
    ValueError: ratio: 'log_unifrm' is no range; did you mean 'log_uniform'?
    """
    if isinstance(value, list):
        if not value:
            raise ValueError(f"{name} names no level")
        for item in value:
            check_ranges(item, name)
    elif isinstance(value, dict):
        if len(value) == 1 and next(iter(value)) in RANGES:
            ((kind, bounds),) = value.items()
            _number(kind, bounds, 0.5, name)
            return
        if name not in MAPPINGS and not (name == "learning_rate" and "rate" in value):
            kind = next(iter(value), "{}")
            raise ValueError(f"{name}: {kind!r} is no range" + near(kind, RANGES))
        for key, item in value.items():
            check_ranges(item, key)
