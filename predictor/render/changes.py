"""What needs no image, for a reader: actions of training, changed labels; by mean, worst class and plain accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from predictor.planning.advice.changes import Change
from predictor.render.page import Block, PageTable, Said
from predictor.render.tables import percent
from predictor.render.verdict import against_now

DROPPED = (
    "a class that is merged or left out counts as never right; no run of the fit dropped one, so the others are "
    "predicted from their counts"
)
SHARES = (
    "plain: accuracy where test images have the class shares of the manifest; worst now: of the class that is worst now"
)


def change_blocks(changes: Sequence[Change], no_actions: str | None) -> list[Block]:
    """A table of what needs no image, how to read it, and why no action is in it."""
    blocks: list[Block] = []
    if changes:
        optional = ("n", "range", "plain", "worst now", "images")
        blocks = [PageTable([_row(change) for change in changes], optional=optional), Said(SHARES, indent="  ")]
        if any(change.kind == "labels" for change in changes):
            blocks.append(Said(DROPPED, indent="  "))
    if no_actions is not None:
        blocks.append(Said(f"actions of training are not predicted: {no_actions}", indent="  "))
    return blocks


def change_rows(changes: Sequence[Change]) -> list[dict[str, Any]]:
    """One row for each change, with full precision."""
    return [{item.name: getattr(one, item.name) for item in fields(one) if item.name != "recalls"} for one in changes]


def _row(change: Change) -> dict[str, Any]:
    """One change as it is printed."""
    worst = None
    if change.worst is not None and change.backed:
        label, now, then = change.worst
        worst = f"{label} {100 * now:.1f} -> {percent(then)}"
    plain = None
    if change.plain is not None and change.plain_now is not None and change.backed:
        plain = f"{100 * change.plain_now:.1f} -> {percent(change.plain)}"
    return {
        "change": change.name + (f" ({change.images:,})" if change.images else ""),
        **against_now(change.gain, change.gain_low, change.gain_high, change.gain_at_half),
        "P(beats now)": f"{change.p_better:.2f}",
        "plain": plain,
        "worst now": worst,
        "n": change.n_configurations,
        "range": "OUTSIDE" if change.outside else "inside",
    }
