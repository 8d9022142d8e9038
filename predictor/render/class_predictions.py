"""Predictions of single classes as rows and as lines."""

from __future__ import annotations

from typing import Any

from predictor.errors import FitError
from predictor.prediction.results import (
    ClassPredictions,
    Predictions,
)
from predictor.render.page import Block, Said
from predictor.render.tables import interval_text, percent


def class_rows(found: Predictions) -> list[dict[str, Any]]:
    """One row for each manifest, outcome and class, worst first.

    Raises FitError where nothing can be said of classes.
    """
    made = rows_of_classes(found)
    if not made:
        reasons = [own.reason for item in found.predictions for own in item.classes if own.reason]
        raise FitError(reasons[0] if reasons else "no outcome has a value for classes", remedy="leave --classes out")
    return made


def rows_of_classes(found: Predictions) -> list[dict[str, Any]]:
    return [
        {
            "manifest": item.manifest,
            "status": item.status,
            "target_set": item.target_set,
            "domain": item.domain,
            "outcome": own.outcome,
            "class": one.name,
            "n_samples": one.n_samples,
            "value": one.value,
            "low": one.low,
            "high": one.high,
            "level": own.level,
            "covered": own.covered[0] if own.covered else None,
            "covered_of": own.covered[1] if own.covered else None,
            "reason": one.reason or own.reason,
        }
        for item in found.predictions
        for own in item.classes
        for one in own.worst
    ]


def class_lines(own: ClassPredictions, basis: str, *, backed: bool = True) -> list[Block]:
    """The classes of an outcome, worst first: accuracy, interval, images, name.

    backed : whether the level of the outcome is; else only the order and the images are told

    >>> from predictor.prediction.results import ClassPrediction
    >>> worst = ClassPrediction(name="orange", n_samples=3, value=0.123, low=0.04, high=0.3)
    >>> found = ClassPredictions(outcome="accuracy", level=0.9, n_classes=10, covered=(18, 20), worst=(worst,))
    >>> print(*(line.text("table") for line in class_lines(found, "in_domain")), sep="\\n")
    worst classes 12.3 % [4.0, 30.0]   orange, 3 images
                  and 9 more: --classes; 90 %; of held-out configurations 18 of 20 classes covered
    """
    name = "worst classes" if own.outcome == "accuracy" else own.outcome
    if not own.worst:
        return [Said(f"no statement: {own.reason}", "classes")]
    values = [f"{percent(one.value)} {interval_text(one.low, one.high)}" if backed else "" for one in own.worst]
    width = max(map(len, values))
    lines: list[Block] = []
    for one, value in zip(own.worst, values, strict=True):
        images = f"{one.n_samples:,} image" + ("" if one.n_samples == 1 else "s")
        shown = f"{value:<{width}}   {one.name}, {images}" if backed else f"{one.name}, {images}"
        lines.append(Said(shown, "" if lines else name))
    rest = own.n_classes - len(own.worst)
    held = {"in_domain": "of held-out configurations"}.get(basis, "of left-out target sets")
    note = f"{held} {own.covered[0]:,} of {own.covered[1]:,} classes covered" if own.covered else own.reason
    more = f"and {rest:,} more: --classes; " if rest else ""
    told = f"{more}{own.level:.0%}; {note}".replace("%;", " %;") if backed else more.rstrip("; ")
    return [*lines, *([Said(told, "")] if told else [])]
