"""The HTML report: whole, self-contained, escaped."""

from __future__ import annotations

import base64
import re

import pytest
from click.testing import CliRunner
from synthetic import registry

from predictor.agreement import agreement
from predictor.cli.report_command import command
from predictor.records import frame, write_record
from predictor.render.report import held_out_points, report_html, try_fit


@pytest.fixture(scope="module")
def made():
    records = registry()
    return records, agreement(frame(records), n_bootstrap=200, n_permutations=200), *try_fit(records)


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


def test_every_text_is_escaped(made) -> None:
    evil = "<script>alert(1)</script>"
    records = [
        r.model_copy(update={"target_set": evil}) if r.target_set == made[0][0].target_set else r for r in made[0]
    ]
    table = agreement(frame(records), n_bootstrap=200, n_permutations=200)
    page = report_html(records, table, None, f"because {evil}", evil)
    assert "<script" not in page and "&lt;script&gt;" in page


def test_points_are_the_held_out_predictions_of_the_fit(made) -> None:
    records, _, fit, _ = made
    points = held_out_points(frame(records), fit, "accuracy")
    row = next(
        r for r in fit.validation if r["outcome"] == "accuracy" and r["split"] == "configuration" and r["chosen"]
    )
    assert len(points) == row["n_configurations"]
    error = (points["predicted"] - points["measured"]).abs().mean()
    assert error == pytest.approx(row["mae"], rel=0.5)  # the row chooses its family again in every fold
    assert ((points["low"] <= points["predicted"]) & (points["predicted"] <= points["high"])).all()


def test_command_writes_one_file_or_nothing(made, tmp_path) -> None:
    for record in made[0]:
        write_record(tmp_path / "runs", record)
    done = CliRunner().invoke(command, [str(tmp_path / "runs"), "--output", str(tmp_path / "r.html")])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "r.html").read_text().count("<html") == 1
    missing = CliRunner().invoke(command, [str(tmp_path / "runs"), "--output", str(tmp_path / "no" / "r.html")])
    assert "cannot be written" in str(missing.exception) and not (tmp_path / "no").exists()
