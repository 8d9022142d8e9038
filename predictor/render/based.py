"""A fit of own runs on top of another one, for a reader: what each own target set brings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from predictor.planning.pilots.based import Added
from predictor.render.layout import whole
from predictor.render.page import Block, PageTable, Said
from predictor.render.tables import points
from predictor.text import command


@dataclass(frozen=True)
class FitOnTop:
    """A fit of own runs on top of a base. notes : what was left out; written : the path of the new fit"""

    added: Sequence[Added]
    notes: Sequence[str]
    base: str
    written: str


def rows(made: FitOnTop) -> list[dict[str, Any]]:
    """One row an own target set."""
    return [asdict(item) for item in made.added]


def kinds(made: FitOnTop) -> dict[str, list[dict[str, Any]]]:
    """Rows of each kind for CSV."""
    return {
        "target set": rows(made),
        "left out": [{"reason": line} for line in made.notes],
        "fit": [{"base": made.base, "written": made.written}],
    }


def content(made: FitOnTop) -> dict[str, Any]:
    """One object for JSON."""
    told = {"base": made.base, "added": rows(made), "left_out": list(made.notes), "written": made.written}
    return {"schema_version": 1, **told}


def page(made: FitOnTop) -> list[list[Block]]:
    """Held-out errors of own configurations, with the base alone and with the other own runs."""
    table = [
        {
            "target set": item.target_set,
            "recipe": item.recipe,
            "configurations": item.n_configurations,
            "runs": item.n_runs,
            "MAE base": points(item.mae_base),
            "MAE": points(item.mae),
            "covered": f"{item.covered[0]}/{item.covered[1]}",
        }
        for item in made.added
    ]
    first = made.added[0].target_set
    use = whole(command("predictor", "predict", "MANIFEST", "--fit", made.written, "--target-set", first))
    lines = (
        "MAE in points, each configuration predicted with the help of the others; MAE base: by the base alone; "
        "covered: by 90 % intervals",
        f"base: {made.base}; its predictions for other images stay as they are",
        *(f"left out: {line}" for line in made.notes),
        f"written: {made.written}",
        f"use it: {use}",
    )
    return [[PageTable(table, optional=("runs", "recipe"))], [Said(line, indent="  ") for line in lines]]
