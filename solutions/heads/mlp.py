"""Perceptrons on frozen features: one hidden layer or none (abaw8, section 3.1; abaw10, sections 3.1 and 3.2)."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from harness.system.atomic import atomic_file
from harness.system.progress import progress
from harness.system.regular import require_file
from harness.tasks import Task
from solutions.heads.adam import Adam
from solutions.heads.batches import Batches
from solutions.heads.head import Array, Prior, gather, prior_of, write_about
from solutions.heads.losses import Gradients, make_gradients
from solutions.heads.plateau import Plateau
from solutions.heads.settings import PAIR_LOSSES, MlpSettings
from solutions.heads.standardise import Standardise
from solutions.networks.seeding import seeded
from solutions.networks.threads import pinned_threads

_PREDICT_ROWS = 4096
_THREADS = 2  # on any machine: a network this small gains little from more
WEIGHTS = "head.safetensors"


class MlpHead:
    """A trained perceptron; implements :class:`solutions.heads.head.Head`.

    Args:
        kind: softmax for ``classes``, tanh for ``values`` in [-1, 1], sigmoid for ``shares`` (values in [0, 1]) and
            ``binaries``; for a ``pair`` of classes one sigmoid, the second one's probability.
        standardise: what inputs go through first.
        epochs: layers as each epoch left them, or the last one's alone.
    """

    def __init__(
        self, settings: MlpSettings, kind: str, standardise: nn.Module, epochs: Sequence[nn.Sequential], prior: Prior
    ) -> None:
        self.settings = settings
        self.kind = kind
        self.standardise = standardise
        self.epochs = epochs
        self.modules = nn.ModuleDict({"standardise": standardise, "epochs": nn.ModuleList(epochs)})
        self.modules.eval().requires_grad_(False).cpu()
        self.prior = prior
        self.n_epochs = len(epochs)

    @classmethod
    def train(
        cls,
        settings: MlpSettings,
        features: Iterable[Array],
        labels: Sequence[Array],
        task: Task,
        *,
        seed: int,
        device: str = "cpu",
        rows: Sequence[npt.NDArray[np.int64]] | None = None,
    ) -> Self:
        """Train on rows that have a valid label; see :func:`solutions.heads.train.train_head`."""
        values, truth = gather(features, labels, rows)
        kind, n_outputs = kind_of_outputs(settings, task)
        prior = prior_of(truth, task)
        if settings.raw:
            prior = raw_of(prior)
        if kind == "pair":
            truth = truth[:, None]
        targets = torch.from_numpy(truth if kind == "classes" else truth.astype(np.float32))
        size = settings.per_class * len(np.unique(truth)) if settings.per_class else settings.batch_size
        batches = Batches(torch.from_numpy(values), targets, size, device)
        # batches of a few rows of each class are too small for a second thread, which then only waits for a core
        with seeded(seed, device), pinned_threads(1 if settings.per_class else _THREADS):
            squash = torch.sigmoid if kind == "shares" else torch.tanh
            plateau = Plateau(settings.plateau) if settings.plateau else None
            watch = plateau.watch if plateau else None
            loss_gradients = make_gradients(settings, truth, n_outputs, device, squash, watch)
            standardise = Standardise(*batches.moments()) if settings.standardise else nn.Identity()
            layers = make_layers(values.shape[1], n_outputs, settings).to(device)
            epochs = optimise(layers, standardise.to(device), loss_gradients, batches, settings, seed, plateau)
        return cls(settings, kind, standardise, epochs, prior)

    def scores(self, features: Array, epoch: int = -1) -> npt.NDArray[np.float32]:
        """See :meth:`solutions.heads.head.Head.scores`."""
        layers = self.epochs[epoch]
        found = np.empty((len(features), len(self.prior)), np.float32)
        # where there is little to do, a second thread only waits for a core that others hold
        with pinned_threads(_THREADS if len(features) > _PREDICT_ROWS else 1), torch.inference_mode():
            for at in range(0, len(features), _PREDICT_ROWS):
                # a copy: torch warns of arrays that can't be written to, as those of the cache
                rows = torch.from_numpy(np.array(features[at : at + _PREDICT_ROWS]))
                outputs = layers(self.standardise(rows.float()))
                found[at : at + len(rows)] = (outputs if self.settings.raw else _activated(outputs, self.kind)).numpy()
        return found

    def save(self, folder: Path) -> None:
        """Write weights (safetensors) and what they mean (JSON)."""
        from safetensors.torch import save

        with atomic_file(folder / WEIGHTS) as stream:
            stream.write(save({key: value.contiguous() for key, value in self.modules.state_dict().items()}))
        write_about(folder, self.settings, self.kind, self.prior, n_epochs=self.n_epochs)

    @classmethod
    def load(cls, folder: Path, about: dict[str, Any]) -> Self:
        """Read what :meth:`save` wrote; any of several errors if it isn't that (``load_head`` gives them one name)."""
        from safetensors.torch import load_file

        require_file(folder / WEIGHTS)
        state = load_file(folder / WEIGHTS)
        settings = MlpSettings(**about["settings"])
        prior = np.array(about["prior"], np.float64)
        dim = state["epochs.0.hidden.weight" if settings.hidden else "epochs.0.output.weight"].shape[1]
        standardise = Standardise(torch.zeros(dim), torch.ones(dim)) if settings.standardise else nn.Identity()
        n_outputs = 1 if about["task_kind"] == "pair" else len(prior)
        epochs = [make_layers(dim, n_outputs, settings) for _ in range(about["n_epochs"])]
        head = cls(settings, about["task_kind"], standardise, epochs, prior)
        head.modules.load_state_dict(state)
        return head


def kind_of_outputs(settings: MlpSettings, task: Task) -> tuple[str, int]:
    """Return how a head's outputs are squashed, see :class:`MlpHead`, and how many the last layer has."""
    if task.is_pair and settings.loss in PAIR_LOSSES:
        return "pair", 1
    return "shares" if task.kind == "values" and task.low == 0 else task.kind, task.n_outputs


def raw_of(rates: Prior) -> Prior:
    """Return what a sigmoid turns into these rates, float64; of a rate of 0 or 1, that of one millionth beside it."""
    inside = np.clip(rates, 1e-6, 1 - 1e-6)
    return np.asarray(np.log(inside / (1 - inside)))


def _activated(outputs: torch.Tensor, kind: str) -> torch.Tensor:
    if kind == "classes":
        return torch.softmax(outputs, 1)
    if kind == "pair":
        present = torch.sigmoid(outputs)
        return torch.cat([1 - present, present], 1)
    return torch.tanh(outputs) if kind == "values" else torch.sigmoid(outputs)


def make_layers(dim: int, n_outputs: int, settings: MlpSettings) -> nn.Sequential:
    """Return the network behind the standardisation; its outputs are still to be squashed."""
    layers = OrderedDict[str, nn.Module]()
    if settings.hidden:
        layers["hidden"] = nn.Linear(dim, settings.hidden)
        if settings.batch_norm:
            layers["norm"] = nn.BatchNorm1d(settings.hidden)
        layers["relu"] = nn.ReLU()
        if settings.batch_norm:
            layers["dropout"] = nn.Dropout(settings.dropout)
    layers["output"] = nn.Linear(settings.hidden or dim, n_outputs)
    if settings.keras:
        for layer in (layer for layer in layers.values() if isinstance(layer, nn.Linear)):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
    return nn.Sequential(layers)


@torch.no_grad()
def gradients(
    layers: nn.Sequential, inputs: torch.Tensor, targets: torch.Tensor, loss_gradients: Gradients, settings: MlpSettings
) -> list[torch.Tensor]:
    """Gradients of the loss by each of ``layers.parameters()``, by the chain rule.

    The network is so small that autograd's bookkeeping would take an eighth of the time.

    Args:
        inputs: float32 ``(n, dim)``, standardised.
        targets: ``(n, …)``, as the loss takes them.
    """
    if settings.batch_norm:
        return _gradients_by_autograd(layers, inputs, targets, loss_gradients, settings)
    kernels, biases = list(layers.parameters())[::2], list(layers.parameters())[1::2]
    last, kept = inputs, 1 - settings.dropout
    if settings.hidden:
        last = torch.addmm(biases[0], inputs, kernels[0].t()).clamp_min_(0)
    if settings.dropout:
        last = last * torch.empty_like(last).bernoulli_(kept).div_(kept)
    found = loss_gradients(torch.addmm(biases[-1], last, kernels[-1].t()), targets)
    by_parameter = [found.t() @ last, found.sum(0)]
    if settings.hidden:
        # nothing passes where a unit is silent, be it by ReLU or by dropout
        found = torch.where(last > 0, (found @ kernels[-1]).div_(kept), 0.0)
        by_parameter = [found.t() @ inputs, found.sum(0), *by_parameter]
    if settings.l2:
        for gradient, kernel in zip(by_parameter[::2], kernels, strict=True):
            gradient.add_(kernel, alpha=2 * settings.l2)
    return by_parameter


@torch.enable_grad()
def _gradients_by_autograd(
    layers: nn.Sequential, inputs: torch.Tensor, targets: torch.Tensor, loss_gradients: Gradients, settings: MlpSettings
) -> list[torch.Tensor]:
    """Return the same for a network that normalises over the batch; moments for prediction are kept up on the way.

    A batch of a single row has no variance: it is normalised by those moments.
    """
    parameters = list(layers.parameters())
    outputs = layers.train(len(inputs) > 1)(inputs)
    by_parameter = list(torch.autograd.grad(outputs, parameters, loss_gradients(outputs.detach(), targets)))
    if settings.l2:
        for gradient, parameter in zip(by_parameter, parameters, strict=True):
            if parameter.ndim > 1:
                gradient.add_(parameter.detach(), alpha=2 * settings.l2)
    return by_parameter


def optimise(
    layers: nn.Sequential,
    standardise: nn.Module,
    loss_gradients: Gradients,
    batches: Batches,
    settings: MlpSettings,
    seed: int,
    plateau: Plateau | None = None,
) -> list[nn.Sequential]:
    """Return layers as each epoch left them, or the last one alone.

    Args:
        layers: the network, as initialised.
        standardise: applied to inputs first.
        loss_gradients: of the loss by what the last layer gives.
        batches: the training rows.
        settings: how the network is trained.
        seed: of the order of rows.
        plateau: watches the gradients' loss, and lowers the learning rate between epochs.
    """
    adam = Adam(
        layers.parameters(),
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        keras=settings.keras,
    )
    order = torch.Generator().manual_seed(seed)
    rng = np.random.default_rng(seed)
    kept = []
    with progress("training the head", settings.epochs * len(batches.values), "frames", step="train") as advance:
        for _ in range(settings.epochs):
            epoch = (
                batches.balanced(standardise, rng, settings.per_class)
                if settings.per_class
                else batches.shuffled(standardise, order)
            )
            for inputs, targets in epoch:
                adam.step(gradients(layers, inputs, targets, loss_gradients, settings))
                advance(len(targets))
            if plateau:
                adam.learning_rate *= plateau.factor_after_epoch()
            if settings.keep == "best":
                kept.append(copy.deepcopy(layers))
    return kept or [layers]
