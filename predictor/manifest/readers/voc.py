"""Pascal VOC: an XML file for every image, `<annotation><object><name>cat</name>...`; splits in ImageSets/Main."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from xml.etree import ElementTree

from predictor.manifest.counted import ManifestRequest
from predictor.manifest.parts import ListedPart, Opened
from predictor.manifest.readers.boxes import Boxed, box_rows, instances_note
from predictor.manifest.readers.files import some_files
from predictor.manifest.readers.limits import NO_TABLE, LabelFaults, refuse
from predictor.manifest.readers.paths import walked
from predictor.manifest.splits import chosen_splits, split_in
from predictor.reading import opened as opened_file
from predictor.reading import read_bytes

MAX_XML = 1 << 24  # bytes of one file
TRIED = 5  # files that show whether they are annotations
SETS = Path("ImageSets", "Main")
SPLITS = ("train", "val", "test")


def recognises(path: Path, head: bytes) -> bool:
    """A folder of such files at any depth."""
    return path.is_dir() and any(
        _is_annotation(file) for file in islice(some_files(path, ".xml", "annotations"), TRIED)
    )


@contextmanager
def opened(path: Path, request: ManifestRequest) -> Iterator[Opened]:
    """The images of the chosen split with the classes of their objects, each once; with `instances` every object.

    Raises ManifestError for files that are no such XML.
    """
    refuse(request, "Pascal VOC annotations", str(path), *NO_TABLE)
    splits: dict[str, list[Path]] = {}
    sets = _sets(path)
    for folder, names in walked(path, links=True):
        for name in names:
            if name.lower().endswith(".xml"):
                file = Path(folder, name)
                own = sets.get(file.stem) if sets else split_in(file.parent.relative_to(path).parts or ("",))
                splits.setdefault(own or "", []).append(file)
    taken, notes = chosen_splits({split: len(found) for split, found in splits.items()}, request, str(path))
    faults, parts = LabelFaults(), []
    for split in sorted(taken):
        rows = [row for file in splits[split] if (row := _objects(file, path, faults)) is not None]
        parts.append(
            ListedPart(
                where=str(path), file=path, listing=partial(box_rows, rows, request.instances), split=split, named=True
            )
        )
    faults.check(str(path), "a file is <annotation> with <object><name>CLASS</name></object>")
    yield Opened(parts, [*notes, instances_note(request)], "image")


def _objects(file: Path, base: Path, faults: LabelFaults) -> Boxed | None:
    """The image with the class of each object; None for XML of another kind."""
    where = file.relative_to(base)
    try:
        if file.stat().st_size > MAX_XML:
            raise ValueError(f"holds more than {MAX_XML:,} bytes")
        root = ElementTree.fromstring(read_bytes(file, limit=MAX_XML))
    except (ElementTree.ParseError, OSError, ValueError, RecursionError) as error:
        faults.add(f"{where} is no XML: {error}")
        return None
    if root.tag != "annotation":
        return None
    labels = []
    for number, each in enumerate(root.iter("object"), 1):
        if name := (each.findtext("name") or "").strip():
            labels.append(name)
        else:
            faults.add(f"{where} object {number} has no name")
    return Boxed(root.findtext("filename") or file.stem, tuple(labels))


def _sets(path: Path) -> dict[str, str]:
    """{name of an image without its ending: split}, as the lists of VOC say it."""
    found: dict[str, str] = {}
    for folder in (path / SETS, path.parent / SETS):
        for split in SPLITS:
            file = folder / f"{split}.txt"
            if file.is_file():
                lines = read_bytes(file, limit=MAX_XML).decode("utf-8-sig", errors="replace").splitlines()
                found |= {line.split()[0]: split for line in lines if line.strip()}
        if found:
            break
    return found


def _is_annotation(file: Path) -> bool:
    try:
        with opened_file(file) as stream:
            return b"<annotation" in stream.read(4096)
    except OSError:
        return False
