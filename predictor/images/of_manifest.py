"""The images behind a manifest, probed for a prediction."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from predictor.errors import DataError
from predictor.images.listing import Images, opened
from predictor.images.probe import probe_images
from predictor.images.readers import manifest as lists
from predictor.images.results import Probe
from predictor.images.sample import read_list

STANDARD_INPUT = "-"


def images_of(manifest: str, label: str | None = None) -> Images | None:
    """The images that a manifest itself is or lists: a folder, a Parquet file of images, a CSV list of paths.

    label : column of the labels, where it has another name than usual
    None for a manifest of labels alone, and for standard input.
    Raises DataError for a folder whose images do not lie as the trainer reads them, and a list of missing files.
    """
    path = Path(manifest)
    if manifest == STANDARD_INPUT or not path.exists():
        return None
    if path.is_dir() or (path.suffix == ".csv" and lists.lists_paths(path, label)):
        return opened(path, label)
    if path.suffix != ".parquet":
        return None
    try:
        return opened(path, label)
    except DataError:  # of labels alone
        return None


def has_images(manifest: str, label: str | None = None) -> bool:
    """Whether a manifest is or lists images, as far as that is seen at a glance.

    >>> has_images("-")
    False
    """
    path = Path(manifest)
    if path.suffix == ".csv" and path.is_file():
        return lists.lists_paths(path, label)
    return images_of(manifest, label) is not None if path.suffix == ".parquet" else path.is_dir()


def why_not_listed(manifest: str, label: str | None = None) -> str:
    """Why the images that a CSV names are not read from it; '' where it names none, or lists them as it should.

    >>> why_not_listed("-")
    ''
    """
    path = Path(manifest)
    if path.suffix != ".csv" or not path.is_file() or not lists.misses_names(path, label):
        return ""
    return f"a list of images has the columns path and {label or 'label'}; rename its columns"


def probe_of(
    manifest: str,
    classes: Iterable[str],
    images: Path | None = None,
    *,
    split: str | None = None,
    label: str | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> Probe | None:
    """The probe of a manifest's tested classes, kept by the digest of the images; None where it lists no images.

    images : where they are, for a manifest that is no such place; a list of paths is then one below this folder
    split : training images of it, by default 'train' or what means the same
    label : column of the labels, where it has another name than usual
    Raises DataError as `probe_images`.
    """
    if images is None:
        listed = images_of(manifest, label)
    else:
        path = Path(manifest)
        is_list = images.is_dir() and path.is_file() and lists.lists_paths(path, label, images)
        listed = read_list(images, path, label)[0] if is_list else opened(images)
    if listed is None:
        return None
    return probe_images(listed, classes=classes, split=split, cache=True, progress=progress)
