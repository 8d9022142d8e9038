"""Splits that stand in the names of files and folders, and the choice among them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from predictor.errors import ManifestError, listed
from predictor.manifest.counted import Request

ALL_SPLITS = "all"
DEFAULT_SPLIT = "train"
KIND = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
    "eval": "test",
    "evaluation": "test",
}
_NUMBERED = re.compile(r"(?:.*-)?([^-]+)-\d{5}-of-\d{5}$")  # the Hub's train-00000-of-00012


def is_split(name: str) -> bool:
    """Whether a folder's name says a split and nothing else.

    >>> [is_split(name) for name in ("train", "val2017", "Test", "train station", "cat")]
    [True, True, True, False, False]
    """
    words = _words(name)
    return bool(words) and all(word in KIND for word in words)


def split_in(parts: Sequence[str]) -> str:
    """The split that the folders and the stem of a file's relative path say, the nearest first; '' where none does.

    >>> split_in(("imagenet-train-000017",)), split_in(("validation", "0000")), split_in(("shard-7",))
    ('train', 'validation', '')
    >>> split_in(("data", "train_small-00000-of-00002"))
    'train_small'
    """
    if numbered := _NUMBERED.fullmatch(parts[-1]):
        return numbered[1]
    for part in reversed(parts):
        for word in _words(part):
            if word in KIND:
                return word
    return ""


def chosen_splits(found: Iterable[str], request: Request, where: str) -> tuple[set[str], tuple[str, ...]]:
    """The splits to take, 'train' by default, and a note where the default left others out.

    Another word for the same split is taken where the wanted one does not stand ('val' takes 'validation'), the only
    split where none is wanted. '' stands for what names no split. Raises ManifestError where no such split is.

    >>> chosen_splits(["train", "validation"], Request(split="val"), "data")
    ({'validation'}, ())
    >>> chosen_splits(["train", "test"], Request(), "data")
    ({'train'}, ("split 'train' taken; left out: 'test'",))
    """
    names = sorted(set(found))
    if request.split == ALL_SPLITS:
        return set(names), ()
    if request.split is None and len(names) == 1:
        note = f"{_quoted(names)} is the only split, and was taken"
        return set(names), () if names[0] in ("", DEFAULT_SPLIT) else (note,)
    if names == [""]:
        raise ManifestError(f"has no splits to take {request.split!r} from", where=where, remedy="leave --split out")
    wanted = request.split or DEFAULT_SPLIT
    taken = {name for name in names if name == wanted}
    taken = taken or {name for name in names if wanted in KIND and _kind(name) == KIND[wanted]}
    if not taken:
        raise ManifestError(
            f"no split {wanted!r}; found {_quoted(names)}", where=where, remedy="choose one with --split, or 'all'"
        )
    left = [name for name in names if name not in taken]
    note = f"split {_quoted(sorted(taken))} taken; left out: {_quoted(left)}"
    return taken, (note,) if left and request.split is None else ()


def _words(name: str) -> list[str]:
    return [word for word in re.split(r"[\W\d_]+", name.lower()) if word]


def _kind(name: str) -> str | None:
    words = _words(name)
    return KIND.get(words[0]) if len(words) == 1 else None


def _quoted(names: list[str]) -> str:
    return listed([repr(name) if name else "files without a split" for name in names])
