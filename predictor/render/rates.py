"""Learning rates for a reader: the best ones, what they have in common, and the line for the recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from predictor.render.page import Block, PageTable, Said
from predictor.text import command

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


def page(found: ChosenRate) -> list[list[Block]]:
    """The best rates, what they have in common, and the line for the recipe."""
    within = [row for row in found.best if not row.edge]
    power = "not known: it takes best rates inside of those tried, at several lengths of training"
    if found.power is not None:
        power = f"{found.power:+.2f}"
        power += f" [{found.low:+.2f}, {found.high:+.2f}] 95 %" if found.low is not None else ", no interval"
        n_sets = len({row.target_set for row in within})
        power += f"; {len(within)} best rates of {n_sets} target set{'s' if n_sets > 1 else ''}"
    rate = stated(found)
    line = f"{rate:g}" if isinstance(rate, float) else "{" + ", ".join(f"{k}: {v:g}" for k, v in rate.items()) + "}"
    lines: list[Block] = [
        Said(f"best rate ~ image-steps^p, p {power}", "power"),
        Said(f"learning_rate: {line}", "recipe"),
    ]
    if any(row.edge for row in found.best):
        tried = sorted({rate for row in found.best for rate in row.tried})
        more = [word for rate in (tried[0] / 2, *tried, tried[-1] * 2) for word in ("--rate", f"{rate:g}")]
        edge = "a best rate is the smallest or largest of those tried, so the power leaves it out; to try more:"
        lines += [Said(edge, "note"), Said(command("predictor", "rates", "GRID.yaml", *more, "--output", "FILE"), "")]
    return [[PageTable(rate_rows(found), COLUMNS, FORMATS, optional=("runs", "spread"))], lines]


def content(found: ChosenRate) -> dict[str, Any]:
    """One object for JSON."""
    own = {name: getattr(found, name) for name in ("power", "low", "high")}
    return {"schema_version": 1, "learning_rate": stated(found), **own, "best": rate_rows(found)}


def kinds(found: ChosenRate) -> dict[str, list[dict[str, Any]]]:
    """Rows of each kind for CSV."""
    rate = stated(found)
    own = {name: getattr(found, name) for name in ("power", "low", "high")}
    return {"best": rate_rows(found), "recipe": [{"learning_rate": rate, **own}]}
