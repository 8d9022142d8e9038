"""What every reader of labels is asked and what it answers: the two value objects between a format and its counts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Request:
    """How a user wants a manifest read; a reader refuses, with a ManifestError, what its format cannot do.

    label, count : columns of the class names and of the images per class; None: the format's own default
    weight : column that says how often a row counts; None: once
    split : rows to take where the format knows splits, by default 'train'; 'all' takes every row
    where : SQL condition on the rows; None: all of them
    missing : rows without a label are left out and counted in a note ('drop'), or end the reading ('error')
    several : an image that carries several labels counts for each of them ('all') or for its first one ('first')
    """

    label: str | None = None
    count: str | None = None
    weight: str | None = None
    split: str | None = None
    where: str | None = None
    missing: str = "drop"
    several: str = "all"


@dataclass(frozen=True, kw_only=True)
class Counted:
    """Labels counted by one reader.

    rows : (class, source, count); repeated keys add up, '' where the format names no source
    n_samples : number of images; None: equals the sum of the counts (every image carries one label)
    notes : what a reader of the numbers should know about how they were read
    """

    rows: list[tuple[str, str, int]]
    n_samples: int | None = None
    notes: tuple[str, ...] = ()
