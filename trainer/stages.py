"""The stages of one run, one after the other: checkpoints between steps, smaller batches where memory is short."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from predictor.spec import RunSpec
from trainer import checkpoint, team
from trainer.augment import Augmentation, compiled_augmentation
from trainer.checkpoint import Checkpoint, WrongCheckpointError
from trainer.data.selection import TrainingSet
from trainer.data.streamed import Place
from trainer.device import Precision, out_of_memory, waited
from trainer.loop import State, n_steps, new_state, train
from trainer.networks import Network, network, renew_head

CHECKPOINT_SECONDS = 15.0
PROGRESS_SECONDS = 0.2


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A network after its last stage.

    model : None where it was frozen
    micro_batch : images at once where a whole batch did not fit, else None
    resumed : whether it continued from a checkpoint
    """

    model: nn.Module | None
    finite: bool
    seconds: float
    compile_seconds: float
    micro_batch: int | None
    resumed: bool


class Training:
    """Everything between the images and the trained network of one run.

    place : see `trainer.data.streamed`
    checkpoint : file of the half-done run, or None to keep none; progress, note : see `trainer.run.run_spec`
    weights : file of the pretrained weights that the spec names
    """

    def __init__(
        self,
        spec: RunSpec,
        sets: Sequence[TrainingSet],
        *,
        device: str,
        precision: Precision,
        compiled: bool,
        checkpoint: Path | None,
        progress: Callable[[int, int], None] | None,
        weights: Path | None = None,
        note: Callable[[str], None] | None = None,
        place: Place = "device",
    ):
        self.place = place
        self.weights = weights
        self.spec, self.sets, self.device, self.precision, self.compiled = spec, sets, device, precision, compiled
        self.checkpoint, self.progress = checkpoint, progress
        self.note = note or (lambda text: None)
        self.micro_batch: int | None = None

    def run(self) -> Trained:
        """Train all stages. Raises torch.OutOfMemoryError where not even single images fit the device."""
        if before := self._read("cpu"):
            self.micro_batch = before.micro_batch  # whole batches did not fit then
        self._share()
        while True:
            try:
                return self._run()
            except WrongCheckpointError as error:
                self._put_aside(error)
                continue
            except (RuntimeError, MemoryError) as error:  # torch.OutOfMemoryError is a RuntimeError
                size = (self.micro_batch or self.spec.recipe.batch_size) // 2
                if size < 1 or not out_of_memory(error) or team.size() > 1:  # the others wait for this process
                    raise
                self.micro_batch = size
            self.forget()  # what larger pieces began, smaller ones cannot continue to the bit
            if self.device == "cuda":
                torch.cuda.empty_cache()

    def _share(self) -> None:
        """Cut batches into a piece for each process where several train together."""
        if team.size() > 1:
            piece = math.ceil(self.spec.recipe.batch_size / team.size())
            self.micro_batch = min(self.micro_batch or piece, piece)

    def _read(self, device: str) -> Checkpoint | None:
        """The state that the run goes on from; a checkpoint that is none of this run is put aside."""
        if not self.checkpoint:
            return None
        try:
            content = checkpoint.read(self.checkpoint, device)
            if content:
                content.check(self.spec.run_id, [self._steps(number) for number in range(len(self.spec.stages))])
        except WrongCheckpointError as error:
            self._put_aside(error)
            return None
        return content

    def _steps(self, stage: int) -> int:
        spec = self.spec
        return n_steps(spec.stages[stage].image_steps, spec.recipe_of(stage).batch_size, spec.protocol)

    def _put_aside(self, error: WrongCheckpointError) -> None:
        assert self.checkpoint
        self.micro_batch = None
        self._share()
        if not team.first():
            return
        aside = checkpoint.put_aside(self.checkpoint)
        self.note(f"{self.checkpoint.name} is no checkpoint of this run: {error}; it is {aside.name} now")

    def forget(self) -> None:
        """Delete the checkpoint."""
        if self.checkpoint:
            self.checkpoint.unlink(missing_ok=True)

    def _run(self) -> Trained:
        spec = self.spec
        net = network(
            spec.model,
            spec.seeds.training,
            device=self.device,
            precision=self.precision,
            batches={self._batch(number) for number in range(len(spec.stages))},
            compiled=self.compiled,
            weights=self.weights,
        )
        begun = time.perf_counter()
        augments = [self._augment(number) for number in range(len(spec.stages))]
        compile_seconds = net.compile_seconds + time.perf_counter() - begun
        first, before, state = self._resumed(net)
        clock = _Clock(before)
        finite = True
        for number in range(first, len(spec.stages)):
            if number > first:
                if spec.stages[number].head == "fresh":
                    renew_head(net.model, spec.seeds.training, number)
                state = new_state(net.model, spec.recipe_of(number), net.forward)
            finite = train(
                state,
                self.sets[number],
                image_steps=spec.stages[number].image_steps,
                recipe=spec.recipe_of(number),
                training_seed=spec.seeds.training,
                stage=number,
                protocol=spec.protocol,
                device=self.device,
                precision=self.precision,
                augment=augments[number],
                micro_batch=self.micro_batch,
                place=self.place,
                between_steps=self._between_steps(number, clock),
            )
            if not finite:
                break
        waited(self.device)
        return Trained(
            model=net.model,
            finite=finite,
            seconds=clock.seconds(),
            compile_seconds=compile_seconds,
            micro_batch=self.micro_batch,
            resumed=before > 0,
        )

    def _batch(self, stage: int) -> int:
        """Images that are on their way through the network at once."""
        batch = self.spec.recipe_of(stage).batch_size
        return min(self.micro_batch or batch, batch)

    def _augment(self, stage: int) -> Augmentation | None:
        """How a stage augments whole batches where that is compiled."""
        if not self.compiled or self.device == "cpu":
            return None
        recipe, size = self.spec.recipe_of(stage), self.spec.model.image_size
        return compiled_augmentation(recipe.augmentation, recipe.flip, self._batch(stage), size, self.device)

    def _resumed(self, net: Network) -> tuple[int, float, State]:
        """Stage, seconds trained before, and state: of the checkpoint where there is a usable one."""
        content = self._read(self.device)
        stage = content.stage if content and content.micro_batch == self.micro_batch else 0
        state = new_state(net.model, self.spec.recipe_of(stage), net.forward)
        if content and content.micro_batch == self.micro_batch:
            checkpoint.restore(content, state)
            return stage, content.seconds, state
        return 0, 0.0, state

    def _between_steps(self, stage: int, clock: _Clock) -> Callable[[State, int], None]:
        def save(state: State) -> None:
            if self.checkpoint and team.first():
                checkpoint.save(self.checkpoint, state, stage, clock.seconds(), self.micro_batch, self.spec.run_id)

        def between(state: State, steps: int) -> None:
            if self.checkpoint and clock.due("checkpoint", CHECKPOINT_SECONDS):
                save(state)
            if self.progress and clock.due("progress", PROGRESS_SECONDS):
                try:
                    self.progress(state.step, steps)
                except BaseException:
                    save(state)
                    raise

        return between


class _Clock:
    """Seconds of training, those before a resume included, and what is due again. Unmoved by a clock that is set."""

    def __init__(self, before: float):
        self._before, self._start = before, time.monotonic()
        self._last: dict[str, float] = {}

    def seconds(self) -> float:
        return self._before + time.monotonic() - self._start

    def due(self, what: str, every: float) -> bool:
        now = time.monotonic()
        if now - self._last.setdefault(what, self._start) <= every:
            return False
        self._last[what] = now
        return True
