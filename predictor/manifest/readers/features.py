"""What the `features` of a Hugging Face data set say of its columns: which holds the label, and the names behind it.

Types as `datasets.features` writes them: {"_type": "ClassLabel", "names": [...]}, {"_type": "Value", "dtype": "int64"}
and lists of them, {"_type": "List" | "LargeList" | "Sequence", "feature": ...} or [...].
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from predictor.errors import ManifestError, listed
from predictor.manifest.table import USUAL

KEY = b"huggingface"  # of the metadata of an Arrow or Parquet schema
NAMES = ("label", "labels", *USUAL[1:])  # of a column of labels, the first that there is


def of_schema(metadata: dict[bytes, bytes] | None, where: str) -> dict[str, object]:
    """The features in the metadata of a schema; {} where there are none."""
    if not metadata or KEY not in metadata:
        return {}
    return of_json(metadata[KEY], where, "info")


def of_json(text: bytes, where: str, *path: str) -> dict[str, object]:
    """The features in a JSON object, below the keys `path`; {} where it has none."""
    try:
        value = json.loads(text)
        for key in (*path, "features"):
            value = (value if isinstance(value, dict) else {}).get(key) or {}
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"has features that are no JSON: {error}", where=where) from None
    return value if isinstance(value, dict) else {}


def label_column(features: dict[str, object], columns: Iterable[str], wanted: str | None, where: str) -> str:
    """The column of labels: the wanted one, else 'label', else the only ClassLabel.

    features : may be empty; columns : the names there are. Raises ManifestError where it cannot be told.

    >>> features = {"image": {"_type": "Image"}, "fine": {"_type": "ClassLabel", "names": ["cat", "dog"]}}
    >>> label_column(features, ["image", "fine"], None, "data")
    'fine'
    """
    fit = [name for name in columns if _fits(features.get(name))]
    if wanted is None:
        classes = [name for name in fit if class_names(features.get(name))]
        found = [name for name in NAMES if name in fit][:1] or classes
        if len(found) == 1:
            return found[0]
        problem = f"columns {_quoted(classes)} all hold classes" if classes else "no column 'label'"
    elif wanted in fit:
        return wanted
    else:
        problem = f"column {wanted!r} holds no labels" if wanted in columns else f"no column {wanted!r}"
    raise ManifestError(
        f"{problem}; columns that may hold labels: {_quoted(fit)}", where=where, remedy="name one with --label COLUMN"
    )


def class_names(feature: object) -> tuple[str, ...]:
    """The classes behind the numbers of a column, also of one of lists; () where it has none."""
    match feature:
        case {"_type": "ClassLabel", "names": [*names]} if all(isinstance(each, str) for each in names):
            return tuple(names)
        case {"_type": "List" | "LargeList" | "Sequence", "feature": inner} | [inner]:
            return class_names(inner)
    return ()


def _fits(feature: object, many: bool = False) -> bool:
    """Whether a column may hold labels, as far as its feature tells."""
    if feature is None:  # a schema without features
        return True
    if class_names(feature):
        return True
    match feature:
        case {"_type": "List" | "LargeList" | "Sequence", "feature": inner} | [inner] if not many:
            return _fits(inner, True)
        case {"_type": "Value", "dtype": str(dtype)}:
            return dtype.startswith(("string", "large_string", "int", "uint", "bool", "float"))
    return False


def _quoted(names: list[str]) -> str:
    return listed([repr(name) for name in names]) or "none"
