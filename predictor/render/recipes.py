"""The recipes that a fit knows, for a reader: on how much each rests, and how well its family predicts what is new."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from predictor.models.fit import Fit
from predictor.render.layout import whole
from predictor.render.page import Block, PageTable, Said
from predictor.render.tables import points
from predictor.text import command

COLUMNS = ("recipe", "image_size", "configurations", "runs", "target_sets", "domains")
SCORES = ("family", "held out", "outcome", "MAE", "covered", "width", "n", "runs")
SHOWN = ("accuracy", "robustness")
SPLITS = {"configuration": "configurations", "target_set": "target sets", "domain": "domains"}


def rows(fit: Fit) -> list[dict[str, Any]]:
    """One row a recipe."""
    return [
        {
            "recipe": item.name,
            "family": item.family,
            "model": item.model,
            "image_size": item.image_size,
            "configurations": item.n_configurations,
            "runs": item.n_runs,
            "target_sets": item.n_target_sets,
            "domains": item.n_domains,
            "actions": dict(item.actions),
            "weights": None if item.weights is None else dict(item.weights),
        }
        for item in fit.evidence
    ]


def score_rows(fit: Fit) -> list[dict[str, Any]]:
    """One row for each recipe family, outcome and kind of held-out run: errors of what it chose, unrounded."""
    return [
        {
            "family": family,
            "split": row["split"],
            "outcome": row["outcome"],
            "mae": row["mae"],
            "covered": row["covered"]["0.9"],
            "coverage_reason": row["coverage_reason"],
            "width": row["width"]["0.9"],
            "n_configurations": row["n_configurations"],
            "n_runs": row["n_runs"],
        }
        for family, own in fit.recipe_families.items()
        for row in own.validation
        if row["chosen"] and row["split"] in SPLITS and row["outcome"] in SHOWN
    ]


def page(fit: Fit, *, where: str) -> list[list[Block]]:
    """Recipes, their actions and weights, and held-out errors by family."""
    shown = rows(fit)
    if not shown:
        return [[Said(f"{where} does not say what its recipes rest on. fit again: predictor fit RUNS --output FIT")]]
    scored = [
        {
            "family": row["family"],
            "held out": SPLITS[row["split"]],
            "outcome": row["outcome"],
            "MAE": points(row["mae"]),
            "covered": "not measured" if row["covered"] is None else f"{row['covered'][0]}/{row['covered'][1]}",
            "width": points(row["width"]),
            "n": row["n_configurations"],
            "runs": row["n_runs"],
        }
        for row in score_rows(fit)
    ]
    weights = [
        f"{row['recipe']}: weights {own['name']}, " + (
            f"trained on {own['trained_on']}, {own['licence']}" if own["trained_on"] else
            "licence and training set not known"
        )
        for row in shown if (own := row["weights"])
    ]  # fmt: skip
    acting = next((row for row in shown if len(row["actions"]) > 1), None)
    example = acting["recipe"] + "+" + next(name for name in acting["actions"] if name != "none") if acting else None
    first = example or shown[0]["recipe"]
    notes = (
        "covered: nominal 90 %; MAE and width in points; every family is fitted for itself",
        *(
            f"{row['recipe']}: configurations by action: {_actions(row['actions'])}"
            for row in shown
            if set(row["actions"]) > {"none"}
        ),
        *weights,
        f"use one: {whole(command('predictor', 'predict', 'MANIFEST', '--recipe', first))}",
        f"fit: {where}",
    )
    return [
        [PageTable(shown, COLUMNS, optional=("runs", "image_size", "domains"))],
        [PageTable(scored, SCORES)],
        [Said(note, indent="  ") for note in notes],
    ]


def content(fit: Fit) -> dict[str, Any]:
    """One object for JSON."""
    return {"schema_version": 1, "recipes": rows(fit), "held_out": score_rows(fit)}


def kinds(fit: Fit) -> dict[str, list[dict[str, Any]]]:
    """Rows of each kind for CSV."""
    recipes = [{**row, "weights": (row["weights"] or {}).get("name")} for row in rows(fit)]
    licences = [{"recipe": row["recipe"], **row["weights"]} for row in rows(fit) if row["weights"]]
    return {"recipe": recipes, "weights": licences, "held out": score_rows(fit)}


def _actions(actions: dict[str, int]) -> str:
    told: Sequence[str] = [f"{name} {n}" for name, n in sorted(actions.items(), key=lambda item: item[0] != "none")]
    return ", ".join(told)
