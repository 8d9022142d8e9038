"""Digests of what a source holds: SHA-256, as grids state them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path


def file_digest(file: Path) -> str:
    """Digest of the bytes of one file."""
    with file.open("rb") as stream:
        return "sha256:" + hashlib.file_digest(stream, "sha256").hexdigest()


def files_digest(files: Sequence[Path], words: Sequence[str]) -> str:
    """Digest of each file's digest and its word (label, split, group), in order."""
    state = hashlib.sha256()
    for file, word in zip(files, words, strict=True):
        state.update(hashlib.sha256(file.read_bytes()).digest() + word.encode())
    return "sha256:" + state.hexdigest()
