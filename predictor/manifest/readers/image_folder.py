"""A folder of images, `class/image.jpg` or `split/class/image.jpg`: the names are listed, no image is opened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from predictor.errors import ManifestError, listed
from predictor.manifest.counted import ManifestRequest
from predictor.manifest.parts import Cell, ListedPart, Opened, Row
from predictor.manifest.readers.folder_tree import Folder, Seen, files_below, text, tree
from predictor.manifest.readers.limits import NO_TABLE, refuse
from predictor.manifest.splits import chosen_splits, is_split

CONTAINERS = frozenset(
    (
        "images",
        "image",
        "imgs",
        "img",
        "jpegimages",
        "jpegs",
        "jpeg",
        "jpg",
        "png",
        "photos",
        "photo",
        "pictures",
        "pics",
        "data",
        "dataset",
        "raw",
        "masks",
        "mask",
        "labels",
        "annotations",
        "segmentationclass",
        "segmentationobject",
        "samples",
        "frames",
        "crops",
        "all",
        "files",
        "input",
        "output",
        "imagefolder",
        "seg",
        "depth",
        "rgb",
        "thumbnails",
    )
)  # names of folders that hold images of any class
TABLES = (".csv", ".tsv", ".parquet", ".jsonl", ".json", ".xlsx", ".txt")
MANY = 4  # times as many other folders as folders called after splits that hold images alone: all are classes
ANNOTATIONS = ("annotations", "annotation", "labels", "meta", "metadata", "splits", "lists")
SHAPE = "arrange the folder as class/image.jpg or split/class/image.jpg"


def recognises(path: Path, head: bytes) -> bool:
    """Any folder; a reader that knows a folder by its content is asked before."""
    return path.is_dir()


@contextmanager
def opened(path: Path, request: ManifestRequest) -> Iterator[Opened]:
    """The images of every class folder, at any depth below it.

    The folders in `path` that hold images are the classes; where they are splits (`train`, `val`, ...) the folders in
    those are. Hidden files, files that are no images and what systems leave (`__MACOSX`) are left out and counted in a
    note. Links are followed, a folder that is met again inside one class is not entered again.

    Raises ManifestError for a folder that cannot be listed or holds no image, and for one whose folders do not look
    like classes: a single one that is nested or called 'images', splits without classes in them, or folders that all
    hold the same folders.
    """
    refuse(request, "an image folder", str(path), *NO_TABLE, "instances")
    seen = Seen()
    root = tree(str(path), request.split, seen)
    tops, notes = _tops(root, request, path)
    notes += _notes(seen)
    parts = []
    for top in tops:
        classes = top.holding()
        _check_classes(classes, top)
        if empty := [folder.name for folder in top.folders if not folder.total]:
            kind = "class folder" if len(empty) == 1 else "class folders"
            notes.append(f"{len(empty):,} {kind} without an image left out: {_names(empty)}")
        if nested := [folder.name for folder in classes if not folder.images]:
            n = f"{len(nested):,} {'class lie' if len(nested) == 1 else 'classes lie'}"
            notes.append(f"the images of {n} in folders of their own, counted for the class: {_names(nested)}")
        if top.images and classes:
            notes.append(f"{_images(top.images)} in no class folder")
        if len(classes) == 1:
            notes.append(f"one folder of images is one class: {_names([classes[0].name])}")
        parts.append(
            ListedPart(
                where=str(path),
                file=path,
                listing=partial(_rows, top),
                counted=partial(_cells, top),
                split="" if top is root else top.name,
                named=True,
            )
        )
    yield Opened(parts, notes, "image")


def _cells(top: Folder) -> Iterator[Cell]:
    for folder in top.holding():
        yield text(folder.name), "", "", folder.total
    if top.images:
        yield None, "", "", top.images


def _rows(top: Folder) -> Iterator[Row]:
    row = 0
    for folder in top.holding():
        for file in files_below(folder):
            yield text(folder.name), "", "", file, row
            row += 1


def _tops(root: Folder, request: ManifestRequest, path: Path) -> tuple[list[Folder], list[str]]:
    """The folders whose folders are classes, and notes."""
    holding = root.holding()
    if not holding:
        raise _no_images(root, path)
    splits = [folder for folder in holding if is_split(folder.name)]
    others = [folder for folder in holding if not is_split(folder.name)]
    asked = [folder for folder in others if folder.name == request.split]  # as in `--split seg_train`
    if asked:
        splits, others = [*splits, *asked], [folder for folder in others if folder is not asked[0]]
    named = MANY * len(splits) < len(others) and not any(
        folder.holding() for folder in splits
    )  # classes 'train', 'test'
    if not splits or (others and len(splits) == 1 and not asked) or (named and not asked):
        if splits and not splits[0].images and len(splits[0].holding()) > 1:
            raise ManifestError(
                f"holds split {splits[0].name!r} beside folders that may be classes: {_names(f.name for f in others)}",
                where=str(path),
                remedy=f"name the folder whose own folders are the classes: {path / splits[0].name}",
            )
        return [root], [*chosen_splits({"": None}, request, str(path))[1]]
    taken, said = chosen_splits({folder.name: None for folder in splits}, request, str(path))
    notes = [*said]
    if others:
        notes.append(f"folders beside the splits left out: {_names(folder.name for folder in others)}")
    if empty := [folder.name for folder in root.folders if not folder.total]:
        notes.append(f"folders without an image left out: {_names(empty)}")
    tops = sorted((folder for folder in splits if folder.name in taken), key=lambda folder: folder.name)
    if flat := [top for top in tops if not top.holding()]:
        problem = f"split {flat[0].name!r} holds {_images(flat[0].images)} in no class folder"
        if len(flat) == len(tops):
            raise ManifestError(problem, where=str(path), remedy=f"{SHAPE}; {_table(path)}")
        notes.append(problem)
    return tops, notes


def _check_classes(classes: Sequence[Folder], top: Folder) -> None:
    """Raise ManifestError where folders are no classes, with the folder to name instead."""
    where = text(top.path)
    if not classes:
        return
    first = classes[0]
    if len(classes) == 1 and not first.images:
        raise ManifestError(
            f"holds one folder, {text(first.name)!r}, and its images lie in folders below it",
            where=where,
            remedy=f"name the folder whose own folders are the classes: {_deepest(first)}",
        )
    if all(folder.name.lower() in CONTAINERS for folder in classes):
        raise ManifestError(
            f"holds {_names(folder.name for folder in classes)}: folders of images, no classes",
            where=where,
            remedy=f"{_deeper(classes)}{_table(Path(top.path))}",
        )
    if len(classes) == 1 and ": " in (table := _table(Path(top.path), TABLES[:-1])):
        raise ManifestError(
            f"holds one folder of images, {text(first.name)!r}, beside a table",
            where=where,
            remedy=f"give at least two classes to tell apart; {table}",
        )
    if len(classes) > 1 and not any(folder.images for folder in classes):
        below = [_alone(folder) for folder in classes]  # as in `amazon/images/backpack`, `webcam/images/backpack`
        same = sorted(set.intersection(*({inner.name for inner in folder.holding()} for folder in below)))
        if len(same) > 1:
            splits = all(map(is_split, same))
            raise ManifestError(
                f"holds {_names(folder.name for folder in classes)}, which all hold the folders {_names(same)}",
                where=where,
                remedy=f"move the images to {same[0]}/{first.name}/image.jpg: splits stand above classes"
                if splits
                else f"name the folder whose own folders are the classes: {text(below[0].path)}",
            )


def _alone(folder: Folder) -> Folder:
    """The first folder below that holds more than one folder, or images of its own."""
    while len(folder.holding()) == 1 and not folder.images:
        folder = folder.holding()[0]
    return folder


def _deepest(folder: Folder) -> str:
    """The folder whose own folders hold the images."""
    while len(folder.holding()) == 1 and not folder.holding()[0].images:
        folder = folder.holding()[0]
    return text(folder.path)


def _deeper(classes: Sequence[Folder]) -> str:
    nested = [folder for folder in classes if not folder.images]
    return f"name the folder whose own folders are the classes: {text(nested[0].path)}; " if nested else f"{SHAPE}; "


def _no_images(root: Folder, path: Path) -> ManifestError:
    found = f"{len(root.folders):,} folders, none of which holds an image" if root.folders else "no folder of a class"
    flat = f", {root.images:,} images that lie in no class folder" if root.images else ""
    above = "name the folder above it, if this is the folder of one class; " if root.images else ""
    return ManifestError(f"found {found}{flat}", where=str(path), remedy=f"{above}{SHAPE}; {_table(path)}")


def _table(path: Path, endings: tuple[str, ...] = TABLES) -> str:
    """Where the labels may be instead."""
    inner = [folder for folder in sorted(path.iterdir()) if folder.is_dir() and folder.name.lower() in ANNOTATIONS]
    files = [file for folder in (path, *inner) for file in sorted(folder.iterdir())]
    found = [file for file in files if file.name.lower().endswith(endings) and file.is_file()]
    file = f": {found[0]}" if found else ""
    return f"images listed in a table are counted from the table{file}"


def _notes(seen: Seen) -> Iterator[str]:
    if n := seen.uncounted.total():
        kinds = listed([f"{n:,} .{text(ending)}" for ending, n in _most(seen.uncounted)])
        yield f"{_many(n, 'image of a kind that is', 'images of kinds that are')} not counted left out: {kinds}"
    if n := seen.others.total():
        endings = listed([f".{text(ending)}" if ending else "no ending" for ending, _ in _most(seen.others)])
        yield f"{_many(n, 'file that is no image', 'files that are no images')} left out ({endings})"
    if seen.hidden:
        yield f"{_many(seen.hidden, 'hidden file or folder', 'hidden files and folders')} left out"
    if seen.broken:
        yield f"{_many(seen.broken, 'link to no file', 'links to no file')} left out"


def _most(kinds: Counter[str]) -> list[tuple[str, int]]:
    return sorted(kinds.items(), key=lambda kind: (-kind[1], kind[0]))


def _names(names: Iterator[str] | Sequence[str]) -> str:
    return listed([repr(text(name)) for name in sorted(names)])


def _images(n: int) -> str:
    return f"{n:,} {'image' if n == 1 else 'images'}"


def _many(n: int, one: str, more: str) -> str:
    return f"{n:,} {one if n == 1 else more}"
