"""The registry of indicators: one function each, or a family with a parameter behind an '@'."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from predictor.distribution import LabelDistribution
from predictor.errors import PredictorError

DEFAULT_NAMES: list[str] = []  # what `compute` gives when nothing is named; grows as indicators register
_REGISTRY: dict[str, Indicator] = {}


class Undefined(Exception):
    """Raised by an indicator that has no value for a distribution; its text is the reason."""


@dataclass(frozen=True, kw_only=True)
class Indicator:
    """A registered indicator or family.

    direction : +1 more should help, -1 more should hurt, 0 no expectation
    bounds : (low, high), None where open
    parse : text behind '@' -> arguments of the function; None for a single indicator
    """

    name: str
    function: Callable[..., float]
    unit: str
    bounds: tuple[float | None, float | None]
    direction: int
    source: str
    parse: Callable[[str], tuple[object, ...]] | None
    defaults: tuple[str, ...]

    @property
    def summary(self) -> str:
        """First line of the docstring."""
        return (self.function.__doc__ or "").strip().split("\n")[0]


@dataclass(frozen=True, kw_only=True)
class IndicatorValue:
    """A value, or the reason why there is none."""

    value: float | None
    unit: str
    reason: str | None = None


def indicator(
    *,
    unit: str,
    source: str,
    bounds: tuple[float | None, float | None] = (None, None),
    direction: int = 0,
    name: str | None = None,
    parse: Callable[[str], tuple[object, ...]] | None = None,
    defaults: Sequence[str] = (),
) -> Callable[[Callable[..., float]], Callable[..., float]]:
    """Register `function(distribution[, parameters]) -> float` under its own name.

    parse, defaults : for a family: how the text behind '@' is read (ValueError refuses it), and which members
        belong to the default set
    Raises PredictorError for a name that is taken.
    """

    def register(function: Callable[..., float]) -> Callable[..., float]:
        own = name or function.__name__
        if own in _REGISTRY:
            raise PredictorError(f"an indicator named {own!r} is registered already", remedy="choose another name")
        _REGISTRY[own] = Indicator(
            name=own,
            function=function,
            unit=unit,
            bounds=bounds,
            direction=direction,
            source=source,
            parse=parse,
            defaults=tuple(defaults),
        )
        DEFAULT_NAMES.extend([f"{own}@{d}" for d in defaults] if parse else [own])
        return function

    return register


def known(name: str) -> Indicator:
    """The indicator or family behind a name such as 'gini' or 'long_tail@100'.

    Raises PredictorError for an unknown one, with near matches.

    >>> known("left_skew@5").unit
    'share'
    """
    entry, _ = _resolved(name)
    return entry


def _resolved(name: str) -> tuple[Indicator, tuple[object, ...]]:
    base, at, parameter = name.partition("@")
    entry = _REGISTRY.get(base)
    if entry is None:
        near = difflib.get_close_matches(base, _REGISTRY, n=3)
        hint = f"did you mean {', '.join(near)}?" if near else "predictor indicators --list names them all"
        raise PredictorError(f"unknown indicator {name!r}", remedy=hint)
    if entry.parse is None:
        if at:
            raise PredictorError(f"indicator {base!r} takes no parameter; found {name!r}")
        return entry, ()
    try:
        return entry, entry.parse(parameter)
    except ValueError:
        example = f"{base}@{entry.defaults[0] if entry.defaults else 5}"
        raise PredictorError(
            f"indicator {name!r} has no readable parameter", remedy=f"write it like {example}"
        ) from None


def compute(distribution: LabelDistribution, names: Sequence[str] | None = None) -> dict[str, IndicatorValue]:
    """{name: value or reason} of a label distribution; by default every registered indicator.

    Raises PredictorError for an unknown name.
    """
    values: dict[str, IndicatorValue] = {}
    for name in names if names is not None else DEFAULT_NAMES:
        entry, arguments = _resolved(name)
        try:
            value = float(entry.function(distribution, *arguments))
        except Undefined as reason:
            values[name] = IndicatorValue(value=None, unit=entry.unit, reason=str(reason))
            continue
        if not math.isfinite(value):
            values[name] = IndicatorValue(value=None, unit=entry.unit, reason=f"the formula gives {value}")
        else:
            values[name] = IndicatorValue(value=value, unit=entry.unit)
    return values


def listing() -> list[dict[str, object]]:
    """One row an indicator or family: name, unit, direction, source, summary."""
    return [
        {
            "name": entry.name if entry.parse is None else f"{entry.name}@{','.join(entry.defaults)}",
            "unit": entry.unit,
            "direction": {1: "more helps", -1: "more hurts", 0: "open"}[entry.direction],
            "what": entry.summary,
            "source": entry.source,
        }
        for entry in _REGISTRY.values()
    ]
