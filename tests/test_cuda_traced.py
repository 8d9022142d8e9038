"""Training on CUDA, traced with tensors that have a device and no content: needs no GPU, tells what none would show."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from predictor.distribution import LabelDistribution
from predictor.spec import Recipe
from trainer import loop
from trainer.augment import PRESETS
from trainer.data.selection import TrainingSet
from trainer.networks import create

BATCH, AHEAD, STEPS = 16, 2, 5


class Transfers(TorchDispatchMode):
    """Notes every operation that takes a tensor from one device to another."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        before = {x.device.type for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor) and x.numel() > 1}
        after = {x.device.type for x in tree_leaves(out) if isinstance(x, Tensor)}
        if before and after - before:
            self.found.append(f"{func}: {before} -> {after}")
        return out


def train_on_nothing(model: str, recipe: Recipe, transfers: Transfers, *, micro_batch: int | None = None) -> None:
    """All steps but the last look at the loss, which may wait."""
    net, n = create(model, head=8, image_size=32), 5 * BATCH
    data = TrainingSet(
        pixels=np.zeros((n, 3, 32, 32), np.uint8),
        labels=np.arange(n) % 4,
        keys=np.arange(n, dtype=np.uint64),
        classes=list("abcd"),
        distribution=LabelDistribution.from_counts({name: n // 4 for name in "abcd"}),
    )

    class Enough(Exception):
        pass

    def between_steps(state: loop.State, steps: int) -> None:
        if state.step == 0:
            transfers.found.clear()  # the images went to the device
        if state.step == STEPS - 1:
            raise Enough

    def sent(rows: Tensor, device: str) -> Tensor:
        transfers.found.append("rows")
        with mock.patch.object(transfers, "found", []):
            return rows.to(device)  # the real one does not wait; fake tensors cannot be pinned

    with (
        FakeTensorMode(allow_non_fake_inputs=True),
        mock.patch("trainer.loop.LOOK_EVERY", STEPS),
        mock.patch("trainer.loop.AHEAD", AHEAD),
        mock.patch("trainer.loop._sent", sent),
        mock.patch("torch.cuda.amp.common.amp_definitely_not_available", lambda: False),
        mock.patch("trainer.loop.generator_of", lambda device: torch.default_generator),
        mock.patch("torch.cuda.is_bf16_supported", lambda *_: True),
    ):
        for module in net.modules():
            for name, parameter in list(module.named_parameters(recurse=False)):
                setattr(module, name, nn.Parameter(torch.empty_like(parameter, device="cuda")))
            for name, buffer in list(module.named_buffers(recurse=False)):
                setattr(module, name, torch.empty_like(buffer, device="cuda"))
        state = loop.new_state(net, recipe)

        def backward(loss: Tensor) -> None:  # autograd's own threads need a real device
            for parameter in state.model.parameters():
                parameter.grad = torch.empty_like(parameter)

        # nor is there a trace of the fused kernel itself
        with (
            transfers,
            mock.patch("torch.Tensor.backward", backward),
            mock.patch("torch._fused_sgd_") as updated,
            pytest.raises(Enough),
        ):
            loop.train(
                state, data, image_steps=STEPS * BATCH, recipe=recipe, training_seed=0, device="cuda",
                precision="bf16", micro_batch=micro_batch, between_steps=between_steps,
            )  # fmt: skip
        assert updated.call_count == 2 * (STEPS - 1), "once for what decays, once for the rest"
        assert all(p.device.type == "cuda" for p in state.model.parameters())


@pytest.mark.parametrize(
    ("model", "preset", "micro_batch"),
    [*(("predictor_small", name, None) for name in PRESETS), ("predictor_vit", "crop", None),
     ("predictor_resnet18", "simclr", 8)],
)  # fmt: skip
def test_no_step_waits_for_the_device_or_sends_it_anything(model, preset, micro_batch) -> None:
    """But for the rows of AHEAD batches at once. A look at a value would raise: there is none."""
    transfers = Transfers()
    recipe = Recipe(learning_rate=0.1, batch_size=BATCH, augmentation=preset)
    train_on_nothing(model, recipe, transfers, micro_batch=micro_batch)
    assert transfers.found == ["rows"] * 2


def test_the_trace_finds_what_waits() -> None:
    recipe = Recipe(learning_rate=0.1, batch_size=BATCH)
    with mock.patch("trainer.augment.grey", lambda planes: planes[0] * torch.arange(4.0).to("cuda")[0]):
        transfers = Transfers()
        train_on_nothing("predictor_small", recipe, transfers)
        assert any("_to_copy" in line for line in transfers.found)
    with (
        mock.patch("trainer.augment.grey", lambda planes: planes[0] * planes[1].max().item()),
        pytest.raises(DataDependentOutputException),
    ):
        train_on_nothing("predictor_small", recipe, Transfers())
