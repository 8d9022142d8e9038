"""A folder of images, `class/image.jpg` or `split/class/image.jpg`: the names are listed, no image is opened."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from predictor.errors import ManifestError, listed
from predictor.manifest.counted import Counted, Request
from predictor.manifest.readers.limits import refuse, without_label
from predictor.manifest.readers.splits import chosen_splits, is_split

IMAGE_ENDINGS = frozenset(("jpg", "jpeg", "png", "webp", "bmp", "gif", "tif", "tiff", "ppm", "pgm"))


@dataclass
class _Seen:
    """What was met on the way, besides images of classes."""

    unlabelled: int = 0
    hidden: int = 0
    others: Counter[str] = field(default_factory=Counter)  # ending -> files that are no images
    broken: int = 0  # links to nothing
    nested: list[str] = field(default_factory=list)  # classes whose images all lie in folders of their own


def recognises(path: Path, head: bytes) -> bool:
    """Any folder; a reader that knows a folder by its content is asked before."""
    return path.is_dir()


def read(path: Path, request: Request) -> Counted:
    """Count the images of every class folder, at any depth below it.

    The folders in `path` are the classes; where they are splits (`train`, `val`, ...) the folders in those are.
    Hidden files and files that are no images are left out and counted in a note. Links are followed, a folder that is
    met again inside one class is not entered again.

    Raises ManifestError for a folder that cannot be listed, holds no class folder or no image.
    """
    refuse(request, "an image folder", str(path), "label", "count", "weight", "where")
    seen = _Seen()
    tops, notes = _tops(path, request)
    counts: Counter[str] = Counter()
    for top in tops:
        for folder in _subfolders(top, seen):
            name = _text(folder.name).strip()
            direct, deeper = _images(folder.path, seen)
            if not name:
                seen.unlabelled += direct + deeper
                continue
            counts[name] += direct + deeper
            if deeper and not direct:
                seen.nested.append(name)
    if not counts or not any(counts.values()):
        found = "no folder of a class" if not counts else f"{len(counts):,} folders, none of which holds an image"
        flat = f", {seen.unlabelled:,} images that lie in no class folder" if seen.unlabelled else ""
        above = "if this is the folder of one class, name the one above it; " if seen.unlabelled else ""
        raise ManifestError(
            f"found {found}{flat}",
            where=str(path),
            remedy=f"{above}an image folder is class/image.jpg or split/class/image.jpg; "
            "images listed in a table are counted from the table",
        )
    if len(counts) == 1 and seen.nested:
        raise ManifestError(
            f"holds one folder, {seen.nested[0]!r}, and its images lie in folders below it",
            where=str(path),
            remedy="name the folder whose own folders are the classes",
        )
    notes += without_label(seen.unlabelled, request, str(path), ": they lie in no class folder")
    return Counted(rows=[(name, "", n) for name, n in counts.items()], notes=(*notes, *_notes(seen, counts)))


def _tops(path: Path, request: Request) -> tuple[list[str], tuple[str, ...]]:
    """The folders whose folders are classes."""
    folders = {folder.name: folder.path for folder in _subfolders(str(path), _Seen())}
    splits = [name for name in folders if is_split(name) and any(_subfolders(folders[name], _Seen()))]
    named = request.split in folders  # a split of a name of its own, as in `--split seg_train`
    if not splits or not (named or len(splits) > 1 or all(map(is_split, folders))):
        splits = []
    if named and request.split not in splits:
        splits.append(request.split)
    if not splits:
        return [str(path)], chosen_splits([""], request, str(path))[1]
    taken, notes = chosen_splits(splits, request, str(path))
    if others := sorted(_text(name) for name in folders if name not in splits and not is_split(name)):
        notes += (f"folders beside the splits left out: {listed(list(map(repr, others)))}",)
    return [folders[name] for name in sorted(taken)], notes


def _subfolders(top: str, seen: _Seen) -> Iterator[os.DirEntry[str]]:
    for entry in _entries(top):
        if entry.name.startswith("."):
            seen.hidden += 1
        elif _is_folder(entry):
            yield entry
        elif _is_image(entry, seen):
            seen.unlabelled += 1


def _images(top: str, seen: _Seen) -> tuple[int, int]:
    """(images in the folder itself, images in the folders below it)."""
    n = {True: 0, False: 0}
    entered: set[tuple[int, int]] = set()
    waiting = [top]
    while waiting:
        folder = waiting.pop()
        identity = _identity(folder)
        if identity in entered:  # a link back, or a second one
            continue
        entered.add(identity)
        images = 0
        for entry in _entries(folder):
            name = entry.name
            if name.startswith("."):
                seen.hidden += 1
            elif _is_folder(entry):
                waiting.append(entry.path)
            elif _is_image(entry, seen):
                images += 1
        n[folder is top] += images
    return n[True], n[False]


def _is_image(entry: os.DirEntry[str], seen: _Seen) -> bool:
    ending = entry.name.rpartition(".")[2].lower()
    if ending not in IMAGE_ENDINGS:
        seen.others[ending if "." in entry.name else ""] += 1
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


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    with _listing(folder), os.scandir(folder) as entries:
        yield from entries


@contextmanager
def _listing(folder: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ManifestError(
            f"cannot be listed: {error.strerror}", where=_text(folder), remedy="make it readable"
        ) from None


def _text(name: str) -> str:
    """A file name as text; bytes that are not UTF-8 as \\x.."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _notes(seen: _Seen, counts: Counter[str]) -> Iterator[str]:
    if n := seen.others.total():
        endings = listed([f".{_text(ending)}" if ending else "no ending" for ending, _ in seen.others.most_common()])
        yield f"{_many(n, 'file that is no image', 'files that are no images')} left out ({endings})"
    if seen.hidden:
        yield f"{_many(seen.hidden, 'hidden file or folder', 'hidden files and folders')} left out"
    if seen.broken:
        yield f"{_many(seen.broken, 'link to no file', 'links to no file')} left out"
    if empty := sum(not n for n in counts.values()):
        yield f"{_many(empty, 'class folder without an image', 'class folders without an image')} left out"
    if seen.nested:
        who = listed(list(map(repr, sorted(seen.nested))))
        n = _many(len(seen.nested), "class", "classes")
        yield f"the images of {n} lie in folders of their own, counted for the class: {who}"


def _many(n: int, one: str, more: str) -> str:
    return f"{n:,} {one if n == 1 else more}"
