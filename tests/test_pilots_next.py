"""The pilot that is named next is the one that the printed command plans, trained as those before it."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from images import pattern
from synthetic import registry

from predictor.cli import predictor
from predictor.distribution import LabelDistribution
from predictor.errors import FitError
from predictor.fitting import fit_registry
from predictor.grids import load_grid
from predictor.models.fit import Fit
from predictor.planning.pilots import plan as planning
from predictor.planning.pilots.plan import Pilot, next_pilots
from predictor.records import RunRecord, write_record
from predictor.spec import RunSpec

SETS = tuple((f"cifar/{i}", ("cifar", 6, level)) for i, level in enumerate((-3.6, -3.1, -2.7, -2.2)))
COUNTS = (180, 160, 140, 120, 90, 70)


@pytest.fixture(scope="module")
def fit() -> Fit:
    return fit_registry(registry(n_configurations=24, n_seeds=1, target_sets=SETS), ["accuracy"], ["classwise"])


def pilots_of(name: str, n: int = 1) -> list[RunRecord]:
    own = ((name, ("cifar", 6, -1.2)),)
    return registry(n_configurations=n, n_seeds=1, target_sets=own, seed=5, study=name, image_steps=(30_000,))


@pytest.fixture
def place(fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A list of images without a test split, a fit, and a registry with pilots of it and of another target set."""
    monkeypatch.chdir(tmp_path)
    fit.save(tmp_path / "fit.json")
    rows = [(f"{c}-{i}.png", f"own/{c:02d}") for c, n in enumerate(COUNTS) for i in range(n)]
    generator = np.random.default_rng(0)
    for name, label in rows:
        (tmp_path / name).write_bytes(pattern(int(label[-2:]), generator))
    (tmp_path / "list.csv").write_text("path,label\n" + "".join(f"{name},{label}\n" for name, label in rows))
    for record in (*pilots_of("own"), *pilots_of("other")):
        write_record(tmp_path / "runs", record)
    return tmp_path


def say(line: str) -> str:
    done = CliRunner().invoke(predictor, shlex.split(line)[1:], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


ASKED = "predictor predict list.csv --fit fit.json --pilot runs --target-set own --no-probe --level 0.8"


def test_the_pilot_that_is_named_is_the_one_that_the_printed_command_plans(place: Path) -> None:
    text = " ".join(say(ASKED).split())
    numbers = r"next pilot ([\d,]+) images, ([\w ]+): width ([\d.]+) -> ([\d.]+) points"
    named = re.search(numbers + " (predictor .*? --next 1)", text)
    assert named, text
    (pilot,) = json.loads(say(f"{named[5]} --format json"))["pilots"]
    told = (
        f"{pilot['n_samples']:,}",
        pilot["shape"],
        *(f"{100 * pilot[f'width_{at}']:.1f}" for at in ("before", "after")),
    )
    assert told == named.groups()[:4]
    kept = next(line for line in say(f"{named[5]} --output again.yaml").splitlines() if "kept for testing" in line)
    assert kept, "an eighth is kept, or this test shows nothing"


def test_the_printed_commands_name_the_target_set_of_a_registry_of_several(place: Path) -> None:
    text = say("predictor pilots list.csv --fit fit.json --pilot runs --target-set own --no-probe --next 1")
    again = next(line.strip() for line in text.splitlines() if "predictor predict list.csv" in line)
    assert "--target-set own" in again and "TARGET SET own" in say(again[again.index("predictor") :])


def test_further_pilots_are_trained_as_those_before_them(place: Path, fit) -> None:
    record = pilots_of("mine")[0]
    spec = {**record.spec, "recipe": {**record.spec["recipe"], "learning_rate": 0.0123, "flip": False}}
    ids = {name: getattr(RunSpec.model_validate(spec), name) for name in ("run_id", "configuration_id")}
    write_record(place / "mine", record.model_copy(update={"spec": spec, **ids}))
    (place / "m.csv").write_text("label,count\n" + "".join(f"mine/{c:02d},{n}\n" for c, n in enumerate(COUNTS)))
    where = "--source a.parquet --digest sha256:" + "0" * 64
    text = say(f"predictor pilots m.csv --fit fit.json --pilot mine --next 1 {where}")
    grid = load_grid("pilots-2.yaml")
    assert {run.spec.recipe.learning_rate for run in grid.runs} == {0.0123}
    assert {run.spec.recipe.flip for run in grid.runs} == {False} and "never mirrored" in text
    with pytest.raises(FitError, match=r"the pilots state their recipe themselves. leave --recipe out"):
        say(f"predictor pilots m.csv --fit fit.json --pilot mine --next 1 {where} --recipe pilots-2.yaml")


def test_a_recipe_of_one_s_own_is_kept_and_what_is_printed_runs(place: Path) -> None:
    where = "--source a.parquet --digest sha256:" + "0" * 64
    asked = f"predictor pilots list.csv --fit fit.json --no-probe --next 1 {where}"
    say(f"{asked} --image-steps 40000 --output own.yaml")
    text = Path("own.yaml").read_text()
    Path("own.yaml").write_text(re.sub(r"image_steps: \d+", "image_steps: 50000", text))
    told = say(f"{asked} --recipe own.yaml --output grid.yaml")
    assert "of the whole run's 50,000" in told, "as `predict --recipe own.yaml` says"
    again = next(line.strip() for line in told.splitlines() if "predictor predict list.csv" in line)
    assert "--image-steps 50000" in again and "--recipe" not in again, "pilots state their recipe themselves"


@pytest.mark.parametrize("name", ["frozen-lite0", "fine-tuned-lite0", "scratch-resnet10t"])
def test_pilots_of_a_recipe_that_the_fit_names(place: Path, name: str) -> None:
    text = " ".join(say(f"predictor predict list.csv --recipe {name} --no-probe").split())
    (command,) = {*re.findall(r"predictor pilots list\.csv .*?--next 3", text)}
    assert f"--recipe {name}" in command
    told = say(command)
    grid = load_grid("pilots.yaml")
    assert len(grid.runs) == 3 and {run.spec.model.name for run in grid.runs} == {
        "resnet10t" if "resnet" in name else "tf_efficientnet_lite0"
    }
    assert ("its head is solved for" in told) == (grid.runs[0].spec.model.train == "head") == (name == "frozen-lite0")
    assert "--recipe" not in next(line for line in told.splitlines() if "predictor predict" in line)


def test_a_pilot_that_brings_nothing_is_not_named(fit, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = LabelDistribution.from_counts({f"own/{c:02d}": n for c, n in enumerate(COUNTS)})
    found = next_pilots(fit, {"m": manifest}, pilots_of("own"))["m"]
    assert isinstance(found, Pilot) and found.worth and found.width_after < 0.98 * found.width_before
    monkeypatch.setattr(planning, "WORTH", 0.99)
    assert next_pilots(fit, {"m": manifest}, pilots_of("own")) == {
        "m": "a further one is expected to narrow the interval by less than 99 % of its width"
    }


def test_why_no_pilot_is_next_is_said(fit) -> None:
    """It was left out without a word; images of several labels ended the prediction."""
    few = LabelDistribution.from_counts({f"own/{c:02d}": 2 for c in range(6)})
    several = LabelDistribution.from_counts({f"own/{c:02d}": n for c, n in enumerate(COUNTS)}, n_samples=200)
    found = next_pilots(fit, {"few": few, "several": several}, pilots_of("own"))
    assert found["few"] == ("12 image(s) of 6 classes are too few to subsample once more; train the manifest itself")
    assert str(found["several"]).startswith("images carry several labels")
