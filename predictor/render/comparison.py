"""Indicators of manifests side by side: a column a manifest, then what each differs from the first one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING

from predictor.indicators import IndicatorValue
from predictor.render.layout import wrapped
from predictor.render.tables import markdown, number, rows_text
from predictor.text import visible

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from predictor.indicators.results import Indicators

Found = Mapping[str, Mapping[str, IndicatorValue]]  # {manifest: {indicator: value or reason}}


def comparison_text(found: Found, form: str) -> str:
    """Table, Markdown or CSV of indicators that were computed for the same names.

    The last columns say by how much each further manifest differs from the first one, in the indicator's unit. Why
    one has no value stands below a table; CSV has it in a last column, and full precision.

    >>> from predictor import LabelDistribution, compute
    >>> a, b = (compute(LabelDistribution.from_counts(c), ["gini"]) for c in ({"x": 4}, {"x": 3, "y": 1}))
    >>> print(comparison_text({"a.csv": a, "b.csv": b}, "csv"))
    indicator,unit,a.csv,b.csv,b.csv - a.csv
    gini,coefficient,0.0,0.25,0.25
    """
    heads = dict(zip(found, found if form == "csv" else short_names(list(found)), strict=True))
    first, *others = found
    formats: dict[str, Callable[[float], str]] = dict.fromkeys(heads.values(), number)
    rows = []
    for name, value in found[first].items():
        row: dict[str, object] = {"indicator": name, "unit": value.unit}
        row |= {head: found[path][name].value for path, head in heads.items()}
        for path in others:
            column = f"{heads[path]} - {heads[first]}"
            row[column] = _difference(found[path][name].value, value.value)
            formats[column] = signed
        rows.append(row)
    reasons = {name: told for name in found[first] if (told := _reasons_of(name, found, heads))}
    if form == "csv":
        for row in rows if reasons else ():
            row["reason"] = "; ".join(reasons.get(str(row["indicator"]), ())) or None
        return rows_text(rows, form)
    lines = [line for own in reasons.values() for line in own]
    text = rows_text(rows, form, formats=formats, optional=("unit",))
    shown = [
        f"- {markdown(visible(line))}" if form == "markdown" else wrapped(visible(line), indent="  ") for line in lines
    ]
    return "\n".join([text, "", *shown]).rstrip("\n")


def signed(value: float) -> str:
    """A difference as a person reads it.

    >>> signed(1234.5), signed(-0.5), signed(0.0)
    ('+1,234', '-0.5', '0')
    """
    return f"+{number(value)}" if value > 0 else number(value)


def short_names(paths: Sequence[str]) -> list[str]:
    """The ends of paths, as long as they must be to tell them apart; a single one stays as it is.

    >>> short_names(["data/a/train.csv", "data/b/train.csv"]), short_names(["data/a/train.csv"])
    (['a/train.csv', 'b/train.csv'], ['data/a/train.csv'])
    """
    if len(paths) == 1:
        return list(paths)
    parts = [PurePath(path).parts or (path,) for path in paths]
    for length in range(1, max(map(len, parts), default=1) + 1):
        names = [str(PurePath(*own[-length:])) for own in parts]
        if len(set(names)) == len(set(paths)):
            return names
    return list(paths)


def _difference(value: float | None, first: float | None) -> float | None:
    return None if value is None or first is None else value - first


def _reasons_of(name: str, found: Found, heads: Mapping[str, str]) -> list[str]:
    """Why an indicator has no value; the manifest is named where others have one, or another reason."""
    own = {path: values[name].reason for path, values in found.items() if values[name].value is None}
    if len(own) == len(found) and len(set(own.values())) == 1:
        return [f"{name}: {next(iter(own.values()))}"]
    return [f"{name} of {heads[path]}: {reason}" for path, reason in own.items()]


def summary(found: Indicators, fmt: str = "table") -> str:
    """The indicators side by side."""
    return comparison_text(found.values, fmt)


def rows(found: Indicators) -> list[dict[str, object]]:
    """One row for each manifest and indicator."""
    return [
        {"manifest": name, "indicator": key, "unit": item.unit, "value": item.value, "reason": item.reason}
        for name, values in found.values.items()
        for key, item in values.items()
    ]


def plot(found: Indicators) -> Figure:
    """Rank-frequency curves of the manifests."""
    from predictor.render.rank_frequency import rank_frequency

    return rank_frequency(found.distributions)
