"""Files that appear whole or not at all, and are never overwritten."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path

from predictor.errors import RegistryError

SIDE_BY_SIDE = 4  # parts that are read in one query


def add_file(path: Path, content: bytes) -> bool:
    """Write a new file through a temporary one in the same folder; False: it was there already and stays as it is.

    After a power failure it is there whole or not at all; `sync_folder` makes sure that it is there.
    Safe with many writers on one shared folder. Raises RegistryError where the folder cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(temporary, "xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            return publish(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(path, error) from error


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


def batched(parts: Sequence[Path]) -> Iterator[list[Path]]:
    """Parts to read at once: each core takes one, and memory holds few.

    >>> [len(some) for some in batched([Path("a")] * (SIDE_BY_SIDE + 1))] == [SIDE_BY_SIDE, 1]
    True
    """
    for first in range(0, len(parts), SIDE_BY_SIDE):
        yield list(parts[first : first + SIDE_BY_SIDE])
