"""Wrong input to `fit`, `predict`, `pilots` and `advise`: one message, exit 2, nothing written."""

from __future__ import annotations

import subprocess
import sys

import pytest
from synthetic import registry, reported

from predictor.cli.common import check_writable, write_text
from predictor.distribution import LabelDistribution
from predictor.errors import FitError, PredictorError
from predictor.fitting import fit_registry
from predictor.models.fit import shipped_fit
from predictor.prediction import predict
from predictor.records import write_record
from predictor.records.schema import content_id


def never_varies(record):
    own = record.outcomes["accuracy"]
    half = own.model_copy(update={"value": 0.5, "plain": 0.5, "correct": tuple(n // 2 for n in own.tested)})
    return record.model_copy(update={"outcomes": {"accuracy": half}})


def without(record, name):
    """A reported run that lacks one indicator."""
    kept = {key: value for key, value in record.data.indicators.items() if key != name}
    own = content_id(record.study, {}, kept, {"accuracy": record.outcomes["accuracy"].value})
    data = record.data.model_copy(update={"indicators": kept})
    return record.model_copy(update={"run_id": own, "configuration_id": own, "data": data})


@pytest.mark.parametrize(
    ("records", "arguments", "message"),
    [
        (
            lambda: registry(n_configurations=4, n_seeds=1),
            {"outcomes": ["accuracy"]},
            "outcome accuracy: 4 configurations; at least 10 are needed. leave it out, or train more runs: "
            "trainer run GRID.yaml",
        ),
        (
            lambda: [never_varies(record) for record in registry(n_configurations=12, n_seeds=1)],
            {},
            "no outcome can be fitted (accuracy: it never varies: 0.5 in all 12 configurations). train more "
            "configurations: trainer run GRID.yaml",
        ),
        (
            lambda: reported(),
            {"studies": ["table"], "family_names": ["classwise"], "outcomes": ["accuracy"]},
            "outcome accuracy: classwise: needs class counts and results per class; 10 runs lack them (first: "
            "072b6411fb050699). leave it out, or train more runs: trainer run GRID.yaml",
        ),
    ],
    ids=["too few", "never varies", "a named family cannot be fitted"],
)
def test_a_fit_that_cannot_be_made_says_why(records, arguments, message):
    with pytest.raises(FitError) as caught:
        fit_registry(records(), **arguments)
    assert str(caught.value) == message


def test_missing_indicators_leave_out_the_families_that_need_them():
    records = [without(record, "n_classes") if i % 2 else record for i, record in enumerate(reported(24))]
    fit = fit_registry(records, studies=["table"], family_names=["linear"])
    assert fit.content["outcomes"]["accuracy"]["configuration"]["family"] == "linear"
    assert (
        "accuracy: family log_n_log_h left out: family linear needs log n_classes, which some runs lack"
        in (fit.content["left_out"])
    )


def test_one_target_set_is_fitted_and_says_what_it_cannot_tell():
    one = (("digits/a", ("characters", 10, -2.5)),)
    fit = fit_registry(
        registry(n_configurations=14, n_seeds=1, target_sets=one), ["accuracy"], ["linear"]
    )  # fmt: skip
    assert "accuracy: target_set: 1 target set(s); at least 3 are needed to leave one out" in fit.content["left_out"]
    names = [f"digits/a/{c:02d}" for c in range(10)]
    manifests = {"few": LabelDistribution.from_counts(dict.fromkeys(names, 30)),
                 "many": LabelDistribution.from_counts(dict.fromkeys(names, 200))}  # fmt: skip
    found = predict(fit, manifests)
    assert "one target set cannot tell how target sets differ" in found.predictions[0].outcome("accuracy").reason
    (row,) = found.comparisons
    inside = predict(fit, manifests, target_set="digits/a").comparisons[0]
    assert row.high - row.low > 2 * (inside.high - inside.low), "one target set says little of another one"


def test_one_target_class_is_refused():
    one = LabelDistribution.from_counts({"cat": 5, "road": 9}, targets=["cat"])
    with pytest.raises(FitError) as caught:
        predict(shipped_fit(), {"new.csv": one})
    assert str(caught.value) == (
        "new.csv: one target class, 'cat': with nothing to tell it from, its accuracy is 1 whatever the images. name "
        "two or more tested classes: --targets FILE"
    )


def test_a_file_that_cannot_be_written_is_named_and_nothing_is_left(tmp_path):
    with pytest.raises(PredictorError, match=f"no/f.csv: cannot be written: no folder {tmp_path}/no. name another"):
        write_text(tmp_path / "no" / "f.csv", "a")
    with pytest.raises(PredictorError, match=r"is a folder; needed: the name of a file\. name another: --output"):
        write_text(tmp_path, "a")
    write_text(tmp_path / "f.csv", "a")
    with pytest.raises(PredictorError, match="exists and says something else"):
        write_text(tmp_path / "f.csv", "b", keep=True)
    assert [path.name for path in tmp_path.iterdir()] == ["f.csv"] and (tmp_path / "f.csv").read_text() == "a"


def test_no_permission_is_said_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: False)  # root may write everywhere
    with pytest.raises(PredictorError, match=f"cannot be written: no permission to write in {tmp_path}"):
        check_writable(tmp_path / "fit.json")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fit", "runs", "--output", "no/f.json"], "error: no/f.json: cannot be written: no folder no."),
        (["advise", "new.csv", "--budget", "99999999999999999999"], "is not in the range 0<=x<=1000000000000000"),
        (["advise", "new.csv"], "error: neither a budget nor an accuracy to reach. say --budget IMAGES or --reach"),
        (["pilots", "new.csv", "--next", "3", "--source", "no.parquet"], "error: no.parquet: no such file or folder"),
        (["design", "new.csv", "--next", "3"], "error: new.csv: is a file; a registry is a folder."),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_the_commands_exit_with_2_and_write_nothing(arguments, message, tmp_path):
    (tmp_path / "new.csv").write_text("label,count\na,100\nb,90\nc,20\n")
    for record in registry(n_configurations=1, n_seeds=1):
        write_record(tmp_path / "runs", record)
    done = subprocess.run(
        [sys.executable, "-m", "predictor", *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and message in done.stderr and "Traceback" not in done.stderr, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new.csv", "runs"]
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["synthetic"]
