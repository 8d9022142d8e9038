"""Figures -> files: PNG, SVG or PDF by the ending, whole or not at all."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from predictor.errors import PredictorError
from predictor.figures import DPI, quiet_glyphs
from predictor.files import replace_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg", ".pdf")


def check_figure(path: Path) -> None:
    """Refuse a file whose ending names no format. Raises PredictorError."""
    if path.suffix.lower() not in FORMATS:
        raise PredictorError(
            f"cannot be drawn as {path.suffix or 'a file without ending'!r}",
            where=str(path),
            remedy=f"end it in {', '.join(FORMATS[:-1])} or {FORMATS[-1]}",
        )


def write_figure(figure: Figure, path: Path) -> None:
    """Write the figure. Raises PredictorError for another ending and a file that cannot be written."""
    check_figure(path)
    drawn = io.BytesIO()
    with quiet_glyphs():
        figure.savefig(drawn, format=path.suffix.lower()[1:], dpi=DPI)
    try:
        replace_file(path, drawn.getvalue())
    except OSError as error:
        raise PredictorError(
            f"cannot be written: {error.strerror}", where=str(path), remedy="name a writable file with --plot"
        ) from None
