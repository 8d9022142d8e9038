"""What a plan accepts is trained to its end: networks, sizes, heads and last batches are tried before."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import timm
import torch
from launch_made import GRID

from predictor.errors import SpecError
from predictor.grids import load_grid
from predictor.spec import RunSpec
from trainer.checking import check_grid
from trainer.networks import create, heads, renew_head
from trainer.networks.trial import try_network
from trainer.run import run_spec


def digits(
    tmp_path: Path, network: str = "predictor_small", *, size: int = 8, steps: int = 64, protocol: int = 3, fresh=False
) -> Path:
    text = GRID.replace("protocol: 2", f"protocol: {protocol}").replace("STEPS", str(steps)).replace("SEEDS", "[0]")
    text = text.replace("SIZES", "4").replace("predictor_small", network)
    text = text.replace("image_size: 8", f"image_size: {size}")
    if fresh:
        text = text.replace("grid:\n", "stage_plans: {twice: [{share: 0.5}, {share: 0.5, head: fresh}]}\ngrid:\n")
        text += "    stages: twice\n"
    (tmp_path / "grid.yaml").write_text(text)
    return tmp_path / "grid.yaml"


def spec_of(tmp_path: Path, *args, **how) -> RunSpec:
    return load_grid(digits(tmp_path, *args, **how)).runs[0].spec


def refusal(tmp_path: Path, *args, **how) -> str:
    grid = load_grid(digits(tmp_path, *args, **how))
    with pytest.raises(SpecError) as caught:
        check_grid(grid, tmp_path)
    return str(caught.value)


def test_patches_that_leave_out_a_border_are_refused_with_the_sizes_that_do_not(tmp_path) -> None:
    assert refusal(tmp_path, "predictor_vit", size=14) == (
        "grid tiny: predictor_vit cuts images into patches of 4 px, which do not divide 14 px: it would never see the "
        "last 2 rows and columns (all runs). state image_size: 16 or 12. mend the grid; nothing was trained"
    )
    check_grid(load_grid(digits(tmp_path, "predictor_vit", size=16)), tmp_path)
    check_grid(load_grid(digits(tmp_path, "predictor_vit", size=14, protocol=2)), tmp_path)  # as it was trained


def test_a_tag_is_weights_and_says_so(tmp_path) -> None:
    assert refusal(tmp_path, "resnet10t.c3_in1k", size=32) == (
        "grid tiny: 'resnet10t.c3_in1k' names the pretrained weights 'c3_in1k'; the weights of this network are drawn "
        "at random (all runs). name the network alone: resnet10t; where training begins with weights, state weights: "
        "{timm: resnet10t.c3_in1k, digest: ...}. mend the grid; nothing was trained"
    )
    unknown = refusal(tmp_path, "resnet10t.none", size=32)
    assert "names the pretrained weights 'none'" in unknown and "name the network alone: resnet10t;" in unknown
    assert refusal(tmp_path, "resnet10t.none", size=32, protocol=2).startswith(
        "grid tiny: timm knows no weights 'none' of resnet10t (all runs). name the network alone: resnet10t. "
    )
    check_grid(load_grid(digits(tmp_path, "resnet10t.c3_in1k", size=32, protocol=2)), tmp_path)


def test_a_last_batch_of_one_is_refused_where_batch_norm_has_no_variance(tmp_path) -> None:
    """A residual network at 32 px ends with one position: the run failed at its last step."""
    text = refusal(tmp_path, "resnet10t", size=32, steps=65, protocol=2)
    assert text.startswith(
        "grid tiny: resnet10t cannot be trained with a batch of one image, the last one of a stage: ValueError: "
    )
    assert "leave no rest of one image after batches of 32, or state protocol: 3, which joins that image" in text
    for steps, protocol in ((65, 3), (64, 2), (66, 2)):
        check_grid(load_grid(digits(tmp_path, "resnet10t", size=32, steps=steps, protocol=protocol)), tmp_path)
    assert "with a batch of one image" in refusal(tmp_path, "resnet10t", size=32, steps=1)


@pytest.mark.parametrize(("steps", "protocol"), [(33, 3), (34, 2)])
def test_what_was_refused_trains_to_its_end_in_the_ways_that_the_error_names(tmp_path, steps, protocol) -> None:
    (run,) = load_grid(digits(tmp_path, "resnet10t", size=32, steps=steps, protocol=protocol)).runs
    how = {"study": "t", "axes": {}, "domain": "d", "held_out": False, "data_dir": tmp_path, "files": {"digits": None}}
    assert run_spec(run.spec, **how).status == "completed"


def test_a_size_that_a_network_cannot_take_is_refused_with_its_own(tmp_path) -> None:
    text = refusal(tmp_path, "halonet26t", size=32)
    assert text.startswith("grid tiny: halonet26t cannot be trained at 32 px: ")
    assert text.endswith("(all runs). use image_size 256, its own. mend the grid; nothing was trained")


@pytest.mark.parametrize(
    "name",
    [
        "tiny_vit_5m_224",  # has no img_size, whatever its name says
        "efficientvit_b0",  # nor this one
        "deit_tiny_patch16_224",  # made for one size, and named neither vit nor swin
        "pit_ti_224",
        "deit_tiny_distilled_patch16_224",  # two heads
    ],
)
def test_networks_are_made_for_the_size_asked_for_and_both_heads_are_renewed(tmp_path, name) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        spec = spec_of(tmp_path, name, size=64, fresh=True)
        try_network(spec)
        model = create(name, head=8, image_size=64)
    before = [{key: value.clone() for key, value in head.state_dict().items()} for head in heads(model)]
    assert len(before) == 1 + ("distilled" in name)
    renew_head(model, 5, 1)
    for head, kept in zip(heads(model), before, strict=True):
        assert not torch.equal(head.weight, kept["weight"])


def test_a_second_try_of_a_network_draws_the_same_weights(monkeypatch) -> None:
    """Where the size is no argument the network is made again: by the same random numbers."""
    torch.manual_seed(3)
    plain = timm.create_model("efficientvit_b0", num_classes=8)
    torch.manual_seed(3)
    made = create("efficientvit_b0", head=8, image_size=64)
    assert all(torch.equal(a, b) for a, b in zip(plain.state_dict().values(), made.state_dict().values(), strict=True))


def test_a_network_is_tried_once_for_all_runs_of_a_grid(tmp_path, monkeypatch) -> None:
    from trainer.networks import trial

    made = []
    monkeypatch.setattr(trial, "create", lambda *a, **k: made.append(a) or create(*a, **k))
    trial._fault.cache_clear()
    grid = load_grid(digits(tmp_path, "predictor_vit", size=12))
    many = [run for run in grid.runs for _ in range(5)]
    for run in many:
        try_network(run.spec)
    assert len(made) == 2  # the step, and the border


def test_a_network_that_gives_no_logits_is_refused(tmp_path, monkeypatch) -> None:
    from trainer.networks import trial

    class Pair(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = torch.nn.Linear(3, 8)

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return self.fc(x.mean((2, 3))), x

    monkeypatch.setattr(trial, "create", lambda *a, **k: Pair())
    trial._fault.cache_clear()
    assert "predictor_small gives tuple for 2 images; needed: 2 x 8 logits" in refusal(tmp_path)
    assert "head: fresh is not possible with predictor_small: AttributeError" in refusal(tmp_path, fresh=True)
    trial._fault.cache_clear()


def test_a_frozen_network_takes_no_step_before_it_is_looked_through(tmp_path, monkeypatch) -> None:
    """Its classifier is solved for: one image-step is no batch of one image."""
    from trainer.networks import trial

    content = spec_of(tmp_path, "resnet10t", size=32, steps=1).content()
    content["model"] |= {"train": "head", "weights": {"name": "w", "digest": "sha256:" + "0" * 64}}
    monkeypatch.setattr(trial, "_step", lambda *_: 1 / 0)
    trial._fault.cache_clear()
    try_network(RunSpec.model_validate(content))
    assert trial._fault.cache_info().misses == 1, "it was looked at"
    trial._fault.cache_clear()


def test_a_network_that_works_without_its_size_is_made_as_before(tmp_path) -> None:
    """coat_lite_tiny has the argument and needs it not: passing it might change the numbers of runs that are there."""
    torch.manual_seed(3)
    plain = timm.create_model("coat_lite_tiny", num_classes=8)
    torch.manual_seed(3)
    made = create("coat_lite_tiny", head=8, image_size=64)
    assert all(torch.equal(a, b) for a, b in zip(plain.state_dict().values(), made.state_dict().values(), strict=True))


def test_a_machine_that_plans_may_be_smaller_than_one_that_trains(tmp_path, monkeypatch) -> None:
    from trainer.networks import trial

    def short(*_: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")

    monkeypatch.setattr(trial, "_step", short)
    trial._fault.cache_clear()
    check_grid(load_grid(digits(tmp_path)), tmp_path)
    trial._fault.cache_clear()
