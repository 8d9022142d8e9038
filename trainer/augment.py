"""SimCLR augmentation as batched tensor code: every image has its own draws, on a counter-based stream.

Chen et al. 2020 in torchvision's terms: RandomResizedCrop, horizontal flip, ColorJitter .4/.4/.4/.1 in a random order
at p .8, greyscale at p .2, Gaussian blur with a kernel of 5 at p .5. torchvision's v2 transforms draw one parameter
for a whole batch; here each image draws its own, and each operation equals torchvision's for the same parameters.
What is drawn is the same on every device; CPUs carry it out image by image (`trainer.kernels`), GPUs as tensor code.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import permutations

import torch
from torch import Tensor

from trainer import kernels
from trainer.randomness import uniforms

LUMA = (0.2989, 0.587, 0.114)  # ITU-R 601-2, as torchvision and Pillow
MEAN, STD = 0.5, 0.25  # fixed: statistics of the data would differ between configurations
RATIO = (3 / 4, 4 / 3)  # aspect of the crop
TRIES = 10  # boxes that torchvision draws before it takes the whole image
JITTER, HUE, P_JITTER, P_GREY, P_BLUR, SIGMA = 0.4, 0.1, 0.8, 0.2, 0.5, (0.1, 2.0)
ORDERS = tuple(permutations(range(4)))  # of the four jitters
COLUMNS = 2 * TRIES + 12  # uniform numbers of an image


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


def augment(pixels: Tensor, name: str, key: int, first: int = 0, *, flip: bool = True) -> Tensor:
    """(B, 3, S, S) uint8 -> (B, 3, S, S) float32 in channels-last order, augmented and normalised, on its device.

    key, first : the images are the numbers first, first + 1, ... of the stream `key`; how they are batched is nothing
    flip : mirror half of the images (where the preset crops)
    """
    preset = PRESETS[name]
    if preset.scale is None:
        return normalise(pixels)
    drawn = draws(preset, key, first, len(pixels), pixels.shape[-1], pixels.device, flip=flip)
    if pixels.device.type == "cpu":
        return kernels.augmented(pixels, drawn, preset.bicubic, MEAN, STD)
    return augmented(pixels, drawn, bicubic=preset.bicubic)


def draws(
    preset: Preset, key: int, first: int, n: int, size: int, device: str | torch.device = "cpu", *, flip: bool = True
) -> dict[str, Tensor]:
    """Everything random about n images.

    boxes : (n, 4) top, left, height, width of the crop in pixels; mirrored : (n,) bool
    orders : (n, 4) which jitter comes at each place: 0 brightness, 1 contrast, 2 saturation, 3 hue, -1 none
    factors : (n, 4) of the four jitters; greyed : (n,) bool; sigmas : (n,) of the blur, 0 for none
    """
    u = uniforms(key, first, n, COLUMNS, device)
    crop, rest = u[:, : 2 * TRIES + 2], u[:, 2 * TRIES + 2 :]
    factors = torch.cat([(1 - JITTER) + 2 * JITTER * rest[:, 2:5], 2 * HUE * rest[:, 5:6] - HUE], 1)
    orders = torch.tensor(ORDERS, device=device)[(rest[:, 6] * len(ORDERS)).long()]
    jittered, blurred = rest[:, 1] < P_JITTER * preset.colour, rest[:, 8] < P_BLUR * preset.colour
    return {
        "boxes": torch.stack(crop_boxes(crop, preset.scale or 1.0, size), 1),
        "mirrored": rest[:, 0] < (0.5 if flip else 0.0),
        "factors": factors,
        "orders": orders.masked_fill(~jittered.unsqueeze(1), -1),
        "greyed": rest[:, 7] < P_GREY * preset.colour,
        "sigmas": (SIGMA[0] + rest[:, 9] * (SIGMA[1] - SIGMA[0])) * blurred,
    }


def augmented(pixels: Tensor, drawn: dict[str, Tensor], *, bicubic: bool) -> Tensor:
    """What `draws` says, as tensor code for any device: no value is looked at, so nothing waits for the device."""
    images = _by_rows(pixels).float().mul_(1 / 255).transpose(1, 2)
    images = resized_crop(images, *drawn["boxes"].unbind(1), drawn["mirrored"], bicubic=bicubic)
    for place in range(4):
        for number, jitter in enumerate((brighten, contrast, saturate, adjust_hue)):
            changed = jitter(images, drawn["factors"][:, number])
            images = torch.where((drawn["orders"][:, place] == number).view(-1, 1, 1, 1), changed, images)
    images = torch.where(drawn["greyed"].view(-1, 1, 1, 1), grey(images), images)
    sigmas = drawn["sigmas"]
    blurred = blur(images, sigmas.clamp(min=SIGMA[0]))
    images = torch.where((sigmas > 0).view(-1, 1, 1, 1), blurred, images)
    return images.sub_(MEAN).div_(STD).contiguous(memory_format=torch.channels_last)


def _by_rows(images: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, H, C, W) in one piece: in this order rows and columns are resized by one product each."""
    return images.transpose(1, 2).contiguous()


def _separable(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """rows @ image @ columns for each channel of each image. rows, columns : (B, S, S)"""
    n, channels, size, _ = images.shape
    across = torch.bmm(_by_rows(images).view(n, size * channels, size), columns)
    return torch.bmm(rows, across.view(n, size, channels * size)).view(n, size, channels, size).transpose(1, 2)


def normalise(pixels: Tensor) -> Tensor:
    """(B, 3, S, S) uint8 -> float32 in channels-last order, as the network sees test images."""
    images = pixels.contiguous(memory_format=torch.channels_last).float()
    return images.mul_(1 / 255).sub_(MEAN).div_(STD)


def crop_boxes(u: Tensor, scale: float, size: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(B, 22) uniforms -> top, left, height, width (B,) in whole pixels, as RandomResizedCrop draws them.

    Area is uniform in [scale, 1], the logarithm of the aspect too; of ten such boxes the first that fits is taken,
    else the whole image.
    """
    area = (scale + u[:, :TRIES] * (1 - scale)) * float(size**2)
    low, high = math.log(RATIO[0]), math.log(RATIO[1])
    aspect = (low + u[:, TRIES : 2 * TRIES] * (high - low)).exp()
    widths, heights = (area * aspect).sqrt().round(), (area / aspect).sqrt().round()
    fits = (widths >= 1) & (widths <= size) & (heights >= 1) & (heights <= size)
    chosen = fits.float().argmax(1, keepdim=True)  # the first of equal ones
    none = ~fits.any(1)
    width = widths.gather(1, chosen)[:, 0].masked_fill(none, size)
    height = heights.gather(1, chosen)[:, 0].masked_fill(none, size)
    top, left = (u[:, 2 * TRIES] * (size - height + 1)).floor(), (u[:, 2 * TRIES + 1] * (size - width + 1)).floor()
    return top, left, height, width


def resized_crop(
    images: Tensor,
    top: Tensor,
    left: Tensor,
    height: Tensor,
    width: Tensor,
    flip: Tensor | None = None,
    bicubic: bool = False,
) -> Tensor:
    """Cut a box of whole pixels out of each image, resize it to the whole, mirror where `flip`.

    Resizing is a matrix for the rows and one for the columns of each image, so a batch is two matrix products.
    """
    size = images.shape[-1]
    rows = _placed(*_taps(top, height, size, bicubic), size)
    columns = _placed(*_taps(left, width, size, bicubic, flip), size, across=True)
    return _separable(images, rows, columns).clamp_(0.0, 1.0)


def _taps(
    start: Tensor, length: Tensor, size: int, bicubic: bool, reverse: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Which source pixels make output pixel i, and their weights: (B, size, taps) each.

    As Pillow, and torchvision with antialiasing, when they enlarge: taps beyond the box count nothing and the rest
    are scaled to sum to one. Bicubic is Keys' kernel with a = -1/2 (Keys 1981).
    """
    place = torch.arange(size, device=start.device).expand(len(start), size)
    if reverse is not None:
        place = place + reverse.unsqueeze(1) * (size - 1 - 2 * place)
    centre = (place + 0.5) * (length / size).unsqueeze(1) - 0.5
    floor = centre.floor()
    after = (centre - floor).unsqueeze(2)  # share of a pixel behind the tap before
    if bicubic:
        near, far = torch.cat([after, 1.0 - after], 2), torch.cat([1.0 + after, 2.0 - after], 2)
        near = (1.5 * near - 2.5) * near * near + 1.0
        far = ((-0.5 * far + 2.5) * far - 4.0) * far + 2.0
        weights = torch.cat([far[..., :1], near, far[..., 1:]], 2)
    else:
        weights = torch.cat([1.0 - after, after], 2)
    reach = weights.shape[2] // 2
    taps = floor.unsqueeze(2) + torch.arange(1 - reach, reach + 1, device=start.device)
    last = (length - 1).view(-1, 1, 1)
    weights = weights * ((taps >= 0) & (taps <= last))
    places = taps.clamp(min=0.0).minimum(last) + start.view(-1, 1, 1)
    return places.long(), weights / weights.sum(2, keepdim=True)


def _placed(places: Tensor, weights: Tensor, size: int, across: bool = False) -> Tensor:
    """(B, size, size) matrix of taps; output pixels are its rows, or its columns where `across`."""
    matrix = torch.zeros(len(places), size, size, device=weights.device)
    if across:
        return matrix.scatter_add_(1, places.mT, weights.mT)
    return matrix.scatter_add_(2, places, weights)


def brighten(images: Tensor, factor: Tensor) -> Tensor:
    """Blend with black, as torchvision's adjust_brightness. factor : (B,) >= 0"""
    return (images * factor.view(-1, 1, 1, 1)).clamp_(0.0, 1.0)


def contrast(images: Tensor, factor: Tensor) -> Tensor:
    """Blend with the mean grey of the image, as torchvision's adjust_contrast. factor : (B,) >= 0"""
    factor = factor.view(-1, 1, 1, 1)
    return (images * factor).add_((1.0 - factor) * grey(images).mean(dim=(1, 2, 3), keepdim=True)).clamp_(0.0, 1.0)


def saturate(images: Tensor, factor: Tensor) -> Tensor:
    """Blend with the grey image, as torchvision's adjust_saturation. factor : (B,) >= 0"""
    factor = factor.view(-1, 1, 1, 1)
    return (images * factor).add_(grey(images) * (1.0 - factor)).clamp_(0.0, 1.0)


def grey(images: Tensor) -> Tensor:
    """(B, 3, S, S) -> (B, 1, S, S) luma."""
    red, green, blue = images.split(1, 1)
    return (red * LUMA[0]).add_(green, alpha=LUMA[1]).add_(blue, alpha=LUMA[2])


def adjust_hue(images: Tensor, shift: Tensor) -> Tensor:
    """Turn the hue by a share of the circle, as torchvision's adjust_hue. shift : (B,) in [-.5, .5]

    HSV (Smith 1978) without branches and masks, which are slow on a CPU. Sorting the channels by two exchanges gives
    the sextant as a sum of signs. Back, hue h gives each channel v - v s max(0, min(k, 4 - k, 1)),
    k = (n + 6 h) mod 6, n = 5, 3, 1 for red, green, blue.
    """
    red, green, blue = images.unbind(1)
    first = (blue - green).sign_().clamp_(min=0.0)  # 1 where green and blue change places
    high, low = torch.maximum(green, blue), torch.minimum(green, blue)
    second = (high - red).sign_().clamp_(min=0.0)  # 1 where red and the higher of them do
    value, middle = torch.maximum(red, high), torch.minimum(red, high)
    spread = value - torch.minimum(middle, low)
    turn = (middle - low).div_(spread.clamp(min=1e-12))  # of a grey pixel: 0
    turn.sub_(first, alpha=6.0).sub_(second, alpha=2.0).addcmul_(first, second, value=12.0).abs_()
    turn.add_(6.0 * shift.view(-1, 1, 1))
    out = torch.empty_like(images)
    for channel, n in enumerate((5.0, 3.0, 1.0)):  # max(0, min(k, 4 - k, 1)) peaks at k = 2 and 8: no remainder needed
        away = (turn + (n - 5)).abs_().sub_(3.0).abs_().neg_().add_(2.0).clamp_(0.0, 1.0)
        torch.addcmul(value, spread, away, value=-1.0, out=out[:, channel])
    return out


def blur(images: Tensor, sigma: Tensor) -> Tensor:
    """Gaussian blur with a kernel of 5 and a sigma of its own for each image, edges reflected. sigma : (B,) > 0"""
    size = images.shape[-1]
    offsets = torch.arange(-2, 3, device=images.device)
    kernel = torch.exp(-0.5 * (offsets / sigma.view(-1, 1)) ** 2)
    kernel = kernel / kernel.sum(1, keepdim=True)
    places = torch.arange(size, device=images.device).view(-1, 1) + offsets  # (S, 5), beyond the edges
    places = (size - 1) - ((size - 1) - places.abs()).abs()  # reflected without repeating the edge
    taps = places.expand(len(images), -1, -1), kernel.unsqueeze(1).expand(-1, size, -1)
    return _separable(images, _placed(*taps, size), _placed(*taps, size, across=True))
