"""AdamW beside SGD: the steps of torch's own, exact continuation, no other ids; recipes that ship by name."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from images import write_source

from predictor.errors import SpecError
from predictor.grids import load_grid
from predictor.grids.presets import PRESETS, preset
from predictor.spec import Recipe, RunSpec
from trainer import checkpoint, randomness
from trainer.augment import augmentation
from trainer.data.opening import open_source
from trainer.data.selection import TrainingSet, training_sets
from trainer.loop import State, batches_of, learning_rate, new_state, train
from trainer.networks import network

ADAMW = {"optimiser": "adamw", "learning_rate": 2e-3, "weight_decay": 0.3, "beta1": 0.8, "beta2": 0.95, "eps": 1e-6}


def spec_of(digest: str, **recipe) -> RunSpec:
    return RunSpec.model_validate(
        {
            "protocol": 3,
            "sources": {"gratings": digest},
            "target": {"name": "t", "classes": ["a", "b", "c"], "test": {"source": "gratings"}},
            "stages": [{"data": {"source": "gratings", "samples_per_class": 10}, "image_steps": 384}],
            "model": {"name": "predictor_small", "image_size": 16, "head": 8},
            "recipe": {"batch_size": 32, "learning_rate": 0.05, **recipe},
            "seeds": {"data": 0, "training": 0},
        }
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, TrainingSet]:
    torch.set_num_threads(1)
    path = tmp_path_factory.mktemp("images") / "gratings.parquet"
    digest = write_source(path, ["a", "b", "c"], train=12, test=2, seed=3)
    return digest, training_sets(spec_of(digest), lambda name: open_source(name, path, digest))[0]


def fresh(spec: RunSpec) -> State:
    net = network(spec.model, spec.seeds.training, device="cpu", precision="fp32", batches=(), compiled=False)
    return new_state(net.model, spec.recipe)


def trained(spec: RunSpec, data: TrainingSet, **how) -> State:
    state = fresh(spec)
    assert train(state, data, image_steps=384, recipe=spec.recipe, training_seed=0, **how)
    return state


def test_steps_are_those_of_torch(data) -> None:
    """The same batches, rates and losses, written out, with the plain AdamW of torch: no fused kernel, in doubles."""
    spec = spec_of(data[0], **ADAMW, warmup=0.25)
    model = fresh(spec).model.double()
    decayed = [p for p in model.parameters() if p.ndim > 1]
    rest = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": 0.3}, {"params": rest, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, betas=(0.8, 0.95), eps=1e-6, foreach=False)
    batches = batches_of(data[1], 384, spec.recipe, 0, 0, 3)
    augment = augmentation(spec.recipe.augmentation, flip=spec.recipe.flip)
    key = torch.tensor(randomness.key("augment", 0, 0))
    model.train()
    for step in range(12):
        for group in optimiser.param_groups:  # 3 steps of warm-up, then a half cosine over the other 9
            scale = (step + 1) / 3 if step < 3 else 0.5 * (1 + math.cos(math.pi * (step - 3) / 9))
            group["lr"] = 2e-3 * scale
        rows = batches[step]
        images = augment(torch.from_numpy(data[1].pixels[rows]), key, 32 * step)
        loss = F.cross_entropy(model(images.double()), torch.from_numpy(data[1].labels[rows]))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    found = trained(spec, data[1]).model.state_dict()
    start = fresh(spec).model.state_dict()
    for name, wanted in model.state_dict().items():
        if wanted.is_floating_point():
            moved = (wanted - start[name]).abs().max()
            assert (found[name] - wanted).abs().max() < 2e-3 * max(moved, 1e-3), name


def test_continued_from_a_checkpoint_gives_the_same_bits(data, tmp_path) -> None:
    spec = spec_of(data[0], **ADAMW)
    whole = trained(spec, data[1]).model.state_dict()

    def stop(state: State, steps: int) -> None:
        if state.step == 5:
            checkpoint.save(tmp_path / "run.pt", state, 0, 1.0)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(spec, data[1], between_steps=stop)
    again = fresh(spec)
    checkpoint.restore(checkpoint.read(tmp_path / "run.pt", "cpu"), again)
    assert again.step == 5
    assert train(again, data[1], image_steps=384, recipe=spec.recipe, training_seed=0)
    assert all(torch.equal(value, whole[name]) for name, value in again.model.state_dict().items())
    other = fresh(spec_of(data[0]))
    with pytest.raises(checkpoint.WrongCheckpointError, match="not those of this network"):
        checkpoint.restore(checkpoint.read(tmp_path / "run.pt", "cpu"), other)


def test_defaults_change_no_id_and_what_differs_does(data) -> None:
    plain = spec_of(data[0])
    stated = spec_of(data[0], optimiser="sgd", beta1=0.9, beta2=0.999, eps=1e-8, warmup_steps=None)
    assert stated.run_id == plain.run_id and "optimiser" not in plain.content()["recipe"]
    ids = {plain.run_id, spec_of(data[0], warmup_steps=3).run_id}
    ids |= {spec_of(data[0], optimiser="adamw", **more).run_id for more in ({}, {"beta1": 0.8}, {"eps": 1e-6})}
    assert len(ids) == 5


@pytest.mark.parametrize(
    ("recipe", "found"),
    [
        ({"optimiser": "adamw", "momentum": 0.8}, r"adamw has no momentum; leave it out \(found 0.8, not 0.9\)"),
        ({"beta2": 0.99}, r"sgd has no beta2; leave it out \(found 0.99, not 0.999\)"),
        ({"warmup": 0.2, "warmup_steps": 10}, "warmup is a share of the steps and warmup_steps their number"),
        ({"optimiser": "adam"}, "Input should be 'sgd' or 'adamw'"),
    ],
)
def test_what_an_optimiser_does_not_have_is_refused(data, recipe, found) -> None:
    with pytest.raises(ValueError, match=found):
        spec_of(data[0], **recipe)


def test_a_warm_up_may_be_a_number_of_steps() -> None:
    recipe = Recipe(learning_rate=1.0, warmup_steps=4)
    assert [learning_rate(step, 12, recipe) for step in range(4)] == [0.25, 0.5, 0.75, 1.0]
    assert learning_rate(4, 12, recipe) == 1.0 and learning_rate(8, 12, recipe) == pytest.approx(0.5)


GRID = """
study: pets
protocol: 3
sources: {digits: {digest: "builtin:digits"}}
target_sets: {some: {domain: digits, source: digits, classes: ["0", "1"], flip: false}}
model: {name: predictor_small, image_size: 16, head: 1000}
recipe: {RECIPE}
seeds: [0]
grid: [{target_set: some, samples_per_class: 100BLOCK}]
"""


def grid(path: Path, recipe: str, block: str = "") -> Path:
    path.write_text(GRID.replace("RECIPE", recipe).replace("BLOCK", block))
    return path


def test_a_preset_is_a_recipe_and_the_grid_may_change_its_lines(tmp_path) -> None:
    (run,) = load_grid(grid(tmp_path / "a.yaml", "preset: feuer2023")).runs
    assert run.spec.recipe == Recipe(
        optimiser="adamw", weight_decay=0.3, learning_rate=2e-4, warmup_steps=2000, batch_size=256, flip=False
    )
    assert run.spec.recipe.augmentation == "simclr"
    assert run.spec.stages[0].image_steps == 256 * 200
    (run,) = load_grid(grid(tmp_path / "b.yaml", "preset: feuer2023, weight_decay: 0.1, image_steps: 512")).runs
    assert (run.spec.recipe.weight_decay, run.spec.stages[0].image_steps) == (0.1, 512)
    (run,) = load_grid(grid(tmp_path / "c.yaml", "preset: feuer2023", ", epochs: 2, batch_size: 64")).runs
    assert (run.spec.recipe.batch_size, run.spec.stages[0].image_steps) == (64, 400)
    written = ", ".join(f"{key}: {str(value).lower()}" for key, value in preset("feuer2023").items())
    same = load_grid(grid(tmp_path / "d.yaml", written)).runs[0].spec
    assert same == load_grid(tmp_path / "a.yaml").runs[0].spec, "the id is that of the lines, not of the name"


def test_an_unknown_preset_is_named_with_what_is_known(tmp_path) -> None:
    with pytest.raises(SpecError, match=r"recipe\.preset: unknown preset 'feuer'; did you mean 'feuer2023'\?"):
        load_grid(grid(tmp_path / "a.yaml", "preset: feuer, epochs: 1"))


@pytest.mark.parametrize("name", PRESETS)
def test_each_line_of_a_preset_says_where_it_comes_from(name) -> None:
    text = (Path(__file__).parents[1] / f"predictor/data/recipes/{name}.yaml").read_text()
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert len(lines) == len(preset(name)) and all("  # " in line for line in lines)
