"""Prices of images: a CSV of classes and what one image of each costs."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from predictor.errors import FitError, PredictorError, with_near
from predictor.reading import MIB, read_text

if TYPE_CHECKING:
    from predictor.distribution import LabelDistribution
    from predictor.models.fit import Fit

ANY = "*"  # every class that the file does not name
MOST = 256 * MIB  # bytes
HOW = "write a CSV with the columns label,price; the label * stands for every class that is not named"


def classes_priced(fit: Fit, distribution: LabelDistribution, target_set: str) -> list[str]:
    """The classes that a table of prices may name: of the manifest, and of a target set that the fit knows."""
    own = fit.target_sets.get(target_set)
    return sorted({*distribution.class_names, *distribution.target_names, *(own.classes if own is not None else ())})


def check_priced(prices: Mapping[str, float], needed: Iterable[str], where: str) -> None:
    """Raise FitError for classes that have no price."""
    if missing := [name for name in needed if name not in prices and ANY not in prices]:
        raise FitError(
            f"no price for {with_near(missing, sorted(prices))}",
            where=where,
            remedy=f"add a row for each, or one of {ANY!r} for all others",
        )


def read_prices(path: str | Path, classes: Sequence[str], needed: Iterable[str] = ()) -> dict[str, float]:
    """{class: price of one image}; '*' for every class that is not named.

    classes : that there are, of which the file may name some; needed : of which it must name all

    Raises PredictorError for a file that cannot be read, lacks a column, names a class twice or one that there is not,
    lacks one that is needed, or holds no price above 0.
    """
    try:
        lines = read_text(Path(path), limit=MOST).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise PredictorError(f"cannot be read: {reason}", where=str(path), remedy=HOW) from None
    header = lines[0] if lines else ""
    table = csv.DictReader(lines, delimiter=";" if ";" in header and "," not in header else ",")
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
    if unknown := sorted(set(prices) - {ANY, *classes}):
        raise PredictorError(
            f"names classes that the manifest does not have: {with_near(unknown, classes)}; "
            f"its classes begin {', '.join(map(repr, classes[:3]))}",
            where=str(path),
            remedy="spell them as the manifest does, or delete their rows",
        )
    check_priced(prices, needed, str(path))
    return prices
