"""Splits: which of them names of files and folders say, and the one choice among them, whatever the format."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from predictor.errors import ManifestError, listed
from predictor.manifest.counted import ManifestRequest

ALL_SPLITS = "all"
DEFAULT_SPLIT = "train"
KIND = {
    "train": "train",
    "training": "train",
    "trainval": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
    "eval": "test",
    "evaluation": "test",
}
FILLERS = frozenset(("set", "data", "dataset", "split", "images", "imgs", "img", "image"))  # 'train_images', 'test set'
PARTS = frozenset(("data", "part", "shard", "chunk", "file", "batch", "output"))  # numbered files of no split
_NUMBERED = re.compile(r"(?:.*-)?([^-]+)-\d{5}-of-\d{5}$")  # the Hub's train-00000-of-00012


def is_split(name: str) -> bool:
    """Whether a folder's name says a split and nothing else.

    >>> [is_split(name) for name in ("train", "val2017", "Test", "train station", "cat")]
    [True, True, True, False, False]
    """
    words = [word for word in _words(name) if word not in FILLERS]
    return bool(words) and all(word in KIND for word in words)


def split_in(parts: Sequence[str]) -> str:
    """The split that the folders and the stem of a file's relative path say, the nearest first; '' where none does.

    >>> split_in(("imagenet-train-000017",)), split_in(("validation", "0000")), split_in(("shard-7",))
    ('train', 'validation', '')
    >>> split_in(("data", "train_small-00000-of-00002"))
    'train_small'
    """
    if (numbered := _NUMBERED.fullmatch(parts[-1])) and numbered[1] not in PARTS:
        return numbered[1]
    for part in reversed(parts):
        for word in _words(part):
            if word in KIND:
                return word
    return ""


class NoSplitsError(ManifestError):
    """A split was asked for, and the manifest has none."""


def chosen_splits(
    sizes: Mapping[str, int | None], request: ManifestRequest, where: str
) -> tuple[set[str], tuple[str, ...]]:
    """The splits to take, 'train' by default, and a note where others are left out or several are joined.

    Another word for the same split is taken where the wanted one does not stand ('val' takes 'validation'); where
    none is wanted, the only split, or what names no split. '' stands for what names no split.

    sizes : rows of each split, None where they are not counted

    Raises NoSplitsError, or ManifestError where no such split is.

    >>> chosen_splits({"train": None, "validation": None}, ManifestRequest(split="val"), "data")
    ({'validation'}, ("split 'validation' taken; left out: 'train'",))
    >>> chosen_splits({"Train": 50, "test": 10}, ManifestRequest(), "data")
    ({'Train'}, ("split 'Train' taken; left out: 'test' (10 rows)",))
    """
    names = sorted(sizes)
    if request.split == ALL_SPLITS:
        return set(names), (f"splits joined: {_quoted(names, sizes)}",) if len(names) > 1 else ()
    if request.split is None and len(names) <= 1:
        note = f"{_quoted(names, {})} is the only split, and was taken"
        return set(names), () if not names or names[0].lower() in ("", DEFAULT_SPLIT) else (note,)
    if names in ([], [""]):
        raise NoSplitsError(f"has no splits to take {request.split!r} from", where=where, remedy="leave --split out")
    wanted = request.split or DEFAULT_SPLIT
    same = (lambda name: name == wanted, lambda name: name.lower() == wanted.lower(), lambda name: _same(name, wanted))
    taken = next((found for fits in same if (found := set(filter(fits, names)))), set())
    if not taken and request.split is None and "" in names:
        taken = {""}
    if not taken:
        raise ManifestError(
            f"no split {wanted!r}; found {_quoted(names, sizes)}",
            where=where,
            remedy="choose one with --split, or 'all'",
        )
    left = [name for name in names if name not in taken]
    note = f"split {_quoted(sorted(taken), {})} taken" if taken != {""} else f"{_quoted([''], sizes)} taken"
    if len(taken) > 1:
        note = f"splits joined: {_quoted(sorted(taken), sizes)}"
    return taken, (f"{note}; left out: {_quoted(left, sizes)}",) if left else (note,) if len(taken) > 1 else ()


def _words(name: str) -> list[str]:
    return [word for word in re.split(r"[\W\d_]+", name.lower()) if word]


def _kind(name: str) -> str | None:
    words = [word for word in _words(name) if word not in FILLERS]
    return KIND.get(words[0]) if len(words) == 1 else None


def _same(name: str, wanted: str) -> bool:
    return wanted.lower() in KIND and _kind(name) == KIND[wanted.lower()]


def _quoted(names: list[str], sizes: Mapping[str, int | None]) -> str:
    return listed([_one(name, sizes.get(name)) for name in names])


def _one(name: str, size: int | None) -> str:
    if size is None:
        return repr(name) if name else "files without a split"
    rows = "1 row" if size == 1 else f"{size:,} rows"
    return f"{name!r} ({rows})" if name else f"{rows} without a split"
