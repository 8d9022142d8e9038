"""Runs of several stages, and batches that do not fit into memory."""

from __future__ import annotations

from unittest import mock

import pytest
import torch
import training_made
from training_made import opener, recorded, spec_of

from predictor.spec import RunSpec
from trainer.data.selection import training_sets
from trainer.networks import network
from trainer.networks.small import SmallNet
from trainer.stages import Training

folder = training_made.folder


def two_stages(digest: str, others: dict, **recipe) -> RunSpec:
    """Other classes alone, then the targets alone."""
    content = spec_of(digest).content()
    pretrain = {"data": {"source": "gratings", "samples_per_class": 0, "others": [others]}, "image_steps": 160}
    content["stages"] = [{**pretrain, **recipe}, content["stages"][0]]
    return RunSpec.model_validate(content)


def test_stages_train_on_their_own_label_sets(folder) -> None:
    others = {"source": "gratings", "n_classes": 2, "samples_per_class": 6}
    spec = two_stages(folder[1], others)
    first, second = training_sets(spec, opener(folder))
    assert first.distribution.target_counts.sum() == 0 and first.distribution.n_samples == 12
    assert set(first.labels) == {3, 4} and set(second.labels) == {0, 1, 2}
    record = recorded(spec, folder)
    assert [stage.image_steps for stage in record.data.stages] == [160, 960]
    assert [stage.distribution.n_samples for stage in record.data.stages] == [12, 30]
    alone = recorded(spec_of(folder[1]), folder)
    assert record.outcomes != alone.outcomes and record.run_id != alone.run_id


def test_a_class_has_one_place_in_the_head_through_all_stages(folder) -> None:
    content = two_stages(folder[1], {"source": "gratings", "n_classes": 3, "samples_per_class": 6}).content()
    content["stages"][1]["data"]["others"] = [{"source": "gratings", "n_classes": 2, "samples_per_class": 4}]
    first, second = training_sets(RunSpec.model_validate(content), opener(folder))
    place = {}
    for data in (first, second):
        assert data.classes == first.classes
        for label in set(data.labels.tolist()):
            shown = data.pixels[data.labels == label][0].tobytes()
            assert place.setdefault(label, shown) == shown or label < 3
    assert set(second.labels.tolist()) - {0, 1, 2} < set(first.labels.tolist())


def test_a_stage_may_have_a_recipe_of_its_own(folder) -> None:
    others = {"source": "gratings", "n_classes": 2, "samples_per_class": 6}
    still = {"batch_size": 32, "learning_rate": 1e-9}
    spec = two_stages(folder[1], others, recipe=still)
    assert spec.recipe_of(0).learning_rate == 1e-9 and spec.recipe_of(1) == spec.recipe
    weights = []
    for each in (spec, two_stages(folder[1], others)):
        training = Training(
            each, training_sets(each, opener(folder)),
            device="cpu", precision="fp32", compiled=False, checkpoint=None, progress=None,
        )  # fmt: skip
        weights.append(training.run().model.state_dict()["fc.weight"])
    assert not torch.equal(*weights)


def test_a_stage_may_begin_with_a_fresh_head(folder) -> None:
    """The later stage is too short to learn anything: what the first one taught the head is gone, and only that."""
    others = {"source": "gratings", "n_classes": 2, "samples_per_class": 6}
    content = two_stages(folder[1], others).content()
    content["stages"].reverse()
    still = {"image_steps": 32, "recipe": {"batch_size": 32, "learning_rate": 1e-9, "weight_decay": 0}}
    states = {}
    for head in ("kept", "fresh"):
        content["stages"][1] |= {**still, "head": head}
        spec = RunSpec.model_validate(content)
        assert ("head" in spec.content()["stages"][1]) == (head == "fresh"), "runs from before keep their ids"
        training = Training(
            spec, training_sets(spec, opener(folder)),
            device="cpu", precision="fp32", compiled=False, checkpoint=None, progress=None,
        )  # fmt: skip
        states[head] = training.run().model.state_dict()
    first = network(spec.model, spec.seeds.training, device="cpu", precision="fp32", batches=(), compiled=False).model
    kept, fresh, start = (state["fc.weight"] for state in (states["kept"], states["fresh"], first.state_dict()))
    assert torch.allclose(states["kept"]["features.0.weight"], states["fresh"]["features.0.weight"], atol=1e-6)
    assert not torch.allclose(kept, fresh, atol=1e-3) and not torch.allclose(start, fresh, atol=1e-3)
    assert fresh.abs().max() <= start.abs().max() * 1.01, "a head as it is made, not as it was trained"
    with pytest.raises(ValueError, match="the first stage has a fresh head anyway"):
        RunSpec.model_validate({**content, "stages": content["stages"][1:]})


@pytest.mark.parametrize(("cut", "head"), [(2, "kept"), (7, "fresh"), (12, "fresh")])
def test_stopped_anywhere_in_two_stages_and_continued_gives_the_same_record(folder, tmp_path, cut, head) -> None:
    spec = two_stages(folder[1], {"source": "gratings", "n_classes": 2, "samples_per_class": 6})
    content = spec.content()
    content["stages"][1]["head"] = head
    spec = RunSpec.model_validate(content)
    whole = recorded(spec, folder)
    told = 0

    def progress(step: int, steps: int) -> None:
        nonlocal told
        told += 1
        if told == cut:
            raise KeyboardInterrupt

    how = {"checkpoint_dir": tmp_path}
    with mock.patch("trainer.stages.PROGRESS_SECONDS", -1.0), pytest.raises(KeyboardInterrupt):
        recorded(spec, folder, **how, progress=progress)
    assert (tmp_path / f"{spec.run_id}.pt").exists()
    assert recorded(spec, folder, **how).outcomes == whole.outcomes
    assert list(tmp_path.iterdir()) == [tmp_path / f"{spec.run_id}.pt"], "it goes when the record lands, not before"


def test_a_batch_too_large_for_memory_is_split_and_recorded(folder, tmp_path) -> None:
    """A network that has memory for 12 images: a batch of 32 is run as pieces of 8, with the gradient of the whole."""
    forward = SmallNet.forward

    def short_of_memory(self, x):
        if self.training and len(x) > 12:
            raise torch.OutOfMemoryError("no memory for more than 12 images")
        return forward(self, x)

    with mock.patch.object(SmallNet, "forward", short_of_memory):
        record = recorded(spec_of(folder[1]), folder, checkpoint_dir=tmp_path)
    assert record.status == "completed" and record.environment.micro_batch == 8
    assert recorded(spec_of(folder[1]), folder).environment.micro_batch is None


def test_a_network_that_never_fits_says_so(folder) -> None:
    with (
        mock.patch.object(SmallNet, "forward", side_effect=torch.OutOfMemoryError("none at all")),
        pytest.raises(torch.OutOfMemoryError, match="none at all"),
    ):
        recorded(spec_of(folder[1]), folder)
