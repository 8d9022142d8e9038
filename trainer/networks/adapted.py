"""Known networks adapted to small images: a stride-1 stem instead of one that throws most of 32 px away."""

from __future__ import annotations

from typing import Any

from timm.models import register_model
from timm.models.resnet import ResNet, resnet18, resnet50
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn


def _block(before: int, width: int, *, halve: bool = False) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(before, width, 3, padding=1, bias=False)]
    layers += [nn.MaxPool2d(2)] if halve else []
    return nn.Sequential(*layers, nn.BatchNorm2d(width), nn.ReLU(inplace=True))


class Residual(nn.Module):
    """Two blocks around which the input passes."""

    def __init__(self, width: int):
        super().__init__()
        self.blocks = nn.Sequential(_block(width, width), _block(width, width))

    def forward(self, x: Tensor) -> Tensor:
        """(B, width, S, S) -> the same shape."""
        return x + self.blocks(x)


class ResNet9(nn.Module):
    """The nine-layer residual network of fast CIFAR-10 training (Page 2018, How to train your ResNet)."""

    def __init__(self, widths: tuple[int, int, int, int], num_classes: int = 1000, in_chans: int = 3):
        super().__init__()
        a, b, c, d = widths
        self.num_classes = num_classes
        self.features = nn.Sequential(
            _block(in_chans, a),
            _block(a, b, halve=True),
            Residual(b),
            _block(b, c, halve=True),
            _block(c, d, halve=True),
            Residual(d),
        )
        self.fc = nn.Linear(d, num_classes, bias=False)

    def get_classifier(self) -> nn.Module:
        """The head, under timm's name for it."""
        return self.fc

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_chans, S, S) -> (B, num_classes) logits. Page scales them by 1/8: large steps stay stable."""
        return 0.125 * self.fc(self.features(x).amax((2, 3)))


def _own(kwargs: dict[str, Any]) -> dict[str, Any]:
    return {name: kwargs[name] for name in ("num_classes", "in_chans") if name in kwargs}


@register_model
def predictor_resnet9(pretrained: bool = False, **kwargs: Any) -> ResNet9:
    """6.6 million parameters and a head: CIFAR-10 to about 94 % in 24 epochs."""
    return ResNet9((64, 128, 256, 512), **_own(kwargs))


@register_model
def predictor_medium(pretrained: bool = False, **kwargs: Any) -> ResNet9:
    """The same network with 2 million parameters."""
    return ResNet9((40, 72, 144, 288), **_own(kwargs))


def _small_stem(model: ResNet) -> ResNet:
    model.conv1 = nn.Conv2d(model.conv1.in_channels, model.conv1.out_channels, 3, padding=1, bias=False)
    nn.init.kaiming_normal_(model.conv1.weight, mode="fan_out", nonlinearity="relu")
    model.maxpool = nn.Identity()
    return model


@register_model
def predictor_resnet18(pretrained: bool = False, **kwargs: Any) -> ResNet:
    """timm's ResNet-18 with a 3x3 stem of stride 1 and no pooling behind it, as He et al. 2016 train CIFAR-10."""
    return _small_stem(resnet18(pretrained=False, **_own(kwargs)))


@register_model
def predictor_resnet50(pretrained: bool = False, **kwargs: Any) -> ResNet:
    """timm's ResNet-50 with a 3x3 stem of stride 1 and no pooling behind it."""
    return _small_stem(resnet50(pretrained=False, **_own(kwargs)))


@register_model
def predictor_vit(pretrained: bool = False, img_size: int = 32, **kwargs: Any) -> VisionTransformer:
    """A small vision transformer: 4 px patches, 6 layers of width 192, 2.7 million parameters."""
    return VisionTransformer(img_size=img_size, patch_size=4, embed_dim=192, depth=6, num_heads=3, **_own(kwargs))
