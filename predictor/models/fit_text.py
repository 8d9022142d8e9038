"""The text of fit.json: numbers of an array on one line, and each model once.

A model stands in several places: alone, below one that corrects it, as a part of an average, as a part of robustness.
The file keeps those that stand in several under `models`, by a name that follows from what they are, and a reference in
each place. Long lists that repeat few names (the target set of every configuration) are kept as these names and a
number each; long lists of entries of one shape (rows of the validation table, trees) as their keys once and a line an
entry.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

MODELS, REFERENCE = "models", "model"
WORDS, AT = "#words", "#at"  # no name of a class or study is likely to be one of these
MANY = 40  # names in a list, of which at most half are different: such a list is kept as words and numbers
KEYS, ROWS = "#keys", "#rows"
ALIKE = 8  # entries of one shape in a list
LEAST = 400  # characters: shorter models are written where they stand


def written(content: Mapping[str, Any]) -> str:
    """The text of plain data.

    >>> print(written({"b": [1, 2], "a": {"c": [[1], [2]]}}), end="")
    {
     "a": {
      "c": [
       [1],
       [2]]},
     "b": [1,2]}
    """
    return _text(packed(content), 0) + "\n"


def packed(content: Mapping[str, Any]) -> dict[str, Any]:
    """The same data, with models that stand in several places kept once."""
    texts: dict[int, str] = {}
    seen: Counter[str] = Counter()

    def count(value: Any) -> None:
        if isinstance(value, Mapping):
            if "kind" in value and "features" in value:
                texts[id(value)] = json.dumps(value, sort_keys=True, allow_nan=False)
                seen[texts[id(value)]] += 1
            for item in value.values():
                count(item)
        elif isinstance(value, list | tuple):
            for item in value:
                if isinstance(item, Mapping | list | tuple):
                    count(item)

    count(content)
    names = {
        text: hashlib.sha256(text.encode()).hexdigest()[:12] for text, n in seen.items() if n > 1 and len(text) >= LEAST
    }
    kept: dict[str, Any] = {}

    def replaced(value: Any, *, whole: bool = False) -> Any:
        if isinstance(value, Mapping):
            name = names.get(texts.get(id(value), ""))
            if name is not None and not whole:
                if name not in kept:
                    kept[name] = replaced(value, whole=True)
                return {REFERENCE: name}
            return {key: replaced(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            if len(value) >= MANY and all(isinstance(item, str) for item in value):
                words = {name: i for i, name in enumerate(dict.fromkeys(value))}
                if 2 * len(words) <= len(value):
                    return {WORDS: list(words), AT: [words[name] for name in value]}
            if _alike(value) and not any(names.get(texts.get(id(item), "")) for item in value):
                keys = sorted(value[0])
                return {KEYS: keys, ROWS: [[replaced(item[key]) for key in keys] for item in value]}
            return [replaced(item) if isinstance(item, Mapping | list | tuple) else item for item in value]
        return value

    made = replaced(content)
    return {**made, MODELS: kept} if kept else made


def unpacked(stored: Mapping[str, Any]) -> dict[str, Any]:
    """The data that `packed` made this of. Raises KeyError or TypeError for a reference to what is not there.

    >>> model = {"kind": "mine", "features": ["x" * 400]}
    >>> content = {"a": model, "b": {"base": dict(model)}}
    >>> packed(content)["a"].keys(), unpacked(packed(content)) == content
    (dict_keys(['model']), True)
    >>> rows = [{"n": i, "who": "a" if i % 2 else "b"} for i in range(50)]
    >>> content = {"rows": rows, "names": [row["who"] for row in rows]}
    >>> packed(content)["rows"].keys(), packed(content)["names"]["#words"], unpacked(packed(content)) == content
    (dict_keys(['#keys', '#rows']), ['b', 'a'], True)
    """
    models = stored.get(MODELS, {})
    whole: dict[str, Any] = {}

    def restored(value: Any) -> Any:
        if isinstance(value, dict):
            if value.keys() == {REFERENCE}:
                name = value[REFERENCE]
                if name not in whole:
                    whole[name] = restored(models[name])
                return whole[name]
            if value.keys() == {KEYS, ROWS}:
                keys = value[KEYS]
                if any(len(row) != len(keys) for row in value[ROWS]):
                    raise KeyError(ROWS)
                return [dict(zip(keys, parts(row), strict=True)) for row in value[ROWS]]
            if value.keys() == {WORDS, AT}:
                return [value[WORDS][place] for place in value[AT]]
            return dict(zip(value, parts(value.values()), strict=True))
        return parts(value) if isinstance(value, list) else value

    def parts(values: Iterable[Any]) -> list[Any]:
        return [restored(item) if isinstance(item, several) else item for item in values]

    several = (dict, list)  # all else is as it stands: a call for each number would take longer than to read the file
    return {key: restored(value) for key, value in stored.items() if key != MODELS}


def _alike(value: list[Any] | tuple[Any, ...]) -> bool:
    """Whether a list holds many mappings with the same keys."""
    if len(value) < ALIKE or not all(isinstance(item, Mapping) for item in value):
        return False
    return bool(value[0]) and all(item.keys() == value[0].keys() for item in value)


def _text(value: Any, depth: int) -> str:
    inner = "\n" + " " * (depth + 1)
    if isinstance(value, Mapping) and value.keys() == {KEYS, ROWS}:
        rows = f",{inner}".join(
            json.dumps(row, sort_keys=True, allow_nan=False, separators=(",", ":")) for row in value[ROWS]
        )
        keys = json.dumps(value[KEYS], separators=(",", ":"))
        return f'{{{inner}"{KEYS}": {keys},{inner}"{ROWS}": [{inner}{rows}]}}'
    if isinstance(value, Mapping) and value:
        items = (f"{json.dumps(str(key))}: {_text(value[key], depth + 1)}" for key in sorted(value))
        return "{" + inner + f",{inner}".join(items) + "}"
    if isinstance(value, list | tuple) and any(isinstance(item, Mapping | list | tuple) for item in value):
        return "[" + inner + f",{inner}".join(_text(item, depth + 1) for item in value) + "]"
    return json.dumps(value, sort_keys=True, allow_nan=False, separators=(",", ":"))
