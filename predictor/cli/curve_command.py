"""`predictor curve`: a label manifest at several sizes -> what each is predicted to reach, and what it costs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from predictor.cli.common import FIT, FORMAT, LEVEL, PILOT, RECIPE, manifest_options, read_manifests, say_result
from predictor.cli.images import PROBE, told_before
from predictor.errors import PredictorError


class ScaleRange(click.ParamType):
    """Two numbers with two dots between them."""

    name = "scale"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, float]:
        """The two numbers."""
        if isinstance(value, tuple):
            return value
        low, _, high = str(value).partition("..")
        try:
            return float(low), float(high)
        except ValueError:
            self.fail(f"{value!r} is not two numbers such as 0.25..8", param, ctx)


@click.command(name="curve")
@click.argument("manifest")
@click.option(
    "--scale",
    type=ScaleRange(),
    default="0.25..8",
    show_default=True,
    metavar="A..B",
    help="Smallest and largest size, as multiples of the data set's own.",
)
@click.option("--outcome", default="accuracy", show_default=True, metavar="NAME", help="Outcome to predict.")
@click.option(
    "--runs",
    type=click.Path(path_type=Path),
    metavar="RUNS",
    help="Registry whose runs are drawn as dots and tell the speed.",
)
@click.option("--speed", type=float, metavar="N", help="Images trained on in a second.  [default: as in RUNS]")
@click.option("--price-hour", type=float, metavar="X", help="What an hour of training costs.")
@click.option(
    "--price-image", type=click.Path(path_type=Path), metavar="FILE",
    help="CSV label,price of one image; '*' for every class that it does not name.",
)  # fmt: skip
@click.option(
    "--plot", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Figure: .svg, .png or .pdf."
)
@click.option(
    "--axis",
    type=click.Choice(["images", "steps", "hours", "money"]),
    help="Horizontal axis of the figure.  [default: images]",
)
@FIT
@RECIPE
@PILOT
@PROBE
@LEVEL
@manifest_options
@FORMAT
def command(
    manifest: str,
    scale: tuple[float, float],
    runs: Path | None,
    speed: float | None,
    price_hour: float | None,
    price_image: Path | None,
    plot: Path | None,
    axis: str | None,
    fit_path: Path | None,
    pilot: Path | None,
    form: str,
    how: dict[str, str | None],
    targets: Path | None,
    images: Path | None,
    probe_file: Path | None,
    no_probe: bool,
    **asked: Any,
) -> None:
    """What MANIFEST reaches when it shrinks or grows as it is, and what that costs.

    Every class keeps its share of the images; `advise` says which classes to add to instead. Image-steps grow with the
    images, unless --image-steps fixes them.
    """
    from predictor.models.fit import find_fit
    from predictor.planning.advice.prices import classes_priced, read_prices
    from predictor.planning.scaling import scale_curve
    from predictor.render import curve as pages
    from predictor.render.drawn import check_figure, write_figure

    if plot is not None:
        check_figure(plot)
    elif axis is not None:
        raise PredictorError("--axis is of a figure", remedy="say --plot FILE as well")
    distribution = read_manifests([manifest], targets=targets, how=how)[manifest]
    fit, _ = find_fit(fit_path)
    looked = {"images": images, "probe_file": probe_file, "no_probe": no_probe}
    asked |= told_before(fit, {manifest: distribution}, how, pilot, asked, **looked)
    if runs is not None:
        from predictor.records import read_registry

        asked["runs"] = read_registry(runs)
    priced = classes_priced(fit, distribution, asked["target_set"])
    found = scale_curve(
        fit, distribution, scale, manifest=manifest, images_per_second=speed, price_hour=price_hour,
        prices=None if price_image is None else read_prices(price_image, priced, distribution.class_names), **asked,
    )  # fmt: skip
    if plot is not None:
        write_figure(pages.plot(found, axis), plot)
        click.echo(f"wrote {plot}: the curve", err=True)
    say_result(pages, found, form)
