"""`predictor report`: registry in, one HTML file out."""

from __future__ import annotations

from pathlib import Path

import click

from predictor.cli.common import RUNS, STUDIES, check_writable, write_text
from predictor.reading import MIB, read_text

MAX_CARD = MIB  # bytes of a registry's README.md that the page shows


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

    check_writable(output)
    records = read_registry(runs, list(studies) or None)
    fit, reason = try_fit(records)
    title = f"Registry {runs.resolve().name}"
    page = report_html(records, agreement(frame(records)), fit, reason, title, _card(runs))
    write_text(output, page)
    click.echo(f"{output}: {len(page) / 1e6:.1f} MB, {len(records)} runs")


def _card(runs: Path) -> str | None:
    """The registry's own data card, if it has a readable one."""
    try:
        return read_text(runs / "README.md", limit=MAX_CARD, root=runs)
    except (OSError, UnicodeDecodeError):
        return None
