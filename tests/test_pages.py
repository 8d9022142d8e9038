"""Every result at 80 and at 120 columns: no line is longer, no word is broken; Markdown, CSV and JSON hold it all."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pages_made
import pytest
from claims_made import as_the_paper, start, trained
from click.testing import CliRunner
from example_made import COUNTS, WEB, counted
from hypothesis import given
from hypothesis import strategies as st
from pages_made import LONG

import predictor
from predictor.planning.design.learning_rates import Best, ChosenRate
from predictor.planning.scaling import scale_curve
from predictor.records import columns, read_registry
from predictor.render import (
    advice,
    agreement,
    based,
    claims,
    comparison,
    curve,
    design,
    doctor,
    imported,
    pilots,
    predictions,
    probe,
    rates,
    recipes,
    record,
    validation_screen,
)
from predictor.render.layout import NAMED, columns_of, shortened, wrapped
from predictor.render.page import page_text, result_text
from predictor.render.runs import run_row, runs_text, study_rows
from predictor.render.tables import rows_text
from trainer.cli import trainer

ROOT = Path(__file__).parents[1]
WHOLE = "100000"  # columns: nothing has to give way


@pytest.fixture(scope="module")
def fit() -> Any:
    return predictor.load_fit()


Made = tuple[ModuleType, Any, dict[str, Any]]


@pytest.fixture(scope="module")
def results(fit) -> dict[str, Made]:
    """{name: (renderer, result, options)}; every result that has a page."""
    web, even, big = WEB, counted(*[50] * 10), counted(*[100 * n for n in COUNTS])
    known = {"target_set": "cifar100/a"}
    several = fit.predict({LONG: web, "even.csv": even, "big.csv": big}, **known)
    rows = tuple(
        Best(target_set=f"a-rather-long-name/{n}", image_steps=1000 * n, rate=0.03, accuracy=0.5, spread=0.01,
             edge=n == 1, n_runs=3, tried=(0.01, 0.03))
        for n in (1, 2)
    )  # fmt: skip
    chosen = ChosenRate(best=rows, rate=0.03, power=-0.5, low=-0.9, high=0.1)
    published = predictor.agreement(ROOT / "runs" / "published-table3", n_bootstrap=100, n_permutations=100)
    first = read_registry(ROOT / "runs", ["advice"])
    along = predictor.agreement(
        first, n_bootstrap=100, n_permutations=100, statistics=predictor.agreements.ALL_STATISTICS
    )
    judged = predictor.judge_claims(trained(start(), as_the_paper))
    advised = fit.advise(web, 200, wanted=0.9, **known)
    return {
        "predict": (predictions, several, {}),
        "predict all": (predictions, several, {"everything": True}),
        "predict one": (predictions, fit.predict({"even.csv": even}, **known), {}),
        "predict outside": (predictions, fit.predict({"big.csv": big}, **known), {}),
        "predict new": (predictions, fit.predict({LONG: web, "even.csv": even}), {}),
        "predict classes": (predictions, fit.predict({"even.csv": even}, **known, all_classes=True), {}),
        "advise": (advice, advised, {}),
        "advise now": (advice, replace(advised, advised="now"), {}),
        "agreement": (agreement, published, {}),
        "agreement all": (agreement, along, {"everything": True}),
        "agreement by": (agreement, along, {"by": ("samples_per_class", "profile")}),
        "claims": (claims, judged, {}),
        "claims all": (claims, judged, {"everything": True}),
        "rates": (rates, chosen, {}),
        "recipes": (recipes, fit, {"where": "the fit inside the package"}),
        "curve": (curve, scale_curve(fit, web, **known, images_per_second=1000, price_hour=2, manifest=LONG), {}),
        "pilots": (
            pilots,
            fit.pilots(even, 2, target_set="mine"),
            {"commands": ["predictor start photos/ --fit a.json"]},
        ),
        "curve new": (curve, scale_curve(fit, web), {}),
        "fit": (validation_screen, pages_made.told_fit(), {}),
        "fit all": (validation_screen, pages_made.told_fit(), {"everything": True}),
        "fit on top": (based, pages_made.on_top(), {}),
        "import": (imported, pages_made.imported(dry=False), {}),
        "import dry": (imported, pages_made.imported(dry=True), {}),
        "doctor": (doctor, pages_made.installation(whole=True), {}),
        "doctor missing": (doctor, pages_made.installation(whole=False), {}),
        "probe": (probe, pages_made.probe(), {"where": LONG}),
        "design": (design, pages_made.design(), {"output": LONG, "runs": "runs"}),
        "show": (record, [first[0], *read_registry(ROOT / "runs", ["published-table1"])[:1]], {}),
    }


NAMES = ("fit", "fit all", "fit on top", "import", "import dry", "doctor", "doctor missing", "probe", "design", "show",
         "predict", "predict all", "predict one", "predict outside", "predict new", "predict classes", "advise",
         "advise now", "agreement", "agreement all", "agreement by", "claims", "claims all", "rates",
         "recipes", "curve", "curve new", "pilots")  # fmt: skip


def check(text: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", WHOLE)
    whole = set(text().split())
    for width in (80, 120):
        monkeypatch.setenv("COLUMNS", str(width))
        printed = text()
        for line in printed.splitlines():
            said = line[NAMED + 1 :].strip() if line[NAMED : NAMED + 1] == " " else line.strip()
            copied = re.match("(predictor|trainer|pip) ", said)  # a terminal breaks it, not we
            assert columns_of(line) <= width or " " not in said or copied, (width, line)
            assert line == line.rstrip() and not line.lstrip().startswith("% ")
        for word in set(printed.split()) - whole:
            if word in ("left", "out", "at", "columns:", str(width)) or word.rstrip(",") in whole:
                continue  # what a table says that it leaves out
            head, dots, tail = word.partition("…")
            assert dots and any(one.startswith(head) and one.endswith(tail) for one in whole), (width, word)


@pytest.mark.parametrize("name", NAMES)
def test_a_page_fits_and_breaks_no_word(name: str, results, monkeypatch) -> None:
    renderer, result, options = results[name]
    check(lambda: page_text(renderer.page(result, **options), "table"), monkeypatch)


def test_every_page_is_tested(results) -> None:
    assert set(NAMES) == set(results)


def test_a_registry_fits(monkeypatch) -> None:
    records = read_registry(ROOT / "runs", ["advice", "published-table1"])
    studies = study_rows(columns.columns_of(ROOT / "runs", ["advice", "published-table1"], gate=False))
    check(lambda: runs_text([{**row, "study": f"{row['study']}-{LONG}"} for row in studies], "table"), monkeypatch)
    check(lambda: runs_text([run_row(record) for record in records[:5]], "table"), monkeypatch)


def test_indicators_fit(monkeypatch) -> None:
    found = predictor.measure({LONG: WEB, "even.csv": counted(*[50] * 10), "other/even.csv": WEB})
    check(lambda: comparison.summary(found), monkeypatch)


@pytest.mark.parametrize("command", ["plan", "status"])
def test_a_plan_and_its_status_fit(tmp_path: Path, monkeypatch, command: str) -> None:
    path = tmp_path / "grid.yaml"  # as wide as the whole grid, a third as long
    path.write_text((ROOT / "runs" / "domains" / "grid.yaml").read_text().replace("{n: 3, ", "{n: 1, "))

    def text() -> str:
        return CliRunner().invoke(trainer, [command, str(path), "--runs", str(tmp_path / "runs")]).stdout

    check(text, monkeypatch)


CELLS = st.one_of(
    st.floats(-1e6, 1e6), st.integers(-(10**9), 10**9), st.none(),
    st.text("abc /-猫", max_size=60).map(lambda text: " ".join(text.split())),
)  # fmt: skip


@given(st.lists(st.fixed_dictionaries({f"column {n}": CELLS for n in range(9)}), min_size=1, max_size=4),
       st.lists(st.sampled_from([f"column {n}" for n in range(9)]), unique=True))  # fmt: skip
def test_any_table_fits(rows, optional) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for width in (80, 120):
            patch.setenv("COLUMNS", str(width))
            text = rows_text(rows, "table", optional=optional)
            assert max(map(columns_of, text.splitlines())) <= width
        patch.setenv("COLUMNS", WHOLE)
        whole = rows_text(rows, "table", optional=optional)
        assert len(whole.splitlines()) == len(rows) + 1, "where there is room, a row is a line"


@given(st.text("ab 猫", max_size=80), st.integers(4, 40))
def test_shortened_and_wrapped(text: str, columns: int) -> None:
    short = shortened(text, columns)
    assert columns_of(short) <= columns and (short == text or "…" in short)
    assert wrapped(text, columns=columns).split() == text.split()


@pytest.mark.parametrize("name", NAMES)
def test_markdown_holds_all_that_the_table_does(name: str, results, monkeypatch) -> None:
    renderer, result, options = results[name]
    monkeypatch.setenv("COLUMNS", WHOLE)
    table = set(page_text(renderer.page(result, **options), "table").split())
    text = result_text(renderer, result, "markdown", **options)
    assert not {word for word in table if word not in text.replace("\\|", "|")}
    for block in text.split("\n\n"):
        if block.startswith("|"):
            assert len({line.replace("\\|", "").count("|") for line in block.splitlines()}) == 1


@pytest.mark.parametrize("name", NAMES)
def test_csv_and_json_are_whole(name: str, results) -> None:
    renderer, result, options = results[name]
    text = result_text(renderer, result, "json", **options)
    content = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))
    assert content["schema_version"] >= 1 and text.startswith('{\n  "')
    rows = list(csv.DictReader(io.StringIO(result_text(renderer, result, "csv", **options))))
    assert {row["kind"] for row in rows} == {name for name, own in renderer.kinds(result).items() if own}
    assert all(None not in row for row in rows)


def test_a_csv_of_predictions_tells_what_the_page_does(results) -> None:
    _, found, _ = results["predict"]
    rows = list(csv.DictReader(io.StringIO(result_text(predictions, found, "csv"))))
    kinds = {row["kind"] for row in rows}
    assert kinds >= {"verdict", "prediction", "class", "comparison", "why", "baseline", "nearest run", "outside", "fit"}
    (best,) = [row for row in rows if row["kind"] == "prediction" and row["manifest"] == "even.csv"
               and row["outcome"] == "accuracy"]  # fmt: skip
    own = found.predictions[0].outcome("accuracy")
    assert (
        float(best["value"]) == own.value and int(best["covered"]) == own.covered[0] and best["status"] == "in_domain"
    )


def test_a_narrow_terminal_names_what_it_leaves_out(monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    row = {"plan": "smallest first", "accuracy": "58.4 % [56.0, 60.8]", "range": "inside", "cost": "1,000"}
    text = rows_text([row], "table", optional=("range", "cost"))
    assert "range" in text.splitlines()[-1] and "inside" not in text and "58.4 % [56.0, 60.8]" in text
    assert "cost" not in text.splitlines()[0] or "1,000" in text
    split = rows_text([row | {"more": "[+15.8, +24.2]"}], "table")
    assert split.count("smallest first") == 3, "what nobody may leave out stands in another table, beside its name"
