"""The state of a half-done run on disk: written whole or not at all, loaded without executing anything."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from trainer.loop import State


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """Where a run stood: stage, step, seconds trained so far, the size of its pieces of a batch, and all weights."""

    stage: int
    step: int
    seconds: float
    micro_batch: int | None
    model: dict[str, Any]
    optimiser: dict[str, Any]


def save(path: Path, state: State, stage: int, seconds: float, micro_batch: int | None = None) -> None:
    """Write the state. Temporary file, then rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    content = {
        "stage": stage,
        "step": state.step,
        "seconds": seconds,
        "micro_batch": micro_batch,
        "model": state.model.state_dict(),
        "optimiser": state.optimiser.state_dict(),
    }
    try:
        torch.save(content, temporary)
        os.replace(temporary, path)
    except (OSError, RuntimeError):  # a full disk costs the checkpoint, not the run
        temporary.unlink(missing_ok=True)


def read(path: Path, device: str) -> Checkpoint | None:
    """The checkpoint of a run; None where there is no usable one."""
    try:
        return Checkpoint(**torch.load(path, map_location=device, weights_only=True))
    except FileNotFoundError:
        return None
    except Exception:  # truncated or foreign file: whatever torch raises, the run starts from its beginning
        path.unlink(missing_ok=True)
        return None


def restore(content: Checkpoint, state: State) -> None:
    """Put a checkpoint into a state of the same network and optimiser."""
    state.model.load_state_dict(content.model)
    state.optimiser.load_state_dict(content.optimiser)
    state.step = content.step
