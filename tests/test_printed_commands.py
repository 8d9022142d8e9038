"""A command that is printed is one that a shell takes: `predictor.text.command` quotes names with blanks."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from records_made import made_record
from test_next_steps import GRID, commands, digits_folder, run

from predictor.cli import COMMANDS
from predictor.errors import DataError
from predictor.fitting.several import read_several
from predictor.images.published import read_published
from predictor.planning.pilots.based import Added
from predictor.records import pack, write_record
from predictor.records.check import check
from predictor.render import based
from predictor.render.page import page_text
from trainer.cli import trainer

ROOT = Path(__file__).parents[1]
BEGUN = re.compile(  # a text that ends inside of a command
    rf"\b(?:predictor (?:{'|'.join(COMMANDS)})|trainer (?:{'|'.join(trainer.commands)}))\b(?:(?!\. )[^;,`\n])*$"
)


def pieces(node: ast.expr) -> Iterator[str | ast.expr]:
    """What a text is put together of: literal parts, and expressions."""
    match node:
        case ast.Constant(value=str() as text):
            yield text
        case ast.JoinedStr(values=values):
            for value in values:
                yield from pieces(value)
        case ast.FormattedValue(value=value):
            yield value
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            yield from pieces(left)
            yield from pieces(right)
        case _:
            yield node


def bare(source: str) -> list[int]:
    """Lines at which something is put into a command as it is."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr | ast.BinOp):
            text = ""
            for piece in pieces(node):
                if isinstance(piece, str):
                    text += piece
                elif BEGUN.search(text):
                    found.add(piece.lineno)
    return sorted(found)


def test_no_command_is_put_together_by_hand() -> None:
    assert bare('say(f"now: predictor digest {path}")\nsay("trainer run --data " + folder)') == [1, 2]
    assert bare("say(f\"now: {command('predictor', 'digest', path)}; of {path}\")") == []
    files = [path for name in ("predictor", "trainer") for path in sorted((ROOT / name).rglob("*.py"))]
    assert len(files) > 300
    assert {str(path): lines for path in files if (lines := bare(path.read_text()))} == {}


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """A folder whose name has a blank and a quote in it, to work in."""
    folder = tmp_path / "Ann's work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_a_set_that_is_not_the_published_one_is_answered_with_a_command_that_runs(place) -> None:
    folder = digits_folder(place / "my photos", {"zero": 3, "one": 3})
    for digest in ("named:imagenet-v3", "named:imagenet-r"):
        with pytest.raises(DataError) as caught:
            read_published(digest, folder)
        remedy = str(caught.value).rpartition("predictor digest ")[2]
        assert shlex.split(remedy) == [str(folder)]
        assert "sha256:" in run(f"predictor digest {remedy}")


def test_rates_say_where_the_grid_was_written(place) -> None:
    Path("my grid.yaml").write_text(GRID)
    text = run("predictor rates 'my grid.yaml' --output 'my rates.yaml' --image-steps 64")
    next_line = text[text.index("next   ") :].removeprefix("next   ").strip()
    train, rates = (shlex.split(line) for line in next_line.split("; "))
    assert train == ["trainer", "run", "my rates.yaml", "--data", "DIR"]
    assert rates == ["predictor", "rates", "my grid.yaml", "--runs", "runs/"]
    assert "# Train them:  trainer run 'my rates.yaml' --data DIR\n" in Path("my rates.yaml").read_text()


def test_runs_that_were_packed_twice_are_mended_as_is_said(place) -> None:
    for seed in range(2):
        write_record("my runs", made_record(seed))
    part = pack("my runs", "demo")
    assert part is not None
    part.with_name("runs-002.parquet").write_bytes(part.read_bytes())
    (fault,) = [line for line in check("my runs") if "unpack" in line]
    for line in re.findall(r"`([^`]+)`", fault):
        assert shlex.split(line)[-1] == "my runs/demo"
        run(line)
    assert not [line for line in check("my runs") if "unpack" in line]


def test_runs_too_few_for_a_fit_are_named_as_pilots(place) -> None:
    write_record("first", made_record(0))
    write_record("my runs", made_record(1))
    (note,) = read_several(["first", "my runs"])[1]
    assert shlex.split(note.rpartition("predictor ")[2]) == ["predict", "MANIFEST", "--pilot", "my runs"]


def test_a_fit_on_top_says_how_it_is_used() -> None:
    added = Added(
        target_set="my set", domain="mine", recipe="small", n_configurations=4, n_runs=4, mae=0.1, mae_base=0.2,
        covered=(3, 4),
    )  # fmt: skip
    text = page_text(based.page(based.FitOnTop([added], [], "shipped", "my fits/fit.json")), "table")
    (line,) = commands(text)
    assert shlex.split(line)[2:] == ["MANIFEST", "--fit", "my fits/fit.json", "--target-set", "my set"]
