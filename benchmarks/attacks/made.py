"""Small sound inputs that attacks begin with: a manifest, a grid, a registry."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]
STUDY = "first-look"
MANIFEST = "label,count\nbear,180\nbee,120\nbridge,80\nbus,50\n"
GRID = """
study: demo
protocol: 3
sources: {digits: {digest: "builtin:digits"}}
target_sets:
  digits8: {domain: digits, source: digits, flip: false, classes: ["0", "1", "2"]}
model: {name: predictor_small, image_size: 16, head: 10}
recipe: {batch_size: 64, image_steps: 2000, learning_rate: 0.03}
seeds: [0, 1]
grid:
  - {target_set: digits8, samples_per_class: [5, 20]}
"""
Make = Callable[[Path], object]


def manifest(folder: Path) -> Path:
    """A label list, m.csv."""
    path = folder / "m.csv"
    path.write_text(MANIFEST)
    return path


def grid(folder: Path, old: str = "", new: str = "") -> Path:
    """A grid, g.yaml, with one text changed."""
    assert old in GRID, old
    path = folder / "g.yaml"
    path.write_bytes(GRID.replace(old, new, 1).encode(errors="surrogateescape"))
    return path


@functools.cache
def records(n: int = 12) -> tuple[str, ...]:
    """Texts of real records of one study."""
    from predictor.records import read_registry

    return tuple(record.to_json() for record in read_registry(ROOT / "runs", [STUDY])[:n])


def registry(folder: Path, n: int = 12) -> Path:
    """Records as single files, runs/first-look/<run_id>.json; returns the folder of the study."""
    study = folder / "runs" / STUDY
    study.mkdir(parents=True, exist_ok=True)
    for text in records(n):
        (study / f"{json.loads(text)['run_id']}.json").write_text(text + "\n")
    return study


def first(study: Path) -> Path:
    """The first record of a study."""
    return min(path for path in study.glob("*.json"))


@functools.cache
def fit_content() -> str:
    """The fit that ships, with one outcome, without its digest."""
    from predictor.models.fit import shipped_fit

    content = dict(shipped_fit().content)  # as it is looked at: the file keeps what is repeated once
    del content["recipe_families"]  # of the same shape
    content["outcomes"] = {"accuracy": content["outcomes"]["accuracy"]}
    content["validation"] = []
    return json.dumps(content)


def all_of(*parts: Make) -> Make:
    """Prepare several things."""

    def prepare(folder: Path) -> None:
        for part in parts:
            part(folder)

    return prepare
