"""Training and loading of a head by its settings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.errors import SolutionError
from harness.records.document import load_json
from harness.tasks import Task
from solutions.heads.head import ABOUT, Array, Head
from solutions.heads.settings import (
    AutoMl,
    BoostedTrees,
    HeadSettings,
    KernelMachine,
    LinearModel,
    MlpSettings,
    Pretrained,
    losses_of,
)


def train_head(
    settings: HeadSettings,
    features: Iterable[Array],
    labels: Sequence[Array],
    task: Task,
    *,
    seed: int,
    device: str = "cpu",
    rows: Sequence[npt.NDArray[np.int64]] | None = None,
) -> Head:
    """Train a head on the labelled rows of all videos. On a CPU, the same seed gives the same bytes.

    The training rows are copied into memory in the dtype in which they are stored. Memory-mapped features stay mapped
    as long as the caller holds them; pass a generator that opens one video at a time to release each after its use.

    Args:
        settings: kind and settings of the head.
        features: one array ``(k, dim)`` per video, float16 or float32, memory-mapped or generated on demand.
        labels: one array per video with valid labels only: int64 ``(k,)`` for classes, float64 ``(k, n_outputs)`` for
            values, int64 ``(k, n_outputs)``, 0 or 1, for binaries.
        task: the predicted task.
        seed: seed of weights and of the order of rows.
        device: torch device: ``cpu`` or ``cuda``.
        rows: one array per video: numbers of the feature rows that the labels belong to; all rows by default.

    Raises:
        DataError: there are no training rows.
        SolutionError: the settings don't fit the task.
    """
    match settings:
        case MlpSettings():
            allowed = losses_of(task)
            if settings.loss not in allowed:
                raise SolutionError(
                    f"a head for {task.name} can't be trained on this loss",
                    found=settings.loss,
                    expected=" or ".join(allowed) or "another task",
                )
            _check(settings, task)
            from solutions.heads.mlp import MlpHead

            return MlpHead.train(settings, features, labels, task, seed=seed, device=device, rows=rows)
        case Pretrained():
            from solutions.heads.pretrained import PretrainedHead

            return PretrainedHead.train(settings, labels, task)
        case BoostedTrees():
            from solutions.heads.trees import TreesHead

            return TreesHead.train(settings, features, labels, task, seed=seed, rows=rows)
        case AutoMl():
            from solutions.heads.automl import AutoMlHead

            return AutoMlHead.train(settings, features, labels, task, seed=seed, rows=rows)
        case KernelMachine() | LinearModel():
            from solutions.heads.solved import SolvedHead

            return SolvedHead.train(settings, features, labels, task, rows=rows)


def _check(settings: MlpSettings, task: Task) -> None:
    """Raise an error unless the settings of a perceptron fit each other and the task.

    Raises:
        SolutionError: the settings don't fit.
    """
    wrong = {
        "batches with as many rows of each class are for classes": settings.per_class and task.kind != "classes",
        "outputs before the sigmoid are for action units": settings.raw and task.kind != "binaries",
        "a batch is normalised in a hidden layer": settings.batch_norm and not settings.hidden,
        "a schedule watches the loss positive-weighted-bce alone": settings.plateau
        and settings.loss != "positive-weighted-bce",
    }
    for what, is_so in wrong.items():
        if is_so:
            raise SolutionError(what, found=f"{task.name}, {settings.words}, {settings.loss}")


def load_head(folder: Path) -> Head:
    """Load a head that its ``save`` wrote. The files are data alone, so that loading can't run code.

    Raises:
        SolutionError: files are missing or don't fit together.
    """
    from safetensors import SafetensorError

    try:
        about = load_json(folder / ABOUT)
        match about["settings"].pop("kind"):
            case "mlp":
                from solutions.heads.mlp import MlpHead

                return MlpHead.load(folder, about)
            case "pretrained":
                from solutions.heads.pretrained import PretrainedHead

                return PretrainedHead.load(folder, about)
            case "boosted-trees":
                from solutions.heads.trees import TreesHead

                return TreesHead.load(folder, about)
            case "kernel-machine" | "linear-model":
                from solutions.heads.solved import SolvedHead

                return SolvedHead.load(folder, about)
            case "lightautoml":
                from solutions.heads.automl import AutoMlHead

                return AutoMlHead.load(folder)
            case kind:
                raise ValueError(f"unknown kind {kind!r}")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, SafetensorError) as error:
        raise SolutionError(f"{folder}: not a saved head ({error})") from None
