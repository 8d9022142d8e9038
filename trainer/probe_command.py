"""`trainer probe`: a probe of images by the features of a pretrained network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from predictor.cli.probe_command import GRID, PROBED, say_probe
from predictor.errors import SpecError


@click.command(name="probe")
@PROBED
@click.option("--weights", metavar="NAME|FILE", help="Pretrained weights: lite0, or a file.  [default: the grid's]")
@click.option("--model", metavar="NAME", help="Network of timm that a file of weights belongs to.")
@click.option(
    "--image-size", type=click.IntRange(8, 4096), default=96, show_default=True, metavar="PX",
    help="At which the network looks at images; of a grid, its own.",
)  # fmt: skip
def probe(images: Path, weights: str | None, model: str | None, image_size: int, **asked: Any) -> None:
    """Say how far apart the classes of IMAGES are to a pretrained network: what a new head on it can reach.

    For recipes that begin with pretrained weights, as `predictor probe` is for those from scratch; IMAGES as there. Its
    features are kept for the runs that follow. Of a grid every target set is probed by the grid's own network.
    """
    from predictor.images.methods import method_of
    from trainer.features.probed import described_by, network_of, network_of_grid
    from trainer.machine import choose_device

    if images.suffix in GRID:
        if weights is not None or model is not None:
            raise SpecError("a grid names its network and weights", where=str(images),
                            remedy="leave --weights and --model out")  # fmt: skip
        own, file = network_of_grid(images, asked["data"])
    else:
        own, file = network_of(weights, model, image_size)
    device = choose_device("auto")
    say_probe(
        images, method=method_of(own.model_dump(mode="json")),
        describe=lambda listed: described_by(own, file, listed, device), **asked,
    )  # fmt: skip
