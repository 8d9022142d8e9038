"""A design for a reader: what to train next, why, and what it costs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from predictor.render.layout import whole
from predictor.render.page import Block, Heading, PageTable, Said, page_text
from predictor.text import command

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from predictor.planning.design.choose import Design

COLUMNS = ("target_set", "samples_per_class", "profile", "others", "images", "image_steps", "hours", "width_before",
           "width_after")  # fmt: skip
OPTIONAL = ("width_before", "image_steps", "images")
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
    return page_text(page(found, output=output), "table")


def content(found: Design) -> dict[str, Any]:
    """One object for JSON."""
    return found.to_dict()


def kinds(found: Design) -> dict[str, list[dict[str, Any]]]:
    """Rows of each kind for CSV."""
    names = ("outcome", "n_configurations", "n_runs", "n_candidates", "n_seeds", "level", "images_per_second", "device")
    return {
        "configuration": rows(found),
        "design": [{name: getattr(found, name) for name in names}],
        "note": [{"reason": note} for note in found.notes],
    }


def page(found: Design, *, output: str | Path = "design.yaml", runs: str | Path | None = None) -> list[list[Block]]:
    """What to train, why, and what it costs.

    output : the grid; runs : the registry that it adds to
    """
    registry = [] if runs is None else ["--runs", runs]
    hours = [item.hours for item in found.choices]
    if found.images_per_second is None:
        cost = "no record states a speed, so the cost is counted in image-steps, not in hours"
    else:
        total = sum(hour for hour in hours if hour is not None)
        speed = f"{found.images_per_second:,.0f} images/s on {found.device}"
        cost = f"{total:.3g} hours in all, {found.n_seeds} seeds each, at the measured {speed}"
    first, last = found.choices[0].width_before, found.choices[-1].width_after
    level = f"{100 * found.level:g} %"
    head = (
        f"{found.n_configurations} configurations, {found.n_runs} runs",
        f"{found.n_candidates} candidates",
    )
    width = f"{100 * first:.2f} -> {100 * last:.2f} points (linear model)"
    return [
        [Heading((found.outcome, "; ".join(head)))],
        [PageTable(rows(found), COLUMNS, FORMATS, optional=OPTIONAL)],
        [
            Said(f"mean {level} interval over the candidates and the runs: {width}", "width"),
            Said(cost, "cost"),
            Said(whole(command("trainer", "run", output, "--data", "DIR", *registry)), "next"),
            *(Said(note, "note") for note in found.notes),
        ],
    ]


def plot(found: Design) -> Figure:
    """Mean width of the intervals after each configuration."""
    from predictor.figures import falling_width

    widths = [found.choices[0].width_before, *(item.width_after for item in found.choices)]
    return falling_width(widths, "configurations trained")
