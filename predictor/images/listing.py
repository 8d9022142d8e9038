"""Labelled images as they lie on disk: what each is called, its label, split and group; the bytes when asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from predictor.errors import DataError, ManifestError

LABEL = "label"  # the usual name of the column of classes


@dataclass(frozen=True)
class Images:
    """Labelled images, none of them decoded.

    labels, splits : (R,) str
    read : rows -> their encoded bytes, in that order; describe : row -> what an error calls that image
    ids : (R,) str, what each image is called in its source; None where it has no name
    groups : (R,) str, images that belong together (families of fonts, photographs of one object); None: unknown
    ids_are_content : whether the digest covers the ids
    content : gives the digest of all that is listed; notes : what was left out, or taken how
    A row without a label has the label and split '': it belongs to no class.
    """

    path: Path
    labels: NDArray[np.str_]
    splits: NDArray[np.str_]
    read: Callable[[Sequence[int]], Iterator[bytes]]
    describe: Callable[[int], str]
    content: Callable[[], str]
    ids: NDArray[np.str_] | None = None
    groups: NDArray[np.str_] | None = None
    ids_are_content: bool = False
    notes: tuple[str, ...] = ()

    @cached_property
    def digest(self) -> str:
        """The digest that a grid states for this source; the first call reads every byte of it."""
        return self.content()


def below(folder: Path, file: str) -> Path:
    """A file of a grid, which lies below the image folder: a grid may be somebody else's.

    Links that stand in the folder are its owner's and are followed.
    Raises DataError for a path that leads out of it.

    >>> below(Path("images"), "pets/train.parquet").as_posix()
    'images/pets/train.parquet'
    """
    if os.path.isabs(file) or os.path.normpath(file).split(os.sep)[0] == os.pardir:
        raise DataError(
            f"the grid's file {file!r} leads out of the image folder",
            where=str(folder),
            remedy="name files below the folder that --data names; move the file there, or link it",
        )
    return folder / file


def open_images(path: Path, *, label: str | None = None) -> Images:
    """List what lies at a path, whatever its content: a folder of images, a Parquet file, WebDataset shards, a Hugging
    Face data set, a view (`readers.view`), else a list of paths.

    label : column, key or member of the labels, where it has another name than usual
    Raises DataError where nothing is there or it is none of these.
    """
    from predictor.images.readers import arrow, folder, manifest, parquet, shards, view  # they need Images from here
    from predictor.manifest import readers as formats

    if not path.exists():
        raise DataError("no such file or folder", where=str(path), remedy="name a folder, a Parquet file or a CSV list")
    if view.recognises(path):
        return view.read(path)
    if path.is_file() and path.suffix == ".parquet" and label is None:
        return parquet.read(path)
    try:
        found = formats.reader_of(path)
    except ManifestError as error:
        raise DataError(error.problem, where=error.where, remedy=error.remedy) from None
    if found in (formats.hugging_face, formats.parquet):
        return arrow.read(path, label)
    if found is formats.webdataset:
        return shards.read(path, label)
    return folder.read(path) if path.is_dir() else manifest.read(path, label=label)


def lists_files(path: Path) -> bool:
    """Whether a source is a list that names files by their paths, wherever these lie."""
    from predictor.manifest import readers as formats

    if path.is_dir() or path.suffix == ".parquet":
        return False
    return formats.reader_of(path) not in (formats.hugging_face, formats.parquet, formats.webdataset)


def opened(path: Path, label: str | None = None) -> Images:
    """What lies at a path, as a grid names it: with labels of another name by a view, whose digest it has.

    Raises DataError as `open_images`.
    """
    from predictor.images.readers import view

    return open_images(path) if label in (None, LABEL) else view.labelled(path, label)


def digest_of(path: Path, label: str | None = None) -> str:
    """The digest of a source as grids state it, the same that `trainer` computes. label : see `opened`

    Raises DataError as `open_images`.
    """
    if path.is_file() and path.suffix == ".parquet" and label in (None, LABEL):  # its bytes, whatever they hold
        from predictor.images.digests import file_digest

        return file_digest(path)
    return opened(path, label).digest
