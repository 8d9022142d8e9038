"""A probe by the features of a pretrained network: made by the trainer, learnt from by recipes with such weights."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import probes_made
import pytest
import torch
from click.testing import CliRunner
from images import write_source
from safetensors.torch import save_file
from synthetic import registry
from trainer_command import trainer_command

from predictor.cli.predict_command import command as predict_command
from predictor.errors import FitError
from predictor.fitting import fit_registry
from predictor.fitting.probes import told_of
from predictor.fitting.rows import select
from predictor.grids.probes import spec_key
from predictor.grids.write import grid_text
from predictor.images.decoding import decoded
from predictor.images.digests import file_digest
from predictor.images.listing import open_images
from predictor.images.methods import how_to_probe, method_of
from predictor.images.results import METHOD, Probe, read_probe, read_probes
from predictor.models.fit import Fit
from predictor.prediction.probed import with_probe
from predictor.spec import Model, Weights
from predictor.weights import KNOWN_WEIGHTS
from trainer import weights
from trainer.features.extract import Extractor
from trainer.features.probed import described_by
from trainer.networks import create

own_cache = probes_made.own_cache
CLASSES = ["a", "b", "c", "d"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Gratings of four classes, and the weights of a small network that was never trained."""
    path = tmp_path_factory.mktemp("looked")
    write_source(path / "gratings.parquet", CLASSES, train=30, test=4, seed=3, noise=60.0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        save_file(create("resnet10t", head=7, image_size=32).state_dict(), path / "ten.safetensors")
    return path


def model_of(folder: Path) -> Model:
    stated = Weights(name="ten", digest=file_digest(folder / "ten.safetensors"))
    return Model(name="resnet10t", image_size=32, weights=stated, train="head")


def test_the_features_are_those_of_the_network_in_the_order_of_the_rows(folder) -> None:
    model, file = model_of(folder), folder / "ten.safetensors"
    images = open_images(folder / "gratings.parquet")
    rows = np.array([70, 3, 41])
    found = described_by(model, file, images).features(rows, None)
    wanted = Extractor(model, file, "cpu").look(seen(images, rows))
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=2e-3, atol=2e-3)  # kept as float16


def seen(images: Any, rows: np.ndarray) -> np.ndarray:
    rule = weights.data_config("resnet10t")["interpolation"]
    return np.stack([decoded(data, 32, rule)[0] for data in images.read(rows.tolist())])


def test_the_command_probes_images_and_grids(folder, tmp_path) -> None:
    asked = ("--weights", folder / "ten.safetensors", "--model", "resnet10t", "--image-size", 32)
    done = trainer_command("probe", folder / "gratings.parquet", *asked, "--output", tmp_path / "probe.json")
    assert done.returncode == 0, done.stderr
    probe = read_probe(tmp_path / "probe.json")
    assert probe.method == method_of(model_of(folder).model_dump()) != METHOD
    assert "without training: features of resnet10t@32 and ridge regression" in done.stdout
    assert probe.names == tuple(CLASSES) and probe.at(5).accuracy > 0.5 and probe.n_images == 120
    model = {"name": "resnet10t", "image_size": 32, "head": 8, "train": "head",
             "weights": {"file": "ten.safetensors", "digest": model_of(folder).weights.digest}}  # fmt: skip
    content = {
        "study": "s", "protocol": 3, "sources": {"gratings": {"file": "gratings.parquet", "digest": probe.digest}},
        "target_sets": {"t": {"domain": "d", "source": "gratings", "classes": CLASSES}}, "model": model,
        "recipe": {"epochs": 1, "augmentation": "none"}, "seeds": [0],
        "grid": [{"target_set": "t", "samples_per_class": 5}],
    }  # fmt: skip
    grid, kept = tmp_path / "grid.yaml", tmp_path / "probes.json"
    grid.write_text(grid_text(content))
    done = trainer_command("probe", grid, "--data", folder, "--output", kept)
    assert done.returncode == 0, done.stderr
    assert [(one.key, one.sizes) for one in read_probes(kept).values()] == [(probe.key, probe.sizes)]
    refused = trainer_command("probe", grid, "--data", folder, "--weights", "lite0")
    assert refused.returncode == 2 and "a grid names its network and weights" in refused.stderr
    content["model"] = {"name": "predictor_small", "head": 8}
    content["recipe"] = {"learning_rate": 0.1, "image_steps": 64}
    grid.write_text(grid_text(content))
    refused = trainer_command("probe", grid, "--data", folder)
    assert refused.returncode == 2 and f"predictor probe {grid} --data {folder}" in refused.stderr


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ((), "nothing says which network is to look. name its weights: --weights lite0, or a file"),
        (("--weights", "none.pth"), "no such weights. name a file, or known weights: lite0"),
        (("--weights", "ten.safetensors"), "a file of weights does not say its network. name it with --model"),
        (("--weights", "ten.safetensors", "--model", "resnet99"), "resnet99"),
    ],
)
def test_what_is_missing_is_said(folder, asked, told) -> None:
    done = trainer_command("probe", "gratings.parquet", *asked, cwd=folder)
    assert done.returncode == 2 and told in done.stderr and not done.stdout


@pytest.fixture(scope="module")
def own(folder) -> tuple[list, dict[str, Probe], Fit]:
    """(records of a frozen network in ten domains, probes by that network and by patches, their fit)."""
    from test_probed import probe_at

    model = {"name": "net", "image_size": 96, "head": 10, "train": "head",
             "weights": {"name": "w", "digest": "sha256:" + 64 * "0"}}  # fmt: skip
    levels = dict(zip((f"d{i}" for i in range(10)), np.linspace(-2.4, 0.6, 10).tolist(), strict=True))
    made = registry(n_configurations=60, n_seeds=1, noise=0.02,
                    target_sets=tuple((name, (name, 10, level)) for name, level in levels.items()))  # fmt: skip
    probes: dict[str, Probe] = {}
    for record in made:
        spec = {**record.spec, "model": model}
        digest = spec["sources"][spec["stages"][0]["data"]["source"]]
        names = tuple(spec["target"]["classes"])
        for method, level in ((method_of(model), levels[record.target_set] + 1.5), (METHOD, 0.0)):
            probe = replace(probe_at(level, digest=digest, names=names), method=method)
            assert probe.key == spec_key(spec, method)
            probes[probe.key] = probe
    return made, probes, fit_registry(made, ["accuracy"], ["classwise"], probes=probes)


def with_model(records: list, model: Mapping[str, Any]) -> list:
    return [record.model_copy(update={"spec": {**record.spec, "model": model}}) for record in records]


def test_recipes_learn_from_the_probe_that_resembles_them(own) -> None:
    records, probes, fit = own
    assert {told.method for told in told_of(select(records).records, probes).values()} == {METHOD}
    selection = select(records)
    method = next(probe.method for probe in probes.values() if probe.method != METHOD)
    name, size = method.partition(":")[0].split("@")
    model = {"name": name, "image_size": int(size), "weights": {"name": "w", "digest": "sha256:" + 64 * "0"}}
    told = told_of(with_model(selection.records, model), probes)
    assert len(told) == 10 and {one.method for one in told.values()} == {method}
    few = {key: probe for key, probe in probes.items() if probe.method == METHOD}
    told = told_of(with_model(selection.records, model), few)
    assert {one.method for one in told.values()} == {METHOD}  # better than none
    assert fit.content["outcomes"]["accuracy"]["probed"]["method"] == METHOD


def looking(fit: Fit, method: str) -> Fit:
    """The fit as if it had learnt from another kind of probe."""
    entry = fit.content["outcomes"]["accuracy"]
    other = {**entry, "probed": {**entry["probed"], "method": method}}
    return replace(fit, content={**fit.content, "outcomes": {**fit.content["outcomes"], "accuracy": other}})


def test_a_probe_of_another_kind_is_refused_with_the_command_that_makes_it(own, folder, tmp_path) -> None:
    from test_probed import probe_at

    lite0 = KNOWN_WEIGHTS["lite0"]
    method = method_of({"name": lite0.network, "image_size": 96, "weights": {"digest": lite0.digest}})
    fit = looking(own[2], method)
    with pytest.raises(FitError, match="is of kind patches") as fault:
        with_probe(fit, probe_at(0.0))
    command = how_to_probe(method)
    assert fault.value.remedy == f"probe the images so: {command}"
    words = shlex.split(command.replace("IMAGES", str(folder / "gratings.parquet")))
    assert words[:2] == ["trainer", "probe"]
    done = trainer_command(*words[1:], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    made = read_probe(tmp_path / "probe.json")
    assert made.method == method and with_probe(fit, made).content["outcomes"]["accuracy"]["target_set"]


def test_predict_says_how_to_probe_for_such_a_recipe(own, folder, tmp_path) -> None:
    file = tmp_path / "fit.json"
    looking(own[2], "net@96:000000000000/1").save(file)
    images = str(folder / "gratings.parquet")
    how = f"trainer probe {images} --weights FILE --model net --image-size 96 --output probe.json"
    done = CliRunner().invoke(predict_command, [images, "--fit", str(file), "--format", "json"])
    assert done.exit_code == 0, done.output
    assert f"{how}; then say --probe probe.json" in done.stderr
    assert json.loads(done.stdout)["predictions"][0]["probe"] is None
    refused = CliRunner().invoke(predict_command, [images, "--fit", str(file), "--images", images])
    assert isinstance(refused.exception, FitError) and how in str(refused.exception)
