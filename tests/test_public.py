"""What `import predictor` offers: callable whatever was imported before, and from what a user has at hand."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from example_made import COUNTS
from synthetic import TARGET_SETS, registry

import predictor
from predictor.agreements import agreement as computed
from predictor.errors import FitError
from predictor.files import replacing
from predictor.fitting import fit_registry
from predictor.records import write_record
from predictor.results import Result

ROOT = Path(__file__).parents[1]


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
    with pytest.raises(FitError, match=r"needed: a LabelDistribution, or .name: LabelDistribution.. read files first"):
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


FIVE_LINES = (
    ROOT.joinpath("README.md").read_text().partition("<!-- python -->")[2].split("```")[1].removeprefix("python")
)


@pytest.fixture(scope="module")
def folder(records, tmp_path_factory):
    folder = tmp_path_factory.mktemp("user")
    for record in records:
        write_record(folder / "runs", record)
    names = sorted(records[0].distribution.target_names)
    for name, own in (("web", COUNTS), ("curated", [50] * 10)):
        rows = [f"{label},{n}" for label, n in zip(names, own, strict=False)]
        (folder / f"{name}.csv").write_text("\n".join(["label,count", *rows]) + "\n")
    return folder


def test_every_public_name_is_there_and_documented() -> None:
    assert set(predictor._PUBLIC) | {"__version__"} == set(predictor.__all__) <= set(dir(predictor))
    for name in predictor.__all__:
        value = getattr(predictor, name)
        assert value is getattr(predictor, name) or name == "__version__"
        assert name == "__version__" or (value.__doc__ or "").strip(), name
    rooms = {path.name for path in ROOT.joinpath("predictor").iterdir() if path.is_dir()}
    functions = {name for name in predictor.__all__ if callable(getattr(predictor, name))}
    assert not rooms & functions, "whatever was imported, a name means one thing"
    assert ROOT.joinpath("predictor/py.typed").is_file()
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        predictor.nothing  # noqa: B018


def test_a_type_checker_finds_every_public_name() -> None:
    tree = ast.parse(ROOT.joinpath("predictor/__init__.py").read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    found = {
        alias.asname or alias.name for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert found | {"__version__"} == set(predictor.__all__)


def test_the_lines_of_the_readme_run(folder, monkeypatch) -> None:
    """On runs of a made-up world; agreement draws few permutations here, and one family competes in the fit, as nothing
    depends on them."""
    monkeypatch.chdir(folder)
    monkeypatch.setitem(predictor.fit.__kwdefaults__, "families", ["linear"])
    for name in ("n_bootstrap", "n_permutations"):
        monkeypatch.setitem(computed.__kwdefaults__, name, 50)
    made: dict[str, object] = {}
    exec(compile(FIVE_LINES, "README.md", "exec"), made)
    check_results([value for value in made.values() if isinstance(value, Result)], at_least=4)


def check_results(results, at_least) -> None:
    assert len(results) >= at_least
    for result in results:
        text = result.summary()
        assert isinstance(text, str) and repr(text) == str(text) and len(text.splitlines()) > 1, type(result)
        assert repr(result)[0] == "<" and len(repr(result)) < 300 and "\n" not in repr(result)
        assert len(result.to_frame()) > 0
        assert result.plot().axes
        assert result._repr_html_().startswith("<pre>") and "<script" not in result._repr_html_()


def test_every_other_result_shows_itself(folder, fit) -> None:
    own = predictor.load_fit(fit.save(folder / "fit.json"))
    plan = own.pilots(folder / "web.csv", 2, target_set="mine")
    claims = predictor.judge_claims(folder / "runs")
    found = predictor.measure(folder / "web.csv", folder / "curated.csv", names=["gini", "n_samples"])
    curve = own.curve(folder / "web.csv", (0.5, 2), runs=folder / "runs", images_per_second=100)
    assert curve.points[0].hours and own.predict(folder / "web.csv").predictions[0].manifest == str(folder / "web.csv")
    check_results([own, plan, claims, found, curve], at_least=5)
    assert len(found.to_frame()) == 4 and len(claims.verdicts()) == len(claims.results)


def test_what_is_no_manifest_is_refused_in_words(fit, folder) -> None:
    own = predictor.load_fit(fit.save(folder / "fit.json"))
    with pytest.raises(predictor.PredictorError, match="found int; needed: a path, a LabelDistribution"):
        own.predict(3)
    with pytest.raises(predictor.PredictorError, match="named twice"):
        own.predict(folder / "web.csv", folder / "web.csv")


def test_a_result_in_a_notebook_is_text_not_markup(fit) -> None:
    evil = "<script>alert(1)</script>"
    item = predictor.LabelDistribution.from_counts({f"class-{i}": 40 for i in range(10)})
    page = predictor.predict(fit, {evil: item})._repr_html_()
    assert evil not in page and "&lt;script&gt;" in page


def test_a_file_that_a_library_writes_is_replaced_whole_or_not_at_all(tmp_path) -> None:
    path = tmp_path / "state.bin"
    for text in ("first", "second"):
        with replacing(path) as temporary:
            temporary.write_text(text)
        assert path.read_text() == text and list(tmp_path.iterdir()) == [path]
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError("a full disk")
    assert path.read_text() == "second" and list(tmp_path.iterdir()) == [path]
