"""Console blocks of Markdown pages: commands behind '$ ', and below each what it prints.

`python tests/console_blocks.py README.md docs/*.md` runs them and writes what they print now; tests compare.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"(?<=```console\n).*?(?=```)", re.DOTALL)
FILE = re.compile(r"<!-- (?P<name>[\w./-]+) -->\n```\w+\n(?P<text>.*?)```", re.DOTALL)  # a file that the commands read


def steps(block: str) -> list[tuple[str, str]]:
    """(command, output) of each '$ ' line and what stands below it."""
    return [
        (part.split("\n", 1)[0], part.split("\n", 1)[1]) for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
    ]


def prepared(page: str, folder: Path) -> None:
    """The registry that ships, and the files that a page shows with their names, in the folder where it runs."""
    shutil.copytree(ROOT / "runs", folder / "runs", ignore=shutil.ignore_patterns("fit.json"))
    for found in FILE.finditer(page):
        path = folder / found["name"]
        if path.suffix:  # else a mark of another kind
            path.write_text(found["text"], encoding="utf-8")


def printed(command: str, folder: Path) -> list[str]:
    """The lines that a command prints. Raises AssertionError where it fails."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    words = ["bash", "-c", command]
    done = subprocess.run(words, capture_output=True, text=True, cwd=folder, env={**os.environ, "PATH": path})
    assert done.returncode == 0, f"$ {command}\n{done.stderr}"
    return lines(done.stdout)


def lines(text: str) -> list[str]:
    """Without blanks at their ends."""
    return [line.rstrip() for line in text.strip("\n").split("\n")]


def rewritten(page: str) -> str:
    """The page with what its commands print now."""
    with tempfile.TemporaryDirectory() as name:
        prepared(page, Path(name))

        def again(found: re.Match[str]) -> str:
            return "".join(
                "\n".join([f"$ {command}", *filter(None, ["\n".join(printed(command, Path(name)))])]) + "\n"
                for command, _ in steps(found[0])
            )

        return BLOCK.sub(again, page)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        Path(name).write_text(rewritten(Path(name).read_text(encoding="utf-8")), encoding="utf-8")
