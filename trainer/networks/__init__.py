"""Networks by timm name; the project's own are registered with timm when this package is imported."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn

from predictor.errors import SpecError, near
from predictor.spec import Model, seeded
from trainer.device import Precision, autocast, compiled, memory_format, waited
from trainer.networks import adapted, small  # noqa: F401 - they register their models

LOOSE = 0.5  # similarity, for names that nothing is near to by the usual 0.6
LIST_NAMES = 'use a timm name; this lists them: python -c "import timm; print(timm.list_models())"'

__all__ = ["Network", "check_name", "create", "network", "renew_head"]


@dataclass(frozen=True)
class Network:
    """A network on its device. forward: how whole batches are run; compile_seconds: spent on that just now."""

    model: nn.Module
    forward: Callable[[Tensor], Tensor]
    compile_seconds: float = 0.0


def check_name(name: str) -> None:
    """Raise SpecError for a name timm does not know, with up to three near matches, or how to list the names."""
    import timm

    if timm.is_model(name):
        return
    known = timm.list_models()
    if close := near(name, known) or near(name, known, cutoff=LOOSE):
        raise SpecError(f"unknown model {name!r}; did you mean {' or '.join(map(repr, close))}?")
    raise SpecError(f"unknown model {name!r}; none of the {len(known):,} names is near", remedy=LIST_NAMES)


def create(name: str, *, head: int, image_size: int) -> nn.Module:
    """A fresh network with `head` logits. Raises SpecError for a name timm does not know, with near matches."""
    import timm

    check_name(name)
    size = {"img_size": image_size} if "vit" in name or "swin" in name else {}
    return timm.create_model(name, pretrained=False, num_classes=head, in_chans=3, **size)


def network(
    model: Model, training_seed: int, *, device: str, precision: Precision, batches: Collection[int], compiled: bool
) -> Network:
    """A network with weights that depend on the training seed alone, made on the CPU whatever the device is.

    batches : sizes of the calls to `forward`
    compiled : compile once per (model, batch, size) and process; the next run takes that one with new weights in place
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(seeded("weights", training_seed).integers(2**63)))
        fresh = create(model.name, head=model.head, image_size=model.image_size)
    if not compiled:
        fresh = fresh.to(device).to(memory_format=memory_format(fresh))
        return Network(fresh, fresh)
    kept = _kept(model.name, model.head, model.image_size, device, precision)
    seconds = sum(kept.compile_for(batch) for batch in batches)
    kept.model.load_state_dict(fresh.state_dict())
    kept.model.zero_grad(set_to_none=True)  # a run that ran out of memory may have left half of its gradients
    return Network(kept.model, kept.forward, seconds)


def renew_head(model: nn.Module, training_seed: int, stage: int) -> None:
    """Give the classifier fresh weights in place, made on the CPU and by the training seed and the stage alone."""
    head = model.get_classifier()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(seeded("head", training_seed, stage).integers(2**63)))
        fresh = copy.deepcopy(head).cpu()
        for part in fresh.modules():
            if hasattr(part, "reset_parameters"):
                part.reset_parameters()
    head.load_state_dict(fresh.state_dict())


class _Kept:
    """A compiled network that serves one run after the other."""

    def __init__(self, name: str, head: int, image_size: int, device: str, precision: Precision):
        model = create(name, head=head, image_size=image_size).to(device)
        self.model = model.to(memory_format=memory_format(model)).train()
        self.forward: Callable[[Tensor], Tensor] = compiled(self.model)
        self.image_size, self.device, self.precision = image_size, device, precision
        self.batches: set[int] = set()

    def compile_for(self, batch: int) -> float:
        """Compile forward and backward by running them once on an empty batch; seconds, 0 where that was done before.

        Weights and statistics are void afterwards.
        """
        if batch in self.batches:
            return 0.0
        clock = time.perf_counter()
        images = torch.zeros(batch, 3, self.image_size, self.image_size, device=self.device)
        self.model.train()
        with autocast(self.device, self.precision):
            logits = self.forward(images.contiguous(memory_format=torch.channels_last))
        logits.float().sum().backward()
        self.model.zero_grad(set_to_none=True)
        waited(self.device)
        self.batches.add(batch)
        return time.perf_counter() - clock


_kept = lru_cache(maxsize=4)(_Kept)
