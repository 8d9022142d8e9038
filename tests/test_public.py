"""What `import predictor` offers: callable whatever was imported before, and from what a user has at hand."""

from __future__ import annotations

import subprocess
import sys

import pytest
from synthetic import TARGET_SETS, registry

import predictor
from predictor.errors import FitError
from predictor.fitting import fit_registry
from predictor.records import write_record


@pytest.fixture(scope="module")
def records():
    return registry(n_configurations=30, n_seeds=1)


@pytest.fixture(scope="module")
def fit(records):
    return fit_registry(records, ["accuracy"], ["linear"])


@pytest.mark.parametrize("first", ["", "import predictor.agreements;", "import predictor.agreements.compute;"])
def test_a_public_function_is_one_whatever_was_imported(first) -> None:
    code = f"{first}import predictor; assert callable(predictor.agreement) and callable(predictor.frame)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_fit_predicts_one_distribution(fit) -> None:
    item = predictor.LabelDistribution.from_counts({f"class-{i}": 40 for i in range(10)})
    one, named = predictor.predict(fit, item), predictor.predict(fit, {"manifest": item})
    assert one == named and one.predictions[0].manifest == "manifest"


@pytest.mark.parametrize("wrong", ["web.csv", [1, 2], {"a": "web.csv"}, None])
def test_what_is_no_distribution_is_refused_in_words(fit, wrong) -> None:
    with pytest.raises(FitError, match=r"needed: a LabelDistribution, or .name: LabelDistribution.. Read files first"):
        predictor.predict(fit, wrong)


def test_a_folder_is_fitted_as_its_records(records, fit, tmp_path) -> None:
    for record in records:
        write_record(tmp_path, record)
    again = predictor.fit_registry(tmp_path, ["accuracy"], ["linear"])
    assert again.content == fit.content == predictor.fit_registry(str(tmp_path), ["accuracy"], ["linear"]).content
    assert set(again.target_sets) == set(TARGET_SETS)


def test_a_fit_is_printed_in_a_line(fit) -> None:
    assert repr(fit) == "<Fit of 30 configurations, 30 runs, 5 target sets, 2 domains: accuracy>"
    assert len(repr(fit.outcomes["accuracy"])) < 120
