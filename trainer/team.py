"""Processes that train one run together, each on a device of its own: `torchrun --nproc-per-node 4 -m trainer run ...`.

A batch is cut into as many pieces as there are processes; each process trains on its own, and gradients are added up
before the step. Statistics of batch norm are those of a process's own images, as with torch's DistributedDataParallel,
and the running ones the mean of all: so every process holds the same network at every step, and any of them may write
the checkpoint. With one process all of this does nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch._utils import _flatten_dense_tensors, _unflatten_dense_tensors

Part = TypeVar("Part")


@contextmanager
def joined(device: str) -> Iterator[None]:
    """Inside, the processes that torchrun started belong together; each has the GPU of its local number."""
    if device == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if device == "cuda" else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


def size() -> int:
    """Processes that train together; 1 outside of `joined`."""
    return dist.get_world_size() if dist.is_initialized() else 1


def first() -> bool:
    """Whether this is the process that writes."""
    return not dist.is_initialized() or dist.get_rank() == 0


def own(parts: Sequence[Part]) -> Sequence[Part]:
    """What this process takes of the pieces of a batch."""
    return parts[dist.get_rank() :: size()] if dist.is_initialized() else parts


def told(value: Part) -> Part:
    """What the first process says, in every process."""
    if not dist.is_initialized():
        return value
    box = [value]
    dist.broadcast_object_list(box, src=0)
    return box[0]


def add_up(model: nn.Module) -> None:
    """Add up the gradients of all processes, one of which may have had no image; the mean of what batch norm keeps."""
    if not dist.is_initialized():
        return
    trained = [p for p in model.parameters() if p.requires_grad]
    for p in trained:
        if p.grad is None:
            p.grad = torch.zeros_like(p)
    _over_all([p.grad for p in trained if p.grad is not None], 1)
    _over_all([b for b in model.buffers() if b.is_floating_point()], size())


def everywhere(flag: Tensor) -> bool:
    """Whether a truth value holds in every process."""
    if dist.is_initialized():
        number = flag.to(torch.int32)
        dist.all_reduce(number, dist.ReduceOp.MIN)
        return bool(number.item())
    return bool(flag.item())


def _over_all(tensors: Sequence[Tensor], share: int) -> None:
    """Put the sum over all processes, divided by `share`, in the place of each tensor: one message a type."""
    for kind in dict.fromkeys(t.dtype for t in tensors):
        same = [t for t in tensors if t.dtype == kind]
        flat = _flatten_dense_tensors(same)
        dist.all_reduce(flat)
        for tensor, summed in zip(
            same, _unflatten_dense_tensors(flat / share if share > 1 else flat, same), strict=True
        ):
            tensor.copy_(summed)
