"""The interface of a model family, and the registry of families."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictor.errors import FitError
from predictor.models.rows import Row, Sample
from predictor.statistics.ties import varies

Floats = NDArray[np.float64]
MINIMUM = 6  # configurations that any family needs


@dataclass(frozen=True)
class Family:
    """A named way to learn parameters.

    fit : rows -> parameters: plain data of a kind with an `evaluator`; None of an average, which has no fit of its own
    baseline : shown for comparison, never chosen while a model can be fitted
    needs_counts : works only on runs whose class counts and per-class results are known
    averages : the mean of the other models
    default : competes unless families are named; else only where it is named
    tables : unless it is named, competes only for runs of which no class counts are known: tables of others
    """

    name: str
    fit: Callable[[Sequence[Row]], dict[str, Any]] | None
    baseline: bool = False
    needs_counts: bool = False
    averages: bool = False
    default: bool = True
    tables: bool = False
    doc: str = ""


_FAMILIES: dict[str, Family] = {}


def family(
    name: str,
    *,
    baseline: bool = False,
    needs_counts: bool = False,
    default: bool = True,
    tables: bool = False,
) -> Callable[[Callable[[Sequence[Row]], dict[str, Any]]], Callable[[Sequence[Row]], dict[str, Any]]]:
    """Register a fitting function as a model family. A name is taken only once.

    >>> @family("mean")
    ... def again(rows):
    ...     return {}
    Traceback (most recent call last):
        ...
    predictor.errors.FitError: model family 'mean' is registered already. choose another name
    """

    def register(fit: Callable[[Sequence[Row]], dict[str, Any]]) -> Callable[[Sequence[Row]], dict[str, Any]]:
        doc = (fit.__doc__ or "").strip().partition("\n")[0]
        add_family(Family(name, fit, baseline, needs_counts, default=default, tables=tables, doc=doc))
        return fit

    return register


def add_family(item: Family) -> None:
    """Register a family. Raises FitError for a name that is taken."""
    if item.name in _FAMILIES:
        raise FitError(f"model family {item.name!r} is registered already", remedy="choose another name")
    _FAMILIES[item.name] = item


def families() -> dict[str, Family]:
    """{name: family}: baselines first, then in the order of registration."""
    return {item.name: item for item in sorted(_FAMILIES.values(), key=lambda item: not item.baseline)}


def fitted(item: Family, rows: Sequence[Row]) -> dict[str, Any]:
    """Parameters of the family; the same rows, met again in another split or below another family, cost nothing."""
    return _fitted(item, Sample.of(rows))


@lru_cache(maxsize=512)
def _fitted(item: Family, rows: Sample) -> dict[str, Any]:
    if item.fit is None:
        raise FitError(f"family {item.name} is the mean of others and has no fit of its own")
    return item.fit(rows)


def forget() -> None:
    """Drop what `fitted` keeps."""
    _fitted.cache_clear()


def feature_matrix(rows: Sequence[Row], names: Sequence[str]) -> Floats:
    """(n, p) features of the rows; nan where a row lacks one."""
    sample = Sample.of(rows)
    return np.array([sample.feature(name) for name in names]).reshape(len(names), len(rows)).T.copy()


def usable(rows: Sequence[Row], names: Sequence[str]) -> list[str]:
    """The features that every row has and that differ between rows."""
    values = feature_matrix(rows, names)
    return [name for name, column in zip(names, values.T, strict=True) if np.isfinite(column).all() and varies(column)]


def require_features(rows: Sequence[Row], names: Sequence[str], family_name: str) -> None:
    """Refuse rows that lack a feature, by name."""
    missing = [
        name for name, column in zip(names, feature_matrix(rows, names).T, strict=True) if np.isnan(column).any()
    ]
    if missing:
        raise FitError(
            f"family {family_name} needs {', '.join(missing)}, which some runs lack",
            remedy="leave those studies out with --study, or name another --family",
        )


def replicate_weights(rows: Sequence[Row]) -> Floats:
    """(n,) 1 / seeds of the run's configuration: every configuration weighs the same."""
    _, _, index = Sample.of(rows).labelled("configuration")
    return 1.0 / np.bincount(index)[index]


def level_index(rows: Sequence[Row]) -> tuple[list[str], NDArray[np.int64]]:
    """Names of the levels (target set and recipe), and each row's index into them."""
    names, _, index = Sample.of(rows).labelled("level")
    return names, index


def finite(value: float) -> float:
    """The value, or an error of the program where it is not finite: parameters are never NaN."""
    if not math.isfinite(value):
        raise FloatingPointError("a fitted parameter is not finite")
    return float(value)
