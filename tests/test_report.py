"""The HTML report: whole, self-contained, escaped, its figures those of the runs and of the fit."""

from __future__ import annotations

import base64
import csv
import dataclasses
import io
import json
import re
import sys

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from markupsafe import escape
from report_made import unfitted
from synthetic import registry, reported

from predictor.agreements import agreement
from predictor.agreements.estimated import folded, pooled_estimates, rank_estimates
from predictor.cli.report_command import command
from predictor.fitting import rows_for, select
from predictor.fitting.configurations import configurations
from predictor.fitting.draws import crossed_parts
from predictor.fitting.held_out import calibrate_all
from predictor.models import families
from predictor.records import RunRecord, frame, write_record
from predictor.render.report import Material, material, report_html
from predictor.render.report.drawing import against_measured, palette
from predictor.render.report.embedded import SURELY, EmbeddedTable, picture
from predictor.render.report.scores import reliability_rows
from predictor.render.report.story import headline, sentences
from predictor.render.validation import held_out_points

FEW = 24  # runs that make a whole page


@pytest.fixture(scope="module")
def page(about: Material) -> str:
    return report_html(about)


def tables(page: str) -> list[tuple[list[str], list[list[str]]]]:
    """(heads, rows of cells) of every table."""
    found = []
    for part in re.findall(r"<table>.*?</table>", page, flags=re.DOTALL):
        rows = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in part.split("<tr")[2:]]
        found.append((re.findall(r"<th[^>]*>(.*?)</th>", part), rows))
    return found


def test_page_is_whole_and_fetches_nothing(about: Material, page: str) -> None:
    assert page.lstrip().startswith("<!doctype html>") and page.rstrip().endswith("</html>")
    assert not re.findall(r"""(?:src|href)=["'](?!data:|#)""", page) and "@import" not in page and "url(h" not in page
    assert "<script" not in page
    for target_set in {record.target_set for record in about.records}:
        assert target_set in page
    for row in about.fit.validation:
        assert row["outcome"] in page
    assert "what was trained on what" in page


def test_every_link_inside_the_page_leads_somewhere_and_no_id_stands_twice(page: str) -> None:
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    wanted = {*re.findall(r'href="#([^"]+)"', page), *re.findall(r"url\(#([^)]+)\)", page)}
    assert wanted and wanted <= set(ids)


def test_every_figure_says_in_words_what_it_shows(page: str) -> None:
    figures = re.findall(r"<figure>.*?</figure>", page, flags=re.DOTALL)
    assert len(figures) >= 5
    for figure in figures:
        (alt,) = re.findall(
            r'<svg role="img" aria-label="([^"]+)"|<img src="data:image/png;base64,[^"]+" alt="([^"]+)"', figure
        )
        assert len("".join(alt)) > 40 and re.search(r"\d", "".join(alt)), "an alternative text has the figures"


def test_every_cell_stands_below_its_head(page: str) -> None:
    found = tables(page)
    assert len(found) >= 8
    for heads, rows in found:
        assert rows and {len(row) for row in rows} == {len(heads)}


def test_every_table_is_there_as_csv_with_full_precision(about: Material, page: str) -> None:
    links = re.findall(r'download="([^"]+\.csv)" href="data:text/csv;charset=utf-8;base64,([^"]+)"', page)
    assert len(links) == len(tables(page))
    files = {name: list(csv.DictReader(io.StringIO(base64.b64decode(text).decode()))) for name, text in links}
    scores = {(r["outcome"], r["split"], r["family"]): r for r in files["held-out-scores.csv"]}
    for row in about.fit.validation:
        assert float(scores[row["outcome"], row["split"], row["family"]]["mae"]) == row["mae"]
    pooled = {(row.outcome, row.indicator): row.value for row in about.pooled}
    for row in files["indicators-over-all-target-sets.csv"]:
        assert float(row["value"]) == pooled[row["outcome"], row["indicator"]]
    assert [int(row["runs"]) for row in files["studies.csv"]] == [48, 8]


def test_a_cell_that_a_spreadsheet_would_run_is_text() -> None:
    table = EmbeddedTable("Names", [{"name": "=1+1"}])
    assert base64.b64decode(table.csv.split(",", 1)[1]).decode() == "name\n'=1+1"


def test_what_it_says_are_the_figures_of_the_fit_and_the_runs(about: Material) -> None:
    told = dict(sentences(about))
    assert list(told) == ["What was done", "How good", "How far it goes", "What predicts", "The claims"]
    row = headline(about.fit, "accuracy")
    simple = next(
        r for r in about.fit.validation
        if (r["outcome"], r["split"], r["family"]) == ("accuracy", "configuration", "log_n")
    )  # fmt: skip
    assert f"misses accuracy by {100 * row['mae']:.1f} points" in told["How good"]
    assert f"the number of images alone: {100 * simple['mae']:.1f} points" in told["How good"]
    covered = row["covered"]["0.9"]
    assert f"held {covered[0]} of {covered[1]}" in told["How good"]
    new = headline(about.fit, "accuracy", "target_set")
    assert f"by {100 * new['mae']:.1f} points" in told["How far it goes"]
    assert "56 image classifiers were trained in 32 configurations" in told["What was done"]
    best = max((r for r in about.pooled if r.outcome == "accuracy"), key=lambda r: abs(r.value))
    assert f"{best.indicator} (" in told["What predicts"] and f"{best.value:+.2f}" in told["What predicts"]
    whole = [r for r in about.claims.results if r.domain is None]
    tested = [r.label for r in whole if any(part.effect is not None for part in r.parts)]
    if tested:
        assert f"Of {len(tested)} claims" in told["The claims"] and ", ".join(tested) in told["The claims"]
        assert f"{len(whole) - len(tested)} more have no runs to compare" in told["The claims"]
    else:
        assert told["The claims"] == f"None of {len(whole)} claims about training data has runs to compare here."


def test_claims_with_effects_are_named_by_verdict(about: Material) -> None:
    results = list(about.claims.results)
    part = dataclasses.replace(results[0].parts[0], effect=0.04, target_sets={})
    results[0] = dataclasses.replace(results[0], verdict="supported", parts=(part,))
    shown = dataclasses.replace(about, claims=dataclasses.replace(about.claims, results=tuple(results)))
    text = dict(sentences(shown))["The claims"]
    assert f"1 is supported ({results[0].label})" in text


def test_estimates_are_those_of_agreement(about: Material) -> None:
    """Without resampling, the same rho, the same mean over target sets and the same interval."""
    runs = frame([record for record in about.records if not record.held_out])
    names = ["n_samples", "left_skew@5", "power_difficulty@0.5", "n_other_classes"]
    table = agreement(runs, indicators=names, outcomes=["accuracy"], statistics=["spearman"], n_bootstrap=20,
                      n_permutations=20)  # fmt: skip
    rhos = rank_estimates(runs, ["accuracy"])
    single = {(r.target_set, r.indicator): r for r in rhos}
    seen = 0
    for row in table.rows:
        if row.value is not None:
            own = single[row.target_set, row.indicator]
            value = own.value if row.statistic == "spearman" else own.given_size
            assert value == pytest.approx(row.value, abs=1e-12)
            assert (own.n_configurations, own.n_runs) == (row.n_configurations, row.n_runs)
            seen += 1
    assert seen > 15
    pooled = {r.indicator: r for r in pooled_estimates(rhos)}
    whole = [r for r in table.pooled if r.target_set == "(pooled)" and r.statistic in ("spearman", "partial_spearman")]
    assert len(whole) >= 6
    for row in whole:
        own = pooled[row.indicator]
        found = (own.value, own.low, own.high)
        if row.statistic == "partial_spearman":
            found = (own.given_size, own.given_low, own.given_high)
        assert found == pytest.approx((row.value, row.low, row.high), abs=1e-9)


def test_indicators_that_say_the_same_are_one_row(about: Material) -> None:
    groups = about.groups("accuracy")
    members = [name for row in groups for name in (row.indicator, *row.alike)]
    assert len(members) == len(set(members)) == len([r for r in about.pooled if r.outcome == "accuracy"])
    size = next(row for row in groups if "log_n_samples" in (row.indicator, *row.alike))
    assert "n_samples" in (size.indicator, *size.alike), "a logarithm ranks as the number does"
    apart = next(row for row in groups if "left_skew@5" in (row.indicator, *row.alike))
    assert "n_samples" not in (apart.indicator, *apart.alike)
    assert folded([], about.frame) == []


def test_p_that_a_beats_b_is_shown_with_what_came_true(about: Material, page: str) -> None:
    rows = reliability_rows(about)
    assert {row["pairs"] for row in rows} >= {"apart"}
    shown = next(rows_ for heads, rows_ in tables(page) if "P stated (mean)" in heads)
    assert [row[2:] for row in shown] == [[f"{r['stated']:.2f}", f"{r['observed']:.2f}", f"{r['n']:,}"] for r in rows]
    scored = next(r for r in about.scored if r["chosen"] and r["outcome"] == "accuracy")
    assert (
        sum(r["n"] for r in rows if r["outcome"] == "accuracy" and r["pairs"] == "apart") == scored["pairs_covered"][1]
    )


@pytest.mark.parametrize("evil", ["<script>alert(1)</script>", "'\"><img src=x onerror=alert(1)>"])
def test_every_text_is_escaped(about: Material, evil: str) -> None:
    first = about.records[0].target_set
    records = [  # the name of a study is a folder's, which is checked
        r.model_copy(update={"target_set": evil if r.target_set == first else r.target_set, "domain": evil})
        for r in about.records[:FEW]
    ]
    shown = dataclasses.replace(
        unfitted(records, evil, f"# {evil}", f"because {evil}"), claims=None, claims_reason=evil
    )
    page = report_html(shown)
    assert evil not in page and "<script" not in page and "<img src=x" not in page
    assert page.count(str(escape(evil))) >= 5, "title, target set, domain, reason and card show it as text"


def test_a_class_name_cannot_become_markup(about: Material) -> None:
    """Class names are not printed today; whatever prints them later has to escape them."""
    evil = "<script>alert(1)</script>"

    def renamed(record: RunRecord) -> RunRecord:
        name = record.data.stages[0].classes[0]
        return RunRecord.model_validate_json(record.to_json().replace(f'"{name}"', json.dumps(evil)))

    records = [renamed(r) for r in about.records[:12]]
    assert any(evil in r.data.stages[0].classes for r in records)
    assert "<script" not in report_html(unfitted(records, "classes"))


@pytest.mark.parametrize("name", ["$\\frac$", "a$b$c^", "数字", "_hidden"])
def test_a_name_that_matplotlib_would_read_as_a_formula_is_drawn(about: Material, name: str) -> None:
    records = [r.model_copy(update={"domain": name}) for r in about.records[:FEW]]
    assert name in report_html(unfitted(records, "names"))


def test_reported_rows_are_cited_and_not_called_trained() -> None:
    records = reported()
    page = report_html(unfitted(records, "reported"))
    assert "published, not trained here" in page and str(escape(records[0].data.citation)) in page
    assert "Nothing on this page was trained here; 12 further rows are as other people reported them." in page


def test_one_run_makes_a_page_without_empty_sections(about: Material) -> None:
    page = report_html(unfitted(list(about.records[:1]), "one"))
    assert "No rank agreement can be pooled" in page and "No fit: " in page
    assert "<tbody>\n</tbody>" not in page and "<figure" not in page


def test_points_are_the_held_out_predictions_of_the_fit() -> None:
    from predictor.fitting import fit_registry

    records = registry(n_configurations=28, n_seeds=2)
    fit = fit_registry(records, ["accuracy"])
    points = held_out_points(fit, "accuracy")
    row = headline(fit, "accuracy")
    assert len(points) == row["n_configurations"]
    held = fit.content["outcomes"]["accuracy"]["configuration"]
    rows = rows_for(select(records), "accuracy")
    configs = configurations(rows)
    folds = [np.flatnonzero(np.array(held["fold"]) == k) for k in sorted(set(held["fold"]))]
    competing = [item for item in families().values() if item.baseline or (item.default and not item.tables)]
    draws = crossed_parts(rows, configs, folds)  # trains without each fold, and weighs by new draws
    again = calibrate_all(competing, rows, configs, folds, draws=draws)[0][held["family"]]
    assert configs.names == held["configurations"]
    assert points["measured"].to_numpy() == pytest.approx(again.measured)
    assert points["predicted"].to_numpy() == pytest.approx(again.predicted, abs=1e-5)
    assert ((points["low"] <= points["predicted"]) & (points["predicted"] <= points["high"])).all()


def test_a_figure_is_what_is_smaller_and_takes_the_colours_of_the_page() -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    def drawn(n: int) -> Figure:
        figure = Figure()
        FigureCanvasAgg(figure)
        figure.subplots().scatter(*np.random.default_rng(0).random((2, n)), marker="*", color="#0b0c0d")
        return figure

    few, many = (picture(drawn(n), "dots", "caption", "what is seen").markup for n in (9, 4000))
    assert few.startswith("<svg") and "currentColor" in few and "#0b0c0d" not in few
    assert many.startswith('<img src="data:image/png') and len(many) > SURELY / 10
    assert "<metadata" not in few and "<!--" not in few


@pytest.fixture(scope="module")
def folder(about: Material, tmp_path_factory: pytest.TempPathFactory):
    place = tmp_path_factory.mktemp("registry") / "runs"
    for record in about.records:
        write_record(place, record)
    return place


@pytest.mark.parametrize("n", [2, 14])
def test_a_legend_stays_inside_its_figure(n: int) -> None:
    """Many domains get fewer columns, not entries that are cut off."""
    names = [f"a-long-domain-{i}" for i in range(n)]
    points = pd.DataFrame({"target_set": names, "measured": 0.5, "predicted": 0.5, "low": 0.4, "high": 0.6})
    figure = against_measured(points, "accuracy", palette(names), dict(zip(names, names, strict=True)))
    figure.canvas.draw()
    (legend,) = figure.legends
    box, whole = legend.get_window_extent(), figure.bbox
    assert len(legend.get_texts()) == n
    assert whole.x0 <= box.x0 and box.x1 <= whole.x1 and box.y1 <= whole.y1 + 1


def test_a_stored_fit_of_the_same_runs_is_not_made_again(about: Material, folder, monkeypatch) -> None:
    import predictor.fitting

    def refused(*_: object, **__: object) -> None:
        raise AssertionError("fitted again")

    about.fit.save(folder / "fit.json")
    monkeypatch.setattr(predictor.fitting, "fit_registry", refused)
    told: list[tuple[str, float]] = []
    found = material(folder, progress=lambda line, share: told.append((line, share)))
    assert (
        found.fit.digest == about.fit.digest
        and found.fit_from == "the fit stored in runs/fit.json, of exactly these runs"
    )
    shares = [share for _, share in told]
    assert len(told) >= 5 and shares == sorted(shares)
    with pytest.raises(AssertionError, match="fitted again"):
        material(folder, ["apart"])
    named = material(folder, ["apart"], fit=folder / "fit.json")
    assert named.fit_from == "fit.json, which was fitted on other runs than these"
    (folder / "fit.json").unlink()


def test_of_a_large_registry_a_sample_is_fitted_and_judged(about: Material, tmp_path, monkeypatch) -> None:
    """Of every study and target set; the page says so, of the fit and of the claims, and shows all runs."""
    n, folder = len(about.records), tmp_path / "runs"
    for record in about.records:  # one outcome: each is fitted anew
        write_record(folder, record.model_copy(update={"outcomes": {"accuracy": record.outcomes["accuracy"]}}))
    parts = sys.modules[material.__module__]
    monkeypatch.setattr(parts, "LARGE", n - 1)
    monkeypatch.setattr(parts, "TAKEN", n // 2)
    found = material(folder)
    taken = int(found.sample.split()[0])
    assert n // 4 < taken <= n // 2 and len(found.frame) == n
    assert found.sample == f"{taken} of these {n} runs, of every study and target set"
    assert found.fit_from == f"a fit of {found.sample}, made for this page"
    assert found.fit.training["n_runs"] < about.fit.training["n_runs"]
    assert set(found.fit.target_sets) == set(about.fit.target_sets)
    text = report_html(found)
    assert f"Compared are {found.sample}; predictor claims compares all." in text and found.fit_from in text
    assert about.sample is None and "Compared are" not in report_html(about)


def test_command_writes_one_file_or_nothing(about: Material, folder, tmp_path) -> None:
    about.fit.save(tmp_path / "fit.json")
    words = [str(folder), "--fit", str(tmp_path / "fit.json")]
    done = CliRunner().invoke(command, [*words, "--output", str(tmp_path / "r.html")])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "r.html").read_text().count("<html") == 1
    assert "report: claims" in done.stderr and done.stdout.endswith("56 runs\n")
    missing = CliRunner().invoke(command, [*words, "--output", str(tmp_path / "no" / "r.html")])
    assert "cannot be written" in str(missing.exception) and not (tmp_path / "no").exists()
