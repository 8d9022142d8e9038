"""A result as a page: what a terminal, Markdown, CSV and JSON show of it, from the same blocks.

A page is a list of sections; a section is a list of blocks: a heading, a sentence, a line with a name, a table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from predictor.render.layout import TIED, line, shortened, width, wrapped
from predictor.render.tables import Formats, Row, json_text, markdown, rows_text
from predictor.text import columns_of, visible

KIND = "kind"  # column of a CSV that says what a row tells


@dataclass(frozen=True)
class Heading:
    """What the next lines are about. parts : shown apart on a terminal; a long first one loses its middle there"""

    parts: tuple[str, ...]

    def text(self, form: str) -> str:
        """The heading in 'table' or 'markdown'."""
        parts = [visible(part) for part in self.parts if part]
        if form == "markdown":
            return "### " + markdown(" · ".join(parts))
        lines = [shortened(parts[0], max(24, width() // 2))]
        for part in parts[1:]:  # a part that does not fit begins a line
            longer = f"{lines[-1]}   {part}"
            if columns_of(longer) <= width():
                lines[-1] = longer
            else:
                lines.append(f"  {part}")
        return "\n".join(
            wrapped(line.strip(), first="" if i == 0 else "  ", indent="  ") for i, line in enumerate(lines)
        )


@dataclass(frozen=True)
class Said:
    """A sentence. name : in front of it, if any; indent : of its further lines where there is none"""

    content: str
    name: str | None = None
    indent: str = ""

    def text(self, form: str) -> str:
        """The sentence in 'table' or 'markdown'."""
        content = visible(self.content)
        if form == "markdown":
            content = content.replace(TIED, " ")
            return markdown(content) if self.name is None else f"{_bullet(self.name)}{markdown(content)}"
        return wrapped(content, indent=self.indent) if self.name is None else line(visible(self.name), content)


@dataclass(frozen=True)
class PageTable:
    """Rows. optional : columns that a narrow terminal may do without, the first one first"""

    rows: Sequence[Row]
    columns: Sequence[str] | None = None
    formats: Formats = field(default_factory=dict)
    optional: Sequence[str] = ()

    def text(self, form: str) -> str:
        """The table in 'table' or 'markdown'."""
        return rows_text(self.rows, form, self.columns, self.formats, optional=self.optional)


@dataclass(frozen=True)
class Gap:
    """An empty line between two tables of a section."""

    def text(self, form: str) -> str:
        """Nothing."""
        return ""


GAP = Gap()
Block = Heading | Said | PageTable | Gap
Page = Sequence[Sequence[Block]]


def page_text(page: Page, form: str, *, colour: bool = False) -> str:
    """A page in 'table' or 'markdown'. colour : headings and heads bold, warnings yellow, for a terminal

    >>> print(page_text([[Heading(("a.csv", "new")), Said("inside", "range")], [Said("fit: mine")]], "markdown"))
    ### a.csv · new
    <BLANKLINE>
    - **range** inside
    <BLANKLINE>
    fit: mine
    """
    if form != "markdown":
        told = _styled if colour else lambda block, form: block.text(form)
        return "\n\n".join("\n".join(told(block, form) for block in section) for section in page if section)
    blocks = [block for section in page for block in section if block is not GAP]
    text = ""
    for before, block in zip([None, *blocks], blocks, strict=False):
        listed = isinstance(before, Said) and isinstance(block, Said) and None not in (before.name, block.name)
        text += ("" if before is None else "\n" if listed else "\n\n") + block.text(form)
    return text


BOLD, YELLOW, PLAIN = "\x1b[1m", "\x1b[33m", "\x1b[0m"


def _styled(block: Block, form: str) -> str:
    lines = block.text(form).split("\n")
    if isinstance(block, PageTable):
        lines[0] = f"{BOLD}{lines[0]}{PLAIN}"
    elif isinstance(block, Heading):
        lines = [f"{BOLD}{line}{PLAIN}" for line in lines]
    elif isinstance(block, Said) and (block.name == "warning" or block.content.startswith("OUTSIDE")):
        lines = [f"{YELLOW}{line}{PLAIN}" for line in lines]
    return "\n".join(lines)


def _bullet(name: str) -> str:
    """What begins an entry of a list; one without a name belongs to the entry above."""
    return f"- **{markdown(visible(name))}** " if name else "  - "


def kinds_text(kinds: Mapping[str, Sequence[Row]]) -> str:
    """Rows of several kinds as one CSV, whose first column says which kind a row is of.

    A column `kind` of the rows themselves is named after theirs: `change_kind` of the changes.

    >>> print(kinds_text({"plan": [{"name": "now", "value": 0.5}], "note": [{"text": "none"}]}))
    kind,name,value,text
    plan,now,0.5,
    note,,,none
    """
    rows = [
        {KIND: kind} | {f"{kind}_{KIND}" if name == KIND else name: cell for name, cell in row.items()}
        for kind, own in kinds.items()
        for row in own
    ]
    columns = dict.fromkeys([KIND, *(name for row in rows for name in row)])
    return rows_text([{name: _flat(value) for name, value in row.items()} for row in rows], "csv", list(columns))


def _flat(value: Any) -> Any:
    """A cell of a value: lists and mappings in words."""
    if isinstance(value, Mapping):
        return "; ".join(f"{name}={_flat(item)}" for name, item in value.items())
    if isinstance(value, list | tuple):
        return "; ".join(str(_flat(item)) for item in value)
    return value


def result_text(renderer: Any, result: Any, form: str, **options: Any) -> str:
    """A result in any format, by its module below `predictor.render`.

    renderer : has `page(result, **options)`, `kinds(result)` for CSV, and `content(result)` for JSON
    """
    if form == "json":
        return json_text(renderer.content(result))
    if form == "csv":
        return kinds_text(renderer.kinds(result))
    return page_text(renderer.page(result, **options), form)
