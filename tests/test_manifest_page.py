"""docs/manifests.md says what is so: every example is read, every option it names is one of the command."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from predictor.cli.indicators_command import command
from predictor.errors import ManifestError
from predictor.manifest import open_manifest

PAGE = Path(__file__).parents[1] / "docs" / "manifests.md"


def examples() -> list[tuple[str, str, str, str]]:
    """(file, content, options, counts) of the last table."""
    lines = PAGE.read_text(encoding="utf-8").partition("## Examples")[2].splitlines()
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines if line.startswith("| ") and "`" in line]
    return [tuple(cell.strip().strip("`").replace("\\|", "|") for cell in row) for row in rows]


def how(words: str) -> dict[str, object]:
    """Options of the command as `open_manifest` takes them."""
    given = shlex.split(words)
    context = command.make_context("indicators", ["m", *given])
    names = ("label", "count", "several_separator", "one_hot", "header", "instances")
    return {name: context.params[name] for name in names if context.params[name] is not None}


@pytest.mark.parametrize(("file", "content", "words", "said"), examples())
def test_examples(tmp_path, file, content, words, said) -> None:
    (tmp_path / file).write_text(content.replace("\\n", "\n").replace("\\t", "\t"), encoding="utf-8")
    try:
        found = open_manifest(tmp_path / file, **how(words)).distribution
    except ManifestError as error:
        assert said in str(error)
    else:
        assert ", ".join(f"{name} {n}" for name, _, n in found.rows()) == said


def test_the_page_names_options_that_there_are() -> None:
    assert len(examples()) > 15
    text = CliRunner().invoke(command, ["--help"]).output
    assert set(re.findall(r"--[a-z][a-z-]+", PAGE.read_text(encoding="utf-8"))) <= set(
        re.findall(r"--[a-z][a-z-]+", text)
    )
