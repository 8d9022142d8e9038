"""SimCLR augmentation as batched tensor code: every image has its own draws, on a counter-based stream.

Chen et al. 2020 in torchvision's terms: RandomResizedCrop, horizontal flip, ColorJitter .4/.4/.4/.1 in a random order
at p .8, greyscale at p .2, Gaussian blur with a kernel of 5 at p .5. torchvision's v2 transforms draw one parameter
for a whole batch; here each image draws its own, and each operation equals torchvision's for the same parameters.
What is drawn is the same on every device; CPUs carry it out image by image (`trainer.kernels`), GPUs as tensor code.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations

import torch
from torch import Tensor

from trainer import kernels
from trainer.device import compiled, waited
from trainer.randomness import uniforms

# (pixels (B, 3, S, S) uint8, key, number of the first image, both of no dimension) -> images, see `augment`
Augmentation = Callable[[Tensor, Tensor, Tensor], Tensor]
Planes = tuple[Tensor, ...]  # red, green and blue of a batch, (B, S, S) float32 in [0, 1] each

LUMA = (0.2989, 0.587, 0.114)  # ITU-R 601-2, as torchvision and Pillow
MEAN, STD = 0.5, 0.25  # fixed: statistics of the data would differ between configurations
RATIO = (3 / 4, 4 / 3)  # aspect of the crop
TRIES = 10  # boxes that torchvision draws before it takes the whole image
JITTER, HUE, P_JITTER, P_GREY, P_BLUR, SIGMA = 0.4, 0.1, 0.8, 0.2, 0.5, (0.1, 2.0)
ORDERS = tuple(permutations(range(4)))  # of the four jitters
# the same table as one number a place, two bits an order: looked up without a tensor that the host has to send
PLACES = tuple(sum(order[place] << 2 * i for i, order in enumerate(ORDERS)) for place in range(4))
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


def augment(pixels: Tensor, name: str, key: int | Tensor, first: int | Tensor = 0, *, flip: bool = True) -> Tensor:
    """(B, 3, S, S) uint8 -> (B, 3, S, S) float32 in channels-last order, augmented and normalised, on its device.

    key, first : the images are the numbers first, first + 1, ... of the stream `key`; how they are batched is nothing.
        Tensors of no dimension do as well, on the device of the pixels
    flip : mirror half of the images (where the preset crops)
    """
    preset = PRESETS[name]
    if preset.scale is None:
        return normalise(pixels)
    drawn = draws(preset, key, first, len(pixels), pixels.shape[-1], pixels.device, flip=flip)
    if pixels.device.type == "cpu":
        return kernels.augmented(pixels, drawn, preset.bicubic, MEAN, STD)
    return augmented(pixels, drawn, bicubic=preset.bicubic, colour=preset.colour)


def augmentation(name: str, *, flip: bool = True) -> Augmentation:
    """`augment` of one preset."""

    def of_preset(pixels: Tensor, key: Tensor, first: Tensor) -> Tensor:
        return augment(pixels, name, key, first, flip=flip)

    return of_preset


@lru_cache(maxsize=16)
def compiled_augmentation(name: str, flip: bool, batch: int, size: int, device: str) -> Augmentation:
    """The same for batches of one size, compiled at once and once per process: hundreds of operations in a few passes.

    Not for CPUs, whose own code is compiled already.
    """
    work: Augmentation = compiled(augmentation(name, flip=flip))
    # two numbers: that they are one and the same would be compiled in
    key, first = (torch.zeros((), dtype=torch.int64, device=device) for _ in range(2))
    work(torch.zeros(batch, 3, size, size, dtype=torch.uint8, device=device), key, first)
    waited(device)
    return work


def draws(
    preset: Preset,
    key: int | Tensor,
    first: int | Tensor,
    n: int,
    size: int,
    device: str | torch.device = "cpu",
    *,
    flip: bool = True,
) -> dict[str, Tensor]:
    """Everything random about n images.

    boxes : (n, 4) top, left, height, width of the crop in pixels; mirrored : (n,) bool
    orders : (n, 4) which jitter comes at each place: 0 brightness, 1 contrast, 2 saturation, 3 hue, -1 none
    factors : (n, 4) of the four jitters; greyed : (n,) bool; sigmas : (n,) of the blur, 0 for none
    """
    u = uniforms(key, first, n, COLUMNS, device)
    crop, rest = u[:, : 2 * TRIES + 2], u[:, 2 * TRIES + 2 :]
    factors = torch.cat([(1 - JITTER) + 2 * JITTER * rest[:, 2:5], 2 * HUE * rest[:, 5:6] - HUE], 1)
    bits = 2 * (rest[:, 6] * len(ORDERS)).long()
    orders = torch.stack([torch.bitwise_right_shift(place, bits) & 3 for place in PLACES], 1)
    jittered, blurred = rest[:, 1] < P_JITTER * preset.colour, rest[:, 8] < P_BLUR * preset.colour
    return {
        "boxes": torch.stack(crop_boxes(crop, preset.scale or 1.0, size), 1),
        "mirrored": rest[:, 0] < (0.5 if flip else 0.0),
        "factors": factors,
        "orders": orders.masked_fill(~jittered.unsqueeze(1), -1),
        "greyed": rest[:, 7] < P_GREY * preset.colour,
        "sigmas": (SIGMA[0] + rest[:, 9] * (SIGMA[1] - SIGMA[0])) * blurred,
    }


def augmented(pixels: Tensor, drawn: dict[str, Tensor], *, bicubic: bool, colour: bool = True) -> Tensor:
    """What `draws` says, as tensor code for any device: no value is looked at, so nothing waits for the device.

    The three channels go side by side as planes: a compiler fuses what they have in common into a few passes.
    """
    planes: Planes = tuple(plane.float() * (1 / 255) for plane in pixels.unbind(1))
    planes = resized_crop(planes, *drawn["boxes"].unbind(1), drawn["mirrored"], bicubic=bicubic)
    if colour:
        planes = _coloured(planes, drawn)
    return torch.stack([(plane - MEAN) / STD for plane in planes], 3).permute(0, 3, 1, 2)


def _coloured(planes: Planes, drawn: dict[str, Tensor]) -> Planes:
    """Jitters in the order of each image, grey, blur."""
    for place in range(4):
        before, orders = planes, drawn["orders"][:, place]
        for number, jitter in enumerate((brighten, contrast, saturate, adjust_hue)):
            planes = _where(orders == number, jitter(before, drawn["factors"][:, number]), planes)
    planes = _where(drawn["greyed"], (grey(planes),) * 3, planes)
    sigmas = drawn["sigmas"]
    return _where(sigmas > 0, blur(planes, sigmas.clamp(min=SIGMA[0])), planes)


def _where(chosen: Tensor, changed: Planes, planes: Planes) -> Planes:
    """The changed planes of the images that are chosen, (B,) bool."""
    chosen = chosen.view(-1, 1, 1)
    return tuple(torch.where(chosen, new, old) for new, old in zip(changed, planes, strict=True))


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
    planes: Planes,
    top: Tensor,
    left: Tensor,
    height: Tensor,
    width: Tensor,
    flip: Tensor | None = None,
    bicubic: bool = False,
) -> Planes:
    """Cut a box of whole pixels out of each image, resize it to the whole, mirror where `flip`: rows, then columns."""
    size = planes[0].shape[-1]
    rows, columns = _taps(top, height, size, bicubic), _taps(left, width, size, bicubic, flip)
    return tuple(_along_columns(_along_rows(plane, *rows), *columns).clamp(0.0, 1.0) for plane in planes)


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


def _along_rows(plane: Tensor, places: Tensor, weights: Tensor) -> Tensor:
    """(B, S, S): row i is the weighted sum of the rows at its places. places, weights : (B, S, taps)"""
    taps = zip(places.split(1, 2), weights.split(1, 2), strict=True)
    return sum(weight * plane.gather(1, place.expand_as(plane)) for place, weight in taps)


def _along_columns(plane: Tensor, places: Tensor, weights: Tensor) -> Tensor:
    """As `_along_rows`, for columns."""
    return _along_rows(plane.mT, places, weights).mT


def brighten(planes: Planes, factor: Tensor) -> Planes:
    """Blend with black, as torchvision's adjust_brightness. factor : (B,) >= 0"""
    return _blend(planes, factor, torch.zeros_like(planes[0]))


def contrast(planes: Planes, factor: Tensor) -> Planes:
    """Blend with the mean grey of the image, as torchvision's adjust_contrast. factor : (B,) >= 0"""
    return _blend(planes, factor, grey(planes).mean((1, 2), keepdim=True))


def saturate(planes: Planes, factor: Tensor) -> Planes:
    """Blend with the grey image, as torchvision's adjust_saturation. factor : (B,) >= 0"""
    return _blend(planes, factor, grey(planes))


def _blend(planes: Planes, factor: Tensor, other: Tensor) -> Planes:
    factor = factor.view(-1, 1, 1)
    return tuple((plane * factor + other * (1.0 - factor)).clamp(0.0, 1.0) for plane in planes)


def grey(planes: Planes) -> Tensor:
    """(B, S, S) luma."""
    red, green, blue = planes
    return red * LUMA[0] + green * LUMA[1] + blue * LUMA[2]


def adjust_hue(planes: Planes, shift: Tensor) -> Planes:
    """Turn the hue by a share of the circle, as torchvision's adjust_hue. shift : (B,) in [-.5, .5]

    HSV (Smith 1978) without branches. Sorting the channels by two exchanges gives the sextant as a sum of signs.
    Back, hue h gives each channel v - v s max(0, min(k, 4 - k, 1)), k = (n + 6 h) mod 6, n = 5, 3, 1 for red, green,
    blue.
    """
    red, green, blue = planes
    high, low = torch.maximum(green, blue), torch.minimum(green, blue)
    first = (blue > green).float()  # 1 where green and blue change places
    second = (high > red).float()  # 1 where red and the higher of them do
    value, middle = torch.maximum(red, high), torch.minimum(red, high)
    spread = value - torch.minimum(middle, low)
    turn = (middle - low) / spread.clamp(min=1e-12)  # of a grey pixel: 0
    turn = (turn - 6.0 * first - 2.0 * second + 12.0 * first * second).abs() + 6.0 * shift.view(-1, 1, 1)
    # max(0, min(k, 4 - k, 1)) peaks at k = 2 and 8: no remainder needed
    away = [(2.0 - ((turn + (n - 5.0)).abs() - 3.0).abs()).clamp(0.0, 1.0) for n in (5.0, 3.0, 1.0)]
    return tuple(value - spread * share for share in away)


def blur(planes: Planes, sigma: Tensor) -> Planes:
    """Gaussian blur with a kernel of 5 and a sigma of its own for each image, edges reflected. sigma : (B,) > 0"""
    n, size, _ = planes[0].shape
    offsets = torch.arange(-2, 3, device=sigma.device)
    kernel = torch.exp(-0.5 * (offsets / sigma.view(-1, 1)) ** 2)
    kernel = kernel / kernel.sum(1, keepdim=True)
    places = torch.arange(size, device=sigma.device).view(-1, 1) + offsets  # (S, 5), beyond the edges
    places = (size - 1) - ((size - 1) - places.abs()).abs()  # reflected without repeating the edge
    taps = places.expand(n, -1, -1), kernel.unsqueeze(1).expand(-1, size, -1)
    return tuple(_along_columns(_along_rows(plane, *taps), *taps) for plane in planes)
