"""Count tables: a row is a class, or a class of one source, with its number of images."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from operator import itemgetter
from typing import TYPE_CHECKING

from predictor.errors import SHOWN, ManifestError
from predictor.manifest.engine import quoted_name
from predictor.manifest.table import JSON, MAX_KEYS, Table, of_rows, shown
from predictor.text import MAX_NAME

if TYPE_CHECKING:
    from predictor.manifest.roles import Roles

MAX_COUNT = 2**53  # beyond it a count read from a float is not exact
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}([.,]\d{3})+")


def count_cells(
    table: Table,
    roles: Roles,
    kind: str,
    cell: str,
    source: str,
    split: str,
    rows: str,
    labels: Callable[[object], tuple[str, ...]],
    notes: list[str],
) -> Iterator[tuple[object, str, str, int]]:
    """(cell, source, split, images) of a table's rows, in order.

    kind, cell, source, split, rows : how cells hold labels, and SQL

    Raises ManifestError for counts that are no whole numbers, and for a (label, source) named twice.
    """
    cut = cell if kind == JSON else f"left({cell}, {MAX_NAME + 1})"
    found = table.fetch(
        f"SELECT row, label, source, split, trim(left(n, 100)) FROM "
        f"(SELECT row_number() OVER () AS row, {cut} AS label, {source} AS source, "
        f"{split} AS split, {quoted_name(roles.count or '')}::VARCHAR AS n, {rows} AS taken FROM {table.relation}) "
        f"WHERE taken LIMIT {MAX_KEYS + 1}"  # one more than is taken is an error, whichever rows they are
    )
    if len(found) > MAX_KEYS:
        raise ManifestError(
            f"more than {MAX_KEYS:,} classes", where=str(table.path), remedy="name another with --label"
        )
    found.sort(key=itemgetter(0))  # here: the engine's own sort takes as long as reading a small table
    bad: list[tuple[int, str]] = []
    twice: list[tuple[int, int, str]] = []
    stood: dict[tuple[str, str, str], int] = {}
    kept: list[tuple[object, str, str, int]] = []
    headers = []
    for row, label, origin, part, text in found:
        if table.text and text == roles.count and (label or "").strip() == roles.label:
            headers.append(row)  # of files that were joined
            continue
        try:
            names = labels(label)
        except ValueError:  # told by the one who asks for all cells
            kept.append((label, origin, part, 0))
            continue
        if not names:
            kept.append((label, origin, part, 1))
            continue
        number, problem = _whole(text)
        if problem:
            bad.append((row, problem))
        elif len(names) == 1 and (names[0], origin, part) in stood:
            who = f"{names[0]!r}" + (f" of source {origin!r}" if origin else "")
            twice.append((row, stood[names[0], origin, part], who))
        else:
            stood[names[0], origin, part] = row
            kept.append((label, origin, part, number))
    if bad:
        places = table.places([row for row, _ in bad[:SHOWN]])
        problems = [f"{place}: {problem}" for place, (_, problem) in zip(places, bad, strict=False)]
        raise ManifestError(
            f"{len(bad):,} {'bad count' if len(bad) == 1 else 'bad counts'}, first at {shown(problems, len(bad))}",
            where=str(table.path),
            remedy="write a whole number of images, 0 or more",
        )
    if twice:
        again = table.places([row for row, _, _ in twice[:SHOWN]])
        first = [table.places([row])[0] for _, row, _ in twice[:SHOWN]]
        problems = [f"{b}: {who} stands already in {a}" for a, b, (_, _, who) in zip(first, again, twice, strict=False)]
        raise ManifestError(
            f"{len(twice):,} (label, source) named twice: {shown(problems, len(twice))}",
            where=str(table.path),
            remedy="add the rows up, or tell them apart by a column 'source'; if a row is an image, say --count none",
        )
    if headers:
        notes.append(
            f"repeats of the header left out: {of_rows(len(headers))}, first at {table.places(headers[:1])[0]}"
        )
    yield from kept


def _whole(text: str | None) -> tuple[int, str | None]:
    """(count, None), or (0, what is wrong)."""
    if text is None or text == "":
        return 0, "the count is missing"
    if _THOUSANDS.fullmatch(text):
        return (
            0,
            f"{text!r} is {text.replace(text[-4], '')} to some and a fraction to others: write it without {text[-4]!r}",
        )
    try:
        if "_" in text:  # Python reads 1_000 as a number, a manifest does not
            raise ValueError
        number = int(text) if len(text) < 40 and text.lstrip("+-").isdecimal() else float(text)
    except ValueError:
        return 0, f"{text[:50]!r} is not a whole number"
    if number != number or number in (float("inf"), float("-inf")) or number != int(number):
        return 0, f"{text[:50]!r} is not a whole number"
    if number < 0:
        return 0, f"{text[:50]!r} is negative"
    return (0, f"{text[:50]!r} is more than {MAX_COUNT:,}") if number > MAX_COUNT else (int(number), None)
