"""Count tables: a row is a class, or a class of one source, with its number of images."""

from __future__ import annotations

from collections import Counter
from operator import itemgetter

from predictor.errors import SHOWN, ManifestError
from predictor.manifest.engine import quoted_name
from predictor.manifest.table import MAX_KEYS, MAX_NAME, Table, check_keys, shown

MAX_COUNT = 2**53  # beyond it a count read from a float is not exact


def count_rows(
    table: Table, label: str, source: str, split: str, count: str, rows: str
) -> tuple[dict[tuple[str, str, str], int], Counter[str]]:
    """({(label, source, split): images}, {split: rows without a label}) of a table's rows.

    source, split, rows : SQL

    Raises ManifestError for counts that are no whole numbers, and for a (label, source) named twice.
    """
    found = table.connection.execute(
        f"SELECT row, trim(left(label, {MAX_NAME + 1})), source, split, trim(left(n, 100)) FROM "
        f"(SELECT row_number() OVER () AS row, {quoted_name(label)}::VARCHAR AS label, {source} AS source, "
        f"{split} AS split, {quoted_name(count)}::VARCHAR AS n, {rows} AS taken FROM {table.relation}) "
        f"WHERE taken LIMIT {MAX_KEYS + 1}"  # one more than is taken is an error, whichever rows they are
    ).fetchall()
    found.sort(key=itemgetter(0))  # here: the engine's own sort takes as long as reading a small table
    check_keys([name for _, name, *_ in found], str(table.path), label)
    bad: list[tuple[int, str]] = []
    twice: list[tuple[int, int, str]] = []
    counts: dict[tuple[str, str, str], tuple[int, int]] = {}
    missing: Counter[str] = Counter()
    for row, name, origin, part, text in found:
        name = (name or "").strip()
        if not name:
            missing[part] += 1
            continue
        number, problem = _whole(text)
        if problem:
            bad.append((row, problem))
        elif (name, origin, part) in counts:
            who = f"{name!r}" + (f" of source {origin!r}" if origin else "")
            twice.append((row, counts[name, origin, part][1], who))
        else:
            counts[name, origin, part] = number, row
    if bad:
        places = table.places([row for row, _ in bad[:SHOWN]])
        problems = [f"{place}: {problem}" for place, (_, problem) in zip(places, bad, strict=False)]
        raise ManifestError(
            f"{len(bad):,} {'bad count' if len(bad) == 1 else 'bad counts'}, first at {shown(problems, len(bad))}",
            where=str(table.path),
            remedy="a count is a whole number of images, 0 or more",
        )
    if twice:
        again = table.places([row for row, _, _ in twice[:SHOWN]])
        first = [table.places([row])[0] for _, row, _ in twice[:SHOWN]]
        problems = [f"{b}: {who} stands already in {a}" for a, b, (_, _, who) in zip(first, again, twice, strict=False)]
        raise ManifestError(
            f"{len(twice):,} (label, source) named twice: {shown(problems, len(twice))}",
            where=str(table.path),
            remedy="add the rows up, or tell them apart by a column 'source'",
        )
    return {key: number for key, (number, _) in counts.items()}, missing


def _whole(text: str | None) -> tuple[int, str | None]:
    """(count, None), or (0, what is wrong)."""
    if text is None or text == "":
        return 0, "the count is missing"
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
