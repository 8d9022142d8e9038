"""`predictor advise`: a label manifest, a budget and a fit -> what to collect."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from predictor.cli.common import (
    FIT,
    FORMAT,
    LEVEL,
    PILOT,
    RECIPE,
    check_writable,
    manifest_options,
    read_manifests,
    repeated,
    say_result,
    write_text,
)
from predictor.cli.images import PROBE, told_before
from predictor.errors import PredictorError


@click.command(name="advise")
@click.argument("manifest")
@click.option(
    "--budget",
    type=click.IntRange(0, 10**15),
    metavar="N",
    help="Images that can be collected; with --price, the money for them.",
)
@click.option("--reach", type=float, metavar="ACCURACY", help="Also say how few images reach this accuracy, e.g. 0.8.")
@click.option(
    "--merge-below",
    type=click.IntRange(2, 10**9),
    metavar="N",
    help="Also predict: classes of fewer than N images merged into one other class.",
)
@click.option(
    "--drop-below",
    type=click.IntRange(2, 10**9),
    metavar="N",
    help="Also predict: classes of fewer than N images left out.",
)
@click.option("--other", metavar="NAME", help="Also predict: this other class (none of the above) left out.")
@click.option("--cuts", is_flag=True, help="Also try to leave images out; else no plan deletes any.")
@click.option(
    "--price", type=click.Path(path_type=Path), metavar="FILE",
    help="CSV label,price of one image; '*' for every class that it does not name. The budget is then money.",
)  # fmt: skip
@click.option(
    "--plot", type=click.Path(path_type=Path, dir_okay=False), help="Figure of the curve: .png, .pdf or .svg."
)
@click.option("--plan", default="advised", show_default=True, metavar="NAME", help="Plan whose counts are shown.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write how many images of each class to collect, as CSV.",
)
@click.option("--outcome", default="accuracy", show_default=True, metavar="NAME", help="Outcome to raise.")
@FIT
@RECIPE
@PILOT
@PROBE
@LEVEL
@manifest_options
@FORMAT
def command(
    manifest: str,
    budget: int | None,
    reach: float | None,
    cuts: bool,
    price: Path | None,
    plot: Path | None,
    plan: str,
    output: Path | None,
    outcome: str,
    fit_path: Path | None,
    pilot: Path | None,
    level: float,
    form: str,
    how: dict[str, str | None],
    targets: Path | None,
    images: Path | None,
    probe_file: Path | None,
    no_probe: bool,
    **asked: Any,
) -> None:
    """What to collect for MANIFEST: which classes to add images to, which other classes to add, and what that brings.

    Every plan is predicted beside the plain rules: in proportion, the same for every class, the smallest class first.
    A curve says what smaller budgets reach. Image-steps grow with the images, unless --image-steps fixes them.
    """
    from predictor.images.of_manifest import has_images
    from predictor.models.fit import find_fit
    from predictor.planning import advise
    from predictor.planning.advice.prices import classes_priced, read_prices
    from predictor.render import advice as pages
    from predictor.render.advice import CLASS_COLUMNS, class_rows
    from predictor.render.layout import untied
    from predictor.render.tables import rows_text
    from predictor.render.verdict import pilots_of

    if output is not None:
        check_writable(output)
    distribution = read_manifests([manifest], targets=targets, how=how)[manifest]
    fit, _ = find_fit(fit_path)
    looked = {"images": images, "probe_file": probe_file, "no_probe": no_probe}
    asked |= told_before(fit, {manifest: distribution}, how, pilot, asked, **looked)
    priced = classes_priced(fit, distribution, asked["target_set"])
    prices = None if price is None else read_prices(price, priced, distribution.target_names)
    asked |= {"cuts": cuts, "prices": prices}
    if plot is not None:
        from predictor.render.drawn import check_figure

        check_figure(plot)
    advice = advise(fit, distribution, budget, wanted=reach, manifest=manifest, outcome=outcome, level=level, **asked)
    chosen = advice.plan(plan)
    if plot is not None:
        from predictor.render.drawn import write_figure

        if not advice.curve:
            raise PredictorError(
                "the curve has no size inside of what the fit saw", where=str(plot), remedy="leave --plot out"
            )
        write_figure(advice.plot(), plot)
        click.echo(f"wrote {plot}: the curve", err=True)
    if output is not None:
        write_text(output, rows_text(class_rows(chosen), "csv", tuple(CLASS_COLUMNS), exact=True) + "\n")
        click.echo(f"wrote {output}: {chosen.name}, {len(chosen.changes)} classes", err=True)
    say_result(pages, advice, form, plan=plan)
    if form == "table" and advice.status not in ("in_domain", "pilot") and pilot is None:
        where = [] if images or has_images(manifest, how.get("label")) else ["--source", "IMAGES"]
        click.echo(f"next: {untied(pilots_of(manifest, [*repeated('pilots'), *where]))}")
