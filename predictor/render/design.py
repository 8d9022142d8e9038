"""A design for a reader: what to train next, why, and what it costs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from predictor.render.tables import rows_text
from predictor.text import shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from predictor.planning.design.choose import Design

COLUMNS = ("target_set", "samples_per_class", "profile", "others", "images", "image_steps", "hours", "width_before",
           "width_after")  # fmt: skip
FORMATS = {
    "width_before": lambda value: f"{100 * value:.2f}",
    "width_after": lambda value: f"{100 * value:.2f}",
    "hours": lambda value: f"{value:.3g}",
}


def rows(found: Design) -> list[dict[str, Any]]:
    """One row for each configuration."""
    from predictor.profiles import Profile

    return [
        {
            "target_set": item.target_set,
            "samples_per_class": item.block["samples_per_class"],
            "profile": Profile.model_validate(item.block["profile"]).label,
            "others": "+".join(
                f"{group['source']}:{group['n_classes']}x{group['samples_per_class']}"
                for level in item.block.get("others", ())
                for group in level
            )
            or "none",
            "images": item.n_samples,
            "image_steps": item.image_steps,
            "hours": item.hours,
            "width_before": item.width_before,
            "width_after": item.width_after,
        }
        for item in found.choices
    ]


def summary(found: Design, output: str | Path = "design.yaml") -> str:
    """What to train, why, and what it costs."""
    found = shown(found)
    hours = [item.hours for item in found.choices]
    if found.images_per_second is None:
        cost = "no record states a speed: chosen for each image-step"
    else:
        total = sum(hour for hour in hours if hour is not None)
        speed = f"{found.images_per_second:,.0f} images/s on {found.device}"
        cost = f"{total:.3g} hours in all, {found.n_seeds} seeds each, at the measured {speed}"
    first, last = found.choices[0].width_before, found.choices[-1].width_after
    level = f"{100 * found.level:g} %"
    lines = [
        f"{found.outcome}   {found.n_configurations} configurations, {found.n_runs} runs; "
        f"{found.n_candidates} candidates",
        "",
        rows_text(rows(found), "table", COLUMNS, FORMATS),
        "",
        f"width         mean {level} interval over the candidates and the runs: {100 * first:.2f} -> {100 * last:.2f} "
        "points (linear model)",
        f"cost          {cost}",
        f"next          trainer run {output} --data DIR",
        *(f"note          {note}" for note in found.notes),
    ]
    return "\n".join(lines)


def plot(found: Design) -> Figure:
    """Mean width of the intervals after each configuration."""
    from predictor.figures import falling_width

    widths = [found.choices[0].width_before, *(item.width_after for item in found.choices)]
    return falling_width(widths, "configurations trained")
