"""Text of data never reaches a terminal, a spreadsheet or a page as something that they obey."""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictor.manifest import read_manifest
from predictor.render.tables import rows_text
from predictor.text import cell, columns_of, json_visible, shown, visible

NASTY = [
    "\x1b[2J",
    "a\rb",
    "a\nfake  line",
    "\u202eabc",
    "\u2066x",
    "\x9b31m",
    "\u2028",
    "\x00",
    "\x7f",
    "\ufeff",
    "\ud800",
]


@pytest.mark.parametrize("text", NASTY)
@pytest.mark.parametrize("form", ["table", "markdown", "csv", "json"])
def test_no_format_prints_what_a_terminal_obeys(text: str, form: str):
    printed = rows_text([{"label": text, "n": 1}, {"label": "猫", "n": 2}], form)
    other = rows_text([{"label": "plain", "n": 1}, {"label": "猫", "n": 2}], form)
    assert printed.count("\n") == other.count("\n"), "no line is forged"
    assert printed.replace("\n", "").isprintable()
    if form == "json":
        assert json.loads(printed)[0]["label"] == text, "nothing is lost"


@pytest.mark.parametrize("form", ["table", "markdown", "csv", "json"])
def test_names_of_columns_are_data_too(form: str):
    assert rows_text([{"\x1b[2J\n": 0.5}], form).replace("\n", "").isprintable()
    assert "0.5" in rows_text([{"a\nb": 0.5}], form)


@given(st.text(st.characters()))
def test_visible_text_is_one_line_and_printable(text: str):
    found = visible(text)
    assert len(found.splitlines()) <= 1 and visible(found) == found
    assert not any(c in found for c in "\x1b\x9b\u202e\u2066\x00")
    assert found == text or any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in text)


@given(st.text(st.characters()))
def test_json_says_the_same(text: str):
    assert json.loads(json_visible(json.dumps(text, ensure_ascii=False))) == text


@pytest.mark.parametrize(
    "text", ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "＝1", '=HYPERLINK("http://x","y")']
)
def test_a_spreadsheet_takes_no_cell_for_a_formula(text: str):
    ((_,), (found,)) = csv.reader(io.StringIO(rows_text([{"label": text}], "csv")))
    assert found.startswith("'") and found[1:] == visible(text)


@pytest.mark.parametrize("text", ["-0.5", "+3", "-1e-05", "-inf"])
def test_numbers_stay_numbers(text: str):
    assert cell(text) == text


def test_a_list_that_is_read_again_keeps_its_labels(tmp_path):
    labels = ["=1+1", "-cat", "a\x1bb", 'q"u,o\nte', "@x"]
    text = rows_text([{"label": label, "count": 2} for label in labels], "csv", exact=True)
    (tmp_path / "m.csv").write_text(text + "\n", encoding="utf-8", newline="")
    assert sorted(read_manifest(tmp_path / "m.csv").class_names) == sorted(labels)


def test_numbers_of_a_table_stay_numbers():
    assert rows_text([{"x": -0.5}], "csv") == "x\n-0.5"


def test_markdown_cells_stay_cells():
    table = rows_text([{"a": "x|y", "b": "x\\|y"}, {"a": "<script>", "b": "p < .001"}], "markdown")
    assert table.splitlines()[2:] == ["| x\\|y | x\\\\\\|y |", "| &lt;script> | p < .001 |"]


def test_wide_characters_are_measured():
    assert columns_of("日本語") == 6
    *_, first, second = rows_text([{"label": "日本語", "n": 1}, {"label": "abc", "n": 22}], "table").splitlines()
    assert columns_of(first) == columns_of(second)


def test_results_are_made_visible_at_any_depth():
    @dataclass(frozen=True)
    class Result:
        name: str
        parts: tuple[dict[str, str], ...]
        number: float = 0.5

    found = shown(Result("a\x1b", ({"b\n": "c\r"},)))
    assert found == Result("a\\x1b", ({"b\\n": "c\\r"},))
    same = Result("a", ({"b": "c"},))
    assert shown(same) is same


def test_the_widest_name_gives_way_and_a_path_is_a_name(monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    short, long = "x" * 18, "y" * 60
    text = rows_text([{"a": short, "b": long}], "table")
    assert short in text and long not in text and "\u2026" in text
    monkeypatch.setenv("COLUMNS", "40")
    text = rows_text([{"file": f"../{'2026/' * 12}a.csv", "n": 7}], "table")
    assert "\u2026" in text and max(map(len, text.splitlines())) <= 40


def test_a_column_comes_back_where_a_wider_one_has_gone(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    rows = [{"name": "n" * 14, "small": "123456", "wide": "1" * 25}]
    text = rows_text(rows, "table", optional=("small", "wide"))
    assert "123456" in text and text.endswith("left out at 40 columns: wide")
