"""Networks by timm name; the project's own are registered with timm when this package is imported."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor, nn

from predictor.errors import SpecError, near
from predictor.spec import Model, seeded
from trainer.device import Precision, autocast, compiled, memory_format, waited
from trainer.networks import adapted, pretrained, small  # noqa: F401 - two of them register their models

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
        network, tag = timm.models.split_model_name_tag(name)
        if tag and name not in timm.list_models(pretrained=True):
            raise SpecError(f"timm knows no weights {tag!r} of {network}", remedy=f"name the network alone: {network}")
        return
    known = timm.list_models()
    if close := near(name, known) or near(name, known, cutoff=LOOSE):
        raise SpecError(f"unknown model {name!r}; did you mean {' or '.join(map(repr, close))}?")
    raise SpecError(f"unknown model {name!r}; none of the {len(known):,} names is near", remedy=LIST_NAMES)


def check_tag(name: str) -> None:
    """Raise SpecError for the name of pretrained weights: `resnet18.a1_in1k` is resnet18 with weights that are not
    loaded here, and would be the same run as `resnet18` under another id."""
    import timm

    network, tag = timm.models.split_model_name_tag(name)
    if tag:
        known = timm.is_model(network)
        raise SpecError(
            f"{name!r} names the pretrained weights {tag!r}; the weights of this network are drawn at random",
            remedy=f"name the network alone: {network}; where training begins with weights, state weights: "
            f"{{timm: {name}, digest: ...}}"
            if known
            else LIST_NAMES,
        )


def own_size(name: str) -> int | None:
    """The image size that a network is made for; None where timm does not say."""
    import timm

    known = timm.get_pretrained_cfg(name)
    return known.input_size[-1] if known else None


def create(name: str, *, head: int, image_size: int) -> nn.Module:
    """A fresh network with `head` logits. Raises SpecError for a name timm does not know, with near matches.

    A network that is made for one image size is made for this one.
    """
    import timm

    check_name(name)
    wanted = {"pretrained": False, "num_classes": head, "in_chans": 3}
    known = timm.get_pretrained_cfg(name)
    if not ("vit" in name or "swin" in name or (known and known.fixed_input_size)):
        return timm.create_model(name, **wanted)
    state = torch.get_rng_state()
    try:
        return timm.create_model(name, **wanted, img_size=image_size)
    except TypeError as error:
        if "img_size" not in str(error):
            raise
    torch.set_rng_state(state)  # as if that had not been tried
    return timm.create_model(name, **wanted)


def network(
    model: Model,
    training_seed: int,
    *,
    device: str,
    precision: Precision,
    batches: Collection[int],
    compiled: bool,
    weights: Path | None = None,
) -> Network:
    """A network with weights that depend on the training seed alone, made on the CPU whatever the device is.

    batches : sizes of the calls to `forward`
    weights : the file of the pretrained weights that the model names; its classifier is fresh all the same
    compiled : compile once per (model, batch, size) and process; the next run takes that one with new weights in place
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(seeded("weights", training_seed).integers(2**63)))
        fresh = create(model.name, head=model.head, image_size=model.image_size)
    if weights is not None:
        pretrained.begin(fresh, model, weights)
    if not compiled:
        fresh = fresh.to(device).to(memory_format=memory_format(fresh))
        return Network(fresh, fresh)
    kept = _kept(model, device, precision)
    seconds = sum(kept.compile_for(batch) for batch in batches)
    kept.model.load_state_dict(fresh.state_dict())
    kept.model.zero_grad(set_to_none=True)  # a run that ran out of memory may have left half of its gradients
    return Network(kept.model, kept.forward, seconds)


def renew_head(model: nn.Module, training_seed: int, stage: int) -> None:
    """Give the classifier fresh weights in place, made on the CPU and by the training seed and the stage alone.

    Raises SpecError where they cannot be drawn anew.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(seeded("head", training_seed, stage).integers(2**63)))
        for head in heads(model):
            fresh = copy.deepcopy(head).cpu()
            for part in fresh.modules():
                if hasattr(part, "reset_parameters"):
                    part.reset_parameters()
                elif next(part.parameters(recurse=False), None) is not None:
                    raise SpecError(f"the weights of a {type(part).__name__} in its classifier cannot be drawn anew")
            head.load_state_dict(fresh.state_dict())


def heads(model: nn.Module) -> list[nn.Module]:
    """The classifiers of a network: one, or two where it was made to be distilled."""
    found = model.get_classifier()
    return list(found) if isinstance(found, tuple | list) else [found]


class _Kept:
    """A compiled network that serves one run after the other."""

    def __init__(self, spec: Model, device: str, precision: Precision):
        model = create(spec.name, head=spec.head, image_size=spec.image_size)
        if spec.weights is not None:
            pretrained.prepare(model, spec)
        model = model.to(device)
        self.model = model.to(memory_format=memory_format(model)).train()
        self.forward: Callable[[Tensor], Tensor] = compiled(self.model)
        self.image_size, self.device, self.precision = spec.image_size, device, precision
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
