"""A head by its settings, trained or read back."""

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
    """Train on the rows of all videos that have a valid label. Same seed, same bytes on a CPU.

    Takes about as much memory as the rows do as they are stored. Features that are memory-mapped stay mapped as long
    as the caller holds them; a generator that opens one video at a time holds none.

    Args:
        features: ``(k, dim)`` a video, float16 or float32, memory-mapped or made when asked for.
        labels: a video: int64 ``(k,)`` for classes, float64 ``(k, n_outputs)`` for values, int64 ``(k, n_outputs)``,
            0 or 1, for binaries. Valid ones only.
        task: says which kind of outputs.
        device: of torch; ``cpu``, ``cuda``.
        rows: a video, which rows of its features the labels belong to; all by default.

    Raises:
        DataError: there is no row to train on.
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
    """Raise where settings of a perceptron don't fit each other or the task.

    Raises:
        SolutionError: they don't.
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
    """Read what a head's ``save`` wrote. Nothing in it can run.

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
