"""Images that need no file: the handwritten digits that ship with scikit-learn."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from predictor.errors import DataError
from trainer.data.source import Source

BUILTIN = "builtin:digits"


def read(name: str, digest: str) -> Source:
    """1,797 handwritten digits, 8 px; every fifth is a test image. Raises DataError for any other name."""
    if digest != BUILTIN:
        raise DataError(f"no built-in source {digest!r}", where=name, remedy=f"use {BUILTIN}")
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = (digits.images * 15.9375).astype(np.uint8)

    def png(row: int) -> bytes:
        stream = io.BytesIO()
        Image.fromarray(images[row]).save(stream, format="PNG")
        return stream.getvalue()

    splits = np.where(np.arange(len(images)) % 5 == 0, "test", "train")
    return Source(name, BUILTIN, digits.target.astype(str), splits, png, lambda row: f"digit {row}")
