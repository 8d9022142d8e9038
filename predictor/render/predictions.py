"""How a prediction reads: the line that names its manifest, its values and intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from predictor.render.tables import percent


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
    return f"{name:<13} {content}"


def percent_text(value: float | None) -> str:
    """A fraction as per cent."""
    return percent(value)


def interval_text(low: float, high: float) -> str:
    """An interval of fractions, in per cent.

    >>> interval_text(0.58, 0.643)
    '[58.0, 64.3]'
    """
    return f"[{100 * low:.1f}, {100 * high:.1f}]"
