"""`predictor claims`: registry in, verdicts on claims out."""

from __future__ import annotations

from pathlib import Path

import click

from predictor.cli.common import FORMAT, RUNS, STUDIES, check_writable, say_result, write_text
from predictor.entry import as_given
from predictor.text import command as in_words


@click.command(name="claims")
@RUNS
@STUDIES
@click.option(
    "--claim", "names", multiple=True, metavar="NAME", help="Test this claim alone, e.g. C5; may be repeated."
)
@click.option("--all", "everything", is_flag=True, help="Show every part of every claim, and each target set's effect.")
@click.option(
    "--missing", type=click.Path(path_type=Path), metavar="FILE",
    help="Write the runs that would decide the rest as a grid for `trainer run`.",
)  # fmt: skip
@FORMAT
def command(
    runs: Path, studies: tuple[str, ...], names: tuple[str, ...], everything: bool, missing: Path | None, form: str
) -> None:
    """Test the paper's claims C1 to C7, claims that people repeat (P1 to P8), and your own, on the registry RUNS.

    P1 to P8 have a verdict for each recipe family: from scratch, frozen, fine-tuned. A claim is supported or
    contradicted only where runs of at least 6 target sets say so, Holm-adjusted over the claims; "no effect" is shown
    by equivalence, never by a large p. Own claims: `predictor --load FILE claims RUNS`.
    """
    from predictor.claims import claims
    from predictor.render import claims as pages

    if missing:
        check_writable(missing, "--missing")
    report = claims(runs, names=names or None, studies=studies or None)
    if missing:
        text = report.missing_grid()
        if text is None:
            click.echo("no run is missing on the registry's target sets: no grid written", err=True)
        else:
            write_text(missing, text)
            click.echo(f"{missing}: written; next: {_train(missing, runs)}", err=True)
        for recipe in report.missing_recipes:  # a grid has one network
            more = missing.with_name(f"{missing.stem}-{recipe}{missing.suffix}")
            write_text(more, report.missing_grid(recipe) or "")
            click.echo(f"{more}: written, runs of {recipe} networks; next: {_train(more, runs)}", err=True)
    say_result(pages, report, form, everything=everything)


def _train(grid: Path, runs: Path) -> str:
    return in_words("trainer", "run", grid, "--data", "DIR", "--runs", as_given(runs))
