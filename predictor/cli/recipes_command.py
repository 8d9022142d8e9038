"""`predictor recipes`: which recipes a fit knows, and on how much each rests."""

from __future__ import annotations

from pathlib import Path

import click

from predictor.cli.common import FIT, FORMAT, say_result


@click.command(name="recipes")
@FIT
@FORMAT
def command(fit_path: Path | None, form: str) -> None:
    """List the recipes that the fit knows: network, weights, what of it is trained, actions against imbalance, with n.

    Each name is what `--recipe` of predict and advise takes; actions go behind it: NAME+ACTION.
    """
    from predictor.models.fit import find_fit
    from predictor.render import recipes as pages

    fit, where = find_fit(fit_path)
    say_result(pages, fit, form, where=where)
