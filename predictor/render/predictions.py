"""How a prediction reads: the line that names its manifest, its values and intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from predictor.prediction.results import ClassPredictions
from predictor.render.tables import percent
from predictor.text import padded


def title(manifest: str, basis: str, target_set: str, domain: str, recipe: Mapping[str, Any]) -> str:
    """Manifest, target set or domain, and recipe.

    >>> title("in.csv", "in_domain", "digits", "characters", {"model": None, "image_steps": 9, "assumed": False})
    'in.csv   TARGET SET digits   RECIPE unknown, 9 image-steps'
    """
    steps = f", {recipe['image_steps']:,} image-steps" if recipe["image_steps"] else ""
    named = f"{recipe['model']} {recipe['image_size']} px" if recipe["model"] else "unknown"
    place = f"TARGET SET {target_set}" if target_set != "new" else f"DOMAIN {domain}"
    if target_set == "new":
        place += ", no pilots" if domain == "new" else "   TARGET SET new"
    if basis == "pilot":
        place = f"TARGET SET {target_set}   DOMAIN {domain}"
    return f"{manifest}   {place}   RECIPE {named}{steps}{' (assumed)' if recipe['assumed'] else ''}"


def line(name: str, content: str) -> str:
    """A row of a prediction: its name, then what is said."""
    return f"{padded(name, 13)} {content}"


def percent_text(value: float | None) -> str:
    """A fraction as per cent."""
    return percent(value)


def interval_text(low: float, high: float) -> str:
    """An interval of fractions, in per cent.

    >>> interval_text(0.58, 0.643)
    '[58.0, 64.3]'
    """
    return f"[{100 * low:.1f}, {100 * high:.1f}]"


def class_lines(own: ClassPredictions, basis: str) -> list[str]:
    """The classes of an outcome, worst first: accuracy, interval, images, name.

    >>> from predictor.prediction.results import ClassPrediction
    >>> worst = ClassPrediction(name="orange", n_samples=3, value=0.123, low=0.04, high=0.3)
    >>> found = ClassPredictions(outcome="accuracy", level=0.9, n_classes=10, covered=(18, 20), worst=(worst,))
    >>> print(*class_lines(found, "in_domain"), sep="\\n")
    worst classes 12.3 % [4.0, 30.0]   orange, 3 images
                  and 9 more: --classes; 90 %; of held-out configurations 18 of 20 classes covered
    """
    name = "worst classes" if own.outcome == "accuracy" else own.outcome
    if not own.worst:
        return [line("classes", f"no statement: {own.reason}")]
    values = [f"{percent(one.value)} {interval_text(one.low, one.high)}" for one in own.worst]
    width = max(map(len, values))
    lines = []
    for one, value in zip(own.worst, values, strict=True):
        images = f"{one.n_samples:,} image" + ("" if one.n_samples == 1 else "s")
        lines.append(line("" if lines else name, f"{value:<{width}}   {one.name}, {images}"))
    rest = own.n_classes - len(own.worst)
    held = {"in_domain": "of held-out configurations"}.get(basis, "of left-out target sets")
    note = f"{held} {own.covered[0]:,} of {own.covered[1]:,} classes covered" if own.covered else own.reason
    more = f"and {rest:,} more: --classes; " if rest else ""
    return [*lines, line("", f"{more}{own.level:.0%}; {note}".replace("%;", " %;"))]
