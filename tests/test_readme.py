"""The README is true: its console blocks print what they say, its commands and links exist."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from predictor.models.fit import shipped_fit
from predictor.models.links import expit
from predictor.planning.pilots.spread import Errors, calibrate, cheap
from predictor.records import read_registry

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONSOLE = re.findall(r"```console\n(.*?)```", README, re.DOTALL)


def steps(block: str) -> list[tuple[str, str]]:
    """(command, output) of each '$ ' line and what stands below it."""
    parts = re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
    return [tuple(part.split("\n", 1)) for part in parts]  # type: ignore[misc]


@pytest.mark.parametrize(
    "block",
    [pytest.param(block, marks=pytest.mark.slow if "claims runs/" in block else ()) for block in CONSOLE],
    ids=range(len(CONSOLE)),
)
def test_console_blocks_print_what_they_say(block: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "runs", tmp_path / "runs", ignore=shutil.ignore_patterns("fit.json"))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for command, output in steps(block):
        done = subprocess.run(
            ["bash", "-c", command], capture_output=True, text=True, cwd=tmp_path, env={**os.environ, "PATH": path}
        )
        assert done.returncode == 0, done.stderr
        printed = [line.rstrip() for line in done.stdout.strip("\n").split("\n")]
        wanted = [line.rstrip() for line in output.strip("\n").split("\n")]
        assert printed == wanted, f"$ {command}"


@pytest.mark.slow
def test_the_grid_trains(tmp_path: Path) -> None:
    (tmp_path / "grid.yaml").write_text(re.search(r"<!-- grid -->\n```yaml\n(.*?)```", README, re.DOTALL)[1])
    words = [sys.executable, "-m", "trainer", "run", "grid.yaml"]
    done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, timeout=600)
    assert done.returncode == 0, done.stderr
    records = read_registry(tmp_path / "runs")
    assert len(records) == 4 and all(record.outcomes["accuracy"].value > 0.5 for record in records)


def test_the_validation_table_is_the_shipped_fits() -> None:
    rows = [r for r in shipped_fit().validation if r["chosen"] and r["split"] == "configuration"]
    assert rows
    for row in rows:
        inside, n = row["covered"]["0.9"]
        bounds = f"[{row['coverage_low']['0.9']:.2f}, {row['coverage_high']['0.9']:.2f}]"
        skill = " | ".join(f"{row['skill'][name]:.2f}" for name in ("mean", "log_n", "log_n_log_h", "nearest"))
        assert (
            f"| {row['outcome']} | {100 * row['mae']:.1f} | {row['spearman']:.2f} | {inside} of {n} {bounds} | {skill} "
            f"| {row['n_configurations']} ({row['n_runs']}) |\n"
        ) in README


def test_what_a_probe_brings_is_the_shipped_fits() -> None:
    own = shipped_fit().content["outcomes"]["accuracy"]["probed"]
    for basis in ("new_target_set", "new_domain"):
        block = own[basis]
        assert f"from {100 * block['mae_without']:.1f} to {100 * block['mae']:.1f}" in README
        assert f"on {len(set(block['left_out']))} left-out" in README.lower()


def test_the_limits_are_those_of_the_fit() -> None:
    fit = shipped_fit()
    for name, content in {"scratch": fit.content, **fit.content["recipe_families"]}.items():
        sets, ranges = content["target_sets"], content["ranges"]
        kinds = len({known["domain"] for known in sets.values()})
        (row,) = re.findall(rf"^\| {name} \|.*$", README, flags=re.MULTILINE)
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert cells[1].split(",")[0].split()[0] == str(len({r["model"] for r in content["recipes"]}))
        assert all(f"{size} px" in cells[1] for size in {r["image_size"] for r in content["recipes"]})
        assert cells[2].split()[0] == str(kinds) and cells[3] == str(len(sets))
        assert cells[4] == "{:.0f} to {:.0f}".format(*ranges["n_target_classes"])
        assert cells[5] == "{:,.0f} to {:,.0f}".format(*ranges["n_samples"])
        steps = ranges.get("image_steps")
        assert cells[6] == ("{:,.0f} to {:,.0f}".format(*steps) if steps else "none: its head is solved")


def test_there_is_a_real_prediction() -> None:
    assert any("predictor predict" in block for block in CONSOLE)
    assert "TODO" not in README


def test_ci_runs_the_readmes_own_commands() -> None:
    for name, must in (("main-command", "predictor fit runs/"), ("test-command", "pytest")):
        block = re.search(rf"<!-- {name} -->\n```sh\n(.*?)```", README, re.DOTALL)
        assert block and must in block[1] and block[1].count("\n") == 1


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "runs/README.md"])
def test_files_that_are_named_exist(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    for path in re.findall(r"`((?:predictor|trainer|runs|tests|benchmarks|notebooks)/[\w./-]+)`", text):
        if path not in ("runs/fit.json",):
            assert (ROOT / path).exists(), path
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (ROOT / target).exists(), target


def test_what_pilots_bring_is_the_shipped_fits() -> None:
    """Each target set left out, three of its cheap runs as pilots: the errors and intervals of its other runs."""
    held = Errors.of(shipped_fit().outcomes["accuracy"].target_set)
    before, after, width, inside = [], [], [], []
    for name in np.unique(held.sets):
        rest = held.sets != name
        own = np.flatnonzero(~rest)
        if len(own) < 5:
            continue
        others = Errors(held.x[rest], held.residuals[rest], held.sets[rest], held.units[rest])
        found = calibrate(others, 3)
        pilots = own[cheap(held.x[own], 3)]
        asked = np.setdiff1d(own, pilots)
        moved, sd = found.spread.posterior(held.x[pilots], held.residuals[pilots]).at(held.x[asked])
        truth = expit(held.x[asked] + held.residuals[asked])
        centre, half = held.x[asked] + moved, found.factor(0.9) * sd
        low, high = expit(centre - half), expit(centre + half)
        before.append(np.abs(expit(held.x[asked]) - truth))
        after.append(np.abs(expit(centre) - truth))
        width.append(high - low)
        inside.append((low <= truth) & (truth <= high))
    errors = [100 * float(np.concatenate(part).mean()) for part in (before, after, width)]
    held_by = np.concatenate(inside)
    wanted = (
        f"error of single runs from {errors[0]:.1f} to {errors[1]:.1f} points "
        f"({int(held_by.sum())} of {len(held_by)} intervals hold, {errors[2]:.1f} points wide)"
    )
    assert wanted in " ".join(README.split())
