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
from solutions.networks.parallel import in_parallel
from solutions.networks.seeding import seeded
from solutions.networks.threads import pinned_threads

_PREDICT_ROWS = 4096
WEIGHTS = "head.safetensors"


class MlpHead:
    """A trained perceptron; implements :class:`solutions.heads.head.Head`.

    Args:
        settings: settings of the perceptron and its training.
        kind: kind of outputs: softmax for ``classes``, tanh for ``values`` in [-1, 1], sigmoid for ``shares`` (values
            in [0, 1]) and ``binaries``; for a ``pair`` of classes one sigmoid, the probability of the second class.
        standardise: module that is applied to inputs first.
        epochs: layers after each epoch, or after the last epoch alone.
        prior: float64 ``(n_outputs,)``, scores of a video without features.
    """

    def __init__(
        self, settings: MlpSettings, kind: str, standardise: nn.Module, epochs: Sequence[nn.Sequential], prior: Prior
    ) -> None:
        """Move the layers to the CPU and freeze them for prediction."""
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
        """Train on rows with a valid label; see :func:`solutions.heads.train.train_head`."""
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
        # a second thread would make a batch of some hundred rows at most 1.4 times as fast, and 5 to 50 times as slow
        # where other programs keep the cores busy, as the threads wait for each other in turn; and on some processors
        # (seen on an Intel Xeon) products are rounded in another way by two threads, so that another head comes out
        with seeded(seed, device), pinned_threads(1):
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
        scores = np.empty((len(features), len(self.prior)), np.float32)

        def score(at: int) -> None:
            with torch.inference_mode():
                # copy, because torch warns about read-only arrays such as those of the cache
                rows = torch.from_numpy(np.array(features[at : at + _PREDICT_ROWS]))
                outputs = layers(self.standardise(rows.float()))
                piece = outputs if self.settings.raw else _activated(outputs, self.kind)
                scores[at : at + len(rows)] = piece.numpy()

        pieces = range(0, len(features), _PREDICT_ROWS)
        threads = min(torch.get_num_threads(), len(pieces))
        if threads > 1:
            for _ in in_parallel(score, pieces, threads):
                pass
        else:
            with pinned_threads(1):
                for at in pieces:
                    score(at)
        return scores

    def save(self, folder: Path) -> None:
        """Write weights (safetensors) and their description (JSON)."""
        from safetensors.torch import save

        with atomic_file(folder / WEIGHTS) as stream:
            stream.write(save({key: value.contiguous() for key, value in self.modules.state_dict().items()}))
        write_about(folder, self.settings, self.kind, self.prior, n_epochs=self.n_epochs)

    @classmethod
    def load(cls, folder: Path, about: dict[str, Any]) -> Self:
        """Load a head that :meth:`save` wrote.

        Damaged files raise errors of several types, which :func:`solutions.heads.train.load_head` turns into one.
        """
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
    """Return the kind of a head's outputs, see :class:`MlpHead`, and the number of outputs of the last layer."""
    if task.is_pair and settings.loss in PAIR_LOSSES:
        return "pair", 1
    return "shares" if task.kind == "values" and task.low == 0 else task.kind, task.n_outputs


def raw_of(rates: Prior) -> Prior:
    """Return the logits of rates, float64; rates are limited to 1e-6 from 0 and 1."""
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
    """Return an initialised network from standardised features to outputs before their activation."""
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
    """Return the gradients of the loss by each of ``layers.parameters()``, by the chain rule.

    The network is so small that autograd's bookkeeping would take an eighth of the time.

    Args:
        layers: the network.
        inputs: float32 ``(n, dim)``, standardised.
        targets: ``(n, …)``, labels in the form that ``loss_gradients`` takes.
        loss_gradients: function from outputs and targets to the gradients by the outputs.
        settings: settings of the network: dropout, L2 and batch normalisation.
    """
    if settings.batch_norm:
        return _gradients_by_autograd(layers, inputs, targets, loss_gradients, settings)
    kernels, biases = list(layers.parameters())[::2], list(layers.parameters())[1::2]
    last, keep_rate = inputs, 1 - settings.dropout
    if settings.hidden:
        last = torch.addmm(biases[0], inputs, kernels[0].t()).clamp_min_(0)
    if settings.dropout:
        last = last * torch.empty_like(last).bernoulli_(keep_rate).div_(keep_rate)
    by_output = loss_gradients(torch.addmm(biases[-1], last, kernels[-1].t()), targets)
    by_parameter = [by_output.t() @ last, by_output.sum(0)]
    if settings.hidden:
        # the gradient is 0 where a unit is silent, by ReLU or by dropout
        by_unit = torch.where(last > 0, (by_output @ kernels[-1]).div_(keep_rate), 0.0)
        by_parameter = [by_unit.t() @ inputs, by_unit.sum(0), *by_parameter]
    if settings.l2:
        for gradient, kernel in zip(by_parameter[::2], kernels, strict=True):
            gradient.add_(kernel, alpha=2 * settings.l2)
    return by_parameter


@torch.enable_grad()
def _gradients_by_autograd(
    layers: nn.Sequential, inputs: torch.Tensor, targets: torch.Tensor, loss_gradients: Gradients, settings: MlpSettings
) -> list[torch.Tensor]:
    """Return the gradients for a network with batch normalisation, and update its running moments for prediction.

    A batch of a single row has no variance, so it is normalised by the running moments.
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
    """Train the layers and return copies of them after each epoch, or only the last state.

    Args:
        layers: the initialised network.
        standardise: module that is applied to inputs first.
        loss_gradients: function from outputs and targets to the gradients by the outputs.
        batches: the training rows.
        settings: settings of the training.
        seed: seed of the order of rows.
        plateau: schedule that watches the loss and lowers the learning rate between epochs.
    """
    adam = Adam(
        layers.parameters(),
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        keras=settings.keras,
    )
    order = torch.Generator().manual_seed(seed)
    rng = np.random.default_rng(seed)
    states = []
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
                states.append(copy.deepcopy(layers))
    return states or [layers]
