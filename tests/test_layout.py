"""One topic a file, one name a thing."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
CODE = ("predictor", "trainer")
MOST = 400  # lines of a file


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
