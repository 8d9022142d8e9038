"""Encoded bytes -> uint8 RGB of one size, or the reason why an image cannot be used.

Still images in 8 bits become RGB without a change of any value. What needs more than that is noted by name:

| image | what happens |
|---|---|
| empty, truncated, damaged, of another format | bad |
| PNG with a part whose checksum is wrong | bad, also where pixels could be decoded |
| other damage that a decoder reads over | cannot be seen: JPEG, WebP, GIF, BMP, TIFF, PPM hold no checksum of pixels |
| more than 64 million pixels | bad; nothing of it is decoded |
| animated, or several pages | bad: which frame would it be? (the extra pictures in a camera's MPO file do not count) |
| 32-bit whole numbers or floats | bad: their range is not known |
| 16 bits a channel | scaled to 8 bits: grey to the nearest level, colour to the high byte as Pillow reads it; noted |
| CMYK, LAB, YCbCr, HSV | converted to RGB by Pillow; noted |
| alpha, or a transparent colour | composed on white; noted where any pixel is not opaque |
| palette, grey, black and white | the same colours in RGB |

Orientation tags are applied where a grid says `exif: apply` in its model, and noted; else they are not, and colour
profiles never are, as in torchvision and timm.
"""

from __future__ import annotations

import io
import warnings
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

Pixels = NDArray[np.uint8]
Done = TypeVar("Done")
MAX_PIXELS = 64_000_000  # a larger image is a decompression bomb, not a training image
# photographs and drawings; no format that starts another program (EPS) or that is only made to hold others
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF")
THREADED_BYTES = 8_192  # smaller images decode faster than threads hand the interpreter over


ORIENTATION = 0x0112  # tag of the TIFF and EXIF specifications, and how an image with that value is turned upright
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
TURNED = "turned upright (EXIF)"


class BadImage(ValueError):
    """An image that cannot be used; the text says why."""


def decode(encoded: bytes, size: int) -> Pixels:
    """Encoded image -> (3, size, size) uint8 RGB, resized (bilinear, antialiased) where its size differs.

    Raises BadImage.
    """
    with _no_bomb_warning():
        return decoded(encoded, size)[0]


def decoded(
    encoded: bytes, size: int, interpolation: str = "bilinear", *, upright: bool = False, reduced: bool = False
) -> tuple[Pixels, str]:
    """As `decode`, with what was converted on the way ('' for a plain 8-bit image), resized by any rule.

    upright : turn it as its EXIF orientation says
    reduced : let the codec decode at the smallest of 1/1, 1/2, 1/4 and 1/8 that is no smaller than `size`
    """
    rgb, converted = open_rgb(encoded, upright=upright, at_least=size if reduced else None)
    if rgb.size != (size, size):
        rgb = rgb.resize((size, size), Image.Resampling[interpolation.upper()])
    return np.asarray(rgb).transpose(2, 0, 1), converted


def for_each(
    work: Callable[[bytes], Done], read: Callable[[int], bytes], rows: Sequence[int], *, threads: int = 1
) -> Iterator[tuple[int, Done | BadImage]]:
    """(row, what `work` made of the encoded image, or what is wrong with it), in order.

    threads : for images of more than 8 KB; Pillow decodes them outside the interpreter's lock
    """

    def one(row: int) -> tuple[int, Done | BadImage]:
        encoded = read(row)
        try:
            return row, work(encoded)
        except BadImage as error:
            return row, error

    with _no_bomb_warning():
        if threads == 1 or len(rows) < 2 * threads or len(read(rows[0])) < THREADED_BYTES:
            yield from map(one, rows)
            return
        with ThreadPoolExecutor(threads) as pool:
            for first in range(0, len(rows), 64 * threads):  # bounds what is done and not yet taken
                yield from pool.map(one, rows[first : first + 64 * threads])


def open_rgb(encoded: bytes, *, upright: bool = False, at_least: int | None = None) -> tuple[Image.Image, str]:
    """Encoded image -> RGB at its own size, and what was converted ('' for a plain 8-bit image). Raises BadImage.

    upright : turn it as its EXIF orientation says
    at_least : pixels of a side; a JPEG image may be decoded at an eighth, a quarter or half of its own that is no less
    """
    if not encoded:
        raise BadImage("is empty, 0 bytes")
    try:
        with Image.open(io.BytesIO(encoded), formats=_formats()) as image:
            _check(image)
            if image.format == "PNG":
                _check_chunks(encoded)
            if at_least and image.format == "JPEG":
                image.draft(image.mode, (at_least, at_least))
            turn = TURNS.get(image.getexif().get(ORIENTATION)) if upright else None
            rgb, converted = _to_rgb(image)
            return (rgb, converted) if turn is None else (rgb.transpose(turn), _joined(converted, TURNED))
    except (BadImage, MemoryError):
        raise
    except Image.DecompressionBombError:  # Pillow's own limit, far above this one
        raise BadImage(f"has more than {MAX_PIXELS:,} pixels") from None
    except UnidentifiedImageError:
        raise BadImage(f"is no image in a known format ({', '.join(_formats())})") from None
    except Exception as error:  # a damaged file makes Pillow raise nearly anything
        raise BadImage(str(error) or type(error).__name__) from None


def shorter_side(encoded: bytes) -> int | None:
    """Pixels of the shorter side, from the head of the file; None where it is no image."""
    try:
        with _no_bomb_warning(), Image.open(io.BytesIO(encoded), formats=_formats()) as image:
            return min(image.size)
    except Exception:  # a damaged file makes Pillow raise nearly anything; who decodes it names it
        return None


@cache
def _formats() -> tuple[str, ...]:
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


@contextmanager
def _no_bomb_warning() -> Iterator[None]:
    """Pillow warns of sizes that are an error here. Around whole batches: filters belong to all threads."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        yield


def _joined(*notes: str) -> str:
    return ", ".join(filter(None, notes))


def _check(image: Image.Image) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise BadImage(f"has {image.width} x {image.height} pixels, more than {MAX_PIXELS:,}")
    if image.format != "MPO" and getattr(image, "is_animated", False):
        raise BadImage(f"animated: {image.n_frames} {'pages' if image.format == 'TIFF' else 'frames'}")
    if image.mode == "F" or (image.mode == "I" and not _is_deep(image)):
        raise BadImage("has 32 bits a pixel, whose range is not known")


def _check_chunks(encoded: bytes) -> None:
    """Refuse a PNG file that is not whole: Pillow decodes pixels without a look at the checksum of each chunk."""
    view, place, kind = memoryview(encoded), 8, b""
    while kind != b"IEND":
        kind = bytes(view[place + 4 : place + 8])
        end = place + 8 + int.from_bytes(view[place : place + 4])
        if end + 4 > len(view):
            raise BadImage(f"image file is truncated: its {len(view):,} bytes end before the PNG does")
        if zlib.crc32(view[place + 4 : end]) != int.from_bytes(view[end : end + 4]):
            raise BadImage(f"damaged: PNG chunk {kind.decode('latin-1')!r} at byte {place:,} has a wrong checksum")
        place = end + 4


def _is_deep(image: Image.Image) -> bool:
    """Whether an image that is not decoded yet has more than 8 bits a channel."""
    if image.mode.startswith("I;16"):
        return True
    how = image.tile[0][3] if image.tile else ""  # what Pillow's decoder is told: names the layout of the file
    if image.format == "PPM":
        return image.mode == "I" or (isinstance(how, tuple) and max(how[1:], default=0) > 255)
    return image.format in ("PNG", "TIFF") and ";16" in str(how)


def _to_rgb(image: Image.Image) -> tuple[Image.Image, str]:
    converted = ["16 bits a channel to 8"] if _is_deep(image) else []
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.uint32)
        levels = ((values * 255 + 32767) // 65535).astype(np.uint8)  # 65535 = 255 * 257
        if "transparency" in image.info:
            levels[values == image.info["transparency"]] = 255
            converted.append("transparency composed on white")
        image = Image.fromarray(levels)
    if image.mode == "RGB" and "transparency" not in image.info:
        image.load()
        return image, ", ".join(converted)
    if image.mode in ("RGBA", "RGBa", "LA", "La", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        if image.getchannel("A").getextrema()[0] < 255:
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
            converted.append("transparency composed on white")
    elif image.mode in ("CMYK", "LAB", "YCbCr", "HSV"):
        converted.append(f"{image.mode} to RGB")
    return image.convert("RGB"), ", ".join(converted)
