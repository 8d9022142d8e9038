"""One topic a file, one name a thing."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CODE = ("predictor", "trainer")
MOST = 400  # lines of a file
BEGINNINGS = {"__init__.py", "__main__.py"}


def files(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


def test_no_file_is_long() -> None:
    lines = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in files(*CODE, "tests", "benchmarks")
    }
    assert len(lines) > 400 and {name: n for name, n in lines.items() if n > MOST} == {}


def test_no_two_classes_share_a_name() -> None:
    """But for the fit that `import predictor` gives: the stored one, with methods that take files."""
    homes: dict[str, list[str]] = {}
    for path in files(*CODE):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes.setdefault(node.name, []).append(str(path.relative_to(ROOT)))
    assert len(homes) > 200
    assert {name: own for name, own in homes.items() if len(own) > 1} == {
        "Fit": ["predictor/api.py", "predictor/models/fit.py"]
    }


def test_no_public_function_bears_the_name_of_a_subpackage() -> None:
    """It would be hidden as soon as the subpackage is imported."""
    from types import ModuleType

    import predictor

    parts = {path.parent.name for path in (ROOT / "predictor").glob("*/__init__.py")}
    parts |= {path.stem for path in (ROOT / "predictor").glob("*.py")}
    functions = {name for name in predictor.__all__ if not isinstance(getattr(predictor, name), ModuleType)}
    assert len(parts) > 20 and functions & parts == set()


def rooms(package: str) -> list[str]:
    """Files and folders of a package in the order of CONTRIBUTING's list."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    lines = re.search(rf"^    {package}/ .*\n((?:      .*\n)+)", text, re.MULTILINE)
    assert lines
    named = (re.match(r"      ((?:\S+ )*\S+)  ", line) for line in lines[1].splitlines())
    return [name.rstrip("/") for found in named if found for name in found[1].split()]


@pytest.mark.parametrize("package", CODE)
def test_the_list_of_rooms_names_each_of_them(package: str) -> None:
    there = {
        path.name for path in (ROOT / package).iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()
    }
    named = rooms(package)
    assert len(named) == len(set(named)) and {name.split("/")[0] for name in named} | BEGINNINGS == there


def test_the_list_of_rooms_has_the_order_that_import_linter_keeps() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = (contract["layers"] for contract in contracts if contract["type"] == "layers")
    tier = {part.strip(" ()"): i for i, layer in enumerate(reversed(layers)) for part in layer.split("|")}
    order = [tier[name.removesuffix(".py")] for name in rooms("predictor")]
    assert len(order) > 30 and order == sorted(order)
