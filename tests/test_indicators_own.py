"""A user's own indicator: from a file, from another package, and for the records of an old registry."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from records_made import made_record

from predictor.errors import PredictorError
from predictor.extensions import load
from predictor.indicators import Context, compute
from predictor.records import frame, write_record
from predictor.records.indicator_inputs import indicator_context, indicator_key
from predictor.records.schema import Counted, StageCounts

ROOT = Path(__file__).parents[1]
OWN = '''
from predictor import LabelDistribution, indicator

@indicator(unit="share", bounds=(0, 1), direction=-1, source="me")
def own_singletons(distribution: LabelDistribution) -> float:
    """Share of the target classes with a single image."""
    return (distribution.target_counts == 1).mean()
'''


def predictor(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The command as a user runs it in a folder of theirs: what it registers stays in its own process."""
    call = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); sys.path.append('.')\n"]
    call[-1] += f"sys.argv = ['predictor', *{words!r}]\nfrom predictor.cli import main\nmain()"
    return subprocess.run(call, capture_output=True, text=True, cwd=folder, timeout=600)


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "m.csv").write_text("label,count\na,1\nb,9\n")
    (tmp_path / "mine.py").write_text(OWN)
    (tmp_path / "mypackage").mkdir()
    (tmp_path / "mypackage" / "__init__.py").write_text("")
    (tmp_path / "mypackage" / "indicators.py").write_text(OWN)
    return tmp_path


@pytest.mark.parametrize("own", ["mine.py", "mypackage.indicators"])
def test_it_stands_in_the_table_and_the_list(folder, own) -> None:
    done = predictor(folder, "--load", own, "indicators", "m.csv", "--format", "csv")
    assert done.returncode == 0 and "own_singletons,share,0.5," in done.stdout, done.stderr
    done = predictor(folder, "--load", own, "--load", own, "indicators", "--list", "--format", "json")
    (row,) = [r for r in json.loads(done.stdout)["indicators"] if r["name"] == "own_singletons"]
    assert row["what"] == "Share of the target classes with a single image." and row["direction"] == "more hurts"
    assert "own_singletons" not in predictor(folder, "indicators", "m.csv").stdout


def test_an_old_registry_gets_it_without_training(folder) -> None:
    for seed in range(3):
        write_record(folder / "runs", made_record(seed))
    before = sorted(path.read_bytes() for path in (folder / "runs").rglob("*.json"))
    code = "from predictor import frame, read_registry\nimport mine\nt = frame(read_registry('runs'))\n"
    code += "print(t['ind_own_singletons'].tolist())"
    run = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); sys.path.append('.')\n{code}"]
    done = subprocess.run(run, capture_output=True, text=True, cwd=folder, timeout=600)
    assert done.stdout == "[0.0, 0.0, 0.0]\n", done.stderr
    table = predictor(folder, "--load", "mine.py", "agreement", "runs", "--indicator", "own_singletons")
    assert table.returncode == 0, table.stderr
    assert sorted(path.read_bytes() for path in (folder / "runs").rglob("*.json")) == before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "no such file. name a Python file or module that registers indicators"),
        ("def (", "cannot be loaded: SyntaxError: invalid syntax"),
        ("import nowhere_to_be_found", "cannot be loaded: ModuleNotFoundError: No module named 'nowhere_to_be_found'"),
        (OWN.replace("own_singletons", "gini"), "an indicator named 'gini' is registered already. choose another name"),
    ],
)
def test_a_file_that_cannot_be_loaded(tmp_path, text, message) -> None:
    path = tmp_path / "broken.py"
    if text is not None:
        path.write_text(text)
    for _ in range(2):  # a failed file is not taken for loaded
        with pytest.raises(PredictorError) as error:
            load(str(path))
        assert str(error.value).startswith(f"{path}: {message}")


def test_a_module_that_cannot_be_loaded() -> None:
    with pytest.raises(PredictorError, match="nowhere_x: cannot be loaded: ModuleNotFoundError"):
        load("nowhere_x")


def test_records_know_their_stages_test_images_and_rendered_sources() -> None:
    record = made_record(0)
    assert isinstance(record.data, Counted)
    (last,) = record.data.stages
    first = StageCounts(
        classes=tuple(f"f{i}" for i in range(40)), sources=("dots",) * 40, counts=(2,) * 40, targets=(), image_steps=9
    )
    sources = {**record.spec["sources"], "dots": "fractals:40x2"}
    staged = record.model_copy(
        update={
            "data": Counted(stages=(first, last)),
            "spec": {**record.spec, "sources": sources},
        }
    )
    context = indicator_context(staged)
    assert [stage.n_classes for stage in context.stages] == [40, len(set(last.classes))]
    assert context.synthetic == {"dots"} and context.test is not None
    names = ["stage_classes@1", "stage_classes@2", "kl_test", "synthetic_share"]
    table = frame([record, staged], names)
    assert table["ind_stage_classes@1"].tolist() == [len(set(last.classes)), 40]
    assert table["ind_stage_classes@2"].isna().tolist() == [True, False]
    assert compute(first.distribution, ["synthetic_share"], context)["synthetic_share"].value == 1
    assert indicator_key(staged) != indicator_key(record)
    tested = record.outcomes["accuracy"]
    assert context.test.counts.sum() == sum(tested.tested)
    assert indicator_context(record.model_copy(update={"outcomes": {}, "spec": None})) == Context()
