"""`predictor design`: run records and their grids -> what to train next, as a grid YAML."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from predictor.cli.common import FORMAT, RUNS, STUDIES, write_text
from predictor.text import shown

if TYPE_CHECKING:
    from predictor.planning.design.choose import Design

COLUMNS = ("target_set", "samples_per_class", "profile", "others", "images", "image_steps", "hours", "width_before",
           "width_after")  # fmt: skip


@click.command(name="design")
@RUNS
@click.option("--next", "n", type=click.IntRange(min=1), required=True, metavar="N", help="How many configurations.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), default="design.yaml", show_default=True)
@click.option("--name", default="design", show_default=True, metavar="NAME", help="Name of the study that is written.")
@click.option("--outcome", default="accuracy", show_default=True, metavar="NAME", help="Whose intervals to narrow.")
@click.option("--level", type=float, default=0.9, show_default=True, help="Nominal coverage of the intervals.")
@STUDIES
@FORMAT
def command(
    runs: Path, n: int, output: Path, name: str, outcome: str, level: float, studies: tuple[str, ...], form: str
) -> None:
    """Which configurations to train next, so that the intervals of a fit on RUNS shrink most for each hour.

    Candidates are what the grids in RUNS plan and nobody trained, and their levels crossed anew.
    """
    from predictor.grids.write import check_grid, grid_text
    from predictor.planning.design.choose import design_registry
    from predictor.render.tables import json_text, rows_text

    found = design_registry(runs, n, studies=list(studies) or None, outcome=outcome, study=name, level=level)
    n_runs = check_grid(found.content, str(output))
    written = grid_text(found.content, [f"What to train next: predictor design --next {n}",
                                        f"Train it:  trainer run {output} --data DIR"])  # fmt: skip
    write_text(output, written, keep=True)
    click.echo(f"wrote {output}: {len(found.choices)} configurations, {n_runs} runs", err=True)
    if form == "json":
        click.echo(json_text(found.to_dict()))
    elif form == "table":
        click.echo(text(found, output, rows_text(rows(found), "table", COLUMNS, FORMATS)))
    else:
        click.echo(rows_text(rows(found), form, COLUMNS))


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


def text(found: Design, output: Path, table: str) -> str:
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
        table,
        "",
        f"width         mean {level} interval over the candidates and the runs: {100 * first:.2f} -> {100 * last:.2f} "
        "points (linear model)",
        f"cost          {cost}",
        f"next          trainer run {output} --data DIR",
        *(f"note          {note}" for note in found.notes),
    ]
    return "\n".join(lines)
