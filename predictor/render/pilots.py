"""Pilots for a reader: what to train, and what it brings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from predictor.render.layout import whole
from predictor.render.page import Block, Heading, Page, PageTable, Said, page_text

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


def page(
    plan: PilotPlan, *, seeds: int = 1, recipe: str | None = None, test: str | None = None, commands: Sequence[str] = ()
) -> Page:
    """What to train, and what it brings.

    seeds : runs of each pilot; recipe : whose it is; test : how images are kept for testing, in words
    commands : what to do next, one after the other
    """
    n = len(plan.pilots)
    network = f"{plan.recipe['model']} {plan.recipe['image_size']} px"
    now, after = 100 * plan.width_now, 100 * plan.pilots[-1].width_after
    lines: list[Block] = [
        Said(
            f"of the {100 * plan.level:g} % interval of {plan.outcome}: {now:.1f} points now, {after:.1f} expected "
            f"after {n} " + ("pilot" if n == 1 else "pilots"),
            "width",
        ),
        Said(_cost(plan, seeds), "cost"),
        Said(f"{100 * plan.chance:.1f} % by guessing; forecast: what each is predicted to reach", "chance"),
    ]
    lines += [Said(recipe, "recipe")] if recipe else []
    lines += [Said(test, "test")] if test else []
    lines += [Said(whole(text), "" if i else "next") for i, text in enumerate(commands)]
    lines += [Said(note, "warning") for note in plan.notes]
    return [
        [Heading((plan.manifest, f"TARGET SET {plan.target_set}", f"RECIPE {network}"))],
        [PageTable(rows(plan), COLUMNS, FORMATS, optional=("smallest", "largest", "width_before", "image_steps"))],
        [*lines, Said(f"fit: {plan.fit}")],
    ]


def _cost(plan: PilotPlan, seeds: int) -> str:
    n = len(plan.pilots) * seeds
    runs = f"{n} run" + ("" if n == 1 else "s")
    steps, own = plan.recipe["image_steps"], [pilot.image_steps for pilot in plan.pilots]
    if not steps or None in own:
        return f"{runs} of seconds: the network is frozen, and its head is solved for"
    total = seeds * sum(filter(None, own))
    return f"{runs}, {total:,} image-steps: {100 * total / steps:.0f} % of the whole run's {steps:,}"


def summary(plan: PilotPlan, **said: Any) -> str:
    """What to train, and what it brings. said : see `page`"""
    return page_text(page(plan, **said), "table")


def content(plan: PilotPlan) -> dict[str, Any]:
    """One object for JSON."""
    return plan.to_dict()


def kinds(plan: PilotPlan) -> dict[str, list[dict[str, Any]]]:
    """Rows of each kind for CSV."""
    names = ("manifest", "target_set", "outcome", "level", "width_now", "chance", "fit")
    return {
        "pilot": rows(plan),
        "plan": [{name: getattr(plan, name) for name in names}],
        "warning": [{"reason": note} for note in plan.notes],
    }


def plot(plan: PilotPlan) -> Figure:
    """Width of the manifest's interval after each pilot."""
    from predictor.figures import falling_width

    return falling_width([plan.width_now, *(pilot.width_after for pilot in plan.pilots)], "pilots trained")
