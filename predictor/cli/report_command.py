"""`predictor report`: registry in, one HTML file out."""

from __future__ import annotations

from pathlib import Path

import click

from predictor.cli.common import RUNS, STUDIES, check_writable, write_text


@click.command(name="report")
@RUNS
@STUDIES
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), default=Path("report.html"), show_default=True
)
def command(runs: Path, studies: tuple[str, ...], output: Path) -> None:
    """Write one self-contained HTML page about the registry RUNS."""
    from predictor.render.report import registry_page

    check_writable(output)
    page, n_runs = registry_page(runs, list(studies) or None)
    write_text(output, page)
    click.echo(f"{output}: {len(page) / 1e6:.1f} MB, {n_runs} runs")
