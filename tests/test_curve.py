"""`predictor curve`, and the figures of curve, predict and advise."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from example_made import CLASSES, WEB

from predictor import LabelDistribution, load_fit, predict
from predictor.cli import predictor
from predictor.errors import FitError, PredictorError
from predictor.figures import FEW_CLASSES, NAMED_CLASSES, accuracy_curve, class_bars
from predictor.planning.scaling import ScaleCurve, scale_curve
from predictor.records import read_registry
from predictor.render.curve import page, plot
from predictor.render.page import page_text

RUNS = Path(__file__).parents[1] / "runs"


@pytest.fixture(scope="module")
def fit():
    return load_fit()


@pytest.fixture(scope="module")
def runs():
    return read_registry(RUNS, ["first-look"])


@pytest.fixture(scope="module")
def curve(fit, runs) -> ScaleCurve:
    return scale_curve(
        fit, WEB, (0.25, 8), target_set="cifar100/a", runs=runs, price_hour=2.0, prices={"*": 0.1, "bee": 1}
    )


@pytest.fixture
def manifest(tmp_path):
    path = tmp_path / "web.csv"
    path.write_text(
        "label,count\n" + "".join(f"{name},{n}\n" for name, n in zip(CLASSES, WEB.class_counts, strict=True))
    )
    return path


def invoke(*words):
    result = CliRunner().invoke(predictor, [str(word) for word in words])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_every_size_is_what_predict_says_of_it(curve, fit) -> None:
    for point in curve.points[::3]:
        plan = WEB if point.scale == 1 else WEB.scaled(point.scale)
        own = predict(fit, {"m": plan}, target_set="cifar100/a", image_steps=point.image_steps).predictions[0]
        told = own.outcome("accuracy")
        assert (point.value, point.low, point.high, point.backed) == pytest.approx(
            (told.value, told.low, told.high, told.backed), abs=1e-12
        )
        assert point.n_samples == plan.n_samples and bool(point.outside) == bool(own.outside)
    now = next(point for point in curve.points if point.scale == 1)
    assert now.gain is None and now.n_samples == 500
    later = [point for point in curve.points if point.scale > 1 and point.gain is not None]
    assert all(point.gain == pytest.approx(point.value - now.value, abs=1e-9) for point in later)


def test_hours_and_money_follow_from_speed_and_prices(curve, fit) -> None:
    rate = curve.images_per_second
    assert rate and curve.from_runs > 50 and curve.device == "cpu"
    for point in curve.points:
        assert point.hours == pytest.approx(point.image_steps / rate / 3600)
        plan = WEB if point.scale == 1 else WEB.scaled(point.scale)
        added = np.maximum(plan.class_counts - WEB.class_counts, 0)
        images = sum(n * (1.0 if name == "bee" else 0.1) for name, n in zip(WEB.class_names, added, strict=True))
        assert point.money == pytest.approx(2.0 * point.hours + images)
    own = scale_curve(fit, WEB, (0.5, 2), target_set="cifar100/a", images_per_second=10 * rate)
    assert (
        own.points[0].hours == pytest.approx(own.points[0].image_steps / rate / 36000) and own.points[0].money is None
    )


def test_real_runs_are_those_of_the_target_set(curve, runs) -> None:
    own = [record for record in runs if record.target_set == "cifar100/a" and record.status == "completed"]
    assert sum(run.n_runs for run in curve.runs) == len(own)
    first = curve.runs[0]
    values = [r.outcomes["accuracy"].value for r in own if r.configuration_id == first.configuration_id]
    assert first.value == pytest.approx(np.mean(values)) and first.n_runs == len(values)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"scale": (2, 8)}, "needed: two numbers around 1"),
        ({"scale": (0.5, float("nan"))}, "needed: two numbers around 1"),
        ({"price_hour": 0.0}, "--price-hour 0.0; needed: a number above 0"),
        ({"price_hour": 1.0}, "nothing says how fast the network is trained"),
        ({"prices": {"bee": 1.0}}, "no price for 'bear'; 'bridge'"),
        ({"outcome": "shift:none"}, "shift:none was not measured on such images"),
    ],
)
def test_what_means_nothing_is_refused(fit, asked, message) -> None:
    scale = asked.pop("scale", (0.5, 2))
    with pytest.raises(FitError) as caught:
        scale_curve(fit, WEB, scale, target_set="cifar100/a", **asked)
    assert message in str(caught.value)


def test_a_level_that_nothing_backs_is_not_printed(fit) -> None:
    many = LabelDistribution.from_counts({name: 1_000 * n for name, _, n in WEB.rows()})  # outside of what the fit saw
    found = scale_curve(fit, many, (0.5, 2))
    text = page_text(page(found), "table")
    assert "no level is known" in text and "if now has 50 %" in text
    assert not any(point.backed for point in found.points)
    assert f"{100 * found.points[-1].value:.1f} %" not in text


@pytest.mark.parametrize("ending", ["svg", "png"])
def test_the_command_draws_and_prints(manifest, tmp_path, ending) -> None:
    path = tmp_path / f"curve.{ending}"
    words = ("curve", manifest, "--scale", "0.5..2", "--target-set", "cifar100/a", "--speed", 1000, "--price-hour", 3)
    done = invoke(*words, "--plot", path, "--axis", "money")
    assert done.exit_code == 0, done.output
    head = path.read_bytes()[:200]
    assert head.startswith(b"\x89PNG") if ending == "png" else b"<?xml" in head
    assert "x 1.41" in done.stdout and "1,000 images a second (as said)" in done.stdout
    content = json.loads(invoke(*words, "--format", "json").stdout)
    assert content["schema_version"] == 1 and content["points"][0]["money"] > 0
    rows = list(csv.DictReader(io.StringIO(invoke(*words, "--format", "csv").stdout)))
    assert [row["scale"] for row in rows if row["kind"] == "size"] == [str(p["scale"]) for p in content["points"]]


def test_arguments_of_the_command(manifest, tmp_path) -> None:
    wrong = invoke("curve", manifest, "--scale", "8")
    assert wrong.exit_code == 2 and "'8' is not two numbers such as 0.25..8" in wrong.output
    with pytest.raises(PredictorError, match="--axis is of a figure"):
        invoke("curve", manifest, "--axis", "money")
    with pytest.raises(FitError, match=r"nothing tells the hours of a run. say --speed N"):
        invoke("curve", manifest, "--target-set", "cifar100/a", "--axis", "hours", "--plot", tmp_path / "a.png")
    with pytest.raises(PredictorError, match="cannot be drawn as"):
        invoke("predict", manifest, "--plot", tmp_path / "a.jpg")


def test_the_figure_shows_what_the_table_does(curve) -> None:
    (axes,) = plot(curve).axes
    lines = {line.get_label(): line for line in axes.get_lines()}
    inside = [point for point in curve.points if point.backed and not point.outside]
    assert lines["predicted"].get_xdata().tolist() == [point.n_samples for point in inside]
    assert lines["predicted"].get_ydata().tolist() == pytest.approx([100 * point.value for point in inside])
    (dots,) = [line for name, line in lines.items() if name.startswith("real runs of cifar100/a")]
    assert len(dots.get_xdata()) == len(curve.runs)
    (money,) = plot(curve, "money").axes
    assert money.get_xlabel().startswith("money") and not [
        line for line in money.get_lines() if line.get_label().startswith("real")
    ], "what a real run cost is not known"


def test_the_speed_is_that_of_the_device_with_most_runs(fit, runs) -> None:
    def told(*n: int) -> ScaleCurve:
        own = [r.model_copy(update={"images_per_second": 10.0**at, "environment": r.environment.model_copy(
                   update={"device": device})})
               for at, (device, many) in enumerate(zip(("cpu", "cuda", "mps"), n, strict=True), 2)
               for r in runs[:many]]  # fmt: skip
        return scale_curve(fit, WEB, (0.5, 2), target_set="cifar100/a", runs=own)

    assert [(c.device, c.images_per_second, c.from_runs) for c in (told(1, 3, 2), told(3, 1, 2), told(1, 2, 3))] == [
        ("cuda", 1000.0, 3), ("cpu", 100.0, 3), ("mps", 10_000.0, 3),
    ]  # fmt: skip


@pytest.mark.parametrize("n", [10, FEW_CLASSES, 1000])
def test_classes_are_readable_few_or_many(n) -> None:
    value = np.linspace(0.02, 0.98, n)
    classes = pd.DataFrame({"name": [f"class {i}" for i in range(n)], "value": value, "low": value / 2,
                            "high": (1 + value) / 2, "n_samples": 5})  # fmt: skip
    figure = class_bars(classes, "accuracy", 0.9)
    (axes,) = figure.axes
    assert figure.get_size_inches()[1] < 12
    if n <= FEW_CLASSES:
        assert [label.get_text() for label in axes.get_yticklabels()] == [f"class {i}  (5)" for i in range(n)]
        assert len(axes.patches) == n and axes.get_ylim()[0] > axes.get_ylim()[1], "worst on top"
    else:
        (line,) = [line for line in axes.get_lines() if line.get_label() == "predicted"]
        assert len(line.get_xdata()) == n
        texts = [text.get_text() for text in axes.texts]
        assert len(texts) == 2 and all(text.count("\n") == NAMED_CLASSES for text in texts)
        assert "class 0  2 %" in texts[0] and f"class {n - 1}  98 %" in texts[1]


def test_one_manifest_is_drawn_with_all_its_classes(manifest, tmp_path) -> None:
    path = tmp_path / "classes.svg"
    done = invoke("predict", manifest, "--target-set", "cifar100/a", "--plot", path)
    assert done.exit_code == 0, done.output
    text = path.read_text()
    assert all(f"<!-- {name}  (" in text for name in CLASSES), "every class, though the page names three"
    other = tmp_path / "even.csv"
    other.write_text("label,count\n" + "".join(f"{name},50\n" for name in CLASSES))
    both = tmp_path / "both.svg"
    assert invoke("predict", manifest, other, "--target-set", "cifar100/a", "--plot", both).exit_code == 0
    assert "even.csv" in both.read_text()


def test_a_curve_from_nothing_on_begins_at_zero() -> None:
    points = pd.DataFrame(
        {"x": [0.0, 5, 50], "value": [0.3, 0.4, 0.5], "low": [0.2, 0.3, 0.4], "high": [0.4, 0.5, 0.6]}
    )
    (axes,) = accuracy_curve(points, "images", "accuracy", 0.9).axes
    assert axes.get_xscale() == "symlog" and -1 < axes.get_xlim()[0] <= 0
