"""Pilots for a reader: what to train, and what it brings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from predictor.render.tables import rows_text
from predictor.text import shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from predictor.planning.pilots.plan import PilotPlan

COLUMNS = ("pilot", "images", "shape", "largest", "smallest", "image_steps", "forecast", "width_before", "width_after")
FORMATS = {name: (lambda value: f"{100 * value:.1f}") for name in ("forecast", "width_before", "width_after")}


def rows(plan: PilotPlan) -> list[dict[str, Any]]:
    """One row for each pilot."""
    return [
        {
            "pilot": i,
            "images": pilot.n_samples,
            "shape": pilot.shape,
            "largest": pilot.counts[0],
            "smallest": pilot.counts[-1],
            "image_steps": pilot.image_steps,
            "forecast": pilot.forecast,
            "width_before": pilot.width_before,
            "width_after": pilot.width_after,
        }
        for i, pilot in enumerate(plan.pilots, 1)
    ]


def summary(
    plan: PilotPlan, *, seeds: int = 1, recipe: str | None = None, test: str | None = None, commands: Sequence[str] = ()
) -> str:
    """What to train, and what it brings.

    seeds : runs of each pilot; recipe : whose it is; test : how images are kept for testing, in words
    commands : what to do next, one after the other
    """
    plan, (recipe, test, commands) = shown(plan), shown((recipe, test, commands))
    steps, n = plan.recipe["image_steps"], len(plan.pilots)
    total = seeds * sum(pilot.image_steps for pilot in plan.pilots)
    runs = f"{n * seeds} run" + ("" if n * seeds == 1 else "s")
    network = f"{plan.recipe['model']} {plan.recipe['image_size']} px"
    lines = [
        f"{plan.manifest}   TARGET SET {plan.target_set}   RECIPE {network}",
        "",
        rows_text(rows(plan), "table", COLUMNS, FORMATS),
        "",
        f"width         of the {100 * plan.level:g} % interval of {plan.outcome}: {100 * plan.width_now:.1f} "
        f"points now, {100 * plan.pilots[-1].width_after:.1f} expected after {n} " + ("pilot" if n == 1 else "pilots"),
        f"cost          {runs}, {total:,} image-steps: {100 * total / steps:.0f} % of the whole run's {steps:,}",
        f"chance        {100 * plan.chance:.1f} % by guessing; forecast: what each is predicted to reach",
    ]
    lines += [f"recipe        {recipe}"] if recipe else []
    lines += [f"test          {test}"] if test else []
    lines += [f"{'' if i else 'next':<13} {text}" for i, text in enumerate(commands)]
    lines += [f"warning: {note}" for note in plan.notes]
    return "\n".join([*lines, f"fit: {plan.fit}"])


def plot(plan: PilotPlan) -> Figure:
    """Width of the manifest's interval after each pilot."""
    from predictor.figures import falling_width

    return falling_width([plan.width_now, *(pilot.width_after for pilot in plan.pilots)], "pilots trained")
