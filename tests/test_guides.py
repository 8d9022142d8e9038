"""The guides in docs/ are true: their commands print what they say, their Python runs, their links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from console_blocks import BLOCK, ROOT, lines, prepared, printed, rewritten, steps

GUIDES = [ROOT / "docs" / name for name in ("decide.md", "plan.md", "cluster.md", "extend.md")]
LONG = ("cluster", "plan", "extend")  # they train, plan many times, or fit


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=pytest.mark.slow if path.stem in LONG else ()) for path in GUIDES],
    ids=lambda path: path.stem,
)
def test_commands_print_what_the_guide_says(path: Path, tmp_path: Path) -> None:
    """Where they print something else now: python tests/console_blocks.py docs/*.md"""
    page = path.read_text(encoding="utf-8")
    prepared(page, tmp_path)
    seen = 0
    for found in BLOCK.finditer(page):
        for command, output in steps(found[0]):
            assert printed(command, tmp_path) == lines(output), f"$ {command}"
            seen += 1
    assert seen >= 2


@pytest.mark.parametrize("path", sorted((ROOT / "docs").glob("*.md")), ids=lambda path: path.stem)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), target


def test_every_guide_is_named_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for path in sorted((ROOT / "docs").glob("*.md")):
        assert f"docs/{path.name}" in readme, path.name


def test_pages_are_written_again_from_what_is_printed() -> None:
    file = "<!-- a.csv -->\n```csv\nlabel,count\na,1\n```\n"
    page = f"{file}\n```console\n$ cat a.csv\nold\n$ printf x > b.csv\n$ cat b.csv\n```\n"
    new = rewritten(page)
    assert "```console\n$ cat a.csv\nlabel,count\na,1\n$ printf x > b.csv\n$ cat b.csv\nx\n```\n" in new
