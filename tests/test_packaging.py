"""Imports, layering, help: what must hold for the package as installed."""

from __future__ import annotations

import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import predictor
from predictor import cli
from predictor.cli import COMMANDS

ROOT = Path(__file__).parents[1]
MODULES = sorted(
    m.name for m in pkgutil.walk_packages(predictor.__path__, "predictor.") if not m.name.endswith("__main__")
)
BLOCK = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked!r}:
            raise ImportError("blocked: " + name)
sys.meta_path.insert(0, Block())
"""


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600)


def test_every_module_imports_without_torch() -> None:
    block = BLOCK.format(blocked=["torch", "timm", "torchvision", "trainer"])
    works = python(block + "\ntry:\n    import torch\nexcept ImportError as e:\n    print(e)")
    assert works.stdout == "blocked: torch\n", "the block must work for the test to mean anything"
    assert len(MODULES) > 40
    imports = "\n".join(f"import {name}" for name in MODULES)
    done = python(f"{block}\n{imports}\nprint('all')")
    assert done.stdout == "all\n", done.stderr


@pytest.mark.parametrize("words", [["indicators", "m.csv"], ["predict", "m.csv"], ["advise", "m.csv", "--budget", "9"]])
def test_light_commands_import_nothing_heavy(words, tmp_path) -> None:
    (tmp_path / "m.csv").write_text("label,count\na,10\nb,20\n")
    block = BLOCK.format(
        blocked=["pandas", "pyarrow", "scipy", "statsmodels", "sklearn", "seaborn", "matplotlib", "torch"]
    )
    words = [str(tmp_path / w) if w.endswith(".csv") else w for w in words]
    done = python(f"{block}\nsys.argv = ['predictor', *{words!r}]\nfrom predictor.cli import main\nmain()")
    assert done.returncode == 0, done.stderr


def test_help_names_every_command_and_imports_none_of_them() -> None:
    code = (
        "import sys\nsys.argv = ['predictor', '--help']\nfrom predictor.cli import main\ntry:\n    main()\nfinally:\n"
    )
    code += "    print([m for m in ('pandas', 'numpy', 'pydantic', 'duckdb', 'scipy') if m in sys.modules])"
    done = python(code)
    assert done.returncode == 0 and done.stdout.rstrip().endswith("[]"), done.stdout + done.stderr
    for name, text in COMMANDS.items():
        assert name in done.stdout and text.split()[0] in done.stdout


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_help(name) -> None:
    done = CliRunner().invoke(cli.predictor, [name, "--help"], prog_name="predictor")
    assert done.exit_code == 0 and f"predictor {name}" in done.stdout, done.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["predict", "gone.csv"], "gone.csv: no such file"),
        (["fit", "nowhere"], "nowhere: no such folder"),
        (["agreement", "empty"], "empty: no run records"),
        (["fitt"], "No such command 'fitt'. Did you mean 'fit'?"),
        (["indicators"], "no manifest named"),
    ],
)
def test_faults_of_the_input_exit_with_2_and_no_traceback(words, message, tmp_path) -> None:
    (tmp_path / "empty").mkdir()
    before = sorted(tmp_path.rglob("*"))
    done = subprocess.run([sys.executable, "-m", "predictor", *words], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2 and message in done.stderr and "Traceback" not in done.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_trainer_without_torch_says_what_to_install(tmp_path) -> None:
    grid = (ROOT / "runs" / "first-look" / "grid.yaml").read_text()
    (tmp_path / "grid.yaml").write_text(grid)
    for name in set(re.findall(r"file: ([\w.-]+)", grid)):
        (tmp_path / name).touch()
    block = BLOCK.format(blocked=["torch"]).replace("ImportError(", "ModuleNotFoundError(")
    block = block.replace('"blocked: " + name)', '"blocked: " + name, name=name)')
    words = ["trainer", "run", str(tmp_path / "grid.yaml"), "--data", str(tmp_path), "--runs", str(tmp_path / "runs")]
    done = python(f"{block}\nsys.argv = {words!r}\nfrom trainer.cli import main\nmain()")
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "this needs torch, which is not installed. pip install 'predictor[train]'" in done.stderr
    assert not (tmp_path / "runs").exists()


def test_layers() -> None:
    if not (ROOT / "pyproject.toml").exists():
        pytest.skip("the contract stands in the checkout's pyproject.toml")
    command = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([command, "--no-cache"], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout


def test_public_names_are_there() -> None:
    for name in predictor.__all__:
        assert getattr(predictor, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = predictor.nothing
