"""`predictor report`: registry in, one HTML file out."""

from __future__ import annotations

import os
from pathlib import Path

import click

from predictor.cli.common import RUNS, STUDIES
from predictor.errors import PredictorError


@click.command(name="report")
@RUNS
@STUDIES
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), default=Path("report.html"), show_default=True
)
def command(runs: Path, studies: tuple[str, ...], output: Path) -> None:
    """Write one self-contained HTML page about the registry RUNS."""
    from predictor.agreements import agreement
    from predictor.records import frame, read_registry
    from predictor.render.report import report_html, try_fit

    records = read_registry(runs, list(studies) or None)
    fit, reason = try_fit(records)
    title = f"Registry {runs.resolve().name}"
    page = report_html(records, agreement(frame(records)), fit, reason, title, _card(runs))
    temporary = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        temporary.write_text(page, encoding="utf-8")
        os.replace(temporary, output)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise PredictorError(
            f"cannot be written: {error.strerror}", where=str(output), remedy="name a writable file with --output"
        ) from None
    click.echo(f"{output}: {len(page) / 1e6:.1f} MB, {len(records)} runs")


def _card(runs: Path) -> str | None:
    """The registry's own data card, if it has a readable one."""
    try:
        return (runs / "README.md").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
