"""Target lists: the names of the tested classes, one a line."""

from __future__ import annotations

from pathlib import Path

from predictor.errors import ManifestError
from predictor.reading import MIB, read_text

MAX_LIST = 256 * MIB  # bytes of a list of names


def read_targets(path: str | Path) -> list[str]:
    """Class names, one a line; blanks around them and empty lines are dropped, repeated names kept once.

    Raises ManifestError for a file that is missing, unreadable or names no class.
    """
    path = Path(path)
    try:
        text = read_text(path, limit=MAX_LIST)
    except FileNotFoundError:
        raise ManifestError("no such file", where=str(path), remedy="name a text file with one class a line") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ManifestError(
            f"cannot be read: {reason}", where=str(path), remedy="name a text file with one class a line"
        ) from None
    names = [line.strip() for line in text.splitlines() if line.strip()]
    if not names:
        raise ManifestError("names no class", where=str(path), remedy="write one tested class a line")
    return list(dict.fromkeys(names))
