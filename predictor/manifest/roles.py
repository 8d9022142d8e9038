"""The one place that says which column of a table plays which role: label, count, split, source, image, box ..."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass
from shlex import quote

from predictor.errors import ManifestError, listed, near
from predictor.manifest.counted import ManifestRequest
from predictor.manifest.engine import quoted_name
from predictor.manifest.one_hot import bit_columns
from predictor.manifest.splits import is_split
from predictor.manifest.table import LOOKED_AT, USUAL, Table

NO_COUNT = "none"  # of --count: rows are samples
IMAGES = (
    "image",
    "path",
    "file",
    "filename",
    "file_name",
    "filepath",
    "file_path",
    "image_path",
    "image_id",
    "imageid",
    "image_name",
    "img",
    "img_path",
    "image_file",
    "relpath",
    "fname",
)
WEAK_IMAGES = ("url", "id", "name")  # where nothing else names the images
SPLITS = (
    "subset",
    "set",
    "partition",
    "fold",
    "phase",
    "dataset",
    "data_set",
    "data set",
    "usage",
    "is_train",
    "train_test",
    "split_name",
)
COUNTS = ("n", "images", "num_images", "n_images", "total", "counts", "frequency", "freq", "number", "num", "n_samples")
WEIGHTS = ("weight", "weights", "repeats", "times")
SOURCES = ("origin", "provenance", "sources")
BOXES = (
    ("xmin", "ymin"),
    ("x1", "y1"),
    ("left", "top"),
    ("x", "y", "w", "h"),
    ("x", "y", "width", "height"),
    ("xcenter", "ycenter"),
    ("cx", "cy"),
    ("x0", "y0"),
    ("bbox",),
    ("box",),
    ("boxes",),
    ("bndbox",),
    ("boundingbox",),
    ("bboxx", "bboxy"),
    ("minx", "miny"),
)
OPEN_IMAGES = ("ImageID", "LabelName")  # Open Images' tables of labels and of boxes
CONFIDENCE = "Confidence"
KNOWN = frozenset((*IMAGES, *WEAK_IMAGES, "split", "source", "count", "group"))
TRUTH = ("true", "false", "0", "1")  # of a column 'is_train'
FEW = 50  # values of a column of splits


@dataclass(frozen=True, kw_only=True)
class Roles:
    """Columns of one table by what they are for; None where there is no such column.

    one_hot : columns of 0 and 1, each of them a class; () where `label` holds the classes
    by_image : an image may stand in several rows, and its rows are taken together
    confidence : column that says with 0 that a label is absent
    notes : what a user should know about this choice
    """

    label: str
    count: str | None = None
    weight: str | None = None
    split: str | None = None
    source: str | None = None
    image: str | None = None
    group: str | None = None
    one_hot: tuple[str, ...] = ()
    by_image: bool = False
    confidence: str | None = None
    notes: tuple[str, ...] = ()

    def kept(self) -> set[str]:
        """Columns that stay text, whatever they hold."""
        return {name for name in (self.label, self.split, self.source, self.image, self.group) if name}


def roles_of(table: Table, request: ManifestRequest) -> Roles:
    """The roles of a table's columns.

    A column of a role is found by its name, capitals or not ('split', 'Split'); names that only come near are told in a
    note with what would take them.

    Raises ManifestError where there is no column of labels, a column is asked for that there is none of, or two roles
    fall on one column.
    """
    where = str(table.path)
    open_images = all(name in table.columns for name in OPEN_IMAGES)
    notes: list[str] = []

    def usual(*names: str) -> str | None:
        found = next((c for name in names for c in table.columns if c == name), None)
        if found is None:
            found = next((c for name in names for c in table.columns if c.strip().lower() == name.lower()), None)
            if found is not None:
                notes.append(f"column {found!r} taken for {names[0]!r}")
        return found

    split, source = usual("split"), None if open_images else usual("source")
    taken = {split, source}
    image = OPEN_IMAGES[0] if open_images else image_column(table.columns, taken | {request.label})
    weight = table.column(request.weight, "--weight") if request.weight else None
    count = _count(table, request, usual)
    if request.one_hot and not request.label and "label" not in table.columns:
        label, one_hot = "", ()
    else:
        label = _label(table, request, OPEN_IMAGES[1] if open_images else None, usual)
        one_hot = ()
    if weight and not request.count:
        count = None
    for name, option in ((count, "counts"), (weight, "weights")):
        if name and name == label:
            raise ManifestError(f"column {label!r} cannot hold both labels and {option}", where=where)
    if count and weight:
        raise ManifestError(
            "--count and --weight together",
            where=where,
            remedy="choose one: a row is a class with its count, or a sample with its weight",
        )
    split, source, image = (None if name in (label, count, weight) else name for name in (split, source, image))
    boxes = bool(image) and not count and _has_boxes(name for name in table.columns if name not in (label, image))
    if request.instances and not (boxes or open_images):
        raise ManifestError(
            "--instances says nothing about a table without boxes", where=where, remedy="leave --instances out"
        )
    notes += _near(table, {label, count, weight, split, source, image}, split, count)
    return Roles(
        label=label,
        count=count,
        weight=weight,
        split=split,
        source=source,
        image=image,
        group=usual("group"),
        one_hot=one_hot,
        by_image=(open_images or boxes) and not request.instances and not weight,
        confidence=CONFIDENCE if open_images and CONFIDENCE in table.columns else None,
        notes=tuple(notes),
    )


def _label(table: Table, request: ManifestRequest, own: str | None, usual: Callable[..., str | None]) -> str:
    if request.label:
        return table.column(request.label, "--label")
    if own:
        return own
    if table.default_label:
        return table.default_label
    if label := usual("label"):
        return label
    free = [name for name in table.columns if name.lower() not in KNOWN]
    bits = bit_columns(table, free) if not any(name.lower() in USUAL for name in table.columns) else []
    if len(bits) > 1:
        raise ManifestError(
            f"missing column 'label'; columns of 0 and 1: {listed(list(map(repr, bits)))}",
            where=str(table.path),
            remedy="say --one-hot where each is a class; else name the column of labels with --label",
        )
    return table.column("label", "--label")


def _count(table: Table, request: ManifestRequest, usual: Callable[..., str | None]) -> str | None:
    if request.count == NO_COUNT and NO_COUNT not in table.columns:
        return None
    return table.column(request.count, "--count") if request.count else usual("count")


def image_column(columns: Iterable[str], taken: Container[str | None] = ()) -> str | None:
    """The column that names the images; None where none is called so.

    >>> image_column(["label", "FileName"])
    'FileName'
    """
    small = {_simple(name): name for name in columns if name not in taken}
    return next((small[name] for name in (*IMAGES, *WEAK_IMAGES) if name in small), None)


def _has_boxes(names: Iterable[str]) -> bool:
    small = {re.sub(r"[^a-z0-9]", "", name.lower()) for name in names}
    return any(small.issuperset(box) for box in BOXES)


def _near(table: Table, used: set[str | None], split: str | None, count: str | None) -> list[str]:
    """Notes on columns that come near to a role that no column plays."""
    free = [name for name in table.columns if name not in used and name]
    notes = []
    for name in free if not split else ():
        values = _values(table, name) if _like(name, "split", SPLITS) else []
        if known := [value for value in values if is_split(value) or value.lower() in TRUTH]:
            notes.append(
                f"column {name!r} is not taken for splits, every row counts; take some with "
                f"--where \"{_sql(name)} = '{known[0]}'\", or rename it to 'split'"
            )
    if not count and not any(_simple(name) in IMAGES for name in table.columns if name.lower() not in COUNTS):
        notes += [
            f"column {name!r} is not taken for counts, a row is an image; "
            f"if it holds images per class, say --count {quote(name)}"
            for name in free
            if _like(name, "count", COUNTS)
        ][:1]
    notes += [
        f"column {name!r} is not taken for weights; if a row counts so often, say --weight {quote(name)}"
        for name in free
        if name.lower() in WEIGHTS
    ][:1]
    if "source" not in map(str.lower, table.columns):
        notes += [
            f"column {name!r} is not taken for sources; rename it to 'source' if it names them"
            for name in free
            if _like(name, "source", SOURCES)
        ][:1]
    return notes


def _values(table: Table, name: str) -> list[str]:
    """The values that a column has in its first rows, if they are few."""
    rows = f"(SELECT {quoted_name(name)}::VARCHAR AS value FROM {table.relation} LIMIT {LOOKED_AT})"
    found = table.fetch(f"SELECT DISTINCT trim(value) FROM {rows} WHERE value IS NOT NULL LIMIT {FEW + 1}")
    return sorted(value for (value,) in found) if len(found) <= FEW else []


def _simple(name: str) -> str:
    return name.strip().lower().replace(" ", "_")


def _like(name: str, role: str, usual: tuple[str, ...]) -> bool:
    return name.lower() in usual or (len(name) > 3 and bool(near(name, [role], cutoff=0.8)))


def _sql(name: str) -> str:
    return name if re.fullmatch(r"[a-z_]\w*", name, re.IGNORECASE) else f'\\"{name}\\"'
