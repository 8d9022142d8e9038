"""A header that stands again among the rows of a table, as in files that were joined."""

from __future__ import annotations

from collections.abc import Sequence

from predictor.errors import ManifestError
from predictor.manifest.engine import quoted, quoted_name
from predictor.manifest.roles import KNOWN
from predictor.manifest.table import UNNAMED, USUAL, Table, of_rows


def repeated_header(table: Table, taken: str, label: str | None, cells: Sequence[object], notes: list[str]) -> str:
    """SQL of the rows that repeat the header, as in files that were joined; '' where there is none.

    taken : SQL of the rows that count; label : name of its column; cells : the labels; notes : gets what was found

    Raises ManifestError where the header stands again with its columns in another order.
    """
    columns = list(table.columns)
    names = {name.strip().casefold() for name in columns}
    if not any(isinstance(cell, str) and cell.strip().casefold() in names for cell in cells):
        return ""
    bare = "coalesce(lower(trim(replace({}::VARCHAR, chr(65279), ''))), '')"  # without a mark of byte order
    given = {name: bare.format(quoted_name(name)) for name in columns}
    wanted = {name: "" if name.startswith(UNNAMED) else name.strip().lower() for name in columns}
    usual = ", ".join(map(quoted, sorted({*wanted.values(), *USUAL, *KNOWN})))  # of another file, other words
    same = f"{given[label]} = {quoted(wanted[label])}" if label in given else "false"
    same += "".join(f" AND {cell} IN ({usual})" for name, cell in given.items() if name != label)
    moved = (
        f"list_sort([{', '.join(given.values())}]) = list_sort([{', '.join(map(quoted, wanted.values()))}]) "
        f"AND NOT ({same})"
    )
    if len(columns) > 1:
        n, found = table.first_rows(f"{taken} AND {moved}")
        if n:
            raise ManifestError(
                f"{found[0][0]}: the header stands again, with its columns in another order",
                where=str(table.path),
                remedy="split the file there, and name its parts one by one with --merge",
            )
    n, found = table.first_rows(f"{taken} AND {same}")
    if n:
        notes.append(f"repeats of the header left out: {of_rows(n)}, first at {found[0][0]}")
    elif any(isinstance(cell, str) and cell.strip() == label for cell in cells):
        notes.append(f"{label!r} is counted as a class, though its column is called so")
    return same if n else ""
