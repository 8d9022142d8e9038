"""The HTML report: whole, self-contained, escaped."""

from __future__ import annotations

import base64
import json
import re

import numpy as np
import pytest
from click.testing import CliRunner
from markupsafe import escape
from synthetic import registry, reported

from predictor.agreements import agreement
from predictor.cli.report_command import command
from predictor.fitting import rows_for, select
from predictor.fitting.configurations import configurations
from predictor.fitting.draws import crossed_parts
from predictor.fitting.held_out import calibrate_all
from predictor.models import families
from predictor.records import RunRecord, frame, write_record
from predictor.render.report import headline, held_out_points, report_html, try_fit

FEW = 24  # runs that make a whole page


@pytest.fixture(scope="module")
def made():
    records = registry(n_configurations=28, n_seeds=2)
    return records, agreement(frame(records), n_bootstrap=100, n_permutations=100), *try_fit(records)


def test_page_is_whole_and_fetches_nothing(made) -> None:
    page = report_html(*made, "Registry test")
    assert page.lstrip().startswith("<!doctype html>") and page.rstrip().endswith("</html>")
    assert not re.findall(r"""(?:src|href)=["'](?!data:)""", page) and "@import" not in page and "url(" not in page
    images = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    assert len(images) >= 3
    assert all(base64.b64decode(image)[:4] == b"\x89PNG" for image in images)
    for record in made[0]:
        assert record.target_set in page
    for row in made[2].validation:
        assert row["outcome"] in page


@pytest.mark.parametrize("evil", ["<script>alert(1)</script>", "'\"><img src=x onerror=alert(1)>"])
def test_every_text_is_escaped(made, evil: str) -> None:
    first = made[0][0].target_set
    records = [  # the name of a study is a folder's, which is checked
        r.model_copy(update={"target_set": evil if r.target_set == first else r.target_set, "domain": evil})
        for r in made[0][:FEW]
    ]
    table = agreement(frame(records), n_bootstrap=50, n_permutations=50)
    page = report_html(records, table, None, f"because {evil}", evil, card=f"# {evil}")
    assert evil not in page and "<script" not in page and "<img src=x" not in page
    assert page.count(str(escape(evil))) >= 5, "title, target set, reason and card show it as text"


def test_a_class_name_cannot_become_markup(made) -> None:
    """Class names are not printed today; whatever prints them later has to escape them."""
    evil = "<script>alert(1)</script>"

    def renamed(record: RunRecord) -> RunRecord:
        name = record.data.stages[0].classes[0]
        return RunRecord.model_validate_json(record.to_json().replace(f'"{name}"', json.dumps(evil)))

    records = [renamed(r) for r in made[0][:12]]
    assert any(evil in r.data.stages[0].classes for r in records)
    table = agreement(frame(records), n_bootstrap=50, n_permutations=50)
    assert "<script" not in report_html(records, table, None, "no fit", "classes")


@pytest.mark.parametrize("name", ["$\\frac$", "a$b$c^", "数字", "_hidden"])
def test_a_name_that_matplotlib_would_read_as_a_formula_is_drawn(made, name: str) -> None:
    first = made[0][0].target_set
    records = [r.model_copy(update={"target_set": name}) if r.target_set == first else r for r in made[0][:FEW]]
    table = agreement(frame(records), n_bootstrap=50, n_permutations=50)
    assert name in report_html(records, table, None, "no fit", "names")


def test_every_cell_stands_below_its_head(made) -> None:
    """Also where one indicator of a table, the one held fixed, has no value beside itself."""
    records, _, *fit = made
    table = agreement(frame(records), given="n_samples", n_bootstrap=50, n_permutations=50)
    page = report_html(records, table, *fit, "Registry test")
    widths = [
        (part.count("<th>"), {row.count("<td") for row in part.split("</thead>")[1].split("<tr")[1:]})
        for part in re.findall(r"<table>.*?</table>", page, flags=re.DOTALL)
    ]
    assert len(widths) > 10 and all(cells == {heads} for heads, cells in widths)
    blocks = [part for part in re.findall(r"<table>.*?</table>", page, flags=re.DOTALL) if "given size" in part]
    assert blocks
    for part in blocks:
        heads = re.findall(r"<th>(.*?)</th>", part)
        rows = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in part.split("<tr")[2:]]
        sized = next(row for row in rows if row[0] == "n_samples")
        assert sized[heads.index("given size")] == "-" and sized[heads.index("q")][0] in ".1<&"


def test_summary_and_notes_come_from_the_runs(made) -> None:
    records, table, fit, _ = made
    row = headline(fit, "accuracy")
    page = report_html(records, table, fit, None, "Registry test", card="what was trained on what")
    assert f"misses accuracy by {100 * row['mae']:.1f} points" in page
    assert "what was trained on what" in page
    assert "Data card" not in report_html(records, table, fit, None, "Registry test")


def test_reported_rows_are_cited() -> None:
    records = reported()
    table = agreement(frame(records), n_bootstrap=50, n_permutations=50)
    page = report_html(records, table, None, "no fit", "reported")
    assert "published, not trained here" in page and str(escape(records[0].data.citation)) in page


def test_one_run_makes_a_page_without_empty_sections(made) -> None:
    records = made[0][:1]
    page = report_html(records, agreement(frame(records)), *try_fit(records), "one")
    assert "No rank agreement can be computed" in page and "<h2>Figures" not in page and "<h2>No fit" in page


def test_points_are_the_held_out_predictions_of_the_fit(made) -> None:
    records, _, fit, _ = made
    points = held_out_points(fit, "accuracy")
    row = next(
        r for r in fit.validation if r["outcome"] == "accuracy" and r["split"] == "configuration" and r["chosen"]
    )
    assert len(points) == row["n_configurations"]
    held = fit.content["outcomes"]["accuracy"]["configuration"]
    rows = rows_for(select(records), "accuracy")
    configs = configurations(rows)
    folds = [np.flatnonzero(np.array(held["fold"]) == k) for k in sorted(set(held["fold"]))]
    competing = [item for item in families().values() if item.baseline or item.default]
    draws = crossed_parts(rows, configs, folds)  # trains without each fold, and weighs by new draws
    again = calibrate_all(competing, rows, configs, folds, draws=draws)[0][held["family"]]
    assert [key.split(" ")[0] for key in configs.ids] == held["configurations"]
    assert points["measured"].to_numpy() == pytest.approx(again.measured)
    assert points["predicted"].to_numpy() == pytest.approx(again.predicted, abs=1e-5)
    assert ((points["low"] <= points["predicted"]) & (points["predicted"] <= points["high"])).all()


def test_command_writes_one_file_or_nothing(made, tmp_path) -> None:
    for record in made[0][:FEW]:
        write_record(tmp_path / "runs", record)
    done = CliRunner().invoke(command, [str(tmp_path / "runs"), "--output", str(tmp_path / "r.html")])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "r.html").read_text().count("<html") == 1
    missing = CliRunner().invoke(command, [str(tmp_path / "runs"), "--output", str(tmp_path / "no" / "r.html")])
    assert "cannot be written" in str(missing.exception) and not (tmp_path / "no").exists()
