"""What `predictor predict` says of wrong names, and the real runs that it shows beside a prediction."""

from __future__ import annotations

import json
import re

import pytest
from click.testing import CliRunner

from predictor.cli.predict_command import command
from predictor.errors import FitError, ManifestError

CLASSES = ("airplane", "automobile", "bird", "dog", "ship")  # of cifar10/a in the fit that ships


@pytest.fixture
def manifest(tmp_path):
    path = tmp_path / "new.csv"
    path.write_text("label,count\n" + "".join(f"{name},{100 + i}\n" for i, name in enumerate([*CLASSES, "truck"])))
    return path


def say(*arguments):
    result = CliRunner().invoke(command, [str(item) for item in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.stdout


def block(said: str, name: str) -> str:
    """What is said behind a name, over all its lines."""
    (found,) = re.findall(rf"^{name} .*(?:\n {{14}}.*)*", said, re.MULTILINE)
    return " ".join(found.split())


def targets(folder, *names):
    path = folder / "targets.txt"
    path.write_text("\n".join(names))
    return path


def test_targets_that_the_manifest_does_not_have_are_named_with_what_is_near(manifest, tmp_path):
    with pytest.raises(ManifestError) as caught:
        say(manifest, "--targets", targets(tmp_path, "Airplan", "dogg", "zebra"))
    assert str(caught.value) == (
        f"{manifest}: has no image of any of the 3 target classes: 'Airplan' (near: 'airplane'); 'dogg' (near: 'dog'); "
        "'zebra'; its classes begin 'airplane', 'automobile', 'bird'. give --targets the names as the manifest writes "
        "them"
    )


def test_a_target_without_images_is_a_warning_with_what_is_near(manifest, tmp_path):
    said = say(manifest, "--targets", targets(tmp_path, "airplane", "bird", "dog", "Truk"))
    assert (
        f"warning {manifest}: 1 of 4 target classes has no image: 'Truk' (near: 'truck'); a class that is never shown "
        "is never predicted, so it counts as 0; spell it as the manifest does, or collect images of it"
    ) in " ".join(said.split())
    assert "no image" not in say(manifest, "--targets", targets(tmp_path, "airplane", "bird", "dog", "truck"))


def test_a_manifest_of_another_target_set_says_what_both_have(tmp_path):
    path = tmp_path / "fruit.csv"
    path.write_text("label,count\nairplanes,3\nmelon,4\n")
    with pytest.raises(FitError) as caught:
        say(path, "--target-set", "cifar10/a")
    assert str(caught.value) == (
        f"{path}: no image of any target class (targets: 'airplane' (near: 'airplanes'); 'automobile'; 'bird'; 'dog'; "
        "'ship'; the manifest has: airplanes; melon). name the tested classes as the manifest spells them: --targets "
        "FILE"
    )


def test_other_targets_than_the_target_set_has_are_named(manifest, tmp_path):
    with pytest.raises(FitError) as caught:
        say(manifest, "--target-set", "cifar10/a", "--targets", targets(tmp_path, *CLASSES[:4], "Ships", "truck"))
    assert str(caught.value) == (
        f"{manifest}: its target classes are not those of cifar10/a: it names 'Ships' (near: 'ship'); 'truck', and it "
        "lacks 'ship'. leave --targets out, or use --target-set new"
    )


def test_a_target_set_without_images_for_some_classes_is_predicted_with_a_warning(tmp_path):
    path = tmp_path / "part.csv"
    path.write_text("label,count\nautomobil,90\n" + "".join(f"{name},90\n" for name in CLASSES if name != "automobile"))
    said = say(path, "--target-set", "cifar10/a")
    assert "1 of 5 target classes has no image: 'automobile' (near: 'automobil')" in " ".join(said.split())


def test_three_real_runs_stand_beside_a_prediction(manifest):
    said = say(manifest, "--target-set", "cifar10/a")
    line = block(said, "nearest runs")
    assert line.count(" %") == 3 and "(" not in line, "runs of another target set are marked"
    first = json.loads(say(manifest, "--target-set", "cifar10/a", "--format", "json"))["predictions"][0]
    near = first["nearest"]
    assert {item["target_set"] for item in near} == {"cifar10/a"} and len(near) == 3
    assert [item["distance"] for item in near] == sorted(item["distance"] for item in near)
    assert near[0]["value"] == first["baselines"][1]["value"], "the baseline is the first of them"
    assert near[0]["configuration_id"] == first["baselines"][1]["configuration_id"]


def test_real_runs_of_other_target_sets_are_marked(manifest):
    assert block(say(manifest), "nearest runs").count(" (") == 3


def test_a_fit_that_is_a_folder_says_so(manifest, tmp_path):
    with pytest.raises(FitError, match=r"is a folder; a fit is a file, fit\.json\. fit again: predictor fit RUNS"):
        say(manifest, "--fit", tmp_path)
