"""Every command that a command prints is run as it stands: on small real images, in a folder with a blank in it."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from digits_made import LAYOUTS, digits_as, digits_folder, digits_list
from PIL import Image

from predictor.cli import COMMANDS, predictor
from predictor.grids import load_grid
from predictor.images.listing import digest_of
from trainer.checking import check_grid

PRINTED = re.compile(
    r"(?:^|[\s:`])((?:predictor (?:" + "|".join(COMMANDS) + r")|trainer run) (?:'[^']*'|[^;`'\n])*)", re.MULTILINE
)
STEPS = 2_000  # fewer than the fit saw, and enough to leave chance on three digits
FILLED = {"IMAGES": "my photos", "DIR": "."}  # what only the user knows


def commands(text: str) -> list[str]:
    """The commands in a text, without what a sentence ends with."""
    return list(dict.fromkeys(found.strip().rstrip(".") for found in PRINTED.findall(text)))


def words_of(line: str) -> list[str]:
    """The words of a command as a shell would part them; placeholders are filled in."""
    return [FILLED.get(word, word) for word in shlex.split(line)]


def run(line: str, *, fails: bool = False) -> str:
    """What a command prints, on both streams. fails : whether it is refused, with a message"""
    words = words_of(line)
    if words[0] == "trainer":
        done = subprocess.run([sys.executable, "-m", *words], capture_output=True, text=True)
        code, text = done.returncode, done.stdout + done.stderr
    else:
        result = CliRunner().invoke(predictor, words[1:])
        code, text = result.exit_code, result.output + (str(result.exception) if result.exception else "")
    assert (code != 0) == fails, f"{line}\n{text}"
    return text


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """A folder with a blank in its name, to work in."""
    folder = tmp_path / "my work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PREDICTOR_CACHE", str(tmp_path / "cache"))
    return folder


def shorter(grid: str) -> None:
    """A grid with few image-steps, so that it is trained in seconds; nothing else of it changes."""
    text = re.sub(r"image_steps: \d+", f"image_steps: {STEPS}", Path(grid).read_text())
    Path(grid).write_text(text)


def started(manifest: str) -> str:
    """`predictor start`, and each step that it shows run by its own command with the same result."""
    text = run(f"predictor start {shlex.quote(manifest)} --no-flip")
    shown = [line.removeprefix("$ ") for line in text.splitlines() if line.startswith("$ ")]
    assert [line.split()[1] for line in shown] == ["digest", "probe", "predict", "pilots"]
    plain = "\n".join(line for line in text.splitlines() if not line.startswith(("probe:", "$")))
    for line in shown:
        alone = [own for own in run(line).splitlines() if not own.startswith("probe:")]
        assert "\n".join(alone).strip() in plain, line
    assert str(digest_of(Path(manifest))) in text
    return text


def next_of(text: str) -> list[str]:
    """The commands at the end of what `pilots` says."""
    return commands(text[text.rindex("\nnext ") :])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_from_images_to_a_grid_that_trains(place, layout) -> None:
    manifest = digits_as(layout, place)
    text = started(manifest)
    grid = load_grid("pilots.yaml")
    check_grid(grid, Path())  # as `trainer run` looks before it trains
    assert grid.sources["mine"].digest == digest_of(Path(manifest)) and len(grid.runs) == 3
    splits = {(run.spec.stages[0].data.split, run.spec.target.test.split) for run in grid.runs}
    assert splits == {("train:fit", "train:validation") if layout == "folder" else ("train", "test")}
    assert all(run.spec.recipe.flip is False for run in grid.runs)
    assert [line.split()[0] for line in next_of(text)] == ["trainer", "predictor"]


@pytest.mark.slow
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_chain_goes_on_to_a_prediction_with_pilots(place, layout) -> None:
    manifest = digits_as(layout, place)
    train, predict = next_of(run(f"predictor pilots {shlex.quote(manifest)} --next 2 --no-flip"))
    shorter("pilots.yaml")
    run(train)
    text = run(predict)
    assert "TARGET SET mine   DOMAIN mine, 2 pilots (2 runs)" in text
    assert "pilots at 3 sizes" not in text and "pin it down" not in text
    assert f"pilots with {STEPS:,} image-steps; the fit saw" in text, "they were cut short, and that is said"
    assert "15,000 image-steps" in text, "the image-steps of the question, not those of the pilots"
    (further,) = {line for line in commands(text) if "--next 1" in line}
    train, predict = next_of(run(further))
    assert "pilots-2.yaml" in train and "--runs pilots" in train
    first, second = load_grid("pilots.yaml"), load_grid("pilots-2.yaml")
    assert second.study == "pilots-2" and second.runs[0].target_set == "mine"
    every = [(planned.axes["profile"], planned.axes["samples_per_class"]) for planned in (*first.runs, *second.runs)]
    assert len(set(every)) == 3, "none is planned again"
    shorter("pilots-2.yaml")
    run(train)
    assert "3 pilots (3 runs)" in run(predict)


def test_a_printed_command_keeps_how_the_manifest_was_read(place) -> None:
    digits_folder(Path("my photos"))
    Path("my counts.csv").write_text("kind;n\nzero;60\none;40\ntwo;25\n".replace(";", ","))
    asked = "--label kind --count n --image-steps 20000 --level 0.8"
    for line in (f"predictor predict 'my counts.csv' {asked}", f"predictor advise 'my counts.csv' --budget 50 {asked}"):
        text = run(line)
        (pilots,) = commands(text)
        assert pilots == f"predictor pilots 'my counts.csv' {asked_in(pilots)} --source IMAGES --next 3"
        assert sorted(shlex.split(asked_in(pilots))) == sorted(shlex.split(asked))
        told = run(f"{pilots} --output 'grid of mine.yaml'")
        train, predict = next_of(told)
        assert "'grid of mine.yaml' --data ." in train and "--label kind" in predict and "20000" in predict
        check_grid(load_grid("grid of mine.yaml"), Path())


def asked_in(line: str) -> str:
    return line.partition("'my counts.csv' ")[2].partition(" --source")[0]


ONE_SIZE = "they could be probed at 5 images a class alone; a level needs two sizes, about 14 images of each class"


@pytest.mark.parametrize(
    ("each", "why"), [(10, ONE_SIZE), (3, "one: 3 images; a probe needs 7 of a class; zero: 3 images; a probe needs 7")]
)
def test_images_too_few_for_a_probe_are_gone_on_without(place, each, why) -> None:
    digits_folder(Path("my photos"), {"zero": each, "one": each}, splits=True)
    text = run("predictor predict 'my photos'")
    assert f"my photos: predicted without a probe: the images are too few to be probed: {why}" in text
    assert "images probed" not in text
    assert "images probed" not in started("my photos") and len(load_grid("pilots.yaml").runs)
    for asked in ("--images 'my photos'", "--probe probe.json"):
        fault = run(f"predictor predict 'my photos' {asked}", fails=True)
        assert f"the images are too few to be probed: {why}" in fault and "leave the probe out" in fault


@pytest.mark.parametrize(("header", "label"), [("path,klasse\n", "klasse"), ("", "2")])
def test_a_list_whose_columns_are_called_otherwise_says_what_to_rename(place, header, label) -> None:
    digits_list(Path("my list.csv"))
    rows = Path("my list.csv").read_text().splitlines()[1:]
    Path("my list.csv").write_text(header + "".join(f"{row.rpartition(',')[0]}\n" for row in rows))
    for name in ("probe", "digest", "start"):
        fault = run(f"predictor {name} 'my list.csv'", fails=True)
        assert "rename the column of the classes to 'label'" in fault and "names the columns: path,label" in fault
        assert "--label" not in fault and "--no-header" not in fault
    options = f"--label {label}" + ("" if header else " --no-header")
    text = run(f"predictor predict 'my list.csv' {options}")
    told = "my list.csv: its images were not probed: a list of images has the columns path and"
    assert (told in text) != (label == "klasse") == ("images probed" in text)
    Path("my list.csv").write_text("path,label\n" + "".join(f"{row.rpartition(',')[0]}\n" for row in rows))
    assert "not probed" not in run("predictor predict 'my list.csv'")


@pytest.mark.parametrize("header", ["FileName,Label", "img_path,label"])
def test_a_list_may_call_its_images_as_any_manifest_does(place, header) -> None:
    digits_list(Path("my list.csv"))
    rows = [row.rpartition(",")[0] for row in Path("my list.csv").read_text().splitlines()[1:]]
    Path("my list.csv").write_text("\n".join([header, *rows, ""]))
    text = run("predictor predict 'my list.csv'")
    assert "images probed" in text
    _, predict = next_of(run("predictor pilots 'my list.csv' --next 2 --output two.yaml"))
    check_grid(load_grid("two.yaml"), Path())  # as `trainer run` looks before it trains
    assert load_grid("two.yaml").sources["mine"].digest == digest_of(Path("my list.csv"))
    assert "images probed" in run(predict.partition(" --pilot")[0])
    Path("elsewhere").mkdir()
    Path("my list.csv").rename("elsewhere/my list.csv")
    assert "images probed" in run("predictor predict 'elsewhere/my list.csv' --images .")


def test_numbers_of_images_name_no_files(place) -> None:
    Path("numbers.csv").write_text("image_id,label\n" + "".join(f"{i},{'ab'[i % 2]}\n" for i in range(40)))
    text = run("predictor predict numbers.csv")
    assert "not there" not in text and "images probed" not in text


def test_a_list_is_read_by_every_command_as_its_label_says(place) -> None:
    digits_list(Path("my list.csv"))
    rows = Path("my list.csv").read_text().splitlines()
    Path("my list.csv").write_text("\n".join([rows[0].replace("label", "my kind"), *rows[1:], ""]))
    asked = "'my list.csv' --label 'my kind'"
    text = run(f"predictor start {asked} --no-flip")
    shown = [line.removeprefix("$ ") for line in text.splitlines() if line.startswith("$ ")]
    assert len(shown) == 4 and all("--label 'my kind'" in line for line in shown)
    assert "images probed" in text and "wrote my list.csv.view.yaml: the grid names it" in text
    grid = load_grid("pilots.yaml")
    check_grid(grid, Path())  # as `trainer run` looks before it trains
    digest = grid.sources["mine"].digest
    assert digest == digest_of(Path("my list.csv.view.yaml")) == digest_of(Path("my list.csv"), "my kind")
    assert digest in text
    for line in shown:
        run(line)
    for line in (f"advise {asked} --budget 20", f"curve {asked}", f"predict {asked}"):
        said = run(f"predictor {line}")
        assert "not probed" not in said and "--source" not in said
    train, predict = next_of(run(f"predictor pilots {asked} --next 2 --output two.yaml"))
    assert train == "trainer run two.yaml --data . --runs pilots" and "--label 'my kind'" in predict
    Path("my list.csv.view.yaml").write_text("images: other.csv\n")
    fault = run(f"predictor pilots {asked} --next 2 --output three.yaml", fails=True)
    assert "my list.csv.view.yaml: exists and says something else. rename the column of the classes" in fault


def test_a_class_of_one_image_is_left_out_as_the_error_says(place) -> None:
    digits_folder(Path("my photos"), {"zero": 30, "one": 30, "two": 1})
    for line in ("predictor start 'my photos'", "predictor pilots 'my photos' --next 2"):
        text = run(line, fails=True)
        assert "class 'two' has 1 image: none is left to test on" in text and "--test-split" not in text
        assert "add images, or leave the class out: --targets FILE, a file with one tested class a line" in text
        Path("two.txt").write_text("zero\none\n")
        assert "wrote" in run(f"{line} --targets two.txt --output '{line.split()[1]}.yaml'")


def test_images_that_cannot_be_read_are_neither_trained_nor_tested_on(place) -> None:
    digits_folder(Path("my photos"), {"zero": 60, "one": 40})
    Image.open("my photos/one/0.png").save("my photos/one/0.jpg")
    Path("my photos/one/0.png").unlink()
    text = run("predictor pilots 'my photos' --next 2")
    assert "of 100 training images are kept for testing (train:validation)\n" in text and "--bad-images" not in text
    for i in range(3):
        Path(f"my photos/zero/{i}.png").write_bytes(b"no image")
    jpeg = Path("my photos/one/0.jpg")
    jpeg.write_bytes(jpeg.read_bytes()[:-200])
    text = run("predictor pilots 'my photos' --next 2 --no-flip --output 'my pilots.yaml'")
    told = "of 96 training images are kept for testing (train:validation); 4 more cannot be read and are left out"
    assert told in " ".join(text.split())
    (train, _) = next_of(text)
    assert train == "trainer run 'my pilots.yaml' --data . --runs pilots --bad-images skip"
    Path("few").mkdir()
    digits_folder(Path("few"), {"zero": 30, "one": 2})
    for i in range(2):
        Path(f"few/one/{i}.png").write_bytes(b"")
    assert "class 'one' has 0 images that can be read: none is left to test on" in run(
        "predictor pilots few --next 2 --output few.yaml", fails=True
    )


def test_a_list_of_files_that_are_elsewhere_is_probed_as_its_error_says(place) -> None:
    digits_list(Path("my list.csv"), {"zero": 30, "one": 30})
    Path("images of my list").rename(place.parent / "images of my list")
    for line in ("probe", "digest", "start"):
        fault = run(f"predictor {line} 'my list.csv'", fails=True)
        assert "images are not there: row 1: images of my list/zero 0.png" in fault and "mend the paths" in fault
        assert commands(fault)[-1] == "predictor probe IMAGES --manifest 'my list.csv'"
    assert "2 classes" in run(commands(fault)[-1].replace("IMAGES", ".."))


def test_outside_of_the_fit_the_remedy_runs(place) -> None:
    digits_folder(Path("my photos"))
    Path("large.csv").write_text("label,count\nzero,90000\none,40000\ntwo,25000\n")
    text = run("predictor predict large.csv")
    assert "remedy        pilots at 3 sizes: predictor pilots large.csv --source IMAGES --next 3" in text
    (line,) = commands(text)  # the same in the warning
    assert "3 configurations, 3 runs" in run(line)


def test_a_recipe_that_no_run_had_is_answered_with_a_command_that_a_shell_takes(place) -> None:
    digits_folder(Path("my photos"))
    text = run("predictor predict 'my photos' --model other_network")
    assert "predictor pilots 'my photos' --next 3 --recipe GRID.yaml" in " ".join(text.split())


def test_the_remedies_of_errors_run(place) -> None:
    digits_folder(Path("my photos"))
    digits_list(Path("my list.csv"), {"zero": 30, "one": 30})
    run("predictor probe 'my photos' --output 'all three.json'")
    fault = run("predictor predict 'my list.csv' --probe 'all three.json'", fails=True)
    (line,) = commands(fault)
    assert line.startswith("predictor probe IMAGES --manifest 'my list.csv'")
    FILLED["IMAGES"] = "."  # a list of paths lies in a folder
    try:
        run(line)
    finally:
        FILLED["IMAGES"] = "my photos"
    assert "images probed" in run("predictor predict 'my list.csv' --probe probe.json")
    fault = run("predictor predict 'my list.csv' --probe 'not there.json'", fails=True)
    (line,) = commands(fault)
    assert "--output 'not there.json'" in line
    run(line)
    run("predictor pilots 'my photos' --next 2")
    fault = run("predictor pilots 'my photos' --next 2 --share 0.3 --output other.yaml", fails=True)
    (share,) = re.findall(r"use (--share [0-9.]+)", fault)
    assert "exists and says something else. name another: --output" in run(
        "predictor pilots 'my photos' --next 3", fails=True
    )
    text = run(f"predictor pilots 'my photos' --next 2 {share} --output other.yaml")
    cost = int(re.search(r"(\d+) % of the whole", text)[1])
    assert cost <= round(100 * float(share.split()[1])), "it costs what was said"


GRID = """
study: small
protocol: 3
sources: {digits: {digest: "builtin:digits"}}
target_sets:
  low: {domain: digits, source: digits, classes: ["0", "1", "2"]}
  high: {domain: digits, source: digits, classes: ["7", "8", "9"]}
model: {name: predictor_small, image_size: 16, head: 8}
recipe: {batch_size: 32, image_steps: 64, learning_rate: 0.05, augmentation: none}
seeds: [0, 1]
grid:
  - {target_set: [low, high], samples_per_class: [4, 8, 12, 20, 30, 40]}
"""


@pytest.mark.slow
def test_designs_and_missing_runs_train_as_printed(place) -> None:
    Path("small.yaml").write_text(GRID)
    run("trainer run small.yaml --data . --runs 'my runs'")
    for path in Path("my runs/small").glob("*.json"):
        if json.loads(path.read_text())["axes"]["samples_per_class"] == 40:
            path.unlink()  # so that there is something to choose
    text = run("predictor design 'my runs' --next 2 --output 'what next.yaml'")
    (train,) = commands(text)
    run(train)
    text = run("predictor claims 'my runs' --claim C1 --claim C6 --missing 'what lacks.yaml'")
    (train,) = [line for line in commands(text) if line.startswith("trainer")]
    Path("what lacks.yaml").write_text(re.sub(r"seeds: .*", "seeds: [0]", Path("what lacks.yaml").read_text()))
    assert "'what lacks.yaml' --data DIR --runs 'my runs'" in train
    run(train)
