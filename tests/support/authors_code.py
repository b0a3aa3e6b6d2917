"""abaw10's authors' code as ``abaw10_code_audit.md`` describes it, told again in plain torch and NumPy.

Nothing of ``solutions`` is used but the order in which it draws random numbers: networks are initialised after
``manual_seed(seed)``, rows are shuffled by a generator of that seed.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

PRINTED_CLASS_WEIGHTS = (1.0, 10.692, 16.451, 19.515, 1.856, 2.250, 5.605, 1.068)


# --- training


def class_weights(labels: np.ndarray) -> torch.Tensor:
    """Return max N / N_c."""
    counts = np.bincount(labels, minlength=8)
    return torch.tensor(counts.max() / np.maximum(counts, 1), dtype=torch.float32)


def train_expressions(
    x: np.ndarray, y: np.ndarray, seed: int, *, epochs: int = 10, batch: int = 256
) -> list[nn.Module]:
    """Return the network after each epoch: Dense 128, ReLU, Dense 8 on weighted cross-entropy."""
    loss = nn.CrossEntropyLoss(weight=class_weights(y))
    return _train(_mlp(x, 128, 8, seed), loss, x, y, _shuffled(len(y), batch, seed), epochs)


def train_focal(
    x: np.ndarray, y: np.ndarray, seed: int, *, gamma: float, per_class: int, epochs: int = 30
) -> list[nn.Module]:
    """Return the network after each epoch: focal loss on batches of as many rows of each class."""
    counts = np.bincount(y, minlength=8)
    weights = (1 - 0.99) / (1 - 0.99**counts)
    weights = torch.tensor(weights / weights.sum() * 8, dtype=torch.float32)

    def loss(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        p = torch.softmax(logits, 1)[torch.arange(len(truth)), truth]
        return (weights[truth] * (1 - p) ** gamma * -torch.log(p)).mean()

    rng = np.random.default_rng(seed)
    pools = [np.flatnonzero(y == label) for label in range(8)]

    def batches() -> list[np.ndarray]:
        n = -(-len(y) // (8 * per_class))
        return [
            rng.permutation(np.concatenate([p[rng.choice(len(p), per_class, len(p) < per_class)] for p in pools]))
            for _ in range(n)
        ]

    return _train(_mlp(x, 128, 8, seed), loss, x, y, batches, epochs)


def train_values(x: np.ndarray, y: np.ndarray, seed: int, *, epochs: int = 5, batch: int = 1024) -> list[nn.Module]:
    """Return the network after each epoch: one layer and tanh on 1 - mean CCC, all parameters decaying by 1/1024."""

    def loss(outputs: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        p, mean_p, mean_y = torch.tanh(outputs), torch.tanh(outputs).mean(0), truth.mean(0)
        covariance = ((p - mean_p) * (truth - mean_y)).mean(0)
        spread = p.var(0, unbiased=False) + truth.var(0, unbiased=False) + (mean_p - mean_y) ** 2
        return 1 - (2 * covariance / (spread + 1e-8)).mean()

    torch.manual_seed(seed)
    net = nn.Sequential(nn.Linear(x.shape[1], 2))
    return _train(net, loss, x, y, _shuffled(len(y), batch, seed), epochs, weight_decay=1 / 1024)


def train_units(x: np.ndarray, y: np.ndarray, seed: int, *, linear: bool, epochs: int = 9) -> list[nn.Module]:
    """Return the network after each epoch: 256, BatchNorm, ReLU, dropout .3, 12; or one linear layer."""
    positive = y.sum(0)
    weights = torch.tensor(np.minimum((len(y) - positive) / np.maximum(positive, 1e-9), 20), dtype=torch.float32)
    torch.manual_seed(seed)
    if linear:
        net = nn.Sequential(nn.Linear(x.shape[1], 12))
    else:
        hidden = nn.Linear(x.shape[1], 256)
        net = nn.Sequential(hidden, nn.BatchNorm1d(256), nn.ReLU(), nn.Dropout(0.3), nn.Linear(256, 12))
    loss = nn.BCEWithLogitsLoss(pos_weight=weights)
    return _train(net, loss, x, y.astype(np.float32), _shuffled(len(y), 512, seed), epochs, 1e-5, plateau=True)


def _mlp(x: np.ndarray, hidden: int, outputs: int, seed: int) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(x.shape[1], hidden), nn.ReLU(), nn.Linear(hidden, outputs))


def _shuffled(n: int, batch: int, seed: int) -> Callable[[], Sequence[torch.Tensor]]:
    order = torch.Generator().manual_seed(seed)
    return lambda: torch.randperm(n, generator=order).split(batch)


def _train(
    net: nn.Module,
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    x: np.ndarray,
    y: np.ndarray,
    batches: Callable[[], Sequence],
    epochs: int,
    weight_decay: float = 0.0,
    *,
    plateau: bool = False,
) -> list[nn.Module]:
    rows, truth = torch.from_numpy(x), torch.from_numpy(y if y.dtype != np.float64 else y.astype(np.float32))
    adam = torch.optim.Adam(net.parameters(), lr=1e-3, weight_decay=weight_decay)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(adam, factor=0.5, patience=2) if plateau else None
    after = []
    for _ in range(epochs):
        net.train()
        total = 0.0
        for chosen in batches():
            chosen = torch.as_tensor(chosen)
            adam.zero_grad()
            value = loss(net(rows[chosen]), truth[chosen])
            value.backward()
            adam.step()
            total += float(value.detach()) * len(chosen)
        if scheduler:
            scheduler.step(total / len(truth))  # theirs sees the loss on validation
        copy = _copy(net)
        after.append(copy.eval())
    return after


def _copy(net: nn.Module) -> nn.Module:
    import copy

    return copy.deepcopy(net)


def outputs_of(net: nn.Module, x: np.ndarray) -> np.ndarray:
    """Return what the last layer gives, float64."""
    with torch.inference_mode():
        return net(torch.from_numpy(x)).double().numpy()


def softmax(z: np.ndarray) -> np.ndarray:
    """Return shares of each row."""
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def sigmoid(z: np.ndarray) -> np.ndarray:
    """Return probabilities."""
    return 1 / (1 + np.exp(-z))


# --- scores


def macro_f1(truth: np.ndarray, said: np.ndarray) -> float:
    """Return the mean F1 of eight classes; 0 for one that neither side has."""
    counts = np.bincount(truth * 8 + said, minlength=64).reshape(8, 8)
    hits, both = counts.diagonal(), counts.sum(0) + counts.sum(1)
    return float(np.divide(2 * hits, both, out=np.zeros(8), where=both > 0).mean())


def unit_f1(truth: np.ndarray, said: np.ndarray) -> np.ndarray:
    """Return F1 of each unit."""
    hits, both = (truth & said).sum(0), truth.sum(0) + said.sum(0)
    return np.divide(2 * hits, both, out=np.zeros(truth.shape[1]), where=both > 0)


def mean_ccc(truth: np.ndarray, said: np.ndarray) -> float:
    """Return the mean concordance of the columns."""
    mt, ms = truth.mean(0), said.mean(0)
    covariance = ((truth - mt) * (said - ms)).mean(0)
    return float((2 * covariance / (truth.var(0) + said.var(0) + (mt - ms) ** 2)).mean())


# --- GLA


def search_biases(p: np.ndarray, truth: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return biases: from log(N_max / N_y) on, 41 offsets in [-2, 2] from each one's value, three passes at most."""
    logs = np.log(p + 1e-12)
    biases = np.log(counts.max() / counts)
    best = macro_f1(truth, (logs + biases).argmax(1))
    for _ in range(3):
        improved = False
        for c in range(8):
            current = biases[c]
            for offset in np.linspace(-2, 2, 41):
                tried = biases.copy()
                tried[c] = current + offset
                f1 = macro_f1(truth, (logs + tried).argmax(1))
                if f1 > best + 1e-12:
                    best, biases, improved = f1, tried, True
        if not improved:
            break
    return biases


def adjusted(p: np.ndarray, biases: np.ndarray) -> np.ndarray:
    """Return adjusted log scores."""
    return np.log(p + 1e-12) + biases


# --- from frames with a crop to decisions on them


def smoothed(rows: np.ndarray, crops: np.ndarray, half_width: int) -> np.ndarray:
    """Return means around each crop: the array ends at the last crop, and is interpolated between crops.

    Args:
        rows: ``(k, c)``, of frames with a crop.
        crops: their 1-based numbers, rising.
        half_width: frames on each side.
    """
    dense = []
    for frame in range(1, crops[-1] + 1):
        after = int(np.searchsorted(crops, frame))
        if crops[after] == frame or after == 0:
            dense.append(rows[after])
            continue
        before = after - 1
        w = 1 - (frame - crops[before]) / (crops[after] - crops[before])
        dense.append(w * rows[before] + (1 - w) * rows[after])
    dense = np.array(dense)
    means = [dense[max(0, i - half_width) : i + half_width + 1].mean(0) for i in range(len(dense))]
    return np.array(means)[crops - 1]


def filtered(said: np.ndarray, classifier: np.ndarray, threshold: float) -> np.ndarray:
    """Return decisions, with the classifier's where one of its seven classes is above the threshold."""
    seven = classifier[:, :7]
    return np.where(seven.max(1) > threshold, seven.argmax(1), said)


# --- choices


def first_best(values: Sequence[float]) -> int:
    """Return the first of the largest."""
    return int(np.argmax(np.array(values)))


def stopped(values: Sequence[float], patience: int = 6) -> int:
    """Return the epoch that training would have kept, had it stopped after so many without improvement by 1e-4."""
    best, kept, bad = -1.0, 0, 0
    for epoch, value in enumerate(values):
        if value > best + 1e-4:
            best, kept, bad = value, epoch, 0
        else:
            bad += 1
        if bad >= patience:
            break
    return kept


@dataclass(frozen=True)
class Grid:
    """Candidates in the order in which they are tried."""

    weights: tuple[float, ...] = (1.0,)
    half_widths: tuple[int, ...] = (0,)
    thresholds: tuple[float, ...] = (1.0,)

    def cells(self) -> list[tuple[float, int, float]]:
        """Return every combination."""
        return list(itertools.product(self.weights, self.half_widths, self.thresholds))
