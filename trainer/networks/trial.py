"""A step of a network, tried before a grid is trained: what a plan accepts must not end with an error at its end."""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from predictor.errors import SpecError
from predictor.spec import LAST_JOINED, Model, Recipe, RunSpec, last_alone
from trainer.device import autocast, choose_precision, out_of_memory
from trainer.loop import new_state
from trainer.networks import check_tag, create, own_size, renew_head

_RECIPE = Recipe(learning_rate=1e-3)
BORDER_SEEN = 3  # the protocol since which a network that never sees the border of its images is refused


def try_network(spec: RunSpec) -> None:
    """Train a step of each kind that a run will take, on noise, and test an image.

    Raises SpecError where that fails, where the network's patches leave out a border, and where its name has a tag of
    pretrained weights, which nothing would load. Protocol 2 trained these last two without a word, and still does.
    """
    new = spec.protocol >= BORDER_SEEN
    if new:
        check_tag(spec.model.name)
    recipes = [spec.recipe_of(number) for number in range(len(spec.stages))]
    steps = list(zip([stage.image_steps for stage in spec.stages], recipes, strict=True))
    alone = {r.batch_size for n, r in steps if n == 1 or (spec.protocol < LAST_JOINED and last_alone(n, r.batch_size))}
    if spec.model.frozen:  # its classifier is solved for, without steps
        steps, alone = [], set()
    many, fresh = any(n > 1 for n, _ in steps), any(stage.head == "fresh" for stage in spec.stages)
    if fault := _fault(spec.model, many, min(alone, default=None), fresh, new):
        raise fault


@lru_cache(maxsize=256)
def _fault(model: Model, many: bool, alone: int | None, fresh: bool, border: bool) -> SpecError | None:
    """What is wrong with a network; found once, since a grid has many runs of it."""
    try:
        _try(model, many, alone, fresh)
        return unseen_border(model) if border else None
    except SpecError as error:
        return error
    except Exception as error:
        if out_of_memory(error):  # of the machine that plans, which may not be the one that trains
            return None
        raise


def _try(model: Model, many: bool, alone: int | None, fresh: bool) -> None:
    """many, alone : whether there are batches of several images, and of one (the recipe's size of these)"""
    name, size = model.name, model.image_size
    net = _created(model)
    try:
        if fresh:
            renew_head(net, 0, 1)
    except Exception as error:
        raise SpecError(
            f"head: fresh is not possible with {name}: {_said(error)}", remedy="keep the head, or take another network"
        ) from None
    for n in [2] * many + [1] * (alone is not None):
        try:
            _step(net, n, model)
        except SpecError:
            raise
        except Exception as error:
            if out_of_memory(error):
                raise
            if n == 1:
                raise SpecError(
                    f"{name} cannot be trained with a batch of one image, the last one of a stage: {_said(error)}",
                    remedy=f"choose image_steps that leave no rest of one image after batches of {alone}, or state "
                    f"protocol: {LAST_JOINED}, which joins that image to the batch before",
                ) from None
            raise _size_fault(model, error) from None
    try:
        net.eval()
        with torch.inference_mode():
            net(torch.zeros(1, 3, size, size))
    except Exception as error:
        if out_of_memory(error):
            raise
        raise _size_fault(model, error) from None


def unseen_border(model: Model) -> SpecError | None:
    """What is wrong where a network cuts images into patches that do not divide them: it never sees the rest."""
    net = _created(model)
    stem = next((m for m in net.modules() if isinstance(m, nn.Conv2d) and m.in_channels == 3), None)
    patch = stem.stride[0] if stem is not None and stem.kernel_size == stem.stride else 1
    rest = model.image_size % patch
    if not rest:
        return None
    images = _noise(2, model.image_size).requires_grad_()
    net.train()(images).square().sum().backward()
    assert images.grad is not None
    if images.grad[:, :, -rest:].any() or images.grad[..., -rest:].any():  # it pads them first
        return None
    smaller = model.image_size - rest
    return SpecError(
        f"{model.name} cuts images into patches of {patch} px, which do not divide {model.image_size} px: it would "
        f"never see the last {f'{rest} rows and columns' if rest > 1 else 'row and column'}",
        remedy=f"state image_size: {smaller + patch}" + (f" or {smaller}" if smaller >= 8 else ""),
    )


def _created(model: Model) -> nn.Module:
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return create(model.name, head=model.head, image_size=model.image_size)
    except SpecError:
        raise
    except Exception as error:
        if out_of_memory(error):
            raise
        raise _size_fault(model, error) from None


def _step(net: nn.Module, n: int, model: Model) -> None:
    state = new_state(net, _RECIPE)
    with autocast("cpu", choose_precision("cpu")):
        logits = net.train()(_noise(n, model.image_size))
    if not isinstance(logits, Tensor) or logits.shape != (n, model.head):
        found = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise SpecError(
            f"{model.name} gives {found} for {n} images; needed: {n} x {model.head} logits",
            remedy="take a network that timm makes as a classifier",
        )
    F.cross_entropy(logits.float(), torch.zeros(n, dtype=torch.int64)).backward()
    state.optimiser.step()
    state.optimiser.zero_grad(set_to_none=True)


def _noise(n: int, size: int) -> Tensor:
    return torch.randn(n, 3, size, size, generator=torch.Generator().manual_seed(0))


def _size_fault(model: Model, error: Exception) -> SpecError:
    own = own_size(model.name)
    remedy = "take another network" if own is None or own == model.image_size else f"use image_size {own}, its own"
    return SpecError(f"{model.name} cannot be trained at {model.image_size} px: {_said(error)}", remedy=remedy)


def _said(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
