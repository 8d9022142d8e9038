"""Members of a tar file, plain or gzip, one after another: what is not wanted is passed over, nothing is unpacked.

Strict where `tarfile` is silent: an archive that is cut off or damaged ends in an error, never in fewer members.
The formats are those of POSIX.1-2001 (pax) and GNU tar's manual, "Basic Tar Format".
"""

from __future__ import annotations

import gzip
import os
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from predictor.errors import ManifestError
from predictor.manifest.readers.text import FREE, RATIO
from predictor.reading import opened

BLOCK = 512
MAX_READ = 1 << 20  # bytes of a member, or of a long name, that are held in memory
STEP = 1 << 20
_REMEDY = "copy or write the shard again"


def is_tar(head: bytes) -> bool:
    """Whether the first bytes of a file are those of a tar file, plain or gzip."""
    if head[:2] == b"\x1f\x8b":
        try:
            head = zlib.decompressobj(wbits=31).decompress(head, BLOCK)
        except zlib.error:
            return False
    return head[257:262] == b"ustar" and len(head) >= BLOCK


def members(path: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, int, bytes | None]]:
    """(name, bytes, content) of every regular file, in order; the content of what is wanted and no more than 1 MiB.

    Raises ManifestError, with the member, where the file is cut off, damaged, no tar file or a decompression bomb.
    """
    try:
        with opened(path) as file:
            zipped = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            if zipped:
                yield from _Reader(path, file, _Inflated(path, file)).members(wanted)
            else:
                yield from _Reader(path, file, None).members(wanted)
    except FileNotFoundError:
        raise ManifestError("no such file", where=str(path), remedy="name the shards that there are") from None
    except (OSError, EOFError, zlib.error) as error:
        raise ManifestError(
            f"cannot be read: {getattr(error, 'strerror', None) or error}", where=str(path), remedy=_REMEDY
        ) from None


def places(path: Path) -> dict[str, tuple[int, int]]:
    """{name: (where its content begins, bytes)} of every regular file of a plain tar file; of two, the last one.

    Raises ManifestError as `members`, and for gzip: what is packed whole cannot be read in any order.
    """
    found: dict[str, tuple[int, int]] = {}
    try:
        with opened(path) as file:
            if file.read(2) == b"\x1f\x8b":
                raise ManifestError(
                    "is packed with gzip, so its members cannot be read in any order",
                    where=str(path),
                    remedy="unpack it: gunzip; images are compressed already",
                )
            file.seek(0)
            reader = _Reader(path, file, None)
            for name, size, _ in reader.members(lambda _: False):
                found[name] = reader.begin, size
    except OSError as error:
        raise ManifestError(f"cannot be read: {error.strerror or error}", where=str(path), remedy=_REMEDY) from None
    return found


class _Inflated:
    """A gzip stream that ends with an error where it grows out of proportion."""

    def __init__(self, path: Path, file: BinaryIO):
        self.path, self.file, self.stream, self.checked = path, file, gzip.GzipFile(fileobj=file), FREE

    def read(self, n: int) -> bytes:
        data = self.stream.read(n)
        if (unpacked := self.stream.tell()) > self.checked:
            self.checked = unpacked + FREE // 16
            if unpacked > RATIO * self.file.tell():
                raise ManifestError(
                    f"unpacks to more than {RATIO} times its size: stopped after {unpacked:,} bytes",
                    where=str(self.path),
                    remedy="unpack it yourself if you trust it",
                )
        return data

    def skip(self, n: int) -> int:
        """Bytes that could not be skipped."""
        while n and (data := self.read(min(n, STEP))):
            n -= len(data)
        return n


class _Reader:
    """One pass over the headers of one archive."""

    def __init__(self, path: Path, file: BinaryIO, inflated: _Inflated | None):
        self.path, self.file, self.inflated = path, file, inflated
        self.size = os.fstat(file.fileno()).st_size
        self.read_bytes = inflated.read if inflated else file.read
        self.name = ""  # of the member that is read, for messages
        self.begin = 0  # of its content, in a file that is not packed

    def members(self, wanted: Callable[[str], bool]) -> Iterator[tuple[str, int, bytes | None]]:
        pending: dict[bytes, bytes] = {}  # what an extended header says of the next member
        while (block := self.read_bytes(BLOCK)) and block != _ZEROS:
            name, size, kind = self._header(block)
            if kind in b"Lxg":
                content = self._content(size, f"header of type {kind.decode()!r}")
                if kind == b"L":
                    pending[b"path"] = content.rstrip(b"\0")
                elif kind == b"x":
                    pending |= self._records(content)
                continue
            if kind == b"S" or any(key.startswith(b"GNU.sparse") for key in pending):
                self._fail("is stored with holes (a sparse file)", "write the shard without sparse files")
            if pending:
                name = pending.get(b"path", name)
                size = self._whole(pending[b"size"]) if b"size" in pending else size
                if kind != b"K":
                    pending = {}
            self.name = name.decode("utf-8", "backslashreplace")
            if kind in _WITHOUT_CONTENT:
                continue
            self.begin = 0 if self.inflated else self.file.tell()
            if kind in _REGULAR and wanted(self.name):
                yield self.name, size, self._content(size) if size <= MAX_READ else self._skip(size)
            else:
                self._skip(size)
                if kind in _REGULAR:
                    yield self.name, size, None
        if not block:
            self._fail("is the last member, and the mark of the archive's end is missing: it is cut off")
        if self.inflated:
            while self.inflated.read(STEP):  # to the checksum of gzip
                pass

    def _header(self, block: bytes) -> tuple[bytes, int, bytes]:
        """(name, bytes of content, type)"""
        if len(block) < BLOCK:
            self._fail("is the last whole member: the file is cut off")
        try:
            checksum = tarfile.nti(block[148:156])
            size = tarfile.nti(block[124:136])
        except tarfile.HeaderError:
            checksum = size = -1
        if checksum != sum(block) - sum(block[148:156]) + 256 or size < 0:
            self._fail("is the last member that can be read: what follows is no tar header")
        name = block[:100].partition(b"\0")[0]
        if block[257:263] == b"ustar\0" and block[345]:
            name = block[345:500].partition(b"\0")[0] + b"/" + name
        return name, size, block[156:157]

    def _content(self, size: int, what: str = "") -> bytes:
        if size > MAX_READ:
            self._fail(f"is followed by a {what} of {size:,} bytes; the limit is {MAX_READ:,}")
        padded = -size % BLOCK + size
        data = self.read_bytes(padded)
        if len(data) < padded:
            self._fail(f"is cut off: the file ends {padded - len(data):,} bytes before its end")
        return data[:size]

    def _skip(self, size: int) -> None:
        padded = -size % BLOCK + size
        if self.inflated:
            missing = self.inflated.skip(padded)
        else:
            missing = self.file.tell() + padded - self.size
            if missing <= 0:
                self.file.seek(padded, os.SEEK_CUR)
        if missing > 0:
            self._fail(f"is cut off: the file ends {missing:,} bytes before its end")

    def _records(self, content: bytes) -> dict[bytes, bytes]:
        """A pax header's `length keyword=value` lines."""
        records = {}
        while content.strip(b"\0"):
            length = content.partition(b" ")[0]
            n = self._whole(length)
            line = content[:n]
            if n <= len(length) + 1 or len(line) < n or not line.endswith(b"\n"):
                self._fail("is followed by a damaged pax header")
            keyword, _, value = line[len(length) + 1 : -1].partition(b"=")
            records[keyword], content = value, content[n:]
        return records

    def _whole(self, text: bytes) -> int:
        if not text.isdigit() or len(text) > 20:
            self._fail("is followed by a damaged pax header")
        return int(text)

    def _fail(self, problem: str, remedy: str = _REMEDY) -> None:
        who = f"member {self.name!r}" if self.name else "the beginning"
        raise ManifestError(f"{who} {problem}", where=str(self.path), remedy=remedy)


_ZEROS = bytes(BLOCK)
_REGULAR = (b"0", b"\0", b"7")
_WITHOUT_CONTENT = (b"1", b"2", b"3", b"4", b"5", b"6")  # links, devices, folders, pipes
