"""The state of a half-done run on disk: written whole or not at all, loaded without executing anything."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from trainer.loop import State


def save(path: Path, state: State, stage: int, seconds: float) -> None:
    """Write stage, step, weights, optimiser and the seconds trained so far. Temporary file, then rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    content = {
        "stage": stage,
        "step": state.step,
        "seconds": seconds,
        "model": state.model.state_dict(),
        "optimiser": state.optimiser.state_dict(),
    }
    torch.save(content, temporary)
    os.replace(temporary, path)


def load(path: Path, state: State, device: str) -> tuple[int, float] | None:
    """Restore a state in place and return (stage, seconds); None where there is no usable checkpoint."""
    try:
        content = torch.load(path, map_location=device, weights_only=True)
        stage, step, seconds = content["stage"], content["step"], content["seconds"]
        weights, optimiser = content["model"], content["optimiser"]
    except FileNotFoundError:
        return None
    except Exception:  # truncated or foreign file: whatever torch raises, the run starts from its beginning
        path.unlink(missing_ok=True)
        return None
    state.model.load_state_dict(weights)
    state.optimiser.load_state_dict(optimiser)
    state.step = step
    return stage, seconds
