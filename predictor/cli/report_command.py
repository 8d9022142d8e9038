"""`predictor report`: registry in, one HTML file out."""

from __future__ import annotations

from pathlib import Path

import click

from predictor.cli.common import RUNS, STUDIES, check_writable, shown_progress, write_text


@click.command(name="report")
@RUNS
@STUDIES
@click.option(
    "--fit", "fit_path", type=click.Path(path_type=Path),
    help="fit.json to show.  [default: RUNS/fit.json or the fit that ships where it is of these runs, else a new one]",
)  # fmt: skip
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), default=Path("report.html"), show_default=True
)
def command(runs: Path, studies: tuple[str, ...], fit_path: Path | None, output: Path) -> None:
    """Write one HTML page about the registry RUNS: what it says, figures, claims, predictions, every study.

    The page needs no network and no other file. A fit of exactly these runs is shown as it is stored; without one, the
    runs are fitted first.
    """
    from predictor.render.report import registry_page

    check_writable(output)
    with shown_progress("report") as progress:
        page, n_runs = registry_page(runs, list(studies) or None, fit=fit_path, progress=progress)
    write_text(output, page)
    click.echo(f"{output}: {len(page) / 1e6:.1f} MB, {n_runs} runs")
