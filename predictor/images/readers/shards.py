"""WebDataset shards: the image of a sample is a member of its tar file, read where it lies."""

from __future__ import annotations

from pathlib import Path

from predictor.errors import DataError, ManifestError, listed
from predictor.images.digests import MAX_IMAGE
from predictor.images.listing import Images
from predictor.images.readers.packed import of_files
from predictor.images.readers.rows import rows_of
from predictor.manifest.readers.folder_tree import IMAGE_ENDINGS
from predictor.manifest.readers.tar import places
from predictor.reading import opened


def read(path: Path, label: str | None = None) -> Images:
    """List the shards of a folder, or one shard.

    Raises DataError for shards that the manifest's reader refuses, that are packed with gzip, and for a sample without
    an image.
    """
    rows = rows_of(path, label)
    members: dict[Path, dict[str, tuple[int, int]]] = {}
    try:
        for file in dict.fromkeys(sample.file for sample in rows.samples):
            members[file] = places(file)
    except ManifestError as error:
        raise DataError(error.problem, where=error.where, remedy=error.remedy) from None
    if without := [s for s in rows.samples if s.image.rpartition(".")[2].lower() not in IMAGE_ENDINGS]:
        raise DataError(
            f"{len(without):,} samples without an image: {listed([f'{s.file.name}: {s.image}' for s in without])}",
            where=str(path),
            remedy="put key.jpg (or .png, .webp, ...) beside each label",
        )
    spots = [(sample.file, *members[sample.file][sample.image]) for sample in rows.samples]

    def bytes_at(row: int) -> bytes:
        file, begin, size = spots[row]
        if size > MAX_IMAGE:
            raise DataError(f"an image of {size:,} bytes; at most {MAX_IMAGE:,} are read", where=str(file))
        try:
            with opened(file) as stream:
                stream.seek(begin)
                return stream.read(size)
        except OSError as error:
            raise DataError(f"cannot be read: {error.strerror or error}", where=str(file)) from None

    names = [f"{sample.file.name}: {sample.image}" for sample in rows.samples]
    return of_files(path, rows, names, bytes_at, named=True)
