"""`predictor agreement`: registry in, rank agreement of indicators with outcomes out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from predictor.agreements.request import SIZE
from predictor.cli.common import FORMAT, OUTCOMES, RUNS, STUDIES, say_result


@click.command(name="agreement")
@RUNS
@STUDIES
@OUTCOMES
@click.option(
    "--indicator", "indicators", multiple=True, metavar="NAME", help="Take this indicator alone; may be repeated."
)
@click.option(
    "--given", metavar="NAME", default="n_samples", show_default=True,
    help="Also the partial Spearman correlation that holds this indicator fixed; 'none': leave it out.",
)  # fmt: skip
@click.option(
    "--by", multiple=True, metavar="AXIS",
    help="Also for pairs that differ in this axis of the grid alone, e.g. samples_per_class (V-scaling), "
    "others (H-scaling), profile (imbalance at equal size); may be repeated.",
)  # fmt: skip
@click.option("--within", multiple=True, metavar="AXIS", help="Permute only among runs of one value of this axis.")
@click.option(
    "--between", is_flag=True,
    help="Compare target sets, with what counts and image-steps explain taken out: for indicators of images "
    "(a probe).",
)  # fmt: skip
@click.option(
    "--all", "everything", is_flag=True, help="Show every statistic and outcome, and the indicators that never vary."
)
@click.option(
    "--adjust", type=click.Choice(["benjamini_hochberg", "max_t"]), default="benjamini_hochberg", show_default=True,
    help="How p is adjusted for the many tests of a table; the result is q.",
)  # fmt: skip
@click.option(
    "--level", type=click.FloatRange(0.5, 0.999), default=0.95, show_default=True, help="Coverage of the intervals."
)
@click.option(
    "--draws",
    type=click.IntRange(100, 10**5),
    default=10_000,
    show_default=True,
    help="Draws of bootstrap and permutation.",
)
@click.option(
    "--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="Seed of bootstrap and permutation."
)
@FORMAT
def command(
    runs: Path,
    studies: tuple[str, ...],
    outcomes: tuple[str, ...],
    indicators: tuple[str, ...],
    given: str,
    by: tuple[str, ...],
    within: tuple[str, ...],
    between: bool,
    everything: bool,
    adjust: str,
    level: float,
    draws: int,
    seed: int,
    form: str,
) -> None:
    """Say how well each indicator ranks each outcome of the registry RUNS.

    JSON and CSV hold every statistic whatever is asked for.
    """
    from predictor.agreements import ALL_STATISTICS, agreement
    from predictor.agreements.between import between_target_sets
    from predictor.records import frame
    from predictor.render import agreement as pages

    data = form in ("json", "csv")
    runs_frame = frame(runs, studies=list(studies) or None)
    if between:
        runs_frame = between_target_sets(runs_frame, outcomes or None)
        given = "none" if given == SIZE else given  # the level is free of it already
    table = agreement(
        runs_frame,
        indicators=indicators or None,
        outcomes=outcomes or None,
        statistics=ALL_STATISTICS if everything or data else ("spearman",),
        given=None if given == "none" else given,
        by=by,
        blocks=[f"axis_{name}" for name in within],
        level=level,
        adjust=adjust,
        n_bootstrap=draws,
        n_permutations=draws,
        seed=seed,
    )
    if between:  # a domain's target sets stand among those of all: nothing is to be pooled
        notes = (note.replace(" configurations ", " target sets ") for note in table.notes)
        table = replace(table, pooled=(), notes=(runs_frame.attrs["told"], *notes))
    say_result(pages, table, form, everything=everything, by=by, named=bool(indicators), between=between)
