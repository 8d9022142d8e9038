"""`predictor doctor`, `predictor --version`, CITATION.cff: what is installed and what answers, as it is."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
import tomllib
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from predictor import installed
from predictor.cli import predictor
from predictor.errors import FitError, package_version
from predictor.models.fit import Fit, load_fit, parse_fit, shipped_fit

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def doctor(*words: str) -> str:
    done = CliRunner().invoke(predictor, ["doctor", *words])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_every_extra_for_users_is_looked_at_with_all_its_packages() -> None:
    """pyproject.toml is the truth; extras that only tests need are left out."""
    extras = {
        name: lines for name, lines in PROJECT["optional-dependencies"].items() if name not in ("test", "integrations")
    }
    assert set(extras) == set(installed.PARTS)
    for name, lines in extras.items():
        packages = {re.split(r"[>=\[]", line)[0] for line in lines}
        if "predictor[images]" in lines:
            packages |= {re.split(r"[>=\[]", line)[0] for line in extras["images"]}
        assert set(installed.PARTS[name][1]) == packages - {"predictor"}


def test_what_is_missing_is_named_with_the_command_that_brings_it(monkeypatch) -> None:
    here = installed.version_of
    monkeypatch.setattr(installed, "version_of", lambda name: None if name == "timm" else here(name))
    told = json.loads(doctor("--format", "json"))
    assert told["schema_version"] == 1 and told["version"] == package_version("predictor")
    parts = {part["part"]: part for part in told["parts"]}
    assert parts["train"]["missing"] == ["timm"] and parts["train"]["remedy"] == "pip install 'predictor[train]'"
    assert parts["images"]["missing"] == [] and parts["images"]["remedy"] is None
    assert parts["images"]["installed"]["pillow"] == here("pillow")
    text = doctor()
    assert re.search(r"^train +missing +training: .* timm$", text, re.MULTILINE)
    assert re.search(r"^images +ready .* -$", text, re.MULTILINE)
    assert "train: pip install 'predictor[train]'" in text.splitlines()  # what else is missing here follows
    rows = {row["part"]: row for row in csv.DictReader(io.StringIO(doctor("--format", "csv"))) if row["part"]}
    assert rows["train"]["missing"] == "timm" and rows["train"]["remedy"] == "pip install 'predictor[train]'"
    assert rows["images"]["missing"] == "" and f"pillow={here('pillow')}" in rows["images"]["installed"]
    written = doctor("--format", "markdown")
    assert "| train | missing | training: trainer plan, run, evaluate | timm |" in written
    assert "train: pip install 'predictor[train]'" in written


def test_slurm_without_sbatch_is_missing_it(monkeypatch) -> None:
    monkeypatch.setattr(installed.shutil, "which", lambda name: None)
    (slurm,) = (part for part in installed.parts() if part.part == "slurm")
    assert "the program sbatch" in slurm.missing


def test_the_fit_that_answers_is_named(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    own = shipped_fit()
    told = f"fit: the fit inside the package ({own.digest[:19]}, made {own.made}, "
    assert told in doctor() and told in doctor("--format", "markdown")
    assert own.digest in doctor("--format", "csv")
    (tmp_path / "runs").mkdir()
    own.save("runs/fit.json")
    fit = json.loads(doctor("--format", "json"))["fit"]
    assert fit["where"] == "runs/fit.json" and fit["digest"] == own.digest and fit["problem"] is None
    assert fit["made"] == load_fit("runs/fit.json").made
    (tmp_path / "runs" / "fit.json").write_text("{")
    told = json.loads(doctor("--format", "json"))["fit"]
    assert "not whole JSON" in told["problem"] and "fit: runs/fit.json: not whole JSON" in doctor()


def test_version_names_the_fit_with_its_digest_and_day() -> None:
    done = subprocess.run([sys.executable, "-m", "predictor", "--version"], capture_output=True, text=True)
    fit = shipped_fit()
    first, second = done.stdout.splitlines()
    assert first == f"predictor {package_version('predictor')}"
    assert second.startswith(f"fit that ships: {fit.digest[:19]}, made {fit.made}, ") and date.fromisoformat(fit.made)
    assert f"{fit.training['n_runs']:,} runs" in second


def test_a_fit_bears_the_day_on_which_its_file_was_written(tmp_path) -> None:
    fit = Fit(shipped_fit().content)
    assert fit.made is None
    again = load_fit(fit.save(tmp_path / "fit.json"))
    assert abs((date.fromisoformat(again.made) - date.today()).days) <= 1
    assert again.digest == fit.digest, "the day is no part of what was fitted"
    text = (tmp_path / "fit.json").read_text()
    for wrong in ("20261129", "yesterday", "2026-13-01"):
        with pytest.raises(FitError, match=f"says that it was made on '{wrong}'; needed: a day"):
            parse_fit(text.replace(again.made, wrong), where="fit.json")
    assert parse_fit(text.replace(f' "made": "{again.made}",\n', ""), where="fit.json").made is None


def test_the_citation_is_of_this_version_and_names_the_paper() -> None:
    cited = YAML(typ="safe").load((ROOT / "CITATION.cff").read_text())
    assert cited["cff-version"] == "1.2.0" and cited["version"] == PROJECT["version"] and cited["license"] == "MIT"
    assert {"title", "message", "authors", "type"} <= set(cited)
    assert cited["references"][0]["title"] in (ROOT / "README.md").read_text()
