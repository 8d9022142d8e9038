"""Where nothing says a level, no command states one: what `predict` does not know, `advise` and `curve` do not know."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import pytest

from predictor.distribution import LabelDistribution
from predictor.models.fit import Fit, shipped_fit
from predictor.planning import advise
from predictor.planning.scaling import scale_curve
from predictor.prediction import predict
from predictor.render import advice as pages
from predictor.render.page import result_text
from predictor.results import Result

FAR = {"image_steps": 900_000_000}  # the fit saw 60,000 at most
OTHER = {"model": "resnet50", "image_size": 64}  # no run had it
VALUE = re.compile(r"(?<![\d.,\[])\d+\.\d %(?! interval)")  # a level; an interval alone is '[1.2, 99.9] %'


@pytest.fixture(scope="module")
def fit() -> Fit:
    return shipped_fit()


@pytest.fixture(scope="module")
def manifest() -> LabelDistribution:
    return LabelDistribution.from_counts({"a": 110, "b": 80, "c": 50, "d": 40})


def told(found: Result) -> list[str]:
    """Levels on a page."""
    return VALUE.findall(found.summary())


@pytest.mark.parametrize("asked", [FAR, OTHER, {}])
def test_advise_knows_a_level_where_predict_and_curve_do(fit, manifest, asked: dict[str, Any]) -> None:
    (one,) = predict(fit, {"m": manifest}, **asked).predictions
    backed = one.outcome("accuracy").backed
    advice = advise(fit, manifest, 60, wanted=0.95, manifest="m", **asked)
    curve = scale_curve(fit, manifest, (0.5, 2), manifest="m", **asked)
    assert backed == (not asked) == advice.plan("now").backed == next(p.backed for p in curve.points if p.scale == 1)
    assert bool(told(advice)) == bool(told(curve)) == backed
    assert ("no level is known" in pages.content(advice)["sentence"]) != backed


@pytest.mark.parametrize("asked", [FAR, OTHER])
def test_without_a_level_plans_are_compared_alone(fit, manifest, asked: dict[str, Any]) -> None:
    advice = advise(fit, manifest, 60, wanted=0.95, drop_below=45, manifest="m", **asked)
    best = advice.plan("advised")
    dropped = next(change for change in advice.changes if change.kind == "labels")
    assert best.collected == 60 and best.p_better > 0.5 and best.gain_at_half > 0
    assert all(own.gain is own.gain_low is own.gain_high is None for own in (*advice.plans, *advice.changes))
    assert dropped.gain_at_half < 0 and all(row.gain is None or row.gain == row.low == 0 for row in advice.against)
    assert advice.five_points is None and advice.reach.images is None and advice.reach.value is None
    assert not any("at the level that is predicted" in note for note in advice.notes)
    text = " ".join(advice.summary().split())
    assert "if now has 50 %" in text and "points against now" not in text
    rows = list(csv.DictReader(io.StringIO(result_text(pages, advice, "csv"))))
    plans = [row for row in rows if row["kind"] == "plan"]
    assert {row["backed"] for row in plans} == {"False"} and {row["gain"] for row in plans} == {""}


def test_a_plan_beyond_the_fit_stands_beside_those_inside(fit, manifest) -> None:
    """Whatever comes first in the table, no column is lost."""
    advice = advise(fit, manifest, 50_000)
    assert {plan.backed for plan in advice.plans} == {True, False} and advice.plan("now").backed
    assert advice.plan("advised").gain is not None
    text = result_text(pages, advice, "markdown")
    assert "points against now" in text and "if now has 50 %" in text
