"""Pilots that are all at chance: they pull nothing, and the page says so, why, and one next step at the right width."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from synthetic import registry
from test_pilots import COUNTS, MINE, NAMES, SETS, at_chance

from predictor.cli import predictor
from predictor.distribution import LabelDistribution
from predictor.errors import FitError
from predictor.fitting import fit_registry
from predictor.models.fit import Fit
from predictor.planning.pilots.plan import plan_pilots
from predictor.planning.pilots.predict import predict_with_pilots
from predictor.planning.pilots.read import AtChance, read_pilots
from predictor.planning.scaling import scale_curve
from predictor.prediction import predict
from predictor.records import RunRecord, write_record

NETWORK: dict[str, Any] = {"model": "small-net", "image_size": 32}


@pytest.fixture(scope="module")
def fit() -> Fit:
    return fit_registry(registry(n_configurations=24, n_seeds=1, target_sets=SETS), ["accuracy"], ["classwise"])


@pytest.fixture(scope="module")
def silent() -> list[RunRecord]:
    """Three small pilots of a domain that the fit knows."""
    own = ((MINE, ("cifar", 6, -0.9)),)
    made = registry(n_configurations=20, n_seeds=1, target_sets=own, seed=5, study="pilots", image_steps=(30_000,))
    return [at_chance(record) for record in sorted(made, key=images)[:3]]


def images(record: RunRecord) -> int:
    assert record.distribution is not None
    return int(record.distribution.target_counts.sum())


@pytest.fixture
def manifest() -> LabelDistribution:
    return LabelDistribution.from_counts(dict(zip(NAMES, COUNTS, strict=True)))


def test_their_domain_pulls_the_prediction_no_more_than_they_do(fit, silent, manifest) -> None:
    (found,) = predict_with_pilots(fit, {"m": manifest}, silent, all_classes=True).predictions
    (plain,) = predict(fit, {"m": manifest}, **NETWORK, all_classes=True).predictions
    assert (found.outcomes, found.classes, found.basis, found.domain) == (
        plain.outcomes, plain.classes, "new_domain", "new",
    )  # fmt: skip
    assert found.pilots == {"n_configurations": 0, "n_runs": 0, "at_chance": 3} and found.silent == 3
    named = predict_with_pilots(fit, {"m": manifest}, silent, domain="cifar").predictions[0]
    assert named.basis == "new_target_set", "a domain that the user names is known"


def test_the_width_now_is_that_without_them_and_what_is_planned_goes_beyond_them(fit, silent, manifest) -> None:
    own = predict(fit, {"m": manifest}, **NETWORK).predictions[0].outcome("accuracy")
    plan = plan_pilots(fit, manifest, 1, pilots=silent)
    assert plan.width_now == plan.pilots[0].width_before == pytest.approx(own.high - own.low, abs=1e-12)
    tried = read_pilots(silent).at_chance
    every = plan_pilots(fit, manifest, 20, pilots=silent).pilots
    assert every and not any(one.covers(pilot.n_samples, pilot.image_steps) for one in tried for pilot in every)
    assert any(one.covers(pilot.n_samples, pilot.image_steps) for one in tried
               for pilot in plan_pilots(fit, manifest, 20, **NETWORK).pilots), "or this test shows nothing"  # fmt: skip


@pytest.mark.parametrize(
    ("steps", "why"),
    [
        (30_000, r"its [\d,]+ images were too few, or shown too seldom; train on more, or for longer"),
        (40_000, "no run of the fit had so few image-steps; train with 40,000 or more"),
    ],
)
def test_each_says_why_it_tells_nothing(silent, steps: int, why: str) -> None:
    told = [one.text(steps) for one in read_pilots(silent).at_chance]
    assert len(told) == 3 and all(re.search(f"it tells nothing and is left out; {why}$", text) for text in told)


def test_the_page_names_them_and_one_next_step(fit, silent, manifest, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    fit.save(tmp_path / "fit.json")
    (tmp_path / "m.csv").write_text("label,count\n" + "".join(f"{n},{c}\n" for n, c in zip(NAMES, COUNTS, strict=True)))
    for record in silent:
        write_record(tmp_path / "tried", record)
    words = ["predict", "m.csv", "--fit", "fit.json", "--pilot", "tried"]
    done = CliRunner().invoke(predictor, words, catch_exceptions=False)
    assert done.exit_code == 0
    text = " ".join(done.stdout.split())
    assert "m.csv DOMAIN new, 3 pilots at chance" in text and "no pilots" not in text and "1-3" not in text
    assert "It is as without pilots: 3 pilots at chance tell nothing." in text
    assert re.findall(r"predictor pilots (?:(?!predictor ).)*--next (\d+)", text) == ["1"]
    own = predict(fit, {"m": manifest}, **NETWORK).predictions[0].outcome("accuracy")
    (width,) = re.findall(r"next pilot [\d,]+ images, [\w ]+: width ([\d.]+) -> ", text)
    assert width == f"{100 * (own.high - own.low):.1f}"


def test_a_curve_at_their_level_is_refused_as_advice_is(fit, silent, manifest) -> None:
    with pytest.raises(FitError, match=r"^pilots: pilot .* no pilot tells anything.*leave --pilot out until some tell"):
        scale_curve(fit, manifest, pilots=silent)


def test_pilots_beyond_the_image_steps_of_the_fit_have_no_coverage(fit, manifest) -> None:
    """What is measured of pilots was measured on runs as long as those of the fit."""
    own = ((MINE, ("cifar", 6, -0.9)),)
    short, usual = (
        registry(n_configurations=3, n_seeds=1, target_sets=own, seed=5, study="pilots", image_steps=(steps,))
        for steps in (640, 30_000)
    )
    found = predict_with_pilots(fit, {"m": manifest}, short).predictions[0]
    assert (
        found.status == "outside" and found.outcomes[0].covered is None and "uncalibrated" in found.outcomes[0].reason
    )
    assert any("pilots with 640 image-steps; the fit saw" in line for line in found.warnings)
    inside = predict_with_pilots(fit, {"m": manifest}, usual).predictions[0]
    assert inside.status == "pilot" and "uncalibrated" not in (inside.outcomes[0].reason or "")


def test_a_frozen_pilot_at_chance_is_not_planned_again() -> None:
    """It has no image-steps that could be more: only more images tell more."""
    silent = AtChance("c", 0.3, 1 / 3, 90, 1, None, 60)
    assert silent.covers(60, 60) and silent.covers(30, 10**6) and not silent.covers(61, 61)
    assert "train on more" in silent.text() and "for longer" not in silent.text()
    trained = AtChance("c", 0.3, 1 / 3, 90, 1, 6000, 60)
    assert trained.covers(60, 6000) and not trained.covers(60, 6001) and "for longer" in trained.text()
