"""Digests of what a source holds: SHA-256, as grids state them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from predictor.reading import MIB, opened, read_bytes

MAX_IMAGE = 1024 * MIB  # bytes of one encoded image


def file_digest(file: Path) -> str:
    """Digest of the bytes of one file."""
    with opened(file) as stream:
        return "sha256:" + hashlib.file_digest(stream, "sha256").hexdigest()


def files_digest(files: Sequence[Path], words: Sequence[str]) -> str:
    """Digest of each image file's digest and its word (label, split, group), in order.

    Raises OSError for a file that no image has the size of (`MAX_IMAGE`).
    """
    state = hashlib.sha256()
    for file, word in zip(files, words, strict=True):
        state.update(hashlib.sha256(read_bytes(file, limit=MAX_IMAGE)).digest() + word.encode())
    return "sha256:" + state.hexdigest()


def packed_digest(files: Sequence[Path], names: Sequence[str], words: Iterable[str]) -> str:
    """Digest of files that hold many images: each one's digest and name, then what is read from them for each image."""
    state = hashlib.sha256()
    for file, name in zip(files, names, strict=True):
        with opened(file) as stream:
            state.update(hashlib.file_digest(stream, "sha256").digest() + name.encode())
    for word in words:
        state.update(word.encode() + b"\n")
    return "sha256:" + state.hexdigest()
