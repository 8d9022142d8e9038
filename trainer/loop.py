"""One stage of training, readable from top to bottom.

SGD with Nesterov momentum or AdamW, linear warm-up, cosine. Everything random is a function of (training seed, epoch,
step): a stage that continues from a checkpoint is exact, and weights, order and augmentation are seeded apart.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from predictor.spec import LAST_JOINED, PROTOCOL, SMOOTHED_OVER_TRAINED, STAGES_APART, Recipe, last_alone, seeded
from trainer import randomness, team
from trainer.augment import Augmentation, augmentation
from trainer.data.selection import TrainingSet, epoch_order
from trainer.data.streamed import Feed, Place
from trainer.device import Precision, autocast, generator_of
from trainer.imbalance import draw_weights, loss_offset, loss_weights

Rows = TypeVar("Rows", np.ndarray, Tensor)
LOOK_EVERY = 50  # steps, at least, between two looks at the loss: each look waits for the device
AHEAD = 50  # steps whose rows go to the device at once


@dataclass
class State:
    """What a stage needs to go on: network, optimiser and the next step.

    forward : the network as it is called on whole batches; on CUDA a compiled one with the same weights
    """

    model: nn.Module
    optimiser: torch.optim.Optimizer
    forward: Callable[[Tensor], Tensor]
    step: int = 0


def n_steps(image_steps: int, batch_size: int, protocol: int = PROTOCOL) -> int:
    """Steps of a stage; the last batch is smaller where the numbers do not divide, or has one image more.

    >>> n_steps(64, 32), n_steps(65, 32), n_steps(66, 32)
    (2, 2, 3)
    """
    steps = math.ceil(image_steps / batch_size)
    return steps - (protocol >= LAST_JOINED and last_alone(image_steps, batch_size))


def pieces(n: int, size: int, protocol: int = PROTOCOL) -> list[tuple[int, int]]:
    """Where the pieces of a batch of n images begin and end: `size` images each, a rest of one joined to the last.

    >>> pieces(7, 3), pieces(8, 3), pieces(1, 3)
    ([(0, 3), (3, 7)], [(0, 3), (3, 6), (6, 8)], [(0, 1)])
    """
    begins = list(range(0, n, size))
    if protocol >= LAST_JOINED and size > 1 and last_alone(n, size):
        begins.pop()
    return list(zip(begins, [*begins[1:], n], strict=True))


def loss_of(
    logits: Tensor, labels: Tensor, smoothing: float, spread: Tensor | None, weights: Tensor | None = None
) -> Tensor:
    """Cross-entropy with label smoothing (Szegedy et al. 2016), summed over the batch.

    logits : (B, C); labels : (B,)
    spread : (C,) the distribution that smoothing mixes in; None: the same for all logits
    weights : (C,) of the images of each class; None: 1
    """
    wanted = labels
    if smoothing and spread is not None:
        wanted, smoothing = smoothing * spread + (1 - smoothing) * F.one_hot(labels, logits.shape[1]), 0.0
    if weights is None:
        return F.cross_entropy(logits, wanted, reduction="sum", label_smoothing=smoothing)
    return weights[labels] @ F.cross_entropy(logits, wanted, reduction="none", label_smoothing=smoothing)


def evenly(labels: np.ndarray, n_logits: int) -> Tensor:
    """(C,) equal shares for the classes that have images, 0 for all other logits."""
    there = np.bincount(labels, minlength=n_logits) > 0
    return torch.from_numpy(there / there.sum()).float()


def learning_rate(step: int, steps: int, recipe: Recipe) -> float:
    """Linear warm-up over a share or a number of the steps, then a half cosine to zero."""
    assert recipe.learning_rate is not None  # the spec sees to it
    warm = recipe.warmup_steps or max(1, round(recipe.warmup * steps))
    if step < warm:
        return recipe.learning_rate * (step + 1) / warm
    return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def new_state(model: nn.Module, recipe: Recipe, forward: Callable[[Tensor], Tensor] | None = None) -> State:
    """Optimiser for what a network trains; weight decay on matrices and kernels only, as is usual.

    The classifier has groups of its own where its rate differs from that of the rest.
    """
    head = {id(p) for p in model.get_classifier().parameters()} if recipe.head_rate != 1 else set()
    groups = []
    for times, inside in ((1.0, False), (recipe.head_rate, True)) if head else ((1.0, False),):
        part = [p for p in model.parameters() if p.requires_grad and (id(p) in head) == inside]
        decayed, rest = [p for p in part if p.ndim > 1], [p for p in part if p.ndim <= 1]
        groups += [
            {"params": decayed, "weight_decay": recipe.weight_decay, "times": times},
            {"params": rest, "weight_decay": 0.0, "times": times},
        ]
    optimiser: torch.optim.Optimizer
    if recipe.optimiser == "adamw":
        betas = recipe.beta1, recipe.beta2
        optimiser = torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=betas, eps=recipe.eps, fused=True)
    else:
        optimiser = torch.optim.SGD(
            groups, lr=recipe.learning_rate, momentum=recipe.momentum, nesterov=recipe.momentum > 0, fused=True
        )
    return State(model, optimiser, model if forward is None else forward)  # a compiled network has no truth value


def train(
    state: State,
    data: TrainingSet,
    *,
    image_steps: int,
    recipe: Recipe,
    training_seed: int,
    stage: int = 0,
    protocol: int = PROTOCOL,
    device: str = "cpu",
    precision: Precision = "fp32",
    augment: Augmentation | None = None,
    micro_batch: int | None = None,
    place: Place = "device",
    between_steps: Callable[[State, int], None] | None = None,
) -> bool:
    """Train to the end of the stage from wherever `state` stands; False where the loss stopped being finite.

    augment : how whole batches are augmented; on CUDA compiled. None: as the recipe says
    micro_batch : images at once on the device; gradients of a batch are added up, so its size stays the recipe's.
        Processes that train together (`trainer.team`) share out these pieces
    place : where the images are while they are not shown
    between_steps : called before each step with the state and the number of steps; what it raises ends the training
    """
    labels = torch.from_numpy(data.labels).to(device)
    steps = n_steps(image_steps, recipe.batch_size, protocol)
    begins = math.ceil(recipe.deferred * steps)  # of what is done about imbalance, but for adjusted logits
    order = (data, image_steps, recipe, training_seed, stage, protocol)
    batches, fetched = Ahead(batches_of(*order), device), batches_of(*order)
    spread: Tensor | None = None
    weights = offset = None
    acts = recipe.class_weights != "none" or (recipe.logit_adjustment and recipe.logit_adjustment_at == "loss")
    draws = torch.tensor(randomness.key("augment", training_seed, stage), device=device)
    dropped, generator = randomness.key("dropout", training_seed, stage) >> 1, generator_of(device)
    plain = augmentation(recipe.augmentation, flip=recipe.flip)
    size = min(micro_batch or recipe.batch_size, recipe.batch_size)
    look = max(LOOK_EVERY, len(data.keys) // recipe.batch_size)
    finite = torch.ones((), dtype=torch.bool, device=device)
    train_mode(state.model)

    def rows_of(step: int) -> np.ndarray:
        rows = fetched[step]
        return _joined(rows, team.own(pieces(len(rows), size, protocol)))

    with Feed(data.pixels, rows_of, steps, device, place) as feed:
        while state.step < steps:
            if between_steps:
                between_steps(state, steps)
            for group in state.optimiser.param_groups:
                group["lr"] = learning_rate(state.step, steps, recipe) * group["times"]
            generator.manual_seed(dropped + state.step)  # what a network itself draws: dropout, stochastic depth
            rows, first = batches[state.step]
            parts = team.own(pieces(len(rows), size, protocol))
            pixels, seen = feed.pixels(state.step, _joined(rows, parts)), 0
            for start, end in parts:
                part = rows[start:end]
                whole = len(part) == size  # what is compiled is made for these; the last, smaller one goes around it
                now, seen = pixels[seen : seen + len(part)], seen + len(part)
                images = (augment if augment and whole else plain)(now, draws, first + start)
                with autocast(device, precision):
                    logits = (state.forward if whole else state.model)(images)
                if recipe.label_smoothing and spread is None and protocol >= SMOOTHED_OVER_TRAINED:
                    spread = evenly(data.labels, logits.shape[1]).to(device)
                if acts and weights is None:
                    counts = np.bincount(data.labels, minlength=logits.shape[1])
                    weights = torch.from_numpy(loss_weights(recipe, counts)).float().to(device)
                    offset = torch.from_numpy(loss_offset(recipe, counts)).float().to(device)
                found = logits.float() if offset is None else logits.float() + offset
                weighs = weights if state.step >= begins else None
                loss = loss_of(found, labels[part], recipe.label_smoothing, spread, weighs) / len(rows)
                loss.backward()
                finite &= torch.isfinite(loss.detach())
            team.add_up(state.model)
            state.optimiser.step()
            state.optimiser.zero_grad(set_to_none=True)
            state.step += 1
            if (state.step % look == 0 or state.step == steps) and not team.everywhere(finite):
                return False
    return True


def _joined(rows: Rows, parts: Sequence[tuple[int, int]]) -> Rows:
    """The rows of some pieces of a batch, one piece after the other."""
    if len(parts) == 1 or not parts:
        start, end = parts[0] if parts else (0, 0)
        return rows[start:end]
    if parts[0][0] == 0 and parts[-1][1] == len(rows) and all(a[1] == b[0] for a, b in pairwise(parts)):
        return rows  # all of them
    join = torch.cat if isinstance(rows, Tensor) else np.concatenate
    return join([rows[start:end] for start, end in parts])


def drawn_instead(recipe: Recipe, labels: np.ndarray) -> np.ndarray | None:
    """(N,) cumulative probability of each image where classes are drawn other than by their size; else None."""
    if recipe.sampling == "natural":
        return None
    of_image = draw_weights(recipe, np.bincount(labels))[labels]
    return np.cumsum(of_image / of_image.sum())


def train_mode(model: nn.Module) -> None:
    """Training mode, except for the parts that are frozen: their batch norm keeps the statistics that it has."""
    model.train()
    for part in model.modules():
        own = list(part.parameters())
        if own and not any(parameter.requires_grad for parameter in own):
            part.eval()


class Batches:
    """Rows of each batch of a stage: epochs in their own order, one after the other, cut into batches.

    draws : (N,) cumulative probabilities with which images are drawn, with replacement, from step `begins` on; None:
        epochs to the end
    """

    def __init__(
        self,
        keys: np.ndarray,
        batch_size: int,
        image_steps: int,
        training_seed: int,
        stage: int = 0,
        protocol: int = PROTOCOL,
        draws: np.ndarray | None = None,
        begins: int = 0,
    ):
        self.keys, self.batch_size, self.image_steps = keys, batch_size, image_steps
        self.draws, self.begins = draws, begins
        self.training_seed, self.stage = training_seed, stage
        self.steps = n_steps(image_steps, batch_size, protocol)
        self._orders: dict[int, np.ndarray] = {}

    def __getitem__(self, step: int) -> np.ndarray:
        """(B,) rows; a batch may span the end of an epoch."""
        return self.of_steps(step, step + 1)

    def of_steps(self, begin: int, end: int) -> np.ndarray:
        """Rows of the batches begin, ..., end - 1 in one array."""
        stop = end * self.batch_size if end < self.steps else self.image_steps
        position = np.arange(begin * self.batch_size, stop)
        epoch, place = np.divmod(position, len(self.keys))
        needed = range(int(epoch[0]), int(epoch[-1]) + 1)
        before, self._orders = self._orders, {}
        for e in needed:
            self._orders[e] = before[e] if e in before else epoch_order(self.keys, self.training_seed, e, self.stage)
        counts = np.bincount(epoch - needed.start)
        places = np.split(place, np.cumsum(counts)[:-1])
        rows = np.concatenate([self._orders[e][of_epoch] for e, of_epoch in zip(needed, places, strict=True)])
        if self.draws is not None:
            for step in range(max(begin, self.begins), min(end, self.steps)):
                start = (step - begin) * self.batch_size
                stop = len(rows) if step == self.steps - 1 else start + self.batch_size
                u = seeded("sampling", self.training_seed, self.stage, step).random(stop - start)
                rows[start:stop] = np.minimum(np.searchsorted(self.draws, u, side="right"), len(self.keys) - 1)
        return rows


def batches_of(
    data: TrainingSet, image_steps: int, recipe: Recipe, training_seed: int, stage: int, protocol: int
) -> Batches:
    """The batches of a stage."""
    orders = stage if protocol >= STAGES_APART else 0
    begins = math.ceil(recipe.deferred * n_steps(image_steps, recipe.batch_size, protocol))
    draws = drawn_instead(recipe, data.labels)
    return Batches(data.keys, recipe.batch_size, image_steps, training_seed, orders, protocol, draws, begins)


def shown(
    data: TrainingSet, image_steps: int, recipe: Recipe, training_seed: int, stage: int, protocol: int
) -> tuple[int, int]:
    """How many images and classes a stage shows at least once."""
    batches = batches_of(data, image_steps, recipe, training_seed, stage, protocol)
    seen = np.zeros(len(data.labels), bool)
    for begin in range(0, batches.steps, AHEAD):
        seen[batches.of_steps(begin, min(begin + AHEAD, batches.steps))] = True
        if seen.all():
            break
    return int(seen.sum()), len(np.unique(data.labels[seen]))


class Ahead:
    """Batches on the device, sent there for many steps at once: a step waits for nothing and sends nothing."""

    def __init__(self, batches: Batches, device: str):
        self.batches, self.device = batches, device
        self._begin = self._end = 0

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor]:
        """(B,) rows of a batch, and the number of its first image, counted through the stage, of no dimension."""
        size = self.batches.batch_size
        if not self._begin <= step < self._end:
            self._begin, self._end = step, step + AHEAD
            self._rows = _sent(torch.from_numpy(self.batches.of_steps(self._begin, self._end)), self.device)
            self._firsts = torch.arange(self._begin * size, self._end * size, size, device=self.device)
        at = step - self._begin
        end = None if step == self.batches.steps - 1 else (at + 1) * size
        return self._rows[at * size : end], self._firsts[at]


def _sent(rows: Tensor, device: str) -> Tensor:
    """To the device without waiting for it."""
    return rows.pin_memory().to(device, non_blocking=True) if device == "cuda" else rows
