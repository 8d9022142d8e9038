"""The state of a half-done run on disk: written whole or not at all, loaded without executing anything."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from predictor.files import replacing
from predictor.reading import opened
from trainer.loop import State

_STATE = {torch.optim.SGD: {"momentum_buffer"}, torch.optim.AdamW: {"step", "exp_avg", "exp_avg_sq"}}
ASIDE = ".unusable"  # behind the name of a checkpoint that is none of this run


class WrongCheckpointError(Exception):
    """A file that is no checkpoint of this run; the text says what is wrong with it."""


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """Where a run stood: stage, step, seconds trained so far, the size of its pieces of a batch, and all weights.

    run_id : of the run; None in one that was written before these were kept
    """

    stage: int
    step: int
    seconds: float
    micro_batch: int | None
    model: dict[str, Any]
    optimiser: dict[str, Any]
    run_id: str | None = None

    def check(self, run_id: str, steps: Sequence[int]) -> None:
        """Raise WrongCheckpointError where this is no state of the run. steps : of each of its stages"""
        if self.run_id not in (None, run_id):
            raise WrongCheckpointError(f"it is of run {self.run_id!r}")
        least = {"stage": (self.stage, 0), "step": (self.step, 0), "micro_batch": (self.micro_batch or 1, 1)}
        for name, (value, low) in least.items():
            if type(value) is not int or value < low:
                raise WrongCheckpointError(f"its {name} is {value!r}")
        if self.stage >= len(steps) or self.step > steps[self.stage]:
            raise WrongCheckpointError(
                f"it stands at step {self.step:,} of stage {self.stage + 1}; the stages have {list(steps)} steps"
            )
        if not isinstance(self.seconds, int | float) or not 0 <= self.seconds < math.inf:
            raise WrongCheckpointError(f"its seconds are {self.seconds!r}")


def save(
    path: Path, state: State, stage: int, seconds: float, micro_batch: int | None = None, run_id: str | None = None
) -> None:
    """Write the state, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "stage": stage,
        "step": state.step,
        "seconds": seconds,
        "micro_batch": micro_batch,
        "model": state.model.state_dict(),
        "optimiser": state.optimiser.state_dict(),
        "run_id": run_id,
    }
    with suppress(OSError, RuntimeError), replacing(path) as temporary:  # a full disk costs the checkpoint, not the run
        torch.save(content, temporary)


def read(path: Path, device: str) -> Checkpoint | None:
    """The checkpoint of a run; None where there is none. Raises WrongCheckpointError for a file that is none."""
    try:
        with opened(path) as file:
            return Checkpoint(**torch.load(file, map_location=device, weights_only=True))
    except FileNotFoundError:
        return None
    except Exception as error:  # truncated or foreign file: whatever torch raises; or no regular file
        text = (error.strerror or "" if isinstance(error, OSError) else str(error)).strip().splitlines()
        raise WrongCheckpointError(f"it cannot be read ({text[0] if text else type(error).__name__})") from None


def put_aside(path: Path) -> Path:
    """Give a checkpoint another name: its run begins anew, and what was there is not lost. Returns that name."""
    aside = path.with_name(f"{path.name}{ASIDE}")
    try:
        os.replace(path, aside)
    except OSError:  # that name is a folder's
        with suppress(OSError):
            path.unlink(missing_ok=True)
    return aside


def restore(content: Checkpoint, state: State) -> None:
    """Put a checkpoint into a state of the same network and optimiser. Raises WrongCheckpointError for another's."""
    try:
        state.model.load_state_dict(content.model)
        state.optimiser.load_state_dict(content.optimiser)
        for p in state.model.parameters():  # torch does not look
            kept = {name: value for name, value in state.optimiser.state[p].items() if name != "step"}
            if any(value is not None and value.shape != p.shape for value in kept.values()):
                raise ValueError("momentum of another shape")
            if kept and state.optimiser.state[p].keys() != _STATE[type(state.optimiser)]:
                raise ValueError("momentum of another optimiser")
    except Exception as error:  # whatever a file of the right form and wrong content makes torch raise
        raise WrongCheckpointError(f"its weights are not those of this network ({type(error).__name__})") from None
    state.step = content.step
