"""Heads trained on features from disk, beside a plain loop over a DataLoader.

``ABAW_BENCH_ROWS`` and ``ABAW_BENCH_EPOCHS`` say how much: 60,000 rows and 2 epochs, unless they are set. EXPR's
training set has 585,317 rows, and the authors train for 10 epochs.
"""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from harness.tasks import EXPR
from solutions.heads.batches import Batches
from solutions.heads.losses import class_weights, make_gradients
from solutions.heads.mlp import make_layers, optimise
from solutions.heads.settings import MlpSettings
from solutions.heads.standardise import Standardise
from solutions.heads.train import train_head
from tests.support.places import REPOSITORY

ROWS = int(os.environ.get("ABAW_BENCH_ROWS", "60000"))
EPOCHS = int(os.environ.get("ABAW_BENCH_EPOCHS", "2"))
DIM, N_CLASSES, PER_VIDEO = 1280, 8, 2360
CLASS_SHARES = np.array([177198, 16573, 10771, 9080, 95463, 78751, 31615, 165866]) / 585317
SETTINGS = MlpSettings(epochs=EPOCHS)
SIZE = f"{ROWS:,} x {DIM} float16"


@dataclass(frozen=True)
class Drawn:
    """Features of videos in files, with the classes' shares of EXPR's training set, and rows to test on."""

    files: list[Path]
    labels: list[np.ndarray]
    test: np.ndarray
    truth: np.ndarray


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Drawn:
    folder = tmp_path_factory.mktemp("features")
    rng = np.random.default_rng(0)
    centres = rng.normal(0, 0.08, (N_CLASSES, DIM)).astype(np.float32)

    def rows(n):
        truth = rng.choice(N_CLASSES, n, p=CLASS_SHARES)
        return (rng.standard_normal((n, DIM), np.float32) + centres[truth]).astype(np.float16), truth

    files, labels = [], []
    for start in range(0, ROWS, PER_VIDEO):
        values, truth = rows(min(PER_VIDEO, ROWS - start))
        files.append(folder / f"{start}.npy")
        np.save(files[-1], values)
        labels.append(truth)
    return Drawn(files, labels, *rows(5000))


def loop(features, labels):
    """As a script has it: one fp32 tensor, a DataLoader, Adam, torch's own threads; not standardised."""
    torch.set_num_threads(os.cpu_count() or 1)
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(DIM, 128), nn.ReLU(), nn.Linear(128, N_CLASSES))
    loader = DataLoader(TensorDataset(features, labels), batch_size=256, shuffle=True)
    loss = nn.CrossEntropyLoss(torch.tensor(class_weights(labels.numpy(), N_CLASSES), dtype=torch.float32))
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
    for _ in range(EPOCHS):
        for inputs, targets in loader:
            optimiser.zero_grad()
            loss(network(inputs), targets).backward()
            optimiser.step()
    return network


def loop_from_disk(drawn):
    features = np.concatenate([np.load(path) for path in drawn.files]).astype(np.float32)
    return loop(torch.from_numpy(features), torch.from_numpy(np.concatenate(drawn.labels)))


def ours_from_disk(files, labels):
    features = (np.load(path, mmap_mode="r") for path in files)
    with contextlib.redirect_stderr(io.StringIO()):  # progress
        return train_head(SETTINGS, features, labels, EXPR, seed=0)


def accuracy_of(scores, drawn):
    return (scores.argmax(1) == drawn.truth).mean()


def loops_accuracy(network, drawn):
    with torch.inference_mode():
        return accuracy_of(network(torch.from_numpy(drawn.test).float()).numpy(), drawn)


def close(theirs, ours):
    assert ours > 2 / N_CLASSES
    assert abs(theirs - ours) < 0.03, (theirs, ours)


def test_from_disk(beside, drawn):
    beside(
        f"head, {EPOCHS} epochs, loading included; ours standardises",
        SIZE,
        "np.load, fp32 TensorDataset, DataLoader",
        theirs=lambda: loop_from_disk(drawn),
        ours=lambda: ours_from_disk(drawn.files, drawn.labels),
        same=lambda theirs, ours: close(loops_accuracy(theirs, drawn), accuracy_of(ours.scores(drawn.test), drawn)),
        repeats=2,
    )


def test_epochs(beside, drawn):
    values = torch.from_numpy(np.concatenate([np.load(path) for path in drawn.files]))
    labels = torch.from_numpy(np.concatenate(drawn.labels))
    single = values.float()
    batches = Batches(values, labels, SETTINGS.batch_size, "cpu")
    standardise = Standardise(*batches.moments())

    def ours():
        threads = torch.get_num_threads()
        torch.set_num_threads(2)
        torch.manual_seed(0)
        layers = make_layers(DIM, N_CLASSES, SETTINGS)
        gradients = make_gradients(SETTINGS, labels.numpy(), N_CLASSES, "cpu")
        with contextlib.redirect_stderr(io.StringIO()):  # progress
            optimise(layers, standardise, gradients, batches, SETTINGS, 0)
        torch.set_num_threads(threads)
        return layers

    def ours_accuracy(layers):
        with torch.inference_mode():
            return accuracy_of(layers(standardise(torch.from_numpy(drawn.test).float())).numpy(), drawn)

    beside(
        f"head, {EPOCHS} epochs, features in memory; ours standardises",
        SIZE,
        "fp32 TensorDataset, DataLoader",
        theirs=lambda: loop(single, labels),
        ours=ours,
        same=lambda theirs, ours: close(loops_accuracy(theirs, drawn), ours_accuracy(ours)),
        repeats=2,
    )


def test_memory(drawn, tmp_path):
    """In a process of its own: most memory that it ever had, the files' pages included."""
    np.savez(tmp_path / "labels.npz", *drawn.labels)
    script = (
        "import sys, numpy; from pathlib import Path; from tests.benchmarks.bench_heads import ours_from_disk;"
        "kept = numpy.load(sys.argv[1]); ours_from_disk(list(map(Path, sys.argv[2:])), [kept[k] for k in kept.files]);"
        "print(next(line for line in open('/proc/self/status') if 'VmHWM' in line).split()[1])"
    )
    path = str(REPOSITORY)
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "labels.npz"), *map(str, drawn.files)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    print(f"\nhead, {SIZE}: {int(done.stdout) / 1e6:.2f} GB at most ", end="", flush=True)
