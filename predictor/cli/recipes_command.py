"""`predictor recipes`: which recipes a fit knows, and on how much each rests."""

from __future__ import annotations

from pathlib import Path

import click

from predictor.cli.common import FIT, FORMAT


@click.command(name="recipes")
@FIT
@FORMAT
def command(fit_path: Path | None, form: str) -> None:
    """List the recipes that the fit knows: network, weights, what of it is trained, actions against imbalance, with n.

    Each name is what `--recipe` of predict and advise takes; actions go behind it: NAME+ACTION.
    """
    from predictor.models.fit import find_fit
    from predictor.render.recipes import rows, score_rows, summary
    from predictor.render.tables import json_text, rows_text

    fit, where = find_fit(fit_path)
    if form == "json":
        click.echo(json_text({"schema_version": 1, "recipes": rows(fit), "held_out": score_rows(fit)}))
    elif form == "table":
        click.echo(summary(fit, where))
    else:
        told = [
            {**row, "actions": ", ".join(row["actions"]), "weights": (row["weights"] or {}).get("name")}
            for row in rows(fit)
        ]
        click.echo(rows_text(told, form))
