"""One builder and one writer of grids: what they make can be planned and trained, whatever names it holds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from predictor.cli import predictor
from predictor.grids import load_grid, plan_grid
from predictor.grids.compose import compose, source, target_set
from predictor.grids.write import check_grid, grid_text
from predictor.models.fit import shipped_fit
from predictor.spec import PROTOCOL, PROTOCOLS, TestSet

ROOT = Path(__file__).parents[1]
DIGEST = "sha256:" + "0" * 64
NAMES = ("NO", "yes", "0", "1e-3", "~", "null", "a: b", "#tag", "- dash", "é", "it's", "'", '"', "0x1f", "1_000")


def grid(classes, name="mine", domain="made", protocol=PROTOCOL):
    return compose(
        study="s",
        protocol=protocol,
        sources={"a": source("a", DIGEST), "b": source("b", DIGEST, "other.parquet"), "unused": source("c", DIGEST)},
        target_sets={
            name: target_set(domain=domain, source="a", classes=classes, shifts={"t": TestSet(source="b")}),
            "unused": target_set(domain=domain, source="a", classes=classes),
        },
        model={"name": "predictor_small", "image_size": 16, "head": len(classes)},
        recipe={"learning_rate": 0.1, "image_steps": 500},
        seeds=[0, 1],
        blocks=[{"target_set": name, "samples_per_class": [5, 10]}],
    )


def test_only_what_is_named_stands_in_a_grid() -> None:
    content = grid(["x", "y"])
    assert list(content["sources"]) == ["a", "b"] and list(content["target_sets"]) == ["mine"]
    assert content["sources"]["a"] == {"file": "a.parquet", "digest": DIGEST}
    assert check_grid(content, "made") == 4


@given(st.lists(st.sampled_from(NAMES), min_size=2, max_size=6, unique=True))
@settings(deadline=None, max_examples=25)
def test_names_stay_what_they_are_for_every_reader_of_yaml(classes) -> None:
    import tempfile

    content = grid(classes)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "grid.yaml"
        path.write_text(grid_text(content, ["made"]))
        assert load_grid(path).runs == plan_grid(content).runs
        assert load_grid(path).runs[0].spec.target.classes == tuple(classes)
        for name in ("NO", "yes", "0", "null"):  # a reader of YAML 1.1 takes them for something else
            if name in classes:
                assert f'"{name}"' in path.read_text()


def test_there_is_one_builder_and_one_writer() -> None:
    sources = {path: path.read_text() for path in (ROOT / "predictor").rglob("*.py")}
    writers = [path.name for path, text in sources.items() if re.search(r"yaml\.dump|\.dump\(styled", text)]
    assert writers == ["write.py"]
    builders = [
        path.name for path, text in sources.items() if re.search(r"\"study\": study, \"protocol\": protocol", text)
    ]
    assert builders == ["compose.py"]


@pytest.mark.parametrize("recipe", [None, "grid.yaml"])
def test_pilots_have_the_protocol_of_their_recipe_or_of_the_fit_s_runs(tmp_path, monkeypatch, recipe) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.csv").write_text("label,count\ncat,300\ndog,200\nNO,100\n")
    Path("grid.yaml").write_text(grid_text(grid(["x", "y"], protocol=min(PROTOCOLS))))
    words = ["pilots", "mine.csv", "--next", "1", "--source", "images.parquet", "--digest", DIGEST]
    done = CliRunner().invoke(predictor, [*words, *(["--recipe", recipe] if recipe else [])])
    assert done.exit_code == 0, done.output
    protocols = {run.spec.protocol for run in load_grid("pilots.yaml").runs}
    fitted = shipped_fit().trained_as("predictor_small", 32)
    assert protocols == {min(PROTOCOLS) if recipe else fitted.protocol} and protocols <= set(PROTOCOLS)
    assert '"NO"' in Path("pilots.yaml").read_text()
