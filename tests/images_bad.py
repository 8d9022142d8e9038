"""Images that are damaged, huge or moving."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image

RGB = np.random.default_rng(0).integers(0, 256, (12, 12, 3), dtype=np.uint8)
STILL = Image.fromarray(RGB)


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format=kind, **options)
    return stream.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(
    values: np.ndarray, depth: int, colour: int, *, extra: bytes = b"", says: tuple[int, int] | None = None
) -> bytes:
    """A PNG file written by hand: Pillow writes no 16-bit colour, and no header that lies.

    values : (H, W) or (H, W, channels) integers; says : width and height in the header, where these lie
    """
    lines = values.reshape(len(values), -1).astype(">u2" if depth == 16 else "u1")
    head = struct.pack(">IIBBBBB", *(says or (values.shape[1], values.shape[0])), depth, colour, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + line.tobytes() for line in lines))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def frames(kind: str) -> bytes:
    return encoded(STILL, kind, save_all=True, append_images=[STILL.rotate(90), STILL.rotate(180)])


HUGE = png(RGB, 8, 2, says=(8001, 8000))
