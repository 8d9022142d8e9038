"""Augmentation: parameters per image, equal to torchvision's operations image by image, reproducible."""

from __future__ import annotations

import pytest
import torch
import torchvision.transforms.v2.functional as tv

from trainer import augment as ours
from trainer.loop import generator


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(16, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def spread(low: float, high: float) -> torch.Tensor:
    return torch.linspace(low, high, 16)


@pytest.mark.parametrize(
    ("own", "reference", "values"),
    [
        (ours.brighten, tv.adjust_brightness, spread(0.6, 1.4)),
        (ours.contrast, tv.adjust_contrast, spread(0.6, 1.4)),
        (ours.saturate, tv.adjust_saturation, spread(0.6, 1.4)),
        (ours.adjust_hue, tv.adjust_hue, spread(-0.1, 0.1)),
    ],
)
def test_colour_equals_torchvision_image_by_image(own, reference, values, images) -> None:
    got = own(images.clone(), values)
    for image, value, result in zip(images, values.tolist(), got, strict=True):
        torch.testing.assert_close(result, reference(image, value), atol=2e-5, rtol=0)


def test_blur_equals_torchvision_image_by_image(images) -> None:
    sigma = spread(0.1, 2.0)
    for image, value, result in zip(images, sigma.tolist(), ours.blur(images, sigma), strict=True):
        torch.testing.assert_close(result, tv.gaussian_blur(image, [5, 5], [value, value]), atol=2e-5, rtol=0)


def test_grey_equals_torchvision(images) -> None:
    torch.testing.assert_close(ours.grey(images), tv.rgb_to_grayscale(images), atol=1e-5, rtol=0)


def test_crop_of_whole_pixels_equals_torchvision(images) -> None:
    """A box on pixel borders, resized up: the same bilinear rule."""
    top, left, height, width = (torch.full((16,), v / 32) for v in (4, 6, 20, 24))
    got = ours.resized_crop(images, top, left, height, width)
    want = tv.resized_crop(images, 4, 6, 20, 24, [32, 32], antialias=False)
    inner = (slice(None), slice(None), slice(2, -2), slice(2, -2))  # the outer ring sees beyond the box in one of them
    torch.testing.assert_close(got[inner], want[inner], atol=1e-4, rtol=0)


def test_flip_mirrors_only_the_images_that_drew_it(images) -> None:
    flip = torch.arange(16) % 2 == 0
    zero, one = torch.zeros(16), torch.ones(16)
    got = ours.resized_crop(images, zero, zero, one, one, flip)
    torch.testing.assert_close(got[0], images[0].flip(-1), atol=1e-5, rtol=0)
    torch.testing.assert_close(got[1], images[1], atol=1e-5, rtol=0)


def test_every_image_has_its_own_draw() -> None:
    one = (torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1)) * 255).to(torch.uint8)
    out = ours.augment(one.expand(64, -1, -1, -1), "simclr", generator("test", 0))
    assert len({image.numpy().tobytes() for image in out}) == 64


def test_shares_of_the_draws_over_ten_thousand_images() -> None:
    """Grey at .2, and the mean area of the crop at the middle of its range."""
    flat = torch.tensor([200, 100, 50], dtype=torch.uint8).view(1, 3, 1, 1).expand(10_000, 3, 8, 8)
    out = ours.augment(flat, "simclr", generator("shares", 0))
    grey = (out.amax(1) - out.amin(1)).amax((1, 2)) < 1e-4
    assert float(grey.float().mean()) == pytest.approx(0.2, abs=0.016)  # 4 standard errors
    top, left, height, width = ours.crop_boxes(torch.rand(10_000, 4, generator=generator("boxes", 0)), 0.08)
    assert float((height * width).mean()) == pytest.approx(0.54, abs=0.02)  # boxes wider than the image are cut
    assert bool((top + height <= 1 + 1e-6).all()) and bool((left + width <= 1 + 1e-6).all())


def test_same_key_same_bits_other_key_other_bits(images) -> None:
    pixels = (images * 255).to(torch.uint8)
    first, again, other = (ours.augment(pixels, "simclr", generator("k", k)) for k in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_noflip_never_mirrors() -> None:
    ramp = torch.linspace(0, 255, 32).to(torch.uint8).view(1, 1, 1, 32).expand(256, 3, 32, 32)
    out = ours.augment(ramp, "simclr-mild", generator("ramp", 0), flip=False)
    assert bool((out[..., -1].mean((1, 2)) > out[..., 0].mean((1, 2))).all())
