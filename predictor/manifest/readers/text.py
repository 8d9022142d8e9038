"""Text files, plain or packed with gzip or zstd: how they begin, where their rows stand, and how far they unpack."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import IO

from predictor.errors import ManifestError
from predictor.manifest.engine import connected, quoted_path
from predictor.manifest.readers.paths import HEAD_BYTES
from predictor.manifest.table import MAX_LINES, row_numbers

GZIP = b"\x1f\x8b"
ZSTD = b"\x28\xb5\x2f\xfd"
FREE = 1 << 30  # bytes that any file may unpack to
RATIO = 200  # beyond them, the most a file may grow; lists of labels grow 5 to 50 times
_CONTROL = re.compile(r"[\0-\x08\x0e-\x1f]")
_SKIPPED = range(0x184D2A50, 0x184D2A60)  # zstd frames that hold no data
_BLOCK = 1 << 17  # bytes that a zstd block unpacks to, at most


UTF8 = "write it as UTF-8: iconv -f LATIN1 -t UTF-8 FILE > NEW"
MARKS = {  # how files begin that are no text, or no text that is read: what they are, and what makes them readable
    b"\xff\xfe\0\0": ("UTF-32 text", "write it as UTF-8: iconv -f UTF-32 -t UTF-8 FILE > NEW"),
    b"\xff\xfe": ("UTF-16 text", "write it as UTF-8: iconv -f UTF-16 -t UTF-8 FILE > NEW"),
    b"\xfe\xff": ("UTF-16 text", "write it as UTF-8: iconv -f UTF-16 -t UTF-8 FILE > NEW"),
    b"BZh": ("packed with bzip2", "unpack it: bunzip2 FILE"),
    b"\xfd7zXZ": ("packed with xz", "unpack it: unxz FILE"),
    b"\x04\x22\x4d\x18": ("packed with lz4", "unpack it: unlz4 FILE"),
    b"7z\xbc\xaf": ("a 7z archive", "unpack it: 7z x FILE"),
    b"Rar!": ("a RAR archive", "unpack it: unrar x FILE"),
    b"PK\x03\x04": ("a ZIP archive", "unpack it: unzip FILE"),
    b"\xd0\xcf\x11\xe0": ("an old Excel file", "save it as .xlsx or CSV"),
    b"\x89HDF": ("an HDF5 file", "write its labels as CSV or Parquet"),
    b"\x93NUMPY": ("a NumPy file", "write its labels as CSV or Parquet"),
    b"SQLite format 3": ("a SQLite data base", "write its labels as CSV: sqlite3 -header -csv FILE 'SELECT ...'"),
    b"ORC": ("an ORC file", "write it as Parquet"),
    b"Obj\x01": ("an Avro file", "write it as Parquet"),
    b"\x80\x04\x95": ("a Python pickle", "write its labels as CSV or Parquet; a pickle can run anything"),
    b"\x80\x05\x95": ("a Python pickle", "write its labels as CSV or Parquet; a pickle can run anything"),
    b"%PDF": ("a PDF", "name a table or a folder"),
}


def unpacked(head: bytes) -> bytes:
    """The first bytes of a gzip file, unpacked; others as they are, damaged ones too."""
    if head[:2] != GZIP:
        return head
    try:
        return zlib.decompressobj(wbits=31).decompress(head, HEAD_BYTES) or head
    except zlib.error:
        return head


def check_readable(path: Path, head: bytes) -> None:
    """Raise ManifestError for a kind of file that is known and not read, with what makes it readable."""
    try:
        text = not _CONTROL.search(head[:512].decode("utf-8"))
    except UnicodeDecodeError as error:
        text = error.reason == "unexpected end of data"
    for mark, (kind, remedy) in MARKS.items():
        if head.startswith(mark) and not text:
            raise ManifestError(f"is {kind}", where=str(path), remedy=remedy.replace("FILE", str(path)))
    if path.suffix.lower() in (".tfrecord", ".tfrecords") or ".tfrecord-" in path.name:
        raise ManifestError("is a TFRecord file", where=str(path), remedy="write its labels as CSV or Parquet")
    start = head[:2000]
    for zeros, encoding in ((start[1::2], "UTF-16LE"), (start[::2], "UTF-16BE")):
        if len(zeros) > 3 and zeros.count(0) > 0.8 * len(zeros) and start.count(0) < 0.6 * len(start):
            remedy = f"write it as UTF-8: iconv -f {encoding} -t UTF-8 {path} > NEW"
            raise ManifestError("is UTF-16 text", where=str(path), remedy=remedy)


def first_line(path: Path, head: bytes) -> bytes:
    """The first line of a text. Raises ManifestError where it is not whole, or lines end in a way that is not read."""
    text = text_head(path, head) or b""
    first, end, _ = text.partition(b"\n")
    if not end:
        if b"\r" in first.rstrip(b"\r\n"):
            raise _line_ends(path, "ends its lines with carriage returns alone", "tr '\\r' '\\n'")
        if len(text) >= HEAD_BYTES:
            raise ManifestError(
                f"has a first line of more than {HEAD_BYTES:,} bytes",
                where=str(path),
                remedy="write the columns that are needed alone, and their names in the first line",
            )
    return first


def check_line_ends(path: Path) -> None:
    """Raise ManifestError for a text whose lines end in different ways."""
    from predictor.manifest.readers.paths import head_of

    head = head_of(path)
    kind = compression(head)
    if kind == "zstd":
        return
    windows = unix = 0
    with gzip.open(path) if kind == "gzip" else path.open("rb") as stream:
        for number, line in enumerate(stream):
            windows += line.endswith(b"\r\n")
            unix += line.endswith(b"\n") and not line.endswith(b"\r\n")
            if b"\r" in line.rstrip(b"\r\n") and b'"' not in line:
                raise _line_ends(path, f"has a carriage return within line {number + 1}", "tr '\\r' '\\n'")
            if windows and unix:
                raise _line_ends(path, f"ends its lines in two ways, first at line {number + 1}", "tr -d '\\r'")


def _line_ends(path: Path, problem: str, command: str) -> ManifestError:
    return ManifestError(problem, where=str(path), remedy=f"make them all the same: {command} < {path} > NEW")


def compression(head: bytes) -> str:
    """How a file is packed, as the engine calls it.

    >>> compression(b"label,count"), compression(GZIP)
    ('none', 'gzip')
    """
    return "gzip" if head[:2] == GZIP else "zstd" if head[:4] == ZSTD else "none"


def text_head(path: Path, head: bytes) -> bytes | None:
    """The first bytes of the text itself, unpacked where the file is packed; None where it is no text."""
    kind = compression(head)
    if kind == "gzip":
        try:
            head = zlib.decompressobj(wbits=31).decompress(head, HEAD_BYTES)
        except zlib.error as error:
            raise ManifestError(f"is not a whole gzip file: {error}", where=str(path)) from None
    elif kind == "zstd":
        head = _zstd_head(path, head)
    return None if b"\0" in head else head


def first_lines(head: bytes, n: int = 100) -> list[str]:
    """The first whole lines of a text, without those that are blank."""
    lines = head.decode("utf-8-sig", errors="replace").splitlines()
    whole = lines[:-1] if len(head) >= HEAD_BYTES and len(lines) > 1 else lines
    return [line for line in whole if line.strip()][:n]


def check_unpacked(path: Path, head: bytes) -> None:
    """Raise ManifestError for a packed file that is torn, or that grows beyond every list of labels."""
    kind = compression(head)
    if kind == "none":
        return
    total = 0
    try:
        for size in _gzip_sizes(path) if kind == "gzip" else _zstd_sizes(path):
            total += size
            check_growth(path, total)
    except (OSError, EOFError, zlib.error) as error:
        raise ManifestError(f"is not a whole {kind} file: {error}", where=str(path)) from None


def check_growth(path: Path, size: int) -> None:
    """Raise ManifestError where a file unpacks to so many bytes that it is no list of labels, but a bomb."""
    limit = max(FREE, RATIO * path.stat().st_size)
    if size > limit:
        raise ManifestError(
            f"unpacks to more than {limit:,} bytes, over {RATIO} times its size",
            where=str(path),
            remedy="unpack it yourself if it is what you mean",
        )


def line_places(path: Path, head: bytes, delimiter: str, header: bool) -> Callable[[Sequence[int]], list[str]]:
    """Names of rows by the line on which they end: blank lines hold no row, a quoted cell may span several lines."""
    if compression(head) == "zstd":
        return row_numbers
    return partial(_places, path, compression(head), delimiter, header)


def _places(path: Path, kind: str, delimiter: str, header: bool, rows: Sequence[int]) -> list[str]:
    if not rows or max(rows) > MAX_LINES:
        return row_numbers(rows)
    wanted = dict.fromkeys(rows, 0)
    with opened(path, kind) as stream:
        reader = csv.reader(stream, delimiter=delimiter)
        if header:
            next(reader, None)
        try:
            filled = (reader.line_num for cells in reader if cells)
            for row, line in zip(range(1, max(rows) + 1), filled, strict=False):
                if row in wanted:
                    wanted[row] = line
        except (csv.Error, OSError, EOFError, zlib.error):  # the engine reads what this reader does not
            return row_numbers(rows)
    return [f"line {wanted[row]}" if wanted[row] else f"row {row}" for row in rows]


def filled_lines(path: Path, head: bytes, rows: Sequence[int]) -> list[str]:
    """Names of rows where each has a line of its own; blank lines hold no row."""
    kind = compression(head)
    if kind == "zstd" or not rows or max(rows) > MAX_LINES:
        return row_numbers(rows)
    with opened(path, kind) as stream:
        filled = (number for number, line in enumerate(stream, 1) if line.strip())
        lines = dict(zip(range(1, max(rows) + 1), filled, strict=False))
    return [f"line {lines[row]}" if row in lines else f"row {row}" for row in rows]


@contextmanager
def opened(path: Path, kind: str) -> Iterator[IO[str]]:
    """The text of a plain or gzip file, line ends as they are."""
    with (
        gzip.open(path) if kind == "gzip" else path.open("rb") as raw,
        io.TextIOWrapper(raw, encoding="utf-8-sig", errors="replace", newline="") as stream,
    ):
        yield stream


@lru_cache(maxsize=8)
def _zstd_head(path: Path, head: bytes) -> bytes:
    # the standard library cannot unpack zstd before Python 3.14; the engine can, line by line
    with connected([path], str(path)) as connection:
        lines = connection.execute(
            f"SELECT line FROM read_csv({quoted_path(path)}, {ONE_COLUMN}, compression = 'zstd') LIMIT 200"
        ).fetchall()
    return "".join(f"{line or ''}\n" for (line,) in lines).encode()[:HEAD_BYTES]


ONE_COLUMN = (
    "delim = E'\\x01', quote = '', escape = '', header = false, auto_detect = false, "
    "columns = {'line': 'VARCHAR'}, strict_mode = false"
)


def _gzip_sizes(path: Path) -> Iterator[int]:
    with gzip.open(path) as stream:
        while size := len(stream.read(1 << 20)):
            yield size


def _zstd_sizes(path: Path) -> Iterator[int]:
    """At most that many bytes a block, from the headers of frames and blocks alone (RFC 8878, section 3.1)."""
    with path.open("rb") as stream:
        while magic := stream.read(4):
            if int.from_bytes(magic, "little") in _SKIPPED:
                stream.seek(int.from_bytes(_exactly(stream, 4), "little"), 1)
                continue
            if magic != ZSTD:
                raise EOFError("no frame where one must begin")
            flags = _exactly(stream, 1)[0]
            single = flags >> 5 & 1
            dictionary = (0, 1, 2, 4)[flags & 3]
            size = (single, 2, 4, 8)[flags >> 6]
            _exactly(stream, (not single) + dictionary + size)
            last = False
            while not last:
                header = int.from_bytes(_exactly(stream, 3), "little")
                last, kind, length = bool(header & 1), header >> 1 & 3, header >> 3
                stream.seek(1 if kind == 1 else length, 1)
                yield length if kind < 2 else _BLOCK
            if flags >> 2 & 1:
                _exactly(stream, 4)
            if stream.tell() > path.stat().st_size:
                raise EOFError("it ends early")


def _exactly(stream: IO[bytes], n: int) -> bytes:
    found = stream.read(n)
    if len(found) < n:
        raise EOFError("it ends early")
    return found
