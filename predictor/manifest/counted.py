"""What every reader of labels is asked and what it answers: the value objects between a format and its counts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class ManifestRequest:
    """How a user wants a manifest read; a reader refuses, with a ManifestError, what its format cannot do.

    label, count : columns of the class names and of the images per class; None: the format's own default.
        count 'none': there is none, a row is a sample
    weight : column that says how often a row counts; None: once
    split : rows to take where the format knows splits, by default 'train'; 'all' takes every row
    where : SQL condition on the rows; None: all of them
    missing : rows without a label are left out and counted in a note ('drop'), or end the reading ('error')
    several : an image that carries several labels counts for each of them ('all') or for its first one ('first')
    several_separator : what stands between the labels of a cell; None: a cell is one label, and one that looks like
        several is an error; 'none': cells are single labels, however they look
    one_hot : a label is a vector of 0 and 1, in columns of their own or in a cell
    header : whether the first line of a delimited text names its columns; without one they are called 1, 2, ...
    instances : where an image stands in several rows or has several boxes, each of them counts; else each class of
        an image counts once
    sheet : name of the sheet of a workbook; None: its only one
    """

    label: str | None = None
    count: str | None = None
    weight: str | None = None
    split: str | None = None
    where: str | None = None
    missing: str = "drop"
    several: str = "all"
    several_separator: str | None = None
    one_hot: bool = False
    header: bool = True
    instances: bool = False
    sheet: str | None = None


@dataclass(frozen=True, kw_only=True)
class CountedLabels:
    """Labels of one manifest, counted.

    rows : (class, source, count); repeated keys add up, '' where the format names no source
    n_samples : number of images; None: equals the sum of the counts (every image carries one label)
    notes : what a reader of the numbers should know about how they were read
    """

    rows: list[tuple[str, str, int]]
    n_samples: int | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class ManifestSample:
    """One image of a manifest, with the labels under which it is counted.

    labels : its classes, each once and as the counts name them; () where it has none
    split, source : '' where the manifest names none
    image : what the manifest calls it: the path as written in a table or list, the path of a file in a folder,
        the name of a member of a shard; '' where a row names none (its bytes stand in the row itself)
    group : images of one group belong together, as those of one patient or film; '' where the manifest names none
    file, row : the file of the manifest that says so, and its row (sample, member) there, from 0; the folder itself
        and the number of the image for a folder
    """

    labels: tuple[str, ...]
    split: str
    source: str
    image: str
    file: Path
    row: int
    group: str = ""
