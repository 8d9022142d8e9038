"""What the `features` of a Hugging Face data set say of its columns: which holds the label, and the names behind it.

Types as `datasets.features` writes them: {"_type": "ClassLabel", "names": [...]}, {"_type": "Value", "dtype": "int64"}
and lists of them, {"_type": "List" | "LargeList" | "Sequence", "feature": ...} or [...].
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from predictor.errors import ManifestError, listed
from predictor.manifest.table import USUAL

KEY = b"huggingface"  # of the metadata of an Arrow or Parquet schema
NAMES = ("label", "labels", *USUAL[1:])  # of a column of labels, the first that there is
UNLABELLED = -1  # what `datasets` stores where a ClassLabel is not known


@dataclass(frozen=True, kw_only=True)
class LabelColumn:
    """A column of labels. names : of its numbers, None where it holds text or plain numbers; many : a cell is a list"""

    name: str
    names: tuple[str, ...] | None
    many: bool

    def text(self, value: str) -> str | None:
        """The class behind a cell; None where it is missing. Raises ValueError where there is none."""
        if self.names is None:
            return value.strip() or None
        number = int(value)
        if number == UNLABELLED:
            return None
        if not 0 <= number < len(self.names):
            raise ValueError
        return self.names[number].strip() or None


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


def label_column(features: dict[str, object], columns: Iterable[str], wanted: str | None, where: str) -> LabelColumn:
    """The column of labels: the wanted one, else 'label', else the only ClassLabel.

    features : may be empty; columns : the names there are. Raises ManifestError where it cannot be told.

    >>> features = {"image": {"_type": "Image"}, "fine": {"_type": "ClassLabel", "names": ["cat", "dog"]}}
    >>> label_column(features, ["image", "fine"], None, "data").name
    'fine'
    """
    known = {name: _column(name, features.get(name)) for name in columns}
    fit = [name for name, column in known.items() if column]
    if wanted is None:
        classes = [name for name in fit if known[name].names is not None]
        usual = [name for name in NAMES if name in fit]
        found = usual[:1] or classes
        if len(found) == 1:
            return known[found[0]]
        problem = f"columns {_quoted(classes)} all hold classes" if classes else "no column 'label'"
    elif wanted in fit:
        return known[wanted]
    else:
        problem = f"column {wanted!r} holds no labels" if wanted in known else f"no column {wanted!r}"
    raise ManifestError(
        f"{problem}; columns that may hold labels: {_quoted(fit)}", where=where, remedy="name one with --label COLUMN"
    )


def _column(name: str, feature: object, many: bool = False) -> LabelColumn | None:
    """None where the feature cannot be a label."""
    if isinstance(feature, list) and len(feature) == 1:
        return None if many else _column(name, feature[0], True)
    if feature is None:  # a schema without features
        return LabelColumn(name=name, names=None, many=many)
    match feature:
        case {"_type": "ClassLabel", "names": [*names]} if all(isinstance(each, str) for each in names):
            return LabelColumn(name=name, names=tuple(names), many=many)
        case {"_type": "List" | "LargeList" | "Sequence", "feature": inner} if not many:
            return _column(name, inner, True)
        case {"_type": "Value", "dtype": str(dtype)} if dtype.startswith(
            ("string", "large_string", "int", "uint", "bool")
        ):
            return LabelColumn(name=name, names=None, many=many)
    return None


def _quoted(names: list[str]) -> str:
    return listed([repr(name) for name in names]) or "none"
