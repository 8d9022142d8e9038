"""Pretrained networks: weights go where they belong, frozen features are kept, heads are solved for, actions act."""

from __future__ import annotations

import os
import pickle
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from images import write_source
from safetensors.torch import save_file
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression
from trainer_command import trainer_command

from predictor.errors import DataError, SpecError
from predictor.images.digests import file_digest
from predictor.records import read_registry
from predictor.records.schema import RunRecord
from predictor.spec import Model, Recipe, RunSpec
from predictor.weights import KNOWN_WEIGHTS
from trainer import weights
from trainer.data.opening import open_source
from trainer.features import cache, extract, heads
from trainer.frozen import _logits
from trainer.imbalance import class_weights
from trainer.loop import Batches, drawn_instead, train_mode
from trainer.networks import create, pretrained
from trainer.run import run_spec

CLASSES = ["a", "b", "c", "d"]
LITE0 = KNOWN_WEIGHTS["lite0"]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PREDICTOR_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "features"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """Gratings, and the weights of a small network that was never trained: (folder, their digests)."""
    path = tmp_path_factory.mktemp("pretrained")
    digest = write_source(path / "gratings.parquet", CLASSES, train=24, test=8, seed=3, noise=60.0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        save_file(create("resnet10t", head=7, image_size=32).state_dict(), path / "ten.safetensors")
    return path, digest, file_digest(path / "ten.safetensors")


def spec_of(folder: tuple[Path, str, str], *, train: str = "head", recipe: dict | None = None, **data) -> RunSpec:
    return RunSpec.model_validate(
        {
            "protocol": 3,
            "sources": {"gratings": folder[1]},
            "target": {"name": "t", "classes": CLASSES, "test": {"source": "gratings"}},
            "stages": [{"data": {"source": "gratings", "samples_per_class": 10, **data}, "image_steps": 64}],
            "model": {
                "name": "resnet10t",
                "image_size": 32,
                "head": 8,
                "weights": {"name": "ten", "digest": folder[2]},
                "train": train,
            },
            "recipe": {
                "augmentation": "none",
                **({} if train == "head" else {"learning_rate": 0.01}),
                **(recipe or {}),
            },
            "seeds": {"data": 0, "training": 0},
        }
    )


def recorded(spec: RunSpec, folder: tuple[Path, str, str], **how) -> RunRecord:
    files = {"gratings": "gratings.parquet"}
    return run_spec(
        spec, study="t", axes={}, domain="d", held_out=False, data_dir=folder[0], files=files,
        weights="ten.safetensors", **how,
    )  # fmt: skip


def test_a_packages_weights_go_into_timms_network_tensor_by_tensor() -> None:
    model = Model.model_validate(
        {"name": LITE0.network, "image_size": 32, "head": 5, "weights": {"name": "lite0", "digest": LITE0.digest}}
    )
    assert model.weights is not None
    path = weights.checked(model.weights, None, Path())
    network = create(model.name, head=5, image_size=32)
    before = network.get_classifier().weight.clone()
    weights.load(network, model, path)
    theirs = list(weights.tensors(path).values())
    ours = network.state_dict()
    head = weights.classifier_keys(network)
    assert len(theirs) == len(ours) == 296 and len(head) == 2
    for (name, own), their in zip(ours.items(), theirs, strict=True):
        assert name in head or torch.equal(own, their), name
    assert torch.equal(network.get_classifier().weight, before)  # a fresh head keeps the seed's weights
    with pytest.raises(SpecError, match="are those of tf_efficientnet_lite0, not of resnet10t"):
        weights.load(create("resnet10t", head=5, image_size=32), model.model_copy(update={"name": "resnet10t"}), path)


def test_weights_of_another_network_are_named_tensor_by_tensor(folder) -> None:
    model = spec_of(folder).model.model_copy(update={"name": "resnet18"})
    with pytest.raises(SpecError) as caught:
        weights.load(create("resnet18", head=8, image_size=32), model, folder[0] / "ten.safetensors")
    for part in (
        "holds the weights of another network than resnet18",
        "missing: conv1",
        "superfluous: conv1.0",
    ):
        assert part in str(caught.value)


class Evil:
    def __reduce__(self):
        return (Path.touch, (Path("evil-was-here"),))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 9\n", "is a pointer of Git LFS"),
        (b"\n<!DOCTYPE html><html>404</html>", "is a web page, not weights"),
        (b"", "cannot be read as weights"),
        (pickle.dumps({"a": Evil()}), "cannot be read as weights"),
    ],
)
@pytest.mark.parametrize("ending", [".pth", ".safetensors"])
def test_what_is_no_file_of_weights_is_refused(tmp_path, monkeypatch, content, message, ending) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / f"w{ending}"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        weights.tensors(path)
    assert not (tmp_path / "evil-was-here").exists()


def test_weights_with_another_digest_or_without_a_file_are_refused(folder, tmp_path) -> None:
    spec = spec_of(folder)
    with pytest.raises(DataError, match="no such file of weights"):
        weights.checked(spec.model.weights, "nowhere.safetensors", folder[0])
    other = spec.model.weights.model_copy(update={"digest": "sha256:" + "0" * 64})
    with pytest.raises(DataError, match="has other weights than the grid says; found sha256:"):
        weights.checked(other, "ten.safetensors", folder[0])
    with pytest.raises(DataError, match="nothing says where the weights 'ten' lie"):
        weights.checked(other, None, folder[0])


def test_a_hub_that_cannot_be_reached_says_what_to_do_offline(monkeypatch, tmp_path) -> None:
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(
        DataError, match=r"the hub cannot be reached for 'resnet18.a1_in1k'.*name it in the grid: weights"
    ):
        weights.from_hub("resnet18.a1_in1k")
    with pytest.raises(SpecError, match=r"timm knows no weights 'resnet18\.never'"):
        weights.from_hub("resnet18.never")


def test_features_are_those_of_the_bare_network_and_computed_once(folder, own_cache, monkeypatch) -> None:
    model = spec_of(folder).model
    source = open_source("gratings", folder[0] / "gratings.parquet", folder[1])
    rows = np.array([5, 2, 90, 2])
    found = extract.features(source, rows, model, folder[0] / "ten.safetensors", "cpu")
    net = create("resnet10t", head=0, image_size=32)
    weights.load(net, model, folder[0] / "ten.safetensors")
    config = weights.data_config("resnet10t")
    pixels = torch.from_numpy(source.decoded(rows, 32, config["interpolation"])).float() / 255
    mean, std = (torch.tensor(config[key]).view(1, 3, 1, 1) for key in ("mean", "std"))
    with torch.inference_mode():
        wanted = net.eval()((pixels - mean) / std).numpy()
    np.testing.assert_allclose(found, wanted, rtol=2e-3, atol=2e-3)
    assert found.dtype == np.float16 and np.array_equal(found[1], found[3])

    def never(self, pixels):
        raise AssertionError("computed again")

    monkeypatch.setattr(extract.Extractor, "look", never)
    again = extract.features(source, rows[:3], model, folder[0] / "ten.safetensors", "cpu")
    assert np.array_equal(again, found[:3])
    with pytest.raises(AssertionError, match="computed again"):
        extract.features(source, np.array([7]), model, folder[0] / "ten.safetensors", "cpu")
    for how in ("upright", "reduced"):  # other pixels of the same files
        with monkeypatch.context() as changed, pytest.raises(AssertionError, match="computed again"):
            changed.setattr(source, how, True)
            extract.features(source, rows[:3], model, folder[0] / "ten.safetensors", "cpu")


def test_all_that_features_depend_on_names_their_folder() -> None:
    key = cache.Key("s", "w", "n", 8, "bilinear")
    other = {"source": "t", "weights": "v", "network": "m", "image_size": 16, "interpolation": "bicubic"}
    assert set(other) == {field.name for field in fields(key)}
    assert len({key.name, *(replace(key, **{name: value}).name for name, value in other.items())}) == 6


def test_a_torn_cache_is_computed_again(tmp_path) -> None:
    key = cache.Key("s", "w", "n", 8, "bilinear")
    kept = cache.FeatureCache(key, 6, 2, lambda rows: np.stack([rows, rows], 1).astype(np.float32))
    assert kept.take(np.array([4, 1]))[:, 0].tolist() == [4, 1]
    (kept.folder / "done.npy").write_bytes(b"torn")
    assert kept.take(np.array([1, 5]))[:, 0].tolist() == [1, 5]


def test_the_cache_forgets_what_was_used_longest_ago(tmp_path, monkeypatch) -> None:
    folders = []
    for number in range(3):
        kept = cache.FeatureCache(cache.Key(str(number), "w", "n", 8, "b"), 500, 8, lambda r: np.ones((len(r), 8)))
        kept.take(np.arange(500))
        folders.append(kept.folder)
    first, last, kept = sorted(folders[:2]) + folders[2:]  # the order of the names says nothing of the use
    for age, folder in ((9000, last), (8000, first), (0, kept)):
        stamp = folder.stat().st_mtime - age
        os.utime(folder, (stamp, stamp))
    size = sum(f.stat().st_blocks * 512 for f in first.iterdir())
    monkeypatch.setenv("PREDICTOR_CACHE_GIB", str(2.5 * size / 2**30))
    assert cache.make_room(kept) == [last] and [f.exists() for f in (first, last, kept)] == [True, False, True]
    os.utime(kept, (0, 0))  # in use, however long ago its time says
    monkeypatch.setenv("PREDICTOR_CACHE_GIB", "0")
    assert cache.make_room(kept) == [first] and kept.exists()


@pytest.mark.parametrize("n", [40, 400])  # fewer and more images than features
@pytest.mark.parametrize("weighted", ["none", "inverse"])
def test_a_head_is_scikit_learns_logistic_regression(n, weighted, monkeypatch) -> None:
    generator = np.random.default_rng(0)
    labels = np.sort(generator.choice(3, n, p=[0.6, 0.3, 0.1]))
    features = (generator.normal(size=(3, 60))[labels] * 0.5 + generator.normal(size=(n, 60))).astype(np.float16)
    penalty = 0.01
    monkeypatch.setattr(heads, "PENALTIES", (penalty,))
    head = heads.fit_head(features, labels, 3, Recipe(class_weights=weighted), seed=0)
    x = (features.astype(np.float64) - head.mean) / head.scale
    peer = LogisticRegression(
        C=1 / (n * penalty), class_weight="balanced" if weighted == "inverse" else None, tol=1e-8, max_iter=5000
    ).fit(x, labels)
    ours = log_softmax(head.logits(features), axis=1)
    np.testing.assert_allclose(ours, peer.predict_log_proba(x), atol=5e-3)


def test_logit_adjustment_in_the_loss_gives_the_rare_classes_more() -> None:
    generator = np.random.default_rng(1)
    labels = np.repeat([0, 1], [180, 20])
    features = (generator.normal(size=(2, 10))[labels] + generator.normal(size=(200, 10)) * 2).astype(np.float16)
    plain, adjusted = (heads.fit_head(features, labels, 2, Recipe(logit_adjustment=tau), 0) for tau in (0, 1))
    share = [(head.logits(features).argmax(1) == 1).mean() for head in (plain, adjusted)]
    assert share[1] > share[0] + 0.05


def test_a_frozen_run_makes_a_record_like_any_other(folder) -> None:
    first, again = recorded(spec_of(folder), folder), recorded(spec_of(folder), folder)
    assert first.status == "completed" and first.outcomes == again.outcomes
    assert first.outcomes["accuracy"].tested == (8, 8, 8, 8) and first.outcomes["accuracy"].value > 0.5
    assert first.distribution is not None and first.distribution.n_samples == 40
    assert first.citation == "weights ten: training set and licence not known"
    skewed = {"shape": "explicit", "counts": [24, 10, 4, 2]}
    plain = spec_of(folder, profile=skewed)
    after = spec_of(folder, profile=skewed, recipe={"logit_adjustment": 1.0, "logit_adjustment_at": "test"})
    assert plain.run_id != after.run_id
    assert recorded(plain, folder).outcomes != recorded(after, folder).outcomes
    even, counts = heads.Head(np.zeros((2, 4)), np.zeros(4), np.zeros(2), 1.0, 1.0), np.array([24, 10, 4, 2])
    adjusted = _logits(after, even, counts, np.zeros((1, 2), np.float16))
    assert adjusted.numpy()[0] == pytest.approx(-np.log(counts / 40), abs=1e-6), "rare classes gain"


def test_a_frozen_grid_is_planned_trained_and_read_back(folder, tmp_path) -> None:
    grid = tmp_path / "grid.yaml"
    line = trainer_command("weights", folder[0] / "ten.safetensors").stdout.strip()
    assert folder[2] in line
    missing = trainer_command("weights", folder[0] / "nine.safetensors")
    assert missing.returncode == 2 and "no such file of weights" in missing.stderr
    grid.write_text(
        f"""
study: frozen
protocol: 3
sources: {{gratings: {{file: gratings.parquet, digest: "{folder[1]}"}}}}
target_sets: {{t: {{domain: d, source: gratings, classes: [a, b, c, d]}}}}
model:
  {{name: resnet10t, image_size: 32, head: 8, train: head, {line}}}
recipe: {{epochs: 1, augmentation: none}}
seeds: {{n: 2, drawn: each}}
grid:
  - {{target_set: t, samples_per_class: [4, 10], class_weights: [none, inverse]}}
"""
    )
    runs = tmp_path / "runs"
    done = trainer_command("run", grid, "--data", folder[0], "--runs", runs, "--workers", 1, "--threads", 1)
    assert done.returncode == 0, done.stderr
    records = list(read_registry(runs))
    assert len(records) == 8 and {r.spec["model"]["weights"]["name"] for r in records} == {"ten.safetensors"}
    assert "8 of them in" in trainer_command("plan", grid, "--runs", runs).stdout
    planned = trainer_command("plan", grid, "--data", folder[0], "--runs", runs)
    assert (
        "images looked at are smaller than the 32 px that the network sees (the smallest 16 px) and are enlarged"
        in (planned.stdout + planned.stderr)
    )
    assert "resnet10t was pretrained at 176 px; the grid trains it at 32 px" in planned.stdout + planned.stderr
    small = grid.read_text()
    grid.write_text(small.replace("image_size: 32", "image_size: 16"))
    assert "are enlarged" not in trainer_command("plan", grid, "--data", folder[0], "--runs", runs).stdout
    grid.write_text(small)
    grid.write_text(grid.read_text().replace("name: resnet10t", "name: resnet18"))
    refused = trainer_command("plan", grid, "--data", folder[0], "--runs", runs)
    assert refused.returncode == 2 and "holds the weights of another network than resnet18" in refused.stderr


@pytest.mark.parametrize(
    ("model", "recipe", "message"),
    [
        ({"weights": None}, {}, "train: head freezes what nothing has trained"),
        ({}, {"deferred": 0.5, "sampling": "balanced"}, "deferred needs steps"),
        ({}, {"deferred": 0.5}, "deferred says when sampling or class_weights begin"),
        ({}, {"logit_adjustment_at": "test"}, "logit_adjustment, how much, is 0"),
        ({"train": "all"}, {}, "the recipe names no learning_rate"),
        ({"train": "tail"}, {}, "String should match pattern"),
        ({}, {"class_weights": "effective:1"}, "String should match pattern"),
    ],
)
def test_what_a_network_does_not_allow_is_refused(folder, model, recipe, message) -> None:
    content = spec_of(folder).model_dump(mode="json")
    content["model"] |= model
    content["recipe"] |= recipe
    with pytest.raises(ValueError, match=message):
        RunSpec.model_validate(content)


def test_only_what_is_trained_moves(folder) -> None:
    spec = spec_of(folder, train="last:1")
    network = create("resnet10t", head=8, image_size=32)
    pretrained.begin(network, spec.model, folder[0] / "ten.safetensors")
    moving = {name.split(".")[0] for name, p in network.named_parameters() if p.requires_grad}
    assert moving == {"layer4", "fc"}
    train_mode(network)
    assert network.layer4[0].bn1.training and not network.layer3[0].bn1.training
    with pytest.raises(SpecError, match="asks for the last 9 blocks; the network has 5"):
        pretrained.freeze(network, 9)


def test_the_network_sees_images_as_its_pretraining_did(folder) -> None:
    model = spec_of(folder, train="all").model
    network = create("resnet10t", head=8, image_size=32)
    bare = create("resnet10t", head=8, image_size=32)
    pretrained.begin(network, model, folder[0] / "ten.safetensors")
    bare.load_state_dict({k: v for k, v in network.state_dict().items()})
    from trainer.augment import normalise

    pixels = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)
    config = weights.data_config("resnet10t")
    mean, std = (torch.tensor(config[key]).view(1, 3, 1, 1) for key in ("mean", "std"))
    with torch.inference_mode():
        ours, theirs = network.eval()(normalise(pixels)), bare.eval()((pixels / 255 - mean) / std)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_fine_tuning_trains_from_the_weights(folder) -> None:
    record = recorded(spec_of(folder, train="last:1", recipe={"head_rate": 5.0}), folder)
    assert record.status == "completed" and len(record.outcomes["accuracy"].correct) == 4


def test_balanced_sampling_draws_every_class_as_often_and_resumes_exactly() -> None:
    labels = np.repeat([0, 1, 2], [160, 30, 10])
    draws = drawn_instead(Recipe(sampling="balanced"), labels)
    keys = np.arange(200, dtype=np.uint64)
    batches = Batches(keys, 32, 32 * 100, 5, draws=draws, begins=20)
    shares = np.bincount(labels[batches.of_steps(20, 100)], minlength=3) / (80 * 32)
    np.testing.assert_allclose(shares, 1 / 3, atol=0.03)
    natural = Batches(keys, 32, 32 * 100, 5)
    assert np.array_equal(batches.of_steps(0, 20), natural.of_steps(0, 20))  # deferred: as ever until then
    whole = batches.of_steps(10, 40)
    assert np.array_equal(whole, np.concatenate([batches.of_steps(10, 27), batches.of_steps(27, 40)]))
    assert drawn_instead(Recipe(), labels) is None


def test_effective_numbers_are_those_of_cui() -> None:
    counts = np.array([100, 10])
    found = class_weights(Recipe(class_weights="effective:0.9"), counts)
    wanted = np.array([(1 - 0.9) / (1 - 0.9**100), (1 - 0.9) / (1 - 0.9**10)])
    np.testing.assert_allclose(found / found[0], wanted / wanted[0])
    assert found @ counts == pytest.approx(counts.sum())


@pytest.mark.parametrize(
    ("recipe"),
    [
        {"sampling": "balanced"},
        {"class_weights": "inverse"},
        {"logit_adjustment": 1.0},
        {"sampling": "sqrt", "deferred": 0.5},
    ],
)
def test_actions_change_what_is_trained(folder, recipe) -> None:
    skewed = {"shape": "explicit", "counts": [24, 10, 4, 2]}
    plain = recorded(spec_of(folder, train="last:1", profile=skewed), folder)
    acted = recorded(spec_of(folder, train="last:1", profile=skewed, recipe=recipe), folder)
    assert plain.run_id != acted.run_id and plain.data == acted.data
