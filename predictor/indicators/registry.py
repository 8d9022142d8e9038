"""The registry of indicators: one function each, or a family with a parameter behind an '@'."""

from __future__ import annotations

import difflib
import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import cache

from predictor.distribution import LabelDistribution
from predictor.errors import PredictorError
from predictor.images.results import Probe

DEFAULT_NAMES: list[str] = []  # what `compute` gives when nothing is named; grows as indicators register
_REGISTRY: dict[str, Indicator] = {}


class Undefined(Exception):
    """Raised by an indicator that has no value for a distribution; its text is the reason."""


@dataclass(frozen=True, kw_only=True)
class Context:
    """What a few indicators need beside the label distribution. One that names a field as a keyword-only argument
    of its function is given it.

    test : labels of the test set; None where it is unknown
    stages : label distributions of all training stages, the first one first; empty: there is only this one
    synthetic : names of sources that hold rendered images, beside those whose name says so
    probe : of the training images; None where they were not probed
    """

    test: LabelDistribution | None = None
    stages: tuple[LabelDistribution, ...] = ()
    synthetic: frozenset[str] = frozenset()
    probe: Probe | None = None


DIRECTIONS = {1: "more helps", -1: "more hurts", 0: "open"}
NOTHING_MORE = Context()
_OF_CONTEXT = {field.name for field in fields(Context)}


@dataclass(frozen=True, kw_only=True)
class Indicator:
    """A registered indicator or family.

    direction : +1 more should help, -1 more should hurt, 0 no expectation
    bounds : (low, high), None where open
    parse : text behind '@' -> arguments of the function; None for a single indicator
    parameter : what the text behind '@' is called
    needs : fields of `Context` that the function takes
    error_of : the indicator whose standard error this is; None: an indicator
    """

    name: str
    function: Callable[..., float]
    unit: str
    bounds: tuple[float | None, float | None]
    direction: int
    source: str
    parse: Callable[[str], tuple[object, ...]] | None
    parameter: str
    defaults: tuple[str, ...]
    needs: tuple[str, ...]
    error_of: str | None

    @property
    def summary(self) -> str:
        """First line of the docstring."""
        return (self.function.__doc__ or "").strip().split("\n")[0]

    @property
    def definition(self) -> str:
        """The docstring up to its example, in one line."""
        text = inspect.cleandoc(self.function.__doc__ or "").split(">>>")[0]
        return " ".join(text.split())

    @property
    def range(self) -> str:
        """The bounds in words."""
        low, high = self.bounds
        if low is not None and high is not None:
            return f"{low:g} to {high:g}"
        return "any" if low is None and high is None else f">= {low:g}" if high is None else f"<= {high:g}"


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
    parameter: str = "x",
    defaults: Sequence[str] = (),
    error_of: str | None = None,
) -> Callable[[Callable[..., float]], Callable[..., float]]:
    """Register `function(distribution[, parameters]) -> float` under its own name.

    parse, parameter, defaults : for a family: how the text behind '@' is read (ValueError refuses it), what it is
        called, and which members belong to the default set
    error_of : name of the indicator whose standard error this is: shown beside it, never taken for an indicator
    A keyword-only argument named like a field of `Context` is filled from it.
    Raises PredictorError for a name that is taken or cannot be written, and for an argument that nothing fills.
    """

    def register(function: Callable[..., float]) -> Callable[..., float]:
        own = name or function.__name__
        if own in _REGISTRY:
            raise PredictorError(f"an indicator named {own!r} is registered already", remedy="choose another name")
        if "@" in own or own != own.strip() or not own:
            raise PredictorError(f"an indicator cannot be named {own!r}", remedy="write it like a function's name")
        arguments = inspect.signature(function).parameters.values()
        needs = tuple(argument.name for argument in arguments if argument.kind is inspect.Parameter.KEYWORD_ONLY)
        if strange := sorted(set(needs) - _OF_CONTEXT):
            raise PredictorError(
                f"indicator {own!r} asks for {strange[0]!r}", remedy=f"choose of {', '.join(sorted(_OF_CONTEXT))}"
            )
        _resolved.cache_clear()
        _REGISTRY[own] = Indicator(
            name=own,
            function=function,
            unit=unit,
            bounds=bounds,
            direction=direction,
            source=source,
            parse=parse,
            parameter=parameter,
            defaults=tuple(defaults),
            needs=needs,
            error_of=error_of,
        )
        if error_of is None:
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


@cache  # a fit asks for the same names for each of its configurations
def _resolved(name: str) -> tuple[Indicator, tuple[object, ...]]:
    base, at, parameter = name.partition("@")
    entry = _REGISTRY.get(base)
    if entry is None:
        near = _similar(base, tuple(_REGISTRY))
        hint = f"did you mean {', '.join(near)}?" if near else "list them: predictor indicators --list"
        raise PredictorError(f"unknown indicator {name!r}", remedy=hint)
    if entry.parse is None:
        if at:
            raise PredictorError(f"indicator {base!r} takes no parameter; found {name!r}")
        return entry, ()
    try:
        return entry, entry.parse(parameter)
    except ValueError:
        example = f"{base}@{entry.defaults[0] if entry.defaults else entry.parameter}"
        raise PredictorError(
            f"indicator {name!r} has no readable parameter", remedy=f"write it like {example}"
        ) from None


@cache  # errors of `_resolved` are not kept, and many are caught
def _similar(base: str, names: tuple[str, ...]) -> list[str]:
    return difflib.get_close_matches(base, names, n=3)


def compute(
    distribution: LabelDistribution, names: Sequence[str] | None = None, context: Context = NOTHING_MORE
) -> dict[str, IndicatorValue]:
    """{name: value or reason} of a label distribution; by default every registered indicator, see `default_names`.

    Raises PredictorError for an unknown name.
    """
    values: dict[str, IndicatorValue] = {}
    for name in names if names is not None else default_names(context):
        entry, arguments = _resolved(name)
        given = {need: getattr(context, need) for need in entry.needs}
        try:
            value = float(entry.function(distribution, *arguments, **given))
        except Undefined as reason:
            values[name] = IndicatorValue(value=None, unit=entry.unit, reason=str(reason))
            continue
        if not math.isfinite(value):
            values[name] = IndicatorValue(value=None, unit=entry.unit, reason=f"the formula gives {value}")
        else:
            values[name] = IndicatorValue(value=value, unit=entry.unit)
    return values


def default_names(context: Context = NOTHING_MORE) -> list[str]:
    """DEFAULT_NAMES without those of a probe of the images, where there is none.

    >>> "probe_slope" in DEFAULT_NAMES, "probe_slope" in default_names()
    (True, False)
    """
    if context.probe is not None:
        return list(DEFAULT_NAMES)
    return [name for name in DEFAULT_NAMES if "probe" not in _REGISTRY[name.partition("@")[0]].needs]


def with_errors(names: Sequence[str]) -> list[str]:
    """The names, each followed by its standard error where one is registered.

    >>> with_errors(["gini", "zipf_exponent"])
    ['gini', 'zipf_exponent', 'zipf_exponent_se']
    """
    errors = {entry.error_of: entry.name for entry in registered() if entry.error_of}
    return [shown for name in names for shown in (name, errors.get(name)) if shown]


def registered() -> list[Indicator]:
    """Every indicator and family, in order of registration."""
    return list(_REGISTRY.values())


def listing() -> list[dict[str, object]]:
    """One row an indicator or family: name, unit, range, direction, summary, source."""
    return [
        {
            "name": entry.name
            if entry.parse is None
            else f"{entry.name}@{','.join(entry.defaults) or entry.parameter}",
            "unit": entry.unit,
            "range": entry.range,
            "direction": DIRECTIONS[entry.direction],
            "what": entry.summary,
            "source": entry.source,
        }
        for entry in registered()
    ]
