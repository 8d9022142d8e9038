"""SimCLR augmentation as batched tensor code: parameters are drawn per image, on a counter-based stream.

Chen et al. 2020 as in torchvision's ops: random resized crop, flip, colour jitter .4/.4/.4/.1 at p .8, grey at .2,
blur (kernel 5) at .5. torchvision's v2 transforms draw one parameter per batch; here every image has its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

LUMA = (0.2989, 0.587, 0.114)  # ITU-R 601-2, as torchvision and Pillow
MEAN, STD = 0.5, 0.25  # fixed: statistics of the data would differ between configurations


@dataclass(frozen=True, kw_only=True)
class Preset:
    """Which parts an augmentation has. scale : smallest area of the crop (None: no crop)"""

    scale: float | None
    bicubic: bool = False
    colour: bool = False


PRESETS = {
    "simclr": Preset(scale=0.08, colour=True),
    "simclr-mild": Preset(scale=0.7, bicubic=True, colour=True),  # the other preset of the literature
    "crop": Preset(scale=0.7, bicubic=True),
    "none": Preset(scale=None),
}
RATIO = (3 / 4, 4 / 3)  # aspect of the crop
JITTER, HUE, P_JITTER, P_GREY, P_BLUR, SIGMA = 0.4, 0.1, 0.8, 0.2, 0.5, (0.1, 2.0)


def augment(pixels: Tensor, name: str, generator: torch.Generator, *, flip: bool = True) -> Tensor:
    """(B, 3, S, S) uint8 -> (B, 3, S, S) float32, augmented and normalised, on the device of `pixels`.

    flip : mirror half of the images
    The generator lives on the CPU, so that the same draws are made whatever the device is.
    """
    preset = PRESETS[name]
    images = pixels.float().div_(255.0)
    n = len(images)

    def draw(columns: int) -> Tensor:
        return torch.rand(n, columns, generator=generator).to(images.device)

    if preset.scale is not None:
        boxes, mirrored = crop_boxes(draw(4), preset.scale), draw(1)[:, 0] < 0.5
        images = resized_crop(images, *boxes, flip=mirrored if flip else None, bicubic=preset.bicubic)
    if preset.colour:
        images = _colour(images, draw(10))
    return images.sub_(MEAN).div_(STD)


def normalise(pixels: Tensor) -> Tensor:
    """(B, 3, S, S) uint8 -> float32 as the network sees test images."""
    return pixels.float().div_(255.0).sub_(MEAN).div_(STD)


def crop_boxes(u: Tensor, scale: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(B, 4) uniforms -> top, left, height, width (B,) as shares of the image; area and log aspect are uniform."""
    area = scale + u[:, 0] * (1 - scale)
    low, high = (torch.tensor(r).log() for r in RATIO)
    aspect = (low + u[:, 1] * (high - low)).exp()
    width, height = (area * aspect).sqrt().clamp(max=1.0), (area / aspect).sqrt().clamp(max=1.0)
    return u[:, 2] * (1 - height), u[:, 3] * (1 - width), height, width


def resized_crop(
    images: Tensor,
    top: Tensor,
    left: Tensor,
    height: Tensor,
    width: Tensor,
    flip: Tensor | None = None,
    bicubic: bool = False,
) -> Tensor:
    """Crop a box of each image, given as shares, and resize it to the whole; mirror where `flip`."""
    sign = torch.ones_like(width) if flip is None else torch.where(flip, -1.0, 1.0)
    theta = torch.zeros(len(images), 2, 3, device=images.device)
    theta[:, 0, 0], theta[:, 0, 2] = width * sign, 2 * left + width - 1
    theta[:, 1, 1], theta[:, 1, 2] = height, 2 * top + height - 1
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    mode = "bicubic" if bicubic else "bilinear"
    return F.grid_sample(images, grid, mode=mode, padding_mode="border", align_corners=False).clamp_(0, 1)


def _colour(images: Tensor, u: Tensor) -> Tensor:
    """Jitter, grey and blur, each on the images that drew it. Draws are compared, not branched on: no host sync."""
    factors = 1 + JITTER * (2 * u[:, 1:4] - 1)
    jittered = adjust_hue(
        saturate(contrast(brighten(images, factors[:, 0]), factors[:, 1]), factors[:, 2]), HUE * (2 * u[:, 4] - 1)
    )
    images = torch.where((u[:, 0] < P_JITTER).view(-1, 1, 1, 1), jittered, images)
    images = torch.where((u[:, 5] < P_GREY).view(-1, 1, 1, 1), grey(images).expand_as(images), images)
    blurred = blur(images, SIGMA[0] + u[:, 7] * (SIGMA[1] - SIGMA[0]))
    return torch.where((u[:, 6] < P_BLUR).view(-1, 1, 1, 1), blurred, images)


def brighten(images: Tensor, factor: Tensor) -> Tensor:
    """Blend with black, as torchvision's adjust_brightness. factor : (B,) >= 0"""
    return (images * factor.view(-1, 1, 1, 1)).clamp_(0, 1)


def contrast(images: Tensor, factor: Tensor) -> Tensor:
    """Blend with the mean grey of the image, as torchvision's adjust_contrast. factor : (B,) >= 0"""
    mean = grey(images).mean(dim=(1, 2, 3), keepdim=True)
    return torch.lerp(mean.expand_as(images), images, factor.view(-1, 1, 1, 1)).clamp_(0, 1)


def saturate(images: Tensor, factor: Tensor) -> Tensor:
    """Blend with the grey image, as torchvision's adjust_saturation. factor : (B,) >= 0"""
    return torch.lerp(grey(images).expand_as(images), images, factor.view(-1, 1, 1, 1)).clamp_(0, 1)


def grey(images: Tensor) -> Tensor:
    """(B, 3, S, S) -> (B, 1, S, S) luma."""
    return LUMA[0] * images[:, 0:1] + LUMA[1] * images[:, 1:2] + LUMA[2] * images[:, 2:3]


def adjust_hue(images: Tensor, shift: Tensor) -> Tensor:
    """Turn the hue by a share of the circle, as torchvision's adjust_hue. shift : (B,) in [-.5, .5]

    HSV without the branches: hue h gives each channel v - v s max(0, min(k, 4 - k, 1)), k = (n + 6 h) mod 6,
    n = 5, 3, 1 for red, green, blue.
    """
    red, green, blue = images.unbind(1)
    value, low = images.amax(1), images.amin(1)
    spread = value - low
    safe = torch.where(spread > 0, spread, 1.0)
    hue = torch.where(
        value == red,
        ((green - blue) / safe) % 6,
        torch.where(value == green, (blue - red) / safe + 2, (red - green) / safe + 4),
    )
    hue = hue + 6 * shift.view(-1, 1, 1)
    channels = []
    for n in (5, 3, 1):
        k = (n + hue) % 6
        channels.append(value - spread * torch.minimum(k, 4 - k).clamp_(0, 1))
    return torch.stack(channels, 1)


def blur(images: Tensor, sigma: Tensor) -> Tensor:
    """Gaussian blur with a kernel of 5 and a sigma of its own for each image, edges reflected. sigma : (B,) > 0"""
    offsets = torch.arange(-2, 3, device=images.device)
    kernel = torch.exp(-0.5 * (offsets / sigma.view(-1, 1)) ** 2)
    kernel = kernel / kernel.sum(1, keepdim=True)
    size = images.shape[-1]
    padded = F.pad(images, (2, 2, 2, 2), mode="reflect")
    weights = kernel.t().reshape(5, -1, 1, 1, 1)
    rows = weights[0] * padded[:, :, :size]
    for i in range(1, 5):
        rows = torch.addcmul(rows, weights[i], padded[:, :, i : i + size])
    out = weights[0] * rows[..., :size]
    for i in range(1, 5):
        out = torch.addcmul(out, weights[i], rows[..., i : i + size])
    return out
