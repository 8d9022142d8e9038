"""Every notebook runs from its first cell to its last, through the public API alone; its figures are stored."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

TABLES = Path(__file__).parents[2] / "shared" / "data" / "tables"
OF_TABLES = "05_tables_of_others"  # which are no part of the package, and have no manifests
NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if path.stem == OF_TABLES and not TABLES.is_dir():
        pytest.skip("the tables of others are not here")
    monkeypatch.setenv("TABLES", str(TABLES))
    commands = Path(sys.executable).parent  # as in an environment that is activated
    monkeypatch.setenv("PATH", f"{commands}{os.pathsep}{os.environ['PATH']}")
    notebook = read(path)
    NotebookClient(
        notebook, timeout=1200, kernel_name="python3", resources={"metadata": {"path": path.parent}}
    ).execute()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_fits_and_predicts_through_the_public_api(path: Path) -> None:
    cells = [cell for cell in read(path).cells if cell.cell_type == "code"]
    code = "\n".join(cell.source for cell in cells)
    assert "import predictor\n" in code and not re.search(r"from predictor|import predictor\.|predictor\._", code)
    assert re.search(r"predictor\.(fit|load_fit)\(", code) and (".predict(" in code or path.stem == OF_TABLES)
    silent = re.compile(r"^(import|from|!)", flags=re.MULTILINE)
    assert all(cell.get("outputs") for cell in cells if not silent.search(cell.source))
    figures = [o for cell in cells for o in cell.outputs if "image/png" in o.get("data", {})]
    assert figures, "its figures are stored"
    assert not [o for cell in cells for o in cell.outputs if o.output_type == "error"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_names_no_place_of_a_machine(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"/(home|root|tmp|work|Users)/", text)
