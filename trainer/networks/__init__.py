"""Networks by timm name; the project's own are registered with timm when this package is imported."""

from __future__ import annotations

from torch import nn

from predictor.errors import SpecError
from predictor.grids import near
from trainer.networks import small  # noqa: F401 - registers its models

__all__ = ["create"]


def create(name: str, *, head: int, image_size: int) -> nn.Module:
    """A fresh network with `head` logits. Raises SpecError for a name timm does not know, with near matches."""
    import timm

    if not timm.is_model(name):
        raise SpecError(f"unknown model {name!r}{near(name, timm.list_models())[:200]}", remedy="use a timm name")
    size = {"img_size": image_size} if "vit" in name or "swin" in name else {}
    return timm.create_model(name, pretrained=False, num_classes=head, in_chans=3, **size)
