"""Few bytes of YAML can stand for any amount of work: counted before it is done."""

from __future__ import annotations

from pathlib import Path

import pytest

from predictor.errors import PredictorError, SpecError
from predictor.grids import load_grid, plan_grid
from predictor.grids.limits import count_runs

GRID = """
study: demo
protocol: 2
sources: {digits: {digest: "builtin:digits"}}
target_sets:
  digits8: {domain: digits, source: digits, flip: false, classes: ["0", "1", "2"]}
model: {name: predictor_small, image_size: 16, head: 10}
recipe: {batch_size: 64, image_steps: 2000, learning_rate: 0.03}
seeds: [0, 1]
grid:
  - {target_set: digits8, samples_per_class: [5, 20]}
"""


def grid(tmp_path: Path, old: str = "", new: str = "") -> Path:
    assert old in GRID
    path = tmp_path / "grid.yaml"
    path.write_text(GRID.replace(old, new, 1) if old else GRID)
    return path


def test_the_count_is_that_of_the_runs(tmp_path):
    assert len(load_grid(grid(tmp_path), most=4).runs) == 4
    with pytest.raises(SpecError, match="describes 4 runs; at most 3 are planned"):
        load_grid(grid(tmp_path), most=3)


@pytest.mark.parametrize("key", ["a", "others"])
@pytest.mark.parametrize("value", [None, "x", [], {}, [None], 5, ["x"], [[1]], {"n": "x"}])
def test_anything_can_be_counted(key, value):
    assert count_runs({"seeds": value, "grid": value, "random": value, key: value}) >= 0
    assert count_runs({"grid": [value, {"a": value}], "random": [{"sample": value}]}) >= 0


LONG = "x" * 100_000
LEVELS = str([*range(1, 1001)])
BOMBS = {
    "a thousand million runs": (
        "samples_per_class: [5, 20]",
        "samples_per_class: LEVELS, learning_rate: LEVELS, image_steps: LEVELS".replace(
            "LEVELS", str([*range(1, 1001)])
        ),
        "describes 2,000,000,000 runs; at most 100,000 are planned. split it",
    ),
    "seeds": (
        "[0, 1]\ngrid:\n  - {target_set: digits8, samples_per_class: [5, 20]}",
        f"{[*range(600)]}\ngrid:\n  - {{target_set: digits8, samples_per_class: {[*range(1, 201)]}}}",
        "describes 120,000 runs",
    ),
    "draws": (
        "grid:\n  - {",
        "random:\n  - {sample: 100000, seed: 0, ",
        "describes 200,000 runs",
    ),
    "brackets": ("[0, 1]", "[" * 5_000, "is nested deeper than any grid. check its brackets"),
    "braces": ("[0, 1]", "{a: " * 5_000, "is nested deeper than any grid. check its brackets"),
    "aliases": (
        "recipe:",
        "a: &a0 [1]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 10)) + "recipe:",
        "values once its aliases .* are written out; at most 500,000 are read. write it without aliases",
    ),
    "an alias of itself": ("recipe:", "a: &a [*a]\nrecipe:", "line 8: a: unknown key"),
    "a chain of aliases": (
        "recipe:",
        "a: &a0 [1]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 900)) + "recipe:",
        "is nested deeper than any grid",
    ),
    "size": ("recipe:", "# " + "x" * (1 << 20) + "\nrecipe:", "has 1,04.,... bytes; at most 1,048,576 are read"),
    "a number": ("protocol: 2", f"protocol: {'9' * 5_000}", "grid.yaml"),
    "a float": ("protocol: 2", "protocol: 1e999999", "grid.yaml"),
    "a date": ("protocol: 2", "protocol: 2020-99-99", "grid.yaml"),
    "a name": ("study: demo", f"study: {'x' * 300_000}", "at most 200"),
    "a name of a target set": (
        "digits8: {domain: digits",
        f"? {'x' * 100_000}\n  : {{domain: digits",
        "at most 1,?000",
    ),
    "a class": ('"0"', f'"{LONG}"', "at most 1,?000"),
    "a control character": ("digits8", '"a\\e[2J"', "grid.yaml"),
    "another encoding": ("demo", "d\udcffmo", "cannot be read"),
    "a tag that would run": ("demo", '!!python/object/apply:os.system ["touch /tmp/pwned"]', "grid.yaml"),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_one_message(tmp_path, bomb):
    old, new, message = BOMBS[bomb]
    path = tmp_path / "grid.yaml"
    path.write_bytes(GRID.replace(old, new, 1).encode(errors="surrogateescape"))
    with pytest.raises(SpecError, match=message) as raised:
        load_grid(path)
    assert len(str(raised.value)) < 5_000
    assert not Path("/tmp/pwned").exists()


def test_a_space_that_gives_nothing_new_is_left_soon(tmp_path, monkeypatch):
    from predictor.grids import expand

    monkeypatch.setattr(expand, "MISSES", 50)
    path = grid(tmp_path, "grid:\n  - {", "random:\n  - {sample: 1000, seed: 0, ")
    monkeypatch.setattr(expand, "DRAWS_PER_SAMPLE", 50)
    with pytest.raises(SpecError, match=r"only 2 different configurations in 1,?00\d draws, 1000 are asked for"):
        load_grid(path)


def test_a_grid_in_memory_has_the_same_limit():
    content = {"seeds": [0], "grid": [{"a": [*range(1000)], "b": [*range(1000)]}]}
    with pytest.raises(SpecError, match="describes 1,000,000 runs"):
        plan_grid(content)


def test_the_question_comes_before_the_work(tmp_path):
    pytest.importorskip("torch")
    from trainer.launch.command import Options, train_file

    levels = str([*range(1, 101)])
    path = grid(tmp_path, "[5, 20]", f"{levels}, image_steps: {levels}")
    with pytest.raises(PredictorError, match=r"20,000 runs, more than 1,000\. say --yes to train them all"):
        train_file(path, None, tmp_path / "runs", Options(), print)
    assert not (tmp_path / "runs").exists()
