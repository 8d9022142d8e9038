"""What docs/imagenet.md and docs/cost.md say is what the package does and what the grids cost."""

from __future__ import annotations

import re
from contextlib import chdir
from pathlib import Path

import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from predictor.cli import predictor
from predictor.grids import load_grid
from predictor.images.published import SETS
from predictor.images.readers.view import KEYS
from predictor.records.shift_rows import shift_rows
from trainer.cli import trainer
from trainer.data.streamed import PLACES, VARIABLE

ROOT = Path(__file__).parents[1]
PAGE, COST = ((ROOT / f"docs/{name}.md").read_text(encoding="utf-8") for name in ("imagenet", "cost"))
RATE, WATTS, PRICE = 1_500, 400, 2  # images a second and GPU, watts a GPU, dollars a GPU-hour, as the page says


def test_published_sets_and_their_sizes_stand_in_the_page() -> None:
    assert set(re.findall(r"`named:([\w-]+)`", PAGE)) == set(SETS)
    for said in SETS.values():
        assert all(f"{n:,}" in PAGE for n in said.exact.values())


def test_the_view_is_one() -> None:
    (text,) = re.findall(r"```yaml\n(images:.*?)```", PAGE, re.DOTALL)
    assert set(YAML(typ="safe", pure=True).load(text)) == set(KEYS) - {"map"} and "`map:`" in text


def test_options_and_words_exist() -> None:
    for name, options in {"cache": ("--encoding", "--decode", "--size"), "run": ("--threads", "--bad-images")}.items():
        known = {option for parameter in trainer.commands[name].params for option in parameter.opts}
        assert set(options) <= known and all(option in PAGE for option in options)
    assert f"{VARIABLE}={'|'.join(PLACES)}" in PAGE
    for study in ("paper-table1", "paper-table2", "paper-table3"):
        names = {source.file for source in load_grid(ROOT / "runs" / study / "grid.yaml").sources.values()}
        assert all(f"`{name}`" in PAGE for name in names - {None})


def test_the_block_runs() -> None:
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    found: dict[str, object] = {}
    with chdir(ROOT):
        exec(block, found)
    assert found["shift_rows"] is shift_rows and len(found["rows"]) > 300


def test_the_command_prints_every_shift() -> None:
    (words,) = re.findall(r"^    predictor (runs show .*)$", PAGE, re.MULTILINE)
    with chdir(ROOT):
        done = CliRunner().invoke(predictor, words.split())
    assert done.exit_code == 0 and {"chance", "clean", "effective", "average"} <= set(done.stdout.split())


def test_the_page_says_that_no_gpu_has_run_it() -> None:
    assert "**On a GPU nothing of this page has been run**" in PAGE and "none of this was run on\none" in COST


def test_costs_follow_from_the_grids() -> None:
    total = [0.0] * 5
    for study in ("paper-table1", "paper-table2", "paper-table3", "all"):
        cells = next(line for line in COST.splitlines() if re.match(rf"\| `?{study}`? \|", line)).split("|")[2:-1]
        said = [float(cell.replace("million", "").replace(",", "")) for cell in cells]
        if study == "all":
            wanted = total
        else:
            runs = load_grid(ROOT / "runs" / study / "grid.yaml").runs
            steps = sum(stage.image_steps for run in runs for stage in run.spec.stages)
            hours = steps / RATE / 3600
            wanted = [len(runs), steps / 1e6, hours, hours * WATTS / 1000, hours * PRICE]
            total = [a + b for a, b in zip(total, wanted, strict=True)]
        assert said[:3] + said[4:] == pytest.approx(wanted, rel=0.01, abs=0.6), study
        assert said[3] == pytest.approx(said[2] / 4, abs=0.6)
