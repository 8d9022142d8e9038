"""Pilots for a reader: what to train, and what it brings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from predictor.render.tables import rows_text
from predictor.text import shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from predictor.planning.pilots.plan import PilotPlan

COLUMNS = ("pilot", "images", "shape", "largest", "smallest", "image_steps", "width_before", "width_after")
FORMATS = {name: (lambda value: f"{100 * value:.1f}") for name in ("width_before", "width_after")}


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
            "width_before": pilot.width_before,
            "width_after": pilot.width_after,
        }
        for i, pilot in enumerate(plan.pilots, 1)
    ]


def summary(plan: PilotPlan, output: str | Path = "pilots.yaml") -> str:
    """What to train, and what it brings."""
    plan = shown(plan)
    steps = plan.recipe["image_steps"]
    part = sum(pilot.image_steps for pilot in plan.pilots) / steps
    recipe = f"{plan.recipe['model']} {plan.recipe['image_size']} px"
    why = "; the fit saw no shorter runs" if part > plan.share + 1e-9 else ""
    return "\n".join(
        [
            f"{plan.manifest}   TARGET SET {plan.target_set}   RECIPE {recipe}",
            "",
            rows_text(rows(plan), "table", COLUMNS, FORMATS),
            "",
            f"width         of the {100 * plan.level:g} % interval of {plan.outcome}: {100 * plan.width_now:.1f} "
            f"points now, {100 * plan.pilots[-1].width_after:.1f} expected after {len(plan.pilots)}",
            f"cost          {100 * part:.0f} % of the image-steps of the whole run ({steps:,}), each seed{why}",
            f"next          trainer run {output} --data DIR; predictor predict {plan.manifest} --pilot RUNS",
            f"fit: {plan.fit}",
        ]
    )


def plot(plan: PilotPlan) -> Figure:
    """Width of the manifest's interval after each pilot."""
    from predictor.figures import falling_width

    return falling_width([plan.width_now, *(pilot.width_after for pilot in plan.pilots)], "pilots trained")
