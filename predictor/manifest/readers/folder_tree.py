"""What lies in a folder: every folder below it with its number of images. Names are listed, no image is opened."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from predictor.errors import ManifestError
from predictor.manifest.splits import is_split

IMAGE_ENDINGS = frozenset(("jpg", "jpeg", "png", "webp", "bmp", "gif", "tif", "tiff", "ppm", "pgm"))
OTHER_IMAGES = frozenset(
    (
        "heic",
        "heif",
        "avif",
        "jp2",
        "jxl",
        "jpe",
        "jfif",
        "dng",
        "cr2",
        "cr3",
        "nef",
        "arw",
        "raw",
        "dcm",
        "dicom",
        "svg",
        "psd",
        "exr",
        "hdr",
        "tga",
        "pbm",
        "pnm",
        "npy",
        "npz",
        "nii",
        "ico",
        "mp4",
        "avi",
        "mov",
        "webm",
        "mkv",
    )
)  # of kinds that are not counted
JUNK = frozenset(
    ("__macosx", "$recycle.bin", "system volume information", "lost+found", "@eadir", "__pycache__", "thumbs")
)


@dataclass
class Seen:
    """What was met on the way, besides images of classes."""

    hidden: int = 0
    others: Counter[str] = field(default_factory=Counter)  # ending -> files that are no images
    uncounted: Counter[str] = field(default_factory=Counter)  # ending -> images of a kind that is not counted
    broken: int = 0  # links to nothing


@dataclass
class Folder:
    """A folder with the number of images in itself, and the folders in it."""

    name: str
    path: str
    images: int = 0
    folders: list[Folder] = field(default_factory=list)

    @property
    def total(self) -> int:
        """Images in the folder and below it."""
        count, waiting = 0, [self]
        while waiting:
            folder = waiting.pop()
            count += folder.images
            waiting += folder.folders
        return count

    def holding(self) -> list[Folder]:
        """The folders in it that hold images, at any depth."""
        return [folder for folder in self.folders if folder.total]


def tree(path: str, split: str | None, seen: Seen) -> Folder:
    """The folders below `path`, except hidden ones and junk. Links are followed, a class enters no folder twice.

    split : a folder of this name holds classes, as those named after a split do
    Raises ManifestError for a folder that cannot be listed.
    """
    root = Folder("", path)
    root.images, names = _scan(path, seen)
    for name, below in names:
        entered = {_identity(below)}
        if is_split(name) or name == split:  # its folders are classes, each with links of its own
            top = Folder(name, below)
            top.images, inner = _scan(below, seen)
            top.folders = [_below(each, where, {*entered, _identity(where)}, seen) for each, where in inner]
        else:
            top = _below(name, below, entered, seen)
        root.folders.append(top)
    return root


def files_below(folder: Folder) -> Iterator[str]:
    """Paths of the images in a folder of a tree and below it, sorted."""
    names: list[str] = []
    _scan(folder.path, Seen(), names)
    yield from (os.path.join(folder.path, name) for name in sorted(names))
    for inner in folder.folders:
        yield from files_below(inner)


def text(name: str) -> str:
    """A file name as text; bytes that are not UTF-8 as \\x.."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _below(name: str, path: str, entered: set[tuple[int, int]], seen: Seen) -> Folder:
    top = Folder(name, path)
    waiting = [top]
    while waiting:
        folder = waiting.pop()
        folder.images, names = _scan(folder.path, seen)
        for inner, where in names:
            identity = _identity(where)
            if identity not in entered:  # a link back, or a second one
                entered.add(identity)
                folder.folders.append(Folder(inner, where))
        waiting += folder.folders
    return top


def _scan(path: str, seen: Seen, images: list[str] | None = None) -> tuple[int, list[tuple[str, str]]]:
    """(number of images, sorted names and paths of folders) in one folder. images : gets their names"""
    n, folders = 0, []
    with _listing(path), os.scandir(path) as entries:
        for entry in entries:
            name = entry.name
            if name.startswith("."):
                seen.hidden += 1
            elif _is_folder(entry):
                if name.lower() not in JUNK:
                    folders.append((name, entry.path))
            elif _is_image(entry, seen):
                n += 1
                if images is not None:
                    images.append(name)
    return n, sorted(folders)


def _is_image(entry: os.DirEntry[str], seen: Seen) -> bool:
    ending = entry.name.rpartition(".")[2].lower()
    if ending not in IMAGE_ENDINGS:
        kinds = seen.uncounted if ending in OTHER_IMAGES else seen.others
        kinds[ending if "." in entry.name else ""] += 1
        return False
    if entry.is_symlink() and not os.path.isfile(entry.path):
        seen.broken += 1
        return False
    return True


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _identity(folder: str) -> tuple[int, int]:
    with _listing(folder):
        status = os.stat(folder)
        return status.st_dev, status.st_ino


@contextmanager
def _listing(folder: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ManifestError(
            f"cannot be listed: {error.strerror}", where=text(folder), remedy="make it readable"
        ) from None
