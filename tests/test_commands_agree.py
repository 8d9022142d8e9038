"""One number from every command: what a manifest reaches by predict, advise, curve and pilots, asked alike."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from images import pattern
from synthetic import registry
from test_probed import probe_at

from predictor import api
from predictor.cli import predictor
from predictor.fitting import fit_registry
from predictor.grids.probes import spec_key
from predictor.models.links import expit
from predictor.models.probed import above_chance
from predictor.planning.pilots.based import fit_on_top
from predictor.records import write_record

LEVELS = {f"d{i // 3}/{i}": (f"d{i // 3}", -2.6 + 0.55 * (i % 3) + 0.25 * (i // 3)) for i in range(12)}
NAMES = tuple(f"mine/{c:02d}" for c in range(10))
Number = tuple[float, float, float]


@pytest.fixture(scope="module")
def fit():
    """Four domains of three target sets each, all probed: a new target set of one of them is another question."""
    sets = tuple((name, (domain, 10, level)) for name, (domain, level) in LEVELS.items())
    records, probes = registry(n_configurations=96, n_seeds=1, target_sets=sets, noise=0.02), {}
    for number, record in enumerate(records):
        level = expit(np.array(LEVELS[record.target_set][1] + 0.5 * np.log(20)))
        classes = tuple(record.spec["target"]["classes"])
        source = record.spec["sources"][record.spec["stages"][0]["data"]["source"]]
        noise = 0.3 * np.sin(sorted(LEVELS).index(record.target_set))
        probe = probe_at(float(above_chance(level, 0.1)) + noise, digest=source, names=classes)
        probes.setdefault(spec_key(record.spec), probe)
        assert probe.key in probes, number
    return fit_registry(records, ["accuracy"], ["classwise"], probes=probes)


@pytest.fixture(scope="module")
def place(fit, tmp_path_factory) -> Path:
    """A fit, a probe, a table of counts, pilots of a domain that the fit knows, and of one that it does not."""
    place = tmp_path_factory.mktemp("agree")
    fit.save(place / "fit.json")
    (place / "probe.json").write_text(probe_at(0.2, names=NAMES).to_json())
    (place / "m.csv").write_text("label,count\n" + "".join(f"{name},{30 + 4 * c}\n" for c, name in enumerate(NAMES)))
    for domain in ("d1", "elsewhere"):
        for record in registry(n_configurations=3, n_seeds=1, target_sets=(("mine", (domain, 10, -1.2)),), seed=4):
            write_record(place / domain, record)
    return place


def asked(*words: object) -> dict:
    done = CliRunner().invoke(predictor, [str(word) for word in (*words, "--format", "json")], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def numbers(manifest: Path, *words: object) -> dict[str, Number]:
    """{command: (value, low, high) of the manifest as it is}."""
    told = {
        "predict": asked("predict", manifest, *words)["predictions"][0]["outcomes"][0],
        "advise": next(p for p in asked("advise", manifest, "--budget", 50, *words)["plans"] if p["name"] == "now"),
        "curve": next(p for p in asked("curve", manifest, "--scale", "0.5..2", *words)["points"] if p["scale"] == 1),
    }
    return {name: (own["value"], own["low"], own["high"]) for name, own in told.items()}


def one(found: dict[str, Number]) -> Number:
    """What all commands say. Fails where they do not."""
    first = found["predict"]
    assert all(own == pytest.approx(first, abs=1e-12) for own in found.values()), found
    return first


def width(place: Path, *words: object) -> float:
    """Of the interval that `pilots` starts from."""
    where = ("--source", "a.parquet", "--digest", "sha256:" + "0" * 64, "--output", place / "grid.yaml")
    found = asked("pilots", place / "m.csv", "--next", 1, *where, *words)["width_now"]
    (place / "grid.yaml").unlink()
    return found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PREDICTOR_CACHE", str(tmp_path / "cache"))
    generator = np.random.default_rng(0)
    for kind in range(3):
        (tmp_path / "pets" / f"c{kind}").mkdir(parents=True)
        for i in range(24):
            (tmp_path / "pets" / f"c{kind}" / f"{i:03d}.png").write_bytes(pattern(kind, generator))
    return tmp_path / "pets"


def test_a_folder_is_probed_by_every_command(place: Path, folder: Path) -> None:
    words = ("--fit", place / "fit.json")
    told, plain = one(numbers(folder, *words)), one(numbers(folder, *words, "--no-probe"))
    assert abs(told[0] - plain[0]) > 0.01, "the probe says something, or this test shows nothing"
    notes = asked("curve", folder, *words)["notes"]
    assert any("rests on a probe of the images" in note for note in notes)
    assert not any("probe" in note for note in asked("curve", folder, *words, "--no-probe")["notes"])


@pytest.mark.parametrize("more", [(), ("--domain", "d1")])
def test_a_probe_says_the_same_to_every_command(place: Path, more: tuple[str, ...]) -> None:
    words = ("--fit", place / "fit.json", "--probe", place / "probe.json", *more)
    told = one(numbers(place / "m.csv", *words))
    assert told != one(numbers(place / "m.csv", "--fit", place / "fit.json", *more))
    assert width(place, *words) == pytest.approx(told[2] - told[1], abs=1e-9)


@pytest.mark.parametrize("pilots", ["d1", "elsewhere"])
@pytest.mark.parametrize("probe", [True, False])
def test_pilots_say_the_same_to_every_command(fit, place: Path, pilots: str, probe: bool) -> None:
    """Of a domain that the fit knows the probe is read as of that domain, whether it is named or not."""
    words = ["--fit", place / "fit.json", "--pilot", place / pilots, "--image-steps", 30_000]
    words += ["--probe", place / "probe.json"] * probe
    told = one(numbers(place / "m.csv", *words))
    assert width(place, *words) == pytest.approx(told[2] - told[1], abs=1e-9)
    own = api.Fit(fit.content)
    asked_of: dict = {"pilots": place / pilots, "image_steps": 30_000, "probe": place / "probe.json" if probe else None}
    (found,) = own.predict(place / "m.csv", **asked_of).predictions
    outcome = found.outcome("accuracy")
    assert (outcome.value, outcome.low, outcome.high) == pytest.approx(told, abs=1e-12)
    now = next(p for p in own.curve(place / "m.csv", **asked_of).points if p.scale == 1)
    assert (now.value, now.low, now.high) == pytest.approx(told, abs=1e-12)
    assert own.pilots(place / "m.csv", 1, **asked_of).width_now == pytest.approx(told[2] - told[1], abs=1e-9)
    if pilots in fit.domains:
        assert one(numbers(place / "m.csv", *words, "--domain", pilots)) == pytest.approx(told, abs=1e-12)


def test_a_target_set_added_to_a_fit_is_known_to_every_command(fit, place: Path) -> None:
    own = registry(n_configurations=6, n_seeds=1, target_sets=(("mine", ("d1", 10, -1.2)),), seed=4)
    top, _, _ = fit_on_top(fit, own)
    top.save(place / "top.json")
    told = one(numbers(place / "m.csv", "--fit", place / "top.json", "--target-set", "mine"))
    now = next(p for p in api.load_fit(place / "top.json").curve(place / "m.csv", target_set="mine").points
               if p.scale == 1)  # fmt: skip
    assert (now.value, now.low, now.high) == pytest.approx(told, abs=1e-12)
    assert asked("curve", place / "m.csv", "--fit", place / "top.json", "--target-set", "mine")["status"] == "pilot"


def test_a_probe_of_other_classes_is_refused_by_the_name_of_the_manifest(place: Path) -> None:
    (place / "other.json").write_text(probe_at(0.2).to_json())
    for words in ((), ("--pilot", place / "d1")):
        for command in (("predict",), ("advise", "--budget", 5), ("curve",)):
            named = [command[0], place / "m.csv", *command[1:], "--fit", place / "fit.json", *words]
            done = CliRunner().invoke(predictor, [str(word) for word in (*named, "--probe", place / "other.json")])
            assert "m.csv: the probe is of other classes than the manifest tests" in str(done.exception), named
