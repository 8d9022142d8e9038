"""Target lists: the names of the tested classes, one a line."""

from __future__ import annotations

from pathlib import Path

from predictor.errors import ManifestError


def read_targets(path: str | Path) -> list[str]:
    """Class names, one a line; blanks around them and empty lines are dropped, repeated names kept once.

    Raises ManifestError for a file that is missing, unreadable or names no class.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ManifestError("no such file", where=str(path), remedy="name a text file with one class a line") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(f"cannot be read: {error}", where=str(path)) from None
    names = [line.strip() for line in text.splitlines() if line.strip()]
    if not names:
        raise ManifestError("names no class", where=str(path), remedy="write one tested class a line")
    return list(dict.fromkeys(names))
