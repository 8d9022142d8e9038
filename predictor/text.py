"""Text that comes from data, for people: what a terminal would obey, or nobody would see, is made visible.

Names of classes, target sets, studies, files and columns come from files that anybody may have written. An escape
sequence in one of them could move the cursor, a line break could forge a line, a bidirectional mark could turn one
around (CVE-2021-42574), and a cell that begins with '=' is a formula in a spreadsheet.
"""

from __future__ import annotations

import dataclasses
import re
import shlex
import unicodedata
from collections.abc import Mapping
from typing import Any

MAX_NAME = 1_000  # characters of a name; a longer one is a text, or a quote that was never closed
JOINERS = "\u200c\u200d"  # words of Persian and some emoji are written with them
DELETE = "\x7f"
PLAIN = re.compile(  # a number that cannot be read in two ways
    r"[+-]?(0|[1-9][0-9]*)?(\.[0-9]+)?(?<=[0-9])([eE][+-]?[0-9]+)?|[+-]?(0|[1-9][0-9]*)\."
)
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # and their full-width forms


def visible(text: str, keep: str = "") -> str:
    r"""A text in which every control character, bidirectional or invisible mark and lone surrogate is written out.

    keep : characters that stay as they are, such as "\n" of a text with lines of its own

    >>> visible("cat\x1b[2J"), visible("a\nb"), visible("a\nb", keep="\n"), visible("naïve 猫 👨‍👩‍👧")
    ('cat\\x1b[2J', 'a\\nb', 'a\nb', 'naïve 猫 👨\u200d👩\u200d👧')
    """
    if text.isprintable():
        return text
    return "".join(c if c in keep or not _hidden(c) else _written(c) for c in text)


def _hidden(character: str) -> bool:
    """Controls (Cc), formats such as bidirectional marks (Cf), surrogates (Cs), line and paragraph separators."""
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") and character not in JOINERS


def _written(character: str) -> str:
    named = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(character)
    code = ord(character)
    return named or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")


def shown(value: Any) -> Any:
    r"""A result with all its texts made visible: dataclasses, mappings, lists and tuples at any depth.

    >>> shown({"labels": ["a\x1b", 1]})
    {'labels': ['a\\x1b', 1]}
    """
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, list | tuple):
        items = [shown(item) for item in value]
        if all(new is old for new, old in zip(items, value, strict=True)):
            return value
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    if isinstance(value, Mapping):
        pairs = [(shown(key), shown(item)) for key, item in value.items()]
        same = all(pair[0] is key and pair[1] is item for pair, (key, item) in zip(pairs, value.items(), strict=True))
        return value if same else dict(pairs)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value) if field.init}
        changed = {name: new for name, old in fields.items() if (new := shown(old)) is not old}
        return dataclasses.replace(value, **changed) if changed else value
    return value


def command(*words: object) -> str:
    """A command as a shell takes it: names with blanks and the like are quoted.

    >>> command("predictor", "predict", "my photos", "--level", 0.9)
    "predictor predict 'my photos' --level 0.9"
    """
    return shlex.join(str(word) for word in words)


def cell(text: str) -> str:
    r"""A cell of a CSV file that a spreadsheet takes for text, never for a formula.

    OWASP, "CSV Injection": a single quote before what begins as a formula does. Numbers stay as they are.

    >>> cell("=1+1"), cell("-0.5"), cell("cat"), cell("- cat")
    ("'=1+1", '-0.5', 'cat', "'- cat")
    """
    if not text.startswith(FORMULA) or text == "-":
        return visible(text)
    try:
        float(text)
    except ValueError:
        return f"'{visible(text)}"
    return text


def columns_of(text: str) -> int:
    """Columns of a terminal that a text takes: wide characters take two.

    >>> columns_of("cat"), columns_of("猫")
    (3, 2)
    """
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def padded(text: str, columns: int) -> str:
    """A text with blanks up to that many columns of a terminal.

    >>> padded("猫", 4) + "|"
    '猫  |'
    """
    return text + " " * (columns - columns_of(text))


def json_visible(text: str) -> str:
    r"""JSON with the same content in which hidden characters outside ASCII are escaped; JSON escapes the others itself.

    >>> json_visible('"\u202e\x9b猫"')
    '"\\u202e\\u009b猫"'
    """
    if text.isascii() and DELETE not in text:
        return text
    return "".join(c if c < DELETE or not _hidden(c) else "".join(f"\\u{unit:04x}" for unit in _utf16(c)) for c in text)


def _utf16(character: str) -> list[int]:
    data = character.encode("utf-16-be", "surrogatepass")
    return [int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2)]
