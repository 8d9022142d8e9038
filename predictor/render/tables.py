"""Rows -> table, Markdown, CSV; objects -> JSON. No pandas: every command prints through here."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from predictor.models.scales import SHARES
from predictor.render.layout import GAP, PagePart, fitted, shortened, width, wrapped
from predictor.text import cell, columns_of, json_visible, visible

Row = Mapping[str, object]
Formats = Mapping[str, Callable[[Any], str]]


def rows_text(
    rows: Sequence[Row],
    fmt: str,
    columns: Sequence[str] | None = None,
    formats: Formats | None = None,
    *,
    exact: bool = False,
    optional: Sequence[str] = (),
) -> str:
    """Rows in one of the formats table, csv, markdown and json. A table fits its terminal, see `layout`.

    columns : which, in this order; by default those of all rows, in order of appearance
    formats : column -> how a value reads in table and markdown; csv and json keep full precision
    exact : texts of csv as they are, for a file that is read again; else what `predictor.text.cell` makes of them
    optional : columns that a table may leave out where the terminal is narrow, the first one first; it says so then

    >>> print(rows_text([{"a": 1, "b": None}], "csv"))
    a,b
    1,
    >>> print(rows_text([{"a": 0.5}], "markdown", formats={"a": "{:.1f}".format}))
    | a |
    |---|
    | 0.5 |
    """
    names = list(columns) if columns is not None else list(dict.fromkeys(name for row in rows for name in row))
    if fmt == "json":
        return json_text([{name: row.get(name) for name in names} for row in rows])
    if fmt == "csv":
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        text = str if exact else cell
        writer.writerow(map(text, names))
        writer.writerows([["" if row.get(n) is None else _exact(row.get(n), text) for n in names] for row in rows])
        return stream.getvalue().rstrip("\n")
    heads = [visible(name) for name in names]
    cells = [[visible(_cell(row.get(name), (formats or {}).get(name))) for name in names] for row in rows]
    if fmt == "markdown":
        lines = [
            [markdown(head) for head in heads],
            ["---"] * len(names),
            *([markdown(c) for c in row] for row in cells),
        ]
        out = ["| " + " | ".join(line) + " |" for line in lines]
        out[1] = "|" + "|".join(["---"] * len(names)) + "|"
        return "\n".join(out)
    return _table(heads, cells, [_is_number(rows, name) for name in names], optional)


def json_text(content: object) -> str:
    """One JSON object with full precision. Raises ValueError for NaN: a missing number is null with a reason.

    >>> json_text({"value": 0.1})
    '{\\n  "value": 0.1\\n}'
    """
    return json_visible(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False, default=_native))


def percent(value: float | None, digits: int = 1) -> str:
    """A fraction as per cent, '-' where there is none.

    >>> percent(0.612), percent(None)
    ('61.2 %', '-')
    """
    return "-" if value is None or math.isnan(value) else f"{100 * value:.{digits}f} %"


def p_value(value: float | None) -> str:
    """A probability as papers print it, '-' where there is none.

    >>> p_value(0.0002), p_value(0.0416), p_value(None)
    ('< .001', '.042', '-')
    """
    return "-" if value is None else "< .001" if value < 0.001 else f"{value:.3f}".removeprefix("0")


def points(value: float | None, scale: str = "accuracy") -> str:
    """An error of an accuracy in points; of an outcome on another scale in its own unit.

    >>> points(0.0123), points(0.0123, "loss"), points(None)
    ('1.2', '0.0123', '-')
    """
    if value is None or math.isnan(value):
        return "-"
    return f"{100 * value:.1f}" if scale in SHARES else f"{value:.3g}"


def interval_text(low: float, high: float) -> str:
    """An interval of fractions, in per cent.

    >>> interval_text(0.58, 0.643)
    '[58.0, 64.3]'
    """
    return f"[{100 * low:.1f}, {100 * high:.1f}]"


def number(value: object) -> str:
    """A number as a person reads it: four significant digits, thousands apart.

    >>> number(130000), number(0.045678), number(1234.5), number(2.0)
    ('130,000', '0.04568', '1,234', '2')
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            return str(value)
        return f"{value:,.0f}" if abs(value) >= 1000 or value.is_integer() else f"{value:.4g}"
    return f"{value:,}"


def level_text(value: float | None, low: float, high: float, *, backed: bool) -> str:
    """A level in per cent with its interval; the interval alone where nothing backs the value.

    >>> level_text(0.5, 0.41, 0.6, backed=True), level_text(0.5, 0.01, 1.0, backed=False)
    ('50.0 % [41.0, 60.0]', '[1.0, 100.0] %')
    """
    interval = interval_text(low, high)
    return f"{percent(value)} {interval}" if backed else f"{interval} %"


def _table(names: list[str], cells: list[list[str]], right: list[bool], optional: Sequence[str]) -> str:
    most = width()
    if not names:
        return ""
    parts, left_out = fitted(names, cells, optional, most)
    texts = [_part(part, names, cells, right) for part in parts]
    if left_out:
        texts[-1] += "\n" + wrapped(f"left out at {most} columns: {', '.join(left_out)}", columns=most)
    return "\n\n".join(texts)


def _part(part: PagePart, names: list[str], cells: list[list[str]], right: list[bool]) -> str:
    heads = [wrapped(names[number], columns=own) for number, own in zip(part.columns, part.widths, strict=True)]
    most = max(head.count("\n") for head in heads)
    lines = _lines([["\n" * (most - head.count("\n")) + head for head in heads]], part, right)
    rows = (
        [_narrowed(row[number], own) for number, own in zip(part.columns, part.widths, strict=True)] for row in cells
    )
    return "\n".join([*lines, *_lines(rows, part, right)])


def _lines(rows: Iterable[list[str]], part: PagePart, right: list[bool]) -> Iterator[str]:
    """Lines of rows: cells of several lines stand beside each other, numbers to the right."""
    for row in rows:
        parts = [cell.split("\n") for cell in row]
        for i in range(max(map(len, parts))):
            line = ""
            for number, own, several in zip(part.columns, part.widths, parts, strict=True):
                text = several[i] if i < len(several) else ""
                blanks = " " * (own - columns_of(text))
                line += (blanks + text if right[number] else text + blanks) + " " * GAP
            yield line.rstrip()


def _narrowed(text: str, columns: int) -> str:
    """A cell in its lines. A word that is longer than one is a name, and loses its middle."""
    if columns_of(text) <= columns:
        return text
    return wrapped(" ".join(shortened(word, columns) for word in text.split(" ")), columns=columns)


def _cell(value: object, form: Callable[[Any], str] | None) -> str:
    if value is None:
        return "-"
    return form(value) if form else number(_native(value))


def _exact(value: object, text: Callable[[str], str]) -> object:
    value = _native(value)
    return repr(value) if isinstance(value, float) else text(value) if isinstance(value, str) else value


def markdown(text: str) -> str:
    r"""A text that stays one cell of a table, with no markup of its own.

    >>> markdown("a|b <b>")
    'a\\|b &lt;b>'
    """
    piped = re.sub(r"(\\*)\|", lambda found: f"{found[1] * 2}\\|", text)
    return re.sub("<(?=[A-Za-z/!?])", "&lt;", piped)


def _native(value: object) -> object:
    """numpy's scalars as Python's; anything else JSON does not know as text."""
    if isinstance(value, str | int | float | bool | list | tuple | dict | None):
        return value
    item = getattr(value, "item", None)
    return item() if callable(item) else str(value)


def _is_number(rows: Sequence[Row], name: str) -> bool:
    values = [_native(row.get(name)) for row in rows if row.get(name) is not None]
    return bool(values) and all(isinstance(value, int | float) for value in values)
