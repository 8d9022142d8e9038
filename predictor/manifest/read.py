"""One manifest -> LabelDistribution: the reader that recognises it counts its labels."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

from predictor.distribution import LabelDistribution
from predictor.errors import ManifestError, PredictorError, listed, with_near
from predictor.manifest.counted import ManifestRequest, ManifestSample
from predictor.manifest.counting import count_labels, each_sample
from predictor.manifest.names import tested
from predictor.manifest.readers import reader_of

STANDARD_INPUT = "-"
MAX_INPUT = 1 << 36  # bytes of standard input, kept in a temporary file while they are read: 64 GiB


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a manifest says, and what a reader should know about how it was read."""

    path: Path
    distribution: LabelDistribution
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The images behind the counts of a manifest, and what a reader should know about how they were read.

    samples : in the order of the manifest, those alone that are counted: of the chosen splits, with a label
    """

    path: Path
    samples: list[ManifestSample]
    notes: tuple[str, ...]


def read_manifest(
    path: str | Path, *, targets: Iterable[str] | None = None, **how: str | bool | None
) -> LabelDistribution:
    """The label distribution of a manifest; see `open_manifest`."""
    return open_manifest(path, targets=targets, **how).distribution


def open_manifest(path: str | Path, *, targets: Iterable[str] | None = None, **how: str | bool | None) -> Manifest:
    """Read a manifest: a file, a folder, a pattern of files, or '-' for standard input. Its content tells the format.

    targets : names of the tested classes; None: every class is a target
    how : label, count, weight, split, where, missing, several, ...; see `Request`
    In tables a column 'source' keeps the sources apart. Blanks around cells are dropped; rows without a label are
    left out and counted in the notes.

    Raises ManifestError for a format, file, column or cell that cannot be used; all bad cells are collected.
    """
    request = _request(how)
    with _on_disk(str(path)) as (file, name), _named(file, Path(path), name):
        counted = count_labels(reader_of(file), file, request)
    if not any(count for _, _, count in counted.rows):
        raise ManifestError(
            "lists no image" + (" for which --where holds" if request.where else ""),
            where=name,
            remedy="give it at least one row with a label",
        )
    notes = counted.notes
    if targets is not None:
        targets, said = tested(targets, {name for name, _, _ in counted.rows})
        notes += said
    elif empty := sorted({name for name, _, n in counted.rows if not n} - {name for name, _, n in counted.rows if n}):
        classes = "1 class has" if len(empty) == 1 else f"{len(empty)} classes have"
        notes += (
            f"{classes} no image, so what is tested is the other {len({name for name, _, n in counted.rows if n})}: "
            f"{listed([repr(name) for name in empty])}; to test all of them name them: --targets FILE",
        )
    try:
        distribution = LabelDistribution.from_counts(counted.rows, targets=targets, n_samples=counted.n_samples)
    except PredictorError as error:
        raise ManifestError(error.problem, where=name, remedy=error.remedy) from None
    if targets is not None and not distribution.target_counts.any():
        some = ", ".join(map(repr, distribution.class_names[:3]))
        raise ManifestError(
            f"has no image of any of the {len(distribution.target_names)} target classes: "
            f"{with_near(distribution.target_names, distribution.class_names)}; its classes begin {some}",
            where=name,
            remedy="give --targets the names as the manifest writes them",
        )
    return Manifest(path=Path(path), distribution=distribution, notes=notes)


def list_samples(path: str | Path, **how: str | bool | None) -> Listing:
    """The images that `open_manifest` counts, one by one, with the same labels, splits, roles, junk and notes.

    This is how anything that needs the images themselves reads a manifest: a sample says under which labels it counts
    and where its image is found (see `Sample`); no image is opened. A number of samples per label is the count of that
    label, unless rows have weights.

    how : as for `open_manifest`, e.g. split='test', or split='all', where each sample says its split

    Raises ManifestError as `open_manifest` does, and for a manifest of counts, which lists no images.

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     file = Path(folder) / "m.csv"
    ...     _ = file.write_text("path,label,split\\n1.jpg,cat,train\\n2.jpg,,train\\n3.jpg,dog,test\\n")
    ...     listing = list_samples(file, split="all")
    >>> [(sample.image, sample.labels, sample.split, sample.row) for sample in listing.samples]
    [('1.jpg', ('cat',), 'train', 0), ('3.jpg', ('dog',), 'test', 2)]
    >>> listing.notes
    ("splits joined: 'test' (1 row); 'train' (2 rows)", '1 row without a label left out')
    """
    request = _request(how)
    with _on_disk(str(path)) as (file, name), _named(file, Path(path), name):
        counted, samples = each_sample(reader_of(file), file, request)
    return Listing(path=Path(path), samples=samples, notes=counted.notes)


def _request(how: Mapping[str, str | bool | None]) -> ManifestRequest:
    return ManifestRequest(**{name: value for name, value in how.items() if value is not None})


@contextmanager
def _named(file: Path, path: Path, name: str) -> Iterator[None]:
    """Errors of standard input name it, not the file in which it lies meanwhile."""
    try:
        yield
    except ManifestError as error:
        if file == path:
            raise
        problem, place, remedy = (
            (part or "").replace(str(file), name) for part in (error.problem, error.where, error.remedy)
        )
        raise ManifestError(problem, where=place, remedy=remedy) from None


@contextmanager
def _on_disk(path: str) -> Iterator[tuple[Path, str]]:
    """(path of the manifest, its name in messages); standard input lies in a temporary file meanwhile."""
    if path != STANDARD_INPUT:
        yield Path(path), path
        return
    name = "standard input"
    with TemporaryDirectory(prefix="predictor-") as folder:
        file = Path(folder) / "manifest"
        try:
            with file.open("wb") as stream:
                _copy(sys.stdin.buffer, stream, name)
        except OSError as error:
            raise ManifestError(f"cannot be kept in {folder}: {error.strerror}", where=name) from None
        yield file, name


def _copy(source: IO[bytes], target: IO[bytes], name: str) -> None:
    left = MAX_INPUT
    while chunk := source.read(min(shutil.COPY_BUFSIZE, left + 1)):
        left -= len(chunk)
        if left < 0:
            raise ManifestError(f"more than {MAX_INPUT:,} bytes", where=name, remedy="name a file")
        target.write(chunk)
