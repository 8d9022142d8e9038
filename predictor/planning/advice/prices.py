"""Prices of images: a CSV of classes and what one image of each costs."""

from __future__ import annotations

import csv
import math
from pathlib import Path

from predictor.errors import PredictorError
from predictor.reading import MIB, read_text

MOST = 256 * MIB  # bytes
HOW = "write a CSV with the columns label,price; the label * stands for every class that is not named"


def read_prices(path: str | Path) -> dict[str, float]:
    """{class: price of one image}; '*' for every class that is not named.

    Raises PredictorError for a file that cannot be read, lacks a column, names a class twice or holds no price above 0.
    """
    try:
        lines = read_text(Path(path), limit=MOST).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise PredictorError(f"cannot be read: {reason}", where=str(path), remedy=HOW) from None
    table = csv.DictReader(lines)
    if missing := [name for name in ("label", "price") if name not in (table.fieldnames or ())]:
        found = ", ".join(table.fieldnames or ()) or "nothing"
        raise PredictorError(f"has no column {missing[0]!r}; found: {found}", where=str(path), remedy=HOW)
    prices: dict[str, float] = {}
    for row in table:
        label, text = (row["label"] or "").strip(), (row["price"] or "").strip()
        try:
            price = float(text)
        except ValueError:
            price = math.nan
        if label in prices or not label or not (math.isfinite(price) and price > 0):
            what = f"class {label!r} stands there twice" if label in prices else f"price {text!r} of class {label!r}"
            raise PredictorError(
                f"line {table.line_num}: {what}; needed: one number above 0 for each class", where=str(path), remedy=HOW
            )
        prices[label] = price
    if not prices:
        raise PredictorError("names no class", where=str(path), remedy=HOW)
    return prices
