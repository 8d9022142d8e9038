"""Files as they are read: regular ones alone, of bounded size, and none that a link leads to outside of its folder.

A pipe or a device might never end, and opening one may already do something. What is refused is an OSError, as what
the system refuses is: whoever opens a file has a message for these.
"""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, TextIO

MIB = 1 << 20
KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}
WITHOUT_WAITING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
NO_LINK = getattr(os, "O_NOFOLLOW", 0)


def check_regular(path: str | Path, root: str | Path | None = None) -> Path:
    """The file to open: the path itself, or where its link leads.

    root : the folder that the file belongs to; a link may lead to another place in it, not out of it

    Raises OSError for what is missing, no regular file, or outside.

    >>> check_regular("/dev/null")
    Traceback (most recent call last):
    OSError: [Errno 22] is no regular file (a device): '/dev/null'
    """
    path = Path(path)
    found = os.lstat(path)
    if stat.S_ISLNK(found.st_mode):
        real = Path(os.path.realpath(path, strict=True))
        if root is not None:
            check_inside(path, root)
        path, found = real, os.lstat(real)
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(found.st_mode):
        kind = KINDS.get(stat.S_IFMT(found.st_mode), "special")
        raise OSError(errno.EINVAL, f"is no regular file ({kind})", str(path))
    return path


def check_inside(path: str | Path, root: str | Path) -> None:
    """Raise OSError where a path leads out of the folder that it belongs to."""
    real, folder = os.path.realpath(path), os.path.realpath(root)
    if real != folder and not real.startswith(folder.rstrip(os.sep) + os.sep):
        raise OSError(errno.EXDEV, f"leads out of {root}, to {real}", str(path))


def opened(path: str | Path, *, root: str | Path | None = None) -> BinaryIO:
    """A regular file, open for reading; see `check_regular`. Raises OSError."""
    descriptor = _descriptor(path, root)
    try:
        return open(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def _descriptor(path: str | Path, root: str | Path | None) -> int:
    name = os.fspath(path)
    if not stat.S_ISREG(os.lstat(name).st_mode):
        name = os.fspath(check_regular(path, root))
    descriptor = os.open(name, os.O_RDONLY | WITHOUT_WAITING | NO_LINK)  # it may have become something else meanwhile
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "is no regular file", str(path))
    return descriptor


def opened_text(path: str | Path, *, root: str | Path | None = None) -> TextIO:
    """A regular file of UTF-8 text, without a byte-order mark, line ends as they are. Raises OSError."""
    return io.TextIOWrapper(opened(path, root=root), encoding="utf-8-sig", newline="")


def walked(folder: str | Path, *, links: bool = False) -> Iterator[tuple[str, list[str]]]:
    """(folder, sorted names of what is no folder) of a folder and of all below it, hidden ones left out.

    links : enter linked folders too

    Raises OSError for one that cannot be listed: to a pattern it is an empty one.
    """

    def raised(error: OSError) -> None:
        raise error

    for place, inner, names in os.walk(folder, onerror=raised, followlinks=links):
        inner[:] = sorted(name for name in inner if not name.startswith("."))
        yield place, sorted(name for name in names if not name.startswith("."))


def read_bytes(path: str | Path, *, limit: int, root: str | Path | None = None) -> bytes:
    """The whole of a regular file. Registries hold 100,000 of them: few calls to the system each.

    limit : bytes; a longer one is refused before it is read, one that grows meanwhile when it gets there

    Raises OSError.
    """
    descriptor = _descriptor(path, root)
    try:
        size = os.fstat(descriptor).st_size
        pieces, length = [], 0
        while size <= limit and length <= limit and (piece := os.read(descriptor, max(size - length, 0) + 1)):
            pieces.append(piece)
            length += len(piece)
    finally:
        os.close(descriptor)
    if max(size, length) > limit:
        raise OSError(errno.EFBIG, f"has {max(size, length):,} bytes; at most {limit:,} are read", str(path))
    return b"".join(pieces)


def read_text(path: str | Path, *, limit: int, root: str | Path | None = None) -> str:
    """The whole of a regular file of UTF-8 text, without a byte-order mark, line ends as `\\n`.

    Raises OSError as `read_bytes` does, and UnicodeDecodeError.
    """
    text = read_bytes(path, limit=limit, root=root).decode("utf-8-sig")
    return text.replace("\r\n", "\n").replace("\r", "\n")
