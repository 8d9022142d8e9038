"""What only all class names of a manifest together can tell: several labels in one cell, names that look alike."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator

from predictor.errors import ManifestError
from predictor.manifest.cells import NO_SEPARATOR, VECTOR, Cells
from predictor.manifest.counted import ManifestRequest
from predictor.manifest.engine import quoted
from predictor.manifest.table import USUAL

ALWAYS = "|"  # no name of a class holds it
SEPARATORS = (";", ",", "/", "+", "&", " ")  # a name may hold these
PAIRS = 5  # names that look alike, shown
NOTHING = frozenset(
    (
        "nan",
        "none",
        "null",
        "n/a",
        "na",
        "<na>",
        "nat",
        "#n/a",
        "nil",
        "undefined",
        "\\n",
        "unlabeled",
        "unlabelled",
        "?",
        "-",
    )
)
_PLACE = re.compile(r"[01](?:\.0*)?")
_APART = re.compile(r"[\s_\-]+")


def check_names(names: Collection[str], cells: Cells, where: str, named: bool = False) -> Iterator[str]:
    """Notes on the names of a manifest. Raises ManifestError where cells seem to hold several labels each.

    named : they are names beyond doubt
    """
    request = cells.request
    if request.several_separator is None and not request.one_hot and not named:
        _check_vectors(names, where)
        yield from _check_separators(names, where)
    if nothing := sorted(name for name in names if name.casefold() in NOTHING):
        yield (
            f"{_quoted(nothing)} counted as a class: where that means 'no label', leave it out with "
            f'--where "label NOT IN ({", ".join(map(quoted, nothing))})"'
        )
    if cells.whole:
        label, text = next(iter(cells.whole.items()))
        yield f"whole numbers with a point are whole numbers: {text!r} is class {label!r}"
    pairs = list(alike(names))
    if pairs:
        more = f"; and {len(pairs) - PAIRS:,} more" if len(pairs) > PAIRS else ""
        shown = "; ".join(" and ".join(map(ascii, pair)) for pair in pairs[:PAIRS])
        yield f"names that look alike are classes of their own: {shown}{more}"


def alike(names: Collection[str]) -> Iterator[tuple[str, ...]]:
    """Groups of names that differ in capitals, blanks, dots at their ends or the composition of letters only.

    >>> list(alike(["cat", "Cat", "dog"]))
    [('Cat', 'cat')]
    """
    forms: dict[str, str] = {}
    groups = defaultdict(set)
    for name in names:
        form = _form(name)
        if (other := forms.setdefault(form, name)) is not name:
            groups[form] |= {other, name}
    return (tuple(sorted(group)) for group in groups.values())


def tested(targets: Iterable[str], classes: Collection[str]) -> tuple[list[str], tuple[str, ...]]:
    """(target classes, written as the manifest's labels are; notes).

    The header of a list of targets is none of them: a first name that is that of a column, and of no class.

    >>> tested(["label", "cat", "2.0"], {"cat", "2"})
    (['cat', '2'], ("target 'label' left out: it stands first and is no class, as a header is",))
    """
    cells = Cells(ManifestRequest(several_separator=NO_SEPARATOR))
    names = [name for each in targets for name in cells.of(each, named=True)]
    if len(names) > 1 and names[0].lower() in USUAL and names[0] not in classes:
        return names[1:], (f"target {names[0]!r} left out: it stands first and is no class, as a header is",)
    return names, ()


def _form(name: str) -> str:
    if name.isascii() and name.isalnum():
        return name.lower()
    if not name.isascii():
        name = "".join(c for c in unicodedata.normalize("NFKC", name) if unicodedata.category(c) != "Cf")
    return _APART.sub(" ", name.casefold()).strip(" .,;:'\"")


def _check_vectors(names: Collection[str], where: str) -> None:
    vectors = bool(names) and all(VECTOR.fullmatch(name) and not name.isdigit() for name in names)
    if vectors and len({len(_PLACE.findall(name)) for name in names}) == 1:
        raise ManifestError(
            f"cells seem to be vectors of 0 and 1: {next(iter(names))[:80]!r}",
            where=where,
            remedy="say --one-hot: a class is the position of its 1; where these are names of classes, "
            f"say --several-separator {NO_SEPARATOR}",
        )


def _check_separators(names: Collection[str], where: str) -> Iterator[str]:
    written = "\0".join(names)  # one search in all of them is quicker than one in each
    for name in names if ALWAYS in written else ():
        if ALWAYS in name and len(_parts(name, ALWAYS)) > 1:
            raise _several(name, ALWAYS, where)
    for separator in filter(written.__contains__, SEPARATORS):
        split = {name: _parts(name, separator) for name in names if separator in name}
        split = {name: parts for name, parts in split.items() if len(parts) > 1}
        if not split:
            continue
        stands: dict[str, int] = defaultdict(int)
        for parts in split.values():
            for part in set(parts):
                stands[part] += 1
        known = set(names)
        found = [n for n, parts in split.items() if all(part in known or stands[part] > 1 for part in parts)]
        # the parts of one that stand elsewhere only in combinations say less than whole labels do
        sure = [name for name in found if all(part in known for part in split[name])]
        if separator == ";":  # which hardly a name holds
            sure = [name for name, parts in split.items() if any(part in known for part in parts)]
        if 2 * len(sure) > len(split) or (2 * len(found) > len(split) and separator in ";,"):
            raise _several((sure or found)[0], separator, where)
        if sure:
            yield f"{_quoted(sorted(sure))}: one class, though its parts are classes too; not cut at {separator!r}"


def _several(name: str, separator: str, where: str) -> ManifestError:
    return ManifestError(
        f"cells seem to hold several labels: {name[:80]!r}",
        where=where,
        remedy=f'read them with --several-separator "{separator}"; where that is the name of one class, '
        f"with --several-separator {NO_SEPARATOR}",
    )


def _parts(name: str, separator: str) -> list[str]:
    return [part for each in name.split(separator) if (part := each.strip())]


def _quoted(names: list[str]) -> str:
    return ", ".join(map(repr, names[:PAIRS])) + (f" and {len(names) - PAIRS:,} more" if len(names) > PAIRS else "")
