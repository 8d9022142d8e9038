"""Tables that were written twice or by this package, and two readings of one content that agree."""

from __future__ import annotations

import re

import manifest_forms
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from manifest_forms import N, counts
from tables_made import made

from predictor.errors import ManifestError
from predictor.manifest import open_manifest, read_targets
from predictor.manifest.cells import TRUTH
from predictor.render.advice import CLASS_COLUMNS
from predictor.render.tables import rows_text

pytestmark = pytest.mark.usefixtures("one_engine")

form = manifest_forms.form


@pytest.mark.parametrize("form", ["csv", "tsv", "semicolons", "csv.gz", "xlsx"])
def test_a_header_that_stands_again_is_no_image(form, tmp_path) -> None:
    columns = {"path": ["1.jpg", "path", "2.jpg"], "label": ["cat", "label", "dog"]}
    path = made(form, tmp_path, columns)
    assert counts(path) == {"cat": 1, "dog": 1}
    assert open_manifest(path).notes[0].startswith("repeats of the header left out: 1 row, first at ")
    other = made(form, tmp_path, {"path": ["1.jpg", "\ufefffile", "2.jpg"], "label": ["cat", "Label", "dog"]})
    assert counts(other) == {"cat": 1, "dog": 1}  # of a file whose columns have other names
    moved = made(form, tmp_path, {"path": ["1.jpg", "label", "dog"], "label": ["cat", "path", "2.jpg"]})
    with pytest.raises(
        ManifestError, match=r"(line|row) 3: the header stands again, with its columns in another order"
    ):
        open_manifest(moved)
    named = made(form, tmp_path, {"path": ["1.jpg", "2.jpg"], "label": ["label", "dog"]})
    assert counts(named) == {"label": 1, "dog": 1}
    assert open_manifest(named).notes == ("'label' is counted as a class, though its column is called so",)
    for how, expected in (({}, {"a": 1, "b": 2}), ({"label": "label", "weight": "n"}, {"a": 3, "b": 4})):
        table = {"label": ["a", "label", "b"], ("n" if how else "count"): ([3, "n", 4] if how else [1, "count", 2])}
        assert counts(made(form, tmp_path, table), **how) == expected


def test_a_list_of_targets_may_have_a_header(tmp_path) -> None:
    (tmp_path / "t.txt").write_text("label\ncat\n2.0\n")
    path = made("csv", tmp_path, {"path": ["1", "2", "3"], "label": ["cat", "2", "dog"]})
    manifest = open_manifest(path, targets=read_targets(tmp_path / "t.txt"))
    assert manifest.distribution.target_names == ("2", "cat")
    assert manifest.notes == ("target 'label' left out: it stands first and is no class, as a header is",)
    path = made("csv", tmp_path, {"path": ["1", "2"], "label": ["label", "cat"]})
    assert open_manifest(path, targets=["label"]).distribution.target_names == ("label",)


@pytest.mark.parametrize("cell", ["2.000", "1.234.567", "12,000"])
def test_a_count_that_is_two_numbers_is_refused(tmp_path, cell) -> None:
    (tmp_path / "m.csv").write_text(f"label;count\na;{cell}\nb;3\n")
    with pytest.raises(ManifestError, match=rf"line 2: '{re.escape(cell)}' is \d+ to some and a fraction to others"):
        open_manifest(tmp_path / "m.csv")
    (tmp_path / "m.csv").write_text(f"label;w\na;{cell}\na;3\n")
    with pytest.raises(
        ManifestError, match=rf"1 bad weight, first at line 2: '{re.escape(cell)}'.* marks of thousands"
    ):
        open_manifest(tmp_path / "m.csv", weight="w")


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1, max_size=5).filter(
            lambda name: (
                not re.search(r"[\"'.|;,/+&\[\](){}]|^-?\d", name) and name not in TRUTH
            )  # read in small letters
        )
        | st.sampled_from(["=1+1", "@home", "+3", "-", "-3", "- cat", "sea lion", "007", "None"]),
        st.integers(0, 10**6),
        min_size=1,
        max_size=6,
    )
)
def test_what_the_product_writes_it_reads_back_unchanged(tmp_path_factory, images) -> None:
    path = tmp_path_factory.getbasetemp() / "written.csv"
    rows = [{"label": name, "role": "target", "now": 1, "collect": n - 1, "count": n} for name, n in images.items()]
    path.write_text(rows_text(rows, "csv", tuple(CLASS_COLUMNS), exact=True) + "\n", encoding="utf-8")
    if any(images.values()):
        assert counts(path) == {name: n for name, n in images.items() if n}


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Zl", "Zp")), max_size=8)
WORDS = st.sampled_from(
    ["cat", "dog", "1", "1.0", "0", "True", "n01", "a|b", "a,b", "[1]", "['a']", "2.5", "", " x ", "NULL"]
)
LABELS = st.one_of(
    st.lists(st.integers(-3, 12), min_size=1, max_size=8),
    st.lists(st.integers(-3, 12).map(float) | st.just(N), min_size=1, max_size=8),
    st.lists(st.floats(-2, 2, width=16), min_size=1, max_size=4),
    st.lists(st.booleans(), min_size=1, max_size=4),
    st.lists(NAMES | WORDS | st.none(), min_size=1, max_size=8),
)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(cells=LABELS)
@example(cells=["a|b", "a"])
@example(cells=[1.0, N])
@example(cells=[0.5])
@example(cells=["label"])
def test_two_readings_of_one_content_agree(tmp_path_factory, cells) -> None:
    """Every form counts the same classes, or every one refuses."""
    folder = tmp_path_factory.mktemp("forms")
    columns = {"path": [f"{i}.jpg" for i in range(len(cells))], "label": cells}
    found = {}
    for form in ("csv", "semicolons", "json lines", "parquet", "xlsx"):
        if form == "xlsx" and any(isinstance(cell, str) and re.search(r"_x[0-9A-Fa-f]{4}_", cell) for cell in cells):
            continue  # how a workbook writes other characters
        try:
            found[form] = sorted(counts(made(form, folder, columns)).items())
        except ManifestError as error:
            found[form] = "lists no image" if "lists no image" in str(error) else "refused"
    assert len({str(each) for each in found.values()}) == 1, found
