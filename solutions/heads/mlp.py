"""Multilayer perceptron on frozen features: one hidden layer, weighted softmax loss (abaw10, section 3.1 and eq. 1)."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from harness.atomic import atomic_file, write_text
from harness.errors import DataError, SolutionError
from harness.progress import progress

if TYPE_CHECKING:
    import torch

_PREDICT_ROWS = 65_536
WEIGHTS, ABOUT = "head.safetensors", "head.json"


@dataclass(frozen=True)
class MlpSettings:
    """How the head is trained.

    Attributes:
        hidden: units of the one hidden layer, with ReLU (abaw10 names one hidden layer; the authors' code has 128).
        epochs, batch_size, learning_rate: Adam. 256 and 1e-3 are those of the authors' code.
        weight_decay, dropout: regularisation; the authors use none.
    """

    hidden: int = 128
    epochs: int = 10
    batch_size: int = 256
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    dropout: float = 0.0


def class_weights(labels: npt.NDArray[np.int64], n_classes: int) -> npt.NDArray[np.float64]:
    """Weight of each class in the loss, ``max_j N_j / N_c`` (abaw10, eq. 1).

    Args:
        labels: int64 ``(n,)``.

    Returns:
        float64 ``(n_classes,)``, 1 for the most frequent; 0 for a class without examples, which can't be learned.
    """
    counts = np.bincount(labels, minlength=n_classes).astype(np.float64)
    return np.divide(counts.max(), counts, out=np.zeros(n_classes), where=counts > 0)


class MlpHead:
    """A trained head: features to class probabilities."""

    def __init__(self, settings: MlpSettings, network: torch.nn.Module, prior: npt.NDArray[np.float64]) -> None:
        self.settings = settings
        self.network = network
        self.prior = prior

    @classmethod
    def train(
        cls,
        features: Sequence[npt.NDArray[Any]],
        labels: Sequence[npt.NDArray[np.int64]],
        n_classes: int,
        settings: MlpSettings,
        *,
        seed: int,
        device: str = "cpu",
    ) -> Self:
        """Train on frames that have both features and a valid label.

        Args:
            features: ``(k, dim)`` a video, float16 or float32.
            labels: int64 ``(k,)`` a video, in ``[0, n_classes)``.

        Raises:
            DataError: there is no such frame.
        """
        import torch

        truth = np.concatenate(labels) if labels else np.empty(0, np.int64)
        if not len(truth):
            raise DataError("no training frame has both a label and features: is a face visible in the crops?")
        inputs = torch.from_numpy(np.concatenate(features))
        targets = torch.from_numpy(truth)
        mean, std = _moments(features)
        with _reproducible(seed):
            network = _build(inputs.shape[1], n_classes, settings, mean, std).to(device)
            weights = torch.tensor(class_weights(truth, n_classes), dtype=torch.float32, device=device)
            _optimise(network, inputs, targets, weights, settings, seed, device)
        prior = np.bincount(truth, minlength=n_classes) / len(truth)
        return cls(settings, network.eval().cpu(), prior)

    def probabilities(self, features: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Class probabilities of each row.

        Args:
            features: ``(k, dim)``.

        Returns:
            float32 ``(k, n_classes)``, rows sum to 1.
        """
        import torch

        parts = [np.empty((0, len(self.prior)), np.float32)]
        with torch.inference_mode():
            for at in range(0, len(features), _PREDICT_ROWS):
                # a copy: torch warns of arrays that can't be written to, as those of the cache
                rows = torch.from_numpy(np.array(features[at : at + _PREDICT_ROWS], np.float32))
                parts.append(torch.softmax(self.network(rows), 1).numpy())
        return np.concatenate(parts)

    def save(self, folder: Path) -> None:
        """Write weights (safetensors) and what they mean (JSON)."""
        from safetensors.torch import save

        with atomic_file(folder / WEIGHTS) as stream:
            stream.write(save({key: value.contiguous() for key, value in self.network.state_dict().items()}))
        about = {"settings": asdict(self.settings), "prior": self.prior.tolist()}
        write_text(folder / ABOUT, json.dumps(about, indent=2) + "\n")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what :meth:`save` wrote.

        Raises:
            SolutionError: files are missing or don't fit together.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
            state = load_file(folder / WEIGHTS)
            settings, prior = MlpSettings(**about["settings"]), np.array(about["prior"])
            network = _build(len(state["0.mean"]), len(prior), settings, state["0.mean"], state["0.std"])
            network.load_state_dict(state)
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
            raise SolutionError(f"{folder}: not a saved head ({error})") from None
        return cls(settings, network.eval(), prior)


def _moments(features: Sequence[npt.NDArray[Any]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard deviation of each column, summed in float64 a video at a time."""
    import torch

    n = sum(len(part) for part in features)
    mean = sum(part.sum(0, dtype=np.float64) for part in features) / n
    variance = sum(((part - mean) ** 2).sum(0) for part in features) / n
    std = np.sqrt(variance)
    return torch.tensor(mean, dtype=torch.float32), torch.tensor(np.where(std > 1e-6, std, 1.0), dtype=torch.float32)


def _build(
    dim: int, n_classes: int, settings: MlpSettings, mean: torch.Tensor, std: torch.Tensor
) -> torch.nn.Sequential:
    from torch import nn

    from solutions.heads.standardise import Standardise

    return nn.Sequential(
        Standardise(mean, std),
        nn.Linear(dim, settings.hidden),
        nn.ReLU(),
        nn.Dropout(settings.dropout),
        nn.Linear(settings.hidden, n_classes),
    )


def _optimise(
    network: torch.nn.Module,
    inputs: torch.Tensor,
    targets: torch.Tensor,
    weights: torch.Tensor,
    settings: MlpSettings,
    seed: int,
    device: str,
) -> None:
    import torch

    optimiser = torch.optim.Adam(network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    order = torch.Generator().manual_seed(seed)
    network.train()
    with progress("training the head", settings.epochs * len(inputs), "frames") as advance:
        for _ in range(settings.epochs):
            for rows in torch.randperm(len(inputs), generator=order).split(settings.batch_size):
                truth = targets[rows].to(device)
                logits = network(inputs[rows].float().to(device))
                loss = torch.nn.functional.cross_entropy(logits, truth, reduction="none")
                optimiser.zero_grad(set_to_none=True)
                (loss * weights[truth]).mean().backward()
                optimiser.step()
                advance(len(rows))


@contextlib.contextmanager
def _reproducible(seed: int) -> Iterator[None]:
    """Seed torch for a block and keep it on one thread: sums then don't depend on the number of cores.

    A network this small gains little from more threads. The global state is left as it was.
    """
    import torch

    state, threads = torch.get_rng_state(), torch.get_num_threads()
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.set_rng_state(state)
