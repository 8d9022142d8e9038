"""Figures and tables as parts of a page: SVG where it is smaller than PNG, tables with their CSV beside them."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from predictor.figures import DPI, quiet_glyphs
from predictor.render.tables import rows_text
from predictor.text import visible

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, SOFT = "#0b0c0d", "#c9ced4"  # stand for the page's text and lines: dark mode changes both
SIZE = re.compile(r'<svg [^>]*?width="([\d.]+)pt" height="([\d.]+)pt" viewBox="([^"]+)"[^>]*>')
UNUSED_ID = re.compile(r' id="(?:figure|axes|patch|text|line2d|matplotlib\.axis|xtick|ytick|legend|LineCollection|'
                       r'PathCollection|FillBetweenPolyCollection|PolyCollection|collection)_?\d*"')  # fmt: skip
DIGITS = re.compile(r"(\d+\.\d{2})\d+")  # a hundredth of a point is enough
PIXELS = 4 / 3  # of a page in a point of a figure
SURELY = 50_000  # characters: a PNG of a figure of this page is no smaller
MANY = 5_000  # dots: an SVG of them is larger than any PNG, and is not even made
UNSAFE = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True)
class Picture:
    """A figure with what it shows: title, the sentence below it, and in words what it says to who cannot see it."""

    title: str
    caption: str
    alt: str
    markup: Markup


@dataclass(frozen=True)
class EmbeddedTable:
    """A table as it is read, and the same with full precision as CSV.

    shown : rows of texts; full : rows for the CSV, `shown` where left out; title : what it is, its caption
    """

    title: str
    shown: Sequence[Mapping[str, str]]
    full: Sequence[Mapping[str, Any]] = field(default=())

    @property
    def name(self) -> str:
        """Of the CSV file."""
        return UNSAFE.sub("-", visible(self.title).lower()).strip("-")[:60] or "table"

    @property
    def csv(self) -> str:
        """The CSV as a data address."""
        text = rows_text(list(self.full or self.shown), "csv")
        return "data:text/csv;charset=utf-8;base64," + base64.b64encode(text.encode()).decode()


def picture(figure: Figure, title: str, caption: str, alt: str) -> Picture:
    """A figure as inline SVG, or as PNG where that is smaller."""
    dots = sum(len(drawn.get_offsets()) for axis in figure.axes for drawn in axis.collections)
    if dots > MANY:
        figure.draw_without_rendering()  # lays it out
        drawn, coded = "", _png(figure)
    else:
        drawn = _svg(figure, UNSAFE.sub("-", title.lower()))
        coded = _png(figure) if len(drawn) > SURELY else None
    label = escape(visible(alt))
    if coded is not None and (not drawn or len(coded) < len(drawn)):
        markup = Markup(f'<img src="data:image/png;base64,{coded}" alt="{label}">')
    else:
        markup = Markup(drawn.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1))
    return Picture(title, caption, alt, markup)


def _png(figure: Figure) -> str:
    """On white, as its text is dark."""
    figure.set_layout_engine("none")  # it was laid out when it was drawn before
    stream = io.BytesIO()
    with quiet_glyphs():
        figure.savefig(stream, format="png", dpi=DPI)
    return base64.b64encode(stream.getvalue()).decode()


def _svg(figure: Figure, salt: str) -> str:
    """Without what a page does not need; text and lines in the colours of the page.

    salt : of the ids in it, so that no two figures of a page share one
    """
    import matplotlib

    stream = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": salt}), quiet_glyphs():
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", text, flags=re.DOTALL)
    text = UNUSED_ID.sub("", text)
    text = DIGITS.sub(r"\1", text)
    text = re.sub(r"\s*\n\s*", "\n", text)
    text = text.replace(INK, "currentColor").replace(SOFT, "var(--line)")
    return SIZE.sub(_opened, text)


def _opened(found: re.Match[str]) -> str:
    width, height = (float(found[i]) * PIXELS for i in (1, 2))
    return f'<svg class="figure" width="{width:.0f}" height="{height:.0f}" viewBox="{found[3]}">'
