"""Files that appear whole or not at all; what is no regular file is never replaced by one."""

from __future__ import annotations

import errno
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from predictor.errors import RegistryError
from predictor.reading import NO_LINK, WITHOUT_WAITING, check_regular


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
    """Write a file, new or not; where that fails the former one is whole.

    Raises OSError, also for a link, a device, a pipe or a folder of that name.
    """
    check_replaceable(path)
    with _written_beside(path, content) as temporary:
        os.replace(temporary, path)


def check_replaceable(path: Path) -> None:
    """Raise OSError where something of that name is no regular file; a link in somebody's folder may lead anywhere."""
    if path.is_symlink():
        problem = f"is a link, to {os.readlink(path)}; name the file itself"
        raise OSError(errno.EINVAL, problem, str(path))
    with suppress(FileNotFoundError):
        check_regular(path)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name beside the path, for a library that writes by itself: it gets the name of the path at the end.

    Where the writing fails the former file is whole, and the temporary one is gone. Raises OSError as `replace_file`.
    """
    check_replaceable(path)
    temporary = beside(path)
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        with suppress(OSError):
            temporary.unlink()


@contextmanager
def _written_beside(path: Path, content: bytes) -> Iterator[Path]:
    """A temporary file in the same folder, on disk as a whole; gone afterwards unless it was renamed."""
    temporary = beside(path)
    try:
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        with suppress(OSError):  # renamed, or a disk that takes nothing, which has been told
            temporary.unlink()


def beside(path: Path) -> Path:
    """A new name in the same folder, for what will have the name of `path` once it is whole."""
    name = os.fsdecode(os.fsencode(path.name)[:150])  # a name has 255 bytes at most
    return path.with_name(f".{name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")


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


@contextmanager
def locked(folder: Path, name: str) -> Iterator[None]:
    """Wait until no other process holds this lock of a folder, and hold it; a process that dies holds none.

    The lock is a hidden file, gone again afterwards. Raises OSError where the folder takes no file.
    """
    if sys.platform == "win32":  # there one process at a time is left to whoever starts them
        yield
        return
    import fcntl

    path = folder / f".{name}.lock"
    while True:
        with open(os.open(path, os.O_RDWR | os.O_CREAT | NO_LINK | WITHOUT_WAITING, 0o666), "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            try:
                current = os.path.samestat(os.stat(path), os.fstat(file.fileno()))
            except FileNotFoundError:  # who held it before has removed it
                current = False
            if current:
                try:
                    yield
                finally:
                    with suppress(OSError):
                        path.unlink()
                return


def unwritable(path: Path, error: OSError) -> RegistryError:
    """The error of a full disk or a read-only folder, in words."""
    problem = f"cannot be written ({error.strerror or error})"
    return RegistryError(problem, where=str(path), remedy="free space or permit writing there, and run it again")


def literal(path: Path) -> str:
    """A path that DuckDB does not take for a pattern."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in str(path))
