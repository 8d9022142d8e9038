"""Augmentation: parameters per image, equal to torchvision's operations image by image, reproducible."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torchvision.transforms.v2.functional as tv
from scipy import stats
from torchvision.transforms import InterpolationMode, RandomResizedCrop

from trainer import augment as ours
from trainer import kernels
from trainer.randomness import key, uniforms


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(16, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def whole(planes: ours.Planes) -> torch.Tensor:
    return torch.stack(planes, 1)


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
    got = whole(own(images.unbind(1), values))
    for image, value, result in zip(images, values.tolist(), got, strict=True):
        torch.testing.assert_close(result, reference(image, value), atol=2e-5, rtol=0)


def test_blur_equals_torchvision_image_by_image(images) -> None:
    sigma = spread(0.1, 2.0)
    for image, value, result in zip(images, sigma.tolist(), whole(ours.blur(images.unbind(1), sigma)), strict=True):
        torch.testing.assert_close(result, tv.gaussian_blur(image, [5, 5], [value, value]), atol=2e-5, rtol=0)


def test_grey_equals_torchvision(images) -> None:
    torch.testing.assert_close(ours.grey(images.unbind(1)), tv.rgb_to_grayscale(images)[:, 0], atol=1e-5, rtol=0)


BOXES = [(0, 0, 32, 32), (4, 6, 20, 24), (0, 0, 9, 10), (22, 20, 10, 12), (31, 31, 1, 1), (3, 0, 29, 30)]


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_crops_equal_torchvision_image_by_image(mode, images) -> None:
    top, left, height, width = (torch.tensor([float(box[i]) for box in BOXES]) for i in range(4))
    planes = images[: len(BOXES)].unbind(1)
    got = ours.resized_crop(planes, top, left, height, width, bicubic=mode == "bicubic")
    for image, box, result in zip(images, BOXES, whole(got), strict=False):
        want = tv.resized_crop(image, *box, [32, 32], interpolation=InterpolationMode(mode), antialias=True)
        torch.testing.assert_close(result, want.clamp(0, 1), atol=2e-6, rtol=0)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_crops_at_the_size_of_imagenet_equal_torchvisions(mode) -> None:
    generator = torch.Generator().manual_seed(2)
    images = torch.rand(4, 3, 224, 224, generator=generator)
    boxes = [(0, 0, 224, 224), (17, 3, 90, 140), (100, 60, 63, 64), (5, 80, 219, 75)]
    top, left, height, width = (torch.tensor([float(box[i]) for box in boxes]) for i in range(4))
    got = whole(ours.resized_crop(images.unbind(1), top, left, height, width, bicubic=mode == "bicubic"))
    for image, box, result in zip(images, boxes, got, strict=True):
        want = tv.resized_crop(image, *box, [224, 224], interpolation=InterpolationMode(mode), antialias=True)
        torch.testing.assert_close(result, want.clamp(0, 1), atol=5e-6, rtol=0)


def test_flip_mirrors_only_the_images_that_drew_it(images) -> None:
    flip = torch.arange(16) % 2 == 0
    zero, full = torch.zeros(16), torch.full((16,), 32.0)
    got = whole(ours.resized_crop(images.unbind(1), zero, zero, full, full, flip))
    torch.testing.assert_close(got[0], images[0].flip(-1), atol=1e-6, rtol=0)
    torch.testing.assert_close(got[1], images[1], atol=1e-6, rtol=0)


@pytest.mark.parametrize("scale", [0.08, 0.7])
def test_boxes_are_distributed_as_torchvision_draws_them(scale) -> None:
    """10,000 boxes of each: two-sample Kolmogorov-Smirnov on area, aspect and position."""
    n = 10_000
    boxes = torch.stack(ours.crop_boxes(uniforms(key("boxes"), 0, n, 22), scale, 32), 1).double().numpy()
    assert (boxes[:, 0] + boxes[:, 2]).max() <= 32 and (boxes[:, 1] + boxes[:, 3]).max() <= 32
    torch.manual_seed(0)
    image = torch.zeros(3, 32, 32)
    want = np.array([RandomResizedCrop.get_params(image, [scale, 1.0], list(ours.RATIO)) for _ in range(n)])
    for ours_, theirs in (
        (boxes[:, 2] * boxes[:, 3], want[:, 2] * want[:, 3]),
        (boxes[:, 3] / boxes[:, 2], want[:, 3] / want[:, 2]),
        (boxes[:, 0], want[:, 0]),
        (boxes[:, 1], want[:, 1]),
    ):
        assert stats.ks_2samp(ours_, theirs).pvalue > 1e-3


def test_the_whole_augmentation_is_distributed_as_torchvisions() -> None:
    """Draws of each on one image: mean of each channel, contrast and sharpness of what comes out.

    Torchvision draws one image at a time, ours a batch: many of ours make up for fewer of its.
    """
    from torchvision.transforms import v2

    image = torch.nn.functional.interpolate(
        torch.rand(1, 3, 6, 6, generator=torch.Generator().manual_seed(3)), size=16, mode="bilinear"
    )
    image = (image * 255).to(torch.uint8)
    n = 3_000
    got = ours.augment(image.expand(10 * n, -1, -1, -1), "simclr", key("all")) * ours.STD + ours.MEAN
    torch.manual_seed(0)
    reference = v2.Compose(
        [
            v2.RandomResizedCrop(16, scale=(0.08, 1.0), antialias=True),
            v2.RandomHorizontalFlip(),
            v2.RandomApply([v2.ColorJitter(0.4, 0.4, 0.4, 0.1)], p=0.8),
            v2.RandomGrayscale(0.2),
            v2.RandomApply([v2.GaussianBlur(5, (0.1, 2.0))], p=0.5),
        ]
    )
    single = image[0].float() / 255
    want = torch.stack([reference(single) for _ in range(n)])

    def seen(images: torch.Tensor) -> np.ndarray:
        sharp = (images[..., 1:] - images[..., :-1]).abs().mean((1, 2, 3))
        mirrored = (images[..., :8] - images[..., 8:]).mean((1, 2, 3))
        return torch.stack([*images.mean((2, 3)).unbind(1), images.std((1, 2, 3)), sharp, mirrored]).numpy()

    for ours_, theirs in zip(seen(got), seen(want), strict=True):
        assert stats.ks_2samp(ours_, theirs).pvalue > 1e-3
        assert stats.ttest_ind(ours_, theirs, equal_var=False).pvalue > 1e-3


def test_every_image_has_its_own_draw() -> None:
    one = (torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1)) * 255).to(torch.uint8)
    out = ours.augment(one.expand(64, -1, -1, -1), "simclr", key("test"))
    assert len({image.numpy().tobytes() for image in out}) == 64


def test_shares_of_the_draws_over_ten_thousand_images() -> None:
    """Grey at .2."""
    flat = torch.tensor([200, 100, 50], dtype=torch.uint8).view(1, 3, 1, 1).expand(10_000, 3, 8, 8)
    out = ours.augment(flat, "simclr", key("shares"))
    grey = (out.amax(1) - out.amin(1)).amax((1, 2)) < 1e-4
    assert float(grey.float().mean()) == pytest.approx(0.2, abs=0.016)  # 4 standard errors


def test_same_key_same_bits_other_key_other_bits(images) -> None:
    pixels = (images * 255).to(torch.uint8)
    first, again, other = (ours.augment(pixels, "simclr", key("k", k)) for k in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_an_image_has_its_draw_whatever_batch_it_comes_in(images) -> None:
    pixels = (images * 255).to(torch.uint8)
    whole = ours.augment(pixels, "simclr", key("b"), 40)
    parts = torch.cat([ours.augment(pixels[i : i + 5], "simclr", key("b"), 40 + i) for i in range(0, 16, 5)])
    torch.testing.assert_close(parts, whole, atol=1e-5, rtol=0)


def test_uniforms_are_uniform_and_uncorrelated() -> None:
    u = uniforms(key("u"), 0, 20_000, 8).numpy()
    assert u.min() >= 0 and u.max() < 1
    for column in u.T:
        assert stats.kstest(column, "uniform").pvalue > 1e-3
    correlation = np.corrcoef(np.column_stack([u, np.roll(u, 1, axis=0)]).T)
    assert abs(correlation - np.eye(16)).max() < 0.03


def test_noflip_never_mirrors() -> None:
    ramp = torch.linspace(0, 255, 32).to(torch.uint8).view(1, 1, 1, 32).expand(256, 3, 32, 32)
    out = ours.augment(ramp, "simclr-mild", key("ramp"), flip=False)
    assert bool((out[..., -1].mean((1, 2)) > out[..., 0].mean((1, 2))).all())


@pytest.mark.parametrize("preset", ["simclr", "simclr-mild", "crop"])
@pytest.mark.parametrize("size", [8, 28, 32, 224])
def test_kernels_equal_the_tensor_code(preset, size) -> None:
    n = 200 if size < 100 else 6
    pixels = torch.randint(0, 256, (n, 3, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    pixels[:4] = torch.tensor([0, 255, 7, 255], dtype=torch.uint8).view(4, 1, 1, 1)  # without any colour or contrast
    drawn = ours.draws(ours.PRESETS[preset], key(5, "augment"), 0, len(pixels), size)
    bicubic, colour = ours.PRESETS[preset].bicubic, ours.PRESETS[preset].colour
    got = kernels.augmented(pixels, drawn, bicubic, ours.MEAN, ours.STD)
    want = ours.augmented(pixels, drawn, bicubic=bicubic, colour=colour)
    # contrast needs the mean of a grey image: of 50,176 pixels the order of a sum in single precision shows more
    torch.testing.assert_close(got, want, atol=3e-5 if size < 100 else 1e-4, rtol=0)
    assert got.stride() == want.stride()


def test_kernels_give_the_same_bits_on_any_number_of_threads() -> None:
    pixels = torch.randint(0, 256, (37, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(2))
    threads, results = torch.get_num_threads(), []
    try:
        for number in (1, 2, 3):
            torch.set_num_threads(number)
            results.append(ours.augment(pixels, "simclr", key(1), 9))
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(results[0], results[1]) and torch.equal(results[0], results[2])
