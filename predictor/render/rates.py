"""Learning rates for a reader: the best ones, what they have in common, and the line for the recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from predictor.render.tables import rows_text

if TYPE_CHECKING:
    from predictor.planning.design.learning_rates import ChosenRate

COLUMNS = ("target_set", "image_steps", "rate", "accuracy", "spread", "edge", "runs")
FORMATS = {
    "rate": lambda value: f"{value:.3g}",
    "accuracy": lambda value: f"{100 * value:.1f} %",
    "spread": lambda value: "" if value is None else f"{100 * value:.1f}",
    "edge": lambda value: "yes" if value else "",
}


def rate_rows(found: ChosenRate) -> list[dict[str, Any]]:
    """One row for each target set and length of training."""
    names = ("target_set", "image_steps", "rate", "accuracy", "spread", "edge")
    return [{name: getattr(row, name) for name in names} | {"runs": row.n_runs} for row in found.best]


def stated(found: ChosenRate) -> float | dict[str, float]:
    """The learning rate as a grid states it."""
    return found.rate if isinstance(found.rate, float) else found.rate.model_dump()


def rates_text(found: ChosenRate) -> str:
    """The best rates, what they have in common, and the line for the recipe."""
    within = [row for row in found.best if not row.edge]
    power = "not known: too few best rates lie within those tried, or one length of training"
    if found.power is not None:
        power = f"{found.power:+.2f}"
        power += f" [{found.low:+.2f}, {found.high:+.2f}] 95 %" if found.low is not None else ", no interval"
        n_sets = len({row.target_set for row in within})
        power += f"; {len(within)} best rates of {n_sets} target set{'s' if n_sets > 1 else ''}"
    rate = stated(found)
    line = f"{rate:g}" if isinstance(rate, float) else "{" + ", ".join(f"{k}: {v:g}" for k, v in rate.items()) + "}"
    lines = [
        rows_text(rate_rows(found), "table", COLUMNS, FORMATS),
        "",
        f"power         of image-steps in the best rate: {power}",
        f"recipe        learning_rate: {line}",
    ]
    if any(row.edge for row in found.best):
        tried = sorted({rate for row in found.best for rate in row.tried})
        more = [f"--rate {rate:g}" for rate in (tried[0] / 2, *tried, tried[-1] * 2)]
        lines.append("note          a best rate lies at the edge of those tried, and counts for no power; to try more:")
        lines.append(f"              predictor rates GRID.yaml {' '.join(more)} --output FILE")
    return "\n".join(lines)
