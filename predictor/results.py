"""What every result can do: its text, its rows as a frame, its figure; `predictor.render` shows each."""

from __future__ import annotations

import html
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


class Text(str):
    """A text that a prompt and a notebook show as it reads.

    >>> Text("two\\nlines")
    two
    lines
    """

    def __repr__(self) -> str:
        return str(self)


class Result:
    """A result. Whoever computes it needs no table and no figure: its renderer is loaded when it is first asked for.

    shown_by : name of the module below `predictor.render` with `summary`, `rows` and `plot` for it
    """

    shown_by: ClassVar[str]

    def _renderer(self) -> Any:
        return import_module(f"predictor.render.{self.shown_by}")

    def summary(self, **options: Any) -> Text:
        """What the command prints. options : those of the renderer's `summary`"""
        return Text(self._renderer().summary(self, **options))

    def to_frame(self) -> pd.DataFrame:
        """The rows that the command gives as CSV: full precision, accuracies as fractions."""
        import pandas as pd

        return pd.DataFrame(self._renderer().rows(self))

    def plot(self) -> Figure:
        """The figure."""
        return self._renderer().plot(self)

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.summary())}</pre>"
