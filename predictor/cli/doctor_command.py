"""`predictor doctor`: what is installed, what is missing for what, and which fit answers."""

from __future__ import annotations

import os
import platform
from typing import Any

import click

from predictor.cli.common import FORMAT, say_result


@click.command(name="doctor")
@FORMAT
def command(form: str) -> None:
    """What is installed, what is missing for what and how to install it, and which fit predictions come from."""
    from predictor.errors import package_version
    from predictor.installed import parts
    from predictor.render import doctor

    found = doctor.Installation(
        version=package_version("predictor"), python=platform.python_version(), system=platform.platform(),
        cores=os.cpu_count(), fit=_fit(), parts=parts(),
    )  # fmt: skip
    say_result(doctor, found, form)


def _fit() -> dict[str, Any]:
    """The fit that answers, or why none does."""
    from predictor.errors import FitError
    from predictor.models.fit import find_fit

    try:
        fit, where = find_fit()
    except FitError as error:
        return {"where": error.where, "digest": None, "made": None, "problem": str(error)}
    n = {name: fit.training[name] for name in ("n_configurations", "n_runs")}
    return {"where": where, "digest": fit.digest, "made": fit.made, **n, "problem": None}
