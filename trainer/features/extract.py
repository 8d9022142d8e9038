"""A frozen network looks at images: rows of a source -> features, from the cache where they were computed before."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from predictor.errors import SpecError
from predictor.images.published import NAMED
from predictor.spec import Model
from trainer import weights
from trainer.data.source import Source
from trainer.device import memory_format
from trainer.features.cache import FeatureCache, Features, Key

BATCH = 32  # images at once: on a CPU larger batches are no faster and leave its cache


class Extractor:
    """A pretrained network without its classifier.

    width : of the features; look : (n, 3, S, S) uint8 -> (n, width) float32
    """

    def __init__(self, model: Model, file: Path, device: str):
        from trainer.networks import create

        self.model, self.device = model, device
        net = create(model.name, head=0, image_size=model.image_size)
        weights.load(net, model, file)
        self.net: nn.Module = net.eval().requires_grad_(False).to(device).to(memory_format=memory_format(net))
        self.config: dict[str, Any] = weights.data_config(model.name)
        self._mean, self._std = (
            torch.tensor(self.config[key], device=device).view(1, 3, 1, 1) for key in ("mean", "std")
        )
        found = self.look(np.zeros((1, 3, model.image_size, model.image_size), np.uint8))
        if found.ndim != 2:
            raise SpecError(
                f"{model.name} gives no vector of features but {found.shape[1:]}", remedy="use another network"
            )
        self.width = found.shape[1]

    @torch.inference_mode()
    def look(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Features of decoded images, as pretraining saw them: its mean and standard deviation."""
        parts: list[Tensor] = []
        for first in range(0, len(pixels), BATCH):
            images = torch.from_numpy(pixels[first : first + BATCH]).to(self.device)
            images = images.contiguous(memory_format=torch.channels_last).float().mul_(1 / 255)
            parts.append(self.net(images.sub_(self._mean).div_(self._std)).float())
        return torch.cat(parts).cpu().numpy()


_extractor = lru_cache(maxsize=2)(Extractor)


def features(source: Source, rows: NDArray[np.int64], model: Model, file: Path, device: str) -> Features:
    """(n, D) float16 features of rows of a source.

    Raises DataError naming every image that cannot be used.
    """
    net = _extractor(model, file, device)
    interpolation = net.config["interpolation"]
    assert model.weights is not None
    content = _content(source) + "+exif" * source.upright + "+reduced" * source.reduced
    key = Key(content, model.weights.digest, model.name, model.image_size, interpolation)
    compute: Callable[[NDArray[np.int64]], NDArray[np.float32]] = lambda some: net.look(  # noqa: E731
        source.decoded(some, model.image_size, interpolation)
    )
    return FeatureCache(key, len(source.labels), net.width, compute).take(rows)


def _content(source: Source) -> str:
    """What features are kept under: a published set is named by its name, which two copies share, so by its bytes."""
    if not source.digest.startswith(NAMED):
        return source.digest
    hashes = source.contents(np.arange(len(source.labels)))
    return f"{source.digest}:{hashlib.sha256(hashes.tobytes()).hexdigest()}"
