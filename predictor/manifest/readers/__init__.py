"""One reader a format: a module with `recognises(path, head)` and `opened(path, request)`, asked in the order below."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from predictor.errors import ManifestError
from predictor.manifest.counted import ManifestRequest
from predictor.manifest.parts import Opened
from predictor.manifest.readers import (
    coco,
    delimited,
    hugging_face,
    image_folder,
    json_lines,
    parquet,
    path_list,
    voc,
    webdataset,
    workbook,
    yolo,
)
from predictor.manifest.readers.paths import head_of, matches
from predictor.manifest.readers.text import check_readable, unpacked

FORMS = (
    "a CSV, TSV, Parquet, JSON lines or .xlsx file, a list of paths and labels, an image folder, WebDataset shards, "
    "a Hugging Face data set, or annotations of COCO, YOLO or Pascal VOC"
)


class Reader(Protocol):
    """What a module of this folder offers.

    recognises : head is the first 64 KiB of a file, b'' for a folder and for a pattern
    opened : the parts of a manifest, to be read inside the block. Raises ManifestError for what cannot be read, and
        nothing else
    """

    def recognises(self, path: Path, head: bytes) -> bool: ...

    def opened(self, path: Path, request: ManifestRequest) -> AbstractContextManager[Opened]: ...


# what knows its format by a mark comes before what accepts any text or any folder
READERS: tuple[Reader, ...] = (
    hugging_face,
    webdataset,
    parquet,
    workbook,
    yolo,
    voc,
    coco,
    json_lines,
    path_list,
    delimited,
    image_folder,
)


def reader_of(path: Path) -> Reader:
    """The reader that recognises a file, a folder or a pattern of files; a name that exists is never a pattern.

    Raises ManifestError where there is none, and for a pattern of files that want different readers.
    """
    if path.exists():
        return _of_one(path)
    for reader in READERS:  # shards are known by their pattern or range
        if reader.recognises(path, b""):
            return reader
    found = matches(path)
    if not found:
        raise ManifestError("no such file", where=str(path), remedy=f"name {FORMS}")
    readers = [_of_one(file) for file in found]
    for file, reader in zip(found, readers, strict=True):
        if reader is not readers[0]:
            raise ManifestError(
                f"matches files of different formats: {found[0]} and {file}",
                where=str(path),
                remedy="name them one by one and add them up with --merge",
            )
    return readers[0]


def _of_one(path: Path) -> Reader:
    head = head_of(path)
    if not head and not path.is_dir():
        raise ManifestError("is empty", where=str(path), remedy="give it a header line with a column 'label'")
    if not workbook.recognises(path, head):
        check_readable(path, unpacked(head))
    for reader in READERS:
        if reader.recognises(path, head):
            return reader
    found = "is a folder of no known kind" if path.is_dir() else "is neither text nor Parquet"
    raise ManifestError(found, where=str(path), remedy=f"name {FORMS}")
