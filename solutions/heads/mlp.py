"""Perceptrons on frozen features: one hidden layer or none (abaw8, section 3.1; abaw10, sections 3.1 and 3.2)."""

from __future__ import annotations

import contextlib
import copy
import json
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from harness.atomic import atomic_file, write_text
from harness.progress import progress
from harness.tasks import Task
from solutions.heads.batches import Batches
from solutions.heads.head import ABOUT, Array, Prior, gather, prior_of
from solutions.heads.losses import make_loss
from solutions.heads.settings import MlpSettings, describe_head
from solutions.heads.standardise import Standardise

_PREDICT_ROWS = 4096
WEIGHTS = "head.safetensors"


class MlpHead:
    """A trained perceptron; implements :class:`solutions.heads.head.Head`.

    Args:
        kind: the task's; softmax for ``classes``, tanh for ``values``, sigmoid for ``binaries``.
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
        targets = torch.from_numpy(truth if task.kind == "classes" else truth.astype(np.float32))
        batches = Batches(torch.from_numpy(values), targets, settings.batch_size, device)
        with _reproducible(seed):
            loss = make_loss(settings, truth, task.n_outputs, device)
            standardise = Standardise(*batches.moments()) if settings.standardise else nn.Identity()
            layers = make_layers(values.shape[1], task.n_outputs, settings).to(device)
            epochs = optimise(layers, standardise.to(device), loss, batches, settings, seed)
        return cls(settings, task.kind, standardise, epochs, prior_of(truth, task))

    def scores(self, features: Array, epoch: int = -1) -> npt.NDArray[np.float32]:
        """See :meth:`solutions.heads.head.Head.scores`."""
        layers = self.epochs[epoch]
        found = np.empty((len(features), len(self.prior)), np.float32)
        with torch.inference_mode():
            for at in range(0, len(features), _PREDICT_ROWS):
                # a copy: torch warns of arrays that can't be written to, as those of the cache
                rows = torch.from_numpy(np.array(features[at : at + _PREDICT_ROWS]))
                found[at : at + len(rows)] = _activated(layers(self.standardise(rows.float())), self.kind).numpy()
        return found

    def save(self, folder: Path) -> None:
        """Write weights (safetensors) and what they mean (JSON)."""
        from safetensors.torch import save

        with atomic_file(folder / WEIGHTS) as stream:
            stream.write(save({key: value.contiguous() for key, value in self.modules.state_dict().items()}))
        about = {
            "settings": describe_head(self.settings),
            "task_kind": self.kind,
            "n_epochs": self.n_epochs,
            "prior": self.prior.tolist(),
        }
        write_text(folder / ABOUT, json.dumps(about, indent=2) + "\n")

    @classmethod
    def load(cls, folder: Path, about: dict[str, Any]) -> Self:
        """Read what :meth:`save` wrote; any of several errors if it isn't that (``load_head`` gives them one name)."""
        from safetensors.torch import load_file

        state = load_file(folder / WEIGHTS)
        settings = MlpSettings(**about["settings"])
        prior = np.array(about["prior"], np.float64)
        dim = state["epochs.0.hidden.weight" if settings.hidden else "epochs.0.output.weight"].shape[1]
        standardise = Standardise(torch.zeros(dim), torch.ones(dim)) if settings.standardise else nn.Identity()
        epochs = [make_layers(dim, len(prior), settings) for _ in range(about["n_epochs"])]
        head = cls(settings, about["task_kind"], standardise, epochs, prior)
        head.modules.load_state_dict(state)
        return head


def _activated(outputs: torch.Tensor, kind: str) -> torch.Tensor:
    if kind == "classes":
        return torch.softmax(outputs, 1)
    return torch.tanh(outputs) if kind == "values" else torch.sigmoid(outputs)


def make_layers(dim: int, n_outputs: int, settings: MlpSettings) -> nn.Sequential:
    if not settings.hidden:
        return nn.Sequential(OrderedDict(dropout=nn.Dropout(settings.dropout), output=nn.Linear(dim, n_outputs)))
    return nn.Sequential(
        OrderedDict(
            hidden=nn.Linear(dim, settings.hidden),
            relu=nn.ReLU(),
            dropout=nn.Dropout(settings.dropout),
            output=nn.Linear(settings.hidden, n_outputs),
        )
    )


def optimise(
    layers: nn.Sequential, standardise: nn.Module, loss: Any, batches: Batches, settings: MlpSettings, seed: int
) -> list[nn.Sequential]:
    """Layers as each epoch left them, or the last one alone."""
    optimiser = torch.optim.Adam(
        layers.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
    )
    kernels = [layer.weight for layer in layers if isinstance(layer, nn.Linear)] if settings.l2 else []
    order = torch.Generator().manual_seed(seed)
    kept = []
    layers.train()
    with progress("training the head", settings.epochs * len(batches.values), "frames") as advance:
        for _ in range(settings.epochs):
            for several in batches.shuffled(standardise, order):
                for inputs, targets in several:
                    value = loss(layers(inputs), targets)
                    for kernel in kernels:
                        value = value + settings.l2 * kernel.square().sum()
                    optimiser.zero_grad(set_to_none=True)
                    value.backward()
                    optimiser.step()
                advance(sum(len(targets) for _, targets in several))
            if settings.keep == "best":
                kept.append(copy.deepcopy(layers))
    return kept or [layers]


@contextlib.contextmanager
def _reproducible(seed: int) -> Iterator[None]:
    """Seed torch for a block and keep it on one thread: sums then don't depend on the number of cores.

    A network this small gains little from more threads. The global state is left as it was.
    """
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.set_rng_state(state)
