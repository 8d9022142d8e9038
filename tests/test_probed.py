"""What a probe adds to a prediction: learnt from left-out target sets and domains, and told to a fit."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from images import pattern
from synthetic import registry

from predictor.cli.predict_command import command as predict_command
from predictor.distribution import LabelDistribution
from predictor.errors import FitError
from predictor.fitting import fit_registry
from predictor.fitting.probes import Pairs, class_weight, covered, learn, probed
from predictor.grids.probes import spec_key
from predictor.images.results import METHOD, Probe, Probed, Size, key_of
from predictor.models.fit import load_fit
from predictor.models.probed import Told, above_chance, combined, from_above
from predictor.planning import advise
from predictor.planning.pilots.predict import predict_with_pilots, recalibrate
from predictor.prediction import predict
from predictor.prediction.probed import with_probe
from predictor.prediction.request import resolve

SIZES = (5, 10, 20, 40)
LEVELS = dict(
    zip((f"d{i}" for i in range(12)), np.random.default_rng(3).permutation(np.linspace(-2.4, 0.6, 12)), strict=True)
)


def probe_at(
    level: float, slope: float = 0.5, *, digest: str = "sha256:mine", names: tuple[str, ...] = (), **hard: float
) -> Probe:
    """A probe of ten classes whose level at 20 images a class is given; hard: what single classes lie below it."""
    names = names or tuple(f"c{i}" for i in range(10))
    shares = {n: float(from_above(np.array(level + slope * np.log(n / 20)), 0.1)) for n in SIZES}
    sizes = [
        Size(samples_per_class=n, n_classes=10, n_tested=300, accuracy=share, standard_error=0.01, margin=0.0)
        for n, share in shares.items()
    ]
    classes = tuple(
        Probed(
            name=name, n_images=100, accuracy={n: max(share - hard.get(name, 0.0), 0.0) for n, share in shares.items()}
        )
        for name in names
    )
    return Probe(digest=digest, split="train", image_size=32, n_images=1200, n_draws=5, sizes=tuple(sizes),
                 classes=classes, left_out={})  # fmt: skip


@pytest.fixture(scope="module")
def records():
    """Twelve domains of one target set each, whose levels are far apart."""
    sets = tuple((name, (name, 10, float(level))) for name, level in LEVELS.items())
    return registry(n_configurations=96, n_seeds=1, target_sets=sets, noise=0.02)


@pytest.fixture(scope="module")
def probes(records) -> dict[str, Probe]:
    """Each level as the law has it at 20 images a class and 30,000 image-steps, not quite."""
    generator, found = np.random.default_rng(0), {}
    for record in records:
        if (key := spec_key(record.spec)) not in found:
            at_20 = LEVELS[record.target_set] + 0.5 * np.log(20)
            level = float(above_chance(1 / (1 + np.exp(-np.array(at_20))), 0.1)) + generator.normal(0, 0.1)
            classes = tuple(record.spec["target"]["classes"])
            source = record.spec["sources"][record.spec["stages"][0]["data"]["source"]]
            found[key] = probe_at(level, digest=source, names=classes)
            assert found[key].key == key
    return found


@pytest.fixture(scope="module")
def fit(records, probes):
    return fit_registry(records, ["accuracy"], ["classwise"], probes=probes)


def manifest(n: int = 60) -> dict[str, LabelDistribution]:
    return {"new.csv": LabelDistribution.from_counts({f"c{i}": n for i in range(10)})}


def test_the_key_of_a_record_is_that_of_its_probe(records) -> None:
    spec = records[0].spec
    data = spec["stages"][0]["data"]
    assert spec_key(spec) == key_of(spec["sources"][data["source"]], "train", spec["target"]["classes"])
    assert spec_key(None) is None


def test_a_new_domain_gets_its_level_from_the_probe(fit) -> None:
    """The law at 60 images of each of ten classes, against what is predicted for three levels."""
    for level in (-1.0, 0.0, 1.5):
        plain = LEVELS["d0"] * 0 + level  # logit at 20 images
        truth = 1 / (1 + np.exp(-(plain + 0.5 * np.log(3))))
        told = float(above_chance(1 / (1 + np.exp(-np.array(plain))), 0.1))
        found = predict(fit, manifest(), probe=probe_at(told), image_steps=30_000).predictions[0]
        outcome = found.outcome("accuracy")
        assert abs(outcome.value - truth) < 0.05 and outcome.low < truth < outcome.high
        assert found.status == "new_domain" and found.probe["level"] == pytest.approx(told)


def test_left_out_domains_calibrate_the_interval(fit) -> None:
    with_one = predict(fit, manifest(), probe=probe_at(0.0)).predictions[0].outcome("accuracy")
    without = predict(fit, manifest()).predictions[0].outcome("accuracy")
    assert with_one.covered is not None and with_one.reason is None
    assert with_one.covered[1] == 96 and with_one.covered[0] >= 80
    assert with_one.high - with_one.low < 0.5 * (without.high - without.low)
    assert without.covered is not None and without.covered[1] == 96  # twelve left-out domains calibrate a thirteenth


def test_few_domains_calibrate_none(records, probes) -> None:
    few = [record for record in records if record.target_set in ("d0", "d1", "d2", "d3")]
    fit = fit_registry(few, ["accuracy"], ["classwise"], probes=probes)
    found = predict(fit, manifest(), probe=probe_at(0.0)).predictions[0].outcome("accuracy")
    assert found.covered is None and "4 left-out domains with a probe; a 90 % interval needs 9" in found.reason


def test_growth_and_hard_classes_come_from_the_probe(fit) -> None:
    steep, flat = (
        predict(fit, manifest(200), probe=probe_at(0.0, slope)).predictions[0].outcome("accuracy").value
        for slope in (0.8, 0.2)
    )
    assert fit.content["outcomes"]["accuracy"]["probed"]["new_domain"]["mapping"]["growth"] == pytest.approx(
        1, abs=0.35
    )
    assert steep >= flat
    content = {**fit.content, "outcomes": {**fit.content["outcomes"]}}
    entry = {**content["outcomes"]["accuracy"]}
    entry["probed"] = {**entry["probed"], "classes": [0.8, 0.9]}
    content["outcomes"]["accuracy"] = entry
    told = predict(type(fit)(content), manifest(), probe=probe_at(0.0, c4=0.3, c7=0.2)).predictions[0].classes[0]
    assert [one.name for one in told.worst[:2]] == ["c4", "c7"]


def test_a_target_set_that_the_fit_knows_needs_no_probe(fit, records) -> None:
    classes = records[0].distribution.target_names
    known = {"known.csv": LabelDistribution.from_counts(dict.fromkeys(classes, 60))}
    a = predict(fit, known, target_set="d0").to_dict()
    b = predict(fit, known, target_set="d0", probe=probe_at(3.0, names=classes)).to_dict()
    assert a == b


def test_what_cannot_be_told_is_said(fit, records) -> None:
    with pytest.raises(FitError, match="the probe lacks 'c9'; it has 'c99', which are not tested"):
        predict(fit, manifest(), probe=probe_at(0.0, names=(*(f"c{i}" for i in range(9)), "c99")))
    with pytest.raises(
        FitError, match=f"the probe is of kind other/1; for this recipe the fit learnt from {METHOD.replace('+', '.')}"
    ):
        with_probe(fit, replace(probe_at(0.0), method="other/1"))
    with pytest.raises(FitError, match="the images are too few to be probed"):
        with_probe(fit, replace(probe_at(0.0), sizes=()))
    plain = fit_registry(records[:40], ["accuracy"], ["classwise"])
    with pytest.raises(
        FitError, match=r"learnt nothing from probes of images\. probe its target sets: predictor probe GRID"
    ):
        with_probe(plain, probe_at(0.0))


def test_pilots_learn_on_from_what_the_probe_says(fit) -> None:
    """A probe that is a logit too high: three pilots pull the prediction back to what they measured."""
    mine = (("mine", ("mine", 10, -1.0)),)
    records = registry(n_configurations=3, n_seeds=1, target_sets=mine, seed=9, image_steps=(30_000,))
    names = records[0].distribution.target_names
    counts = {"new.csv": LabelDistribution.from_counts(dict.fromkeys(names, 100))}
    truth = 1 / (1 + np.exp(-(-1.0 + 0.5 * np.log(100))))
    told = with_probe(fit, probe_at(1.2, names=names))
    only = predict(fit, counts, probe=probe_at(1.2, names=names), image_steps=30_000).predictions[0].outcome("accuracy")
    found = predict_with_pilots(told, counts, records, image_steps=30_000).predictions[0]
    outcome = found.outcome("accuracy")
    assert found.status in ("pilot", "outside") and abs(outcome.value - truth) < 0.7 * abs(only.value - truth)
    assert outcome.low < truth < outcome.high


def test_pilots_of_a_new_domain_are_calibrated_on_left_out_domains(fit) -> None:
    """Twelve of them, with a probe and without: coverage is stated, and a probe makes it no wider."""
    request = resolve(fit, "new", "new", None, None, 30_000)
    told = with_probe(fit, probe_at(0.0))
    for own in (fit, told):
        found = recalibrate(own, "accuracy", None, request).calibration
        assert found.units == "domains" and found.times == 1.0 and found.n_units == 12
        assert found.evidence(0.9)[0] is not None
        assert sorted(set(found.owners)) == sorted(set(own.outcomes["accuracy"].domain.groups.tolist()))
    of_labels, of_images = (recalibrate(own, "accuracy", None, request).calibration.spread for own in (fit, told))
    assert of_images.covariance[0, 0] < of_labels.covariance[0, 0] / 2


def test_advice_is_at_the_level_of_the_probe(fit) -> None:
    distribution = manifest()["new.csv"]
    plain = advise(fit, distribution, 100, image_steps=30_000)
    found = advise(fit, distribution, 100, wanted=0.6, image_steps=30_000, probe=probe_at(-1.0))
    told = predict(fit, manifest(), probe=probe_at(-1.0), image_steps=30_000).predictions[0].outcome("accuracy")
    assert found.plan("now").value == told.value != plain.plan("now").value
    assert (found.plan("now").low, found.plan("now").high) == (told.low, told.high)
    assert found.reach.images and found.reach.images > 0
    easier = advise(fit, distribution, 100, wanted=0.6, image_steps=30_000, probe=probe_at(-0.6))
    assert easier.reach.images < found.reach.images, "images that are told apart sooner need fewer"
    assert any("rests on a probe of the images" in note for note in found.notes)
    assert any("rests on the fit's images" in note for note in plain.notes)
    with pytest.raises(FitError, match="the probe lacks 'c9'"):
        advise(fit, distribution, 100, probe=probe_at(0.0, names=tuple(f"c{i}" for i in range(9))))


def test_a_fit_with_probes_is_data(fit, tmp_path: Path) -> None:
    read = load_fit(fit.save(tmp_path / "fit.json"))
    a, b = (predict(one, manifest(), probe=probe_at(0.3)).to_dict() for one in (fit, read))
    assert a == b


def pairs(n_domains: int = 14, per_domain: int = 2, n: int = 6, *, seed: int = 0, noise: float = 0.05) -> Pairs:
    """Configurations of y = .2 + .9 q + .3 log(C / C0) + (.8 + .5 (g - g0)) (f - f20)."""
    generator = np.random.default_rng(seed)
    sets = np.repeat(np.arange(n_domains * per_domain), n)
    q, g = (
        generator.normal(0, 1.2, n_domains * per_domain)[sets],
        generator.normal(0.5, 0.2, n_domains * per_domain)[sets],
    )
    growth = generator.normal(0, 1, len(sets))
    slope = float(np.mean([g[sets == i][0] for i in range(n_domains * per_domain)]))
    log_c = np.log(generator.integers(2, 60, n_domains * per_domain))
    more = 0.3 * (log_c - log_c.mean())[sets]
    y = 0.2 + 0.9 * q + more + (0.8 + 0.5 * (g - slope)) * growth + generator.normal(0, noise, len(sets))
    names = np.array([f"t{i}" for i in sets])
    return Pairs(
        f=growth + 0.3, f20=np.full(len(sets), 0.3), y=y, level=q, slope=g, centre=np.zeros(len(sets)),
        chance=np.exp(-log_c)[sets], target_sets=names, domains=np.array([f"d{i // per_domain}" for i in sets]),
    )  # fmt: skip


def test_the_law_is_found_again() -> None:
    found = learn(pairs(), 20_000, new_domain=True)
    wanted = {"constant": 0.2, "level": 0.9, "growth": 0.8, "stretch": 0.5, "classes": 0.3}
    close = {"constant": 0.06, "level": 0.06, "growth": 0.06, "stretch": 0.2, "classes": 0.08}  # priors of both are 0
    assert all(abs(found[name] - value) < close[name] for name, value in wanted.items())


def test_little_evidence_stays_near_the_prior() -> None:
    one = pairs(n_domains=1, per_domain=1)
    found = learn(replace(one, y=one.y + 2.0), 20_000, new_domain=True)
    assert abs(found["level"] - 1) < 0.3 and abs(found["growth"] - 1) < 0.25 and 0.3 < found["constant"] < 2.5


def test_every_domain_weighs_the_same() -> None:
    """One domain of many target sets says otherwise; it has one vote."""
    many, rest = pairs(1, 30, seed=1), pairs(10, 1, seed=2)
    together = Pairs(
        *(np.concatenate([getattr(many, name), getattr(rest, name)]) for name in Pairs.__dataclass_fields__)
    )
    together = replace(
        together,
        y=np.where(np.arange(len(together.y)) < len(many.y), together.y + 3, together.y),
        target_sets=np.char.add(together.target_sets, together.domains),
        domains=np.concatenate([np.full(len(many.y), "large"), rest.domains]),
    )
    assert learn(together, None, new_domain=True)["constant"] < 0.2 + 3 / 11 + 0.15


def test_coverage_is_measured_on_the_group_left_out() -> None:
    groups = np.repeat([f"g{i}" for i in range(12)], 4)
    residuals = np.where(groups == "g5", 9.0, 0.1)
    assert covered(residuals, groups)["0.9"] == [44, 48]
    assert covered(residuals[:36], groups[:36]) == {"0.8": [32, 36]}  # eight others are too few for 90 %


def test_classes_weigh_what_the_network_shares_with_the_probe() -> None:
    generator = np.random.default_rng(0)
    told = {
        f"t{i}": Told(0.0, 0.5, {f"c{j}": float(v) for j, v in enumerate(generator.normal(0, 1, 10))}) for i in range(4)
    }
    classes = {
        f"t{i} | net 32 px": {name: [0.6 * v, 0.1, 100] for name, v in told[f"t{i}"].classes.items()} for i in range(4)
    }
    weight, correlation = class_weight(told, classes, {f"t{i} | net 32 px": f"t{i}" for i in range(4)})
    assert weight == pytest.approx(0.6, abs=0.03) and correlation == pytest.approx(1)
    assert class_weight({}, classes, dict.fromkeys(classes, "t0")) == [0.0, 0.0]


def test_too_few_target_sets_teach_nothing(records) -> None:
    from predictor.fitting.configurations import configurations
    from predictor.fitting.rows import rows_for, select

    rows = rows_for(select(records), "accuracy")
    assert probed(rows, configurations(rows), {}, {}, "classwise", {"d0": Told(0.0, 0.5)}, {}) is None


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PREDICTOR_CACHE", str(tmp_path / "cache"))
    generator = np.random.default_rng(0)
    for kind in range(3):
        for i in range(24):
            file = tmp_path / "pets" / f"c{kind}" / f"{i:03d}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(pattern(kind, generator))
    return tmp_path / "pets"


def run(*arguments: object):
    return CliRunner().invoke(predict_command, [str(item) for item in arguments], catch_exceptions=False)


def test_a_folder_is_probed_by_itself(fit, folder: Path, tmp_path: Path) -> None:
    saved = fit.save(tmp_path / "fit.json")
    told = run(folder, "--fit", saved)
    assert told.exit_code == 0 and "DOMAIN new, no pilots, images probed" in told.stdout
    assert f"fit: {saved}" in " ".join(told.stdout.split()), "a long path stands on a line of its own"
    assert "from a probe of 72 of your training images" in told.stdout and "probe: features" in told.stderr
    probed_json = json.loads(run(folder, "--fit", saved, "--format", "json").stdout)["predictions"][0]
    plain = json.loads(run(folder, "--fit", saved, "--no-probe", "--format", "json").stdout)["predictions"][0]
    assert probed_json["probe"]["n_images"] == 72 and plain["probe"] is None
    assert probed_json["outcomes"][0]["value"] != plain["outcomes"][0]["value"]


def test_images_of_a_count_table_are_named(fit, folder: Path, tmp_path: Path) -> None:
    saved = fit.save(tmp_path / "fit.json")
    counts = tmp_path / "counts.csv"
    counts.write_text("label,count\nc0,24\nc1,24\nc2,24\n")
    by_folder = json.loads(run(folder, "--fit", saved, "--format", "json").stdout)["predictions"][0]["outcomes"]
    named = json.loads(run(counts, "--images", folder, "--fit", saved, "--format", "json").stdout)["predictions"][0]
    assert named["outcomes"] == by_folder
    rows = [
        {"image": file.read_bytes(), "label": file.parent.name, "split": "train"}
        for file in sorted(folder.rglob("*.png"))
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "pets.parquet")
    packed = run(counts, "--images", tmp_path / "pets.parquet", "--fit", saved, "--format", "json")
    assert json.loads(packed.stdout)["predictions"][0]["outcomes"] == by_folder
    assert json.loads(run(counts, "--fit", saved, "--format", "json").stdout)["predictions"][0]["probe"] is None


def test_options_that_contradict_each_other(fit, folder: Path, tmp_path: Path) -> None:
    saved = fit.save(tmp_path / "fit.json")
    with pytest.raises(FitError, match="--images and --probe both say what the images look like"):
        run(folder, "--fit", saved, "--images", folder, "--probe", tmp_path / "p.json")
    with pytest.raises(FitError, match="nothing to probe for: --no-probe says not to"):
        run(folder, "--fit", saved, "--images", folder, "--no-probe")


def test_images_that_cannot_be_read_cost_no_prediction(fit, folder: Path, tmp_path: Path) -> None:
    for file in folder.rglob("*.png"):
        file.write_bytes(b"junk")
    told = run(folder, "--fit", fit.save(tmp_path / "fit.json"))
    assert told.exit_code == 0 and "its images were not probed" in told.stderr
    assert "no image can be read" in told.stderr and "no pilots" in told.stdout
    assert "images probed" not in told.stdout


@pytest.mark.parametrize(("slope", "grown"), [(0.5, 1.5), (3.0, 0.0)])
def test_more_images_never_lower_what_a_probe_says(slope: float, grown: float) -> None:
    """However steep the probe: growth is stretched down to none, and never turned round."""
    mapping = {"constant": 0.0, "level": 1.0, "growth": 2.0, "stretch": -1.0, "classes": 2.0}
    mapping |= {"slope": 0.0, "n_classes": 4.0}
    f, f20 = np.array([1.5]), np.array([0.5])
    assert combined(mapping, Told(0.25, slope), None, np.array([0.25]), f, f20).tolist() == [0.25 + grown]
    assert combined(mapping, Told(0.25, slope), 0.25, np.array([0.25]), f, f20).tolist() == [0.5 + grown]


def test_more_classes_raise_the_level_of_a_new_domain_alone() -> None:
    """At as many images of each there are more in all; the model of a known domain knows that already."""
    mapping = {"constant": 0.0, "level": 1.0, "growth": 1.0, "stretch": 0.0, "classes": 0.5, "slope": 0.0}
    mapping["n_classes"] = 5.0
    chance, f = np.array([0.2, 0.05]), np.zeros(2)
    new = combined(mapping, Told(0.0, 0.0), None, chance, f, f)
    assert new.tolist() == pytest.approx([0.0, 0.5 * np.log(4)])
    assert combined(mapping, Told(0.0, 0.0), 0.0, chance, f, f).tolist() == [0.0, 0.0]


def test_a_model_below_chance_tells_of_no_growth() -> None:
    """A model that knows no level may put two classes below chance: how far below says nothing of few images."""
    below = above_chance(np.array([0.2, 0.49, 0.5]), 0.5)
    assert len(set(below.tolist())) == 1 and above_chance(np.array([0.52]), 0.5)[0] > below[0] > -4
    assert above_chance(np.array([0.99]), 0.5)[0] > 3.8  # near 1 there is something to tell
