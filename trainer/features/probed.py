"""A probe of images by the features of a pretrained network: what a head on them can tell apart, from how many."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from predictor.errors import DataError, SpecError
from predictor.grids import load_grid
from predictor.images.digests import file_digest
from predictor.images.listing import Images
from predictor.images.methods import method_of
from predictor.images.probe import Described
from predictor.images.sample import Progress
from predictor.spec import Model, Weights
from predictor.text import command
from predictor.weights import KNOWN_WEIGHTS
from trainer import weights
from trainer.data.source import Source
from trainer.features.cache import CHUNK
from trainer.features.extract import features

NAME = "images"


def network_of(place: str | None, network: str | None, image_size: int) -> tuple[Model, Path]:
    """The frozen network that a name or a file of weights stands for, and the file.

    place : name of known weights, or a file; network : of timm, that a file belongs to

    Raises SpecError where neither says which, DataError for a file that is not there or no weights.
    """
    names = ", ".join(KNOWN_WEIGHTS)
    if place is None:
        raise SpecError(
            "nothing says which network is to look", remedy=f"name its weights: --weights {names}, or a file"
        )
    known = KNOWN_WEIGHTS.get(place)
    path = Path(place)
    if known is None and not path.is_file():
        raise DataError("no such weights", where=place, remedy=f"name a file, or known weights: {names}")
    if known is None and network is None:
        raise SpecError("a file of weights does not say its network", where=place, remedy="name it with --model")
    digest = known.digest if known else file_digest(path)
    stated = Weights(name=known.name if known else path.stem, digest=digest)
    name = known.network if known and network is None else network
    model = Model.model_validate({"name": name, "image_size": image_size, "weights": stated, "train": "head"})
    return model, weights.checked(stated, None if known else path.name, path.parent)


def network_of_grid(path: Path, data: Path | None) -> tuple[Model, Path]:
    """The pretrained network of a grid's runs, and the file of its weights.

    data : folder of its files
    Raises SpecError where it begins at random or has several, DataError as `weights.checked`.
    """
    grid = load_grid(path)
    found = {run.spec.model.model_dump_json(): run.spec.model for run in grid.runs}
    if len(found) > 1:
        raise SpecError(f"trains {len(found)} networks", where=str(path), remedy="keep one network in the grid")
    (model,) = found.values()
    if model.weights is None:
        raise SpecError(
            f"{model.name} begins with no pretrained weights", where=str(path),
            remedy=f"probe without a network: {command('predictor', 'probe', path, '--data', data or 'DIR')}",
        )  # fmt: skip
    return model, weights.checked(model.weights, grid.weights, data or Path())


def described_by(model: Model, file: Path, images: Images, device: str = "cpu") -> Described:
    """The network's features of some images, kept in the cache that its runs use.

    file : its weights, see `trainer.weights.located`
    """
    encoded: dict[int, bytes] = {}
    source = Source.of(NAME, images, encoded.__getitem__)

    def of(rows: NDArray[np.int64], progress: Progress | None) -> NDArray[np.floating]:
        parts = []
        for first in range(0, len(rows), CHUNK):
            if progress:
                progress("features", first / len(rows))
            some = rows[first : first + CHUNK]
            encoded.clear()
            encoded.update(zip(some.tolist(), images.read(some.tolist()), strict=True))  # a file is opened once
            parts.append(np.asarray(features(source, some, model, file, device)))
        return np.concatenate(parts)

    return Described(method=method_of(model.model_dump(mode="json")), image_size=model.image_size, features=of)
