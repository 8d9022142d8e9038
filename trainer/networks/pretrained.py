"""A network that begins with pretrained weights: they see images as pretraining did, and a part may stay as it is."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from predictor.errors import SpecError
from predictor.spec import Model
from trainer import weights
from trainer.augment import MEAN, STD


def begin(network: nn.Module, model: Model, file: Path) -> None:
    """Put the weights in, and prepare the network for training. Raises SpecError where they are another network's."""
    weights.load(network, model, file)
    prepare(network, model)


def prepare(network: nn.Module, model: Model) -> None:
    """Turn the trainer's normalisation of images into that of the pretraining, and freeze what is not trained."""
    config = weights.data_config(model.name)
    mean, std = (torch.tensor(config[key]).view(1, 3, 1, 1) for key in ("mean", "std"))
    network.register_buffer("pretraining_factor", STD / std, persistent=False)
    network.register_buffer("pretraining_shift", (MEAN - mean) / std, persistent=False)

    def as_pretrained(module: nn.Module, images: tuple[Tensor, ...]) -> Tensor:
        return images[0] * module.pretraining_factor + module.pretraining_shift

    network.register_forward_pre_hook(as_pretrained)
    if model.train.startswith("last:"):
        freeze(network, int(model.train.split(":")[1]))


def freeze(network: nn.Module, last: int) -> None:
    """Freeze everything but the classifier and the last blocks, as timm groups the layers of each network.

    Raises SpecError where it has fewer blocks.
    """
    from timm.models import group_parameters

    groups = group_parameters(network, network.group_matcher(coarse=True))
    head = weights.classifier_keys(network)
    layers = [names for key in sorted(groups) if (names := [name for name in groups[key] if name not in head])]
    if last > len(layers):
        raise SpecError(f"asks for the last {last} blocks; the network has {len(layers)}", remedy="use train: all")
    trained = head.union(*layers[-last:])
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name in trained)
