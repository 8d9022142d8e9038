"""Which pilots are planned: trained as the fit's runs, where they tell something, at the cost that is said."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from predictor.distribution import LabelDistribution
from predictor.errors import FitError
from predictor.grids import plan_grid
from predictor.images.results import Probe, Probed, Size
from predictor.models.fit import shipped_fit
from predictor.models.links import expit
from predictor.planning.pilots import plan as planning
from predictor.planning.pilots.plan import grid_content, plan_pilots
from predictor.planning.pilots.recipe import trained_as_in, trained_like
from predictor.prediction import predict
from predictor.prediction.probed import with_probe
from predictor.records import read_registry
from predictor.spec import Model, Recipe, RunSpec

COUNTS = {"a": 240, "b": 200, "c": 120, "d": 90, "e": 60, "f": 40}
RUNS = Path(__file__).parents[1] / "runs"


@pytest.fixture(scope="module")
def fit():
    return shipped_fit()


@pytest.fixture
def manifest():
    return LabelDistribution.from_counts(COUNTS)


@pytest.mark.parametrize("model", ["predictor_small", "resnet10t"])
def test_a_pilot_is_trained_in_everything_as_the_runs_of_the_registry(fit, model, manifest):
    """Field by field against the specs of the runs that ship, whatever a default is."""
    plan = plan_pilots(fit, manifest, 2, model=model, image_size=32)
    content = grid_content(plan, trained_like(fit, model, 32), study="p", file="a.parquet", digest="sha256:" + "0" * 64)
    specs = {r.spec["model"]["name"]: RunSpec.model_validate(r.spec) for r in reference_runs()}
    reference = specs[model]
    for run in plan_grid(content).runs:
        for name in Recipe.model_fields:  # flips go by the images
            assert name == "flip" or getattr(run.spec.recipe, name) == getattr(reference.recipe, name), name
        for name in Model.model_fields:
            assert getattr(run.spec.model, name) == getattr(reference.model, name), name
        assert run.spec.protocol == reference.protocol
        low, high = fit.ranges["image_steps"]
        assert low <= run.spec.stages[0].image_steps <= high, "the fit knows no others"


def reference_runs():
    return [next(iter(read_registry(RUNS, [study]))) for study in ("joint-designs", "architectures-resnet10t")]


def test_a_recipe_of_one_s_own_is_taken_whole(fit, tmp_path):
    text = (RUNS / "joint-designs" / "grid.yaml").read_text()
    (tmp_path / "own.yaml").write_text(text.replace("augmentation: simclr-mild", "augmentation: crop, warmup: 0.2"))
    own = trained_as_in(tmp_path / "own.yaml")
    assert own.recipe["augmentation"] == "crop" and own.recipe["warmup"] == 0.2 and own.model["head"] == 512
    with pytest.raises(FitError, match=r"how runs of resnet50 at 64 px were trained .* --recipe GRID.yaml"):
        trained_like(fit, "resnet50", 64)


def test_a_plan_costs_what_it_says(fit, manifest):
    with pytest.raises(FitError, match=r"3 pilots for 30 % of 15,000 image-steps have 1,500 each.*--share 1.2"):
        plan_pilots(fit, manifest, 3, share=0.3)
    for share, n, steps in ((1.2, 3, 15_000), (0.61, 3, 30_000), (0.4, 1, 15_000)):
        plan = plan_pilots(fit, manifest, n, share=share, image_steps=steps)
        cost = sum(pilot.image_steps for pilot in plan.pilots)
        assert len(plan.pilots) == n and cost <= share * steps
        assert f"{100 * cost / steps:.0f} % of the whole run's {steps:,}" in plan.summary()


def test_the_width_now_is_that_of_the_prediction(fit, manifest):
    for own in (fit, with_probe(fit, probe_at(0.5))):
        outcome = predict(own, manifest, level=0.8).predictions[0].outcome("accuracy")
        plan = plan_pilots(own, manifest, 1, level=0.8)
        assert plan.width_now == plan.pilots[0].width_before == outcome.high - outcome.low


def test_of_pilots_that_narrow_as_much_the_cheapest_is_taken(fit, manifest, monkeypatch):
    (found,) = plan_pilots(fit, manifest, 1).pilots
    monkeypatch.setattr(planning, "AS_GOOD", 1.0)
    (narrowest,) = plan_pilots(fit, manifest, 1).pilots
    cost, most = ((pilot.image_steps, pilot.n_samples) for pilot in (found, narrowest))
    assert cost < most and narrowest.width_after < found.width_after <= 1.02 * narrowest.width_after


def test_pilots_are_planned_where_they_leave_chance(fit, manifest):
    """With a probe that says how hard the images are: of hard ones larger subsamples, and what cannot tell is said."""
    easy, hard = (with_probe(fit, probe_at(level)) for level in (2.0, -1.7))
    found = [plan_pilots(own, manifest, 3) for own in (easy, hard)]
    assert all(p.forecast >= 1 / 6 + 0.1 * 5 / 6 for plan in found for p in plan.pilots)
    smallest = [min(p.n_samples for p in plan.pilots) for plan in found]
    assert smallest[0] < smallest[1] and not any(plan.notes for plan in found)
    hopeless = plan_pilots(with_probe(fit, probe_at(-5.0)), manifest, 3)
    assert (
        len(hopeless.pilots) == 3
        and "subsample is forecast to do better than chance (16.7 % by guessing" in hopeless.notes[0]
    )
    assert hopeless.notes[0] in " ".join(hopeless.summary().split())


def test_what_to_ask_for_instead_of_pilots_at_chance_helps(fit, manifest):
    """What is forecast, what is needed, and a way out that ends the warning."""
    seen = set()
    for level in (-5.0, -2.8, -2.6, -2.4, -2.2, -2.0):
        own = with_probe(fit, probe_at(level))
        for note in plan_pilots(own, manifest, 3, manifest="m").notes:
            best, needed = re.search(r"^m: .*; the best reaches ([\d.]+) %; needed: ([\d.]+) %\)", note).groups()
            for option, value in re.findall(r"--(next|image-steps) (\d+)", note):
                seen.add(option)
                asked = {"n": int(value)} if option == "next" else {"n": 3, "image_steps": int(value)}
                assert not plan_pilots(own, manifest, **asked).notes
            assert ("--next" in note) == (float(best) >= float(needed))
            seen |= {"images"} if note.endswith("collect more images, or train the manifest itself") else set()
    assert seen == {"next", "image-steps", "images"}


def probe_at(level):
    """A probe of the manifest's classes with that level at 20 images a class."""
    share = 1 / 6 + 5 / 6 * float(expit(level))
    size = Size(samples_per_class=20, n_classes=6, n_tested=60, accuracy=share, standard_error=0.01, margin=0.0)
    classes = tuple(Probed(name=name, n_images=40, accuracy={20: share}) for name in COUNTS)
    return Probe(digest="sha256:0", split="train", image_size=32, n_images=240, n_draws=1, sizes=(size,),
                 classes=classes, left_out={})  # fmt: skip
