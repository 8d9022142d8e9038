"""Images that are not plain 8-bit ones: what becomes of each kind, and what the record says about it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from images_bad import HUGE, RGB, STILL, chunk, encoded, frames, png
from PIL import Image

from predictor.errors import DataError
from predictor.images.decoding import BadImage, decode, for_each, open_rgb
from trainer.data.opening import read_source
from trainer.data.report import data_report


def flipped(content: bytes, place: int) -> bytes:
    """One byte is another."""
    damaged = bytearray(content)
    damaged[place] ^= 0x10
    return bytes(damaged)


BAD = {
    "zero bytes": (b"", "is empty, 0 bytes"),
    "text": (b"not an image", r"is no image in a known format \(JPEG, PNG"),
    "truncated JPEG": (encoded(STILL, "JPEG")[:-80], "image file is truncated"),
    "truncated PNG": (encoded(STILL, "PNG")[:-80], "image file is truncated"),
    "truncated WebP": (encoded(STILL, "WEBP")[:-80], "could not create decoder object"),
    "truncated TIFF": (encoded(STILL, "TIFF")[:-80], "truncated"),
    "head only": (encoded(STILL, "PNG")[:20], "Truncated File Read"),
    "huge": (HUGE, "has 8001 x 8000 pixels, more than 64,000,000"),
    "bomb": (png(RGB, 8, 2, says=(40000, 40000)), "^has more than 64,000,000 pixels$"),
    "checksum": (flipped(encoded(STILL, "PNG"), -1), "damaged: PNG chunk 'IEND' at byte [0-9]+ has a wrong checksum"),
    "no end": (encoded(STILL, "PNG")[:-12], "image file is truncated: its [0-9]+ bytes end before the PNG does"),
    "animated GIF": (frames("GIF"), "animated: 3 frames"),
    "animated PNG": (frames("PNG"), "animated: 3 frames"),
    "animated WebP": (frames("WEBP"), "animated: 3 frames"),
    "pages": (frames("TIFF"), "animated: 3 pages"),
    "floats": (encoded(Image.fromarray(np.ones((4, 4), np.float32)), "TIFF"), "has 32 bits a pixel"),
    "32-bit": (encoded(Image.fromarray(np.ones((4, 4), np.int32)), "TIFF"), "has 32 bits a pixel"),
    "PostScript": (
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n",
        "is no image in a known format",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_image_says_why(kind: str) -> None:
    content, reason = BAD[kind]
    with pytest.raises(BadImage, match=reason):
        decode(content, 12)


@settings(max_examples=200)
@given(
    cut=st.integers(0, 400),
    place=st.integers(0, 400),
    value=st.integers(0, 255),
    kind=st.sampled_from(["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP"]),
)
def test_a_damaged_file_is_bad_or_an_image_and_nothing_else(cut: int, place: int, value: int, kind: str) -> None:
    """Cut anywhere and overwritten anywhere: no other exception leaves the decoder."""
    content = bytearray(encoded(STILL, kind)[: cut or None])
    if place < len(content):
        content[place] = value
    try:
        assert decode(bytes(content), 12).shape == (3, 12, 12)
    except BadImage as error:
        assert str(error) and "0x" not in str(error)  # no address: the record's report is the same in every run


@pytest.mark.parametrize("image", [STILL, STILL.quantize(16), STILL.convert("L"), STILL.convert("RGBA")])
def test_no_byte_of_a_png_changes_unseen(image: Image.Image) -> None:
    """Without checksums most of these would decode to other pixels, or to the same with other colours."""
    content = encoded(image, "PNG")
    for place in range(len(content)):
        with pytest.raises(BadImage):
            decode(flipped(content, place), 12)
    assert decode(content + b"what follows the end", 12).shape == (3, 12, 12)


def test_damage_that_no_checksum_covers_cannot_be_seen() -> None:
    """The documented limit: of the changed bytes of a JPEG file most give an image all the same."""
    content = encoded(STILL, "JPEG")
    seen = 0
    for place in range(len(content) - 100, len(content) - 10):
        try:
            decode(flipped(content, place), 12)
        except BadImage:
            seen += 1
    assert seen < 45


def test_images_of_a_folder_are_named_below_it_wherever_it_lies(tmp_path) -> None:
    """Errors and records must not tell where a user keeps the images, and be the same on every machine."""
    for folder in ("set/a", "set/b", "else"):
        (tmp_path / folder).mkdir(parents=True)
    for place in ("set/a/good.png", "set/a/bad.png", "set/b/good.png", "else/far.png"):
        (tmp_path / place).write_bytes(b"torn" if "good" not in place else encoded(STILL, "PNG"))
    lines = ["path,label", f"{tmp_path}/set/a/bad.png,a", "a/good.png,b", f"{tmp_path}/else/far.png,a"]
    (tmp_path / "set" / "list.csv").write_text("\n".join(lines) + "\n")
    for location, wanted in (
        (tmp_path / "set", ["a/bad.png"]),
        (tmp_path / "set" / "list.csv", ["a/bad.png", "else/far.png"]),
    ):
        view = read_source("pets", location).view(bad_images="skip")
        view.usable(np.arange(len(view.labels)), 12)
        report = data_report([view])
        assert [text.split(": ")[:2] for text in report.bad_images] == [["pets", name] for name in wanted]
        with pytest.raises(DataError) as caught:
            view.pixels(np.arange(len(view.labels)), 12)
        assert str(caught.value).startswith(f"pets: {len(wanted)} unreadable images: a/bad.png: is no image in")
        assert str(tmp_path) not in str(caught.value)


def whole(content: bytes) -> tuple[np.ndarray, str]:
    image, converted = open_rgb(content)
    return np.asarray(image), converted


def test_plain_images_keep_every_value() -> None:
    grey = RGB[..., 0]
    palette = STILL.quantize(16)
    for content, want in {
        encoded(STILL, "PNG"): RGB,
        encoded(STILL, "BMP"): RGB,
        encoded(STILL, "WEBP", lossless=True): RGB,
        encoded(Image.fromarray(grey), "PNG"): np.repeat(grey[..., None], 3, 2),
        encoded(palette, "PNG"): np.asarray(palette.convert("RGB")),
        encoded(Image.fromarray(grey > 127), "PNG"): np.repeat(np.uint8(255) * (grey > 127)[..., None], 3, 2),
        encoded(Image.fromarray(np.dstack([RGB, np.full((12, 12), 255, np.uint8)])), "PNG"): RGB,  # opaque
    }.items():
        pixels, converted = whole(content)
        assert np.array_equal(pixels, want) and converted == ""


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    values = np.linspace(0, 65535, 144).round().astype(np.int64).reshape(12, 12)
    nearest = np.rint(values / 257).astype(np.uint8)  # 65535 = 255 * 257
    image = Image.fromarray(values.astype(np.uint16))
    for content in (
        png(values, 16, 0),
        encoded(image, "PNG"),
        encoded(image, "TIFF"),
        b"P5 12 12 65535\n" + values.astype(">u2").tobytes(),
    ):
        pixels, converted = whole(content)
        assert np.array_equal(pixels, np.repeat(nearest[..., None], 3, 2))
        assert converted == "16 bits a channel to 8"
    colour = np.stack([values, values[::-1], values.T], -1)
    for content in (png(colour, 16, 2), b"P6 12 12 65535\n" + colour.astype(">u2").tobytes()):
        pixels, converted = whole(content)
        assert np.abs(pixels - colour / 257).max() < 1 and converted == "16 bits a channel to 8"
    seen_through = png(values, 16, 0, extra=chunk(b"tRNS", b"\0\0"))
    pixels, converted = whole(seen_through)
    assert pixels[0, 0].tolist() == [255] * 3 and pixels[0, 1].tolist() == [nearest[0, 1]] * 3
    assert converted == "16 bits a channel to 8, transparency composed on white"


def test_transparency_is_composed_on_white() -> None:
    alpha = np.linspace(0, 255, 144).round().astype(np.uint8).reshape(12, 12)
    want = 255 + (RGB.astype(float) - 255) * alpha[..., None] / 255
    image = Image.fromarray(np.dstack([RGB, alpha]))
    for content in (encoded(image, "PNG"), encoded(image, "TIFF"), encoded(image, "WEBP", lossless=True, exact=True)):
        pixels, converted = whole(content)
        assert np.abs(pixels - want).max() <= 1 and converted == "transparency composed on white"
    grey = RGB[..., 0]
    pixels, _ = whole(png(np.dstack([grey, alpha]), 8, 4))
    assert np.abs(pixels[..., 1] - (255 + (grey.astype(float) - 255) * alpha / 255)).max() <= 1
    palette = STILL.quantize(16)
    pixels, converted = whole(encoded(palette, "PNG", transparency=3))
    clear = np.asarray(palette) == 3
    assert (pixels[clear] == 255).all() and np.array_equal(pixels[~clear], np.asarray(palette.convert("RGB"))[~clear])
    assert converted == "transparency composed on white"


def test_cmyk_is_converted() -> None:
    ink = np.zeros((8, 8, 4), np.uint8)
    ink[..., 0], ink[..., 3] = 255, 51  # full cyan, a fifth black
    for content in (encoded(Image.fromarray(ink, "CMYK"), kind) for kind in ("JPEG", "TIFF")):
        pixels, converted = whole(content)
        assert np.abs(pixels.astype(int) - [0, 204, 204]).max() <= 2 and converted == "CMYK to RGB"


def test_pictures_beside_a_camera_image_do_not_make_it_animated() -> None:
    content = encoded(STILL, "MPO", save_all=True, append_images=[STILL.rotate(90)])
    assert np.array_equal(decode(content, 12), decode(encoded(STILL, "JPEG"), 12))


def test_threads_decode_the_same_in_the_same_order() -> None:
    large = [
        encoded(Image.fromarray(np.random.default_rng(i).integers(0, 256, (80, 90, 3), dtype=np.uint8)), "PNG")
        for i in range(12)
    ]
    large[5] = large[5][:9000]
    alone, together = (
        list(for_each(lambda encoded: decode(encoded, 32), large.__getitem__, range(12), threads=n)) for n in (1, 3)
    )
    assert [row for row, _ in together] == list(range(12))
    assert isinstance(alone[5][1], BadImage) and str(together[5][1]) == str(alone[5][1])
    assert all(np.array_equal(a, b) for (row, a), (_, b) in zip(alone, together, strict=True) if row != 5)
