"""`predictor doctor`: what is installed, what is missing for what, and which fit answers."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict
from typing import Any

import click

from predictor.cli.common import FORMAT
from predictor.render.tables import json_text, rows_text


@click.command(name="doctor")
@FORMAT
def command(form: str) -> None:
    """What is installed, what is missing for what and how to install it, and which fit predictions come from."""
    from predictor.errors import FitError, package_version
    from predictor.installed import parts
    from predictor.models.fit import find_fit

    fit: dict[str, Any]
    try:
        found, where = find_fit()
        fit = {"where": where, "digest": found.digest, "made": found.made, **_trained(found), "problem": None}
    except FitError as error:
        fit = {"where": error.where, "digest": None, "made": None, "problem": str(error)}
    optional = parts()
    machine = {"python": platform.python_version(), "system": platform.platform(), "cores": os.cpu_count()}
    if form == "json":
        content = {"schema_version": 1, "version": package_version("predictor"), **machine, "fit": fit}
        click.echo(json_text({**content, "parts": [{**asdict(one), "missing": list(one.missing)} for one in optional]}))
        return
    rows = [
        {
            "part": one.part,
            "for": one.purpose,
            "state": "ready" if not one.missing else f"missing: {', '.join(one.missing)}",
            "install": one.remedy or "-",
        }
        for one in optional
    ]
    if form == "csv":
        click.echo(rows_text(rows, form))
        return
    click.echo(f"predictor {package_version('predictor')}, Python {machine['python']}, {machine['cores']} cores")
    click.echo(f"{machine['system']}")
    if fit["problem"]:
        click.echo(f"fit: {fit['problem']}")
    else:
        made = f", made {fit['made']}" if fit["made"] else ""
        click.echo(f"fit: {fit['where']} ({fit['digest'][:19]}{made}, {fit['n_configurations']:,} configurations)")
    click.echo("")
    if form == "markdown":
        click.echo(rows_text(rows, form))
        return
    for row, one in zip(rows, optional, strict=True):
        click.echo(f"{row['part']:<11} {'ready' if not one.missing else 'missing':<8} {row['for']}")
        if one.missing:
            click.echo(f"{'':<20} {', '.join(one.missing)}{f': {one.remedy}' if one.remedy else ''}")


def _trained(fit: Any) -> dict[str, int]:
    return {name: fit.training[name] for name in ("n_configurations", "n_runs")}
