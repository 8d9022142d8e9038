"""A small convolutional network that one CPU core trains on 30,000 images of 32 px in a quarter of a minute."""

from __future__ import annotations

from typing import Any

from timm.models import register_model
from torch import Tensor, nn


class SmallNet(nn.Module):
    """A 4x4 stem of stride 2, two 3x3 convolutions that halve the image, global maximum, linear head.

    Pooling stands before batch norm and ReLU: they then work on a quarter of the pixels.
    """

    def __init__(self, widths: tuple[int, int, int], num_classes: int = 1000, in_chans: int = 3):
        super().__init__()
        self.num_classes = num_classes
        first, second, third = widths
        self.features = nn.Sequential(
            nn.Conv2d(in_chans, first, 4, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(first),
            nn.ReLU(inplace=True),
            nn.Conv2d(first, second, 3, padding=1, bias=False),
            nn.MaxPool2d(2),
            nn.BatchNorm2d(second),
            nn.ReLU(inplace=True),
            nn.Conv2d(second, third, 3, padding=1, bias=False),
            nn.MaxPool2d(2),
            nn.BatchNorm2d(third),
            nn.ReLU(inplace=True),
        )
        self.fc = nn.Linear(third, num_classes)

    def get_classifier(self) -> nn.Module:
        """The head, under timm's name for it."""
        return self.fc

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_chans, S, S) -> (B, num_classes) logits."""
        return self.fc(self.features(x).amax((2, 3)))


@register_model
def predictor_small(pretrained: bool = False, **kwargs: Any) -> SmallNet:
    """About 370,000 parameters and a head."""
    kwargs = {name: kwargs[name] for name in ("num_classes", "in_chans") if name in kwargs}
    return SmallNet((64, 128, 256), **kwargs)
