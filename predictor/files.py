"""Files that appear whole or not at all, and are never overwritten."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from predictor.errors import RegistryError


def add_file(path: Path, content: bytes) -> bool:
    """Write a new file through a temporary one in the same folder; False: it was there already and stays as it is.

    After a power failure it is there whole or not at all; `sync_folder` makes sure that it is there.
    Safe with many writers on one shared folder. Raises RegistryError where the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _written_beside(path, content) as temporary:
            return publish(temporary, path)
    except OSError as error:
        raise unwritable(path, error) from error


def replace_file(path: Path, content: bytes) -> None:
    """Write a file, new or not; where that fails the former one is whole. Raises OSError."""
    with _written_beside(path, content) as temporary:
        os.replace(temporary, path)


@contextmanager
def _written_beside(path: Path, content: bytes) -> Iterator[Path]:
    """A temporary file in the same folder, on disk as a whole; gone afterwards unless it was renamed."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def publish(temporary: Path, path: Path) -> bool:
    """Give a finished temporary file its name; False where the name is taken. Not durable before `sync_folder`."""
    try:
        os.link(temporary, path)  # unlike a rename, a link fails where the name is taken
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links; two writers in the same instant: the last one stays
        if path.exists():
            return False
        os.rename(temporary, path)
    return True


def sync_folder(folder: Path) -> None:
    """Make new names in a folder durable."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def unwritable(path: Path, error: OSError) -> RegistryError:
    """The error of a full disk or a read-only folder, in words."""
    problem = f"cannot be written ({error.strerror or error})"
    return RegistryError(problem, where=str(path), remedy="free space or permit writing there, and run it again")


def literal(path: Path) -> str:
    """A path that DuckDB does not take for a pattern."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in str(path))
