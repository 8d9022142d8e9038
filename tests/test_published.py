"""Published sets by their real layouts: positions, masks and sizes; what is another set is refused."""

from __future__ import annotations

import os
from pathlib import Path
from unittest import mock

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from images import pattern
from layouts_made import imagenet_copy, linked
from trainer_command import trainer_command

from predictor.class_lists import class_list
from predictor.errors import DataError
from predictor.grids import load_grid
from predictor.images import published
from predictor.images.published import SETS, Published, read_published
from predictor.indicators import compute
from predictor.records.rules.counts import count_faults
from predictor.records.rules.specs import WrittenConfiguration
from predictor.records.schema import Counted, StageCounts
from predictor.spec import RunSpec, planned_counts
from trainer.data.opening import open_source
from trainer.data.selection import choose
from trainer.evaluate import score
from trainer.run import outcomes_of, rows_to_test

RUNS = Path(__file__).parents[1] / "runs"
V2 = "imagenetv2-matched-frequency-format-val"
TABLES = ("paper-table1", "paper-table2", "paper-table3")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """V2 and A as large as they are; of the others two images a class."""
    return imagenet_copy(tmp_path_factory.mktemp("data"), {"v2": 10, "a": 7500, "r": 400, "sketch": 1, "val": 1})


def small(**sizes: dict[str, int]):
    """The same sets with other numbers of images: copies of 50,000 images take too long to make."""
    wanted = {name.replace("_", "-"): exact for name, exact in sizes.items()}
    changed = {name: _with(SETS[name], exact) for name, exact in wanted.items()}
    return mock.patch.dict(published.SETS, changed)


def _with(said: Published, exact: dict[str, int]) -> Published:
    return Published(classes=said.classes, positions=said.positions, split=said.split, exact=exact)


def test_folders_of_v2_are_whole_numbers(copy) -> None:
    """As text '10' stands before '2': sorted so, nearly every class would be another one."""
    source = open_source("v2", copy / V2, "named:imagenet-v2")
    known = class_list("imagenet-1k")
    assert len(source.labels) == 10_000 and set(source.splits.tolist()) == {"test"}
    for row in (*range(0, 10_000, 997), 9_999):
        folder = int(source.describe(row).split("/")[0])
        assert source.labels[row] == known[folder]
    assert {name: len(source.rows(name, "test")) for name in (known[2], known[10], known[999])} == dict.fromkeys(
        (known[2], known[10], known[999]), 10
    )


def of_targets(shifts: dict[str, str]) -> RunSpec:
    sources = {"imagenet": "named:imagenet-1k"} | {name: f"named:{name}" for name in shifts.values()}
    return RunSpec.model_validate(
        {
            "protocol": 3,
            "sources": sources,
            "target": {
                "name": "in100",
                "classes": class_list("imagenet-100"),
                "test": {"source": "imagenet", "split": "val"},
                "shifts": {name: {"source": source} for name, source in shifts.items()},
            },
            "stages": [{"data": {"source": "imagenet", "samples_per_class": 1}, "image_steps": 10}],
            "model": {"name": "resnet18", "head": 1000},
            "recipe": {"learning_rate": 0.1},
            "seeds": {"data": 0, "training": 0},
        }
    )


def test_masks_of_a_and_r_leave_37_and_36_of_the_100_classes(copy) -> None:
    """Chance, covered targets and the clean accuracy on the same classes stand in the record of each shift."""
    spec = of_targets({"a": "imagenet-a", "r": "imagenet-r", "v2": "imagenet-v2"})
    places = {"imagenet": "imagenet", "imagenet-a": "imagenet-a", "imagenet-r": "imagenet-r", "imagenet-v2": V2}
    tests = {"accuracy": spec.target.test, **{f"shift:{name}": test for name, test in spec.target.shifts.items()}}
    generator = torch.Generator().manual_seed(0)
    tested = {}
    with small(imagenet_1k={"val": 1000}, imagenet_r={"test": 400}):
        for name, test in tests.items():
            source = open_source(test.source, copy / places[test.source], spec.sources[test.source])
            rows, labels = rows_to_test(spec, test, source)
            logits = torch.randn(len(rows), 100, generator=generator) + 2 * torch.eye(100)[labels]
            tested[name] = score(logits, torch.from_numpy(labels), spec.target.classes)
    outcomes = outcomes_of(tested, 100)
    for name, n, images in (("a", 37, {37, 38}), ("r", 36, {2})):
        shift = outcomes[f"shift:{name}"]
        assert set(shift.classes) == set(class_list("imagenet-100")) & set(class_list(f"imagenet-{name}"))
        assert shift.intersection.n_classes == n and set(shift.tested) <= images and shift.chance == 0.01
        clean = dict(zip(outcomes["accuracy"].classes, outcomes["accuracy"].correct, strict=True))
        assert shift.clean_value == pytest.approx(np.mean([clean[c] for c in shift.classes]))
        assert shift.intersection.value >= shift.value, "fewer classes to confuse it with"
    assert outcomes["shift:v2"].intersection is None and len(outcomes["shift:v2"].classes) == 100
    values = [outcomes[f"shift:{name}"].value for name in ("a", "r", "v2")]
    assert outcomes["robustness"].value == pytest.approx(np.mean(values))


def test_what_is_another_set_is_refused(copy, tmp_path) -> None:
    with pytest.raises(DataError, match=r"is no imagenet-v2: test has no image of 800 of its 1,000 classes: 'n014"):
        read_published("named:imagenet-v2", copy / "imagenet-a")
    with pytest.raises(DataError, match=r"is no imagenet-r: test has no image of \d+ of its 200 classes"):
        read_published("named:imagenet-r", copy / "imagenet-a")
    with pytest.raises(DataError, match=r"is no imagenet-sketch: test has 1,000 images; every copy has 50,889"):
        read_published("named:imagenet-sketch", copy / "imagenet-sketch")
    with pytest.raises(DataError, match=r"no published set 'imagenet-v3' \(near: .*'imagenet-v2'.*predictor digest"):
        read_published("named:imagenet-v3", copy / V2)
    image = tmp_path / "one.jpg"
    image.write_bytes(pattern(0, np.random.default_rng(0)))
    linked(tmp_path / "a", [*class_list("imagenet-a"), "cats"], 1, image)
    linked(tmp_path / "v2", ["0", "1000", "one"], 1, image)
    with pytest.raises(DataError, match=r"2 folders are no whole number from 0 to 999: '1000'; 'one'"):
        read_published("named:imagenet-v2", tmp_path / "v2")
    with small(imagenet_a={"test": 201}), pytest.raises(DataError, match="1 classes are none of its own: 'cats'"):
        read_published("named:imagenet-a", tmp_path / "a")


def test_a_copy_that_lacks_training_images_says_so(tmp_path) -> None:
    data = imagenet_copy(tmp_path, {"openimages-100": 2})
    source = open_source("oi", data / "openimages-100", "named:openimages-100")
    assert "train has 200 images; 136,175 were published" in source.notes


def test_ranks_and_sizes_may_follow_the_source(tmp_path) -> None:
    """The largest class of the source gets the largest size; what it has not is not invented."""
    image = tmp_path / "one.png"
    image.write_bytes(pattern(0, np.random.default_rng(0)))
    for name, n in (("few", 3), ("many", 9), ("some", 6)):
        linked(tmp_path / "pets/train", [name], n, image, "png")
        linked(tmp_path / "pets/test", [name], 1, image, "png")
    source = open_source("pets", tmp_path / "pets", published.open_images(tmp_path / "pets").digest)
    profile = {"shape": "explicit", "counts": [8, 4, 4]}
    data = {"source": "pets", "samples_per_class": 5, "profile": profile, "ranks": "source"}
    content = {
        "protocol": 3,
        "sources": {"pets": source.digest},
        "target": {"name": "t", "classes": ["few", "many", "some"], "test": {"source": "pets"}},
        "stages": [{"data": data, "image_steps": 10}],
        "model": {"name": "predictor_small", "head": 4},
        "recipe": {"learning_rate": 0.1},
        "seeds": {"data": 3, "training": 0},
    }
    spec = RunSpec.model_validate(content)
    with pytest.raises(DataError, match=r"'few' of pets .train.: 4 asked, 3 there"):
        choose(spec, 0, lambda name: source)
    content["stages"][0]["data"]["short"] = "take"
    spec = RunSpec.model_validate(content)
    taken = {part.label: len(part.rows) for part in choose(spec, 0, lambda name: source)}
    assert taken == {"few": 3, "many": 8, "some": 4}
    content["stages"][0]["data"]["ranks"] = "drawn"
    assert spec.run_id != RunSpec.model_validate(content).run_id

    def faults(counts: dict[str, int]) -> list[str]:
        stage = StageCounts(
            classes=tuple(counts), counts=tuple(counts.values()), sources=("pets",) * 3,
            targets=spec.target.classes, image_steps=10,
        )  # fmt: skip
        return count_faults(Counted(stages=(stage,)), WrittenConfiguration(spec.content()), spec.seeds)

    assert faults(taken) == []
    assert faults({"few": 3, "many": 9, "some": 4}) == [
        "stage 1: 9 images of class 1 by size from 'pets'; the spec asks for 8"
    ]


def test_the_grids_of_the_tables_have_the_figures_of_the_tables() -> None:
    rows = [line.split(",") for line in (RUNS / "published-table3/table.csv").read_text().splitlines()]
    wanted = [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]
    runs = load_grid(RUNS / "paper-table3/grid.yaml").runs
    assert len(runs) == len(wanted) == 9
    names = ("n_samples", "left_skew@5", "long_tail@500", "long_tail@100")
    for run, row in zip(runs, wanted, strict=True):
        found = {name: value.value for name, value in compute(planned_counts(run.spec), names).items()}
        assert found == pytest.approx({name: float(row[name]) for name in names}, abs=1e-3), row
        blend = run.spec.stages[0].data.blend
        share = float(row["source_share"])
        assert (blend.share if blend else 0) == pytest.approx(share if row["source"] == "oi100" else 1 - share)


@pytest.mark.parametrize("study", TABLES)
def test_a_table_is_a_clean_study_without_records(study) -> None:
    grid = load_grid(RUNS / study / "grid.yaml")
    assert {run.spec.target.classes for run in grid.runs} == {class_list("imagenet-100")}
    assert os.listdir(RUNS / study) == ["grid.yaml"]
    recipe = grid.runs[0].spec.recipe
    assert (recipe.optimiser, recipe.weight_decay, recipe.batch_size) == ("adamw", 0.3, 256)
    assert set(grid.runs[0].spec.target.shifts) == {"v2", "sketch", "r", "a"}


@pytest.mark.slow
@pytest.mark.parametrize("study", TABLES)
def test_a_plan_of_a_table_accepts_the_layouts(study, tmp_path) -> None:
    """Every folder that the grid names, with its real classes; a step of the network is tried as well."""
    sizes = {"train": 1, "val": 1, "v2": 10, "sketch": 1, "r": 200, "a": 7500, "openimages-100": 1, "openimages": 1}
    data = imagenet_copy(tmp_path / "data", sizes)
    one = pattern(1, np.random.default_rng(0))
    rows = [{"image": one, "label": f"n9{i:07d}"} for i in range(21_750)]
    (data / "imagenet-21k").mkdir()
    pq.write_table(pa.Table.from_pylist(rows), data / "imagenet-21k/train-00000-of-00001.parquet")
    exact = {"imagenet_1k": {"val": 1000}, "imagenet_r": {"test": 200}, "imagenet_sketch": {"test": 1000}}
    with small(**exact):
        result = trainer_command("plan", RUNS / study / "grid.yaml", "--data", data, "--runs", tmp_path / "runs")
    assert result.returncode == 0, result.stderr
    n = len(load_grid(RUNS / study / "grid.yaml").runs)
    assert f"{study}: {n} configurations, {n} runs, 0 of them" in result.stdout
